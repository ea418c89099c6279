package core

import (
	"slices"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// adopt compares what an agent has with what the master believes. What only the
// agent knows is added; what only the master knows is gone. first says that the
// agent has not registered with this master before.
func (m *Master) adopt(a *agent, s *linkpb.Subscribe, first bool) {
	known := map[mesos.FrameworkID]*mesospb.FrameworkInfo{}
	for _, info := range s.GetFrameworks() {
		known[mesos.FrameworkID(info.GetId().GetValue())] = info
	}
	told := map[mesos.FrameworkID]bool{} // to shut down a framework
	owner := func(name *mesospb.FrameworkID) *framework {
		id := mesos.FrameworkID(name.GetValue())
		if !m.over(id) {
			return m.ownerOf(id, known)
		}
		if !told[id] {
			told[id] = true
			m.shutDown(id, a)
		}
		return nil
	}
	m.adoptOperations(a, s.GetOperations())
	m.adoptExecutors(a, s.GetExecutors(), owner)
	reported := map[uint32]bool{}
	for _, t := range s.GetTasks() {
		if f := owner(t.GetFrameworkId()); f != nil {
			reported[m.adoptTask(a, f, t, first)] = true
		}
	}
	for row := range m.tasks.walk(a.tasks, byAgent) {
		if !reported[row] {
			m.missing(row)
		}
	}
}

// makeRoom takes back what was offered of an agent if something turns out to use it.
func (m *Master) makeRoom(a *agent, used resources.Resources) {
	free, ok := a.free()
	if ok {
		free, ok = free.Sub(a.offered.NonShared().Unallocated())
	}
	if !ok || !free.Contains(used.NonShared().Unallocated()) {
		m.rescindAll(a)
	}
}

// free is what an agent has and does not use; false if it uses more than it has.
// A shared volume is free however many use it.
func (a *agent) free() (resources.Resources, bool) {
	return a.total.Sub(a.used.NonShared().Unallocated())
}

// ownerOf is the framework of something an agent has; one that nobody has heard
// of is recovered from what the agent knows of it.
func (m *Master) ownerOf(id mesos.FrameworkID, known map[mesos.FrameworkID]*mesospb.FrameworkInfo) *framework {
	if f := m.frameworks[id]; f != nil {
		return f
	}
	info := known[id]
	if info == nil || mesos.CheckID(string(id)) != nil {
		m.refuse("recovered framework", string(id), "the agent does not say what it is")
		return nil
	}
	return m.recoverFramework(info)
}

// adoptTask takes in a task that an agent has, and returns its row; 0 if it is not taken in.
func (m *Master) adoptTask(a *agent, f *framework, t *linkpb.TaskState, first bool) uint32 {
	id := mesos.TaskID(t.GetInfo().GetTaskId().GetValue())
	if err := mesos.CheckID(string(id)); err != nil {
		m.refuse("recovered task", string(id), err.Error())
		return 0
	}
	if row, ok := m.activeTask(f, id); ok {
		if m.tasks.rows.at(row).agent == a.handle {
			return row
		}
		m.refuse("recovered task", string(id), "another agent has it")
		m.sendKill(a, f, string(id), nil)
		return 0
	}
	if row, ok := m.unreachableTask(f, id); ok {
		m.dropUnreachable(f, row)
	}
	row := m.returnTask(a, f, t)
	switch over := mesos.Terminal(m.tasks.rows.at(row).current()); {
	case a.returning && !over:
		m.tellFramework(f, updateEvent(m.latest(row, mesospb.TaskStatus_REASON_AGENT_REREGISTERED, "Unreachable agent re-reregistered")))
	case !first && !over:
		// Its scheduler was told that the task is over, so it must not go on.
		m.tasks.rows.edit(row).flags |= disowned
		m.sendKill(a, f, string(id), nil)
	}
	return row
}

// returnTask adds a row for a task that an agent brings.
func (m *Master) returnTask(a *agent, f *framework, t *linkpb.TaskState) uint32 {
	state := mesospb.TaskState_TASK_STAGING
	if s := t.GetStatus().GetState(); t.Status != nil && reportable(s) {
		state = s
	}
	used := m.usable(a, f, t.GetInfo().GetResources())
	info := withResources(t.GetInfo(), used)
	info.AgentId = agentID(a.id)
	if !mesos.Terminal(state) {
		m.hold(a, f, used)
	}
	row := m.addTask(f, a, info, used, state)
	if t.Status != nil {
		m.remember(row, t.GetStatus())
	}
	// The scheduler has at least what it has acknowledged; nothing newer is shown
	// to it before the agent sends it.
	shown := mesospb.TaskState_TASK_STAGING
	if s := t.GetAcknowledgedState(); t.AcknowledgedState != nil && reportable(s) {
		shown = s
	}
	m.tasks.rows.edit(row).forwarded = uint8(shown)
	m.publishTaskAdded(row, info)
	return row
}

// reportable: states that an agent may say its task is in.
func reportable(s mesospb.TaskState) bool {
	return s != mesospb.TaskState_TASK_UNREACHABLE && mesos.MayFollow(mesospb.TaskState_TASK_STAGING, s)
}

// hold tells the allocator what was found to be in use.
func (m *Master) hold(a *agent, f *framework, used resources.Resources) {
	m.makeRoom(a, used)
	if !used.IsEmpty() {
		m.cfg.Allocator.Hold(m.now, allocator.Holding{Framework: f.id, Resources: used}, a.id)
	}
}

// usable is what an agent says a task uses, as far as it can be: an amount that
// makes no sense, or that something else on the agent uses already, does not count.
func (m *Master) usable(a *agent, f *framework, list []*mesospb.Resource) resources.Resources {
	used, err := resources.FromProto(list)
	if err != nil {
		m.refuse("recovered resources", string(a.id), err.Error())
		return nil
	}
	role := mesos.AnyRole
	if len(f.roles) > 0 {
		role = f.roles[0]
	}
	used = allocateRest(used, role)
	return used.Filter(func(x resources.Resource) bool {
		if mesos.CheckRole(x.Allocation) == nil && !clashes(a.used, x) {
			return true
		}
		m.refuse("recovered resources", string(a.id), x.String()+" cannot be used there")
		return false
	})
}

// clashes reports whether x cannot be added to what is used: members of ranges
// and sets are used once, and amounts stay within what can be added up.
func clashes(used resources.Resources, x resources.Resource) bool {
	return slices.ContainsFunc(used, func(u resources.Resource) bool {
		if u.Name != x.Name || u.Kind != x.Kind {
			return false
		}
		switch x.Kind {
		case resources.KindRanges:
			return u.Ranges.Overlaps(x.Ranges)
		case resources.KindSet:
			return slices.ContainsFunc(x.Set, func(item string) bool { return slices.Contains(u.Set, item) })
		}
		return u.Scalar > resources.MaxScalar-x.Scalar
	})
}

// missing settles a task that its agent does not have: the launch never arrived,
// or the task is gone (mesos-api 11.1, 12.1).
func (m *Master) missing(row uint32) {
	t := m.tasks.rows.at(row)
	f := m.frameworkOf[t.framework]
	const text = "Reconciliation: Task is unknown to the agent"
	switch {
	case mesos.Terminal(t.current()) && t.shown() == t.current():
		m.retire(row)
	case mesos.Terminal(t.current()):
		s := m.verdict(row, t.current(), mesospb.TaskStatus_REASON_RECONCILIATION, text)
		m.tellFramework(f, updateEvent(s))
		m.retire(row)
	case t.current() == mesospb.TaskState_TASK_STAGING:
		m.endTask(row, f.orLost(mesospb.TaskState_TASK_DROPPED), mesospb.TaskStatus_REASON_RECONCILIATION, text)
	default:
		m.endTask(row, f.orLost(mesospb.TaskState_TASK_GONE), mesospb.TaskStatus_REASON_RECONCILIATION, text)
	}
}

// adoptExecutors replaces what was known of an agent's executors.
func (m *Master) adoptExecutors(a *agent, list []*linkpb.Executor, owner func(*mesospb.FrameworkID) *framework) {
	m.dropExecutors(a, func(*framework) bool { return true })
	for _, x := range list {
		f := owner(x.GetFrameworkId())
		id := mesos.ExecutorID(x.GetInfo().GetExecutorId().GetValue())
		if f == nil || mesos.CheckID(string(id)) != nil || a.executor(f, id) >= 0 {
			m.refuse("recovered executor", string(id), "it is not known whose it is, or it is there already")
			continue
		}
		used := m.usable(a, f, x.GetInfo().GetResources())
		m.hold(a, f, used)
		m.chargeExecutor(a, f, x.GetInfo(), used)
	}
}

func (a *agent) executor(f *framework, id mesos.ExecutorID) int {
	return slices.IndexFunc(a.executors, func(x executor) bool { return x.framework == f.handle && x.id == id })
}

// dropExecutor forgets one executor.
func (m *Master) dropExecutor(a *agent, f *framework, id mesos.ExecutorID) {
	if i := a.executor(f, id); i >= 0 {
		m.giveBack(a, f, a.executors[i].used)
		a.executors = slices.Delete(a.executors, i, i+1)
		m.settle(a)
	}
}

// rolesOfRecovered are those of a FrameworkInfo that an agent kept. One that would
// not pass today wants nothing.
func rolesOfRecovered(info *mesospb.FrameworkInfo) []string {
	if validation.Framework(info, validation.FrameworkRules{RootSubmissions: true}) != nil {
		return nil
	}
	return validation.Roles(info)
}
