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
	if a.deployment == nil {
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
	for _, in := range a.sortedInstances() {
		if in.Goal != GoalDecommissioned {
			p.kill = append(p.kill, in)
		}
	}
	return p
}

// census counts an app's instances as plans see them.
type census struct {
	total   int         // all that may still run
	dying   int         // on their way out
	fresh   []*Instance // of the current configuration
	old     []*Instance // of an earlier one
	healthy int         // fresh ones that serve
}

func (a *app) census() census {
	var n census
	since := a.current().VersionInfo.LastConfigChangeAt
	for _, in := range a.sortedInstances() {
		if in.Condition == UnreachableInactive {
			continue
		}
		n.total++
		switch {
		case in.Goal == GoalDecommissioned:
			n.dying++
		case in.Version < since:
			n.old = append(n.old, in)
		default:
			n.fresh = append(n.fresh, in)
			if verdictOf(in) == healthy {
				n.healthy++
			}
		}
	}
	return n
}

// scale aims for n instances, of whatever configuration.
func (c *Core) scale(a *app, n int) plan {
	all := a.census()
	have := append(all.old, all.fresh...)
	alive := all.healthy
	for _, in := range all.old {
		if verdictOf(in) == healthy {
			alive++
		}
	}
	p := plan{
		launch: max(0, n-len(have)),
		done:   len(have) == n && alive == n && all.dying == 0,
	}
	if a.current().SingleInstance() {
		p.launch = max(0, n-len(a.instances))
	}
	p.kill = victims(a, have, len(have)-n)
	return p
}

// replace aims for n instances of the current configuration, within the bounds
// of the upgrade strategy: at least minHealthy serve, at most capacity exist.
func (c *Core) replace(a *app) plan {
	def, all := a.current(), a.census()
	n := def.Instances
	minHealthy, capacity := bounds(n, def.UpgradeStrategy)
	serving, expendable := split(all.old)
	if minHealthy == capacity && all.total >= capacity {
		capacity++ // one over, or nothing could ever move
	}
	spare := len(serving) + all.healthy - minHealthy
	p := plan{
		launch: max(0, min(n-len(all.fresh), capacity-all.total)),
		done:   all.healthy == n && len(all.fresh) == n && len(all.old) == 0 && all.dying == 0,
	}
	if def.SingleInstance() {
		p.launch = max(0, min(p.launch, n-len(a.instances)))
	}
	p.kill = append(expendable, victims(a, serving, spare)...)
	p.kill = append(p.kill, victims(a, all.fresh, len(all.fresh)-n)...)
	return p
}

// bounds are the least that must serve and the most that may exist of n. The
// hair's breadth keeps 10 × 0.7 from becoming 8.
func bounds(n int, u spec.UpgradeStrategy) (minHealthy, capacity int) {
	const hair = 1e-9
	return int(math.Ceil(float64(n)*u.MinimumHealthCapacity - hair)), int(math.Floor(float64(n)*(1+u.MaximumOverCapacity) + hair))
}

// split separates instances that serve, or may, from those whose end costs nothing.
func split(old []*Instance) (serving, expendable []*Instance) {
	for _, in := range old {
		if verdictOf(in) == unhealthy {
			expendable = append(expendable, in)
			continue
		}
		serving = append(serving, in)
	}
	return serving, expendable
}
