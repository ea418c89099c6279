package core

import (
	"maps"
	"slices"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// firstReconcile is when tasks that the master has said nothing about since the
// subscription are asked for again. One that recovers is silent about those of
// agents that are not back yet.
const firstReconcile = 5 * time.Second

// subscribe begins a subscription: the framework id is stored, and the master
// is asked about every task, because it may have changed while nobody listened.
func (c *Core) subscribe(ev Subscribed) {
	c.publishSubscribed(ev, c.frameworkID == "")
	if ev.FrameworkID != c.frameworkID {
		c.frameworkID = ev.FrameworkID
		c.out.persist(Op{Name: frameworkRecord, Value: []byte(ev.FrameworkID)})
	}
	c.subscribed = true
	c.homeRegion = ev.Region
	// The master forgot suppressions and filters with the old subscription.
	c.demand.suppressed, c.demand.fresh = false, false
	c.kills.again()
	clear(c.unanswered)
	for _, id := range slices.Sorted(maps.Keys(c.tasks)) {
		c.unanswered[id] = true
		c.watch(c.tasks[id])
	}
	c.reconcile()
	c.scheduleReconciliation(firstReconcile)
}

func (c *Core) scheduleReconciliation(wait time.Duration) {
	c.reconcileWait = min(wait, c.cfg.ReconciliationInterval)
	c.reconcileAt = c.now.Add(c.reconcileWait)
	c.timers.set(c.reconcileAt, reconcileTimer, "")
}

func (c *Core) disconnect() {
	if c.subscribed {
		c.subscribed = false
		c.publishDisconnected()
	}
}

// remove forgets the framework that was removed, and with it its tasks, which
// the master has ended. The id goes last: one without tasks can be met again.
func (c *Core) remove() {
	c.disconnect()
	for _, id := range slices.Sorted(maps.Keys(c.tasks)) {
		in := c.tasks[id]
		in.Condition, in.Since = Gone, spec.TimestampOf(c.now)
		c.publishInstance(in)
		c.forget(in)
	}
	c.frameworkID = ""
	c.out.persist(Op{Name: frameworkRecord, Delete: true})
	c.do(Resign{})
}

// reconcile asks about the tasks we know, and then for those we may not know.
func (c *Core) reconcile() {
	c.askAbout(func(string) bool { return true })
	c.do(Reconcile{})
}

// askAbout asks about the tasks that which says yes to, and reports whether
// there are any.
func (c *Core) askAbout(which func(taskID string) bool) bool {
	refs := make([]TaskRef, 0, len(c.tasks))
	for _, id := range slices.Sorted(maps.Keys(c.tasks)) {
		if which(id) {
			refs = append(refs, TaskRef{id, c.tasks[id].AgentID})
		}
	}
	if len(refs) > 0 {
		c.do(Reconcile{Tasks: refs})
	}
	return len(refs) > 0
}

// reconcilePeriodically goes on with the timer of the latest subscription only:
// with growing pauses while there are tasks the master has not spoken of since,
// then at the interval for all.
func (c *Core) reconcilePeriodically() {
	if !c.subscribed || c.now.Before(c.reconcileAt) {
		return
	}
	early := c.reconcileWait < c.cfg.ReconciliationInterval
	switch {
	case early && c.askAbout(func(id string) bool { return c.unanswered[id] }):
		c.scheduleReconciliation(2 * c.reconcileWait)
		return
	case !early:
		c.reconcile()
	}
	c.scheduleReconciliation(c.cfg.ReconciliationInterval)
}

// watch sets the timers that an instance in its condition needs.
func (c *Core) watch(in *Instance) {
	switch in.Condition {
	case Provisioned, Staging, Starting:
		c.timers.set(c.now.Add(c.patience(in)), overdueTimer, in.TaskID)
	case Unreachable, UnreachableInactive:
		c.timers.set(c.now, unreachableTimer, in.TaskID)
	case Running:
		c.watchHealth(in)
	}
}
