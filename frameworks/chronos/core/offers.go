package core

import (
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// An offer is what is left of one while a round of placing goes on.
type offer struct {
	*mesospb.Offer
	left  resources.Resources
	tasks []*mesospb.TaskInfo
}

// offers places queued runs on offers, first come first served and high
// priority first. A run that fits nowhere keeps its place and delays nobody.
func (c *Chronos) offers(now time.Time, list []*mesospb.Offer) {
	round := make([]*offer, 0, len(list))
	for _, o := range list {
		left, err := resources.FromProto(o.GetResources())
		if err != nil {
			left = nil // an offer that makes no sense is declined
		}
		round = append(round, &offer{Offer: o, left: left})
	}
	for _, name := range c.queue.names() {
		c.place(now, c.jobs[name], round)
	}
	c.answerOffers(round)
}

// answerOffers accepts the offers that were used and declines the rest.
func (c *Chronos) answerOffers(round []*offer) {
	var unused []mesos.OfferID
	for _, o := range round {
		id := mesos.OfferID(o.GetId().GetValue())
		if len(o.tasks) == 0 {
			unused = append(unused, id)
			continue
		}
		c.say(Accept{Offer: id, Tasks: o.tasks, Refuse: c.cfg.DeclineFor})
	}
	if len(unused) > 0 {
		c.counts.Declined += int64(len(unused))
		c.say(Decline{Offers: unused, Refuse: c.cfg.DeclineFor})
	}
}

// place launches the queued run of a job if it may start and fits somewhere.
func (c *Chronos) place(now time.Time, r *record, round []*offer) {
	switch {
	case r.job.Disabled:
		c.counts.Expired++
		c.unqueue(r)
		return
	case r.blocked():
		return
	case r.queued.occurrence():
		r.queued.Due = r.job.latest(now)
		if r.job.late(r.queued.Due, now) {
			c.unqueue(r)
			c.skip(now, r)
			return
		}
	}
	for _, o := range round {
		if !r.job.allows(o.Offer) {
			continue
		}
		if taken, ok := r.job.take(o.left); ok {
			c.launch(now, r, o, taken)
			return
		}
	}
}

// occurrence reports whether the request is for an occurrence of the schedule
// that no run was launched for yet.
func (q *request) occurrence() bool {
	return q.Trigger == BySchedule && q.Attempt == 0 && q.Relaunches == 0
}

// allows reports whether the job's constraints admit an agent.
func (j *Job) allows(o *mesospb.Offer) bool {
	for _, c := range j.placing {
		if !c.matches(o.GetAttributes(), o.GetHostname()) {
			return false
		}
	}
	return true
}

// take chooses resources for one run of the job, those reserved for its role
// first; false if there are not enough.
func (j *Job) take(left resources.Resources) (resources.Resources, bool) {
	var taken resources.Resources
	for _, need := range []struct {
		name   string
		amount float64
	}{{"cpus", j.CPUs}, {"mem", j.Mem}, {"disk", j.Disk}} {
		amount, err := resources.ScalarOf(need.amount)
		if err != nil {
			return nil, false
		}
		part, ok := takeScalar(left, need.name, amount)
		if !ok {
			return nil, false
		}
		taken = taken.Add(part)
	}
	return taken, true
}

func takeScalar(left resources.Resources, name string, amount resources.Scalar) (resources.Resources, bool) {
	var taken []resources.Resource
	for _, reserved := range []bool{true, false} {
		for _, r := range left {
			if r.Name != name || r.Reserved() != reserved || !plain(&r) || amount == 0 {
				continue
			}
			r.Scalar = min(r.Scalar, amount)
			amount -= r.Scalar
			taken = append(taken, r)
		}
	}
	return resources.Of(taken...), amount == 0
}

// plain reports whether a run may simply use up the resource.
func plain(r *resources.Resource) bool {
	return r.Kind == resources.KindScalar && !r.Revocable && !r.Shared && r.Disk == nil && r.Divisible()
}

// launch turns the queued run into one under way. It is written down before the
// master hears of it, together with the schedule that moves on.
func (c *Chronos) launch(now time.Time, r *record, o *offer, taken resources.Resources) {
	req := *r.queued
	a := &attempt{
		Request: req,
		RunRecord: RunRecord{
			TaskID: r.taskID(&req), State: mesospb.TaskState_TASK_STAGING.String(), Attempt: req.Attempt, Trigger: req.Trigger,
			Arguments: clip(r.job.arguments(&req), MaxArguments), Due: req.Due, Queued: req.Queued, Launched: now,
			AgentID: mesos.AgentID(o.GetAgentId().GetValue()), Host: o.GetHostname(),
		},
	}
	o.tasks = append(o.tasks, buildTask(r.job, a, o.Offer, taken))
	o.left, _ = o.left.Sub(taken)
	r.active = append(r.active, a)
	c.tasks[a.TaskID] = r.job.Name
	c.counts.Launched++
	c.begin(now, r, &req)
	c.unqueue(r)
}

// begin notes that a new run started: the schedule moves on, what its parents
// did is used up, what it did for its children before is no longer the latest,
// and a retry of an older run is superseded.
func (c *Chronos) begin(now time.Time, r *record, req *request) {
	if req.Attempt > 0 || req.Relaunches > 0 {
		return
	}
	if req.Trigger == BySchedule {
		r.job = r.job.consumed(now)
	}
	if !r.job.Concurrent {
		r.retries = slices.DeleteFunc(slices.Clone(r.retries), func(q request) bool { return q.Relaunches == 0 })
	}
	r.met = nil
	for _, child := range c.children[r.job.Name] {
		c.forget(c.jobs[child], r.job.Name)
	}
}

// forget takes a parent's earlier success back from a child that still waits
// for others: all parents must have succeeded in their latest run (chronos #543).
func (c *Chronos) forget(child *record, parent string) {
	if child.met[parent] && child.queued == nil {
		delete(child.met, parent)
		c.touch(child.job.Name)
	}
}

// arguments is what the run is given: those of a manual run, else the job's.
func (j *Job) arguments(req *request) string {
	if req.Given {
		return req.Arguments
	}
	return strings.Join(j.Arguments, " ")
}
