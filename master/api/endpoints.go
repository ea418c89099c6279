package api

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/master/core"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// viewed answers with a JSON document made of what the master knows now.
func (a *api) viewed(w http.ResponseWriter, r *http.Request, write func(*doc, *core.Snapshot)) {
	view, err := a.Master.View(r.Context())
	if err != nil {
		callevent.WriteError(w, unavailable(err))
		return
	}
	d := &doc{}
	write(d, view)
	daemon.WriteJSON(w, r, d.b)
}

// state answers /state: everything.
func (a *api) state(w http.ResponseWriter, r *http.Request) {
	a.viewed(w, r, func(d *doc, v *core.Snapshot) {
		d.object(func() {
			d.versionMembers(a.Build)
			a.masterMembers(d, v)
			a.agentsMembers(d, v, "", false)
			a.frameworksMembers(d, v, "")
			d.listAt("orphan_tasks", func() {})
			d.listAt("unregistered_frameworks", func() {})
		})
	})
}

func (a *api) masterMembers(d *doc, v *core.Snapshot) {
	active, inactive := 0, 0
	for i := range v.Agents {
		if v.Agents[i].Active {
			active++
		} else {
			inactive++
		}
	}
	d.doubleAt("start_time", seconds(a.Started))
	d.doubleAt("elected_time", seconds(v.Elected))
	d.textAt("id", a.Info.GetId())
	d.textAt("pid", a.Info.GetPid())
	d.textAt("hostname", a.Info.GetHostname())
	d.listAt("capabilities", func() {
		for _, c := range a.Info.GetCapabilities() {
			if c.Type == nil { // which v1 has no name for
				d.text("QUOTA_V2")
				continue
			}
			d.text(c.GetType().String())
		}
	})
	d.doubleAt("activated_slaves", float64(active))
	d.doubleAt("deactivated_slaves", float64(inactive))
	d.doubleAt("unreachable_slaves", float64(v.Unreachable))
	d.domain(a.Info.GetDomain())
	d.textAt("leader", a.Info.GetPid())
	d.objectAt("leader_info", func() {
		d.textAt("id", a.Info.GetId())
		d.textAt("pid", a.Info.GetPid())
		d.integerAt("port", int(a.Info.GetPort()))
		d.textAt("hostname", a.Info.GetHostname())
		d.domain(a.Info.GetDomain())
	})
	if a.Cluster != "" {
		d.textAt("cluster", a.Cluster)
	}
	if a.LogDir != "" {
		d.textAt("log_dir", a.LogDir)
	}
	d.objectAt("flags", func() { a.flagMembers(d) })
}

// agentsMembers writes the agents, or the one asked for.
func (a *api) agentsMembers(d *doc, v *core.Snapshot, only string, full bool) {
	d.listAt("slaves", func() {
		for i := range v.Agents {
			agent := &v.Agents[i]
			if only != "" && only != string(agent.ID) {
				continue
			}
			d.object(func() {
				d.agent(agent)
				if full {
					d.agentFull(agent)
				}
			})
		}
	})
	d.listAt("recovered_slaves", func() {
		for i := range v.Recovered {
			if only == "" || only == string(v.Recovered[i].ID) {
				d.object(func() { d.agentHead(v.Recovered[i].Info()) })
			}
		}
	})
}

// frameworksMembers writes the frameworks, or the one asked for.
func (a *api) frameworksMembers(d *doc, v *core.Snapshot, only string) {
	executors := make(map[mesos.FrameworkID][]core.Executor)
	for x := range v.Executors() {
		executors[x.Framework] = append(executors[x.Framework], x)
	}
	write := func(name string, all []core.Framework) {
		d.listAt(name, func() {
			for i := range all {
				if only == "" || only == string(all[i].ID) {
					d.object(func() { d.framework(v, &all[i], executors[all[i].ID]) })
				}
			}
		})
	}
	write("frameworks", v.Frameworks)
	write("completed_frameworks", v.CompletedFrameworks)
}

// slaves answers /slaves, with the resources of each agent one by one.
func (a *api) slaves(w http.ResponseWriter, r *http.Request) {
	only := r.URL.Query().Get("slave_id")
	a.viewed(w, r, func(d *doc, v *core.Snapshot) {
		d.object(func() { a.agentsMembers(d, v, only, true) })
	})
}

// frameworks answers /frameworks.
func (a *api) frameworks(w http.ResponseWriter, r *http.Request) {
	only := r.URL.Query().Get("framework_id")
	a.viewed(w, r, func(d *doc, v *core.Snapshot) {
		d.object(func() {
			a.frameworksMembers(d, v, only)
			d.listAt("unregistered_frameworks", func() {})
		})
	})
}

