package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/sandbox"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// The objects of /state (mesos-api 3), in the words and the order that their
// readers know: an agent is a slave here.

type stateDoc struct {
	versionDoc
	StartTime           double               `json:"start_time"`
	ID                  string               `json:"id"`
	PID                 string               `json:"pid"`
	Hostname            string               `json:"hostname"`
	Capabilities        []string             `json:"capabilities"`
	Domain              any                  `json:"domain,omitempty"`
	Resources           summary              `json:"resources"`
	Reserved            map[string]summary   `json:"reserved_resources"`
	Unreserved          summary              `json:"unreserved_resources"`
	ReservedFull        map[string][]message `json:"reserved_resources_full"`
	UnreservedFull      []message            `json:"unreserved_resources_full"`
	ReservedAllocated   map[string]summary   `json:"reserved_resources_allocated"`
	UnreservedAllocated summary              `json:"unreserved_resources_allocated"`
	Providers           []any                `json:"resource_providers"`
	Attributes          map[string]any       `json:"attributes"`
	MasterHostname      string               `json:"master_hostname,omitempty"`
	LogDir              string               `json:"log_dir,omitempty"`
	Flags               map[string]string    `json:"flags"`
	Frameworks          []frameworkDoc       `json:"frameworks"`
	Completed           []frameworkDoc       `json:"completed_frameworks"`
}

type frameworkDoc struct {
	ID              string        `json:"id"`
	Name            string        `json:"name"`
	User            string        `json:"user"`
	FailoverTimeout double        `json:"failover_timeout"`
	Checkpoint      bool          `json:"checkpoint"`
	Hostname        string        `json:"hostname"`
	Principal       string        `json:"principal,omitempty"`
	Roles           []string      `json:"roles,omitempty"`
	Role            string        `json:"role,omitempty"`
	Executors       []executorDoc `json:"executors"`
	Completed       []executorDoc `json:"completed_executors"`
}

type executorDoc struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Source    string    `json:"source"`
	Container string    `json:"container"`
	Directory string    `json:"directory"`
	Resources summary   `json:"resources"`
	Role      string    `json:"role,omitempty"`
	Labels    []message `json:"labels,omitempty"`
	Tasks     []taskDoc `json:"tasks"`
	Queued    []taskDoc `json:"queued_tasks"`
	Completed []taskDoc `json:"completed_tasks"`
}

type taskDoc struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	FrameworkID string      `json:"framework_id"`
	ExecutorID  string      `json:"executor_id"` // "" for a command task
	AgentID     string      `json:"slave_id"`
	State       string      `json:"state"`
	Resources   summary     `json:"resources"`
	Limits      any         `json:"limits,omitempty"`
	Role        string      `json:"role,omitempty"`
	Statuses    []statusDoc `json:"statuses"`
	User        string      `json:"user,omitempty"`
	Labels      []message   `json:"labels,omitempty"`
	Discovery   any         `json:"discovery,omitempty"`
	Container   any         `json:"container,omitempty"`
}

type statusDoc struct {
	State     string    `json:"state"`
	Timestamp double    `json:"timestamp"`
	Labels    []message `json:"labels,omitempty"`
	Container any       `json:"container_status,omitempty"`
	Healthy   *bool     `json:"healthy,omitempty"`
}

// state answers /state.
func (a *api) state(w http.ResponseWriter, r *http.Request) {
	s, ok := a.snapshot(w, r)
	if !ok {
		return
	}
	answer(w, r, a.stateDoc(s))
}

