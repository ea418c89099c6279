package hierarchical

import (
	"cmp"
	"slices"
	"time"

	"github.com/soukproject/souk/proto/mesos/resources"
)

// filter keeps what a client refused away from it for a while: everything within refused, nothing larger.
type filter struct {
	client  int32
	epoch   uint32 // of the client when it refused; filters of earlier epochs are void
	until   time.Time
	refused resources.Resources
}

// refuse adds a filter to an agent. Of filters that say the same the one that says more stays. A client that is not
// subscribed is offered nothing and has nothing to refuse.
func (h *Allocator) refuse(now time.Time, a, c int32, refused resources.Resources, until time.Time) {
	if !h.clients.at(c).subscribed {
		return
	}
	x := h.agents.at(a)
	f := filter{client: c, epoch: h.clients.at(c).epoch, until: until, refused: refused}
	from, to := x.filtersOf(c)
	keep := from
	for _, old := range x.filters[from:to] {
		switch {
		case old.epoch != f.epoch || !old.until.After(now) || f.implies(&old):
			continue
		case old.implies(&f):
			return
		}
		x.filters[keep] = old
		keep++
	}
	x.filters = slices.Replace(x.filters, keep, to, f)
	h.expireFirst(a)
}

// implies reports whether f filters all that o filters, for as long.
func (f *filter) implies(o *filter) bool {
	return !f.until.Before(o.until) && f.refused.Contains(o.refused)
}

// filtersOf is the place of a client's filters in the list, which is sorted by client.
func (a *agent) filtersOf(c int32) (from, to int) {
	from, _ = slices.BinarySearchFunc(a.filters, c, func(f filter, c int32) int { return cmp.Compare(f.client, c) })
	for to = from; to < len(a.filters) && a.filters[to].client == c; to++ {
	}
	return from, to
}

// refused reports whether a client refused an allocation like r, and until when it does.
func (h *Allocator) refused(now time.Time, a, c int32, r resources.Resources) (until time.Time, yes bool) {
	x := h.agents.at(a)
	from, to := x.filtersOf(c)
	for i := range x.filters[from:to] {
		f := &x.filters[from+i]
		if f.epoch == h.clients.at(c).epoch && f.until.After(now) && f.refused.Contains(r) {
			return f.until, true
		}
	}
	return time.Time{}, false
}

// expire drops the filters that have ended and looks at their agents again.
func (h *Allocator) expire(now time.Time) {
	for at, ok := h.expiries.first(); ok && !at.After(now); at, ok = h.expiries.first() {
		a := h.expiries.list[0].agent
		x := h.agents.at(a)
		x.filters = slices.DeleteFunc(x.filters, func(f filter) bool {
			return !f.until.After(now) || f.epoch != h.clients.at(f.client).epoch
		})
		h.expireFirst(a)
		h.touch(now, a)
	}
}

// expireFirst notes when the first filter of an agent ends.
func (h *Allocator) expireFirst(a int32) {
	var first time.Time
	for i, f := range h.agents.at(a).filters {
		if i == 0 || f.until.Before(first) {
			first = f.until
		}
	}
	h.expiries.set(&h.agents, a, first)
}

// forgetFilters drops all filters of an agent.
func (h *Allocator) forgetFilters(a int32) {
	h.agents.at(a).filters = nil
	h.expireFirst(a)
}