// stateSummary answers /state-summary: agents and frameworks with counts of
// tasks in place of tasks.
func (a *api) stateSummary(w http.ResponseWriter, r *http.Request) {
	a.viewed(w, r, func(d *doc, v *core.Snapshot) {
		byAgent := tallyAgents(v)
		d.object(func() {
			d.textAt("hostname", a.Info.GetHostname())
			if a.Cluster != "" {
				d.textAt("cluster", a.Cluster)
			}
			d.listAt("slaves", func() {
				for i := range v.Agents {
					agent := &v.Agents[i]
					d.object(func() {
						d.agent(agent)
						byAgent[agent.ID].write(d, "framework_ids")
					})
				}
			})
			d.listAt("frameworks", func() {
				for i := range v.Frameworks {
					f := &v.Frameworks[i]
					d.object(func() {
						d.frameworkHead(f, v.Used(f))
						tally{counts: v.TaskCounts(f), ids: texts(v.AgentsOf(f))}.write(d, "slave_ids")
					})
				}
			})
		})
	})
}

// tasks answers /tasks: a page of all tasks, by the time of their first status.
func (a *api) tasks(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	a.viewed(w, r, func(d *doc, v *core.Snapshot) {
		page := page(selectTasks(v, query.Get("framework_id"), query.Get("task_id")), query)
		d.object(func() { d.tasksAt("tasks", slices.Values(page)) })
	})
}

// selectTasks are the tasks of a framework, or of all, that have an id, or any.
func selectTasks(v *core.Snapshot, framework, task string) []*mesospb.Task {
	var all []*mesospb.Task
	for f := range everyFramework(v) {
		if framework != "" && framework != string(f.ID) {
			continue
		}
		for t := range everyTask(v, f) {
			if task == "" || task == t.GetTaskId().GetValue() {
				all = append(all, t)
			}
		}
	}
	return all
}

// page sorts tasks and cuts out what limit and offset ask for.
func page(all []*mesospb.Task, query url.Values) []*mesospb.Task {
	slices.SortStableFunc(all, func(a, b *mesospb.Task) int { return cmp.Compare(firstSeen(a), firstSeen(b)) })
	if query.Get("order") != "asc" {
		slices.Reverse(all)
	}
	all = all[min(legacyNumber(query.Get("offset"), 0), len(all)):]
	return all[:min(legacyNumber(query.Get("limit"), 100), len(all))]
}

func firstSeen(t *mesospb.Task) float64 {
	if len(t.GetStatuses()) == 0 {
		return 0
	}
	return t.GetStatuses()[0].GetTimestamp()
}

// roles answers /roles.
func (a *api) roles(w http.ResponseWriter, r *http.Request) {
	a.viewed(w, r, func(d *doc, v *core.Snapshot) {
		d.object(func() {
			d.listAt("roles", func() {
				for _, role := range v.Roles() {
					d.object(func() { d.role(&role) })
				}
			})
		})
	})
}

func (d *doc) role(r *core.Role) {
	d.textAt("name", r.Name)
	d.doubleAt("weight", r.Weight)
	d.objectAt("quota", func() {
		d.textAt("role", r.Name)
		d.quantitiesAt("guarantee", r.Quota.Guarantees)
		d.objectAt("limit", func() {
			for name, amount := range r.Quota.Limits.All() {
				d.doubleAt(name, amount.Float())
			}
		})
		d.quantitiesAt("consumed", r.Consumed)
	})
	d.quantitiesAt("resources", r.Allocated.Add(r.Offered))
	d.quantitiesAt("allocated", r.Allocated)
	d.quantitiesAt("offered", r.Offered)
	d.quantitiesAt("reserved", r.Reserved)
	d.listAt("frameworks", func() {
		for _, id := range r.Frameworks {
			d.text(string(id))
		}
	})
}

// maxForm bounds the body of a form in bytes.
const maxForm = 1 << 20

// teardown answers POST /teardown: a form that names a framework to remove.
func (a *api) teardown(w http.ResponseWriter, r *http.Request) {
	if err := a.tearDown(w, r); err != nil {
		callevent.WriteError(w, err)
	}
}

func (a *api) tearDown(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	if !form.Has("frameworkId") {
		return callevent.Errorf(http.StatusBadRequest, "Missing 'frameworkId' query parameter in the request body")
	}
	return a.act(w, r, &masterpb.Call{Type: masterpb.Call_TEARDOWN.Enum(), Teardown: &masterpb.Call_Teardown{
		FrameworkId: &mesospb.FrameworkID{Value: proto.String(form.Get("frameworkId"))},
	}})
}

// flags answers /flags: those that have a value, as texts.
func (a *api) flags(w http.ResponseWriter, r *http.Request) {
	d := &doc{}
	d.object(func() {
		d.objectAt("flags", func() { a.flagMembers(d) })
	})
	daemon.WriteJSON(w, r, d.b)
}

func (a *api) flagMembers(d *doc) {
	for _, f := range a.Flags {
		if f.Set {
			d.textAt(f.Name, f.Value)
		}
	}
}
