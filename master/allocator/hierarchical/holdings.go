package hierarchical

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// holding is what a client holds on an agent.
type holding struct {
	client int32
	held   *shape
}

// holdingOf is the place of a client in the list of an agent.
func (a *agent) holdingOf(c int32) (int, bool) {
	return slices.BinarySearchFunc(a.holdings, c, func(x holding, c int32) int { return cmp.Compare(x.client, c) })
}

// heldBy is what a client holds on an agent.
func (h *Allocator) heldBy(a, c int32) *shape {
	x := h.agents.at(a)
	if at, ok := x.holdingOf(c); ok {
		return x.holdings[at].held
	}
	return h.shapes.nothing
}

// hold charges s to a client.
func (h *Allocator) hold(a, c int32, s *shape) {
	before := h.heldBy(a, c)
	h.charge(c, h.added(before, s))
	x := h.agents.at(a)
	h.setFree(a, h.take(x, x.free, h.own(s)))
	h.record(a, c, h.shapes.plus(before, s))
}

// release takes s off a client.
func (h *Allocator) release(a, c int32, s *shape) {
	before := h.heldBy(a, c)
	if !before.contains(s) {
		cl := h.clients.at(c)
		panic(fmt.Sprintf("allocator: framework %s in role %s gives back %s on agent %s, but holds %s",
			h.frameworks.at(cl.framework).spec.ID, cl.name, s.list, h.agents.at(a).spec.ID, before.list))
	}
	after := h.shapes.minus(before, s)
	h.discharge(c, h.added(after, s))
	x, own := h.agents.at(a), h.own(s)
	if x.excess.IsEmpty() {
		h.setFree(a, h.shapes.plus(x.free, own))
	} else {
		h.setFree(a, h.shapes.plus(x.free, h.shapes.of(own.list.Minus(x.excess))))
		x.excess = x.excess.Minus(own.list)
	}
	h.record(a, c, after)
}

// added is what of s counts when it comes on top of base: shared resources count once.
func (h *Allocator) added(base, s *shape) *shape {
	if !s.shares || !base.shares {
		return s
	}
	return h.shapes.of(pick(s.list, func(x *resources.Resource) bool { return !x.Shared || !holds(base.list, x) }))
}

// holds reports whether shared is in r, however often.
func holds(r resources.Resources, shared *resources.Resource) bool {
	one := *shared
	one.Count = 1
	return r.Contains(resources.Resources{one})
}

// charge tells the sorters and quota what a client holds more.
func (h *Allocator) charge(c int32, s *shape) {
	x := h.clients.at(c)
	role := h.roles.at(x.role)
	role.frameworks.Allocate(x.place, s.all)
	h.order.Allocate(role.place, s.all)
	h.consume(x.role, &s.counted, true)
}

// discharge tells them what it holds less.
func (h *Allocator) discharge(c int32, s *shape) {
	x := h.clients.at(c)
	role := h.roles.at(x.role)
	role.frameworks.Release(x.place, s.all)
	h.order.Release(role.place, s.all)
	h.consume(x.role, &s.counted, false)
}

// record writes down what a client holds on an agent.
func (h *Allocator) record(a, c int32, s *shape) {
	x := h.agents.at(a)
	at, found := x.holdingOf(c)
	switch {
	case found && s.empty():
		x.holdings = slices.Delete(x.holdings, at, at+1)
		h.clients.at(c).holdings--
		f := h.clients.at(c).framework
		h.dropClient(c)
		h.dropFramework(f)
	case found:
		x.holdings[at].held = s
	case !s.empty():
		x.holdings = slices.Insert(x.holdings, at, holding{c, s})
		h.clients.at(c).holdings++
	}
}

// Hold is part of allocator.Allocator.
func (h *Allocator) Hold(now time.Time, held allocator.Holding, id mesos.AgentID) {
	if a, ok := h.agentIDs[id]; ok {
		h.holdAll(now, held, a)
	}
}

// holdAll charges resources to the clients that they are allocated to.
func (h *Allocator) holdAll(now time.Time, held allocator.Holding, a int32) {
	for role, s := range h.byRole(held.Resources) {
		h.hold(a, h.client(h.framework(held.Framework), role), s)
	}
	h.loosen(now) // a guarantee may be covered now, and need less headroom
}

// Recover is part of allocator.Allocator.
func (h *Allocator) Recover(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, r resources.Resources) {
	h.giveBack(now, id, agent, r, nil)
}

// Decline is part of allocator.Allocator.
func (h *Allocator) Decline(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, r resources.Resources, refuse time.Duration) {
	until := h.filterEnd(now, refuse)
	h.giveBack(now, id, agent, r, func(a, c int32, s *shape) { h.refuse(now, a, c, s, until) })
}

// giveBack frees resources; refuse, if any, is told about each part before.
func (h *Allocator) giveBack(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, r resources.Resources,
	refuse func(a, c int32, s *shape),
) {
	f, known := h.names[id]
	a, there := h.agentIDs[agent]
	if !known || !there {
		return
	}
	for role, part := range h.byRole(r) {
		at, ok := h.clientAt(f, role)
		if !ok {
			panic(fmt.Sprintf("allocator: framework %s gives back %s in role %s, where it holds nothing", id, part.list, role))
		}
		c := h.frameworks.at(f).clients[at]
		if refuse != nil {
			refuse(a, c, part)
		}
		h.release(a, c, part)
	}
	h.touch(now, a)
	h.loosen(now)
}

// Convert is part of allocator.Allocator.
func (h *Allocator) Convert(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, from, to resources.Resources) bool {
	a, ok := h.agentIDs[agent]
	if !ok {
		return false
	}
	total, ok := h.agents.at(a).spec.Total.Sub(from.Unallocated())
	if !ok {
		return false
	}
	total = total.Add(to.Unallocated())
	if id == "" {
		ok = h.convertFree(a, from, to, total)
	} else {
		ok = h.convertHeld(a, id, from, to, total)
	}
	if ok {
		h.touch(now, a)
		h.loosen(now)
	}
	return ok
}

func (h *Allocator) convertFree(a int32, from, to, total resources.Resources) bool {
	x := h.agents.at(a)
	if !x.free.list.Add(x.shared.list).Contains(from) {
		return false
	}
	h.changeTotal(a, total, from, to)
	return true
}

func (h *Allocator) convertHeld(a int32, id mesos.FrameworkID, from, to, total resources.Resources) bool {
	f, known := h.names[id]
	if !known || from.IsEmpty() {
		return false
	}
	at, ok := h.clientAt(f, from[0].Allocation)
	if !ok {
		return false
	}
	c := h.frameworks.at(f).clients[at]
	from, to = from.Unallocated(), to.Unallocated()
	if !h.heldBy(a, c).list.Contains(from) {
		return false
	}
	h.changeTotal(a, total, from, to)
	h.hold(a, c, h.shapes.of(to)) // before release, lest the client be dropped in between
	h.release(a, c, h.shapes.of(from))
	return true
}

// byRole takes resources apart by the role they are allocated to, and takes the allocation off.
func (h *Allocator) byRole(r resources.Resources) func(yield func(string, *shape) bool) {
	return func(yield func(string, *shape) bool) {
		for len(r) > 0 {
			role := r[0].Allocation
			if role == "" {
				panic(fmt.Sprintf("allocator: %s is not allocated to a role", r))
			}
			part := pick(r, func(x *resources.Resource) bool { return x.Allocation == role })
			if !yield(role, h.shapes.plain(part)) || len(part) == len(r) {
				return
			}
			r = pick(r, func(x *resources.Resource) bool { return x.Allocation != role })
		}
	}
}
