package core

import (
	"fmt"
	"slices"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	allocatorpb "github.com/soukproject/souk/proto/mesos/v1/allocator"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// called answers a call of a scheduler. What is wrong with its content is never
// an HTTP error: it shows in events, or has no effect (mesos-api 8.2).
func (m *Master) called(ev Called) {
	f := m.frameworks[mesos.FrameworkID(ev.Call.GetFrameworkId().GetValue())]
	if code, text := m.admissible(f, ev); code != 0 {
		m.do(Reply{Request: ev.Request, Code: code, Text: text})
		return
	}
	m.count.calls[ev.Call.GetType()]++
	f.count.calls.add(int32(ev.Call.GetType()))
	if ev.Call.GetType() == schedulerpb.Call_TEARDOWN {
		m.count.messages["unregister_framework"]++
		m.tearDown(f, ev.Request, 202)
		return
	}
	code, text := m.call(f, ev.Call)
	m.do(Reply{Request: ev.Request, Code: code, Text: text})
}

// admissible checks who calls; code 0 means that the call is served.
func (m *Master) admissible(f *framework, ev Called) (code int, text string) {
	switch {
	case f == nil || f.completed:
		return 400, "Framework cannot be found"
	case ev.Principal != "" && ev.Principal != f.info.GetPrincipal():
		return 400, fmt.Sprintf("Authenticated principal '%s' does not match principal '%s' set in `FrameworkInfo`", ev.Principal, f.info.GetPrincipal())
	case f.stream == "":
		return 403, "Framework is not subscribed"
	case ev.Stream == "":
		return 400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header"
	case ev.Stream != f.stream:
		return 400, fmt.Sprintf("The stream ID '%s' included in this request didn't match the stream ID currently associated with framework ID %s", ev.Stream, f.id)
	}
	return 0, ""
}

// call serves one call of a connected framework, other than TEARDOWN.
func (m *Master) call(f *framework, c *schedulerpb.Call) (code int, text string) {
	switch c.GetType() {
	case schedulerpb.Call_ACCEPT:
		m.accept(f, c.GetAccept())
	case schedulerpb.Call_DECLINE:
		m.decline(f, c.GetDecline())
	case schedulerpb.Call_REVIVE:
		m.revive(f, c.GetRevive().GetRoles())
	case schedulerpb.Call_SUPPRESS:
		m.suppress(f, c.GetSuppress().GetRoles())
	case schedulerpb.Call_KILL:
		m.kill(f, c.GetKill())
	case schedulerpb.Call_SHUTDOWN:
		m.shutdownExecutor(f, c.GetShutdown())
	case schedulerpb.Call_ACKNOWLEDGE:
		m.acknowledge(f, c.GetAcknowledge())
	case schedulerpb.Call_RECONCILE:
		m.reconcile(f, c.GetReconcile())
	case schedulerpb.Call_MESSAGE:
		m.message(f, c.GetMessage())
	case schedulerpb.Call_RECONCILE_OPERATIONS:
		m.reconcileOperations(f, c.GetReconcileOperations())
	case schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS:
		m.acknowledgeOperation(f, c.GetAcknowledgeOperationStatus())
	case schedulerpb.Call_UPDATE_FRAMEWORK:
		return m.updateFramework(f, c.GetUpdateFramework())
	case schedulerpb.Call_REQUEST:
		m.count.messages["resource_request"]++ // allocators do not listen to requests
	case schedulerpb.Call_ACCEPT_INVERSE_OFFERS:
		x := c.GetAcceptInverseOffers()
		m.answerInverse(f, x.GetInverseOfferIds(), x.GetFilters(), allocatorpb.InverseOfferStatus_ACCEPT)
	case schedulerpb.Call_DECLINE_INVERSE_OFFERS:
		x := c.GetDeclineInverseOffers()
		m.answerInverse(f, x.GetInverseOfferIds(), x.GetFilters(), allocatorpb.InverseOfferStatus_DECLINE)
	default:
		return 501, unsupported(c.GetType().String())
	}
	return 202, ""
}

// revive wants offers for roles again; one role that is not subscribed voids the call.
func (m *Master) revive(f *framework, roles []string) {
	m.count.messages["revive_offers"]++
	if m.foreignRoles(f, "revive", roles) {
		return
	}
	f.suppressed = slices.DeleteFunc(slices.Clone(f.suppressed), func(r string) bool {
		return len(roles) == 0 || slices.Contains(roles, r)
	})
	m.cfg.Allocator.Revive(m.now, f.id, slices.Clone(roles)...)
}

// suppress wants no offers for roles for the time being.
func (m *Master) suppress(f *framework, roles []string) {
	m.count.messages["suppress_offers"]++
	if m.foreignRoles(f, "suppress", roles) {
		return
	}
	more := roles
	if len(roles) == 0 {
		more = f.roles
	}
	f.suppressed = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(f.suppressed), more...))))
	m.cfg.Allocator.Suppress(m.now, f.id, slices.Clone(roles)...)
}

