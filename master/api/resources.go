package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/soukproject/souk/proto/mesos/resources"
)

// first are the scalars that a summary always shows, in this order.
func first() []string { return []string{"disk", "mem", "gpus", "cpus"} }

// summaryAt writes resources as the older endpoints sum them up: scalars added
// over all roles, ranges and sets as text, revocable amounts apart
// (mesos-api 3).
func (d *doc) summaryAt(name string, r resources.Resources) {
	d.objectAt(name, func() { d.summary(r) })
}

func (d *doc) summary(r resources.Resources) {
	firm, revocable := r.NonRevocable(), r.Revocable()
	for _, name := range first() {
		d.doubleAt(name, firm.Scalar(name).Float())
	}
	d.others(firm, "", first())
	d.others(revocable, "_revocable", nil)
}

// others writes the resources that are not among shown, by name.
func (d *doc) others(r resources.Resources, suffix string, shown []string) {
	kinds := make(map[string]resources.Kind)
	for _, x := range r {
		kinds[x.Name] = x.Kind
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if slices.Contains(shown, name) {
			continue
		}
		switch kinds[name] {
		case resources.KindRanges:
			d.textAt(name+suffix, r.RangesOf(name).String())
		case resources.KindSet:
			d.textAt(name+suffix, "{"+strings.Join(setOf(r, name), ", ")+"}")
		default:
			d.doubleAt(name+suffix, r.Scalar(name).Float())
		}
	}
}

func setOf(r resources.Resources, name string) []string {
	var items []string
	for _, x := range r.Named(name) {
		items = append(items, x.Set...)
	}
	slices.Sort(items)
	return slices.Compact(items)
}

// quantitiesAt writes amounts as /roles does: only those there are, ports as a count.
func (d *doc) quantitiesAt(name string, q resources.Quantities) {
	d.objectAt(name, func() {
		for name, amount := range q.All() {
			if amount != 0 {
				d.doubleAt(name, amount.Float())
			}
		}
	})
}

// byRole are the reserved ones among r, by the role they are reserved for.
func byRole(r resources.Resources) (roles []string, reserved map[string]resources.Resources) {
	reserved = make(map[string]resources.Resources)
	for _, x := range r.Reserved() {
		reserved[x.Role()] = append(reserved[x.Role()], x)
	}
	return slices.Sorted(maps.Keys(reserved)), reserved
}
