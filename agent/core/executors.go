package core

import (
	"slices"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// phase is where an executor's container is in its life.
type phase int

const (
	intended  phase = iota // about to be stored; nothing was launched
	launching              // the containerizer was told
	running
	ended // its outcome is being stored, or it is being destroyed
	gone  // nothing of it remains but its sandbox
)

// executor is who runs tasks in a container. The built-in one runs one command
// task, bears the task's id and costs no process of its own; others are brought
// by their frameworks.
type executor struct {
	framework *framework
	id        mesos.ExecutorID
	agent     mesos.AgentID // whose sandboxes it is in
	container mesos.ContainerID
	task      *task   // of the built-in executor
	own       *own    // of one that a framework brought
	tasks     []*task // those it has, and the last that it had

	phase     phase
	pid       uint32                   // of the command; 0 when not known
	launched  time.Time                // zero before
	networks  []*mesospb.NetworkInfo   // nil: the host's
	stop      stop                     // its forced end, if one is under way
	destroyed bool                     // by force, before anybody heard of its end
	beyond    *checkpointpb.Limitation // why it is being ended; nil: it keeps its limits
}

func (a *Agent) newExecutor(t *task) *executor {
	return a.addExecutor(t, a.newContainerID())
}

func (a *Agent) addExecutor(t *task, id mesos.ContainerID) *executor {
	x := &executor{framework: t.framework, id: mesos.ExecutorID(t.id), agent: a.id(), container: id, task: t}
	x.join(t)
	t.framework.executors = append(t.framework.executors, x)
	a.containers[id] = x
	return x
}

func (x *executor) run() Run {
	return Run{Agent: x.agent, Framework: x.framework.id, Executor: x.id, Container: x.container}
}

func (x *executor) wireContainer() *mesospb.ContainerID {
	return &mesospb.ContainerID{Value: new(string(x.container))}
}

// launch starts a container whose intent is durable, unless nobody wants it any more.
func (a *Agent) launch(x *executor) {
	if x.phase != intended || x.framework.removing {
		return
	}
	x.phase = launching
	a.emit(Launch{
		Run: x.run(), Framework: x.framework.info, Task: x.task.info, Role: allocatedTo(x.task.info.GetResources()), Limits: a.limits(x.task.info),
	})
}

// abort gives up a launch that is under way.
func (a *Agent) abort(x *executor) {
	if x.phase == launching {
		a.emit(Abort{Container: x.container})
	}
}

func (a *Agent) launched(now time.Time, ev Launched) {
	x := a.containers[ev.Container]
	if x == nil || !x.starting() {
		a.refuse("launch", string(ev.Container), "it was not asked for")
		return
	}
	x.pid, x.networks = ev.PID, ev.Networks
	if x.own != nil {
		a.launchedOwn(now, x)
		return
	}
	a.adopt(now, x)
}

// adopt says that x runs, and ends it at once if that is wanted by now.
func (a *Agent) adopt(now time.Time, x *executor) {
	x.phase = running
	if x.launched.IsZero() {
		x.launched = now
	}
	t := x.task
	if x.framework.removing {
		a.stop(now, x, now.Add(a.cfg.ShutdownGrace))
		return
	}
	var news []*mesospb.TaskStatus
	if t.state == mesospb.TaskState_TASK_STAGING {
		news = append(news, a.status(now, t, mesospb.TaskState_TASK_STARTING))
	}
	if t.state == mesospb.TaskState_TASK_STAGING || t.state == mesospb.TaskState_TASK_STARTING {
		news = append(news, a.status(now, t, mesospb.TaskState_TASK_RUNNING))
	}
	var then func(time.Time)
	if t.kill != nil {
		news = append(news, a.killing(now, t)...)
		then = func(now time.Time) { a.terminate(now, t) }
	}
	if t.kill == nil {
		t.beginProbes(now)
	}
	if len(news) > 0 || then != nil {
		a.update(now, t, then, news...)
	}
}

func (a *Agent) launchFailed(now time.Time, ev LaunchFailed) {
	x := a.containers[ev.Container]
	if x == nil || !x.starting() {
		a.refuse("failed launch", string(ev.Container), "it was not asked for")
		return
	}
	a.counters.LaunchErrors++
	if x.own != nil {
		a.endOwn(now, x, func(t *task) *mesospb.TaskStatus { return a.unstarted(now, t, ev) })
		return
	}
	if x.framework.removing {
		a.forgetTask(x.task, nil)
		a.dropExecutor(x)
		a.settle(x.framework)
		return
	}
	a.update(now, x.task, nil, a.unstarted(now, x.task, ev))
	a.dropExecutor(x)
}

// unstarted is the terminal update of a task that could not be launched, as Mesos' agent tells it.
func (a *Agent) unstarted(now time.Time, t *task, ev LaunchFailed) *mesospb.TaskStatus {
	if t.kill != nil {
		return a.unlaunchedStatus(now, t)
	}
	if ev.Sandbox {
		return a.agentStatus(now, t, t.framework.lostState(), mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED,
			"Failed to create executor directory: "+ev.Why)
	}
	return a.agentStatus(now, t, mesospb.TaskState_TASK_FAILED, mesospb.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED,
		"Failed to launch container: "+ev.Why)
}

// exited stores how a container ended; only then is it destroyed.
func (a *Agent) exited(now time.Time, ev Exited) {
	x := a.containers[ev.Container]
	if x == nil || x.phase != running && x.phase != launching {
		a.refuse("exit", string(ev.Container), "no such container runs")
		return
	}
	if x.own != nil {
		a.exitedOwn(now, x, ev.End)
		return
	}
	wasLaunched := x.phase == running && !x.launched.IsZero()
	x.phase = ended
	x.stop = stop{}
	x.task.endProbes()
	a.counters.ExecutorsTerminated++
	if x.framework.removing {
		a.forgetTask(x.task, func(time.Time) { a.destroy(x) })
		return
	}
	a.update(now, x.task, func(time.Time) { a.destroy(x) }, a.outcome(now, x.task, ev.End, wasLaunched))
}

// destroy cleans up after a container whose outcome is durable.
func (a *Agent) destroy(x *executor) {
	if x.destroyed {
		a.dropExecutor(x)
		a.settle(x.framework)
		return
	}
	a.emit(Destroy{Container: x.container})
}

func (a *Agent) destroyed(now time.Time, id mesos.ContainerID) {
	x := a.containers[id]
	switch {
	case x == nil:
		a.refuse("destruction", string(id), "no such container is known")
	case x.phase == running:
		x.destroyed = true // by force; Exited is still to come
	case x.phase == ended:
		a.dropExecutor(x)
		a.settle(x.framework)
	default:
		a.refuse("destruction", string(id), "it was not asked for")
	}
}

// dropExecutor forgets an executor of which nothing remains but its sandbox.
func (a *Agent) dropExecutor(x *executor) {
	f := x.framework
	if x.phase != intended {
		a.emit(CollectGarbage{Run: x.run()})
	}
	x.phase = gone
	delete(a.containers, x.container)
	if i := slices.Index(f.executors, x); i >= 0 {
		f.executors = slices.Delete(f.executors, i, i+1)
	}
	f.completed = keepLast(append(f.completed, x), maxCompletedExecutors)
}
