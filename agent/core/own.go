package core

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/proto/mesos"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// How long an executor may take to subscribe when the configuration says nothing
// (Mesos: --executor_registration_timeout, --executor_reregistration_timeout).
const (
	defaultRegistration   = time.Minute
	defaultReregistration = 2 * time.Second
)

// maxCompletedTasks is how many tasks that are over an executor is shown with (Mesos).
const maxCompletedTasks = 200

// own is what an executor that a framework brought has beyond a container. It is
// a process that subscribes at the agent and is told what to do (mesos-api 13).
type own struct {
	info       *mesospb.ExecutorInfo
	stream     Stream    // its subscription; 0: none
	subscribed bool      // it has subscribed once
	welcome    bool      // and that is stored: it may be given tasks
	served     bool      // it was given a task
	due        time.Time // when it must have subscribed; zero: it has, or does not run
	ending     bool      // it is to shut down
	late       *late     // it was ended because it did not subscribe

	// Of the default executor, which is no process: what its tasks are nested in runs
	// nothing, and the core does what an executor would.
	nested []*container // of its tasks, until they are destroyed
	over   bool         // it has nothing to do any more and is being ended
	gone   bool         // its end is stored
}

// builtIn reports whether x is Mesos' default executor.
func (o *own) builtIn() bool { return o.info.GetType() == mesospb.ExecutorInfo_DEFAULT }

// late says which time an executor let pass.
type late struct {
	reason mesospb.TaskStatus_Reason
	text   string
}

// liveExecutor is the framework's own executor that takes tasks under an id; nil
// if there is none.
func (f *framework) liveExecutor(id mesos.ExecutorID) *executor {
	i := slices.IndexFunc(f.executors, func(x *executor) bool { return x.own != nil && x.id == id && x.phase < ended })
	if i < 0 {
		return nil
	}
	return f.executors[i]
}

func (a *Agent) addOwn(f *framework, info *mesospb.ExecutorInfo, id mesos.ContainerID) *executor {
	x := &executor{framework: f, id: mesos.ExecutorID(info.GetExecutorId().GetValue()), agent: a.id(), own: &own{info: info}}
	a.house(x, id)
	return x
}

// join makes t one of x's tasks.
func (x *executor) join(t *task) {
	t.executor = x
	x.tasks = append(x.tasks, t)
}

// live yields the tasks of x that are not over.
func (x *executor) live() []*task {
	return slices.DeleteFunc(slices.Clone(x.tasks), func(t *task) bool { return t.removed || mesos.Terminal(t.state) })
}

// trim forgets what nobody is shown any more.
func (x *executor) trim() {
	gone := 0
	for _, t := range x.tasks {
		if t.removed {
			gone++
		}
	}
	x.tasks = slices.DeleteFunc(x.tasks, func(t *task) bool {
		if !t.removed || gone <= maxCompletedTasks {
			return false
		}
		gone--
		return true
	})
}

// runUnder stores tasks for a framework's own executor, which is launched unless
// it runs. launch says whether the master counts on a launch: if it does not, and
// there is no executor, the one it knows of has ended.
func (a *Agent) runUnder(now time.Time, tasks []*task, launch bool, records []*checkpointpb.Record) {
	f, info := tasks[0].framework, tasks[0].info.GetExecutor()
	x := f.liveExecutor(mesos.ExecutorID(info.GetExecutorId().GetValue()))
	switch {
	case x != nil && x.own.ending:
		a.turnDown(now, tasks, records, withoutExecutor(f, "Executor terminating"), nil)
		return
	case x == nil && !launch:
		a.turnDown(now, tasks, records, withoutExecutor(f, "Executor terminated"), nil)
		return
	case x == nil:
		x = a.addOwn(f, info, a.newContainerID())
		records = append(records, x.record())
	}
	for _, t := range tasks {
		if x.own.builtIn() {
			a.nest(x, t, x.container.id.Within(a.newContainerID()))
		} else {
			x.join(t)
		}
		records = append(records, t.record())
	}
	a.persist(func(now time.Time) {
		for _, t := range tasks {
			t.durable = true
		}
		a.launchOwn(now, x)
		a.deliver(now, x)
	}, records...)
}

