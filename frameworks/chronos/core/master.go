package core

import (
	"time"

	"github.com/soukproject/souk/proto/mesos"
)

// firstReconcile is when tasks that the master said nothing about are asked for
// again; the pause doubles from there.
const firstReconcile = 15 * time.Second

// A link is what is known of the connection to the master.
type link struct {
	connected   bool
	newIdentity bool // the framework id is to be written
	subscribed  time.Time

	reconcileAt   time.Time
	reconcileWait time.Duration
	uncertain     bool // a call failed since the last reconciliation

	suppressed bool
	fresh      bool // something was queued since the last REVIVE
	revived    time.Time
	reviveAt   time.Time
}

// subscribed starts over with a master: what runs is asked for twice, by name
// for the tasks it may not know, and at large for those that only it knows.
func (c *Chronos) subscribed(now time.Time, id mesos.FrameworkID) {
	if id != c.framework {
		c.framework = id
		c.master.newIdentity = true
	}
	c.master = link{connected: true, newIdentity: c.master.newIdentity, subscribed: now, fresh: true, reconcileWait: firstReconcile}
	if tasks := c.running(func(*attempt) bool { return true }); len(tasks) > 0 {
		c.say(Reconcile{Tasks: tasks})
		c.master.reconcileAt = now.Add(firstReconcile)
	}
	c.say(Reconcile{})
	c.killAgain()
	c.planReconcile(now)
}

// running lists the runs that which says yes to.
func (c *Chronos) running(which func(*attempt) bool) []TaskRef {
	var tasks []TaskRef
	for _, name := range c.names {
		for _, a := range c.jobs[name].active {
			if which(a) {
				tasks = append(tasks, a.ref())
			}
		}
	}
	return tasks
}

// killAgain repeats the kills that have not ended their task yet.
func (c *Chronos) killAgain() {
	for _, t := range c.running(func(a *attempt) bool { return a.Killing }) {
		c.say(Kill{t})
	}
}

// reconcileSoon asks for what is uncertain: a call failed on its way.
func (l *link) reconcileSoon(now time.Time) {
	if !l.connected {
		return // the next subscription asks for everything
	}
	l.uncertain = true
	l.reconcileWait = firstReconcile
	l.reconcileAt = now.Add(time.Second)
}

// reconcileWhenDue asks again for the tasks without an answer since the
// subscription, with growing pauses; once all have answered, for all of them.
func (c *Chronos) reconcileWhenDue(now time.Time) {
	if !c.master.connected || c.master.reconcileAt.IsZero() || c.master.reconcileAt.After(now) {
		return
	}
	if c.master.uncertain { // what failed may have been SUPPRESS or REVIVE
		c.master.uncertain, c.master.suppressed, c.master.fresh = false, false, true
	}
	tasks := c.running(func(a *attempt) bool { return !a.Known || a.confirmed.Before(c.master.subscribed) })
	if len(tasks) == 0 {
		tasks = c.running(func(*attempt) bool { return true })
		c.master.reconcileWait = c.cfg.ReconcileInterval
	}
	if len(tasks) > 0 {
		c.say(Reconcile{Tasks: tasks})
	}
	c.killAgain()
	c.planReconcile(now)
}

func (c *Chronos) planReconcile(now time.Time) {
	l := &c.master
	l.reconcileAt = time.Time{}
	if l.reconcileWait > 0 {
		l.reconcileAt = now.Add(l.reconcileWait)
		l.reconcileWait = min(2*l.reconcileWait, max(c.cfg.ReconcileInterval, firstReconcile))
	}
}

// interest tells the master whether offers are wanted. REVIVE follows at once
// when it had been told that they are not; when declined offers are merely
// being kept away it follows at most every ReviveInterval.
func (c *Chronos) interest(now time.Time) {
	l := &c.master
	if !l.connected {
		return
	}
	wanted := c.wanted()
	l.reviveAt = time.Time{}
	switch {
	case !wanted && !l.suppressed:
		l.suppressed, l.fresh = true, false
		c.say(Suppress{})
	case wanted && (l.suppressed || l.fresh && !now.Before(l.revived.Add(c.cfg.ReviveInterval))):
		l.suppressed, l.fresh, l.revived = false, false, now
		c.counts.Revived++
		c.say(Revive{})
	case wanted && l.fresh:
		l.reviveAt = l.revived.Add(c.cfg.ReviveInterval)
	}
}

// wanted reports whether some queued run could start if it were offered enough.
func (c *Chronos) wanted() bool {
	for _, line := range []*line{&c.queue.high, &c.queue.normal} {
		for name := range line.all {
			if !c.jobs[name].blocked() {
				return true
			}
		}
	}
	return false
}
