package core

import (
	"fmt"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// maxEarly is how many messages an agent may send before it is registered.
const maxEarly = 10000

// A session is one subscription of an agent. What is said in it is numbered in
// both directions: what was seen is ignored, and a gap ends the session.
type session struct {
	id    Session
	agent *agent            // nil until it is registered
	early []*linkpb.Message // said before that
	heard uint64            // number of the last message
	said  uint64            // number of the last event
}

// agentSent hears out an agent, message by message.
func (m *Master) agentSent(ev AgentSent) {
	s := m.sessions[ev.Session]
	switch {
	case s == nil:
		m.refuse("agent message", fmt.Sprint(ev.Session), "the session is over")
		m.do(CloseAgent{ev.Session})
	case s.agent == nil && len(s.early)+len(ev.Messages) > maxEarly:
		m.closeSession(s.id, "too many messages before registration")
	case s.agent == nil:
		s.early = append(s.early, ev.Messages...)
	default:
		m.hear(s, ev.Messages)
	}
}

// hearEarly takes in what an agent said while its registration was written.
func (m *Master) hearEarly(a *agent) {
	s := m.sessions[a.session]
	early := s.early
	s.early = nil
	m.hear(s, early)
}

func (m *Master) hear(s *session, messages []*linkpb.Message) {
	for _, msg := range messages {
		switch seq := msg.GetSeq(); {
		case seq == 0 || seq > s.heard+1:
			m.endSession(s.id, fmt.Sprintf("message %d after %d", seq, s.heard))
			return
		case seq <= s.heard:
			continue
		}
		s.heard++
		s.agent.missed = 0
		m.pardon(s.agent)
		m.agentSaid(s.agent, msg)
		if m.sessions[s.id] != s {
			return // what was said ended the session
		}
	}
}

func (m *Master) agentSaid(a *agent, msg *linkpb.Message) {
	switch msg.GetType() {
	case linkpb.Message_STATUS_UPDATE:
		m.statusUpdate(a, msg.GetStatusUpdate())
	case linkpb.Message_EXECUTOR_EXITED:
		m.executorExited(a, msg.GetExecutorExited())
	case linkpb.Message_EXECUTOR_MESSAGE:
		m.executorMessage(a, msg.GetExecutorMessage())
	case linkpb.Message_RESOURCES:
		m.totalChanged(a, msg.GetResources())
	case linkpb.Message_OPERATION_UPDATE:
		m.operationUpdate(a, msg.GetOperationUpdate())
	case linkpb.Message_UNREGISTER:
		m.unregister(a)
	case linkpb.Message_PONG: // being heard is enough
	default:
		m.refuse("agent message", string(a.id), "unknown type")
	}
}

// agentDisconnected is the end of a session, whoever ended it.
func (m *Master) agentDisconnected(ev AgentDisconnected) {
	s := m.sessions[ev.Session]
	if s == nil {
		return // ended from our side
	}
	delete(m.sessions, ev.Session)
	if s.agent != nil {
		m.disconnectAgent(s.agent)
	}
}

// endSession breaks with an agent that does not keep to the protocol.
func (m *Master) endSession(id Session, why string) {
	a := m.sessions[id].agent
	m.closeSession(id, why)
	if a != nil {
		m.disconnectAgent(a)
	}
}

// closeSession ends a session that is over, or that another one follows.
func (m *Master) closeSession(id Session, why string) {
	delete(m.sessions, id)
	if why != "" {
		m.refuse(RefusedSession, fmt.Sprint(id), why)
	}
	m.do(CloseAgent{id})
}

// turnAway tells an agent that it cannot be one.
func (m *Master) turnAway(id Session, why string) {
	m.do(SendAgent{id, &linkpb.Event{
		Seq: new(uint64(1)), Type: linkpb.Event_SHUTDOWN.Enum(), Shutdown: &linkpb.Shutdown{Message: new(why)},
	}})
	m.closeSession(id, why)
}

// tellAgent numbers an event and sends it. The agent is connected.
func (m *Master) tellAgent(a *agent, e *linkpb.Event) {
	s := m.sessions[a.session]
	s.said++
	e.Seq = new(s.said)
	m.do(SendAgent{s.id, e})
}

func (m *Master) unregister(a *agent) {
	m.count.messages["unregister_slave"]++
	if m.changing[a.id] != nil {
		return // its registry entry is being written: it becomes unreachable instead
	}
	m.change(a.id, nil, unregistered{a.id}, removeOp(a.id))
}

// totalChanged replaces what an agent has.
func (m *Master) totalChanged(a *agent, r *linkpb.Resources) {
	m.count.messages["update_slave"]++
	total, err := resources.FromProto(r.GetTotal())
	if err != nil {
		m.refuse("agent resources", string(a.id), err.Error())
		return
	}
	m.setTotal(a, total.Unallocated())
	m.cfg.Allocator.UpdateAgent(m.now, allocatorAgent(a))
}

// executorExited forgets an executor and tells its framework.
func (m *Master) executorExited(a *agent, x *linkpb.ExecutorExited) {
	m.count.messages["exited_executor"]++
	f := m.frameworks[mesos.FrameworkID(x.GetFrameworkId().GetValue())]
	if f == nil {
		m.refuse("executor exit", x.GetExecutorId().GetValue(), "its framework is unknown")
		return
	}
	m.dropExecutor(a, f, mesos.ExecutorID(x.GetExecutorId().GetValue()))
	m.tellFramework(f, executorFailureEvent(a.id, x))
}

// executorMessage passes data on; there is no promise that it arrives.
func (m *Master) executorMessage(a *agent, x *linkpb.ExecutorMessage) {
	m.count.messages["executor_to_framework"]++
	f := m.frameworks[mesos.FrameworkID(x.GetFrameworkId().GetValue())]
	if f == nil || f.stream == "" {
		m.count.executorMessages.invalid++
		return
	}
	m.count.executorMessages.valid++
	m.tellFramework(f, messageEvent(a.id, x))
}

func agentID(id mesos.AgentID) *mesospb.AgentID { return &mesospb.AgentID{Value: new(string(id))} }
