package resources

import "slices"

// Resources is a list of resources in canonical form: sorted, amounts of one kind merged, nothing empty. The zero
// value is no resources. Lists are values: no method changes its receiver or argument, and results may share memory
// with both.
type Resources []Resource

// Of brings resources into canonical form.
func Of(list ...Resource) Resources {
	out := make(Resources, 0, len(list))
	for _, r := range list {
		if r.Empty() {
			continue
		}
		if r.Shared && r.Count == 0 {
			r.Count = 1
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil
	}
	slices.SortStableFunc(out, func(a, b Resource) int { return compare(&a, &b) })
	return merge(out)
}

// merge joins neighbours of one kind in a sorted list, in place.
func merge(sorted Resources) Resources {
	n := 0
	for i := 1; i < len(sorted); i++ {
		if mergeable(&sorted[n], &sorted[i]) {
			sorted[n] = join(&sorted[n], &sorted[i])
			continue
		}
		n++
		sorted[n] = sorted[i]
	}
	return slices.Clip(sorted[:n+1])
}

// mergeable: two volumes of one name are two; shared ones are counted; the rest adds up.
func mergeable(a, b *Resource) bool {
	return (a.Divisible() || a.Shared) && compare(a, b) == 0
}

// join adds two amounts of one kind.
func join(a, b *Resource) Resource {
	sum := *a
	switch {
	case a.Shared:
		sum.Count = a.Count + b.Count
	case a.Kind == KindRanges:
		sum.Ranges = a.Ranges.Add(b.Ranges)
	case a.Kind == KindSet:
		sum.Set = union(a.Set, b.Set)
	default:
		sum.Scalar = a.Scalar.plus(b.Scalar)
	}
	return sum
}

// Add is r and o together. Shared resources are counted, other volumes kept side by side.
func (r Resources) Add(o Resources) Resources {
	switch {
	case len(r) == 0:
		return o
	case len(o) == 0:
		return r
	}
	if fewer(o, r) {
		return r.splice(o)
	}
	return r.interleave(o)
}

// interleave is Add for lists of about one length.
func (r Resources) interleave(o Resources) Resources {
	out := make(Resources, 0, len(r)+len(o))
	i, j := 0, 0
	for i < len(r) && j < len(o) {
		switch c := compare(&r[i], &o[j]); {
		case c < 0:
			out, i = append(out, r[i]), i+1
		case c > 0:
			out, j = append(out, o[j]), j+1
		case mergeable(&r[i], &o[j]):
			out, i, j = append(out, join(&r[i], &o[j])), i+1, j+1
		default: // volumes of one kind: keep them together
			out, i = append(out, r[i]), i+1
		}
	}
	return append(append(out, r[i:]...), o[j:]...)
}

// fewer reports whether few are so much fewer than many that looking each up is quicker than going through all.
func fewer(few, many Resources) bool { return len(many) > 32 && len(few)*8 < len(many) }

// find is the place of the first resource of r from a place on that is not before x, which is where x is or belongs.
func (r Resources) find(from int, x *Resource) (at int, found bool) {
	low, high := from, len(r)
	for low < high {
		if middle := int(uint(low+high) >> 1); compare(&r[middle], x) < 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(r) && compare(&r[low], x) == 0
}

// splice is Add for few resources.
func (r Resources) splice(few Resources) Resources {
	out := make(Resources, 0, len(r)+len(few))
	from := 0
	for i := range few {
		at, found := r.find(from, &few[i])
		if found && !mergeable(&r[at], &few[i]) { // volumes of one kind: keep them together
			for at < len(r) && compare(&r[at], &few[i]) == 0 {
				at++
			}
			found = false
		}
		out = append(out, r[from:at]...)
		from = at
		if found {
			out, from = append(out, join(&r[at], &few[i])), at+1
			continue
		}
		out = append(out, few[i])
	}
	return append(out, r[from:]...)
}

// Sub is r without o. If r does not contain o the answer is r and false.
func (r Resources) Sub(o Resources) (Resources, bool) {
	if len(o) == 0 {
		return r, true
	}
	if !r.Contains(o) {
		return r, false
	}
	return r.Minus(o), true
}

// Minus is r without whatever of o is in it.
func (r Resources) Minus(o Resources) Resources {
	switch {
	case len(r) == 0 || len(o) == 0:
		return r
	case r.Same(o):
		return nil
	}
	if fewer(o, r) {
		return r.cut(o)
	}
	return r.strip(o)
}

// strip is Minus for lists of about one length.
func (r Resources) strip(o Resources) Resources {
	out := make(Resources, 0, len(r))
	j := 0
	for i := range r {
		for j < len(o) && compare(&r[i], &o[j]) > 0 {
			j++
		}
		if j == len(o) || compare(&r[i], &o[j]) != 0 {
			out = append(out, r[i])
			continue
		}
		if left := difference(&r[i], &o[j]); !left.Empty() && (!left.Shared || left.Count > 0) {
			out = append(out, left)
		}
		j++
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// cut is Minus for few resources.
func (r Resources) cut(few Resources) Resources {
	out := make(Resources, 0, len(r))
	from := 0
	for i := range few {
		at, found := r.find(from, &few[i])
		out = append(out, r[from:at]...)
		from = at
		if !found {
			continue
		}
		from++
		if left := difference(&r[at], &few[i]); !left.Empty() && (!left.Shared || left.Count > 0) {
			out = append(out, left)
		}
	}
	return append(out, r[from:]...)
}

// difference is a without b, which it contains.
func difference(a, b *Resource) Resource {
	left := *a
	switch {
	case a.Shared:
		left.Count = a.Count - b.Count
	case a.Kind == KindRanges:
		left.Ranges = a.Ranges.Sub(b.Ranges)
	case a.Kind == KindSet:
		left.Set = without(a.Set, b.Set)
	default: // of indivisible ones both are the same, and nothing is left
		left.Scalar = a.Scalar - b.Scalar
	}
	return left
}

// Contains reports whether all of o can be taken from r.
func (r Resources) Contains(o Resources) bool {
	if r.Same(o) {
		return true
	}
	i := 0
	quick := fewer(o, r)
	for j := range o {
		if quick {
			i, _ = r.find(i, &o[j])
		}
		for i < len(r) && compare(&r[i], &o[j]) < 0 {
			i++
		}
		if i == len(r) || compare(&r[i], &o[j]) != 0 || !covers(&r[i], &o[j]) {
			return false
		}
		i++
	}
	return true
}

// covers reports whether b can be taken from a, both of one kind.
func covers(a, b *Resource) bool {
	switch {
	case a.Shared:
		return a.Count >= b.Count
	case a.Kind == KindRanges:
		return a.Ranges.Contains(b.Ranges)
	case a.Kind == KindSet:
		return len(without(b.Set, a.Set)) == 0
	}
	return a.Scalar >= b.Scalar
}

// Equal reports whether both are the same amounts of the same resources.
func (r Resources) Equal(o Resources) bool {
	switch {
	case len(r) != len(o):
		return false
	case r.Same(o):
		return true
	}
	for i := range r {
		if !r[i].Equal(&o[i]) {
			return false
		}
	}
	return true
}

// Same reports whether r and o are one list in memory. Those are equal; equal ones need not be the same.
func (r Resources) Same(o Resources) bool {
	return len(r) == len(o) && (len(r) == 0 || &r[0] == &o[0])
}

// IsEmpty reports whether there is nothing in r.
func (r Resources) IsEmpty() bool { return len(r) == 0 }

// Filter is the resources that keep says yes to.
func (r Resources) Filter(keep func(Resource) bool) Resources {
	for i := range r {
		if !keep(r[i]) {
			return r.filterFrom(i, keep)
		}
	}
	return r
}

// filterFrom is Filter for a list whose first one to be left out is at i.
func (r Resources) filterFrom(i int, keep func(Resource) bool) Resources {
	var out Resources
	if i > 0 {
		out = append(out, r[:i]...)
	}
	for _, x := range r[i+1:] {
		if keep(x) {
			out = append(out, x)
		}
	}
	return out
}

// Allocate is r given to role; an earlier allocation is replaced.
func (r Resources) Allocate(role string) Resources {
	if len(r) == 0 {
		return nil
	}
	out, alike := slices.Clone(r), true
	for i := range out {
		alike = alike && r[i].Allocation == r[0].Allocation
		out[i].Allocation = role
	}
	if alike { // then the order stays, and nothing merges
		return out
	}
	return Of(out...)
}

// Unallocated is r given to nobody, as agents report it.
func (r Resources) Unallocated() Resources {
	for i := range r {
		if r[i].Allocation != "" {
			return r.Allocate("")
		}
	}
	return r
}

// AllocatedTo is the part of r allocated to role.
func (r Resources) AllocatedTo(role string) Resources {
	return r.Filter(func(x Resource) bool { return x.Allocation == role })
}

// ReservedFor is the part reserved for exactly role.
func (r Resources) ReservedFor(role string) Resources {
	return r.Filter(func(x Resource) bool { return x.Reserved() && x.Role() == role })
}

// AllocatableTo is the part that role may be given: unreserved, or reserved for it or a parent of it.
func (r Resources) AllocatableTo(role string) Resources {
	return r.Filter(func(x Resource) bool { return x.AllocatableTo(role) })
}

// Reserved is the part reserved for any role.
func (r Resources) Reserved() Resources {
	return r.Filter(func(x Resource) bool { return x.Reserved() })
}

// Unreserved is the part reserved for none.
func (r Resources) Unreserved() Resources {
	return r.Filter(func(x Resource) bool { return !x.Reserved() })
}

// Revocable is the part that may be taken back at any time.
func (r Resources) Revocable() Resources {
	return r.Filter(func(x Resource) bool { return x.Revocable })
}

// NonRevocable is the part that is not taken back while in use.
func (r Resources) NonRevocable() Resources {
	return r.Filter(func(x Resource) bool { return !x.Revocable })
}

// Shared is the part that many may hold at a time.
func (r Resources) Shared() Resources { return r.Filter(func(x Resource) bool { return x.Shared }) }

// NonShared is the part that one holds at a time.
func (r Resources) NonShared() Resources { return r.Filter(func(x Resource) bool { return !x.Shared }) }

// PersistentVolumes is the volumes that outlive their tasks.
func (r Resources) PersistentVolumes() Resources {
	return r.Filter(func(x Resource) bool { return x.PersistentVolume() })
}

// Named is the part with one name.
func (r Resources) Named(name string) Resources {
	return r.Filter(func(x Resource) bool { return x.Name == name })
}

// Scalar is the sum of all scalars of one name, whatever their reservations.
func (r Resources) Scalar(name string) Scalar {
	var sum Scalar
	for i := range r {
		if r[i].Name == name && r[i].Kind == KindScalar {
			sum = sum.plus(r[i].Scalar)
		}
	}
	return sum
}

// RangesOf is all ranges of one name together, whatever their reservations.
func (r Resources) RangesOf(name string) Ranges {
	var all Ranges
	for i := range r {
		if r[i].Name == name {
			all = all.Add(r[i].Ranges)
		}
	}
	return all
}

// Ports is RangesOf("ports").
func (r Resources) Ports() Ranges { return r.RangesOf("ports") }

// union and without work on sorted lists without duplicates.
func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

func without(a, b []string) []string {
	var left []string
	for _, s := range a {
		if _, in := slices.BinarySearch(b, s); !in {
			left = append(left, s)
		}
	}
	return left
}
