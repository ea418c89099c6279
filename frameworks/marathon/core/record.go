package core

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// Prefix begins the name of every record, so that a store can be shared.
const Prefix = "marathon/"

// Names of records: one per definition, instance, deployment and failure.
const (
	frameworkRecord  = Prefix + "framework"
	appPrefix        = Prefix + "app/"
	instancePrefix   = Prefix + "instance/"
	deploymentPrefix = Prefix + "deployment/"
	failurePrefix    = Prefix + "failure/"
)

// A Record is one stored value.
type Record struct {
	Name  string
	Value []byte
}

func appRecord(id string, v spec.Timestamp) string {
	return appPrefix + spec.SafeID(id) + "/" + v.String()
}

func instanceRecord(id string) string   { return instancePrefix + id }
func deploymentRecord(id string) string { return deploymentPrefix + id }
func failureRecord(appID string) string { return failurePrefix + spec.SafeID(appID) }

func recordApp(def *spec.App) Op {
	return Op{Name: appRecord(def.ID, def.Version), Value: def.JSON()}
}

func recordInstance(in *Instance) Op { return Op{Name: instanceRecord(in.ID), Value: encode(in)} }
func recordDeployment(d *deployment) Op {
	return Op{Name: deploymentRecord(d.ID), Value: encode(d)}
}

// encode writes plain data, which cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("marshal %T: %v", v, err))
	}
	return b
}

// Load takes in what was persisted, in any order, before the first step.
func (c *Core) Load(records []Record) error {
	for _, r := range records {
		if err := c.load(r); err != nil {
			return fmt.Errorf("load record %s: %w", r.Name, err)
		}
	}
	for _, id := range c.order {
		a := c.apps[id]
		slices.SortFunc(a.versions, func(x, y *spec.App) int { return int(x.Version - y.Version) })
		for _, in := range a.instances {
			a.equip(in) // now that its definition is known
		}
		c.touch(id)
	}
	c.resumeDeployments()
	if c.frameworkID == "" && len(c.tasks) > 0 {
		return fmt.Errorf("there are %d instances but no framework id: they would be lost; restore record %s", len(c.tasks), frameworkRecord)
	}
	return nil
}

func (c *Core) load(r Record) error {
	switch {
	case r.Name == frameworkRecord:
		c.frameworkID = string(r.Value)
	case strings.HasPrefix(r.Name, appPrefix):
		return c.loadApp(r.Value)
	case strings.HasPrefix(r.Name, instancePrefix):
		return c.loadInstance(r.Value)
	case strings.HasPrefix(r.Name, deploymentPrefix):
		return c.loadDeployment(r.Value)
	case strings.HasPrefix(r.Name, failurePrefix):
		return c.loadFailure(r.Value)
	default:
		return fmt.Errorf("unknown kind of record; was it written by a newer version?")
	}
	return nil
}

func (c *Core) loadApp(b []byte) error {
	def, err := spec.Load(b)
	if err != nil {
		return err
	}
	a := c.obtain(def.ID)
	a.versions = append(a.versions, def)
	c.lastVersion = max(c.lastVersion, def.Version)
	return nil
}

func (c *Core) loadInstance(b []byte) error {
	in := &Instance{}
	if err := json.Unmarshal(b, in); err != nil {
		return err
	}
	c.add(in)
	if in.Kill {
		c.kills.want(in.TaskID)
	}
	return nil
}

func (c *Core) loadDeployment(b []byte) error {
	d := &deployment{}
	if err := json.Unmarshal(b, d); err != nil {
		return err
	}
	c.deployments = append(c.deployments, d)
	c.lastVersion = max(c.lastVersion, d.Version)
	return nil
}

func (c *Core) loadFailure(b []byte) error {
	f := &TaskFailure{}
	if err := json.Unmarshal(b, f); err != nil {
		return err
	}
	c.obtain(f.AppID).failure = f
	return nil
}

// FrameworkID is the id to subscribe with, "" before the first subscription.
func (c *Core) FrameworkID() string { return c.frameworkID }
