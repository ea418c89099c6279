package hierarchical

import (
	"slices"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/sorter"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// run is one allocation: a pass over agents about which there is news.
type run struct {
	*Allocator
	now   time.Time
	out   []allocator.Allocation
	given map[grant]int // places in out; only of runs with a pass for guarantees, or with slices

	warmth uint64 // of no use but to warm: it lets no compiler leave the reading out
}

// grant names an allocation of a run.
type grant struct{ agent, client int32 }

// scratch is memory that runs use again.
type scratch struct {
	slots   []int32
	clients []int32
}

// Allocate is part of allocator.Allocator.
func (h *Allocator) Allocate(now time.Time) []allocator.Allocation {
	look := h.gather(now)
	if len(look) == 0 {
		return nil
	}
	return h.run(now, look)
}

// run gives out what agents have.
func (h *Allocator) run(now time.Time, look []int32) []allocator.Allocation {
	h.draw()
	r := &run{Allocator: h, now: now}
	if h.granted > 0 { // there will be about as many as the last time
		r.out = make([]allocator.Allocation, 0, h.granted)
	}
	if h.owing > 0 || h.cfg.Offering == allocator.Spread {
		r.given = map[grant]int{}
	}
	if h.owing > 0 && !h.optimistic() {
		r.pass(look, true)
	}
	r.pass(look, false)
	h.forgetPromises()
	h.granted = len(r.out)
	return r.out
}

// draw draws lots, where the policy is to draw them.
func (h *Allocator) draw() {
	h.order.Draw()
	for i := range h.roles.rows {
		if x := h.roles.at(int32(i)); x.competing > 1 {
			x.frameworks.Draw()
		}
	}
}

// pass serves all agents in a random order. The first pass is for guarantees that are not covered, the second for
// all.
func (r *run) pass(look []int32, guarantees bool) {
	if r.cfg.Rand != nil {
		r.cfg.Rand.Shuffle(len(look), func(i, j int) { look[i], look[j] = look[j], look[i] })
	}
	if r.cfg.Offering == allocator.Pack {
		slices.SortStableFunc(look, r.emptyLast)
	}
	for i, a := range look {
		if i%warmed == 0 {
			r.warm(look[i:min(i+warmed, len(look))])
		}
		for r.round(a, guarantees) && r.cfg.Offering == allocator.Spread {
		}
	}
}

// warmed is how many agents warm is called for at a time: few enough that all stays in the cache until it is used.
const warmed = 64

// warm reads what serving some agents is going to read. The order is random, so most of it is not in the cache; asked
// for all at once, memory answers many times as fast as when each answer is waited for.
func (r *run) warm(look []int32) {
	for _, a := range look {
		x := r.agents.at(a)
		r.warmth += uint64(len(x.spec.ID))
		if len(x.holdings) > 0 {
			r.warmth += uint64(x.holdings[0].client)
		}
		if len(x.filters.blocked) > 0 {
			r.warmth += x.filters.blocked[0] + x.filters.blocked[len(x.filters.blocked)-1]
		}
	}
}

// round asks everybody about an agent once, until nothing is left.
func (r *run) round(a int32, guarantees bool) (given bool) {
	r.stamp++
	for r.serve(a, guarantees) {
		given = true
	}
	return given
}

// emptyLast orders agents by whether they are in use.
func (h *Allocator) emptyLast(a, b int32) int {
	return min(len(h.agents.at(b).holdings), 1) - min(len(h.agents.at(a).holdings), 1)
}

// serve gives resources of an agent to the neediest client that has not been asked and can use them. It reports false
// when there is none. A client takes all that it may have (mesos-api 24.3: coarse grain), so most agents are done
// after one.
func (r *run) serve(a int32, guarantees bool) bool {
	if !r.worthwhile(a) {
		return false
	}
	if r.optimistic() && len(r.agents.at(a).shown) >= r.cfg.Rivals {
		return false
	}
	blocked := r.blockedAt(a)
	switch {
	case guarantees:
		return r.walk(a, blocked, true)
	case r.optimistic() && r.owing > 0:
		return r.serveOwing(a, blocked)
	}
	takers, most := r.takers(a, blocked)
	switch {
	case takers == 0:
		return false
	case takers*takers < most:
		return r.pickOne(a, blocked)
	}
	return r.walk(a, blocked, false)
}

// serveOwing is serve where offers are optimistic and guarantees are not covered: those whose guarantees they are see
// the agent before all others, but nothing is kept from others for them that portion does not keep.
func (r *run) serveOwing(a int32, blocked bitset) bool {
	if r.slots.competing.without(blocked, 1) == 0 {
		r.withhold(a)
		return false
	}
	return r.walk(a, blocked, true) || r.walk(a, blocked, false)
}

// takers counts the clients that could have something of an agent, and says how many clients walking could pass.
// Counting stops when it is clear that walking is better.
func (r *run) takers(a int32, blocked bitset) (n, most int) {
	x := r.agents.at(a)
	want := r.slots.competing
	if x.free.plain && x.shared.empty() {
		want = r.slots.hungry
		if !r.sparesMinimum(x.free) {
			r.withhold(a)
			return 0, 0
		}
	}
	most = len(r.clients.rows)
	n = want.without(blocked, enoughToWalk(most))
	if len(r.quotas) > 0 && n == 0 {
		r.withhold(a) // somebody may have reached a limit
	}
	return n, most
}

// enoughToWalk is how many takers among most clients make walking the quicker way: the first of n evenly spread takers
// comes after most/n clients, and picking the first of n looks at n.
func enoughToWalk(most int) int {
	n := 1
	for n*n < most {
		n++
	}
	return n
}

// walk asks clients in the order of their needs.
func (r *run) walk(a int32, blocked bitset, guarantees bool) bool {
	view := sorter.Active
	if guarantees {
		view = sorter.Urgent
	}
	for place := range r.order.Order(view) {
		at := r.roleOf[place]
		x := r.roles.at(at)
		if x.seen == r.stamp {
			continue
		}
		if r.wants(x, a) && r.walkRole(x, a, blocked, guarantees) {
			return true
		}
		x.seen = r.stamp
	}
	return false
}

// walkRole is walk for the clients of one role.
func (r *run) walkRole(x *role, a int32, blocked bitset, guarantees bool) bool {
	for place := range x.frameworks.Order(sorter.Active) {
		c := x.clients[place]
		if cl := r.clients.at(c); cl.seen == r.stamp || blocked.has(cl.slot) {
			continue
		}
		r.clients.at(c).seen = r.stamp
		if r.give(a, c, guarantees) {
			return true
		}
	}
	return false
}

// pickOne asks the few clients that do not refuse an agent, in the same order as walk would.
func (r *run) pickOne(a int32, blocked bitset) bool {
	list := r.scratch.clients[:0]
	r.scratch.slots = r.slots.competing.list(blocked, r.scratch.slots[:0])
	for _, slot := range r.scratch.slots {
		c := r.slots.owner[slot]
		cl := r.clients.at(c)
		x := r.roles.at(cl.role)
		if cl.seen != r.stamp && x.seen != r.stamp && r.wants(x, a) {
			list = append(list, c)
		}
	}
	r.scratch.clients = list
	for len(list) > 0 {
		first := 0
		for i := range list {
			if r.before(list[i], list[first]) {
				first = i
			}
		}
		c := list[first]
		list[first], list = list[len(list)-1], list[:len(list)-1]
		r.clients.at(c).seen = r.stamp
		if r.give(a, c, false) {
			return true
		}
	}
	return false
}

// before reports whether walk asks client c before d.
func (h *Allocator) before(c, d int32) bool {
	x, y := h.clients.at(c), h.clients.at(d)
	if x.role == y.role {
		return h.roles.at(x.role).frameworks.Before(x.place, y.place)
	}
	return h.order.Before(h.roles.at(x.role).place, h.roles.at(y.role).place)
}

// wants reports whether a role may have anything of what is free of an agent.
func (r *run) wants(x *role, a int32) bool {
	free := r.agents.at(a).free
	if free.plain {
		return true
	}
	for i := range free.list {
		if free.list[i].AllocatableTo(x.name) {
			return true
		}
	}
	return false
}

// worthwhile reports whether what is free of an agent is enough for any offer; it spares asking everybody about
// crumbs.
func (h *Allocator) worthwhile(a int32) bool {
	x := h.agents.at(a)
	if x.free.empty() {
		return false
	}
	return x.free.enough || h.exceptions > 0 || !x.shared.empty()
}

// enough reports whether s contains one of a client's minima.
func (h *Allocator) enough(c int32, s *shape) bool {
	if x := h.clients.at(c); x.own {
		return enough(x.minimum, s.list)
	}
	return s.enough
}

// enough reports whether r contains one of the minima. No minima ask only for something.
func enough(minima []resources.Quantities, r resources.Resources) bool {
	q := r.Quantities()
	for i := range minima {
		if q.Contains(minima[i]) {
			return true
		}
	}
	return len(minima) == 0 && !r.IsEmpty()
}

// give allocates what a client may have of an agent, unless something keeps it away.
func (r *run) give(a, c int32, guarantees bool) bool {
	if r.barrier(a, c) != "" || r.isShown(a, c) {
		return false
	}
	part, cut := r.portion(a, c, guarantees)
	if cut {
		r.withhold(a)
	}
	if _, again := r.given[grant{a, c}]; !again {
		part = r.shapes.plus(part, r.sharedFor(a, c, part))
	}
	if part.empty() || !r.enough(c, part) {
		return false
	}
	part = r.slice(a, c, part)
	if x := r.agents.at(a); part != x.free || !x.shared.empty() { // else blockedAt has told
		if _, refused := r.refused(r.now, a, c, part); refused {
			return false
		}
	}
	if r.optimistic() {
		r.show(a, c, part)
	} else {
		r.hold(a, c, part)
	}
	r.note(a, c, part)
	return true
}

// withhold remembers that quota kept something of an agent back.
func (h *Allocator) withhold(a int32) {
	if x := h.agents.at(a); !x.withheld {
		x.withheld = true
		h.withheld = append(h.withheld, a)
	}
}

// note writes an allocation down, together with what the client got of the agent in the first pass.
func (r *run) note(a, c int32, part *shape) {
	x := r.clients.at(c)
	list := r.shapes.allocate(part, x.name)
	at, again := r.given[grant{a, c}]
	if again {
		r.out[at].Resources = r.out[at].Resources.Add(list)
		return
	}
	if r.given != nil {
		r.given[grant{a, c}] = len(r.out)
	}
	r.out = append(r.out, allocator.Allocation{
		Framework: r.frameworks.at(x.framework).spec.ID,
		Role:      x.name,
		Agent:     r.agents.at(a).spec.ID,
		Resources: list,
	})
}
