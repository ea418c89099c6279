package hierarchical

import (
	"math/bits"
	"slices"
	"time"
)

// filters keep what clients refused of an agent away from them for a while: everything within what was refused,
// nothing larger.
type filters struct {
	refusals []refusal // sorted by until
	// blocked has the slots whose clients refused all of base, so that most clients are passed over by looking at a
	// word for 64 of them. No base: nothing is known.
	base    *shape
	blocked bitset
}

// refusal is the filters that end at one time and refuse the same.
type refusal struct {
	until   int64 // in ns since 1970
	refused *shape
	slots   sparse
}

// filterEnd is when a filter ends that is asked for now.
func (h *Allocator) filterEnd(now time.Time, refuse time.Duration) time.Time {
	if refuse <= 0 {
		return h.nextTurn(now)
	}
	return now.Add(max(refuse, h.cfg.Interval))
}

// coarse rounds the end of a filter up, so that filters of an agent share refusals: by less than 1/64 of its length,
// and not at all if that is below a second.
func coarse(now, until time.Time) int64 {
	end := until.UnixNano()
	step := int64(until.Sub(now)) / 64
	if step < int64(time.Second) {
		return end
	}
	step = 1 << (63 - bits.LeadingZeros64(uint64(step)))
	return (end + step - 1) / step * step
}

// refuse adds a filter to an agent. Of filters that say the same the one that says more stays. A client that is not
// subscribed is offered nothing and has nothing to refuse.
func (h *Allocator) refuse(now time.Time, a, c int32, refused *shape, until time.Time) {
	cl := h.clients.at(c)
	if !cl.subscribed || refused.empty() {
		return
	}
	f, end := &h.agents.at(a).filters, coarse(now, until)
	if f.implied(cl.slot, end, refused) {
		return
	}
	h.dropImplied(f, cl.slot, end, refused)
	f.refusal(end, refused).slots.add(cl.slot, len(h.slots.owner))
	h.slots.use(cl.slot)
	if f.base != nil && refused.contains(f.base) {
		f.blocked.set(cl.slot)
	}
	h.expireFirst(a)
}

// implied reports whether a filter of the slot says as much as a new one would.
func (f *filters) implied(slot int32, until int64, refused *shape) bool {
	for i := len(f.refusals) - 1; i >= 0 && f.refusals[i].until >= until; i-- {
		if x := &f.refusals[i]; x.slots.has(slot) && x.refused.contains(refused) {
			return true
		}
	}
	return false
}

// dropImplied drops the filters of the slot that say no more than a new one does. blocked stays right: what they
// refuse, the new one refuses.
func (h *Allocator) dropImplied(f *filters, slot int32, until int64, refused *shape) {
	for i := 0; i < len(f.refusals) && f.refusals[i].until <= until; i++ {
		x := &f.refusals[i]
		if !x.slots.has(slot) || !refused.contains(x.refused) {
			continue
		}
		x.slots.remove(slot)
		h.slots.drop(slot)
		if x.slots.size == 0 {
			f.refusals = slices.Delete(f.refusals, i, i+1)
			i--
		}
	}
}

// refusal finds or makes the refusal that ends at a time and refuses something.
func (f *filters) refusal(until int64, refused *shape) *refusal {
	at := len(f.refusals)
	for at > 0 && f.refusals[at-1].until > until {
		at--
	}
	for i := at - 1; i >= 0 && f.refusals[i].until == until; i-- {
		if f.refusals[i].refused == refused {
			return &f.refusals[i]
		}
	}
	f.refusals = slices.Insert(f.refusals, at, refusal{until: until, refused: refused})
	return &f.refusals[at]
}

// blockedAt has the slots whose clients refused all that is free of an agent. Shared resources come on top of what is
// free, so of an agent that has some nothing is known.
func (h *Allocator) blockedAt(a int32) bitset {
	x := h.agents.at(a)
	f := &x.filters
	if len(f.refusals) == 0 || !x.shared.empty() {
		return nil
	}
	if f.base != x.free {
		f.base = x.free
		clear(f.blocked)
		for i := range f.refusals {
			if r := &f.refusals[i]; r.refused.contains(x.free) {
				r.slots.into(&f.blocked)
			}
		}
	}
	return f.blocked
}

// refused reports whether a client refused an allocation like s, and until when it does.
func (h *Allocator) refused(now time.Time, a, c int32, s *shape) (until time.Time, yes bool) {
	f, slot := &h.agents.at(a).filters, h.clients.at(c).slot
	for i := len(f.refusals) - 1; i >= 0 && f.refusals[i].until > now.UnixNano(); i-- {
		if x := &f.refusals[i]; x.slots.has(slot) && x.refused.contains(s) {
			return time.Unix(0, x.until), true
		}
	}
	return time.Time{}, false
}

// expire drops the filters that have ended and looks at their agents again.
func (h *Allocator) expire(now time.Time) {
	for at, ok := h.expiries.first(); ok && !at.After(now); at, ok = h.expiries.first() {
		a := h.expiries.list[0].agent
		f := &h.agents.at(a).filters
		ended := 0
		for ; ended < len(f.refusals) && f.refusals[ended].until <= now.UnixNano(); ended++ {
			h.unfile(&f.refusals[ended])
		}
		f.refusals, f.base = slices.Delete(f.refusals, 0, ended), nil
		h.expireFirst(a)
		h.touch(now, a)
	}
}

// unfile takes the filters of a refusal off their slots.
func (h *Allocator) unfile(r *refusal) {
	for _, slot := range r.slots.slots() {
		h.slots.drop(slot)
	}
}

// expireFirst notes when the first filter of an agent ends.
func (h *Allocator) expireFirst(a int32) {
	var first time.Time
	if f := &h.agents.at(a).filters; len(f.refusals) > 0 {
		first = time.Unix(0, f.refusals[0].until)
	}
	h.expiries.set(&h.agents, a, first)
}

// forgetFilters drops all filters of an agent.
func (h *Allocator) forgetFilters(a int32) {
	f := &h.agents.at(a).filters
	for i := range f.refusals {
		h.unfile(&f.refusals[i])
	}
	*f = filters{}
	h.expireFirst(a)
}

// renew makes the filters of a client void.
func (h *Allocator) renew(c int32) {
	x := h.clients.at(c)
	if h.slots.uses[x.slot] == 0 {
		return
	}
	h.slots.leave(x.slot)
	x.slot = h.slots.take(c)
	if h.slots.crowded() {
		for a := range h.agents.rows {
			h.sweep(int32(a))
		}
	}
}

// sweep drops the void filters of an agent.
func (h *Allocator) sweep(a int32) {
	f := &h.agents.at(a).filters
	if len(f.refusals) == 0 {
		return
	}
	for i := range f.refusals {
		x := &f.refusals[i].slots
		for _, slot := range x.slots() {
			if h.slots.owner[slot] == none {
				x.remove(slot)
				h.slots.drop(slot)
			}
		}
	}
	f.refusals = slices.DeleteFunc(f.refusals, func(r refusal) bool { return r.slots.size == 0 })
	f.base = nil
	h.expireFirst(a)
}
