package core

import (
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// An app is everything known under one id.
type app struct {
	id string
	// versions are the stored definitions, the oldest first; the last one holds.
	// It is empty for an app of which only instances are left.
	versions []*spec.App
	// deleting: gone from the tree of apps, yet kept until its deployment ends.
	deleting   bool
	instances  []*Instance // the first staged first
	deployment *deployment // that locks the app, or nil
	failure    *TaskFailure
	queue      queue
}

// exists reports whether the app is in the tree of apps.
func (a *app) exists() bool { return a != nil && len(a.versions) > 0 && !a.deleting }

// current is the definition that holds, nil if none does.
func (a *app) current() *spec.App {
	if len(a.versions) == 0 {
		return nil
	}
	return a.versions[len(a.versions)-1]
}

// definition is the stored definition of a version. An instance may outlive its
// definition; nil then.
func (a *app) definition(v spec.Timestamp) *spec.App {
	for _, def := range a.versions {
		if def.Version == v {
			return def
		}
	}
	return nil
}

// obtain returns the app of that id, made on first use.
func (c *Core) obtain(id string) *app {
	if a, ok := c.apps[id]; ok {
		return a
	}
	a := &app{id: id}
	c.apps[id] = a
	i, _ := slices.BinarySearch(c.order, id)
	c.order = slices.Insert(c.order, i, id)
	return a
}

// existing is the app of that id if it is in the tree, else nil.
func (c *Core) existing(id string) *app {
	if a := c.apps[id]; a.exists() {
		return a
	}
	return nil
}

// release drops an app of which nothing is left.
func (c *Core) release(a *app) {
	if len(a.versions) > 0 || len(a.instances) > 0 || a.deployment != nil {
		return
	}
	delete(c.apps, a.id)
	if i, found := slices.BinarySearch(c.order, a.id); found {
		c.order = slices.Delete(c.order, i, i+1)
	}
}

// touch has the app planned again before the step ends.
func (c *Core) touch(id string) { c.dirty[id] = true }

// nextVersion is later than every version before.
func (c *Core) nextVersion() spec.Timestamp {
	c.lastVersion = max(c.lastVersion+1, spec.TimestampOf(c.now))
	return c.lastVersion
}

// keep adds a definition and writes it, together with the deletion of the
// oldest ones that nothing needs any more.
func (c *Core) keep(a *app, def *spec.App) []Op {
	a.versions = append(a.versions, def)
	ops := []Op{recordApp(def)}
	for i := 0; i < len(a.versions)-1 && len(a.versions) > c.cfg.MaxVersions; {
		if c.needed(a, a.versions[i].Version) {
			i++
			continue
		}
		ops = append(ops, Op{Name: appRecord(a.id, a.versions[i].Version), Delete: true})
		a.versions = slices.Delete(a.versions, i, i+1)
	}
	return ops
}

// needed reports whether an instance or the running deployment uses the version.
func (c *Core) needed(a *app, v spec.Timestamp) bool {
	if a.deployment != nil && a.deployment.Before[a.id] == v {
		return true
	}
	for _, in := range a.instances {
		if in.Version == v {
			return true
		}
	}
	return false
}
