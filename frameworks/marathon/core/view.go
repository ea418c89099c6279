package core

import (
	"slices"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// AppInfo is an app with what is known about its instances. It holds copies
// and may be used after the core has moved on.
type AppInfo struct {
	*spec.App
	Counts          Counts
	Deployments     []Ref
	Tasks           []Task
	LastTaskFailure *TaskFailure
}

// Counts are an app's tasks by state.
type Counts struct {
	Staged, Running, Healthy, Unhealthy int
}

// A Ref names something by its id.
type Ref struct {
	ID string `json:"id"`
}

// A TaskFailure is the latest failure of an app.
type TaskFailure struct {
	AppID     string         `json:"appId"`
	Host      string         `json:"host"`
	Message   string         `json:"message"`
	State     string         `json:"state"`
	TaskID    string         `json:"taskId"`
	Timestamp spec.Timestamp `json:"timestamp"`
	Version   spec.Timestamp `json:"version"`
	AgentID   string         `json:"slaveId,omitempty"`
}

// A Task is an instance as it is answered.
type Task struct {
	AppID              string         `json:"appId"`
	HealthCheckResults []HealthResult `json:"healthCheckResults,omitempty"`
	Host               string         `json:"host"`
	ID                 string         `json:"id"`
	IPAddresses        []IPAddress    `json:"ipAddresses"`
	Ports              []int          `json:"ports"`
	ServicePorts       []int          `json:"servicePorts,omitempty"`
	AgentID            string         `json:"slaveId"`
	State              string         `json:"state"`
	StagedAt           spec.Timestamp `json:"stagedAt,omitzero"`
	StartedAt          spec.Timestamp `json:"startedAt,omitzero"`
	Version            spec.Timestamp `json:"version"`
	LocalVolumes       []Ref          `json:"localVolumes"`
	Region             string         `json:"region,omitempty"`
	Zone               string         `json:"zone,omitempty"`
	Role               string         `json:"role"`

	Verdict *bool `json:"-"` // healthy or not; nil when unknown or without checks
}

// A HealthResult is what one check has found.
type HealthResult struct {
	Alive               bool            `json:"alive"`
	ConsecutiveFailures int             `json:"consecutiveFailures"`
	FirstSuccess        *spec.Timestamp `json:"firstSuccess"`
	LastFailure         *spec.Timestamp `json:"lastFailure"`
	LastSuccess         *spec.Timestamp `json:"lastSuccess"`
	LastFailureCause    *string         `json:"lastFailureCause"`
	InstanceID          string          `json:"instanceId"`
}

// DeploymentInfo is a running deployment.
type DeploymentInfo struct {
	ID             string         `json:"id"`
	Version        spec.Timestamp `json:"version"`
	AffectedApps   []string       `json:"affectedApps"`
	AffectedPods   []string       `json:"affectedPods"`
	Steps          []Step         `json:"steps"`
	CurrentActions []ActionInfo   `json:"currentActions"`
	CurrentStep    int            `json:"currentStep"`
	TotalSteps     int            `json:"totalSteps"`
}

// ActionInfo is an action under way.
type ActionInfo struct {
	Action
	ReadinessCheckResults []Ref `json:"readinessCheckResults"`
}

// QueueItem is an app that waits for offers.
type QueueItem struct {
	App     *spec.App
	Count   int
	Role    string
	Delay   time.Duration // left
	Since   spec.Timestamp
	Summary OfferSummary
	Unused  []UnusedOffer
}

// Settled reports whether all that was decided is durable.
func (c *Core) Settled() bool { return c.out.settled() }

// Counters are numbers that only grow.
type Counters struct {
	OffersIncoming, OffersUsed, OffersDeclined int
	TasksLaunched, LaunchesOverdue             int
	Revives, Suppresses                        int
	Deployments, DeploymentsDismissed          int
	States                                     map[string]int // status updates by Mesos state
}

// Totals counts what is there.
type Totals struct {
	Apps, Groups, Deployments, Staged, Running, KillsInFlight int
}

// Apps are all apps, sorted by id.
func (c *Core) Apps() []AppInfo {
	var out []AppInfo
	for _, id := range c.order {
		if a := c.existing(id); a != nil {
			out = append(out, c.info(a))
		}
	}
	return out
}

// App is one app.
func (c *Core) App(id string) (AppInfo, bool) {
	a := c.existing(id)
	if a == nil {
		return AppInfo{}, false
	}
	return c.info(a), true
}

func (c *Core) info(a *app) AppInfo {
	info := AppInfo{App: a.current(), Deployments: deploymentRefs(a), Tasks: []Task{}}
	if a.failure != nil {
		f := *a.failure
		info.LastTaskFailure = &f
	}
	for _, in := range a.instances {
		t := c.task(in)
		info.Tasks = append(info.Tasks, t)
		info.Counts.add(t)
	}
	return info
}

func (n *Counts) add(t Task) {
	switch t.State {
	case "TASK_STAGING":
		n.Staged++
	case "TASK_RUNNING":
		n.Running++
	}
	switch {
	case t.Verdict == nil:
	case *t.Verdict:
		n.Healthy++
	default:
		n.Unhealthy++
	}
}

func deploymentRefs(a *app) []Ref {
	if a.deployment == nil {
		return []Ref{}
	}
	return []Ref{{a.deployment.ID}}
}

// Versions are the stored versions of an app, the oldest first.
func (c *Core) Versions(id string) (versions []*spec.App, ok bool) {
	a := c.existing(id)
	if a == nil {
		return nil, false
	}
	return slices.Clone(a.versions), true
}

// Tasks are all tasks, by app and age, with their service ports.
func (c *Core) Tasks() []Task {
	out := []Task{}
	for _, id := range c.order {
		a := c.apps[id]
		for _, in := range a.instances {
			t := c.task(in)
			if def := a.definition(in.Version); def != nil {
				t.ServicePorts = def.ServicePorts()
			}
			out = append(out, t)
		}
	}
	return out
}

// Task is one task.
func (c *Core) Task(id string) (Task, bool) {
	in, ok := c.tasks[id]
	if !ok {
		return Task{}, false
	}
	return c.task(in), true
}

func (c *Core) task(in *Instance) Task {
	t := Task{
		AppID: in.AppID, Host: in.Host, ID: in.TaskID, AgentID: in.AgentID, Ports: in.Ports, State: in.State,
		IPAddresses: ipAddresses(in.Addresses), StagedAt: in.StagedAt, StartedAt: in.StartedAt, Version: in.Version,
		LocalVolumes: []Ref{}, Region: in.Region, Zone: in.Zone, Role: in.Role,
		HealthCheckResults: healthResults(in),
	}
	if v := verdictOf(in); len(t.HealthCheckResults) > 0 && v != unknown {
		t.Verdict = new(v == healthy)
	}
	return t
}

// Deployments are those under way, the oldest first.
func (c *Core) Deployments() []DeploymentInfo {
	out := []DeploymentInfo{}
	for _, d := range c.deployments {
		info := DeploymentInfo{
			ID: d.ID, Version: d.Version, AffectedApps: d.affected(), AffectedPods: []string{}, Steps: d.Steps,
			CurrentActions: []ActionInfo{}, CurrentStep: d.current + 1, TotalSteps: len(d.Steps),
		}
		if !d.over() {
			for _, a := range d.Steps[d.current].Actions {
				info.CurrentActions = append(info.CurrentActions, ActionInfo{a, []Ref{}})
			}
		}
		out = append(out, info)
	}
	return out
}

// Queue are the apps that wait for offers, sorted by id.
func (c *Core) Queue(now time.Time) []QueueItem {
	out := []QueueItem{}
	for _, id := range c.order {
		a := c.apps[id]
		if a.queue.wanting == 0 {
			continue
		}
		item := QueueItem{
			App: a.current(), Count: a.queue.wanting, Role: a.current().Role, Since: a.queue.since,
			Delay: max(0, a.queue.delay.until.Sub(now)), Summary: a.queue.offers.summary(), Unused: a.queue.offers.unused(),
		}
		for _, in := range a.instances {
			if in.Condition == Provisioned {
				item.Count++
			}
		}
		out = append(out, item)
	}
	return out
}

// Counters is a copy of the counters.
func (c *Core) Counters() Counters {
	s := c.stats
	s.States = map[string]int{}
	for k, v := range c.stats.States {
		s.States[k] = v
	}
	return s
}

// Totals counts what is there now.
func (c *Core) Totals() Totals {
	t := Totals{Deployments: len(c.deployments), KillsInFlight: len(c.kills.sent)}
	groups := map[string]bool{"/": true}
	for _, id := range c.order {
		if c.existing(id) == nil {
			continue
		}
		t.Apps++
		for g := spec.Parent(id); g != "/"; g = spec.Parent(g) {
			groups[g] = true
		}
	}
	t.Groups = len(groups)
	for _, in := range c.tasks {
		switch in.Condition {
		case Running:
			t.Running++
		case Provisioned, Staging, Starting:
			t.Staged++
		}
	}
	return t
}
