package core

import (
	"fmt"
	"slices"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Check says which rule the agent's state breaks, nil if none. It is for tests
// and the simulator; it costs as much as the state is large.
func (a *Agent) Check() error {
	seen := 0
	for i, f := range a.frameworks {
		if a.framework(f.id) != f {
			return fmt.Errorf("framework %s is there twice", f.id)
		}
		if len(f.tasks) == 0 && len(f.executors) == 0 {
			return fmt.Errorf("framework %s (%d) has nothing and is kept", f.id, i)
		}
		for _, x := range f.executors {
			for c := range x.containers() {
				seen++
				if err := a.checkContainer(c); err != nil {
					return fmt.Errorf("container %s: %w", c.id, err)
				}
			}
		}
		if err := a.checkFramework(f); err != nil {
			return fmt.Errorf("framework %s: %w", f.id, err)
		}
	}
	if seen != len(a.containers) {
		return fmt.Errorf("%d containers of executors and their tasks, but %d containers", seen, len(a.containers))
	}
	if err := a.checkHoldings(); err != nil {
		return err
	}
	return a.checkWaiting()
}

func (a *Agent) checkFramework(f *framework) error {
	for _, t := range f.tasks {
		if f.task(t.id) != t {
			return fmt.Errorf("task %s is there twice", t.id)
		}
		if err := t.check(); err != nil {
			return fmt.Errorf("task %s: %w", t.id, err)
		}
	}
	for _, x := range f.executors {
		switch {
		case x.own == nil && x.phase < ended && x.task.removed:
			return fmt.Errorf("container %s outlives its task", x.container.id)
		case x.phase == running && x.launched.IsZero() && !f.removing && a.seq == a.durable &&
			(x.own != nil || x.task.state != mesospb.TaskState_TASK_STAGING):
			return fmt.Errorf("container %s runs, but nobody knows since when", x.container.id)
		}
	}
	return nil
}

func (a *Agent) checkContainer(c *container) error {
	switch {
	case a.containers[c.id] != c:
		return fmt.Errorf("it is not in the table")
	case c.phase == gone:
		return fmt.Errorf("it is gone and kept")
	case c.nested() && (c.phase == launching || c.phase == running) && c.executor.phase == intended:
		return fmt.Errorf("it is nested in one that was not launched")
	case c.nested() && c.phase == intended && (c.task.removed || mesos.Terminal(c.task.state)):
		return fmt.Errorf("its task is over before it was launched, and it is kept")
	}
	return nil
}

func (t *task) check() error {
	all := slices.Concat(t.stream.Pending(), t.unstored)
	state := mesospb.TaskState_TASK_STAGING
	if s := t.stream.Acknowledged(); s != nil {
		state = s.GetState()
	}
	for _, s := range all {
		if !mesos.MayFollow(state, s.GetState()) {
			return fmt.Errorf("%v follows %v", s.GetState(), state)
		}
		state = s.GetState()
	}
	switch x := t.executor; {
	case t.removed:
		return fmt.Errorf("it is removed and kept")
	case state != t.state && !t.framework.removing:
		return fmt.Errorf("it is in state %v, but its updates end with %v", t.state, state)
	case t.stream.Done():
		return fmt.Errorf("its last update is acknowledged and it is kept")
	case x == nil && !mesos.Terminal(t.state):
		return fmt.Errorf("nothing runs it, and it is in state %v", t.state)
	case x != nil && x.own != nil && t.sent && !t.durable:
		return fmt.Errorf("it was given to its executor before it was stored")
	case t.container != nil && t.container.phase == gone && !mesos.Terminal(t.state),
		x != nil && x.phase == gone && !mesos.Terminal(t.state):
		return fmt.Errorf("its container is gone, and it is in state %v", t.state)
	case t.container != nil && t.container.nested() && t.kill == nil && !t.framework.removing && !mesos.Terminal(t.state) && t.bereft():
		return fmt.Errorf("another of its group failed, and it goes on")
	case x != nil && x.own == nil && x.phase < ended && mesos.Terminal(t.state):
		return fmt.Errorf("it is in state %v while its container is in phase %d", t.state, x.phase)
	}
	return nil
}

// bereft reports whether one of a task's group did not end well.
func (t *task) bereft() bool {
	return slices.ContainsFunc(t.executor.tasks, func(other *task) bool {
		return other.group == t.group && mesos.Terminal(other.state) && other.state != mesospb.TaskState_TASK_FINISHED
	})
}

func (a *Agent) checkWaiting() error {
	last := a.durable
	for _, w := range a.waiting {
		if w.seq <= last && w.seq <= a.durable || w.seq > a.seq {
			return fmt.Errorf("step waits for checkpoint %d, with %d durable and %d asked for", w.seq, a.durable, a.seq)
		}
		last = w.seq
	}
	return nil
}
