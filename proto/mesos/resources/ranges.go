package resources

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// Range is the numbers from Begin to End, both included. Begin is never above End.
type Range struct{ Begin, End uint64 }

// Ranges is a set of numbers: sorted, disjoint, and with no two ranges that touch.
type Ranges []Range

// RangesOf builds Ranges from ranges in any order; those that overlap or touch become one. Ranges that begin after
// their end are left out.
func RangesOf(ranges ...Range) Ranges {
	sorted := make(Ranges, 0, len(ranges))
	for _, r := range ranges {
		if r.Begin <= r.End {
			sorted = append(sorted, r)
		}
	}
	slices.SortFunc(sorted, func(a, b Range) int { return cmp.Compare(a.Begin, b.Begin) })
	return coalesce(sorted)
}

// coalesce joins neighbours of a list sorted by Begin, in place.
func coalesce(sorted Ranges) Ranges {
	out := sorted[:0]
	for _, r := range sorted {
		last := len(out) - 1
		if last >= 0 && (r.Begin <= out[last].End || r.Begin-1 == out[last].End) {
			out[last].End = max(out[last].End, r.End)
			continue
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// Size counts the numbers, at most math.MaxUint64.
func (r Ranges) Size() uint64 {
	var n uint64
	for _, x := range r {
		span := x.End - x.Begin
		if span == math.MaxUint64 || n > math.MaxUint64-span-1 {
			return math.MaxUint64
		}
		n += span + 1
	}
	return n
}

// Contains reports whether every number of o is in r.
func (r Ranges) Contains(o Ranges) bool {
	i := 0
	for _, x := range o {
		for i < len(r) && r[i].End < x.Begin {
			i++
		}
		if i == len(r) || r[i].Begin > x.Begin || r[i].End < x.End {
			return false
		}
	}
	return true
}

// Overlaps reports whether some number is in both.
func (r Ranges) Overlaps(o Ranges) bool {
	i, j := 0, 0
	for i < len(r) && j < len(o) {
		switch {
		case r[i].End < o[j].Begin:
			i++
		case o[j].End < r[i].Begin:
			j++
		default:
			return true
		}
	}
	return false
}

// Add is the numbers that are in r or in o.
func (r Ranges) Add(o Ranges) Ranges {
	switch {
	case len(r) == 0:
		return o
	case len(o) == 0:
		return r
	}
	return RangesOf(append(slices.Clone(r), o...)...)
}

// Sub is the numbers of r that are not in o.
func (r Ranges) Sub(o Ranges) Ranges {
	if !r.Overlaps(o) {
		return r
	}
	var out Ranges
	i := 0
	for _, x := range r {
		for i < len(o) && o[i].End < x.Begin {
			i++
		}
		out = x.without(o[i:], out)
	}
	return out
}

// without appends what is left of x when the ranges of cut are taken away. cut may reach beyond x.
func (x Range) without(cut Ranges, out Ranges) Ranges {
	begin := x.Begin
	for _, c := range cut {
		if c.Begin > x.End {
			break
		}
		if c.Begin > begin {
			out = append(out, Range{begin, c.Begin - 1})
		}
		if c.End >= x.End {
			return out
		}
		begin = c.End + 1
	}
	return append(out, Range{begin, x.End})
}

// Take is the n lowest numbers, or all of them when there are fewer.
func (r Ranges) Take(n uint64) Ranges {
	var out Ranges
	for _, x := range r {
		if n == 0 {
			break
		}
		if span := x.End - x.Begin; span >= n {
			x.End = x.Begin + n - 1
		}
		out = append(out, x)
		n -= min(n, x.End-x.Begin+1)
	}
	return out
}

// Equal reports whether both hold the same numbers.
func (r Ranges) Equal(o Ranges) bool { return slices.Equal(r, o) }

// String is Mesos' text: "[31000-31000, 31002-32000]".
func (r Ranges) String() string { return string(r.append(nil)) }

func (r Ranges) append(b []byte) []byte {
	b = append(b, '[')
	for i, x := range r {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendUint(b, x.Begin, 10)
		b = append(b, '-')
		b = strconv.AppendUint(b, x.End, 10)
	}
	return append(b, ']')
}
