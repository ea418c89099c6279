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
		seen += len(f.executors)
		if err := a.checkFramework(f); err != nil {
			return fmt.Errorf("framework %s: %w", f.id, err)
		}
	}
	if seen != len(a.containers) {
		return fmt.Errorf("%d executors, but %d containers", seen, len(a.containers))
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
		case a.containers[x.container] != x:
			return fmt.Errorf("container %s is not in the table", x.container)
		case x.phase == gone:
			return fmt.Errorf("container %s is gone and kept", x.container)
		case x.own == nil && x.phase < ended && x.task.removed:
			return fmt.Errorf("container %s outlives its task", x.container)
		case x.phase == running && x.launched.IsZero() && !f.removing && a.seq == a.durable &&
			(x.own != nil || x.task.state != mesospb.TaskState_TASK_STAGING):
			return fmt.Errorf("container %s runs, but nobody knows since when", x.container)
		}
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
	case x != nil && x.phase == gone && !mesos.Terminal(t.state):
		return fmt.Errorf("its container is gone, and it is in state %v", t.state)
	case x != nil && x.own == nil && x.phase < ended && mesos.Terminal(t.state):
		return fmt.Errorf("it is in state %v while its container is in phase %d", t.state, x.phase)
	}
	return nil
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