// withoutExecutor is what becomes of tasks of f because there is no executor for them.
func withoutExecutor(f *framework, why string) *refusal {
	return &refusal{f.lostState(), mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, why}
}

// launchOwn starts an executor whose intent is durable, unless nobody wants it any more.
func (a *Agent) launchOwn(now time.Time, x *executor) {
	if x.phase != intended || x.framework.removing {
		return
	}
	if len(x.live()) == 0 || x.own.ending {
		a.endOwn(now, x, func(t *task) *mesospb.TaskStatus { return a.orphaned(now, t, End{Known: true}, true) })
		return
	}
	x.phase = launching
	var waiting []*mesospb.TaskInfo
	for _, t := range x.live() {
		waiting = append(waiting, t.info)
	}
	a.emit(Launch{
		Run: x.run(), Framework: x.framework.info, Executor: x.own.info, Waiting: waiting, Role: x.role(), Limits: a.ownLimits(x),
	})
}

// role is what the executor's resources are allocated to.
func (x *executor) role() string {
	if role := allocatedTo(x.own.info.GetResources()); role != "" {
		return role
	}
	for _, t := range x.tasks {
		if role := allocatedTo(t.info.GetResources()); role != "" {
			return role
		}
	}
	return ""
}

// allocatedTo is the role that resources are allocated to, "" if nobody says.
func allocatedTo(list []*mesospb.Resource) string {
	for _, r := range list {
		if role := r.GetAllocationInfo().GetRole(); role != "" {
			return role
		}
	}
	return ""
}

// starting reports whether the outcome of a launch is awaited. An executor may
// subscribe before it is known.
func (x *executor) starting() bool {
	return x.phase == launching || x.own != nil && x.phase == running && x.pid == 0
}

func (a *Agent) launchedOwn(now time.Time, x *executor) {
	if x.phase == launching {
		a.adoptOwn(now, x)
		return
	}
	a.persist(nil, x.record())
}

// adoptOwn says that x runs: it has to subscribe now.
func (a *Agent) adoptOwn(now time.Time, x *executor) {
	fresh := x.launched.IsZero()
	x.begin(now)
	if fresh {
		a.persist(nil, x.record())
	}
	switch {
	case x.framework.removing || x.own.ending:
		a.shutdownOwn(now, x)
		return
	case x.own.builtIn():
		a.deliver(now, x)
		a.finish(now, x)
		return
	}
	x.own.due = now.Add(a.cfg.Registration)
	if x.own.subscribed {
		x.own.due = now.Add(a.cfg.Reregistration)
	}
}

// overslept ends an executor that did not subscribe in time.
func (a *Agent) overslept(now time.Time, x *executor) {
	x.own.late = &late{
		mesospb.TaskStatus_REASON_EXECUTOR_REGISTRATION_TIMEOUT,
		"Executor did not register within " + spell(a.cfg.Registration),
	}
	if x.own.subscribed {
		x.own.late = &late{
			mesospb.TaskStatus_REASON_EXECUTOR_REREGISTRATION_TIMEOUT,
			"Executor did not reregister within " + spell(a.cfg.Reregistration),
		}
	}
	x.own.due, x.own.ending = time.Time{}, true
	a.force(now, &x.container)
}

// late is when an executor that a framework brought should have subscribed.
func (x *executor) late() (at time.Time, ok bool) {
	if x.own == nil {
		return time.Time{}, false
	}
	return x.own.due, !x.own.due.IsZero()
}

