package core

import (
	"fmt"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

const goneText = "Agent has been marked gone"

// markedGone follows the write that ends an agent for good.
type markedGone struct {
	request Request
	id      mesos.AgentID
	since   time.Time
	reason  mesospb.TaskStatus_Reason // for frameworks that know of agents that are gone
}

func (markedGone) event() {}

// markAgentGone ends an agent whose machine will not come back (mesos-api 4.2).
func (m *Master) markAgentGone(request Request, id mesos.AgentID) {
	switch {
	case !m.gone[id].IsZero():
		m.reply(request, 200, "")
	case m.changing[id] != nil:
		m.reply(request, 503, fmt.Sprintf("Agent '%s' is in transition; try again", id))
	case m.agents[id] == nil && m.unreachable[id] == nil:
		m.reply(request, 404, fmt.Sprintf("Agent '%s' not found", id))
	default:
		m.endAgent(markedGone{request, id, m.now, mesospb.TaskStatus_REASON_AGENT_REMOVED_BY_OPERATOR})
	}
}

func (m *Master) endAgent(then markedGone) {
	m.change(then.id, nil, then, goneOp(then.id, then.since))
	m.changing[then.id].gone = true
}

// markedGone: what ran there is gone, and the agent is told to end, also when it
// comes back (mesos-api 12.2).
func (m *Master) markedGone(ev markedGone) {
	m.gone[ev.id] = ev.since
	delete(m.unreachable, ev.id)
	if a := m.agents[ev.id]; a != nil {
		if a.session != 0 {
			m.tellAgent(a, &linkpb.Event{Type: linkpb.Event_SHUTDOWN.Enum(), Shutdown: &linkpb.Shutdown{Message: new(goneText)}})
		}
		m.endOperations(a, mesospb.OperationState_OPERATION_GONE_BY_OPERATOR, goneText)
		m.partAgent(a, func(row uint32) { m.goneTask(row, ev.reason) })
		m.forgetAgent(a)
	}
	m.reply(ev.request, 200, "")
	m.changed(ev.id)
}

// goneTask ends a task whose agent is gone.
func (m *Master) goneTask(row uint32, reason mesospb.TaskStatus_Reason) {
	state := m.frameworkOf[m.tasks.rows.at(row).framework].orLost(mesospb.TaskState_TASK_GONE_BY_OPERATOR)
	if state == mesospb.TaskState_TASK_LOST {
		reason = mesospb.TaskStatus_REASON_AGENT_REMOVED
	}
	m.endTask(row, state, reason, goneText)
}
