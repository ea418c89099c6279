package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/agent/link"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// An agent is a simulated one: it speaks the link like a real agent and says of
// each task that it runs, and after a while that it has finished.
type agent struct {
	cfg        *config
	boot       string
	registered func()      // called once
	back       func()      // called each time
	failed     func(error) // called for what a real agent would log

	mu      sync.Mutex
	once    sync.Once
	info    *mesospb.AgentInfo
	session *link.Session // nil until registered
	sent    uint64        // number of the last message
	heard   uint64        // number of the last event
	updates uint64        // uuids given
	tasks   map[taskKey]*task
}

type taskKey struct{ framework, task string }

// A task is what the agent has of one: its updates, of which the first is in flight.
type task struct {
	framework *mesospb.FrameworkInfo
	info      *mesospb.TaskInfo
	pending   []*mesospb.TaskStatus
	latest    *mesospb.TaskStatus
	acked     *mesospb.TaskState
}

// newAgent makes the agent numbered n, which tells it apart from the others by
// its port: they all have one address.
func newAgent(cfg *config, n int, boot string, total []*mesospb.Resource) *agent {
	return &agent{
		cfg: cfg, boot: fmt.Sprintf("%s-%d", boot, n), tasks: map[taskKey]*task{},
		info: &mesospb.AgentInfo{
			Hostname:  proto.String(agentName(n)),
			Port:      proto.Int32(int32(n) + 1),
			Resources: total,
		},
	}
}

func agentName(n int) string { return fmt.Sprintf("bench-%d", n) }

// Subscribing implements link.Peer.
func (a *agent) Subscribing(*link.Session) *linkpb.Subscribe {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &linkpb.Subscribe{
		Agent: a.info, Total: a.info.Resources, Capabilities: capabilities(),
		Version: proto.String("1.11.0"), Boot: proto.String(a.boot),
	}
	known := map[string]bool{}
	for key, t := range a.tasks {
		if !known[key.framework] {
			known[key.framework] = true
			s.Frameworks = append(s.Frameworks, t.framework)
		}
		s.Tasks = append(s.Tasks, &linkpb.TaskState{
			FrameworkId: t.framework.GetId(), Info: t.info, Status: t.latest, AcknowledgedState: t.acked,
		})
	}
	return s
}

func capabilities() []*mesospb.AgentInfo_Capability {
	var list []*mesospb.AgentInfo_Capability
	for _, c := range []mesospb.AgentInfo_Capability_Type{
		mesospb.AgentInfo_Capability_MULTI_ROLE,
		mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE,
		mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT,
	} {
		list = append(list, &mesospb.AgentInfo_Capability{Type: c.Enum()})
	}
	return list
}

// Disconnected implements link.Peer.
func (a *agent) Disconnected(_ *link.Session, why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.session, a.sent, a.heard = nil, 0, 0
	a.failed(fmt.Errorf("simulated agent disconnected: %w", why))
}

// Received implements link.Peer.
func (a *agent) Received(s *link.Session, e *linkpb.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.GetSeq() != a.heard+1 {
		s.Close(fmt.Errorf("event %d after %d", e.GetSeq(), a.heard))
		return
	}
	a.heard++
	switch e.GetType() {
	case linkpb.Event_REGISTERED:
		a.begin(s, e.GetRegistered())
	case linkpb.Event_SHUTDOWN:
		s.Close(errors.New(e.GetShutdown().GetMessage()))
	case linkpb.Event_PING:
		a.send(&linkpb.Message{Type: linkpb.Message_PONG.Enum()})
	case linkpb.Event_RUN_TASK:
		a.run(e.GetRunTask())
	case linkpb.Event_KILL_TASK:
		key := taskKey{e.GetKillTask().GetFrameworkId().GetValue(), e.GetKillTask().GetTaskId().GetValue()}
		a.end(key, mesospb.TaskState_TASK_KILLED)
	case linkpb.Event_ACKNOWLEDGE:
		a.acknowledged(e.GetAcknowledge())
	case linkpb.Event_SHUTDOWN_FRAMEWORK:
		a.forget(e.GetShutdownFramework().GetFrameworkId().GetValue())
	}
}

