package core

import (
	"fmt"
	"slices"

	"github.com/soukproject/souk/proto/mesos"
)

// A JobView is a job and what it does at the moment.
type JobView struct {
	*Job
	State string // idle, queued or "2 running"
}

// A Link is an edge of the job graph.
type Link struct{ Parent, Child string }

// Counters count since the process started.
type Counters struct {
	Launched, Succeeded, Failed, Skipped, Expired, Declined, Revived int64
}

// Jobs lists all jobs, sorted by name.
func (c *Chronos) Jobs() []JobView {
	views := make([]JobView, 0, len(c.names))
	for _, name := range c.names {
		views = append(views, c.jobs[name].view())
	}
	return views
}

// Job looks up one job.
func (c *Chronos) Job(name string) (JobView, bool) {
	r, ok := c.jobs[name]
	if !ok {
		return JobView{}, false
	}
	return r.view(), true
}

func (r *record) view() JobView {
	v := JobView{Job: r.job, State: "idle"}
	switch {
	case len(r.active) > 0:
		v.State = fmt.Sprintf("%d running", len(r.active))
	case r.queued != nil:
		v.State = "queued"
	}
	return v
}

// Links lists the edges of the job graph, sorted by parent and child.
func (c *Chronos) Links() []Link {
	var links []Link
	for _, parent := range c.names {
		for _, child := range c.children[parent] {
			links = append(links, Link{Parent: parent, Child: child})
		}
	}
	return links
}

// Runs lists the runs of a job, newest first: those under way, then those that ended.
func (c *Chronos) Runs(name string) []*RunRecord {
	r, ok := c.jobs[name]
	if !ok {
		return nil
	}
	var runs []*RunRecord
	for _, a := range slices.Backward(r.active) {
		run := a.RunRecord
		runs = append(runs, &run)
	}
	return append(runs, r.history...)
}

// Times is how long the latest successful runs of a job took, and how many there were.
func (c *Chronos) Times(name string) Times {
	r, ok := c.jobs[name]
	if !ok {
		return Times{}
	}
	return Times{Count: r.times.total, Milliseconds: slices.Clone(r.times.last)}
}

// Queued is how many jobs wait in each line.
func (c *Chronos) Queued() (high, normal int) {
	return len(c.queue.high.place), len(c.queue.normal.place)
}

// Counters is what happened since the process started.
func (c *Chronos) Counters() Counters { return c.counts }

// Framework is the id the master gave, "" before the first subscription.
func (c *Chronos) Framework() mesos.FrameworkID { return c.framework }

// Connected reports whether the master has accepted the subscription.
func (c *Chronos) Connected() bool { return c.master.connected }
