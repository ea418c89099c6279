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

	shared *shape              // part of the total that many may hold
	whole  *shape              // the rest of it
	free   *shape              // of whole: what nobody holds; quota can count free.counted of it
	excess resources.Resources // held, but not part of whole: the agent came back with less

	holdings []holding // sorted by client
	shown    []holding // sorted by client; see Optimist
	filters  filters
	expiry   int // place in expiries, or -1

	touched  bool // in news.touched
	suspect  bool // in suspects
	withheld bool // in news.withheld
}

// AddAgent is part of allocator.Allocator.
func (h *Allocator) AddAgent(now time.Time, spec allocator.Agent, held []allocator.Holding) {
	if _, there := h.agentIDs[spec.ID]; there {
		panic("allocator: agent " + string(spec.ID) + " is added twice")
	}
	total := spec.Total
	spec.Total = nil
	a := h.agents.add(agent{
		spec: spec, active: true, expiry: -1,
		shared: h.shapes.nothing, whole: h.shapes.nothing, free: h.shapes.nothing,
	})
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
		h.release(a, last.client, last.held)
	}
	for len(x.shown) > 0 {
		last := x.shown[len(x.shown)-1].client
		h.hide(a, last)
		h.dropShown(last)
	}
	h.setTotal(a, nil)
	h.forgetFilters(a)
	h.suspects = remove(h.suspects, a, x.suspect)
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
	x.active = active
	if active {
		h.free.Increase(&x.free.counted)
	} else {
		h.free.Decrease(&x.free.counted)
	}
	if active {
		h.touch(now, a)
		h.loosen(now)
	}
}

// setTotal replaces what an agent has, in all sums it is part of.
func (h *Allocator) setTotal(a int32, total resources.Resources) {
	h.changeTotal(a, total, h.agents.at(a).spec.Total, total)
}

// changeTotal is setTotal for who knows what goes and what comes.
func (h *Allocator) changeTotal(a int32, total, goes, comes resources.Resources) {
	x := h.agents.at(a)
	h.totals.Change(goes.Quantities(), comes.Quantities())
	h.capacity = h.capacity.Sub(quantities(goes, isKept)).Add(quantities(comes, isKept))
	h.keepReserved(total) // before others are left, lest a role go and come back
	h.countReserved(comes, true)
	h.countReserved(goes, false)
	h.leaveReserved(x.spec.Total)
	x.spec.Total = total
	x.shared, x.whole = h.shapes.of(pick(total, isShared)), h.shapes.of(pick(total, isOwn))
	x.gpus = total.Scalar("gpus") > 0
	x.excess = nil
	h.suspect(a)
	free := x.whole
	for i := range x.holdings {
		free = h.take(x, free, h.own(x.holdings[i].held))
	}
	h.setFree(a, free)
}

func isShared(r *resources.Resource) bool { return r.Shared }

func isOwn(r *resources.Resource) bool { return !r.Shared }

// own is what of s one holds at a time.
func (h *Allocator) own(s *shape) *shape {
	if !s.shares {
		return s
	}
	return h.shapes.of(pick(s.list, isOwn))
}

// take is free without s; what of s is not there is in excess.
func (h *Allocator) take(a *agent, free, s *shape) *shape {
	if !free.contains(s) {
		a.excess = a.excess.Add(s.list.Minus(free.list))
	}
	return h.shapes.minus(free, s)
}

// setFree says what is free of an agent.
func (h *Allocator) setFree(a int32, free *shape) {
	x := h.agents.at(a)
	if x.active {
		h.free.Decrease(&x.free.counted)
		h.free.Increase(&free.counted)
	}
	x.free = free
	h.suspect(a)
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
