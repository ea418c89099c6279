package core

import (
	"maps"
	"slices"
)

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
	for _, id := range slices.Sorted(maps.Keys(c.tasks)) {
		c.watch(c.tasks[id])
	}
	c.reconcile()
	c.scheduleReconciliation()
}

func (c *Core) scheduleReconciliation() {
	c.reconcileAt = c.now.Add(c.cfg.ReconciliationInterval)
	c.timers.set(c.reconcileAt, reconcileTimer, "")
}

func (c *Core) disconnect() {
	if c.subscribed {
		c.subscribed = false
		c.publishDisconnected()
	}
}

// reconcile asks about the tasks we know, and then for those we may not know.
func (c *Core) reconcile() {
	refs := make([]TaskRef, 0, len(c.tasks))
	for _, id := range slices.Sorted(maps.Keys(c.tasks)) {
		refs = append(refs, TaskRef{id, c.tasks[id].AgentID})
	}
	if len(refs) > 0 {
		c.do(Reconcile{Tasks: refs})
	}
	c.do(Reconcile{})
}

// reconcilePeriodically goes on with the timer of the latest subscription only.
func (c *Core) reconcilePeriodically() {
	if c.subscribed && !c.now.Before(c.reconcileAt) {
		c.reconcile()
		c.scheduleReconciliation()
	}
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
