package core

import (
	"math"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// A plan is what makes the instances of one app what they should be. It is
// worked out anew from what is after every event, so it can be broken off
// anywhere and taken up again by another leader.
type plan struct {
	launch int
	kill   []*Instance
	done   bool
}

// pursue acts on the difference between what an app has and what it should have.
func (c *Core) pursue(id string) {
	a, ok := c.apps[id]
	if !ok {
		return
	}
	p := c.plan(a)
	for _, in := range p.kill {
		c.decommission(in)
	}
	c.want(a, p.launch)
	if p.done && a.deployment != nil {
		a.deployment.finished(id)
	}
	c.release(a)
}

// plan chooses what to aim for: the action of a running deployment, or what holds.
func (c *Core) plan(a *app) plan {
	if a.deployment == nil || a.current() == nil {
		return c.hold(a)
	}
	switch a.deployment.actionOf(a.id) {
	case actionStart:
		return plan{done: true} // known, and nothing runs yet
	case actionStop:
		return c.stop(a)
	case actionScale:
		return c.scale(a, a.current().Instances)
	case actionRestart:
		return c.replace(a)
	case actionLater:
		return plan{}
	}
	return c.hold(a)
}

// hold keeps an app as its definition says.
func (c *Core) hold(a *app) plan {
	if !a.exists() {
		return c.stop(a)
	}
	return c.scale(a, a.current().Instances)
}

// stop ends everything.
func (c *Core) stop(a *app) plan {
	p := plan{done: len(a.instances) == 0}
	for _, in := range a.instances {
		if in.Goal != GoalDecommissioned {
			p.kill = append(p.kill, in)
		}
	}
	return p
}

// A census counts an app's instances as plans see them. It is taken after every
// event, and therefore only counts; who is meant is looked up when it matters.
type census struct {
	total   int // all that may still run
	dying   int // of these, on their way out
	fresh   int // of the current configuration
	old     int // of an earlier one
	healthy int // fresh ones that serve
	serving int // old ones that serve, or may
	alive   int // of whatever configuration, that serve
}

func (a *app) census() (n census) {
	for _, in := range a.instances {
		if in.Condition == UnreachableInactive {
			continue
		}
		n.total++
		v := verdictOf(in)
		switch {
		case in.Goal == GoalDecommissioned:
			n.dying++
			continue
		case a.outdated(in):
			n.old++
			if v != unhealthy {
				n.serving++
			}
		default:
			n.fresh++
			if v == healthy {
				n.healthy++
			}
		}
		if v == healthy {
			n.alive++
		}
	}
	return n
}

// outdated reports whether the instance has an earlier configuration.
func (a *app) outdated(in *Instance) bool {
	return in.Version < a.current().VersionInfo.LastConfigChangeAt
}

// wanted are the instances of the app that are to go on and that is accepts.
func (a *app) wanted(is func(*Instance) bool) []*Instance {
	var out []*Instance
	for _, in := range a.instances {
		if in.Goal != GoalDecommissioned && in.Condition != UnreachableInactive && is(in) {
			out = append(out, in)
		}
	}
	return out
}

// scale aims for n instances, of whatever configuration.
func (c *Core) scale(a *app, n int) plan {
	all := a.census()
	have := all.old + all.fresh
	p := plan{
		launch: max(0, n-have),
		done:   have == n && all.alive == n && all.dying == 0,
	}
	if a.current().SingleInstance() {
		p.launch = max(0, n-len(a.instances))
	}
	if have > n {
		p.kill = victims(a, a.wanted(func(*Instance) bool { return true }), have-n)
	}
	return p
}

// replace aims for n instances of the current configuration, within the bounds
// of the upgrade strategy: at least minHealthy serve, at most capacity exist.
// Old ones that do not serve cost nothing and go first.
func (c *Core) replace(a *app) plan {
	def, all := a.current(), a.census()
	n := def.Instances
	minHealthy, capacity := bounds(n, def.UpgradeStrategy)
	if minHealthy == capacity && all.total >= capacity {
		capacity++ // one over, or nothing could ever move
	}
	p := plan{
		launch: max(0, min(n-all.fresh, capacity-all.total)),
		done:   all.healthy == n && all.fresh == n && all.old == 0 && all.dying == 0,
	}
	if def.SingleInstance() {
		p.launch = max(0, min(p.launch, n-len(a.instances)))
	}
	if all.old > all.serving {
		p.kill = a.wanted(func(in *Instance) bool { return a.outdated(in) && verdictOf(in) == unhealthy })
	}
	if spare := all.serving + all.healthy - minHealthy; all.serving > 0 && spare > 0 {
		serving := a.wanted(func(in *Instance) bool { return a.outdated(in) && verdictOf(in) != unhealthy })
		p.kill = append(p.kill, victims(a, serving, spare)...)
	}
	if all.fresh > n {
		p.kill = append(p.kill, victims(a, a.wanted(func(in *Instance) bool { return !a.outdated(in) }), all.fresh-n)...)
	}
	return p
}

// bounds are the least that must serve and the most that may exist of n. The
// hair's breadth keeps 10 × 0.7 from becoming 8.
func bounds(n int, u spec.UpgradeStrategy) (minHealthy, capacity int) {
	const hair = 1e-9
	return int(math.Ceil(float64(n)*u.MinimumHealthCapacity - hair)), int(math.Floor(float64(n)*(1+u.MaximumOverCapacity) + hair))
}
