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

// container is where a command runs, or what the containers of a group's tasks
// are nested in.
type container struct {
	id       mesos.ContainerID
	executor *executor
	task     *task // whose command runs in it; nil: none's

	phase     phase
	pid       uint32                   // of the command; 0 when not known
	launched  time.Time                // zero before
	networks  []*mesospb.NetworkInfo   // nil: those of what it is nested in, or the host's
	stop      stop                     // its forced end, if one is under way
	destroyed bool                     // by force, before anybody heard of its end
	beyond    *checkpointpb.Limitation // why it is being ended; nil: it keeps its limits
}

// executor is who runs tasks, and its container. The built-in one runs one command
// task, bears the task's id and costs no process of its own; others are brought
// by their frameworks.
type executor struct {
	container
	framework *framework
	id        mesos.ExecutorID
	agent     mesos.AgentID // whose sandboxes it is in
	own       *own          // of one that a framework brought
	tasks     []*task       // those it has, and the last that it had
}

func (a *Agent) newExecutor(t *task) *executor {
	return a.addExecutor(t, a.newContainerID())
}

func (a *Agent) addExecutor(t *task, id mesos.ContainerID) *executor {
	x := &executor{framework: t.framework, id: mesos.ExecutorID(t.id), agent: a.id()}
	a.house(x, id)
	x.task, t.container, t.probes = t, &x.container, newProbes(t.info)
	x.join(t)
	return x
}

// house gives a new executor its container.
func (a *Agent) house(x *executor, id mesos.ContainerID) {
	x.container.id, x.executor = id, x
	x.framework.executors = append(x.framework.executors, x)
	a.containers[id] = &x.container
}

func (c *container) run() Run {
	x := c.executor
	return Run{Agent: x.agent, Framework: x.framework.id, Executor: x.id, Container: c.id}
}

func (c *container) wire() *mesospb.ContainerID {
	outer, inner := c.id.Split()
	id := &mesospb.ContainerID{Value: new(string(inner))}
	if outer != "" {
		id.Parent = &mesospb.ContainerID{Value: new(string(outer))}
	}
	return id
}

// launch starts the container of a task whose intent is durable, unless nobody
// wants it any more.
func (a *Agent) launch(c *container) {
	if c.phase != intended || c.executor.framework.removing {
		return
	}
	c.phase = launching
	t := c.task.info
	a.emit(Launch{
		Run: c.run(), Framework: c.executor.framework.info, Task: t, Role: allocatedTo(t.GetResources()), Limits: a.limitsOf(c),
	})
}

// abort gives up a launch that is under way.
func (a *Agent) abort(c *container) {
	if c.phase == launching {
		a.emit(Abort{Container: c.id})
	}
}

func (a *Agent) launched(now time.Time, ev Launched) {
	c := a.containers[ev.Container]
	if c == nil || !c.starting() {
		a.refuse("launch", string(ev.Container), "it was not asked for")
		return
	}
	c.pid, c.networks = ev.PID, ev.Networks
	switch {
	case c.task == nil:
		a.launchedOwn(now, c.executor)
	case c.nested():
		a.adoptNested(now, c)
	default:
		a.adopt(now, c)
	}
}

// starting reports whether the outcome of a launch is awaited. A framework's own
// executor may subscribe before it is known.
func (c *container) starting() bool {
	return c.phase == launching || c.task == nil && c.phase == running && c.pid == 0
}

// begin says that a container runs.
func (c *container) begin(now time.Time) {
	c.phase = running
	if c.launched.IsZero() {
		c.launched = now
	}
}

// adopt says that a task runs, and ends it at once if that is wanted by now.
func (a *Agent) adopt(now time.Time, c *container) {
	c.begin(now)
	t := c.task
	if t.framework.removing {
		a.stop(now, c, now.Add(a.cfg.ShutdownGrace))
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
	c := a.containers[ev.Container]
	if c == nil || !c.starting() {
		a.refuse("failed launch", string(ev.Container), "it was not asked for")
		return
	}
	a.counters.LaunchErrors++
	x := c.executor
	switch {
	case c.task == nil:
		a.endOwn(now, x, func(t *task) *mesospb.TaskStatus { return a.unstarted(now, t, ev) })
	case c.nested():
		a.endNested(now, c, ev.Why)
	case x.framework.removing:
		a.forgetTask(c.task, nil)
		a.dropExecutor(x)
		a.settle(x.framework)
	default:
		a.update(now, c.task, nil, a.unstarted(now, c.task, ev))
		a.dropExecutor(x)
	}
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
	c := a.containers[ev.Container]
	if c == nil || c.phase != running && c.phase != launching {
		a.refuse("exit", string(ev.Container), "no such container runs")
		return
	}
	if c.task == nil {
		a.exitedOwn(now, c.executor, ev.End)
		return
	}
	wasLaunched := c.phase == running && !c.launched.IsZero()
	c.phase, c.stop = ended, stop{}
	c.task.endProbes()
	switch {
	case c.nested():
		a.exitedNested(now, c, ev.End, wasLaunched)
	case c.executor.framework.removing:
		a.counters.ExecutorsTerminated++
		a.forgetTask(c.task, func(now time.Time) { a.destroy(now, c) })
	default:
		a.counters.ExecutorsTerminated++
		a.update(now, c.task, func(now time.Time) { a.destroy(now, c) }, a.outcome(now, c.task, ev.End, wasLaunched))
	}
}

// destroy cleans up after a container whose outcome is durable.
func (a *Agent) destroy(now time.Time, c *container) {
	if c.destroyed {
		a.drop(now, c)
		return
	}
	a.emit(Destroy{Container: c.id})
}

func (a *Agent) destroyed(now time.Time, id mesos.ContainerID) {
	c := a.containers[id]
	switch {
	case c == nil:
		a.refuse("destruction", string(id), "no such container is known")
	case c.phase == running:
		c.destroyed = true // by force; Exited is still to come
	case c.phase == ended:
		a.drop(now, c)
	default:
		a.refuse("destruction", string(id), "it was not asked for")
	}
}

// drop forgets a container that is cleaned up. One that was destroyed by force may
// have something to be awaited yet.
func (a *Agent) drop(now time.Time, c *container) {
	switch own := c.executor.own; {
	case c.nested():
		a.dropNested(now, c)
	case own != nil && (!own.gone || len(own.nested) > 0):
		c.destroyed = true
	default:
		a.dropExecutor(c.executor)
		a.settle(c.executor.framework)
	}
}

// dropExecutor forgets an executor of which nothing remains but its sandbox.
func (a *Agent) dropExecutor(x *executor) {
	f := x.framework
	if x.phase != intended {
		a.emit(CollectGarbage{Run: x.run()})
	}
	x.phase = gone
	delete(a.containers, x.container.id)
	if i := slices.Index(f.executors, x); i >= 0 {
		f.executors = slices.Delete(f.executors, i, i+1)
	}
	f.completed = keepLast(append(f.completed, x), maxCompletedExecutors)
}
