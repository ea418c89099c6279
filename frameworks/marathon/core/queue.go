package core

import (
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// queue is an app's place in the launch queue.
type queue struct {
	wanting int            // instances to launch
	since   spec.Timestamp // when the first of them began to wait
	version spec.Timestamp // of the definition the demand was counted for
	delay   delay
	offers  offerStats
}

// delay holds launches back after failures. It belongs to one configuration:
// a change of it starts afresh.
type delay struct {
	wait      time.Duration
	until     time.Time
	reference time.Time // latest failure, launch or report of a start
	config    spec.Timestamp
}

// want sets how many instances the app waits for. More than before, or another
// definition, is new demand: offers declined so far may fit now.
func (c *Core) want(a *app, n int) {
	q := &a.queue
	if n == 0 {
		q.wanting, q.offers = 0, offerStats{}
		delete(c.demand.waiting, a.id)
		return
	}
	version := a.current().Version
	if q.wanting == 0 {
		q.since = spec.TimestampOf(c.now)
	}
	if n > q.wanting || version != q.version {
		c.demand.fresh = true
	}
	q.wanting, q.version = n, version
	if c.demand.waiting == nil {
		c.demand.waiting = map[string]bool{}
	}
	c.demand.waiting[a.id] = true
}

// ready reports whether the app may launch now.
func (c *Core) ready(a *app) bool {
	return a.queue.wanting > 0 && !c.now.Before(a.queue.delay.until)
}

// delayOf is the delay of the app's current configuration.
func (a *app) delayOf() *delay {
	d := &a.queue.delay
	if config := a.current().VersionInfo.LastConfigChangeAt; d.config != config {
		*d = delay{config: config}
	}
	return d
}

// backOff makes the app wait longer after each failure, up to its maximum.
func (c *Core) backOff(a *app) {
	def, d := a.current(), a.delayOf()
	limit := time.Duration(def.MaxLaunchDelaySeconds) * time.Second
	next := time.Duration(def.BackoffSeconds) * time.Second
	if d.wait > 0 {
		next = time.Duration(min(float64(d.wait)*def.BackoffFactor, float64(limit)))
	}
	d.wait = min(next, limit)
	d.until = c.now.Add(d.wait)
	c.timers.set(d.until, delayTimer, a.id)
	c.stillStarting(a)
}

// stillStarting keeps the delay from being forgotten while the app is busy.
func (c *Core) stillStarting(a *app) {
	d := a.delayOf()
	if d.wait == 0 {
		return
	}
	d.reference = c.now
	c.timers.set(d.forgottenAt(a.current()), delayTimer, a.id)
}

// forgottenAt is when failures so far no longer count.
func (d *delay) forgottenAt(def *spec.App) time.Time {
	return d.reference.Add(time.Duration(def.MaxLaunchDelaySeconds)*time.Second + time.Millisecond)
}

// delayPassed looks again at a delay whose end, or whose forgetting, has come.
func (c *Core) delayPassed(id string) {
	a, ok := c.apps[id]
	if !ok || a.current() == nil || a.queue.delay.wait == 0 {
		return
	}
	d := a.delayOf()
	if !c.now.Before(d.forgottenAt(a.current())) {
		*d = delay{config: d.config}
	}
	if c.ready(a) {
		c.demand.fresh = true
	}
}

// resetDelay lets the app launch at once.
func (c *Core) resetDelay(a *app) {
	a.queue.delay = delay{}
	if a.queue.wanting > 0 {
		c.demand.fresh = true
	}
}

// demand is how the scheduler asks for offers and turns them away.
type demand struct {
	waiting    map[string]bool // ids of apps that want to launch
	fresh      bool            // there is demand that no declined offer was shown
	suppressed bool
	revivedAt  time.Time
	armed      time.Time // when the revive timer goes off

	tokens    int // launches left until the next refill
	starved   bool
	refilling bool
}

// waitingApps are the apps that may launch now, in the order of their ids.
func (c *Core) waitingApps() []*app {
	var out []*app
	for id := range c.demand.waiting {
		if a := c.apps[id]; a != nil && c.ready(a) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(x, y *app) int { return strings.Compare(x.id, y.id) })
	return out
}

// anyReady reports whether some app may launch now.
func (c *Core) anyReady() bool {
	for id := range c.demand.waiting {
		if a := c.apps[id]; a != nil && c.ready(a) {
			return true
		}
	}
	return false
}

// adjustDemand revives offers when there is new demand and suppresses them when
// there is none, so that other frameworks get what this one has no use for.
func (c *Core) adjustDemand() {
	d := &c.demand
	switch {
	case !c.subscribed:
	case len(d.waiting) == 0:
		d.fresh = false
		if !d.suppressed && c.cfg.SuppressOffers {
			d.suppressed = true
			c.stats.Suppresses++
			c.do(Suppress{})
		}
	case (d.fresh || d.suppressed) && c.anyReady():
		c.revive()
	}
}

// revive asks for offers, but not more often than the interval allows.
func (c *Core) revive() {
	d := &c.demand
	next := d.revivedAt.Add(c.cfg.MinReviveInterval)
	if !d.revivedAt.IsZero() && c.now.Before(next) {
		if !d.armed.Equal(next) {
			d.armed = next
			c.timers.set(next, reviveTimer, "")
		}
		return
	}
	d.fresh, d.suppressed, d.revivedAt = false, false, c.now
	c.stats.Revives++
	c.do(Revive{})
}

// spendToken takes a launch token and has the rest refilled in time.
func (c *Core) spendToken() {
	d := &c.demand
	d.tokens--
	if !d.refilling {
		d.refilling = true
		c.timers.set(c.now.Add(c.cfg.LaunchTokenRefresh), tokenTimer, "")
	}
}

// returnToken gives one back for a task that runs well.
func (c *Core) returnToken() { c.gainTokens(c.demand.tokens + 1) }

func (c *Core) refillTokens() {
	c.demand.refilling = false
	c.gainTokens(c.cfg.LaunchTokens)
}

func (c *Core) gainTokens(n int) {
	d := &c.demand
	d.tokens = min(n, c.cfg.LaunchTokens)
	if d.starved {
		d.starved, d.fresh = false, true
	}
}
