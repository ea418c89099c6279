package core

import (
	"github.com/soukproject/souk/proto/mesos"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// standingChanged follows the write of what an operator asked of an agent.
type standingChanged struct {
	request Request
	id      mesos.AgentID
	standing
}

func (standingChanged) event() {}

// standing finds an agent that is admitted or unreachable.
func (m *Master) standing(id mesos.AgentID) (s standing, known bool) {
	switch a, lost := m.agents[id], m.unreachable[id]; {
	case a != nil:
		return a.standing, true
	case lost != nil:
		return lost.standing, true
	}
	return standing{}, false
}

// deactivateAgent stops offers of an agent; what runs there goes on.
func (m *Master) deactivateAgent(ev Operated, id mesos.AgentID) {
	s, known := m.standing(id)
	switch {
	case m.postponed(id, ev):
	case !known:
		m.reply(ev.Request, 400, "Unknown agent")
	case s.deactivated:
		m.reply(ev.Request, 200, "")
	default:
		s.deactivated = true
		m.changeStanding(ev.Request, id, s)
	}
}

// reactivateAgent takes back that an agent was deactivated or drained.
func (m *Master) reactivateAgent(ev Operated, id mesos.AgentID) {
	s, _ := m.standing(id)
	switch {
	case m.postponed(id, ev):
	case !s.deactivated:
		m.reply(ev.Request, 400, "Agent is not deactivated")
	case s.draining():
		m.reply(ev.Request, 400, "Agent is still in the DRAINING state")
	default:
		m.changeStanding(ev.Request, id, standing{})
	}
}

// postponed keeps a call until the write of an agent's entry is done.
func (m *Master) postponed(id mesos.AgentID, ev Operated) bool {
	c := m.changing[id]
	if c != nil {
		c.calls = append(c.calls, ev)
	}
	return c != nil
}

// operatedLater carries out a call that had to wait.
func (m *Master) operatedLater(id mesos.AgentID, ev Operated) {
	if _, known := m.standing(id); !known && ev.Call.GetType() == masterpb.Call_REACTIVATE_AGENT {
		m.reply(ev.Request, 409, "Agent removed while processing the call")
		return
	}
	m.operated(ev)
}

// changeStanding writes what an operator wants of an agent that is known.
func (m *Master) changeStanding(request Request, id mesos.AgentID, s standing) {
	var op *registrypb.Operation
	if a, lost := m.agents[id], m.unreachable[id]; a != nil {
		op = admitOp(a.message(), s)
	} else {
		op = unreachableOp(unmarshal(lost.info, &mesospb.AgentInfo{}), lost.since, s)
	}
	m.change(id, nil, standingChanged{request, id, s}, op)
}

func (m *Master) standingChanged(ev standingChanged) {
	if lost := m.unreachable[ev.id]; lost != nil {
		m.unreachable[ev.id] = &lostAgent{standing: ev.standing, info: lost.info, since: lost.since}
	}
	if a := m.agents[ev.id]; a != nil {
		a.standing = ev.standing
		m.cfg.Allocator.SetAgentActive(m.now, a.id, m.isOfferable(a))
		if a.deactivated {
			m.rescindAll(a)
		}
		m.drainTasks(a)
	}
	m.reply(ev.request, 200, "")
	m.changed(ev.id)
}
