package core

import (
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// reconcile answers what is known of tasks: of those asked for, or of all active
// ones (mesos-api 12.1).
func (m *Master) reconcile(f *framework, call *schedulerpb.Call_Reconcile) {
	m.count.messages["reconcile_tasks"]++
	if len(call.GetTasks()) == 0 {
		for row := range m.tasks.walk(f.active, byFramework) {
			if !m.tasks.rows.at(row).is(disowned) {
				m.tellLatest(f, row)
			}
		}
		return
	}
	for _, t := range call.GetTasks() {
		m.reconcileTask(f, t.GetTaskId().GetValue(), t.GetAgentId())
	}
}

// reconcileTask answers for one task. The first row of the table that fits counts.
func (m *Master) reconcileTask(f *framework, task string, agent *mesospb.AgentID) {
	id := mesos.AgentID(agent.GetValue())
	a, lost := m.agents[id], m.unreachable[id]
	if row, ok := m.activeTask(f, mesos.TaskID(task)); ok && !m.tasks.rows.at(row).is(disowned) {
		m.tellLatest(f, row)
		return
	}
	state, text := mesospb.TaskState_TASK_UNKNOWN, "Reconciliation: Task is unknown"
	switch {
	case agent == nil && m.recovering > 0 || a != nil && a.recovered:
		return // the agent may yet tell
	case a != nil:
		state, text = mesospb.TaskState_TASK_GONE, "Reconciliation: Task is unknown to the agent"
	case lost != nil:
		state, text = mesospb.TaskState_TASK_UNREACHABLE, "Reconciliation: Task is unreachable"
	case agent != nil && !m.gone[id].IsZero():
		state, text = mesospb.TaskState_TASK_GONE_BY_OPERATOR, "Reconciliation: Task is gone"
	}
	s := m.status(mesos.TaskID(task), id, f.orLost(state), mesospb.TaskStatus_REASON_RECONCILIATION, text)
	s.AgentId = agent
	if lost != nil {
		s.UnreachableTime = timeInfo(lost.since)
	}
	m.tellFramework(f, updateEvent(s))
}

// tellLatest answers for an active task, with what its last status said of it.
func (m *Master) tellLatest(f *framework, row uint32) {
	s := m.latest(row, mesospb.TaskStatus_REASON_RECONCILIATION, "Reconciliation: Latest task state")
	m.tellFramework(f, updateEvent(s))
}

// latest is the shown state of a task in the master's words.
func (m *Master) latest(row uint32, reason mesospb.TaskStatus_Reason, text string) *mesospb.TaskStatus {
	t := m.tasks.rows.at(row)
	s := m.verdict(row, t.shown(), reason, text)
	if last := m.lastStatus(row); last != nil {
		s.Healthy, s.CheckStatus, s.ContainerStatus = last.Healthy, last.CheckStatus, last.ContainerStatus
	}
	if id := executorOf(m.tasks.info(row)); id != "" {
		s.ExecutorId = executorID(string(id))
	}
	return s
}
