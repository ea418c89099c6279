package core

import (
	"iter"
	"maps"
	"slices"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// GetState is the answer to GET_STATE, and what an operator's subscription begins with.
func (s *Snapshot) GetState() *masterpb.Response_GetState {
	return &masterpb.Response_GetState{
		GetTasks: s.GetTasks(), GetExecutors: s.GetExecutors(), GetFrameworks: s.GetFrameworks(), GetAgents: s.GetAgents(),
	}
}

// GetAgents is the answer to GET_AGENTS.
func (s *Snapshot) GetAgents() *masterpb.Response_GetAgents {
	out := &masterpb.Response_GetAgents{}
	for i := range s.Agents {
		out.Agents = append(out.Agents, s.Agents[i].message())
	}
	for i := range s.Recovered {
		out.RecoveredAgents = append(out.RecoveredAgents, s.Recovered[i].Info())
	}
	return out
}

// GetFrameworks is the answer to GET_FRAMEWORKS.
func (s *Snapshot) GetFrameworks() *masterpb.Response_GetFrameworks {
	out := &masterpb.Response_GetFrameworks{}
	for i := range s.Frameworks {
		out.Frameworks = append(out.Frameworks, s.frameworkMessage(&s.Frameworks[i]))
	}
	for i := range s.CompletedFrameworks {
		out.CompletedFrameworks = append(out.CompletedFrameworks, s.frameworkMessage(&s.CompletedFrameworks[i]))
	}
	return out
}

func (s *Snapshot) frameworkMessage(f *Framework) *masterpb.Response_GetFrameworks_Framework {
	out := &masterpb.Response_GetFrameworks_Framework{
		FrameworkInfo: f.Info, Active: new(f.Active), Connected: new(f.Connected), Recovered: new(f.Recovered),
		OfferConstraints:   f.OfferConstraints,
		AllocatedResources: s.Used(f).Proto(resources.Endpoint), OfferedResources: f.Offered.Proto(resources.Endpoint),
	}
	if !f.Registered.IsZero() {
		out.RegisteredTime, out.ReregisteredTime = timeInfo(f.Registered), timeInfo(f.Reregistered)
	}
	if !f.Unregistered.IsZero() {
		out.UnregisteredTime = timeInfo(f.Unregistered)
	}
	for _, o := range f.Offers {
		out.Offers = append(out.Offers, &mesospb.Offer{
			Id: offerID(o.ID), FrameworkId: frameworkID(f.ID), AgentId: agentID(o.Agent), Hostname: new(o.Hostname),
			Resources: o.Resources.Proto(resources.PostRefinement), AllocationInfo: &mesospb.Resource_AllocationInfo{Role: new(o.Role)},
		})
	}
	out.InverseOffers = slices.Clone(f.inverse)
	return out
}

// GetTasks is the answer to GET_TASKS.
func (s *Snapshot) GetTasks() *masterpb.Response_GetTasks {
	return &masterpb.Response_GetTasks{
		Tasks:            slices.Collect(s.all(func(f *Framework) chain { return f.active })),
		UnreachableTasks: slices.Collect(s.all(func(f *Framework) chain { return f.unreachable })),
		CompletedTasks:   slices.Collect(s.all(func(f *Framework) chain { return f.ended })),
	}
}

// all yields the tasks of one kind of all frameworks.
func (s *Snapshot) all(kind func(*Framework) chain) iter.Seq[*mesospb.Task] {
	return func(yield func(*mesospb.Task) bool) {
		for _, list := range [][]Framework{s.Frameworks, s.CompletedFrameworks} {
			for i := range list {
				for t := range s.messages(&list[i], kind(&list[i])) {
					if !yield(t) {
						return
					}
				}
			}
		}
	}
}

// GetExecutors is the answer to GET_EXECUTORS.
func (s *Snapshot) GetExecutors() *masterpb.Response_GetExecutors {
	out := &masterpb.Response_GetExecutors{}
	for x := range s.Executors() {
		out.Executors = append(out.Executors, &masterpb.Response_GetExecutors_Executor{ExecutorInfo: x.Info, AgentId: agentID(x.Agent)})
	}
	return out
}

// GetMaster is the answer to GET_MASTER, but for the time the process started.
func (s *Snapshot) GetMaster() *masterpb.Response_GetMaster {
	return &masterpb.Response_GetMaster{MasterInfo: s.Master, ElectedTime: new(float64(s.Elected.UnixMicro()) / 1e6)}
}

// GetWeights is the answer to GET_WEIGHTS.
func (s *Snapshot) GetWeights() *masterpb.Response_GetWeights {
	out := &masterpb.Response_GetWeights{}
	for _, w := range s.Weights {
		out.WeightInfos = append(out.WeightInfos, &mesospb.WeightInfo{Role: new(w.Role), Weight: new(w.Weight)})
	}
	return out
}

// GetRoles is the answer to GET_ROLES: of resources, only the well known scalars.
func (s *Snapshot) GetRoles() *masterpb.Response_GetRoles {
	out := &masterpb.Response_GetRoles{}
	for _, r := range s.Roles() {
		msg := &mesospb.Role{Name: new(r.Name), Weight: new(r.Weight)}
		for _, id := range r.Frameworks {
			msg.Frameworks = append(msg.Frameworks, frameworkID(id))
		}
		held := r.Allocated.Add(r.Offered)
		for _, name := range []string{"cpus", "gpus", "mem", "disk"} {
			if amount := held.Get(name); amount > 0 {
				msg.Resources = append(msg.Resources, &mesospb.Resource{
					Name: new(name), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(amount.Float())},
				})
			}
		}
		out.Roles = append(out.Roles, msg)
	}
	return out
}

