package core

import (
	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// launchGroup starts the tasks of a LAUNCH_GROUP together, or refuses all of them
// (mesos-api 10.2).
func (m *Master) launchGroup(acc *acceptance, op *mesospb.Offer_Operation) {
	uses, err := launchResources(op, acc.role)
	if err != nil {
		m.refuseGroup(acc.framework, tasksOf(op), err.Error())
		return
	}
	x := allocatedExecutor(op.GetLaunchGroup().GetExecutor(), acc.role)
	var tasks []*mesospb.TaskInfo
	for i, t := range tasksOf(op) {
		t = withResources(t, uses[i])
		t.Executor = allocatedExecutor(t.Executor, acc.role)
		tasks = append(tasks, t)
	}
	switch err := m.validGroup(acc, x, tasks, uses); {
	case err != nil:
		m.refuseGroup(acc.framework, tasks, err.Error())
	case len(tasks) > 0:
		m.runGroup(acc, x, tasks, uses)
	}
}

// validGroup applies the rules of mesos-api 10.2.
func (m *Master) validGroup(acc *acceptance, x *mesospb.ExecutorInfo, tasks []*mesospb.TaskInfo, uses []resources.Resources) error {
	return validation.Group(x, tasks, validation.GroupRules{
		TaskRules: m.taskRules(acc),
		Uses:      uses,
		Sharing:   m.sharing(acc, mesos.ExecutorID(x.GetExecutorId().GetValue())),
	})
}

// sharing is whether the tasks that an executor has are in its cgroups; nil if it
// has none. They all are, or none is.
func (m *Master) sharing(acc *acceptance, id mesos.ExecutorID) *bool {
	if acc.agent.executor(acc.framework, id) < 0 {
		return nil
	}
	for row := range m.tasks.walk(acc.agent.tasks, byAgent) {
		t := m.tasks.rows.at(row)
		if info := m.tasks.info(row); t.framework == acc.framework.handle && !mesos.Terminal(t.current()) && executorOf(info) == id {
			return new(validation.SharesCgroups(unmarshal(info, &mesospb.TaskInfo{})))
		}
	}
	return nil
}

func (m *Master) refuseGroup(f *framework, tasks []*mesospb.TaskInfo, why string) {
	for _, t := range tasks {
		m.refuseTask(f, t, mesospb.TaskState_TASK_ERROR, mesospb.TaskStatus_REASON_TASK_GROUP_INVALID, why)
	}
}

// runGroup sends tasks that are described in full to their agent, as one.
func (m *Master) runGroup(acc *acceptance, x *mesospb.ExecutorInfo, tasks []*mesospb.TaskInfo, uses []resources.Resources) {
	launches := m.bringExecutor(acc, x)
	rows := make([]uint32, len(tasks))
	for i, t := range tasks {
		t.Executor = x
		m.consume(acc, uses[i])
		rows[i] = m.addTask(acc.framework, acc.agent, t, uses[i], mesospb.TaskState_TASK_STAGING)
	}
	m.tellAgent(acc.agent, &linkpb.Event{Type: linkpb.Event_RUN_GROUP.Enum(), RunGroup: &linkpb.RunGroup{
		Framework: acc.framework.info, Tasks: tasks, LaunchExecutor: new(launches),
	}})
	for i, t := range tasks {
		m.publishTaskAdded(rows[i], t)
	}
}
