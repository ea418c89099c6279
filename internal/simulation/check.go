package simulation

import (
	"slices"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// settled reports whether every side believes what is so. It is asked again
// until it is true, or the time for that is over; then what it found counts.
func (c *Cluster) settled() bool {
	c.checkWhole()
	if c.failed == nil {
		return true
	}
	c.left, c.failed = c.failed, nil
	return false
}

// checkWhole looks at the whole: what every side believes must be what is so.
func (c *Cluster) checkWhole() {
	leading := 0
	for _, m := range c.masters {
		if m.core == nil {
			continue
		}
		leading++
		if len(m.waiting) > 0 {
			c.violate("%s has %d calls that it does not answer", m.name, len(m.waiting))
		}
	}
	if leading != 1 {
		c.violate("%d masters lead, want one", leading)
	}
	c.operator.check()
	running := c.checkAgents()
	for _, s := range c.schedulers {
		c.checkScheduler(s, running)
	}
	if c.marathon != nil {
		c.marathon.check(running)
	}
	if c.chronos != nil {
		c.chronos.check(running)
	}
	for k, where := range running {
		c.violate("task %v runs on %s and no scheduler knows", k, where)
		return
	}
}

// checkAgents returns what runs, and where. An agent that is drained runs nothing.
func (c *Cluster) checkAgents() map[taskKey]string {
	running := make(map[taskKey]string)
	for _, a := range c.agents {
		if a.link == nil {
			c.violate("%s is not connected although nothing keeps it", a.name)
		}
		held := c.registry.agent(a.id())
		if held == nil {
			c.violate("%s is not admitted although nothing keeps it", a.name)
		}
		if held.GetDrainInfo().GetState() == mesospb.DrainState_DRAINING {
			c.violate("%s is still being drained", a.name)
		}
		if held.GetDrainInfo() != nil && len(a.containers) > 0 {
			c.violate("%s is drained and has %d containers", a.name, len(a.containers))
		}
		for _, k := range a.containers {
			if !k.running {
				c.violate("%s still has container %s, whose end was never settled", a.name, k.id)
			}
			for _, key := range k.tasks() {
				running[key] = a.name
			}
		}
		c.checkHoldings(a)
	}
	return running
}

// checkScheduler compares what a scheduler believes with what runs, and strikes
// off what it knows.
func (c *Cluster) checkScheduler(s *scheduler, running map[taskKey]string) {
	if s.left {
		return // what it had must not run any more
	}
	if s.link.stream == nil || s.id == nil {
		c.violate("%s is not subscribed although nothing keeps it", s.name)
		return
	}
	if len(s.tasks) < c.opts.Tasks {
		c.violate("%s launched %d of %d tasks: it starves", s.name, len(s.tasks), c.opts.Tasks)
	}
	s.estate.check()
	for _, r := range s.tasks {
		key := taskKey{mesos.FrameworkID(s.id.GetValue()), mesos.TaskID(r.id)}
		where, runs := running[key]
		delete(running, key)
		switch {
		case runs && r.lost():
			c.violate("%s believes that %s is %v; it runs on %s", s.name, r.id, r.state, where)
		case !runs && !r.lost():
			c.violate("%s believes that %s is %v; it does not run", s.name, r.id, r.state)
		case runs && r.state == mesospb.TaskState_TASK_STAGING:
			c.violate("%s was never told that %s runs", s.name, r.id)
		case !runs && c.launched[key] && !r.terminal && c.registry.agent(r.agent.GetValue()) != nil:
			c.violate("%s was never told how %s ended: %v", s.name, r.id, r.state)
		}
	}
}

// runs reports whether a task runs anywhere.
func (c *Cluster) runs(task string) bool {
	for _, a := range c.agents {
		if slices.ContainsFunc(a.containers, func(k *container) bool { return k.running && string(k.task.task) == task }) {
			return true
		}
	}
	return false
}
