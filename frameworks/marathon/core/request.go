package core

import (
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// command grants or refuses a request. The reply follows when all is stored.
func (c *Core) command(cmd Command) {
	result, err := c.grant(cmd.Request)
	c.do(Reply{Token: cmd.Token, Result: result, Err: err})
}

func (c *Core) grant(r Request) (Result, error) {
	switch r := r.(type) {
	case CreateApp:
		return c.createApp(r)
	case UpdateApps:
		return c.updateApps(r)
	case DeleteApp:
		return c.deleteApp(r)
	case DeleteGroup:
		return c.deleteGroup(r)
	case RestartApp:
		return c.restartApp(r)
	case KillTasks:
		return c.killTasks(r)
	case CancelDeployment:
		return c.cancelDeployment(r)
	case ResetDelay:
		return c.reset(r)
	}
	return Result{}, invalid("unknown request %T", r)
}

func (c *Core) createApp(r CreateApp) (Result, error) {
	id, err := r.App.ID("/")
	if err != nil {
		return Result{}, err
	}
	if c.existing(id) != nil {
		return Result{}, &Refusal{Kind: Conflict, Message: "An app with id [" + id + "] already exists."}
	}
	def, err := spec.New(c.cfg.Rules, id, r.App)
	if err != nil {
		return Result{}, err
	}
	result, err := c.change([]edit{{id: id, def: def}}, r.Force)
	if err != nil {
		return Result{}, err
	}
	a := c.apps[id]
	c.publishPost(r.Origin, a.current())
	result.Created = true
	result.App = AppInfo{App: a.current(), Deployments: deploymentRefs(a)}
	return result, nil
}

func (c *Core) updateApps(r UpdateApps) (Result, error) {
	var edits []edit
	seen := map[string]bool{}
	for _, u := range r.Updates {
		if seen[u.ID] {
			return Result{}, spec.Refuse("/id", "%s is given twice", u.ID)
		}
		seen[u.ID] = true
		e, err := c.update(r, u)
		if err != nil {
			return Result{}, err
		}
		edits = append(edits, e)
	}
	created := len(edits) == 1 && c.existing(edits[0].id) == nil
	result, err := c.change(edits, r.Force)
	if err != nil {
		return Result{}, err
	}
	for _, e := range edits {
		c.publishPost(r.Origin, c.apps[e.id].current())
	}
	result.Created = created
	return result, nil
}

// update makes an edit of one update: a new app, another stored version, or
// changes to what holds.
func (c *Core) update(r UpdateApps, u AppUpdate) (edit, error) {
	a := c.existing(u.ID)
	if a == nil && !r.Create {
		return edit{}, noApp(u.ID)
	}
	if a == nil {
		def, err := spec.New(c.cfg.Rules, u.ID, u.Object)
		return edit{id: u.ID, def: def}, err
	}
	if restated(u.Object, a.current()) {
		u.Object = without(u.Object, "version")
	}
	version, rollback, err := u.Object.Version()
	switch {
	case err != nil:
		return edit{}, err
	case rollback:
		def := a.definition(version)
		if def == nil {
			return edit{}, noVersion(u.ID, version)
		}
		return edit{id: u.ID, def: def}, nil
	}
	obj := u.Object
	if r.Partial {
		obj = spec.Merge(a.current(), obj)
	}
	def, err := spec.New(c.cfg.Rules, u.ID, obj)
	return edit{id: u.ID, def: def}, err
}

// restated reports whether an object names the version that holds beside other
// members: it is an answer of ours that was sent back.
func restated(o spec.Object, def *spec.App) bool {
	return o["version"] == def.Version.String() && len(without(without(o, "version"), "id")) > 0
}

func without(o spec.Object, name string) spec.Object {
	out := spec.Object{}
	for k, v := range o {
		if k != name {
			out[k] = v
		}
	}
	return out
}

func (c *Core) deleteApp(r DeleteApp) (Result, error) {
	if c.existing(r.ID) == nil {
		return Result{}, noApp(r.ID)
	}
	return c.change([]edit{{id: r.ID}}, r.Force)
}

func (c *Core) deleteGroup(r DeleteGroup) (Result, error) {
	var edits []edit
	for _, id := range c.order {
		if spec.Below(id, r.ID) && c.existing(id) != nil {
			edits = append(edits, edit{id: id})
		}
	}
	if len(edits) == 0 && r.ID != "/" {
		return Result{}, notFound("Group '%s' does not exist", r.ID)
	}
	return c.change(edits, r.Force)
}

func (c *Core) restartApp(r RestartApp) (Result, error) {
	a := c.existing(r.ID)
	if a == nil {
		return Result{}, noApp(r.ID)
	}
	return c.change([]edit{{id: r.ID, def: a.current(), restart: true}}, r.Force)
}

func (c *Core) killTasks(r KillTasks) (Result, error) {
	if r.AppID != "" && c.existing(r.AppID) == nil {
		return Result{}, noApp(r.AppID)
	}
	victims := c.selectTasks(r)
	if r.Scale {
		return c.killAndScale(r, victims)
	}
	result := Result{Version: c.lastVersion}
	for _, in := range victims {
		result.Tasks = append(result.Tasks, c.task(in))
		c.kill(in)
	}
	return result, nil
}

// selectTasks are the instances that are meant, the oldest first. Of the task
// ids, those unknown are left out, as Marathon does.
func (c *Core) selectTasks(r KillTasks) []*Instance {
	var out []*Instance
	for _, id := range c.order {
		if r.AppID != "" && r.AppID != id {
			continue
		}
		for _, in := range c.apps[id].instances {
			if (r.Host == "" || r.Host == in.Host) && (r.TaskIDs == nil || slices.Contains(r.TaskIDs, in.TaskID)) {
				out = append(out, in)
			}
		}
	}
	return out
}

// killAndScale lowers each app's count by the instances that are meant and not
// on their way out already, and ends exactly those.
func (c *Core) killAndScale(r KillTasks, victims []*Instance) (Result, error) {
	var edits []edit
	for _, in := range victims {
		a := c.existing(in.AppID)
		if a == nil || in.Goal != GoalRunning || in.Kill {
			continue
		}
		if n := len(edits); n == 0 || edits[n-1].id != a.id {
			edits = append(edits, edit{id: a.id, def: a.current()})
		}
		e := &edits[len(edits)-1]
		e.def = e.def.Scaled(max(0, e.def.Instances-1))
		e.victims = append(e.victims, in.TaskID)
	}
	return c.change(edits, r.Force)
}

func (c *Core) cancelDeployment(r CancelDeployment) (Result, error) {
	i := slices.IndexFunc(c.deployments, func(d *deployment) bool { return d.ID == r.ID })
	if i < 0 {
		return Result{}, notFound("DeploymentPlan %s does not exist", r.ID)
	}
	d := c.deployments[i]
	if r.Force {
		c.out.persist(c.cancel(d, nil, "The deployment was cancelled.")...)
		return Result{Version: c.lastVersion}, nil
	}
	var edits []edit
	for _, id := range d.affected() {
		edits = append(edits, edit{id: id, def: c.apps[id].definition(d.Before[id])})
	}
	return c.change(edits, true)
}

func (c *Core) reset(r ResetDelay) (Result, error) {
	a := c.existing(r.ID)
	if a == nil || a.queue.wanting == 0 {
		return Result{}, notFound("Application %s not found in tasks queue.", r.ID)
	}
	c.resetDelay(a)
	return Result{Version: c.lastVersion}, nil
}
