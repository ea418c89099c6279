package core

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// What one request may write fits one transaction of the store, and each record
// one of its entries.
const (
	maxEdits      = 1000
	maxDefinition = 512 << 10 // bytes of one app's JSON
	maxChange     = 6 << 20   // bytes of all of them
	maxPlan       = 512 << 10 // bytes of the deployment's record, about
)

// An edit gives one app a definition, or none.
type edit struct {
	id      string
	def     *spec.App // nil removes the app; versions are set by the change
	restart bool      // replace the instances though nothing differs
	victims []string  // instances to end in any case
}

// change is the one way to alter the tree of apps: it checks the target tree,
// makes a plan, takes the locks, stores all and starts the deployment. Nothing
// is altered when it refuses.
func (c *Core) change(edits []edit, force bool) (Result, error) {
	if len(c.deployments) >= c.cfg.MaxRunningDeployments {
		return Result{}, &Refusal{Kind: Forbidden, Message: fmt.Sprintf("Max number (%d) of running deployments is achieved. Wait for existing deployments to complete or cancel one using force=true parameter.", c.cfg.MaxRunningDeployments)}
	}
	if len(edits) > maxEdits {
		return Result{}, invalid("at most %d apps can be changed by one request, got %d", maxEdits, len(edits))
	}
	version := max(c.lastVersion+1, spec.TimestampOf(c.now))
	t, err := c.target(edits, version)
	if err != nil {
		return Result{}, err
	}
	if err := t.checkSize(); err != nil {
		return Result{}, err
	}
	steps := t.steps()
	conflicts := c.conflicts(steps)
	if len(conflicts) > 0 && !force {
		return Result{}, locked(conflicts)
	}
	c.lastVersion = version
	return c.commit(t, steps, conflicts), nil
}

// target is the tree of apps as it would be.
type target struct {
	previous, version spec.Timestamp
	edits             []edit
	before            map[string]*spec.App // of the edited apps, nil for new ones
	tree              map[string]*spec.App // all apps
}

func (c *Core) target(edits []edit, version spec.Timestamp) (*target, error) {
	t := &target{previous: c.lastVersion, version: version, before: map[string]*spec.App{}, tree: map[string]*spec.App{}}
	for _, id := range c.order {
		if a := c.existing(id); a != nil {
			t.tree[id] = a.current()
		}
	}
	used := c.servicePorts(edits)
	for _, e := range edits {
		before := t.tree[e.id]
		t.before[e.id] = before
		if e.def == nil {
			delete(t.tree, e.id)
			t.edits = append(t.edits, e)
			continue
		}
		def, err := c.assignPorts(e.def, before, used)
		if err != nil {
			return nil, err
		}
		e.def = dated(def, before, version, e.restart)
		t.tree[e.id] = e.def
		t.edits = append(t.edits, e)
	}
	return t, c.checkTree(t)
}

// checkSize refuses what could not be stored.
func (t *target) checkSize() error {
	total, plan := 0, 0
	for _, e := range t.edits {
		plan += 3*len(e.id) + 200
		if e.def == nil {
			continue
		}
		size := len(e.def.JSON())
		if total += size; size > maxDefinition {
			return spec.Refuse("/", "the definition of %s has %d bytes, at most %d can be stored", e.id, size, maxDefinition)
		}
	}
	if total > maxChange || plan > maxPlan {
		return invalid("the change is too large: %d bytes of definitions, at most %d; change fewer apps at a time", total, maxChange)
	}
	return nil
}

// dated gives a definition its version: that of before if nothing differs.
func dated(def, before *spec.App, version spec.Timestamp, restart bool) *spec.App {
	info := spec.VersionInfo{LastScalingAt: version, LastConfigChangeAt: version}
	switch {
	case before == nil:
	case restart:
		info.LastScalingAt = before.VersionInfo.LastScalingAt
	case !spec.SameConfig(def, before):
	case def.Instances != before.Instances:
		info.LastConfigChangeAt = before.VersionInfo.LastConfigChangeAt
	case string(def.At(before.Version, before.VersionInfo).JSON()) == string(before.JSON()):
		return before
	default: // executorResources alone: for instances to come
		info = before.VersionInfo
	}
	return def.At(version, info)
}

// checkTree applies the rules that concern more than one app.
func (c *Core) checkTree(t *target) error {
	if c.cfg.MaxApps > 0 && len(t.tree) > c.cfg.MaxApps {
		return invalid("This Marathon instance may only handle up to %d Apps! (Override with command line option --max_apps)", c.cfg.MaxApps)
	}
	for _, e := range t.edits {
		if e.def == nil {
			continue
		}
		if err := c.checkPlace(t, e.def); err != nil {
			return err
		}
	}
	if t.cyclic() {
		return spec.Refuse("/", "Dependency graph has cyclic dependencies.")
	}
	return nil
}

// checkPlace: an id is an app or a group, and the role is the one subscribed with.
func (c *Core) checkPlace(t *target, def *spec.App) error {
	for parent := spec.Parent(def.ID); parent != "/"; parent = spec.Parent(parent) {
		if t.tree[parent] != nil {
			return spec.Refuse("/id", "%s cannot lie below %s, which is an app and not a group", def.ID, parent)
		}
	}
	for id := range t.tree {
		if spec.Below(id, def.ID) {
			return spec.Refuse("/id", "%s is a group with apps of its own and cannot be an app", def.ID)
		}
	}
	if def.Role != c.cfg.Rules.Role {
		return c.refuseRole(def)
	}
	return nil
}

