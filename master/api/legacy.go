package api

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/master/core"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// The objects of the older endpoints (mesos-api 3), in the words and the order
// that their readers know: an agent is a slave here.

// agentHead writes what is known of any agent, also of one not back yet.
func (d *doc) agentHead(info *mesospb.AgentInfo) {
	d.textAt("id", info.GetId().GetValue())
	d.textAt("hostname", info.GetHostname())
	d.integerAt("port", int(info.GetPort()))
	d.objectAt("attributes", func() {
		for _, a := range info.GetAttributes() {
			d.key(a.GetName())
			d.attribute(a)
		}
	})
	d.domain(info.GetDomain())
}

func (d *doc) domain(domain *mesospb.DomainInfo) {
	if domain != nil {
		d.key("domain")
		d.message(domain)
	}
}

func (d *doc) attribute(a *mesospb.Attribute) {
	switch a.GetType() {
	case mesospb.Value_SCALAR:
		d.double(a.GetScalar().GetValue())
	case mesospb.Value_RANGES:
		var ranges []resources.Range
		for _, r := range a.GetRanges().GetRange() {
			ranges = append(ranges, resources.Range{Begin: r.GetBegin(), End: r.GetEnd()})
		}
		d.text(resources.RangesOf(ranges...).String())
	case mesospb.Value_SET:
		d.text("{" + strings.Join(a.GetSet().GetItem(), ", ") + "}")
	default:
		d.text(a.GetText().GetValue())
	}
}

// agent writes an agent as /state and /state-summary show it.
func (d *doc) agent(a *core.Agent) {
	d.agentHead(a.Info())
	d.textAt("pid", "slave(1)@"+a.Address)
	d.doubleAt("registered_time", seconds(a.Registered))
	if !a.Reregistered.IsZero() {
		d.doubleAt("reregistered_time", seconds(a.Reregistered))
	}
	d.summaryAt("resources", a.Total)
	d.summaryAt("used_resources", a.Used)
	d.summaryAt("offered_resources", a.Offered)
	roles, reserved := byRole(a.Total)
	d.objectAt("reserved_resources", func() {
		for _, role := range roles {
			d.summaryAt(role, reserved[role])
		}
	})
	d.summaryAt("unreserved_resources", a.Total.Unreserved())
	d.boolAt("active", a.Active)
	d.boolAt("deactivated", a.Deactivated)
	d.textAt("version", a.Version)
	d.listAt("capabilities", func() {
		for _, c := range a.Capabilities {
			d.text(c.String())
		}
	})
	if a.Drain != nil {
		d.key("drain_info")
		d.message(a.Drain)
	}
	if !a.DrainSince.IsZero() {
		d.integerAt("estimated_drain_start_time_seconds", int(a.DrainSince.Unix()))
	}
}

// agentFull writes the resources of an agent one by one, as /slaves adds them.
func (d *doc) agentFull(a *core.Agent) {
	roles, reserved := byRole(a.Total)
	d.objectAt("reserved_resources_full", func() {
		for _, role := range roles {
			messagesAt(d, role, reserved[role].Proto(resources.Endpoint))
		}
	})
	messagesAt(d, "unreserved_resources_full", a.Total.Unreserved().Proto(resources.Endpoint))
	messagesAt(d, "used_resources_full", a.Used.Proto(resources.Endpoint))
	messagesAt(d, "offered_resources_full", a.Offered.Proto(resources.Endpoint))
}

// frameworkHead writes what /state-summary shows of a framework.
func (d *doc) frameworkHead(f *core.Framework, used resources.Resources) {
	d.textAt("id", string(f.ID))
	d.textAt("name", f.Info.GetName())
	d.summaryAt("used_resources", used)
	d.summaryAt("offered_resources", f.Offered)
	d.listAt("capabilities", func() {
		for _, c := range f.Info.GetCapabilities() {
			d.text(c.GetType().String())
		}
	})
	d.textAt("hostname", f.Info.GetHostname())
	d.textAt("webui_url", f.Info.GetWebuiUrl())
	d.boolAt("active", f.Active)
	d.boolAt("connected", f.Connected)
	d.boolAt("recovered", f.Recovered)
}

// framework writes a framework with all that it has; executors are its own.
func (d *doc) framework(v *core.Snapshot, f *core.Framework, executors []core.Executor) {
	used := v.Used(f)
	d.frameworkHead(f, used)
	d.frameworkRegistration(f, used.Add(f.Offered))
	d.tasksAt("tasks", v.ActiveTasks(f))
	d.tasksAt("unreachable_tasks", v.UnreachableTasks(f))
	d.tasksAt("completed_tasks", v.CompletedTasks(f))
	d.listAt("offers", func() {
		for _, o := range f.Offers {
			d.object(func() { d.offer(f, &o) })
		}
	})
	d.listAt("executors", func() {
		for i := range executors {
			d.object(func() { d.executor(&executors[i]) })
		}
	})
	d.labels(f.Info.GetLabels())
	d.key("offer_constraints")
	if f.OfferConstraints == nil {
		d.object(func() {})
	} else {
		d.message(f.OfferConstraints)
	}
}

