package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A Snapshot is what an agent knows, for those who look. It shares messages
// with the agent, which nobody changes, and nothing else.
type Snapshot struct {
	Info       *mesospb.AgentInfo // id included, once there is one
	Registered bool               // at a master, now
	Frameworks []Framework
	Completed  []Framework
	Counters   Counters
	Total      resources.Resources // dynamic reservations and volumes included
	Operations []*mesospb.Operation
}

// Framework is a framework as a Snapshot shows it.
type Framework struct {
	Info      *mesospb.FrameworkInfo
	Executors []Executor
	Completed []Executor
	Refused   []Task // taken without an executor, and not yet acknowledged
}

// Executor is an executor as a Snapshot shows it.
type Executor struct {
	Run     Run
	Info    *mesospb.ExecutorInfo // of a command task: as Mesos' agents make it
	BuiltIn bool                  // it runs a command task; not the default executor
	PID     uint32                // of the command; 0 when not known
	Running bool
	// Subscribed: one that its framework brought, and that is connected.
	Subscribed bool
	Launched   time.Time
	Tasks      []Task // one of a command task's executor
}

// Task is a task as a Snapshot shows it.
type Task struct {
	Info     *mesospb.TaskInfo
	State    mesospb.TaskState
	Statuses []*mesospb.TaskStatus // one of each state in a row, oldest first
	Queued   bool                  // its executor does not run yet
	Pending  bool                  // an update awaits its acknowledgement
	Run      Run                   // where its command runs; none of a framework's own executor's
	PID      uint32                // of the command; 0 when not known
	Running  bool                  // that container
}

// Snapshot copies what the agent knows.
func (a *Agent) Snapshot() Snapshot {
	return Snapshot{
		Info:       a.info,
		Registered: a.session.registered && !a.session.broken,
		Frameworks: viewAll(a.frameworks, (*framework).view),
		Completed:  viewAll(a.completed, (*framework).view),
		Counters:   a.counters,
		Total:      a.total,
		Operations: a.operationMessages(),
	}
}

func viewAll[T, V any](list []T, view func(T) V) []V {
	views := make([]V, 0, len(list))
	for _, x := range list {
		views = append(views, view(x))
	}
	return views
}

func (f *framework) view() Framework {
	v := Framework{
		Info:      f.info,
		Executors: viewAll(f.executors, (*executor).view),
		Completed: viewAll(f.completed, (*executor).view),
	}
	for _, t := range f.tasks {
		if t.executor == nil {
			v.Refused = append(v.Refused, t.view())
		}
	}
	return v
}

func (x *executor) view() Executor {
	return Executor{
		Run: x.run(), Info: x.info(), BuiltIn: x.own == nil, PID: x.pid, Running: x.phase == running, Launched: x.launched,
		Subscribed: x.own != nil && x.own.stream != 0, Tasks: viewAll(x.tasks, (*task).view),
	}
}

func (t *task) view() Task {
	v := Task{
		Info:     t.info,
		State:    t.state,
		Statuses: slices.Clone(t.statuses),
		Queued:   t.executor != nil && t.executor.queues(t),
		Pending:  !t.removed && (len(t.unstored) > 0 || len(t.stream.Pending()) > 0),
	}
	if c := t.container; c != nil {
		v.Run, v.PID, v.Running = c.run(), c.pid, c.phase == running
	}
	return v
}

// queues reports whether a task waits for its executor.
func (x *executor) queues(t *task) bool {
	if x.own != nil {
		return !t.sent
	}
	return x.phase < running
}

// info is the ExecutorInfo that a framework gave, or that Mesos' agents make for
// a command task. Its resources come on top of the task's.
func (x *executor) info() *mesospb.ExecutorInfo {
	if x.own != nil {
		return x.own.info
	}
	t := x.task.info
	return &mesospb.ExecutorInfo{
		ExecutorId:  &mesospb.ExecutorID{Value: new(string(x.id))},
		FrameworkId: x.framework.wireID(),
		Command:     t.GetCommand(),
		Container:   t.GetContainer(),
		Discovery:   t.GetDiscovery(),
		Labels:      t.GetLabels(),
		Name:        new(commandName(t)),
		Source:      new(string(x.id)),
		Resources:   overhead(t),
	}
}

// overhead is what the built-in executor adds to its container.
func overhead(t *mesospb.TaskInfo) []*mesospb.Resource {
	var allocation *mesospb.Resource_AllocationInfo
	if r := t.GetResources(); len(r) > 0 {
		allocation = r[0].GetAllocationInfo()
	}
	amount := func(name string, x float64) *mesospb.Resource {
		return &mesospb.Resource{
			Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &x}, AllocationInfo: allocation,
		}
	}
	return []*mesospb.Resource{amount("cpus", overheadCPUs/1000.0), amount("mem", overheadMem>>20)}
}

// commandName is Mesos' name of the executor of a command task.
func commandName(t *mesospb.TaskInfo) string {
	return fmt.Sprintf("Command Executor (Task: %s) (Command: %s)", t.GetTaskId().GetValue(), commandText(t.GetCommand()))
}

func commandText(c *mesospb.CommandInfo) string {
	switch {
	case c.GetShell() && c.Value == nil:
		return "NO COMMAND"
	case c.GetShell():
		text := c.GetValue()
		if len(text) > 15 {
			text = text[:12] + "..."
		}
		return "sh -c '" + strings.ToValidUTF8(text, "?") + "'"
	case c.Value == nil:
		return "NO EXECUTABLE"
	}
	return "[" + strings.Join(append([]string{c.GetValue()}, c.GetArguments()...), ", ") + "]"
}

// Nested yields the tasks of a default executor whose containers run.
func (x Executor) Nested() []Task {
	return slices.DeleteFunc(slices.Clone(x.Tasks), func(t Task) bool { return !t.Running || t.Run.Container == x.Run.Container })
}

// Find returns the executor that runs in a container.
func (s Snapshot) Find(id mesos.ContainerID) (Executor, bool) {
	for _, f := range s.Frameworks {
		for _, x := range f.Executors {
			if x.Run.Container == id {
				return x, true
			}
		}
	}
	return Executor{}, false
}
