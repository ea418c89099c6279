package resources

import (
	"cmp"
	"slices"
)

// Quantities is how much there is of each name, whatever the reservations: what shares, quotas and sums are made of.
// The zero value is nothing; a name that is absent has quantity zero. A value never holds a negative quantity.
type Quantities struct {
	known [len(known)]Scalar
	other []Quantity // sorted by name, all above zero, never changed in place
}

// Quantity is one entry of Quantities.
type Quantity struct {
	Name   string
	Amount Scalar
}

// known lists the names that have a place of their own, sorted.
var known = [...]string{"cpus", "disk", "gpus", "mem", "ports"}

func slot(name string) int {
	switch name {
	case "cpus":
		return 0
	case "disk":
		return 1
	case "gpus":
		return 2
	case "mem":
		return 3
	case "ports":
		return 4
	}
	return -1
}

// QuantitiesOf adds up entries; those that are not above zero are left out.
func QuantitiesOf(entries ...Quantity) Quantities {
	var q Quantities
	for _, e := range entries {
		q = q.With(e.Name, q.Get(e.Name).plus(e.Amount))
	}
	return q
}

// Quantities sums the scalars of r. Ranges and sets do not count (mesos-api 24.3: only scalars are quota resources);
// a shared resource counts once.
func (r Resources) Quantities() Quantities {
	return r.count(func(x *Resource) Scalar {
		if x.Kind == KindScalar {
			return x.Scalar
		}
		return 0
	})
}

// Totals is Quantities with ranges and sets counted as well: one unit for each of their members. This is what quota
// consumption shows to users.
func (r Resources) Totals() Quantities {
	return r.count(func(x *Resource) Scalar {
		switch x.Kind {
		case KindRanges:
			return Scalar(min(x.Ranges.Size(), uint64(MaxScalar/thousand))) * thousand
		case KindSet:
			return Whole(int64(len(x.Set)))
		}
		return x.Scalar
	})
}

func (r Resources) count(amount func(*Resource) Scalar) Quantities {
	var q Quantities
	for i := range r {
		n := amount(&r[i])
		if n <= 0 {
			continue
		}
		if s := slot(r[i].Name); s >= 0 {
			q.known[s] = q.known[s].plus(n)
			continue
		}
		q = q.With(r[i].Name, q.Get(r[i].Name).plus(n))
	}
	return q
}

// Get is the quantity of name.
func (q Quantities) Get(name string) Scalar {
	if s := slot(name); s >= 0 {
		return q.known[s]
	}
	for _, e := range q.other {
		if e.Name == name {
			return e.Amount
		}
	}
	return 0
}

// With is q with the quantity of name replaced; zero or less removes the name.
func (q Quantities) With(name string, amount Scalar) Quantities {
	amount = max(amount, 0)
	if s := slot(name); s >= 0 {
		q.known[s] = amount
		return q
	}
	at, found := slices.BinarySearchFunc(q.other, name, func(e Quantity, n string) int { return cmp.Compare(e.Name, n) })
	switch {
	case found && amount == 0:
		q.other = slices.Delete(slices.Clone(q.other), at, at+1)
	case found:
		q.other = slices.Clone(q.other)
		q.other[at].Amount = amount
	case amount > 0:
		q.other = slices.Insert(slices.Clone(q.other), at, Quantity{name, amount})
	}
	return q
}

// Add is q and o together.
func (q Quantities) Add(o Quantities) Quantities {
	q.Increase(&o)
	return q
}

// Sub is q without o; what would fall below zero is zero.
func (q Quantities) Sub(o Quantities) Quantities {
	q.Decrease(&o)
	return q
}

// Increase adds o to q in place. Nobody else sees the change: values that were copied before stay what they are.
func (q *Quantities) Increase(o *Quantities) {
	for i := range q.known {
		q.known[i] = q.known[i].plus(o.known[i])
	}
	for _, e := range o.other {
		*q = q.With(e.Name, q.Get(e.Name).plus(e.Amount))
	}
}

// Decrease takes o off q in place; what would fall below zero is zero.
func (q *Quantities) Decrease(o *Quantities) {
	for i := range q.known {
		q.known[i] = max(q.known[i]-o.known[i], 0)
	}
	for _, e := range o.other {
		if have := q.Get(e.Name); have > 0 {
			*q = q.With(e.Name, have-e.Amount)
		}
	}
}

// Contains reports whether there is at least as much in q as in o, of every name.
func (q Quantities) Contains(o Quantities) bool {
	for i := range q.known {
		if q.known[i] < o.known[i] {
			return false
		}
	}
	for _, e := range o.other {
		if q.Get(e.Name) < e.Amount {
			return false
		}
	}
	return true
}

// Equal reports whether both hold the same.
func (q Quantities) Equal(o Quantities) bool {
	return q.known == o.known && slices.Equal(q.other, o.other)
}

// IsEmpty reports whether every quantity is zero.
func (q Quantities) IsEmpty() bool { return q.known == [len(known)]Scalar{} && len(q.other) == 0 }

// All yields the names with a quantity above zero, sorted by name.
func (q Quantities) All() func(yield func(string, Scalar) bool) {
	return func(yield func(string, Scalar) bool) {
		i, j := 0, 0
		for i < len(known) || j < len(q.other) {
			e := Quantity{}
			if j == len(q.other) || i < len(known) && known[i] < q.other[j].Name {
				e, i = Quantity{known[i], q.known[i]}, i+1
			} else {
				e, j = q.other[j], j+1
			}
			if e.Amount > 0 && !yield(e.Name, e.Amount) {
				return
			}
		}
	}
}

// String is Mesos' text, sorted by name: "cpus:8; disk:10000; mem:8192", and "{}" for nothing.
func (q Quantities) String() string {
	var b []byte
	for name, amount := range q.All() {
		if len(b) > 0 {
			b = append(b, "; "...)
		}
		b = append(append(b, name...), ':')
		b = amount.append(b)
	}
	if len(b) == 0 {
		return "{}"
	}
	return string(b)
}

// Dominant is the largest fraction that q makes of total, over all names that total has: the dominant share of DRF.
func (q Quantities) Dominant(total Quantities) float64 { return q.DominantOf(&total) }

// DominantOf is Dominant without copying.
func (q *Quantities) DominantOf(total *Quantities) float64 {
	share := 0.0
	for i := range q.known {
		if q.known[i] > 0 && total.known[i] > 0 {
			share = max(share, float64(q.known[i])/float64(total.known[i]))
		}
	}
	for _, e := range q.other {
		if t := total.Get(e.Name); t > 0 {
			share = max(share, float64(e.Amount)/float64(t))
		}
	}
	return share
}
