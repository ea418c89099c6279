package core

import (
	"strconv"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// Events for schedulers (mesos-api 8.14).

func subscribedEvent(id mesos.FrameworkID, master *mesospb.MasterInfo) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_SUBSCRIBED.Enum(), Subscribed: &schedulerpb.Event_Subscribed{
		FrameworkId: frameworkID(id), HeartbeatIntervalSeconds: new(HeartbeatInterval.Seconds()), MasterInfo: master,
	}}
}

func errorEvent(text string) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_ERROR.Enum(), Error: &schedulerpb.Event_Error{Message: new(text)}}
}

func offersEvent(list []*mesospb.Offer) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_OFFERS.Enum(), Offers: &schedulerpb.Event_Offers{Offers: list}}
}

func rescindEvent(id mesos.OfferID) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_RESCIND.Enum(), Rescind: &schedulerpb.Event_Rescind{OfferId: offerID(id)}}
}

func updateEvent(s *mesospb.TaskStatus) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_UPDATE.Enum(), Update: &schedulerpb.Event_Update{Status: s}}
}

func operationEvent(s *mesospb.OperationStatus) *schedulerpb.Event {
	return &schedulerpb.Event{
		Type:                  schedulerpb.Event_UPDATE_OPERATION_STATUS.Enum(),
		UpdateOperationStatus: &schedulerpb.Event_UpdateOperationStatus{Status: s},
	}
}

func failureEvent(id mesos.AgentID) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_FAILURE.Enum(), Failure: &schedulerpb.Event_Failure{AgentId: agentID(id)}}
}

func executorFailureEvent(id mesos.AgentID, x *linkpb.ExecutorExited) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_FAILURE.Enum(), Failure: &schedulerpb.Event_Failure{
		AgentId: agentID(id), ExecutorId: x.GetExecutorId(), Status: x.Status,
	}}
}

func messageEvent(id mesos.AgentID, x *linkpb.ExecutorMessage) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_MESSAGE.Enum(), Message: &schedulerpb.Event_Message{
		AgentId: agentID(id), ExecutorId: x.GetExecutorId(), Data: append([]byte{}, x.GetData()...),
	}}
}

// status is one that the master makes: it has no uuid, as nobody waits for its
// acknowledgement.
func (m *Master) status(task mesos.TaskID, agent mesos.AgentID, state mesospb.TaskState, reason mesospb.TaskStatus_Reason, text string) *mesospb.TaskStatus {
	return &mesospb.TaskStatus{
		TaskId: taskID(string(task)), State: state.Enum(), Message: new(text), AgentId: agentID(agent),
		Source: mesospb.TaskStatus_SOURCE_MASTER.Enum(), Reason: reason.Enum(),
		Timestamp: new(float64(m.now.UnixMicro()) / 1e6),
	}
}

// Events for operators (mesos-api 5).

// publishTaskAdded tells of a new row, whose TaskInfo is info.
func (m *Master) publishTaskAdded(row uint32, info *mesospb.TaskInfo) {
	t := taskMessage(m.tasks.rows.at(row), m.frameworkOf[m.tasks.rows.at(row).framework].id, info, m.tasks.history(row))
	m.do(Publish{&masterpb.Event{Type: masterpb.Event_TASK_ADDED.Enum(), TaskAdded: &masterpb.Event_TaskAdded{Task: t}}})
}

func (m *Master) publishTaskUpdated(f *framework, s *mesospb.TaskStatus, state mesospb.TaskState) {
	m.do(Publish{&masterpb.Event{Type: masterpb.Event_TASK_UPDATED.Enum(), TaskUpdated: &masterpb.Event_TaskUpdated{
		FrameworkId: frameworkID(f.id), Status: s, State: state.Enum(),
	}}})
}

func (m *Master) publishAgentAdded(a *agent) {
	view := m.viewAgent(a)
	m.do(Publish{&masterpb.Event{Type: masterpb.Event_AGENT_ADDED.Enum(), AgentAdded: &masterpb.Event_AgentAdded{Agent: view.message()}}})
}

