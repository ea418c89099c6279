package daemon

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// AppendDouble prints a number as Mesos does in JSON: the shortest text that
// reads back the same, with a decimal point or an exponent (mesos-api 1.8).
// The two infinities are texts; NaN, which JSON does not know, is 0.0.
func AppendDouble(b []byte, v float64) []byte {
	abs := math.Abs(v)
	switch {
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	case math.IsNaN(v):
		return append(b, "0.0"...)
	case abs != 0 && abs < 1e-6 || abs >= 1e21:
		text := strconv.FormatFloat(v, 'e', -1, 64)
		text = strings.Replace(strings.Replace(text, "e+", "e", 1), "e-0", "e-", 1)
		return append(b, text...)
	}
	start := len(b)
	b = strconv.AppendFloat(b, v, 'f', -1, 64)
	if !slices.Contains(b[start:], '.') {
		b = append(b, ".0"...)
	}
	return b
}
