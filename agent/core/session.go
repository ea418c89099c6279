package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/soukproject/souk/agent/statusupdate"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// registerPatience is how long a master may take to answer a Subscribe, which
// includes making the admission durable.
const registerPatience = time.Minute

// session is the subscription at a master, if there is one.
type session struct {
	id         Session // 0: none
	broken     bool    // ended by us; the shell has not said so yet
	registered bool
	received   uint64    // seq of the last event
	sent       uint64    // seq of the last message
	heard      time.Time // of the last event, or when it was opened
	patience   time.Duration
}

// deadline is when the master has been silent for too long.
func (s *session) deadline() (at time.Time, ok bool) {
	return s.heard.Add(s.patience), s.id != 0 && !s.broken
}

// connectLater begins an attempt to subscribe, once what it tells is stored.
func (a *Agent) connectLater(now time.Time, id Session) {
	a.session, a.parked = session{}, nil
	a.pause()
	if a.leaving == "" && a.unsettled() {
		a.connecting = id
		return
	}
	a.connect(now, id)
}

// connect tells all that the agent is and has.
func (a *Agent) connect(now time.Time, id Session) {
	if a.leaving != "" {
		a.emit(Disconnect{Session: id, Why: a.leaving})
		return
	}
	a.session = session{id: id, heard: now, patience: registerPatience}
	a.emit(Subscribe{Session: id, Subscribe: a.subscribe()})
}

func (a *Agent) subscribe() *linkpb.Subscribe {
	s := &linkpb.Subscribe{
		Agent:        a.info,
		Total:        a.total.Proto(resources.PostRefinement),
		Operations:   a.operationMessages(),
		Capabilities: Capabilities(),
		Version:      &a.cfg.Version,
		Boot:         &a.cfg.Boot,
	}
	if a.cfg.Reached != "" {
		s.Ip = &a.cfg.Reached
	}
	for _, f := range a.frameworks {
		if len(f.tasks) > 0 || len(f.executors) > 0 {
			s.Frameworks = append(s.Frameworks, f.info)
		}
		for _, t := range f.tasks {
			s.Tasks = append(s.Tasks, t.report())
		}
		for _, x := range f.executors {
			if x.own != nil && x.phase < ended && x.phase > intended {
				s.Executors = append(s.Executors, &linkpb.Executor{FrameworkId: f.wireID(), Info: x.own.info})
			}
		}
	}
	return s
}

// report is what the master is told of t at subscription: nothing that is not durable.
func (t *task) report() *linkpb.TaskState {
	r := &linkpb.TaskState{FrameworkId: t.framework.wireID(), Info: t.info, Status: t.stream.Latest()}
	if acknowledged := t.stream.Acknowledged(); acknowledged != nil {
		r.AcknowledgedState = acknowledged.GetState().Enum()
	}
	return r
}

// Capabilities are those of Mesos' agents that this one has, in their order.
func Capabilities() []*mesospb.AgentInfo_Capability {
	var list []*mesospb.AgentInfo_Capability
	for _, c := range []mesospb.AgentInfo_Capability_Type{
		mesospb.AgentInfo_Capability_MULTI_ROLE,
		mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE,
		mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT,
		mesospb.AgentInfo_Capability_RESOURCE_PROVIDER,
		mesospb.AgentInfo_Capability_RESIZE_VOLUME,
		mesospb.AgentInfo_Capability_AGENT_OPERATION_FEEDBACK,
		mesospb.AgentInfo_Capability_TASK_RESOURCE_LIMITS,
	} {
		list = append(list, &mesospb.AgentInfo_Capability{Type: c.Enum()})
	}
	return list
}

func (a *Agent) disconnected(id Session) {
	if id == a.connecting {
		a.connecting = 0
		return
	}
	if id != a.session.id {
		return // an attempt that was refused, or one replaced since
	}
	a.session, a.parked = session{}, nil
	a.pause()
}

// pause holds back updates until there is a master to take them.
func (a *Agent) pause() {
	for t := range a.tasks() {
		t.stream.Pause()
	}
}

// hangUp ends the session from this side.
func (a *Agent) hangUp(why string) {
	a.session.broken, a.parked = true, nil
	a.pause()
	a.emit(Disconnect{Session: a.session.id, Why: why})
}

// checkSilence gives a master up that has not been heard for too long.
func (a *Agent) checkSilence(now time.Time) {
	at, ok := a.session.deadline()
	if !ok || now.Before(at) {
		return
	}
	a.hangUp(fmt.Sprintf("nothing heard from the master for %v", a.session.patience))
}

// received takes the next event of the master. One that came before changes
// nothing; when one is missing, the session is worth nothing any more.
func (a *Agent) received(now time.Time, id Session, e *linkpb.Event) {
	s := &a.session
	if id != s.id || s.broken {
		a.refuse("event", e.GetType().String(), "its session is over")
		return
	}
	switch {
	case e.GetSeq() <= s.received:
		a.refuse("event", e.GetType().String(), "it came before")
		return
	case e.GetSeq() != s.received+1:
		a.hangUp(fmt.Sprintf("event %d of the master follows event %d", e.GetSeq(), s.received))
		return
	}
	s.received = e.GetSeq()
	s.heard = now
	a.dispatch(now, e)
}

