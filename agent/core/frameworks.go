package core

import (
	"iter"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// How much of the past is remembered for those who look (Mesos' numbers).
const (
	maxCompletedFrameworks = 50
	maxCompletedExecutors  = 150 // of one framework
)

// framework is one that has, or had, something on this agent.
type framework struct {
	id       mesos.FrameworkID
	info     *mesospb.FrameworkInfo
	removing bool // the master said it is no more: its updates are dropped

	tasks     []*task // in the order they came
	executors []*executor
	completed []*executor // the last few that are gone
}

func frameworkID(id *mesospb.FrameworkID) mesos.FrameworkID {
	return mesos.FrameworkID(id.GetValue())
}

func (f *framework) wireID() *mesospb.FrameworkID {
	return &mesospb.FrameworkID{Value: new(string(f.id))}
}

// has reports whether the framework's scheduler declared a capability.
func (f *framework) has(capability mesospb.FrameworkInfo_Capability_Type) bool {
	return slices.ContainsFunc(f.info.GetCapabilities(), func(c *mesospb.FrameworkInfo_Capability) bool {
		return c.GetType() == capability
	})
}

// lostState is the state of a task that never ran, as the framework knows it.
func (f *framework) lostState() mesospb.TaskState {
	if f.has(mesospb.FrameworkInfo_Capability_PARTITION_AWARE) {
		return mesospb.TaskState_TASK_DROPPED
	}
	return mesospb.TaskState_TASK_LOST
}

func (f *framework) task(id mesos.TaskID) *task {
	i := slices.IndexFunc(f.tasks, func(t *task) bool { return t.id == id })
	if i < 0 {
		return nil
	}
	return f.tasks[i]
}

func (a *Agent) framework(id mesos.FrameworkID) *framework {
	i := slices.IndexFunc(a.frameworks, func(f *framework) bool { return f.id == id })
	if i < 0 {
		return nil
	}
	return a.frameworks[i]
}

// task finds a task by what the master calls it, or returns nil.
func (a *Agent) task(fw *mesospb.FrameworkID, id *mesospb.TaskID) *task {
	f := a.framework(frameworkID(fw))
	if f == nil {
		return nil
	}
	return f.task(mesos.TaskID(id.GetValue()))
}

// tasks yields all tasks in the order they came to their frameworks.
func (a *Agent) tasks() iter.Seq[*task] {
	return func(yield func(*task) bool) {
		for _, f := range a.frameworks {
			for _, t := range f.tasks {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// meet returns the framework that info describes, new or known. changed tells
// whether that is news worth a record.
func (a *Agent) meet(info *mesospb.FrameworkInfo) (f *framework, changed bool) {
	id := frameworkID(info.GetId())
	if f := a.framework(id); f != nil {
		changed := !proto.Equal(f.info, info)
		f.info = info
		return f, changed
	}
	f = &framework{id: id, info: info}
	if i := slices.IndexFunc(a.completed, func(old *framework) bool { return old.id == id }); i >= 0 {
		f.completed = a.completed[i].completed // steps that wait for the old one do not concern f
		a.completed = slices.Delete(a.completed, i, i+1)
	}
	a.frameworks = append(a.frameworks, f)
	return f, true
}

// updateFramework takes note of changes; those to frameworks without tasks here
// come again with their next task.
func (a *Agent) updateFramework(info *mesospb.FrameworkInfo) {
	f := a.framework(frameworkID(info.GetId()))
	if f == nil || proto.Equal(f.info, info) {
		return
	}
	f.info = info
	a.persist(nil, f.record())
}

func (a *Agent) shutdownFramework(now time.Time, id mesos.FrameworkID) {
	f := a.framework(id)
	if f == nil {
		a.refuse("shutdown of framework", string(id), "it has nothing here")
		return
	}
	a.removeFramework(now, f)
}

// removeFramework ends everything that f has. Its updates are dropped: there is
// nobody to acknowledge them.
func (a *Agent) removeFramework(now time.Time, f *framework) {
	if f.removing {
		return
	}
	f.removing = true
	a.persist(func(now time.Time) { a.sweep(now, f) }, f.record())
}

// sweep stops the containers of a framework that is being removed and forgets
// the tasks that have none.
func (a *Agent) sweep(now time.Time, f *framework) {
	for _, t := range slices.Clone(f.tasks) {
		if c := t.place(); c == nil || c.phase != launching && c.phase != running {
			a.forgetTask(t, nil)
		}
	}
	for _, x := range slices.Clone(f.executors) {
		switch {
		case x.own != nil && x.phase == intended:
			a.endOwn(now, x, nil)
		case x.own != nil:
			a.shutdownOwn(now, x)
		case x.phase == intended:
			a.dropExecutor(x)
		case x.phase == launching:
			a.abort(&x.container)
		case x.phase == running:
			a.stop(now, &x.container, now.Add(a.cfg.ShutdownGrace))
		}
	}
	a.settle(f)
}

// settle forgets a framework that has nothing here any more.
func (a *Agent) settle(f *framework) {
	if len(f.tasks) > 0 || len(f.executors) > 0 {
		return
	}
	i := slices.Index(a.frameworks, f)
	if i < 0 {
		return
	}
	a.frameworks = slices.Delete(a.frameworks, i, i+1)
	a.completed = keepLast(append(a.completed, f), maxCompletedFrameworks)
	a.persist(nil, f.goneRecord())
	a.leave()
}

func (a *Agent) shutdownExecutor(now time.Time, e *linkpb.ShutdownExecutor) {
	f := a.framework(frameworkID(e.GetFrameworkId()))
	id := mesos.ExecutorID(e.GetExecutorId().GetValue())
	if f == nil {
		a.refuse("shutdown of executor", string(id), "its framework has nothing here")
		return
	}
	for _, x := range slices.Clone(f.executors) {
		switch {
		case x.id != id || x.phase > running:
		case x.own != nil:
			a.shutdownOwn(now, x)
		default:
			a.endTask(now, x.task, a.cfg.ShutdownGrace)
		}
	}
}

// keepLast drops from the front what is beyond n.
func keepLast[T any](list []T, n int) []T {
	if excess := len(list) - n; excess > 0 {
		return slices.Delete(list, 0, excess)
	}
	return list
}
