package daemon

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// units of durations as Mesos writes them, the longest first.
var units = []struct {
	name string
	unit time.Duration
}{
	{"weeks", 7 * 24 * time.Hour},
	{"days", 24 * time.Hour},
	{"hrs", time.Hour},
	{"mins", time.Minute},
	{"secs", time.Second},
	{"ms", time.Millisecond},
	{"us", time.Microsecond},
	{"ns", time.Nanosecond},
}

// ParseDuration reads a duration as Mesos writes it (10secs, 1.5mins, 2weeks)
// or as Go does (1m30s).
func ParseDuration(text string) (time.Duration, error) {
	number, unit := splitUnit(text)
	for _, u := range units {
		if unit != u.name {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		d := n * float64(u.unit)
		if err != nil || math.IsNaN(d) || math.Abs(d) >= math.MaxInt64 {
			break
		}
		return time.Duration(math.Round(d)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || text == "0" {
		return 0, fmt.Errorf("%q is not a duration: write a number and ns, us, ms, secs, mins, hrs, days or weeks, such as 15secs", text)
	}
	return d, nil
}

// FormatDuration writes d as Mesos does, in the longest unit that loses nothing.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0ns"
	}
	for _, u := range units {
		if d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return d.String()
}

var sizes = []struct {
	name string
	unit uint64
}{
	{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1},
}

// ParseBytes reads a size such as 512B, 64KB, 10MB or 2GB; units are powers of 1024.
func ParseBytes(text string) (uint64, error) {
	number, unit := splitUnit(text)
	for _, s := range sizes {
		if unit != s.name {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if b := n * float64(s.unit); err == nil && b >= 0 && b < math.MaxUint64 {
			return uint64(b), nil
		}
	}
	return 0, fmt.Errorf("%q is not a size: write a number and B, KB, MB, GB or TB, such as 64MB", text)
}

// FormatBytes writes a size in the largest unit that loses nothing.
func FormatBytes(n uint64) string {
	for _, s := range sizes {
		if n >= s.unit && n%s.unit == 0 {
			return strconv.FormatUint(n/s.unit, 10) + s.name
		}
	}
	return "0B"
}

func splitUnit(text string) (number, unit string) {
	i := strings.LastIndexAny(text, "0123456789.") + 1
	return text[:i], text[i:]
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}