func (m *Master) foreignRoles(f *framework, what string, roles []string) bool {
	for _, r := range roles {
		if !slices.Contains(f.roles, r) {
			m.refuse(what, string(f.id), "the framework is not subscribed to role "+r)
			return true
		}
	}
	return false
}

// kill passes on that a task is to end. An agent that is away hears of it when
// it is back, a recovered one too: it may have the task although this master has
// not heard of it. Any other unknown task is reconciled (mesos-api 8.10).
func (m *Master) kill(f *framework, call *schedulerpb.Call_Kill) {
	m.count.messages["kill_task"]++
	id := mesos.TaskID(call.GetTaskId().GetValue())
	row, ok := m.activeTask(f, id)
	if !ok {
		if a := m.agents[mesos.AgentID(call.GetAgentId().GetValue())]; a != nil && a.recovered {
			m.rememberKill(a, f, id, call.GetKillPolicy())
		}
		m.reconcileTask(f, string(id), call.GetAgentId())
		return
	}
	a := m.agentOf[m.tasks.rows.at(row).agent]
	switch {
	case call.AgentId != nil && call.GetAgentId().GetValue() != string(a.id):
		m.refuse("kill", string(id), "the task is on agent "+string(a.id))
	case a.session == 0:
		m.rememberKill(a, f, id, call.GetKillPolicy())
	default:
		m.sendKill(a, f, string(id), call.GetKillPolicy())
	}
}

func (m *Master) rememberKill(a *agent, f *framework, id mesos.TaskID, policy *mesospb.KillPolicy) {
	if len(a.kills) >= maxKills {
		m.refuse("kill", string(id), "too many kills wait for agent "+string(a.id))
		return
	}
	if a.kills == nil {
		a.kills = map[taskKey]*mesospb.KillPolicy{}
	}
	a.kills[taskKey{f.id, id}] = policy
}

// sendKills passes on what was asked for while an agent was away.
func (m *Master) sendKills(a *agent) {
	kills := a.kills
	a.kills = nil
	for row := range m.tasks.walk(a.tasks, byAgent) {
		f := m.frameworkOf[m.tasks.rows.at(row).framework]
		if policy, ok := kills[taskKey{f.id, mesos.TaskID(m.tasks.id(row))}]; ok {
			m.sendKill(a, f, m.tasks.id(row), policy)
		}
	}
}

func (m *Master) sendKill(a *agent, f *framework, id string, policy *mesospb.KillPolicy) {
	m.tellAgent(a, &linkpb.Event{Type: linkpb.Event_KILL_TASK.Enum(), KillTask: &linkpb.KillTask{
		FrameworkId: frameworkID(f.id), TaskId: taskID(id), KillPolicy: policy,
	}})
}

// shutdownExecutor asks an agent to end an executor.
func (m *Master) shutdownExecutor(f *framework, call *schedulerpb.Call_Shutdown) {
	a := m.agents[mesos.AgentID(call.GetAgentId().GetValue())]
	if a == nil || a.session == 0 {
		m.refuse("shutdown", call.GetExecutorId().GetValue(), "the agent is not connected")
		return
	}
	m.tellAgent(a, &linkpb.Event{Type: linkpb.Event_SHUTDOWN_EXECUTOR.Enum(), ShutdownExecutor: &linkpb.ShutdownExecutor{
		FrameworkId: frameworkID(f.id), ExecutorId: executorID(call.GetExecutorId().GetValue()),
	}})
}

// message passes data to an executor; there is no promise that it arrives.
func (m *Master) message(f *framework, call *schedulerpb.Call_Message) {
	m.count.messages["framework_to_executor"]++
	a := m.agents[mesos.AgentID(call.GetAgentId().GetValue())]
	if a == nil || a.session == 0 {
		m.count.frameworkMessages.invalid++
		m.refuse("message", call.GetExecutorId().GetValue(), "the agent is not connected")
		return
	}
	m.count.frameworkMessages.valid++
	m.tellAgent(a, &linkpb.Event{Type: linkpb.Event_EXECUTOR_MESSAGE.Enum(), ExecutorMessage: &linkpb.ExecutorMessage{
		FrameworkId: frameworkID(f.id), ExecutorId: executorID(call.GetExecutorId().GetValue()), Data: call.GetData(),
	}})
}

func taskID(id string) *mesospb.TaskID         { return &mesospb.TaskID{Value: new(id)} }
func executorID(id string) *mesospb.ExecutorID { return &mesospb.ExecutorID{Value: new(id)} }
