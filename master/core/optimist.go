package core

import (
	"fmt"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// What is offered is held by the framework it is offered to, or, if offers are
// optimistic, shown to several, and held by the first that accepts it. Accepting
// claims the whole offer; from there on both are alike, and what the operations
// leave over goes back as always.

func (o *offer) allocation() allocator.Allocation {
	return allocator.Allocation{Framework: o.framework.id, Role: o.role, Agent: o.agent.id, Resources: o.resources}
}

// takeBack ends an allocation that was not accepted.
func (m *Master) takeBack(x allocator.Allocation) {
	if m.cfg.Optimist != nil {
		m.cfg.Optimist.Withdraw(m.now, x.Framework, x.Role, x.Agent)
		return
	}
	m.cfg.Allocator.Recover(m.now, x.Framework, x.Agent, x.Resources)
}

// refuseAllocation ends one that a framework does not want to see for a while.
func (m *Master) refuseAllocation(x allocator.Allocation, refuse time.Duration) {
	if m.cfg.Optimist != nil {
		m.cfg.Optimist.Refuse(m.now, x.Framework, x.Role, x.Agent, refuse)
		return
	}
	m.cfg.Allocator.Decline(m.now, x.Framework, x.Agent, x.Resources, refuse)
}

// claim makes offers that are accepted the framework's own, all or none. An offer
// that quota forbids by now is as invalid as one that was rescinded; all of them
// are over then.
func (m *Master) claim(offers []*offer) error {
	if m.cfg.Optimist == nil {
		return nil
	}
	for i, o := range offers {
		if m.cfg.Optimist.Claim(m.now, o.framework.id, o.role, o.agent.id) {
			continue
		}
		m.count.claimsLost++
		for _, claimed := range offers[:i] {
			m.cfg.Allocator.Recover(m.now, claimed.framework.id, claimed.agent.id, claimed.resources)
		}
		return fmt.Errorf("Offer %s is no longer valid", m.offerID(o.number))
	}
	return nil
}

// rescindStale takes back offers of what somebody else has accepted.
func (m *Master) rescindStale() {
	if m.cfg.Optimist == nil {
		return
	}
	for _, x := range m.cfg.Optimist.Stale() {
		if a := m.agents[x.Agent]; a != nil {
			m.rescindStaleOn(a, x)
		}
	}
}

func (m *Master) rescindStaleOn(a *agent, x allocator.Allocation) {
	for _, o := range a.offers {
		if o.framework.id == x.Framework && o.role == x.Role {
			m.count.offersStale++
			m.rescind(o)
			return
		}
	}
}

// countOffered notes what is on offer of an agent: sum, or what is on offer at
// least once if offers are optimistic.
func (m *Master) countOffered(a *agent, sum resources.Resources) {
	a.offered = sum
	if m.cfg.Optimist != nil {
		a.offered = atLeastOnce(a.offers)
	}
}

// atLeastOnce is what is on offer, role by role, however often.
func atLeastOnce(offers []*offer) (all resources.Resources) {
	for _, o := range offers {
		all = all.Add(o.resources.Minus(all))
	}
	return all
}
