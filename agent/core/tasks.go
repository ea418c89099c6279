package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/soukproject/souk/agent/statusupdate"
	"github.com/soukproject/souk/proto/mesos"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// task is one that the agent took, until its terminal update is acknowledged.
type task struct {
	framework *framework
	executor  *executor  // nil for one that was refused without a launch
	container *container // where its command runs; nil: that is the business of a framework's own executor
	id        mesos.TaskID
	info      *mesospb.TaskInfo
	group     string // the same for those that begin together; "": it is alone

	state    mesospb.TaskState     // the newest, stored or not
	unstored []*mesospb.TaskStatus // updates that Checkpoints under way will make durable
	stream   statusupdate.Stream   // those that are
	statuses []*mesospb.TaskStatus // for those who look: one of each state in a row
	kill     *kill                 // nil while nobody wants it to end
	removed  bool                  // no longer among the framework's tasks
	settling int                   // acknowledgements that Checkpoints under way will make durable

	probes []*probe // its checks, if it has a container

	durable bool // under a framework's own executor: its record is stored
	sent    bool // and the executor was given it, or may have been
}

// An order is what the master wants run: a task, or a group of tasks that begin
// together or not at all.
type order struct {
	framework *mesospb.FrameworkInfo
	tasks     []*mesospb.TaskInfo
	group     bool
	launch    bool // of their executor: the master counts on it
}

func (a *Agent) runTask(now time.Time, e *linkpb.RunTask) {
	a.take(now, order{framework: e.GetFramework(), tasks: []*mesospb.TaskInfo{e.GetTask()}, launch: e.GetLaunchExecutor()})
}

func (a *Agent) runGroup(now time.Time, e *linkpb.RunGroup) {
	a.take(now, order{framework: e.GetFramework(), tasks: e.GetTasks(), group: true, launch: e.GetLaunchExecutor()})
}

// take takes what the master wants run: it is stored, and then launched.
func (a *Agent) take(now time.Time, o order) {
	if id, why := a.unfit(o); why != "" {
		a.refuse("task", id, why)
		return
	}
	f, changed := a.meet(o.framework)
	tasks := a.addTasks(now, f, o)
	var records []*checkpointpb.Record
	if changed {
		records = append(records, f.record())
	}
	if refusal := a.refusalOf(f, o); refusal != nil {
		a.turnDown(now, tasks, records, refusal, func(time.Time) { a.denyExecutor(tasks[0], o.launch) })
		return
	}
	if tasks[0].info.GetExecutor() != nil {
		a.runUnder(now, tasks, o.launch, records)
		return
	}
	t := tasks[0]
	x := a.newExecutor(t)
	a.persist(func(time.Time) { a.launch(&x.container) }, append(records, t.record())...)
}

// addTasks makes what is wanted tasks of f.
func (a *Agent) addTasks(now time.Time, f *framework, o order) (tasks []*task) {
	group := ""
	if o.group {
		group = string(a.newContainerID()) // not one, but as unique
	}
	for _, info := range o.tasks {
		t := &task{
			framework: f, id: mesos.TaskID(info.GetTaskId().GetValue()), info: info, group: group, state: mesospb.TaskState_TASK_STAGING,
		}
		t.stream.Resume(now) // a master that sends tasks takes updates
		tasks = append(tasks, t)
	}
	f.tasks = append(f.tasks, tasks...)
	return tasks
}

// turnDown stores that tasks are not run, with records and all at once; then follows.
func (a *Agent) turnDown(now time.Time, tasks []*task, records []*checkpointpb.Record, r *refusal, then func(time.Time)) {
	for _, t := range tasks {
		records = append(records, t.record())
	}
	a.storeEach(now, tasks, then, records, func(t *task) *mesospb.TaskStatus {
		return a.agentStatus(now, t, r.state, r.reason, r.why)
	})
}

