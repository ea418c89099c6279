package core

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// draining reports whether tasks are being ended for an operator.
func (s standing) draining() bool { return s.drain.GetState() == mesospb.DrainState_DRAINING }

// drainAgent ends what runs on an agent (mesos-api 22.2). The master does the
// killing, so that any agent can be drained.
func (m *Master) drainAgent(ev Operated, call *masterpb.Call_DrainAgent) {
	id := agentOf(call)
	_, known := m.standing(id)
	switch c := m.changing[id]; {
	case c != nil && c.gone:
		m.reply(ev.Request, 409, "Agent is currently being marked gone")
	case m.postponed(id, ev):
	case !known:
		m.reply(ev.Request, 400, "Unknown agent")
	case m.scheduled(id):
		a := m.agents[id]
		machine := validation.MachineText(&mesospb.MachineID{Hostname: &a.hostname, Ip: &a.ip})
		m.reply(ev.Request, 400, fmt.Sprintf("Agent %s is part of a maintenance schedule under Machine %s", id, machine))
	default:
		m.changeStanding(ev.Request, id, standing{
			deactivated: true, drain: drainInfo(mesospb.DrainState_DRAINING, drainConfig(call)), drainSince: m.now.Truncate(time.Second),
		})
	}
}

// scheduled reports whether operators plan to work on an agent's machine.
func (m *Master) scheduled(id mesos.AgentID) bool {
	a := m.agents[id]
	return a != nil && m.unavailability(a) != nil
}

func drainConfig(call *masterpb.Call_DrainAgent) *mesospb.DrainConfig {
	c := &mesospb.DrainConfig{MarkGone: new(call.GetMarkGone())}
	if d := call.GetMaxGracePeriod(); d != nil {
		const most = math.MaxInt64/int64(time.Second) - 1
		seconds := min(max(d.GetSeconds(), -most), most)
		c.MaxGracePeriod = &mesospb.DurationInfo{Nanoseconds: new(seconds*1e9 + int64(d.GetNanos()%1e9))}
	}
	return c
}

func drainInfo(state mesospb.DrainState, config *mesospb.DrainConfig) *mesospb.DrainInfo {
	return &mesospb.DrainInfo{State: state.Enum(), Config: config}
}

// drainTasks has the tasks of an agent killed, if it is drained and connected.
func (m *Master) drainTasks(a *agent) {
	if !a.draining() || a.session == 0 {
		return
	}
	if a.drainSince.IsZero() {
		a.drainSince = m.now.Truncate(time.Second)
	}
	for row := range m.tasks.walk(a.tasks, byAgent) {
		if !mesos.Terminal(m.tasks.rows.at(row).current()) {
			m.sendKill(a, m.frameworkOf[m.tasks.rows.at(row).framework], m.tasks.id(row), m.drainPolicy(a, row))
		}
	}
	m.settle(a)
}

// drainPolicy is how a task is killed: with its own grace, but no longer than
// the operator allows, or that of the operator if it has none.
func (m *Master) drainPolicy(a *agent, row uint32) *mesospb.KillPolicy {
	most := a.drain.GetConfig().GetMaxGracePeriod()
	own := unmarshal(m.tasks.info(row), &mesospb.TaskInfo{}).GetKillPolicy().GetGracePeriod()
	switch {
	case most == nil:
		return nil
	case own != nil && own.GetNanoseconds() < most.GetNanoseconds():
		return &mesospb.KillPolicy{GracePeriod: own}
	}
	return &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: new(max(most.GetNanoseconds(), 0))}}
}

// drained is an update of a task that was killed because its agent is drained.
func drained(a *agent, f *framework, u *linkpb.StatusUpdate) *linkpb.StatusUpdate {
	reason := mesospb.TaskStatus_REASON_AGENT_DRAINING.Enum()
	gone := func(state mesospb.TaskState) bool {
		return state == mesospb.TaskState_TASK_KILLED && a.drain.GetConfig().GetMarkGone() &&
			f.can(mesospb.FrameworkInfo_Capability_PARTITION_AWARE)
	}
	u = proto.CloneOf(u)
	switch state := u.GetStatus().GetState(); {
	case gone(state):
		u.Status.State, u.Status.Reason = mesospb.TaskState_TASK_GONE_BY_OPERATOR.Enum(), reason
	case state == mesospb.TaskState_TASK_KILLED || state == mesospb.TaskState_TASK_KILLING:
		u.Status.Reason = reason
	}
	if u.LatestState != nil && gone(u.GetLatestState()) {
		u.LatestState = mesospb.TaskState_TASK_GONE_BY_OPERATOR.Enum()
	}
	return u
}

// settle has a draining agent looked at when the step is over.
func (m *Master) settle(a *agent) {
	if a.draining() {
		m.settling = append(m.settling, a)
	}
}

// finishDrains: a drain is over when nothing is left, acknowledgements included.
func (m *Master) finishDrains() {
	settling := m.settling
	m.settling = nil
	for _, a := range settling {
		if m.agents[a.id] != a || !a.draining() || a.recovered || a.tasks.n > 0 || m.changing[a.id] != nil {
			continue
		}
		if len(a.executors) > 0 {
			m.endExecutors(a)
			continue
		}
		if a.drain.GetConfig().GetMarkGone() {
			m.endAgent(markedGone{0, a.id, m.now, mesospb.TaskStatus_REASON_AGENT_DRAINING})
			continue
		}
		s := a.standing
		s.drain = drainInfo(mesospb.DrainState_DRAINED, s.drain.GetConfig())
		m.changeStanding(0, a.id, s)
	}
}

// endExecutors asks executors to end that have no tasks left.
func (m *Master) endExecutors(a *agent) {
	if a.session == 0 {
		return
	}
	for _, x := range a.executors {
		m.tellAgent(a, &linkpb.Event{Type: linkpb.Event_SHUTDOWN_EXECUTOR.Enum(), ShutdownExecutor: &linkpb.ShutdownExecutor{
			FrameworkId: frameworkID(m.frameworkOf[x.framework].id), ExecutorId: executorID(string(x.id)),
		}})
	}
}