func (c *Core) refuseRole(def *spec.App) error {
	if segments := spec.Segments(def.ID); len(segments) > 1 && segments[0] == def.Role {
		return spec.Refuse("/role", "is not supported by this version of Souk: apps of a role of their own group; use the role %q", c.cfg.Rules.Role)
	}
	return spec.Refuse("/role", "It is not possible to use the role %q: it must be %q", def.Role, c.cfg.Rules.Role)
}

// steps are the plan: stop what goes, make known what is new, then scale and
// restart, dependencies first.
func (t *target) steps() []Step {
	var stop, start []Action
	layers := map[int][]Action{}
	for _, e := range slices.SortedFunc(slices.Values(t.edits), func(x, y edit) int { return cmp.Compare(x.id, y.id) }) {
		before := t.before[e.id]
		switch {
		case e.def == nil && before == nil:
		case e.def == nil:
			stop = append(stop, Action{actionStop, e.id})
		case before == nil:
			start = append(start, Action{actionStart, e.id})
			layers[t.layer(e.id)] = append(layers[t.layer(e.id)], Action{actionScale, e.id})
		case e.def == before && len(e.victims) == 0:
		default:
			layers[t.layer(e.id)] = append(layers[t.layer(e.id)], Action{actionFor(e.def, before), e.id})
		}
	}
	steps := []Step{}
	for _, actions := range append([][]Action{stop, start}, inOrder(layers)...) {
		if len(actions) > 0 {
			steps = append(steps, Step{actions})
		}
	}
	return steps
}

func inOrder(layers map[int][]Action) [][]Action {
	var out [][]Action
	for _, l := range slices.Sorted(maps.Keys(layers)) {
		out = append(out, layers[l])
	}
	return out
}

func actionFor(def, before *spec.App) string {
	if def.Instances == 0 || def.VersionInfo.LastConfigChangeAt == before.VersionInfo.LastConfigChangeAt {
		return actionScale
	}
	return actionRestart
}

// conflicts are the running deployments that touch one of the apps.
func (c *Core) conflicts(steps []Step) []*deployment {
	var out []*deployment
	for _, s := range steps {
		for _, act := range s.Actions {
			if a := c.apps[act.App]; a != nil && a.deployment != nil && !slices.Contains(out, a.deployment) {
				out = append(out, a.deployment)
			}
		}
	}
	return out
}

// commit stores the change and starts its deployment.
func (c *Core) commit(t *target, steps []Step, conflicts []*deployment) Result {
	again := map[string]bool{}
	for _, e := range t.edits {
		again[e.id] = e.def != nil
	}
	var ops []Op
	for _, d := range conflicts {
		ops = append(ops, c.cancel(d, again, "The deployment was cancelled by another one.")...)
	}
	d := &deployment{
		Plan: Plan{
			ID: randomUUID(c.cfg.Rand), Version: t.version, Steps: steps,
			Original: &Tree{"/", t.previous}, Target: &Tree{"/", t.version},
		},
		Before: map[string]spec.Timestamp{},
	}
	for _, e := range t.edits {
		ops = append(ops, c.apply(t, d, e)...)
	}
	if len(steps) > 0 {
		ops = append(ops, recordDeployment(d))
	}
	if ops = latest(ops); len(ops) > 0 {
		c.out.persist(ops...)
	}
	for _, e := range t.edits {
		c.decommissionAll(e.victims)
	}
	c.publishTree(t.version)
	c.begin(d)
	return Result{Version: t.version, DeploymentID: d.ID}
}

// latest keeps the last operation on each record.
func latest(ops []Op) []Op {
	seen := map[string]bool{}
	var out []Op
	for _, op := range slices.Backward(ops) {
		if !seen[op.Name] {
			seen[op.Name] = true
			out = append(out, op)
		}
	}
	slices.Reverse(out)
	return out
}

// apply makes one edit.
func (c *Core) apply(t *target, d *deployment, e edit) []Op {
	before := t.before[e.id]
	if before != nil {
		d.Before[e.id] = before.Version
	} else if e.def != nil {
		d.Before[e.id] = 0
	}
	switch {
	case e.def == nil && before == nil:
		return nil
	case e.def == nil:
		a := c.apps[e.id]
		a.deleting, a.queue.delay = true, delay{}
		return nil
	case e.def == before:
		return nil
	}
	a := c.obtain(e.id)
	a.deleting = false
	ops := c.keep(a, e.def)
	if before == nil || actionFor(e.def, before) == actionRestart {
		c.publishHealthChecks(e.def)
	}
	if before != nil && actionFor(e.def, before) == actionRestart {
		a.queue.delay = delay{}
	}
	c.touch(e.id)
	return ops
}

func (c *Core) decommissionAll(taskIDs []string) {
	for _, id := range taskIDs {
		if in, ok := c.tasks[id]; ok && in.Goal != GoalDecommissioned {
			c.decommission(in)
		}
	}
}