// denyExecutor tells a master that counts on the launch of a task's executor that
// there is none.
func (a *Agent) denyExecutor(t *task, launch bool) {
	x := t.info.GetExecutor()
	if x != nil && launch && t.framework.liveExecutor(mesos.ExecutorID(x.GetExecutorId().GetValue())) == nil {
		a.sendExited(t.framework, x, 0)
	}
}

// unfit says of a task that is wanted why it is none of this agent's business;
// why is "" if all of them are.
func (a *Agent) unfit(o order) (task, why string) {
	id := frameworkID(o.framework.GetId())
	f := a.framework(id)
	if len(o.tasks) == 0 {
		return "", "its group is empty"
	}
	seen := map[string]bool{}
	for _, t := range o.tasks {
		task := t.GetTaskId().GetValue()
		switch {
		case a.leaving != "":
			return task, "the agent is ending"
		case f != nil && f.removing:
			return task, "its framework is being removed"
		case id == "" || task == "":
			return task, "it lacks an id"
		case mesos.AgentID(t.GetAgentId().GetValue()) != a.id():
			return task, fmt.Sprintf("it is for agent '%s'", t.GetAgentId().GetValue())
		case f != nil && f.task(mesos.TaskID(task)) != nil || seen[task]:
			return task, "it is known already"
		case o.group && (t.Executor == nil || t.GetExecutor().GetExecutorId().GetValue() != o.tasks[0].GetExecutor().GetExecutorId().GetValue()):
			return task, "it is in a group and has no executor, or another one"
		}
		seen[task] = true
	}
	return "", ""
}

// place is the container that t is in, its own or its executor's; nil: none.
func (t *task) place() *container {
	if t.container != nil || t.executor == nil {
		return t.container
	}
	return &t.executor.container
}

// update records new statuses of t, stores them, and then sends them in turn;
// then, which may be nil, follows.
func (a *Agent) update(now time.Time, t *task, then func(now time.Time), statuses ...*mesospb.TaskStatus) {
	a.store(now, t, then, nil, statuses...)
}

// store is update with other records in the same write, all or none.
func (a *Agent) store(now time.Time, t *task, then func(now time.Time), records []*checkpointpb.Record, statuses ...*mesospb.TaskStatus) {
	n := a.proceed(t, statuses)
	a.persist(func(now time.Time) {
		a.stored(now, t, n)
		if then != nil {
			then(now)
		}
	}, append(records, t.progress())...)
}

// storeEach is store for tasks that have the same fate: one update for each.
func (a *Agent) storeEach(now time.Time, tasks []*task, then func(now time.Time), records []*checkpointpb.Record, status func(*task) *mesospb.TaskStatus) {
	counts := make([]int, len(tasks))
	for i, t := range tasks {
		counts[i] = a.proceed(t, []*mesospb.TaskStatus{status(t)})
		records = append(records, t.progress())
	}
	a.persist(func(now time.Time) {
		for i, t := range tasks {
			a.stored(now, t, counts[i])
		}
		if then != nil {
			then(now)
		}
	}, records...)
}

// proceed makes statuses, as far as they are legal, the newest of t; they are to be stored.
func (a *Agent) proceed(t *task, statuses []*mesospb.TaskStatus) int {
	statuses = a.legal(t, statuses)
	for _, s := range statuses {
		t.state = s.GetState()
		t.remember(s)
		a.counters.count(s.GetState())
	}
	t.unstored = append(t.unstored, statuses...)
	return len(statuses)
}

// legal leaves out updates that the state table forbids. There are none unless
// something is wrong; then a wrong update is worse than a missing one.
func (a *Agent) legal(t *task, statuses []*mesospb.TaskStatus) []*mesospb.TaskStatus {
	state := t.state
	return slices.DeleteFunc(statuses, func(s *mesospb.TaskStatus) bool {
		if mesos.MayFollow(state, s.GetState()) {
			state = s.GetState()
			return false
		}
		a.counters.Illegal++
		a.refuse(illegalMove, string(t.id), fmt.Sprintf("%v does not follow %v", s.GetState(), state))
		return true
	})
}

