package resources

import (
	"fmt"
	"math"
	"strconv"
)

// Scalar is an amount in thousandths of its unit: 1.5 CPUs is 1500, 32 MB of mem is 32000. Sums of floats drift;
// these do not (mesos-api 1.10).
type Scalar int64

const (
	// MaxScalar is the largest amount accepted from outside. A thousand of them still add up without overflow.
	MaxScalar Scalar = 10_000_000_000_000 * thousand

	thousand = 1000
)

// ScalarOf converts units to thousandths, rounding to the nearest. It refuses NaN, infinities, negative amounts,
// amounts that are not zero but round to it, and amounts above MaxScalar. What a Scalar below 2^42 units is as a
// float comes back as the same Scalar; above that a float64 does not hold thousandths.
func ScalarOf(f float64) (Scalar, error) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return 0, fmt.Errorf("value is not a finite number")
	case f == 0:
		return 0, nil
	case f*thousand > float64(MaxScalar):
		return 0, fmt.Errorf("value > %s", MaxScalar)
	case math.Round(f*thousand) <= 0:
		return 0, fmt.Errorf("value <= 0")
	}
	return Scalar(math.Round(f * thousand)), nil
}

// Whole is n units.
func Whole(n int64) Scalar { return Scalar(n) * thousand }

// Float is the amount in units, as on the wire.
func (s Scalar) Float() float64 { return float64(s) / thousand }

// String is the amount in units with at most three decimals: "0.1", "32".
func (s Scalar) String() string { return string(s.append(nil)) }

func (s Scalar) append(b []byte) []byte {
	if s < 0 {
		b, s = append(b, '-'), -s
	}
	b = strconv.AppendInt(b, int64(s/thousand), 10)
	rest := s % thousand
	if rest == 0 {
		return b
	}
	b = append(b, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

// plus adds without wrapping around.
func (s Scalar) plus(t Scalar) Scalar {
	if t > 0 && s > math.MaxInt64-t {
		return math.MaxInt64
	}
	return s + t
}