func (d *doc) frameworkRegistration(f *core.Framework, all resources.Resources) {
	d.textAt("user", f.Info.GetUser())
	d.doubleAt("failover_timeout", f.Info.GetFailoverTimeout())
	d.boolAt("checkpoint", f.Info.GetCheckpoint())
	d.doubleAt("registered_time", seconds(f.Registered))
	d.doubleAt("unregistered_time", seconds(f.Unregistered))
	if f.Info.Principal != nil {
		d.textAt("principal", f.Info.GetPrincipal())
	}
	d.summaryAt("resources", all)
	if !f.Reregistered.IsZero() && !f.Reregistered.Equal(f.Registered) {
		d.doubleAt("reregistered_time", seconds(f.Reregistered))
	}
	if multiRole(f.Info) {
		d.textsAt("roles", f.Info.GetRoles())
	} else {
		d.textAt("role", f.Info.GetRole())
	}
}

func multiRole(info *mesospb.FrameworkInfo) bool {
	return slices.ContainsFunc(info.GetCapabilities(), func(c *mesospb.FrameworkInfo_Capability) bool {
		return c.GetType() == mesospb.FrameworkInfo_Capability_MULTI_ROLE
	})
}
func (d *doc) tasksAt(name string, tasks iter.Seq[*mesospb.Task]) {
	d.listAt(name, func() {
		for t := range tasks {
			d.object(func() { d.task(t) })
		}
	})
}

// task writes a task. A command task has no executor: its id is empty.
func (d *doc) task(t *mesospb.Task) {
	used := fromWire(t.GetResources())
	d.textAt("id", t.GetTaskId().GetValue())
	d.textAt("name", t.GetName())
	d.textAt("framework_id", t.GetFrameworkId().GetValue())
	d.textAt("executor_id", t.GetExecutorId().GetValue())
	d.textAt("slave_id", t.GetAgentId().GetValue())
	d.textAt("state", t.GetState().String())
	d.summaryAt("resources", used)
	if len(t.GetLimits()) > 0 {
		d.limits(t.GetLimits())
	}
	d.roleOf(used)
	d.listAt("statuses", func() {
		for _, s := range t.GetStatuses() {
			d.object(func() { d.status(s) })
		}
	})
	if t.User != nil {
		d.textAt("user", t.GetUser())
	}
	d.labels(t.GetLabels())
	if t.GetDiscovery() != nil {
		d.key("discovery")
		d.message(t.GetDiscovery())
	}
	if t.GetContainer() != nil {
		d.key("container")
		d.message(t.GetContainer())
	}
	if t.GetHealthCheck() != nil {
		d.key("health_check")
		d.message(t.GetHealthCheck())
	}
}

func (d *doc) limits(limits map[string]*mesospb.Value_Scalar) {
	d.objectAt("limits", func() {
		for _, name := range slices.Sorted(maps.Keys(limits)) {
			d.doubleAt(name, limits[name].GetValue())
		}
	})
}

func (d *doc) status(s *mesospb.TaskStatus) {
	d.textAt("state", s.GetState().String())
	d.doubleAt("timestamp", s.GetTimestamp())
	d.labels(s.GetLabels())
	if c := s.GetContainerStatus(); c != nil {
		d.objectAt("container_status", func() {
			if c.GetContainerId() != nil {
				d.key("container_id")
				d.message(c.GetContainerId())
			}
			if len(c.GetNetworkInfos()) > 0 {
				messagesAt(d, "network_infos", c.GetNetworkInfos())
			}
		})
	}
	if s.Healthy != nil {
		d.boolAt("healthy", s.GetHealthy())
	}
}

// roleOf writes the role that resources are allocated to; it is one for all.
func (d *doc) roleOf(r resources.Resources) {
	if len(r) > 0 && r[0].Allocation != "" {
		d.textAt("role", r[0].Allocation)
	}
}

// labels writes a list of labels, if there is one.
func (d *doc) labels(l *mesospb.Labels) {
	if l != nil {
		messagesAt(d, "labels", l.GetLabels())
	}
}

func (d *doc) offer(f *core.Framework, o *core.Offer) {
	d.textAt("id", string(o.ID))
	d.textAt("framework_id", string(f.ID))
	d.objectAt("allocation_info", func() { d.textAt("role", o.Role) })
	d.textAt("slave_id", string(o.Agent))
	d.summaryAt("resources", o.Resources)
}

func (d *doc) executor(x *core.Executor) {
	d.textAt("executor_id", x.Info.GetExecutorId().GetValue())
	d.textAt("name", x.Info.GetName())
	d.textAt("framework_id", string(x.Framework))
	d.objectAt("command", func() { d.command(x.Info.GetCommand()) })
	d.summaryAt("resources", x.Used)
	d.roleOf(x.Used)
	d.labels(x.Info.GetLabels())
	if x.Info.Type != nil {
		d.textAt("type", x.Info.GetType().String())
	}
	d.textAt("slave_id", string(x.Agent))
}

func (d *doc) command(c *mesospb.CommandInfo) {
	if c != nil {
		d.boolAt("shell", c.GetShell())
	}
	if c != nil && c.Value != nil {
		d.textAt("value", c.GetValue())
	}
	d.textsAt("argv", c.GetArguments())
	if c.GetEnvironment() != nil {
		d.key("environment")
		d.message(c.GetEnvironment())
	}
	d.listAt("uris", func() {
		for _, u := range c.GetUris() {
			d.object(func() {
				d.textAt("value", u.GetValue())
				d.boolAt("executable", u.GetExecutable())
			})
		}
	})
}

// seconds is a time as the older endpoints print it; 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

// legacyNumber reads a query value; what is no number falls back (mesos-api 3).
func legacyNumber(text string, fallback int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return fallback
	}
	return n
}

// fromWire reads resources that were validated when they came; those that
// cannot be read do not show.
func fromWire(list []*mesospb.Resource) resources.Resources {
	r, err := resources.FromProto(list)
	if err != nil {
		return nil
	}
	return r
}