// illegalMove is the What of a Refused that tests take for a failure.
const illegalMove = "status of task"

// stored moves the oldest n updates of t to where they are sent from.
func (a *Agent) stored(now time.Time, t *task, n int) {
	fresh := t.unstored[:n]
	t.unstored = t.unstored[n:]
	if t.removed || t.framework.removing {
		return
	}
	for _, s := range fresh {
		send, _ := t.stream.Add(now, s)
		a.sendUpdate(t, send)
	}
}

// remember keeps the history that endpoints show: of equal states in a row the last.
func (t *task) remember(s *mesospb.TaskStatus) {
	if n := len(t.statuses); n > 0 && t.statuses[n-1].GetState() == s.GetState() {
		t.statuses = t.statuses[:n-1]
	}
	t.statuses = append(t.statuses, s)
}

// acknowledge lets the next update go, and forgets a task that has none left.
func (a *Agent) acknowledge(now time.Time, e *linkpb.Acknowledge) {
	t := a.task(e.GetFrameworkId(), e.GetTaskId())
	if t == nil {
		a.refuse("acknowledgement", e.GetTaskId().GetValue(), "its task is unknown")
		return
	}
	_, ok := t.stream.Acknowledge(now, e.GetUuid())
	switch {
	case !ok:
		a.refuse("acknowledgement", e.GetTaskId().GetValue(), "it is of no update that waits for one")
	case t.stream.Done():
		a.forgetTask(t, nil)
		a.settle(t.framework)
	default:
		// The next update goes when the acknowledgement is stored. Otherwise one
		// that was acknowledged could come again after those that follow it.
		t.settling++
		a.persist(func(now time.Time) { a.acknowledged(now, t) }, t.progress())
	}
}

// acknowledged sends what waited for an acknowledgement to be stored.
func (a *Agent) acknowledged(now time.Time, t *task) {
	t.settling--
	if !t.removed && a.session.registered && !a.session.broken {
		a.sendUpdate(t, t.stream.Resume(now))
	}
}

// forgetTask ends what the agent knows of t, for good; then, which may be nil,
// follows when that is stored.
func (a *Agent) forgetTask(t *task, then func(now time.Time)) {
	t.removed = true
	f := t.framework
	for i := range f.tasks {
		if f.tasks[i] == t {
			f.tasks = append(f.tasks[:i:i], f.tasks[i+1:]...)
			break
		}
	}
	if t.executor != nil {
		t.executor.trim()
	}
	a.persist(then, t.goneRecords()...)
}

// overdue is when t has run for as long as it may (TaskInfo.max_completion_time; 0 is no limit).
func (t *task) overdue() (at time.Time, ok bool) {
	limit := t.info.GetMaxCompletionTime().GetNanoseconds()
	c := t.container
	if limit <= 0 || t.kill != nil || c == nil || c.phase != running {
		return time.Time{}, false
	}
	return c.launched.Add(time.Duration(limit)), true
}

// Counters count what happened since the agent started.
type Counters struct {
	Finished, Failed, Killed, Lost, Gone, Dropped, Errors int64 // tasks, by their last state
	Updates, Illegal                                      int64 // stored; forbidden by the state table
	LaunchErrors                                          int64
	ExecutorsTerminated                                   int64
	Messages, InvalidMessages                             int64 // between schedulers and executors
}

func (c *Counters) count(s mesospb.TaskState) {
	c.Updates++
	switch s {
	case mesospb.TaskState_TASK_FINISHED:
		c.Finished++
	case mesospb.TaskState_TASK_FAILED:
		c.Failed++
	case mesospb.TaskState_TASK_KILLED:
		c.Killed++
	case mesospb.TaskState_TASK_LOST:
		c.Lost++
	case mesospb.TaskState_TASK_GONE:
		c.Gone++
	case mesospb.TaskState_TASK_DROPPED:
		c.Dropped++
	case mesospb.TaskState_TASK_ERROR:
		c.Errors++
	}
}