func (m *Master) publishAgentRemoved(id mesos.AgentID) {
	m.do(Publish{&masterpb.Event{Type: masterpb.Event_AGENT_REMOVED.Enum(), AgentRemoved: &masterpb.Event_AgentRemoved{AgentId: agentID(id)}}})
}

// publishFramework tells of a new framework, or of a changed one.
func (m *Master) publishFramework(f *framework, added bool) {
	msg := f.head()
	if added {
		m.do(Publish{&masterpb.Event{
			Type: masterpb.Event_FRAMEWORK_ADDED.Enum(), FrameworkAdded: &masterpb.Event_FrameworkAdded{Framework: msg},
		}})
		return
	}
	m.do(Publish{&masterpb.Event{
		Type: masterpb.Event_FRAMEWORK_UPDATED.Enum(), FrameworkUpdated: &masterpb.Event_FrameworkUpdated{Framework: msg},
	}})
}

func (m *Master) publishFrameworkRemoved(f *framework) {
	m.do(Publish{&masterpb.Event{
		Type: masterpb.Event_FRAMEWORK_REMOVED.Enum(), FrameworkRemoved: &masterpb.Event_FrameworkRemoved{FrameworkInfo: f.info},
	}})
}

// head is a framework as operators' events show it: without what it has.
func (f *framework) head() *masterpb.Response_GetFrameworks_Framework {
	return &masterpb.Response_GetFrameworks_Framework{
		FrameworkInfo: f.info, Active: new(f.stream != ""), Connected: new(f.stream != ""), Recovered: new(f.recovered),
		RegisteredTime: timeInfo(f.registered), ReregisteredTime: timeInfo(f.reregistered), UnregisteredTime: timeInfo(f.unregistered),
	}
}

// taskMessage is a task as operators see it.
func taskMessage(t *task, framework mesos.FrameworkID, info *mesospb.TaskInfo, history []byte) *mesospb.Task {
	out := &mesospb.Task{
		Name: new(info.GetName()), TaskId: info.GetTaskId(), FrameworkId: frameworkID(framework), AgentId: info.GetAgentId(),
		State: t.current().Enum(), Resources: info.GetResources(),
		Statuses: statuses(history, info.GetTaskId().GetValue(), info.GetAgentId().GetValue()),
		Labels:   info.GetLabels(), Discovery: info.GetDiscovery(), Container: info.GetContainer(),
		HealthCheck: info.GetHealthCheck(), KillPolicy: info.GetKillPolicy(), Limits: info.GetLimits(),
	}
	command := info.GetCommand()
	if x := info.GetExecutor(); x != nil {
		out.ExecutorId, command = x.GetExecutorId(), x.GetCommand()
	}
	if command != nil {
		out.User = command.User
	}
	if t.sent() {
		out.StatusUpdateState, out.StatusUpdateUuid = mesospb.TaskState(t.forwarded).Enum(), append([]byte{}, t.uuid[:]...)
	}
	return out
}

func timeInfo(t time.Time) *mesospb.TimeInfo {
	nanos := int64(0)
	if !t.IsZero() {
		nanos = t.UnixNano()
	}
	return &mesospb.TimeInfo{Nanoseconds: new(nanos)}
}

// durationText is Mesos' way of writing a duration: "10mins", "15secs".
func durationText(d time.Duration) string {
	units := []struct {
		length time.Duration
		name   string
	}{{7 * 24 * time.Hour, "weeks"}, {24 * time.Hour, "days"}, {time.Hour, "hrs"}, {time.Minute, "mins"}, {time.Second, "secs"}, {time.Millisecond, "ms"}}
	for _, u := range units {
		if d >= u.length {
			return strconv.FormatFloat(float64(d)/float64(u.length), 'g', -1, 64) + u.name
		}
	}
	return strconv.FormatInt(d.Nanoseconds(), 10) + "ns"
}
