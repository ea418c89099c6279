package hierarchical

import (
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// run is one allocation: a pass over agents about which there is news.
type run struct {
	*Allocator
	now   time.Time
	out   []allocator.Allocation
	marks marks
	given map[grant]int // places in out; only of runs with a pass for guarantees
}

// grant names an allocation of a run.
type grant struct{ agent, client int32 }

// Allocate is part of allocator.Allocator.
func (h *Allocator) Allocate(now time.Time) []allocator.Allocation {
	look := h.gather(now)
	if len(look) == 0 {
		return nil
	}
	r := &run{Allocator: h, now: now, marks: marks{}}
	if h.owing() {
		r.given = map[grant]int{}
		r.pass(look, true)
	}
	r.pass(look, false)
	return r.out
}

// pass serves all agents in a random order. The first pass is for guarantees that are not covered, the second for
// all.
func (r *run) pass(look []int32, guarantees bool) {
	if r.cfg.Rand != nil {
		r.cfg.Rand.Shuffle(len(look), func(i, j int) { look[i], look[j] = look[j], look[i] })
	}
	for _, a := range look {
		r.stamp++
		for r.serve(a, guarantees) {
		}
	}
}

// serve gives resources of an agent to the neediest client that has not been asked and can use them. It reports false
// when there is none. A client takes all that it may have (mesos-api 24.3: coarse grain), so most agents are done
// after one.
func (r *run) serve(a int32, guarantees bool) bool {
	if !r.worthwhile(a) {
		return false
	}
	for place := range r.order.Order() {
		at := r.roleOf[place]
		if x := r.roles.at(at); x.seen != r.stamp && r.wants(at, a, guarantees) && r.serveRole(at, a, guarantees) {
			return true
		}
		r.roles.at(at).seen = r.stamp
	}
	return false
}

// serveRole is serve for the clients of one role.
func (r *run) serveRole(at, a int32, guarantees bool) bool {
	x := r.roles.at(at)
	for place := range x.frameworks.Order() {
		c := x.clients[place]
		if r.clients.at(c).seen == r.stamp {
			continue
		}
		r.clients.at(c).seen = r.stamp
		if r.give(a, c, guarantees) {
			return true
		}
	}
	return false
}

// wants reports whether a role may have anything of what is free of an agent.
func (r *run) wants(at, a int32, guarantees bool) bool {
	if guarantees && !r.owed(at) {
		return false
	}
	name := r.roles.at(at).name
	free := r.agents.at(a).free
	for i := range free {
		if free[i].AllocatableTo(name) {
			return true
		}
	}
	return false
}

// worthwhile reports whether what is free of an agent is enough for any offer; it spares asking everybody about
// crumbs.
func (h *Allocator) worthwhile(a int32) bool {
	x := h.agents.at(a)
	if x.free.IsEmpty() {
		return false
	}
	return h.exceptions > 0 || !x.shared.IsEmpty() || enough(h.cfg.Minimum, x.free)
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
	if r.barrier(a, c) != "" {
		return false
	}
	part, cut := r.portion(a, c, guarantees)
	if cut {
		r.withhold(a)
	}
	if _, again := r.given[grant{a, c}]; !again {
		part = part.Add(r.sharedFor(a, c, part))
	}
	if part.IsEmpty() || !enough(r.clients.at(c).minimum, part) {
		return false
	}
	if _, refused := r.refused(r.now, a, c, part); refused {
		return false
	}
	r.hold(a, c, part)
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
func (r *run) note(a, c int32, part resources.Resources) {
	x := r.clients.at(c)
	part = r.marks.allocate(part, x.role, x.name)
	at, again := r.given[grant{a, c}]
	if again {
		r.out[at].Resources = r.out[at].Resources.Add(part)
		return
	}
	if r.given != nil {
		r.given[grant{a, c}] = len(r.out)
	}
	r.out = append(r.out, allocator.Allocation{
		Framework: r.frameworks.at(x.framework).spec.ID,
		Role:      x.name,
		Agent:     r.agents.at(a).spec.ID,
		Resources: part,
	})
}
