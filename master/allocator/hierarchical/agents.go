package hierarchical

import (
	"slices"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// agent is a row of the table of agents.
type agent struct {
	spec   allocator.Agent
	active bool
	gpus   bool

	shared resources.Resources  // part of the total that many may hold
	whole  resources.Resources  // the rest of it
	free   resources.Resources  // of whole: what nobody holds
	excess resources.Resources  // held, but not part of whole: the agent came back with less
	spare  resources.Quantities // of free: what quota can count

	holdings []holding // sorted by client
	filters  []filter  // sorted by client
	expiry   int       // place in expiries, or -1

	touched  bool // in news.touched
	withheld bool // in news.withheld
}

// AddAgent is part of allocator.Allocator.
func (h *Allocator) AddAgent(now time.Time, spec allocator.Agent, held []allocator.Holding) {
	if _, there := h.agentIDs[spec.ID]; there {
		panic("allocator: agent " + string(spec.ID) + " is added twice")
	}
	total := spec.Total
	spec.Total = nil
	a := h.agents.add(agent{spec: spec, active: true, expiry: -1})
	h.agentIDs[spec.ID] = a
	h.setTotal(a, total)
	for _, x := range held {
		h.holdAll(now, x, a)
	}
	h.touch(now, a)
	h.loosen(now)
}

// UpdateAgent is part of allocator.Allocator.
func (h *Allocator) UpdateAgent(now time.Time, spec allocator.Agent) {
	a, ok := h.agentIDs[spec.ID]
	if !ok {
		return
	}
	x := h.agents.at(a)
	if !slices.Equal(x.spec.Attributes, spec.Attributes) {
		h.forgetFilters(a)
	}
	h.setTotal(a, spec.Total)
	x.spec = spec
	h.touch(now, a)
	h.loosen(now)
}

// RemoveAgent is part of allocator.Allocator.
func (h *Allocator) RemoveAgent(now time.Time, id mesos.AgentID) {
	a, ok := h.agentIDs[id]
	if !ok {
		return
	}
	x := h.agents.at(a)
	for len(x.holdings) > 0 {
		last := x.holdings[len(x.holdings)-1]
		h.release(a, last.client, last.resources)
	}
	h.setTotal(a, nil)
	h.forgetFilters(a)
	h.touched = remove(h.touched, a, x.touched)
	h.withheld = remove(h.withheld, a, x.withheld)
	delete(h.agentIDs, id)
	h.agents.remove(a)
	h.loosen(now)
}

// remove takes a off a list that it may be in.
func remove(list []int32, a int32, in bool) []int32 {
	if !in {
		return list
	}
	return slices.DeleteFunc(list, func(b int32) bool { return a == b })
}

// SetAgentActive is part of allocator.Allocator.
func (h *Allocator) SetAgentActive(now time.Time, id mesos.AgentID, active bool) {
	a, ok := h.agentIDs[id]
	if !ok || h.agents.at(a).active == active {
		return
	}
	x := h.agents.at(a)
	h.countSpare(a, resources.Quantities{})
	x.active = active
	h.setFree(a, x.free)
	if active {
		h.touch(now, a)
		h.loosen(now)
	}
}

// setTotal replaces what an agent has, in all sums it is part of.
func (h *Allocator) setTotal(a int32, total resources.Resources) {
	x := h.agents.at(a)
	h.totals.Sub(x.spec.Total.Quantities())
	h.totals.Add(total.Quantities())
	h.reserve(total)
	h.unreserve(x.spec.Total)
	x.spec.Total = total
	h.shapes.leave(x.whole)
	x.shared, x.whole = total.Shared(), h.shapes.join(total.NonShared())
	x.gpus = total.Scalar("gpus") > 0
	x.excess = nil
	free := x.whole
	for _, held := range x.holdings {
		free = x.take(free, held.resources.NonShared())
	}
	h.setFree(a, free)
}

// take is free without r; what of r is not there is in excess.
func (a *agent) take(free, r resources.Resources) resources.Resources {
	if !free.Contains(r) {
		a.excess = a.excess.Add(r.Minus(free))
	}
	return free.Minus(r)
}

// setFree says what is free of an agent.
func (h *Allocator) setFree(a int32, free resources.Resources) {
	if x := h.agents.at(a); free.Equal(x.whole) {
		free = x.whole // the copy that agents have in common
	}
	h.agents.at(a).free = free
	h.countSpare(a, quantities(free, countsForQuota))
}

func (h *Allocator) countSpare(a int32, spare resources.Quantities) {
	x := h.agents.at(a)
	if x.active {
		h.free = h.free.Sub(x.spare).Add(spare)
	}
	x.spare = spare
}

// countsForQuota: unreserved scalars that are not revocable are what guarantees and limits are about.
func countsForQuota(r *resources.Resource) bool {
	return r.Kind == resources.KindScalar && !r.Revocable && !r.Reserved()
}

// quantities sums the scalars that keep says yes to.
func quantities(r resources.Resources, keep func(*resources.Resource) bool) resources.Quantities {
	return pick(r, keep).Quantities()
}

// pick is Resources.Filter without copying.
func pick(r resources.Resources, keep func(*resources.Resource) bool) resources.Resources {
	for i := range r {
		if !keep(&r[i]) {
			return pickFrom(r, i, keep)
		}
	}
	return r
}

func pickFrom(r resources.Resources, i int, keep func(*resources.Resource) bool) resources.Resources {
	out := r[:i:i]
	for i++; i < len(r); i++ {
		if keep(&r[i]) {
			out = append(out, r[i])
		}
	}
	return out
}