// A Role sums up what a role has; quantities count ports and members of sets.
type Role struct {
	Name       string
	Weight     float64
	Frameworks []mesos.FrameworkID // subscribed to it
	Allocated  resources.Quantities
	Offered    resources.Quantities
	Reserved   resources.Quantities // on registered agents, in use or not
	Consumed   resources.Quantities // against quota, those below it included
	Claimed    resources.Quantities // not reserved, in use or offered, by those below it as well
	Quota      allocator.Quota
}

// Roles lists the whitelist if there is one; if not, the roles that are subscribed
// to, reserved for, weighted or with quota, and those above them. Sorted by name.
func (s *Snapshot) Roles() []Role {
	roles := map[string]*Role{}
	role := func(name string) *Role {
		if roles[name] == nil {
			roles[name] = &Role{Name: name, Weight: 1}
		}
		return roles[name]
	}
	for _, w := range s.Weights {
		role(w.Role).Weight = w.Weight
	}
	for _, q := range s.Quotas {
		role(q.Role).Quota = q.Quota
	}
	for i := range s.Frameworks {
		for _, name := range s.Frameworks[i].Roles {
			role(name).Frameworks = append(role(name).Frameworks, s.Frameworks[i].ID)
		}
	}
	s.sumRoles(role)
	for _, name := range slices.Collect(maps.Keys(roles)) {
		for above := range mesos.Ancestors(name) {
			role(above)
		}
	}
	if len(s.whitelist) > 0 {
		return s.listed(roles)
	}
	return inNameOrder(roles)
}

// sumRoles adds what is held, offered and reserved on the agents.
func (s *Snapshot) sumRoles(role func(string) *Role) {
	for i := range s.Agents {
		a := &s.Agents[i]
		for _, x := range a.Used {
			role(x.Allocation).Allocated = role(x.Allocation).Allocated.Add(resources.Resources{x}.Totals())
		}
		for _, x := range a.Offered {
			role(x.Allocation).Offered = role(x.Allocation).Offered.Add(resources.Resources{x}.Totals())
		}
		for _, x := range a.Total.Reserved() {
			role(x.Role()).Reserved = role(x.Role()).Reserved.Add(resources.Resources{x}.Totals())
		}
		eachConsumed(a.Total, a.Used, func(name string, q resources.Quantities) {
			role(name).Consumed = role(name).Consumed.Add(q)
		})
		eachConsumed(nil, a.Used.Add(a.Offered), func(name string, q resources.Quantities) {
			role(name).Claimed = role(name).Claimed.Add(q)
		})
	}
}

func (s *Snapshot) listed(roles map[string]*Role) []Role {
	only := map[string]*Role{mesos.AnyRole: roles[mesos.AnyRole]}
	for _, name := range s.whitelist {
		only[name] = roles[name]
	}
	for name, r := range only {
		if r == nil {
			only[name] = &Role{Name: name, Weight: 1}
		}
	}
	return inNameOrder(only)
}

func inNameOrder(roles map[string]*Role) []Role {
	var out []Role
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		out = append(out, *roles[name])
	}
	return out
}