func (a *agent) begin(s *link.Session, e *linkpb.Registered) {
	a.session = s
	a.info = proto.CloneOf(a.info)
	a.info.Id = e.GetAgentId()
	for _, t := range a.tasks {
		a.sendUpdate(t)
	}
	a.once.Do(a.registered)
	a.back()
}

// send numbers a message and hands it to the link.
func (a *agent) send(m *linkpb.Message) {
	if a.session == nil {
		return
	}
	a.sent++
	m.Seq = proto.Uint64(a.sent)
	a.session.Send(m)
}

// run takes a task in: it is running at once.
func (a *agent) run(e *linkpb.RunTask) {
	key := taskKey{e.GetFramework().GetId().GetValue(), e.GetTask().GetTaskId().GetValue()}
	a.tasks[key] = &task{framework: e.GetFramework(), info: e.GetTask()}
	a.update(key, mesospb.TaskState_TASK_RUNNING)
	switch {
	case !a.cfg.Finish:
	case a.cfg.TaskDuration == 0:
		a.end(key, mesospb.TaskState_TASK_FINISHED)
	default:
		time.AfterFunc(a.cfg.TaskDuration, func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.end(key, mesospb.TaskState_TASK_FINISHED)
		})
	}
}

// end moves a task to its last state, unless it is there.
func (a *agent) end(key taskKey, state mesospb.TaskState) {
	if t := a.tasks[key]; t != nil && !mesos.Terminal(t.latest.GetState()) {
		a.update(key, state)
	}
}

// update appends an update, and sends it if it is the only one.
func (a *agent) update(key taskKey, state mesospb.TaskState) {
	t := a.tasks[key]
	t.latest = &mesospb.TaskStatus{
		TaskId: t.info.GetTaskId(), AgentId: a.info.GetId(), State: state.Enum(),
		Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(), Uuid: a.uuid(),
		Timestamp: proto.Float64(float64(time.Now().UnixMicro()) / 1e6),
	}
	t.pending = append(t.pending, t.latest)
	if len(t.pending) == 1 {
		a.sendUpdate(t)
	}
}

// uuid is unique among the updates of one agent, which is what it is for.
func (a *agent) uuid() []byte {
	a.updates++
	id := binary.BigEndian.AppendUint64(nil, uint64(a.info.GetPort()))
	return binary.BigEndian.AppendUint64(id, a.updates)
}

func (a *agent) sendUpdate(t *task) {
	if len(t.pending) == 0 {
		return
	}
	a.send(&linkpb.Message{Type: linkpb.Message_STATUS_UPDATE.Enum(), StatusUpdate: &linkpb.StatusUpdate{
		FrameworkId: t.framework.GetId(), Status: t.pending[0], LatestState: t.latest.GetState().Enum(),
	}})
}

// acknowledged goes on to a task's next update, or forgets it after the last.
func (a *agent) acknowledged(e *linkpb.Acknowledge) {
	key := taskKey{e.GetFrameworkId().GetValue(), e.GetTaskId().GetValue()}
	t := a.tasks[key]
	if t == nil || len(t.pending) == 0 || string(t.pending[0].Uuid) != string(e.GetUuid()) {
		return // a repeat
	}
	t.acked = t.pending[0].State
	t.pending = t.pending[1:]
	if len(t.pending) == 0 && mesos.Terminal(*t.acked) {
		delete(a.tasks, key)
		return
	}
	a.sendUpdate(t)
}

func (a *agent) forget(framework string) {
	for key := range a.tasks {
		if key.framework == framework {
			delete(a.tasks, key)
		}
	}
}
