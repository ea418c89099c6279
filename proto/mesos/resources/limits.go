package resources

import (
	"cmp"
	"slices"
)

// Limits are upper bounds by name. A name without an entry is unlimited; an entry of zero allows nothing. The zero
// value limits nothing.
type Limits struct {
	entries []Quantity // sorted by name
}

// LimitsOf builds limits; of two entries of one name the last counts.
func LimitsOf(entries ...Quantity) Limits {
	var l Limits
	for _, e := range entries {
		at, found := l.find(e.Name)
		if !found {
			l.entries = slices.Insert(l.entries, at, e)
		}
		l.entries[at] = e
	}
	return l
}

func (l Limits) find(name string) (int, bool) {
	return slices.BinarySearchFunc(l.entries, name, func(e Quantity, n string) int { return cmp.Compare(e.Name, n) })
}

// Get is the bound of name, if it has one.
func (l Limits) Get(name string) (Scalar, bool) {
	if at, found := l.find(name); found {
		return l.entries[at].Amount, true
	}
	return 0, false
}

// Contains reports whether q stays within every limit.
func (l Limits) Contains(q Quantities) bool {
	for _, e := range l.entries {
		if q.Get(e.Name) > e.Amount {
			return false
		}
	}
	return true
}

// Sub is what the limits still allow when q is used.
func (l Limits) Sub(q Quantities) Limits {
	out := slices.Clone(l.entries)
	for i := range out {
		out[i].Amount = max(out[i].Amount-q.Get(out[i].Name), 0)
	}
	return Limits{out}
}

// IsEmpty reports whether nothing is limited.
func (l Limits) IsEmpty() bool { return len(l.entries) == 0 }

// Equal reports whether both limit alike.
func (l Limits) Equal(o Limits) bool { return slices.Equal(l.entries, o.entries) }

// All yields the bounds, sorted by name.
func (l Limits) All() func(yield func(string, Scalar) bool) {
	return func(yield func(string, Scalar) bool) {
		for _, e := range l.entries {
			if !yield(e.Name, e.Amount) {
				return
			}
		}
	}
}

// String is Mesos' text, sorted by name: "cpus:8; mem:8192", and "{}" if nothing is limited.
func (l Limits) String() string {
	var b []byte
	for _, e := range l.entries {
		if len(b) > 0 {
			b = append(b, "; "...)
		}
		b = e.Amount.append(append(append(b, e.Name...), ':'))
	}
	if len(b) == 0 {
		return "{}"
	}
	return string(b)
}

// Limits are limits of just these quantities; names that are absent are not limited.
func (q Quantities) Limits() Limits {
	var l Limits
	for name, amount := range q.All() {
		l.entries = append(l.entries, Quantity{name, amount})
	}
	return l
}

// Min is the tighter of both limits, name by name.
func (l Limits) Min(o Limits) Limits {
	switch {
	case len(o.entries) == 0:
		return l
	case len(l.entries) == 0:
		return o
	}
	out := Limits{slices.Clone(l.entries)}
	for _, e := range o.entries {
		at, found := out.find(e.Name)
		if !found {
			out.entries = slices.Insert(out.entries, at, e)
		}
		out.entries[at].Amount = min(out.entries[at].Amount, e.Amount)
	}
	return out
}
