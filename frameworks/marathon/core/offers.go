package core

import (
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// offered uses each offer for the apps that wait, and declines what none wants.
// Instances are stored before the offer is accepted.
func (c *Core) offered(ev Offered) {
	c.stats.OffersIncoming += len(ev.Offers)
	apps := c.waitingApps()
	var unused []string
	for _, o := range ev.Offers {
		launched := c.useOffer(newOffer(o, c.cfg.Rules.Role), apps)
		if len(launched) == 0 {
			unused = append(unused, o.GetId().GetValue())
			continue
		}
		c.stats.OffersUsed++
		c.do(Accept{OfferID: o.GetId().GetValue(), Tasks: launched})
	}
	if len(unused) > 0 {
		c.stats.OffersDeclined += len(unused)
		c.do(Decline{OfferIDs: unused, Refuse: c.cfg.DeclineFor})
	}
}

// useOffer launches instances round robin, one of each app that fits, until the
// offer is used up or the limit reached. Who begins is left to chance, so that
// no app starves behind another.
func (c *Core) useOffer(o *offer, waiting []*app) []*mesospb.TaskInfo {
	apps := slices.DeleteFunc(slices.Clone(waiting), func(a *app) bool { return a.queue.wanting == 0 })
	c.cfg.Rand.Shuffle(len(apps), func(i, j int) { apps[i], apps[j] = apps[j], apps[i] })
	var tasks []*mesospb.TaskInfo
	var ops []Op
	used := map[string]bool{}
	for len(apps) > 0 && len(tasks) < c.cfg.MaxInstancesPerOffer {
		a := apps[0]
		apps = apps[1:]
		if c.demand.tokens <= 0 {
			c.demand.starved = true
			break
		}
		m, reason := c.match(a, o)
		if reason != "" {
			c.refuse(a, o, reason, used[a.id])
			continue
		}
		used[a.id] = true
		in := c.provision(a, o, m)
		ops = append(ops, recordInstance(in))
		tasks = append(tasks, c.taskInfo(a.current(), in, o, m))
		if a.queue.wanting > 0 {
			apps = append(apps, a)
		}
	}
	if len(ops) > 0 {
		c.out.persist(ops...)
	}
	return tasks
}

// provision makes an instance of what was matched.
func (c *Core) provision(a *app, o *offer, m match) *Instance {
	o.left, _ = o.left.Sub(m.taken)
	def := a.current()
	id := c.newInstanceID(a.id)
	in := &Instance{
		ID: id, TaskID: taskID(id), AppID: a.id, Version: def.Version,
		Goal: GoalRunning, Condition: Provisioned, Since: spec.TimestampOf(c.now), State: "TASK_STAGING",
		AgentID: o.agentID, Host: o.host, Region: o.region, Zone: o.zone,
		Attributes: o.attributesFor(def), Role: o.role, Ports: m.hostPorts,
		StagedAt: spec.TimestampOf(c.now),
	}
	c.add(in)
	c.spendToken()
	c.stillStarting(a)
	c.want(a, a.queue.wanting-1)
	c.watch(in)
	c.touch(a.id)
	a.queue.offers.used(c.now)
	c.stats.TasksLaunched++
	c.publishInstance(in)
	return in
}

// refuse records why an offer was of no use to an app that waits. An app that
// took some of it was not refused.
func (c *Core) refuse(a *app, o *offer, reason Reason, usedIt bool) {
	if !usedIt {
		a.queue.offers.refused(c.now, o, reason)
	}
}

// A Reason says why an app did not use an offer.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	UnfulfilledRole        Reason = "UnfulfilledRole"
	UnfulfilledConstraint  Reason = "UnfulfilledConstraint"
	NoReservation          Reason = "NoCorrespondingReservationFound"
	AgentMaintenance       Reason = "AgentMaintenance"
	InsufficientCpus       Reason = "InsufficientCpus"
	InsufficientMemory     Reason = "InsufficientMemory"
	InsufficientDisk       Reason = "InsufficientDisk"
	InsufficientGpus       Reason = "InsufficientGpus"
	InsufficientPorts      Reason = "InsufficientPorts"
	DeclinedScarceResource Reason = "DeclinedScarceResources"
)

// Reasons lists them in that order, in which the queue's summaries are read as
// a funnel.
func Reasons() []Reason {
	return []Reason{
		UnfulfilledRole, UnfulfilledConstraint, NoReservation, AgentMaintenance, InsufficientCpus,
		InsufficientMemory, InsufficientDisk, InsufficientGpus, InsufficientPorts, DeclinedScarceResource,
	}
}

// precedence orders reasons found together: constraints are judged last, for
// they cost most, but the funnel names them first.
func firstReason(found ...Reason) Reason {
	for _, r := range Reasons() {
		if slices.Contains(found, r) {
			return r
		}
	}
	return ""
}
