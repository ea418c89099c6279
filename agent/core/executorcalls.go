package core

import (
	"bytes"
	"slices"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// Stream is one subscription of an executor; the shell mints them, never twice.
// 0 is none.
type Stream uint64

// uuidLength is that of an update's uuid.
const uuidLength = 16

// caller finds the executor that makes a call, or says why not (mesos-api 13.1).
func (a *Agent) caller(c *executorpb.Call) (x *executor, code int, why string) {
	f := a.framework(frameworkID(c.GetFrameworkId()))
	if f == nil {
		return nil, 400, "Framework cannot be found"
	}
	x = f.liveExecutor(mesos.ExecutorID(c.GetExecutorId().GetValue()))
	if x == nil || x.own.builtIn() {
		return nil, 400, "Executor cannot be found"
	}
	return x, 0, ""
}

// executorSubscribed takes an executor in: it is told who it is, what it must do
// by now, and what is stored of what it has to say.
func (a *Agent) executorSubscribed(now time.Time, ev ExecutorSubscribed) {
	x, code, why := a.caller(ev.Call)
	if code == 0 && x.phase == intended {
		code, why = 400, "Executor cannot be found"
	}
	if code != 0 {
		a.emit(Reply{Stream: ev.Stream, Code: code, Text: why})
		return
	}
	a.emit(Reply{Stream: ev.Stream, Code: 200})
	a.hangUpOn(x)
	x.own.stream, x.own.due = ev.Stream, time.Time{}
	if x.phase == launching { // it is faster than the news of its launch
		x.phase, x.launched = running, now
	}
	a.tell(x, &executorpb.Event{Type: executorpb.Event_SUBSCRIBED.Enum(), Subscribed: &executorpb.Event_Subscribed{
		ExecutorInfo: x.own.info, FrameworkInfo: x.framework.info, AgentInfo: a.info, ContainerId: x.wire(),
	}})
	if x.own.ending || x.framework.removing || !x.own.served && len(x.live()) == 0 {
		a.refuseWork(now, x)
		return
	}
	for _, u := range ev.Call.GetSubscribe().GetUnacknowledgedUpdates() {
		a.executorUpdate(now, x, u.GetStatus())
	}
	a.dropUnknown(now, x, ev.Call.GetSubscribe().GetUnacknowledgedTasks())
	for _, t := range x.live() {
		a.tellKill(t)
	}
	if x.own.subscribed {
		a.deliver(now, x)
		return
	}
	x.own.subscribed = true
	a.persist(func(now time.Time) {
		x.own.welcome = true
		a.deliver(now, x)
	}, x.record())
}

// refuseWork tells an executor that there is nothing for it to do.
func (a *Agent) refuseWork(now time.Time, x *executor) {
	if x.stop.next == none {
		a.shutdownOwn(now, x)
		return
	}
	a.tell(x, &executorpb.Event{Type: executorpb.Event_SHUTDOWN.Enum()})
}

// dropUnknown ends the tasks that were sent to an executor which does not have
// them: they were on their way when the connection, or the agent, went.
func (a *Agent) dropUnknown(now time.Time, x *executor, has []*mesospb.TaskInfo) {
	for _, t := range x.live() {
		known := slices.ContainsFunc(has, func(h *mesospb.TaskInfo) bool { return h.GetTaskId().GetValue() == string(t.id) })
		if t.sent && !known && t.state == mesospb.TaskState_TASK_STAGING {
			a.update(now, t, nil, a.agentStatus(now, t, t.framework.lostState(), mesospb.TaskStatus_REASON_AGENT_RESTARTED,
				"Task launched during agent restart"))
		}
	}
}

// executorCalled answers any other call of an executor.
func (a *Agent) executorCalled(now time.Time, ev ExecutorCalled) {
	x, code, why := a.caller(ev.Call)
	switch {
	case code != 0:
	case x.own.stream == 0:
		code, why = 403, "Executor is not subscribed"
	default:
		code, why = a.executorCall(now, x, ev.Call)
	}
	a.emit(Reply{Stream: ev.Request, Code: code, Text: why})
}

func (a *Agent) executorCall(now time.Time, x *executor, c *executorpb.Call) (code int, why string) {
	switch c.GetType() {
	case executorpb.Call_UPDATE:
		a.executorUpdate(now, x, c.GetUpdate().GetStatus())
	case executorpb.Call_MESSAGE:
		a.executorSays(x, c.GetMessage().GetData())
	case executorpb.Call_HEARTBEAT:
	default:
		return 501, ""
	}
	return 202, ""
}

// executorUpdate stores an update of an executor, tells it so, and sends it on.
// One that comes again, or that nothing can be made of, is acknowledged at once:
// the executor is to keep it no longer.
func (a *Agent) executorUpdate(now time.Time, x *executor, s *mesospb.TaskStatus) {
	t := x.framework.task(mesos.TaskID(s.GetTaskId().GetValue()))
	switch {
	case len(s.GetUuid()) != uuidLength || s.GetState() == mesospb.TaskState_TASK_STAGING:
		a.refuse("update of executor", string(x.id), "it has no uuid, or says TASK_STAGING")
	case t == nil || t.executor != x:
		a.refuse("update of executor", string(x.id), "its task '"+s.GetTaskId().GetValue()+"' is not known")
		a.tellAcknowledged(x, s)
	case t.stream.Knows(s.GetUuid()):
		a.tellAcknowledged(x, s)
	case slices.ContainsFunc(t.unstored, func(u *mesospb.TaskStatus) bool { return bytes.Equal(u.GetUuid(), s.GetUuid()) }):
		a.persist(func(time.Time) { a.tellAcknowledged(x, s) }) // with the write that is under way
	case !mesos.MayFollow(t.state, s.GetState()):
		a.counters.Illegal++
		a.refuse("update of executor", string(x.id), s.GetState().String()+" does not follow "+t.state.String()+" of task '"+string(t.id)+"'")
		a.tellAcknowledged(x, s)
	default:
		a.update(now, t, func(time.Time) { a.storedOwn(x, s) }, a.fullStatus(now, x, s))
	}
}

// storedOwn follows when an update of an executor is durable.
func (a *Agent) storedOwn(x *executor, s *mesospb.TaskStatus) {
	a.tellAcknowledged(x, s)
	if mesos.Terminal(s.GetState()) && x.phase == running {
		a.emit(Resize{Container: x.container.id, Limits: a.ownLimits(x)})
	}
}

func (a *Agent) tellAcknowledged(x *executor, s *mesospb.TaskStatus) {
	a.tell(x, &executorpb.Event{Type: executorpb.Event_ACKNOWLEDGED.Enum(), Acknowledged: &executorpb.Event_Acknowledged{
		TaskId: s.GetTaskId(), Uuid: s.GetUuid(),
	}})
}

// executorSays passes data on to the scheduler; there is no promise that it arrives.
func (a *Agent) executorSays(x *executor, data []byte) {
	if !a.session.registered || a.session.broken {
		a.counters.InvalidMessages++
		a.refuse("message of executor", string(x.id), "there is no master to pass it on")
		return
	}
	a.counters.Messages++
	a.send(&linkpb.Message{Type: linkpb.Message_EXECUTOR_MESSAGE.Enum(), ExecutorMessage: &linkpb.ExecutorMessage{
		FrameworkId: x.framework.wireID(), ExecutorId: x.own.info.GetExecutorId(), Data: data,
	}})
}

// messageExecutor passes data on from the scheduler. The built-in executor
// ignores messages, as Mesos' does.
func (a *Agent) messageExecutor(m *linkpb.ExecutorMessage) {
	id := m.GetExecutorId().GetValue()
	f := a.framework(frameworkID(m.GetFrameworkId()))
	var x *executor
	if f != nil {
		x = f.liveExecutor(mesos.ExecutorID(id))
	}
	if x == nil || x.own.stream == 0 {
		a.counters.InvalidMessages++
		a.refuse("executor message", id, "no such executor is subscribed")
		return
	}
	a.counters.Messages++
	a.tell(x, &executorpb.Event{Type: executorpb.Event_MESSAGE.Enum(), Message: &executorpb.Event_Message{Data: m.GetData()}})
}

func (a *Agent) executorDisconnected(id Stream) {
	for _, f := range a.frameworks {
		for _, x := range f.executors {
			if x.own != nil && x.own.stream == id {
				x.own.stream = 0
			}
		}
	}
}

// tell sends an event to an executor if it is subscribed.
func (a *Agent) tell(x *executor, e *executorpb.Event) {
	if x.own.stream != 0 {
		a.emit(Tell{Stream: x.own.stream, Event: e})
	}
}

// hangUpOn ends the subscription of an executor, if it has one.
func (a *Agent) hangUpOn(x *executor) {
	if x.own.stream != 0 {
		a.emit(HangUp{Stream: x.own.stream})
		x.own.stream = 0
	}
}
