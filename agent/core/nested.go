package core

import (
	"iter"
	"slices"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// The default executor (mesos-api 14.2) runs groups of tasks, each in a container
// nested in that of the executor. It begins with the first group and ends when
// nothing is nested in it any more.

// nested reports whether a container is that of a task of a default executor.
func (c *container) nested() bool {
	outer, _ := c.id.Split()
	return outer != ""
}

// containers yields that of x and those nested in it.
func (x *executor) containers() iter.Seq[*container] {
	return func(yield func(*container) bool) {
		if !yield(&x.container) || x.own == nil {
			return
		}
		for _, c := range x.own.nested {
			if !yield(c) {
				return
			}
		}
	}
}

// nest makes t one of x's tasks, with a container of its own.
func (a *Agent) nest(x *executor, t *task, id mesos.ContainerID) {
	c := &container{id: id, executor: x, task: t}
	t.container, t.probes = c, newProbes(t.info)
	x.join(t)
	x.own.nested = append(x.own.nested, c)
	a.containers[id] = c
}

// startGroup tells that tasks start. Their containers are launched when that is
// stored: of a task that is not said to start, there is none.
func (a *Agent) startGroup(now time.Time, group []*task) {
	for _, t := range group {
		t.sent = true
	}
	launch := func(now time.Time) {
		for _, t := range group {
			a.launchNested(now, t.container)
		}
	}
	a.storeEach(now, group, launch, nil, func(t *task) *mesospb.TaskStatus {
		return a.status(now, t, mesospb.TaskState_TASK_STARTING)
	})
}

// launchNested starts the container of a task of a group, unless it is ended by now.
func (a *Agent) launchNested(now time.Time, c *container) {
	switch t := c.task; {
	case c.phase != intended || t.removed || mesos.Terminal(t.state):
	case t.kill != nil:
		a.endNested(now, c, "Killed before its container was launched")
	default:
		a.launch(c)
	}
}

// adoptNested says that a task runs, once all of its group do.
func (a *Agent) adoptNested(now time.Time, c *container) {
	t := c.task
	switch {
	case mesos.Terminal(t.state):
		c.begin(now)
		a.force(now, c) // its executor is gone
		return
	case t.kill != nil || t.framework.removing:
		a.adopt(now, c)
		return
	}
	c.begin(now)
	if t.state != mesospb.TaskState_TASK_STARTING {
		a.adopt(now, c)
	} else if !a.showRunning(now, t.executor.with(t)) {
		a.persist(nil, t.progress())
	}
}

// showRunning says of the tasks of a group that they run, if all do.
func (a *Agent) showRunning(now time.Time, group []*task) bool {
	if slices.ContainsFunc(group, func(t *task) bool { return t.container.phase < running }) {
		return false
	}
	for _, t := range group {
		if t.container.phase == running && t.kill == nil && t.state == mesospb.TaskState_TASK_STARTING {
			a.adopt(now, t.container)
		}
	}
	return true
}

// others yields the group of t without t.
func (t *task) others() []*task {
	return slices.DeleteFunc(t.executor.with(t), func(other *task) bool { return other == t })
}

// endNested ends a task of which there is no container, and with it its group.
func (a *Agent) endNested(now time.Time, c *container, why string) {
	t := c.task
	switch {
	case t.removed || mesos.Terminal(t.state):
	case t.framework.removing:
		a.forgetTask(t, nil)
	default:
		a.showRunning(now, t.others())
		state := mesospb.TaskState_TASK_FAILED
		if t.kill != nil {
			state = mesospb.TaskState_TASK_KILLED
		}
		s := a.status(now, t, state)
		s.Message = &why
		a.update(now, t, nil, s)
		a.endGroup(now, t)
	}
	a.dropNested(now, c)
}

// exitedNested stores how a task of a group ended, and ends the others if that
// was not as it should.
func (a *Agent) exitedNested(now time.Time, c *container, end End, launched bool) {
	t, destroy := c.task, func(now time.Time) { a.destroy(now, c) }
	switch {
	case t.removed || mesos.Terminal(t.state):
		a.persist(destroy) // with the write of its outcome, which may be under way
		return
	case t.framework.removing:
		a.forgetTask(t, destroy)
		return
	case end.OOM && t.kill == nil && sharesCgroups(t.info):
		a.outgrown(now, t.executor, end)
		a.persist(destroy)
		return
	}
	a.showRunning(now, t.others())
	var news []*mesospb.TaskStatus
	if launched && end.Known && t.state == mesospb.TaskState_TASK_STARTING {
		news = append(news, a.status(now, t, mesospb.TaskState_TASK_RUNNING)) // its group was not complete yet
	}
	a.update(now, t, destroy, append(news, a.outcome(now, t, end, launched))...)
	a.endGroup(now, t)
}

// endGroup ends the others of a group, one of which failed or was killed.
func (a *Agent) endGroup(now time.Time, t *task) {
	if t.state == mesospb.TaskState_TASK_FINISHED {
		return
	}
	for _, other := range t.others() {
		if other.kill == nil {
			a.beginKill(now, other, kill{cause: checkpointpb.Kill_GROUP, since: now, grace: other.grace(nil)})
		}
	}
}

// outgrown ends an executor whose tasks together went beyond its memory, as Mesos
// does: nobody can tell whose fault it was.
func (a *Agent) outgrown(now time.Time, x *executor, end End) {
	limit := a.ownLimits(x).memory()
	a.endTasks(now, x, func(t *task) *mesospb.TaskStatus { return a.memoryStatus(now, t, limit, end) })
	a.force(now, &x.container)
}

// killNested ends a task of a group because its framework wants that; the group
// follows when it has ended. The first kill counts, and no later one.
func (a *Agent) killNested(now time.Time, t *task, policy *mesospb.KillPolicy) {
	if t.kill != nil {
		a.refuse("kill of task", string(t.id), "it is ending already")
		return
	}
	a.beginKill(now, t, kill{cause: checkpointpb.Kill_REQUESTED, since: now, grace: t.grace(policy)})
}

// shutdownNested ends a default executor: its tasks are killed, in no more time
// than it has itself.
func (a *Agent) shutdownNested(now time.Time, x *executor) {
	if x.phase >= ended {
		return
	}
	if x.framework.removing && x.phase == launching {
		a.abort(&x.container)
	}
	grace := a.grace(x)
	for _, c := range slices.Clone(x.own.nested) {
		t := c.task
		switch {
		case c.phase >= ended:
		case t.removed || mesos.Terminal(t.state):
			a.force(now, c)
		case x.framework.removing && c.phase == launching:
			a.abort(c)
		case x.framework.removing:
			a.stop(now, c, now.Add(grace))
		case t.kill == nil && t.sent:
			a.beginKill(now, t, kill{cause: checkpointpb.Kill_REQUESTED, since: now, grace: min(grace, t.grace(nil))})
		}
	}
	a.sift(x)
	if x.phase == running && !x.framework.removing {
		for _, t := range x.live() {
			if !t.sent {
				a.update(now, t, nil, a.orphaned(now, t, End{Known: true}, true))
			}
		}
		a.sift(x)
	}
	a.finish(now, x)
}

// fell ends what is nested in a container that has ended.
func (a *Agent) fell(now time.Time, x *executor) {
	for _, c := range x.own.nested {
		a.force(now, c)
		a.abort(c)
	}
}

// sift forgets the containers of tasks that ended before anything was launched
// for them.
func (a *Agent) sift(x *executor) {
	x.own.nested = slices.DeleteFunc(x.own.nested, func(c *container) bool {
		over := c.phase == intended && (c.task.removed || mesos.Terminal(c.task.state))
		if over {
			c.phase = gone
			delete(a.containers, c.id)
		}
		return over
	})
}

// dropNested forgets a container that is cleaned up; with the last one, its
// executor ends.
func (a *Agent) dropNested(now time.Time, c *container) {
	c.phase = gone
	delete(a.containers, c.id)
	x := c.executor
	if i := slices.Index(x.own.nested, c); i >= 0 {
		x.own.nested = slices.Delete(x.own.nested, i, i+1)
	}
	a.finish(now, x)
}

// finish ends a default executor that has nothing to do any more, and cleans up
// after one that has ended.
func (a *Agent) finish(now time.Time, x *executor) {
	switch {
	case len(x.own.nested) > 0 || !x.own.builtIn():
	case x.phase == running && len(x.live()) == 0:
		x.own.over, x.own.ending = true, true
		a.force(now, &x.container)
	case x.phase == ended && x.own.gone:
		a.destroy(now, &x.container)
	}
}

// takeUpNested goes on with the container of a task of a group where the earlier
// agent left it, and with the end of the group if that was under way.
func (a *Agent) takeUpNested(now time.Time, c *container, alive map[mesos.ContainerID]bool) {
	t := c.task
	if c.phase != intended {
		a.takeUpTask(now, c, alive)
	}
	if mesos.Terminal(t.state) {
		a.endGroup(now, t)
	}
}
