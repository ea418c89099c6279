package core

import (
	"bytes"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

const uuidLength = 16

// statusUpdate takes in the oldest unacknowledged update of a task: the scheduler
// hears of it if it is there; if not, the agent repeats it (mesos-api 11.3).
func (m *Master) statusUpdate(a *agent, u *linkpb.StatusUpdate) {
	m.count.messages["status_update"]++
	s := u.GetStatus()
	f := m.frameworks[mesos.FrameworkID(u.GetFrameworkId().GetValue())]
	switch {
	case s == nil || len(s.GetUuid()) != uuidLength:
		m.invalidUpdate(s, "it has no uuid")
		return
	case !named(s.GetState()) || !named(u.GetLatestState()):
		m.invalidUpdate(s, "it is of no known state")
		return
	case f == nil:
		m.invalidUpdate(s, "its framework is unknown")
		return
	case f.completed:
		m.invalidUpdate(s, "its framework was removed")
		m.shutDown(f.id, a)
		return
	}
	if a.draining() {
		u = drained(a, f, u)
		s = u.GetStatus()
	}
	row, ok := m.activeTask(f, mesos.TaskID(s.GetTaskId().GetValue()))
	if ok && m.tasks.rows.at(row).agent != a.handle {
		m.invalidUpdate(s, "the task is on another agent than "+string(a.id))
		m.tellAgent(a, acknowledgeEvent(f.id, s.GetTaskId(), s.GetUuid())) // or it would repeat it for ever
		return
	}
	if ok && m.tasks.rows.at(row).is(disowned) {
		m.hush(a, f, row, u)
		return
	}
	m.tellFramework(f, updateEvent(s)) // of an unknown task, too: its agent repeats it until it is acknowledged
	if !ok {
		m.invalidUpdate(s, "the task is not known to be on agent "+string(a.id))
		return
	}
	m.count.statusUpdates.valid++
	m.record(f, row, u)
}

// hush takes the place of a scheduler that was told that a task is over: it may
// have begun another one of that name. An agent of Mesos that restarts ends such
// tasks, and says nothing of them (mesos-api 19.4).
func (m *Master) hush(a *agent, f *framework, row uint32, u *linkpb.StatusUpdate) {
	s := u.GetStatus()
	m.record(f, row, u)
	m.tellAgent(a, acknowledgeEvent(f.id, s.GetTaskId(), s.GetUuid()))
	if mesos.Terminal(s.GetState()) {
		m.retire(row)
	}
}

func acknowledgeEvent(f mesos.FrameworkID, task *mesospb.TaskID, uuid []byte) *linkpb.Event {
	return &linkpb.Event{Type: linkpb.Event_ACKNOWLEDGE.Enum(), Acknowledge: &linkpb.Acknowledge{
		FrameworkId: frameworkID(f), TaskId: task, Uuid: uuid,
	}}
}

func named(s mesospb.TaskState) bool { _, ok := mesospb.TaskState_name[int32(s)]; return ok }

func (m *Master) invalidUpdate(s *mesospb.TaskStatus, why string) {
	m.count.statusUpdates.invalid++
	m.refuse("status update", s.GetTaskId().GetValue(), why)
}

// record writes an update into a task. Nothing moves a task that is over.
func (m *Master) record(f *framework, row uint32, u *linkpb.StatusUpdate) {
	s := u.GetStatus()
	latest := s.GetState()
	if u.LatestState != nil {
		latest = u.GetLatestState()
	}
	before := m.tasks.rows.at(row).current()
	repeated := bytes.Equal(m.tasks.rows.at(row).uuid[:], s.GetUuid())
	if has := m.tasks.rows.at(row).shown(); f.stream != "" && (mesos.Terminal(s.GetState()) || !mesos.Terminal(has)) {
		t := m.tasks.rows.edit(row)
		t.forwarded = uint8(s.GetState())
		copy(t.uuid[:], s.GetUuid())
	}
	m.remember(row, s)
	switch {
	case mesos.Terminal(before) && latest == before: // it was known from an older update
	case latest == mesospb.TaskState_TASK_UNREACHABLE:
		m.refuse("task state", m.tasks.id(row), "TASK_UNREACHABLE is for the master to say")
	default:
		m.setState(row, latest)
	}
	if !repeated {
		m.countCause(s)
	}
	if s.GetState() != before || isCheck(s) {
		m.publishTaskUpdated(f, s, m.tasks.rows.at(row).current())
	}
}

// isCheck: news of checks are told to operators though the state is the same.
func isCheck(s *mesospb.TaskStatus) bool {
	return s.GetReason() == mesospb.TaskStatus_REASON_TASK_CHECK_STATUS_UPDATED ||
		s.GetReason() == mesospb.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED
}

// acknowledge passes on that a scheduler has an update; that of a terminal one
// ends the task (mesos-api 8.11).
func (m *Master) acknowledge(f *framework, call *schedulerpb.Call_Acknowledge) {
	m.count.messages["status_update_acknowledgement"]++
	a := m.agents[mesos.AgentID(call.GetAgentId().GetValue())]
	if a == nil || a.session == 0 {
		m.invalidAcknowledgement(call, "the agent is not connected")
		return
	}
	row, ok := m.activeTask(f, mesos.TaskID(call.GetTaskId().GetValue()))
	if ok && m.tasks.rows.at(row).agent == a.handle {
		t := m.tasks.rows.at(row)
		if !t.sent() {
			m.invalidAcknowledgement(call, "no update was sent")
			return
		}
		if mesos.Terminal(t.shown()) && bytes.Equal(t.uuid[:], call.GetUuid()) {
			m.retire(row)
		}
	}
	m.count.acknowledgements.valid++
	m.tellAgent(a, acknowledgeEvent(f.id, call.GetTaskId(), call.GetUuid()))
}

func (m *Master) invalidAcknowledgement(call *schedulerpb.Call_Acknowledge, why string) {
	m.count.acknowledgements.invalid++
	m.refuse("acknowledgement", call.GetTaskId().GetValue(), why)
}
