package hierarchical

import (
	"cmp"
	"slices"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// optimistic reports whether runs show rather than give.
func (h *Allocator) optimistic() bool { return h.cfg.Rivals > 0 }

// shownAt is the place of a client in the list of those that are shown an agent.
func (a *agent) shownAt(c int32) (int, bool) {
	return slices.BinarySearchFunc(a.shown, c, func(x holding, c int32) int { return cmp.Compare(x.client, c) })
}

func (h *Allocator) isShown(a, c int32) bool {
	_, is := h.agents.at(a).shownAt(c)
	return is
}

// show notes that a client sees something of an agent. It counts as having been served, for those who have as much.
// It is not charged, except that the first to see an agent counts as having it until the run ends: most likely it
// will, and otherwise one client would come first everywhere.
func (h *Allocator) show(a, c int32, s *shape) {
	x, cl := h.agents.at(a), h.clients.at(c)
	counts := resources.Quantities{}
	if len(x.shown) == 0 {
		promised := h.added(h.heldBy(a, c), s)
		h.promised = append(h.promised, holding{c, promised})
		counts = promised.all
	}
	at, _ := x.shownAt(c)
	x.shown = slices.Insert(x.shown, at, holding{c, s})
	cl.shown++
	role := h.roles.at(cl.role)
	role.frameworks.Allocate(cl.place, counts)
	h.order.Allocate(role.place, counts)
}

// forgetPromises takes off what counted for the time of a run.
func (h *Allocator) forgetPromises() {
	for _, p := range h.promised {
		cl := h.clients.at(p.client)
		role := h.roles.at(cl.role)
		role.frameworks.Release(cl.place, p.held.all)
		h.order.Release(role.place, p.held.all)
	}
	h.promised = h.promised[:0]
}

// hide ends what a client is shown of an agent, and says what it was.
func (h *Allocator) hide(a, c int32) (*shape, bool) {
	x := h.agents.at(a)
	at, is := x.shownAt(c)
	if !is {
		return nil, false
	}
	s := x.shown[at].held
	x.shown = slices.Delete(x.shown, at, at+1)
	h.clients.at(c).shown--
	return s, true
}

// shownClient finds who is shown an agent by its names.
func (h *Allocator) shownClient(id mesos.FrameworkID, role string, agent mesos.AgentID) (a, c int32, ok bool) {
	f, known := h.names[id]
	a, there := h.agentIDs[agent]
	if !known || !there {
		return 0, 0, false
	}
	at, ok := h.clientAt(f, role)
	if !ok {
		return 0, 0, false
	}
	c = h.frameworks.at(f).clients[at]
	return a, c, h.isShown(a, c)
}

// Claim is part of allocator.Optimist.
func (h *Allocator) Claim(now time.Time, id mesos.FrameworkID, role string, agent mesos.AgentID) bool {
	a, c, ok := h.shownClient(id, role, agent)
	if !ok {
		return false
	}
	s, _ := h.hide(a, c)
	h.touch(now, a) // somebody else may see the agent now
	top := h.roles.at(h.roles.at(h.clients.at(c).role).top)
	if !h.wholly(a, s) || !h.allows(top, &s.counted) {
		h.dropShown(c)
		return false
	}
	h.hold(a, c, s)
	h.loosen(now)
	return true
}

// Refuse is part of allocator.Optimist.
func (h *Allocator) Refuse(now time.Time, id mesos.FrameworkID, role string, agent mesos.AgentID, refuse time.Duration) {
	a, c, ok := h.shownClient(id, role, agent)
	if !ok {
		return
	}
	s, _ := h.hide(a, c)
	h.refuse(now, a, c, s, h.filterEnd(now, refuse))
	h.dropShown(c)
	h.touch(now, a)
}

// Withdraw is part of allocator.Optimist.
func (h *Allocator) Withdraw(now time.Time, id mesos.FrameworkID, role string, agent mesos.AgentID) {
	if a, c, ok := h.shownClient(id, role, agent); ok {
		h.hide(a, c)
		h.dropShown(c)
		h.touch(now, a)
	}
}

// dropShown forgets a client of which only what it was shown was left.
func (h *Allocator) dropShown(c int32) {
	f := h.clients.at(c).framework
	h.dropClient(c)
	h.dropFramework(f)
}

// suspect notes that what is free of an agent has changed.
func (h *Allocator) suspect(a int32) {
	if x := h.agents.at(a); len(x.shown) > 0 && !x.suspect {
		x.suspect = true
		h.suspects = append(h.suspects, a)
	}
}

// Stale is part of allocator.Optimist.
func (h *Allocator) Stale() (out []allocator.Allocation) {
	for _, a := range h.suspects {
		x := h.agents.at(a)
		x.suspect = false
		for _, s := range x.shown {
			if h.wholly(a, s.held) {
				continue
			}
			cl := h.clients.at(s.client)
			out = append(out, allocator.Allocation{
				Framework: h.frameworks.at(cl.framework).spec.ID, Role: cl.name, Agent: x.spec.ID,
				Resources: h.shapes.allocate(s.held, cl.name),
			})
		}
	}
	h.suspects = h.suspects[:0]
	return out
}

// wholly reports whether all of s could be held.
func (h *Allocator) wholly(a int32, s *shape) bool {
	x := h.agents.at(a)
	return x.free.contains(h.own(s)) && (!s.shares || x.shared.list.Contains(pick(s.list, isShared)))
}

// allows reports whether a branch may have q more: its limit has room, and what goes beyond what it is owed leaves the
// headroom for others alone.
func (h *Allocator) allows(top *role, q *resources.Quantities) bool {
	if !top.fits(q) {
		return false
	}
	for name, most := range h.surplusWith(top).All() {
		if q.Get(name) > most {
			return false
		}
	}
	return true
}

// surplusWith is surplus, and what the branch is owed on top of it.
func (h *Allocator) surplusWith(top *role) resources.Limits {
	if h.owing == 0 {
		return resources.Limits{}
	}
	owed := top.short()
	var list []resources.Quantity
	for name, required := range h.required.All() {
		list = append(list, resources.Quantity{Name: name, Amount: max(h.free.Get(name)-required, 0) + owed.Get(name)})
	}
	return resources.LimitsOf(list...)
}

// explainShown tells what keeps an agent from a client where offers are optimistic.
func (h *Allocator) explainShown(a, c int32) []allocator.Reason {
	switch {
	case h.isShown(a, c):
		return because(allocator.OfferedToItself)
	case h.optimistic() && len(h.agents.at(a).shown) >= h.cfg.Rivals:
		return because(allocator.OfferedToOthers)
	}
	return nil
}
