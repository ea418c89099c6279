package simulation

import (
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// checkEnd looks at the whole when the network has been calm for long: what
// every side believes must be what is so.
func (c *Cluster) checkEnd() {
	running := make(map[taskKey]string)
	for _, a := range c.agents {
		if a.link == nil {
			c.violate("%s is not connected although nothing keeps it", a.name)
		}
		for _, k := range a.containers {
			if !k.running {
				c.violate("%s still has container %s, whose end was never settled", a.name, k.id)
			}
			running[k.task] = a.name
		}
	}
	for _, s := range c.schedulers {
		c.checkScheduler(s, running)
	}
	for k, where := range running {
		c.violate("task %v runs on %s and no scheduler knows", k, where)
		return
	}
	if c.master.open != 0 {
		c.violate("%d calls were never answered", c.master.open)
	}
}

// checkScheduler compares what a scheduler believes with what runs, and strikes
// off what it knows.
func (c *Cluster) checkScheduler(s *scheduler, running map[taskKey]string) {
	if s.stream == nil || s.id == nil {
		c.violate("%s is not subscribed although nothing keeps it", s.name)
		return
	}
	if len(s.tasks) < c.opts.Tasks {
		c.violate("%s launched %d of %d tasks: it starves", s.name, len(s.tasks), c.opts.Tasks)
	}
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
		case !runs && c.launched[key] && !r.terminal:
			c.violate("%s was never told how %s ended: %v", s.name, r.id, r.state)
		}
	}
}
