package hierarchical

import "time"

// news is what a run has to look at, and when.
type news struct {
	touched []int32 // agents with something new
	spare   []int32 // room for the next list
	all     bool    // something changed that concerns every agent
	due     time.Time

	// Agents where quota held something back are looked at again when quota may have loosened, at a turn of the
	// clock: then many small changes cost one look.
	withheld []int32
	loosened bool
	turn     time.Time

	expiries expiries
}

// touch makes the next run look at an agent.
func (h *Allocator) touch(now time.Time, a int32) {
	if x := h.agents.at(a); !x.touched {
		x.touched = true
		h.touched = append(h.touched, a)
	}
	h.wake(now)
}

// touchAll makes the next run look at every agent.
func (h *Allocator) touchAll(now time.Time) {
	h.all = true
	h.wake(now)
}

func (h *Allocator) wake(now time.Time) {
	if h.due.IsZero() {
		h.due = now.Add(h.cfg.Window)
	}
}

// loosen says that quota may hold back less than before.
func (h *Allocator) loosen(now time.Time) {
	if !h.loosened && len(h.withheld) > 0 {
		h.loosened, h.turn = true, h.nextTurn(now)
	}
}

// nextTurn is when the clock turns next.
func (h *Allocator) nextTurn(now time.Time) time.Time {
	return now.Truncate(h.cfg.Interval).Add(h.cfg.Interval)
}

// Deadline is part of allocator.Allocator.
func (h *Allocator) Deadline() (time.Time, bool) {
	at, ok := h.expiries.first()
	for _, t := range []time.Time{h.due, h.turn} {
		if !t.IsZero() && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	return at, ok
}

// gather turns what is due into agents to look at, and starts the next list.
func (h *Allocator) gather(now time.Time) []int32 {
	h.expire(now)
	if h.loosened && !h.turn.After(now) {
		for _, a := range h.withheld {
			h.agents.at(a).withheld = false
			h.touch(now, a)
		}
		h.withheld, h.loosened, h.turn = h.withheld[:0], false, time.Time{}
	}
	look := h.touched
	if h.all {
		look = look[:0]
		for a := range h.agents.rows {
			look = append(look, int32(a))
		}
	}
	h.touched, h.spare, h.all, h.due = h.spare[:0], look, false, time.Time{}
	return h.withSomething(look)
}

// withSomething keeps the agents from which something can be allocated.
func (h *Allocator) withSomething(look []int32) []int32 {
	out := look[:0]
	for _, a := range look {
		x := h.agents.at(a)
		x.touched = false
		if x.active && x.free != nil && !x.free.empty() {
			out = append(out, a)
		}
	}
	return out
}
