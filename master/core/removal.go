package core

import (
	"fmt"
	"slices"
)

// condemn has an agent marked unreachable as soon as the rate allows it. Until
// then it gets no offers, and is pardoned if it is heard of.
func (m *Master) condemn(a *agent, why string) {
	a.condemned = why
	m.condemned = append(m.condemned, a)
	m.planRemoval()
}

// planRemoval sets the timer for the next agent to be marked.
func (m *Master) planRemoval() {
	if len(m.condemned) == 0 || m.timers.isSet(timer{kind: removalTimer}) {
		return
	}
	at := after(m.now, 0)
	if !m.removed.IsZero() {
		at = max(at, after(m.removed, m.cfg.AgentRemovalInterval))
	}
	m.timers.set(timer{kind: removalTimer}, at)
}

// removeCondemned marks the agent that waits longest.
func (m *Master) removeCondemned() {
	if len(m.condemned) > 0 {
		a := m.condemned[0]
		why := a.condemned
		m.acquit(a)
		m.removed = m.now
		m.markUnreachable(a, why)
	}
	m.planRemoval()
}

// acquit takes an agent off the list.
func (m *Master) acquit(a *agent) {
	if a.condemned == "" {
		return
	}
	a.condemned = ""
	m.condemned = slices.DeleteFunc(m.condemned, func(x *agent) bool { return x == a })
}

// pardon goes on with an agent that was heard of before it was marked.
func (m *Master) pardon(a *agent) {
	if a.condemned == "" {
		return
	}
	m.acquit(a)
	m.count.unreachableCanceled++
	m.timers.set(timer{pingTimer, uint64(a.handle)}, after(m.now, m.cfg.AgentPingTimeout))
	if !a.recovered {
		m.cfg.Allocator.SetAgentActive(m.now, a.id, m.isOfferable(a))
	}
}

// recoveryOver ends a master to which too many agents have not come back: rather
// it than their machines has lost touch (Mesos: --recovery_agent_removal_limit).
func (m *Master) recoveryOver() {
	missing := 0
	for _, a := range m.agentOf[1 : 1+m.inherited] {
		if a != nil && a.recovered {
			missing++
		}
	}
	least := m.cfg.RecoveryAgentMinimum
	if float64(m.inherited-missing) >= least*float64(m.inherited) {
		return
	}
	m.failed = fmt.Sprintf("%d of %d agents did not come back within %s of the change of masters, and no more than %g%% may be marked unreachable: see why, or raise --recovery_agent_removal_limit",
		missing, m.inherited, durationText(m.cfg.AgentReregisterTimeout), (1-least)*100)
	m.do(Exit{m.failed})
}
