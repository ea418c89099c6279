package core

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// Goals of an instance.
const (
	GoalRunning        = "Running"
	GoalDecommissioned = "Decommissioned"
)

// A Condition is the observed state of an instance.
type Condition string

// The conditions of instances that are not terminal.
const (
	Provisioned         Condition = "Provisioned" // stored, and on its way to the agent
	Staging             Condition = "Staging"
	Starting            Condition = "Starting"
	Running             Condition = "Running"
	Killing             Condition = "Killing"
	Unreachable         Condition = "Unreachable"
	UnreachableInactive Condition = "UnreachableInactive" // so long that another one replaces it
)

// The terminal conditions.
const (
	Error    Condition = "Error"
	Failed   Condition = "Failed"
	Gone     Condition = "Gone"
	Dropped  Condition = "Dropped"
	Unknown  Condition = "Unknown"
	Finished Condition = "Finished"
	Killed   Condition = "Killed"
)

// Terminal reports whether nothing runs any more.
func (c Condition) Terminal() bool {
	switch c {
	case Error, Failed, Gone, Dropped, Unknown, Finished, Killed:
		return true
	}
	return false
}

// unreachable reports whether the master has lost sight of the agent.
func (c Condition) unreachable() bool { return c == Unreachable || c == UnreachableInactive }

// An Instance is one task of an app, from the decision to launch it until its
// end. Its JSON is the stored record.
type Instance struct {
	ID         string            `json:"id"`
	TaskID     string            `json:"taskId"`
	AppID      string            `json:"appId"`
	Version    spec.Timestamp    `json:"version"` // of the definition it was launched from
	Goal       string            `json:"goal"`
	Condition  Condition         `json:"condition"`
	Since      spec.Timestamp    `json:"since"`          // of Condition
	State      string            `json:"state"`          // Mesos' word for it
	Kill       bool              `json:"kill,omitempty"` // a kill was asked for and is not confirmed
	AgentID    string            `json:"agentId"`
	Host       string            `json:"host"`
	Region     string            `json:"region,omitempty"`
	Zone       string            `json:"zone,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"` // of the agent, as constraints see them
	Role       string            `json:"role"`
	Ports      []int             `json:"ports"` // host ports in port order
	Addresses  []string          `json:"addresses,omitempty"`
	StagedAt   spec.Timestamp    `json:"stagedAt"`
	StartedAt  spec.Timestamp    `json:"startedAt,omitzero"`

	health   []health // by index of the health check; not stored
	killSent time.Time
}

// health is what the checks of one instance have found.
type health struct {
	known        bool
	alive        bool
	failures     int
	firstSuccess spec.Timestamp
	lastSuccess  spec.Timestamp
	lastFailure  spec.Timestamp
	cause        string
	due          time.Time // of the next run
}

// verdict sums up the checks of an instance.
type verdict int

const (
	unknown verdict = iota // runs, but not all checks have answered
	healthy
	unhealthy
)

// verdictOf: without checks a running task is healthy; with checks all of them
// must say so. After a change of leader health is unknown until checked again.
func verdictOf(in *Instance) verdict {
	if in.Condition != Running {
		return unhealthy
	}
	sum := healthy
	for _, h := range in.health {
		switch {
		case h.known && !h.alive:
			return unhealthy
		case !h.known:
			sum = unknown
		}
	}
	return sum
}

// taskID: an instance of an app has one task, and a new instance replaces it.
func taskID(instanceID string) string { return instanceID + "._app.1" }

func (c *Core) newInstanceID(appID string) string {
	return spec.SafeID(appID) + ".instance-" + c.uuids.timeBased(c.now, c.cfg.Rand)
}

// AppOfTask is the app whose task has the id, in any of the forms Marathon has
// used; "" when it is none of them.
func AppOfTask(taskID string) string {
	safe, rest, found := cutInstance(taskID)
	if !found || safe == "" || rest == "" {
		return ""
	}
	return spec.FromSafeID(safe)
}

// cutInstance cuts a task id behind the app: at .instance-, .marathon-, or the
// dot before a bare UUID.
func cutInstance(taskID string) (safe, rest string, found bool) {
	for _, mark := range []string{".instance-", ".marathon-"} {
		if i := strings.LastIndex(taskID, mark); i >= 0 {
			return taskID[:i], taskID[i+len(mark):], true
		}
	}
	id := taskID
	if i := strings.LastIndexByte(id, '.'); i >= 0 {
		if _, err := strconv.Atoi(id[i+1:]); err == nil {
			id = id[:i]
		}
	}
	i := strings.LastIndexByte(id, '.')
	if i < 0 || !looksLikeUUID(id[i+1:]) {
		return "", "", false
	}
	return id[:i], id[i+1:], true
}

func looksLikeUUID(s string) bool {
	return len(s) == 36 && strings.Count(s, "-") == 4 && strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}

// add takes an instance into the tables.
func (c *Core) add(in *Instance) {
	a := c.obtain(in.AppID)
	i, _ := slices.BinarySearchFunc(a.instances, in, oldestFirst)
	a.instances = slices.Insert(a.instances, i, in)
	c.tasks[in.TaskID] = in
	a.equip(in)
}

// equip makes room for the results of the instance's health checks.
func (a *app) equip(in *Instance) {
	if def := a.definition(in.Version); def != nil {
		in.health = make([]health, len(def.HealthChecks))
	}
}

// forget drops an instance and its record.
func (c *Core) forget(in *Instance) {
	a := c.apps[in.AppID]
	if i, found := slices.BinarySearchFunc(a.instances, in, oldestFirst); found {
		a.instances = slices.Delete(a.instances, i, i+1)
	}
	delete(c.tasks, in.TaskID)
	delete(c.unanswered, in.TaskID)
	c.kills.drop(in.TaskID)
	c.out.persist(Op{Name: instanceRecord(in.ID), Delete: true})
	c.touch(in.AppID)
}

// store writes the instance as it is now.
func (c *Core) store(in *Instance) { c.out.persist(recordInstance(in)) }

func oldestFirst(a, b *Instance) int {
	return cmp.Or(cmp.Compare(a.StagedAt, b.StagedAt), cmp.Compare(a.ID, b.ID))
}