func (a *api) stateDoc(s core.Snapshot) stateDoc {
	total := s.Total
	used := allocated(s)
	d := stateDoc{
		versionDoc: a.Build.doc(),
		StartTime:  seconds(a.Started),
		ID:         s.Info.GetId().GetValue(),
		PID:        "slave(1)@" + a.Address,
		Hostname:   s.Info.GetHostname(),

		Resources:           summarize(total),
		Reserved:            reservedBy(total, summarize),
		Unreserved:          summarize(total.Unreserved()),
		ReservedFull:        reservedBy(total, full),
		UnreservedFull:      full(total.Unreserved()),
		ReservedAllocated:   reservedBy(used, summarize),
		UnreservedAllocated: summarize(used.Unreserved()),

		Providers:      []any{},
		Attributes:     attributes(s.Info.GetAttributes()),
		MasterHostname: a.Agent.Master(),
		LogDir:         a.LogDir,
		Flags:          flagTexts(a.Flags),
		Frameworks:     docs(s.Frameworks, a.frameworkDoc),
		Completed:      docs(s.Completed, a.frameworkDoc),
	}
	for _, c := range core.Capabilities() {
		d.Capabilities = append(d.Capabilities, c.GetType().String())
	}
	if domain := s.Info.GetDomain(); domain != nil {
		d.Domain = message{domain}
	}
	return d
}

// docs makes a list that is never null.
func docs[T, D any](list []T, doc func(T) D) []D {
	out := make([]D, 0, len(list))
	for _, x := range list {
		out = append(out, doc(x))
	}
	return out
}

func (a *api) frameworkDoc(f core.Framework) frameworkDoc {
	d := frameworkDoc{
		ID: f.Info.GetId().GetValue(), Name: f.Info.GetName(), User: f.Info.GetUser(),
		FailoverTimeout: double(f.Info.GetFailoverTimeout()), Checkpoint: f.Info.GetCheckpoint(),
		Hostname: f.Info.GetHostname(), Principal: f.Info.GetPrincipal(),
		Executors: docs(f.Executors, a.executorDoc), Completed: docs(f.Completed, a.executorDoc),
	}
	multi := func(c *mesospb.FrameworkInfo_Capability) bool {
		return c.GetType() == mesospb.FrameworkInfo_Capability_MULTI_ROLE
	}
	if slices.ContainsFunc(f.Info.GetCapabilities(), multi) {
		d.Roles = f.Info.GetRoles()
	} else {
		d.Role = f.Info.GetRole()
	}
	return d
}

// directory is where an executor's sandbox lies.
func (a *api) directory(r core.Run) string {
	return a.Store.Path(sandbox.Run{
		Agent: string(r.Agent), Framework: string(r.Framework), Executor: string(r.Executor), Container: string(r.Container),
	})
}

func (a *api) executorDoc(x core.Executor) executorDoc {
	d := executorDoc{
		ID: string(x.Run.Executor), Name: x.Info.GetName(), Source: x.Info.GetSource(),
		Container: string(x.Run.Container), Directory: a.directory(x.Run),
		Labels: labels(x.Info.GetLabels()),
		Tasks:  []taskDoc{}, Queued: []taskDoc{}, Completed: []taskDoc{},
	}
	all := readResources(x.Info.GetResources())
	for _, t := range x.Tasks {
		if x.BuiltIn || !terminal(t.State) {
			all = all.Add(readResources(t.Info.GetResources()))
		}
		d.Role = role(t.Info)
		doc := a.taskDoc(x.Run, t)
		if !x.BuiltIn {
			doc.ExecutorID = d.ID
		}
		switch {
		case terminal(t.State) && !t.Pending:
			d.Completed = append(d.Completed, doc)
		case t.Queued:
			d.Queued = append(d.Queued, doc)
		default:
			d.Tasks = append(d.Tasks, doc)
		}
	}
	d.Resources = summarize(all.Unallocated())
	return d
}

func (a *api) taskDoc(r core.Run, t core.Task) taskDoc {
	d := taskDoc{
		ID: t.Info.GetTaskId().GetValue(), Name: t.Info.GetName(), FrameworkID: string(r.Framework), AgentID: string(r.Agent),
		State: t.State.String(), Resources: summarize(readResources(t.Info.GetResources()).Unallocated()), Role: role(t.Info),
		Statuses: docs(t.Statuses, newStatusDoc), User: t.Info.GetCommand().GetUser(), Labels: labels(t.Info.GetLabels()),
	}
	if limits := t.Info.GetLimits(); len(limits) > 0 {
		texts := make(map[string]double, len(limits))
		for name, l := range limits {
			texts[name] = double(l.GetValue())
		}
		d.Limits = texts
	}
	if t.Info.GetDiscovery() != nil {
		d.Discovery = message{t.Info.GetDiscovery()}
	}
	if t.Info.GetContainer() != nil {
		d.Container = message{t.Info.GetContainer()}
	}
	return d
}