func (a *Agent) dispatch(now time.Time, e *linkpb.Event) {
	switch t := e.GetType(); {
	case t == linkpb.Event_REGISTERED:
		a.registered(now, e.GetRegistered())
	case t == linkpb.Event_SHUTDOWN:
		a.shutdown(now, e.GetShutdown())
	case !a.session.registered:
		a.hangUp(fmt.Sprintf("master sent %v before REGISTERED", t))
	case t == linkpb.Event_PING:
		a.send(&linkpb.Message{Type: linkpb.Message_PONG.Enum()})
	case a.working != nil:
		a.parked = append(a.parked, e)
	case t == linkpb.Event_APPLY_OPERATION:
		a.applyOperation(now, e.GetApplyOperation())
	case t == linkpb.Event_ACKNOWLEDGE_OPERATION:
		a.acknowledgeOperation(e.GetAcknowledgeOperation())
	case t == linkpb.Event_RUN_TASK:
		a.runTask(now, e.GetRunTask())
	case t == linkpb.Event_RUN_GROUP:
		a.runGroup(now, e.GetRunGroup())
	case t == linkpb.Event_KILL_TASK:
		a.killTask(now, e.GetKillTask())
	case t == linkpb.Event_ACKNOWLEDGE:
		a.acknowledge(now, e.GetAcknowledge())
	case t == linkpb.Event_UPDATE_FRAMEWORK:
		a.updateFramework(e.GetUpdateFramework().GetFramework())
	case t == linkpb.Event_SHUTDOWN_FRAMEWORK:
		a.shutdownFramework(now, frameworkID(e.GetShutdownFramework().GetFrameworkId()))
	case t == linkpb.Event_SHUTDOWN_EXECUTOR:
		a.shutdownExecutor(now, e.GetShutdownExecutor())
	case t == linkpb.Event_EXECUTOR_MESSAGE:
		a.messageExecutor(e.GetExecutorMessage())
	default:
		a.refuse("event", t.String(), "this agent does not know it")
	}
}

// registered begins the time in which the agent is of use.
func (a *Agent) registered(now time.Time, r *linkpb.Registered) {
	id := r.GetAgentId().GetValue()
	switch {
	case a.session.registered:
		a.refuse("event", "REGISTERED", "it came before in this session")
		return
	case id == "" || a.id() != "" && a.id() != mesos.AgentID(id):
		a.hangUp(fmt.Sprintf("master says this agent is '%s', not '%s'", id, a.id()))
		return
	case a.id() == "":
		a.admit(id)
	}
	a.session.registered = true
	a.session.patience = patience(r)
	for t := range a.tasks() {
		a.sendUpdate(t, t.stream.Resume(now))
	}
	for _, op := range a.operations {
		a.tellOperation(now, op, statusupdate.MinBackoff)
	}
}

// admit gives the agent its id, for as long as its work directory lives.
func (a *Agent) admit(id string) {
	a.info = withID(a.cfg.Info, id)
	a.persist(nil, a.record())
}

func patience(r *linkpb.Registered) time.Duration {
	d := time.Duration(r.GetPingTimeoutSeconds() * float64(r.GetMaxPingTimeouts()) * float64(time.Second))
	if d <= 0 {
		return registerPatience
	}
	return d
}

// send numbers a message and gives it to the master.
func (a *Agent) send(m *linkpb.Message) {
	a.session.sent++
	m.Seq = new(a.session.sent)
	a.emit(Send{Session: a.session.id, Message: m})
}

// resendDue is when the oldest update of t is to be sent again. While an
// acknowledgement is being stored, none is.
func (t *task) resendDue() (at time.Time, ok bool) {
	at, ok = t.stream.Deadline()
	return at, ok && t.settling == 0
}

// sendUpdate sends an update that t's stream says is due; nil is none. None goes
// while the acknowledgement of the one before it is being stored.
func (a *Agent) sendUpdate(t *task, status *mesospb.TaskStatus) {
	if status == nil || t.settling > 0 {
		return
	}
	a.send(&linkpb.Message{
		Type: linkpb.Message_STATUS_UPDATE.Enum(),
		StatusUpdate: &linkpb.StatusUpdate{
			FrameworkId: t.framework.wireID(),
			Status:      status,
			LatestState: t.stream.Latest().GetState().Enum(),
		},
	})
}

// shutdown ends the agent: its id is worth nothing any more.
func (a *Agent) shutdown(now time.Time, s *linkpb.Shutdown) {
	a.leaving = "shut down by the master"
	if s.GetMessage() != "" {
		a.leaving += ": " + s.GetMessage()
	}
	a.hangUp(a.leaving)
	for _, f := range slices.Clone(a.frameworks) {
		a.removeFramework(now, f)
	}
	a.leave()
}

// leave ends the process once nothing runs any more and that is stored.
func (a *Agent) leave() {
	if a.leaving == "" || len(a.frameworks) > 0 {
		return
	}
	a.info = a.cfg.Info
	a.persist(func(time.Time) { a.emit(Exit{Why: a.leaving}) }, goneAgent())
}
