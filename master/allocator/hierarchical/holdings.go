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

// holding is what a client holds on an agent. The resources carry no allocation: the client says it.
type holding struct {
	client    int32
	resources resources.Resources
}

// holdingOf is the place of a client in the list of an agent.
func (a *agent) holdingOf(c int32) (int, bool) {
	return slices.BinarySearchFunc(a.holdings, c, func(x holding, c int32) int { return cmp.Compare(x.client, c) })
}

// held is what a client holds on an agent.
func (a *agent) heldBy(c int32) resources.Resources {
	if at, ok := a.holdingOf(c); ok {
		return a.holdings[at].resources
	}
	return nil
}

// hold charges r, without allocation, to a client.
func (h *Allocator) hold(a, c int32, r resources.Resources) {
	x := h.agents.at(a)
	before := x.heldBy(c)
	h.charge(c, added(before, r))
	h.setFree(a, x.take(x.free, r.NonShared()))
	h.record(a, c, before.Add(r))
}

// release takes r, without allocation, off a client.
func (h *Allocator) release(a, c int32, r resources.Resources) {
	x := h.agents.at(a)
	before := x.heldBy(c)
	after, ok := before.Sub(r)
	if !ok {
		cl := h.clients.at(c)
		panic(fmt.Sprintf("allocator: framework %s in role %s gives back %s on agent %s, but holds %s",
			h.frameworks.at(cl.framework).spec.ID, cl.name, r, x.spec.ID, before))
	}
	h.discharge(c, added(after, r))
	own := r.NonShared()
	h.setFree(a, x.free.Add(own.Minus(x.excess)))
	x.excess = x.excess.Minus(own)
	h.record(a, c, after)
}

// added is what of r counts for shares when it comes on top of base: shared resources count once.
func added(base, r resources.Resources) resources.Resources {
	return pick(r, func(x *resources.Resource) bool { return !x.Shared || base.IsEmpty() || !holds(base, x) })
}

// holds reports whether shared is in r, however often.
func holds(r resources.Resources, shared *resources.Resource) bool {
	one := *shared
	one.Count = 1
	return r.Contains(resources.Resources{one})
}

// charge tells the sorters and quota what a client holds more.
func (h *Allocator) charge(c int32, r resources.Resources) {
	x := h.clients.at(c)
	role := h.roles.at(x.role)
	q := r.Quantities()
	role.frameworks.Allocate(x.place, q)
	h.order.Allocate(role.place, q)
	h.consume(x.role, quantities(r, countsForQuota), true)
}

// discharge tells them what it holds less.
func (h *Allocator) discharge(c int32, r resources.Resources) {
	x := h.clients.at(c)
	role := h.roles.at(x.role)
	q := r.Quantities()
	role.frameworks.Release(x.place, q)
	h.order.Release(role.place, q)
	h.consume(x.role, quantities(r, countsForQuota), false)
}

// record writes down what a client holds on an agent.
func (h *Allocator) record(a, c int32, r resources.Resources) {
	x := h.agents.at(a)
	at, found := x.holdingOf(c)
	switch {
	case found && r.IsEmpty():
		x.holdings = slices.Delete(x.holdings, at, at+1)
		h.clients.at(c).holdings--
		f := h.clients.at(c).framework
		h.dropClient(c)
		h.dropFramework(f)
	case found:
		x.holdings[at].resources = r
	case !r.IsEmpty():
		x.holdings = slices.Insert(x.holdings, at, holding{c, r})
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
	for role, r := range byRole(held.Resources) {
		h.hold(a, h.client(h.framework(held.Framework), role), r)
	}
	h.loosen(now) // a guarantee may be covered now, and need less headroom
}

// Recover is part of allocator.Allocator.
func (h *Allocator) Recover(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, r resources.Resources) {
	h.giveBack(now, id, agent, r, nil)
}

// Decline is part of allocator.Allocator.
func (h *Allocator) Decline(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, r resources.Resources, refuse time.Duration) {
	until := now.Add(max(refuse, h.cfg.Interval))
	if refuse <= 0 {
		until = h.nextTurn(now)
	}
	h.giveBack(now, id, agent, r, func(a, c int32, r resources.Resources) { h.refuse(now, a, c, r, until) })
}

// giveBack frees resources; refuse, if any, is told about each part before.
func (h *Allocator) giveBack(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, r resources.Resources,
	refuse func(a, c int32, r resources.Resources),
) {
	f, known := h.names[id]
	a, there := h.agentIDs[agent]
	if !known || !there {
		return
	}
	for role, part := range byRole(r) {
		at, ok := h.clientAt(f, role)
		if !ok {
			panic(fmt.Sprintf("allocator: framework %s gives back %s in role %s, where it holds nothing", id, part, role))
		}
		c := h.frameworks.at(f).clients[at]
		if held := h.agents.at(a).heldBy(c); held.Equal(part) {
			part = held // so that filters share the memory of agents
		}
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
		ok = h.convertFree(a, from, total)
	} else {
		ok = h.convertHeld(a, id, from, to, total)
	}
	if ok {
		h.touch(now, a)
		h.loosen(now)
	}
	return ok
}

func (h *Allocator) convertFree(a int32, from, total resources.Resources) bool {
	x := h.agents.at(a)
	if !x.free.Add(x.shared).Contains(from) {
		return false
	}
	h.setTotal(a, total)
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
	if !h.agents.at(a).heldBy(c).Contains(from.Unallocated()) {
		return false
	}
	h.setTotal(a, total)
	h.hold(a, c, to.Unallocated()) // before release, lest the client be dropped in between
	h.release(a, c, from.Unallocated())
	return true
}

// byRole takes resources apart by the role they are allocated to, and takes the allocation off.
func byRole(r resources.Resources) func(yield func(string, resources.Resources) bool) {
	return func(yield func(string, resources.Resources) bool) {
		for !r.IsEmpty() {
			role := r[0].Allocation
			if role == "" {
				panic(fmt.Sprintf("allocator: %s is not allocated to a role", r))
			}
			rest := pick(r, func(x *resources.Resource) bool { return x.Allocation != role })
			part := pick(r, func(x *resources.Resource) bool { return x.Allocation == role })
			if !yield(role, part.Unallocated()) {
				return
			}
			r = rest
		}
	}
}