func newStatusDoc(s *mesospb.TaskStatus) statusDoc {
	d := statusDoc{State: s.GetState().String(), Timestamp: double(s.GetTimestamp()), Labels: labels(s.GetLabels()), Healthy: s.Healthy}
	if s.GetContainerStatus() != nil {
		d.Container = message{s.GetContainerStatus()}
	}
	return d
}

// role is the one that a task's resources are allocated to.
func role(t *mesospb.TaskInfo) string {
	for _, r := range t.GetResources() {
		if role := r.GetAllocationInfo().GetRole(); role != "" {
			return role
		}
	}
	return ""
}

func labels(l *mesospb.Labels) []message {
	var out []message
	for _, label := range l.GetLabels() {
		out = append(out, message{label})
	}
	return out
}

func attributes(list []*mesospb.Attribute) map[string]any {
	out := make(map[string]any, len(list))
	for _, at := range list {
		switch at.GetType() {
		case mesospb.Value_SCALAR:
			out[at.GetName()] = double(at.GetScalar().GetValue())
		case mesospb.Value_RANGES:
			var ranges []resources.Range
			for _, r := range at.GetRanges().GetRange() {
				ranges = append(ranges, resources.Range{Begin: r.GetBegin(), End: r.GetEnd()})
			}
			out[at.GetName()] = resources.RangesOf(ranges...).String()
		case mesospb.Value_SET:
			out[at.GetName()] = "{" + strings.Join(at.GetSet().GetItem(), ", ") + "}"
		default:
			out[at.GetName()] = at.GetText().GetValue()
		}
	}
	return out
}

// readResources takes resources that were validated when they came.
func readResources(list []*mesospb.Resource) resources.Resources {
	r, err := resources.FromProto(list)
	if err != nil {
		return nil // shown as none rather than not at all
	}
	return r
}

// allocated is what the tasks that have not ended use, and the executors that
// frameworks brought; overhead is left out.
func allocated(s core.Snapshot) (sum resources.Resources) {
	for _, f := range s.Frameworks {
		for _, x := range f.Executors {
			if !x.BuiltIn {
				sum = sum.Add(readResources(x.Info.GetResources()).Unallocated())
			}
			for _, t := range x.Tasks {
				if !terminal(t.State) {
					sum = sum.Add(readResources(t.Info.GetResources()).Unallocated())
				}
			}
		}
	}
	return sum
}

// reservedBy shows the reserved resources of each role.
func reservedBy[V any](r resources.Resources, show func(resources.Resources) V) map[string]V {
	byRole := make(map[string]resources.Resources)
	for _, x := range r.Reserved() {
		byRole[x.Role()] = append(byRole[x.Role()], x)
	}
	out := make(map[string]V, len(byRole))
	for role, list := range byRole {
		out[role] = show(list)
	}
	return out
}

func full(r resources.Resources) []message {
	out := []message{}
	for _, p := range r.Proto(resources.Endpoint) {
		out = append(out, message{p})
	}
	return out
}

// summary is resources as the older endpoints add them up: scalars over all
// roles, ranges and sets as text, revocable amounts apart.
type summary map[string]any

func summarize(r resources.Resources) summary {
	s := summary{"cpus": double(0), "mem": double(0), "disk": double(0), "gpus": double(0)}
	s.add(r.NonRevocable(), "")
	s.add(r.Revocable(), "_revocable")
	return s
}

func (s summary) add(r resources.Resources, suffix string) {
	kinds := make(map[string]resources.Kind)
	for _, x := range r {
		kinds[x.Name] = x.Kind
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		switch kinds[name] {
		case resources.KindRanges:
			s[name+suffix] = r.RangesOf(name).String()
		case resources.KindSet:
			s[name+suffix] = "{" + strings.Join(items(r, name), ", ") + "}"
		default:
			s[name+suffix] = double(r.Scalar(name).Float())
		}
	}
}

func items(r resources.Resources, name string) []string {
	var all []string
	for _, x := range r.Named(name) {
		all = append(all, x.Set...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
