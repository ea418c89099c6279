package core

import (
	"cmp"
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// Actions of a deployment.
const (
	actionStart   = "StartApplication"
	actionStop    = "StopApplication"
	actionScale   = "ScaleApplication"
	actionRestart = "RestartApplication"

	actionLater = "later" // none in this step, one in a later step
	actionDone  = "done"  // none any more
)

// An Action is what a deployment does to one app.
type Action struct {
	Action string `json:"action"`
	App    string `json:"app"`
}

// A Step is a set of actions done at the same time.
type Step struct {
	Actions []Action `json:"actions"`
}

// A Plan is a deployment as events show it. Original and Target name the trees
// of apps before and after; clients that ask for light plans get neither.
type Plan struct {
	ID       string         `json:"id"`
	Version  spec.Timestamp `json:"version"`
	Original *Tree          `json:"original,omitempty"`
	Target   *Tree          `json:"target,omitempty"`
	Steps    []Step         `json:"steps"`
}

// A Tree names a version of the tree of apps.
type Tree struct {
	ID      string         `json:"id"`
	Version spec.Timestamp `json:"version"`
}

// Light is the plan without its trees.
func (p Plan) Light() Plan {
	p.Original, p.Target = nil, nil
	return p
}

// A deployment moves apps to their current definitions, step by step. Its JSON
// is the stored record; which step it is in is not stored, for every action
// can be done again.
type deployment struct {
	Plan
	// Before names the definitions before, 0 for apps that did not exist.
	Before map[string]spec.Timestamp `json:"before"`

	current int
	done    map[string]bool // apps whose action of the current step is done
}

func (d *deployment) over() bool { return d.current >= len(d.Steps) }

// actionOf is what the deployment does to the app now.
func (d *deployment) actionOf(id string) string {
	for i := d.current; i < len(d.Steps); i++ {
		for _, action := range d.Steps[i].Actions {
			switch {
			case action.App != id:
			case i > d.current:
				return actionLater
			case d.done[id]:
			default:
				return action.Action
			}
		}
	}
	return actionDone
}

// finished notes that the app is where the current step wants it.
func (d *deployment) finished(id string) {
	if d.done == nil {
		d.done = map[string]bool{}
	}
	d.done[id] = true
}

// stepDone reports whether every action of the current step is done.
func (d *deployment) stepDone() bool {
	return !slices.ContainsFunc(d.Steps[d.current].Actions, func(a Action) bool { return !d.done[a.App] })
}

// affected are the ids of all apps the deployment does something to, sorted.
func (d *deployment) affected() []string {
	var ids []string
	for _, s := range d.Steps {
		for _, a := range s.Actions {
			ids = append(ids, a.App)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// begin locks the apps and starts with the first step.
func (c *Core) begin(d *deployment) {
	c.deployments = append(c.deployments, d)
	for _, id := range d.affected() {
		c.obtain(id).deployment = d
	}
	c.stats.Deployments++
	c.enterStep(d)
}

func (c *Core) enterStep(d *deployment) {
	d.done = map[string]bool{}
	if d.over() {
		return
	}
	c.publishStep("deployment_info", d)
	for _, a := range d.Steps[d.current].Actions {
		c.touch(a.App)
	}
}

// advanceDeployments takes each deployment as far as it can go.
func (c *Core) advanceDeployments() {
	for _, d := range slices.Clone(c.deployments) {
		for !d.over() && d.stepDone() {
			c.publishStep("deployment_step_success", d)
			c.publishStopped(d)
			d.current++
			c.enterStep(d)
		}
		if d.over() {
			c.finish(d)
		}
	}
}

func (c *Core) publishStopped(d *deployment) {
	for _, a := range d.Steps[d.current].Actions {
		if a.Action == actionStop {
			c.publishTerminated(a.App)
		}
	}
}

func (c *Core) finish(d *deployment) {
	if ops := c.unlock(d, nil); len(ops) > 0 {
		c.out.persist(ops...)
	}
	c.publishEnd("deployment_success", d, "")
}

// unlock ends a deployment and forgets the definitions of apps it removed, but
// for those that are defined again. It returns what is left to be written: the
// record of the deployment goes last, so that another leader would repeat the rest.
func (c *Core) unlock(d *deployment, again map[string]bool) []Op {
	c.deployments = slices.DeleteFunc(c.deployments, func(x *deployment) bool { return x == d })
	var ops []Op
	if len(d.Steps) > 0 {
		ops = append(ops, Op{Name: deploymentRecord(d.ID), Delete: true})
	}
	for _, id := range d.affected() {
		a := c.apps[id]
		if a == nil || a.deployment != d {
			continue
		}
		a.deployment = nil
		if a.deleting && !again[id] {
			c.bury(a)
		}
		c.touch(id)
	}
	return ops
}

// bury forgets an app's definitions. Instances that are left are stopped.
func (c *Core) bury(a *app) {
	var ops []Op
	for _, def := range a.versions {
		ops = append(ops, Op{Name: appRecord(a.id, def.Version), Delete: true})
	}
	if a.failure != nil {
		ops = append(ops, Op{Name: failureRecord(a.id), Delete: true})
	}
	a.versions, a.failure, a.deleting, a.queue = nil, nil, false, queue{}
	delete(c.demand.waiting, a.id)
	c.out.persist(ops...)
}

// cancel stops a deployment where it is.
func (c *Core) cancel(d *deployment, again map[string]bool, reason string) []Op {
	c.stats.DeploymentsDismissed++
	c.publishEnd("deployment_failed", d, reason)
	return c.unlock(d, again)
}

// resumeDeployments takes up what an earlier leader left, from the first step.
func (c *Core) resumeDeployments() {
	slices.SortFunc(c.deployments, func(x, y *deployment) int {
		return cmp.Or(cmp.Compare(x.Version, y.Version), cmp.Compare(x.ID, y.ID))
	})
	for _, d := range c.deployments {
		d.done = map[string]bool{}
		for _, s := range d.Steps {
			for _, act := range s.Actions {
				a := c.obtain(act.App)
				a.deployment = d
				a.deleting = a.deleting || act.Action == actionStop
				c.touch(act.App)
			}
		}
	}
}