// spell writes a duration as Mesos does.
func spell(d time.Duration) string {
	switch {
	case d%time.Minute == 0:
		return fmt.Sprintf("%dmins", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%dsecs", d/time.Second)
	}
	return fmt.Sprintf("%dms", d/time.Millisecond)
}

// shutdownOwn asks an executor to end and sees to it that it does. One that is
// not subscribed hears of it when it is.
func (a *Agent) shutdownOwn(now time.Time, x *executor) {
	first := !x.own.ending
	x.own.ending, x.own.due = true, time.Time{}
	switch {
	case x.phase == intended:
		return // launchOwn ends it
	case first && !x.framework.removing:
		a.persist(nil, x.record())
	}
	if x.own.builtIn() {
		a.shutdownNested(now, x)
		return
	}
	if x.phase != running || x.stop.next != none {
		return
	}
	a.tell(x, &executorpb.Event{Type: executorpb.Event_SHUTDOWN.Enum()})
	x.stop = stop{killing, now.Add(a.grace(x))}
	a.escalate(now, &x.container)
}

// grace is how long an executor has after SHUTDOWN.
func (a *Agent) grace(x *executor) time.Duration {
	if g := x.own.info.GetShutdownGracePeriod(); g != nil {
		return max(0, time.Duration(g.GetNanoseconds()))
	}
	return a.cfg.ShutdownGrace
}

// killUnder asks an executor to end one of its tasks. One that it does not have
// yet never comes to it, and neither do those of its group.
func (a *Agent) killUnder(now time.Time, t *task, policy *mesospb.KillPolicy) {
	x := t.executor
	switch {
	case t.framework.removing || mesos.Terminal(t.state) || x.phase >= ended:
		a.refuse("kill of task", string(t.id), "it is ending already")
	case !t.sent:
		a.storeEach(now, x.with(t), nil, nil, func(t *task) *mesospb.TaskStatus { return a.unlaunchedStatus(now, t) })
		a.sift(x)
		if x.own.builtIn() && len(x.live()) == 0 {
			a.abort(&x.container)
			a.finish(now, x)
		}
		if x.own.subscribed && !x.own.served && len(x.live()) == 0 {
			a.shutdownOwn(now, x) // it was started for nothing
		}
	case x.own.builtIn():
		a.killNested(now, t, policy)
	default:
		t.kill = &kill{cause: checkpointpb.Kill_REQUESTED, since: now, own: true, policy: policy}
		a.persist(func(time.Time) { a.tellKill(t) }, t.progress())
	}
}

func (a *Agent) tellKill(t *task) {
	if t.removed || mesos.Terminal(t.state) || t.kill == nil {
		return
	}
	a.tell(t.executor, &executorpb.Event{Type: executorpb.Event_KILL.Enum(), Kill: &executorpb.Event_Kill{
		TaskId: t.info.GetTaskId(), KillPolicy: t.kill.policy,
	}})
}

// deliver gives an executor the tasks that it does not have yet.
func (a *Agent) deliver(now time.Time, x *executor) {
	if !x.own.builtIn() && (x.own.stream == 0 || !x.own.welcome) || x.own.ending || x.phase != running || x.framework.removing {
		return
	}
	var ready []*task
	for _, t := range x.live() {
		if t.durable && !t.sent {
			ready = append(ready, t)
		}
	}
	if len(ready) == 0 {
		return
	}
	a.emit(Resize{Container: x.container.id, Limits: a.ownLimits(x)})
	x.own.served = true
	for _, t := range ready {
		switch {
		case t.sent:
		case x.own.builtIn():
			a.startGroup(now, x.with(t))
		default:
			a.tell(x, launchEvent(t, x.with(t)))
		}
	}
}

// with yields t and the others of its group that are not over.
func (x *executor) with(t *task) []*task {
	if t.group == "" {
		return []*task{t}
	}
	return slices.DeleteFunc(x.live(), func(other *task) bool { return other.group != t.group })
}

// launchEvent gives an executor a task, or all of its group.
func launchEvent(t *task, all []*task) *executorpb.Event {
	var group mesospb.TaskGroupInfo
	for _, one := range all {
		one.sent = true
		group.Tasks = append(group.Tasks, one.info)
	}
	if t.group == "" {
		return &executorpb.Event{Type: executorpb.Event_LAUNCH.Enum(), Launch: &executorpb.Event_Launch{Task: t.info}}
	}
	return &executorpb.Event{Type: executorpb.Event_LAUNCH_GROUP.Enum(), LaunchGroup: &executorpb.Event_LaunchGroup{TaskGroup: &group}}
}

// exitedOwn stores how the tasks of an executor end with it.
func (a *Agent) exitedOwn(now time.Time, x *executor, end End) {
	wasLaunched := x.phase == running
	x.phase, x.stop, x.own.due = ended, stop{}, time.Time{}
	a.hangUpOn(x)
	a.counters.ExecutorsTerminated++
	a.endTasks(now, x, func(t *task) *mesospb.TaskStatus { return a.orphaned(now, t, end, wasLaunched) })
	a.persist(func(now time.Time) {
		if x.own.over {
			end.Status = 0 // it was not asked to end before
		}
		a.sendExited(x.framework, x.own.info, end.Status)
		if x.own.gone = true; len(x.own.nested) == 0 {
			a.destroy(now, &x.container)
		}
	}, x.goneRecord())
	a.fell(now, x)
}

// endTasks gives the tasks of an executor that is gone their last update, or
// forgets them when their framework goes as well.
func (a *Agent) endTasks(now time.Time, x *executor, last func(*task) *mesospb.TaskStatus) {
	defer a.sift(x)
	if !x.framework.removing {
		for _, t := range x.live() {
			a.update(now, t, nil, last(t))
		}
		return
	}
	for _, t := range slices.Clone(x.tasks) {
		if !t.removed {
			a.forgetTask(t, nil)
		}
	}
}

// orphaned is the terminal update of a task whose executor ended without one.
func (a *Agent) orphaned(now time.Time, t *task, end End, launched bool) *mesospb.TaskStatus {
	failed := mesospb.TaskState_TASK_FAILED
	switch x := t.executor; {
	case x.own.late != nil:
		return a.agentStatus(now, t, failed, x.own.late.reason, x.own.late.text)
	case x.limitedBy(end):
		return a.limitationStatus(now, t, x.beyond)
	case end.OOM:
		return a.memoryStatus(now, t, a.ownLimits(x).memory(), end)
	case !end.Known && !end.Rebooted && !launched:
		return a.agentStatus(now, t, t.framework.lostState(), mesospb.TaskStatus_REASON_AGENT_RESTARTED,
			"Task launched during agent restart")
	case !end.Known:
		return a.agentStatus(now, t, failed, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, "Executor terminated: "+end.message())
	}
	return a.agentStatus(now, t, failed, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, "Executor terminated")
}

// endOwn ends an executor of which nothing runs; why is the last update of its
// tasks, which are forgotten when their framework is.
func (a *Agent) endOwn(now time.Time, x *executor, why func(*task) *mesospb.TaskStatus) {
	a.endTasks(now, x, why)
	a.persist(func(time.Time) { a.sendExited(x.framework, x.own.info, 0) }, x.goneRecord())
	a.dropExecutor(x)
	a.settle(x.framework)
}

// sendExited tells the master that an executor is gone: it holds resources no
// more, and its scheduler wants to know. A master that is away finds out at the
// next subscription.
func (a *Agent) sendExited(f *framework, x *mesospb.ExecutorInfo, status int32) {
	if !a.session.registered || a.session.broken {
		return
	}
	a.send(&linkpb.Message{Type: linkpb.Message_EXECUTOR_EXITED.Enum(), ExecutorExited: &linkpb.ExecutorExited{
		FrameworkId: f.wireID(), ExecutorId: x.GetExecutorId(), Status: &status,
	}})
}

// fullStatus is an update of a framework's own executor with what it left out
// (mesos-api 11.3).
func (a *Agent) fullStatus(now time.Time, x *executor, s *mesospb.TaskStatus) *mesospb.TaskStatus {
	s = proto.CloneOf(s)
	s.Source = mesospb.TaskStatus_SOURCE_EXECUTOR.Enum()
	s.AgentId = a.info.GetId()
	s.ExecutorId = x.own.info.GetExecutorId()
	if s.Timestamp == nil {
		s.Timestamp = new(float64(now.UnixMicro()) / 1e6)
	}
	full := a.containerStatus(&x.container)
	if c := s.GetContainerStatus(); c != nil {
		if len(c.GetNetworkInfos()) > 0 {
			full.NetworkInfos = nil
		}
		proto.Merge(full, c)
	}
	s.ContainerStatus = full
	return s
}
