package core

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	allocatorpb "github.com/soukproject/souk/proto/mesos/v1/allocator"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A Snapshot is all that the master knew between two steps. It does not change,
// and taking it costs the master a copy of what is small: answers are built from
// it in the asker's goroutine. Its methods may be called from many goroutines;
// the messages they return belong to the caller, except for what they share with
// each other: change none of their parts.
type Snapshot struct {
	Taken   time.Time // the time of the last step
	Elected time.Time // zero before this master leads
	Master  *mesospb.MasterInfo

	Agents              []Agent     // registered ones, in the order they came
	Recovered           []Agent     // admitted, but not registered with this master: only ID, Info, Deactivated and Drain
	Unreachable         int         // agents
	Frameworks          []Framework // oldest first
	CompletedFrameworks []Framework // oldest first
	Weights             []Weight    // those set explicitly, by role
	Quotas              []Quota     // by role; one that was emptied by an update says nothing

	maintenance *maintenance
	Operations  []*mesospb.Operation // by agent, in the order they came

	whitelist []string
	leaving   int // tasks
	tasks     []*page[task]
	bytes     [][]byte
	count     counters
	used      int // rows of tasks
}

// An Agent is an agent as a snapshot shows it.
type Agent struct {
	ID           mesos.AgentID
	Hostname     string
	Address      string // ip:port of its API; with "slave(1)@" before it, Mesos' pid
	Version      string
	Active       bool // may be offered
	Connected    bool
	Deactivated  bool               // by an operator
	Drain        *mesospb.DrainInfo // nil unless an operator drains or drained it
	DrainSince   time.Time          // zero if that is not known
	Capabilities []mesospb.AgentInfo_Capability_Type
	Registered   time.Time
	Reregistered time.Time // zero if it never did

	Total, Used, Offered resources.Resources // Used and Offered are allocated

	machine validation.Machine
	answers []*allocatorpb.InverseOfferStatus

	info      []byte
	tasks     chain
	executors []executor
}

// A Framework is a framework as a snapshot shows it.
type Framework struct {
	ID               mesos.FrameworkID
	Info             *mesospb.FrameworkInfo
	Active           bool
	Connected        bool
	Recovered        bool // known from agents only: its scheduler has not come back
	Registered       time.Time
	Reregistered     time.Time
	Unregistered     time.Time // zero unless it is completed
	Roles            []string  // sorted
	SuppressedRoles  []string  // sorted
	OfferConstraints *schedulerpb.OfferConstraints
	Offers           []Offer             // oldest first
	Offered          resources.Resources // the sum of Offers

	inverse                    []*mesospb.InverseOffer // oldest first
	handle                     uint32
	used                       resources.Resources
	active, unreachable, ended chain
	count                      tallies
}

// An Offer is an outstanding offer.
type Offer struct {
	ID        mesos.OfferID
	Agent     mesos.AgentID
	Hostname  string // of the agent
	Role      string
	Resources resources.Resources
}

// A Weight is a role's share relative to its siblings.
type Weight struct {
	Role   string
	Weight float64
}

// A Quota is what a role is guaranteed and limited to.
type Quota struct {
	Role string
	allocator.Quota
}

// Snapshot copies what is small and shares what does not change.
func (m *Master) Snapshot() *Snapshot {
	s := &Snapshot{
		Taken: m.now, Elected: m.elected, Master: m.cfg.Info, Unreachable: len(m.unreachable),
		Weights: m.weights, Quotas: m.quotas.inOrder(), whitelist: m.cfg.Roles, leaving: len(m.preemption.leaving), maintenance: m.maintenance,
		tasks: m.tasks.rows.share(), bytes: slices.Clone(m.tasks.bytes.chunks), used: m.tasks.rows.used,
		count: m.count.clone(),
	}
	for _, a := range m.agentOf {
		switch {
		case a == nil:
		case a.recovered:
			s.Recovered = append(s.Recovered, Agent{ID: a.id, Hostname: a.hostname, Deactivated: a.deactivated, Drain: a.drain, info: a.info})
		default:
			s.Agents = append(s.Agents, m.viewAgent(a))
			for _, op := range a.operations {
				s.Operations = append(s.Operations, op.message())
			}
		}
	}
	for _, f := range m.order {
		s.Frameworks = append(s.Frameworks, m.viewFramework(f))
	}
	for _, f := range m.completed {
		s.CompletedFrameworks = append(s.CompletedFrameworks, m.viewFramework(f))
	}
	return s
}

func (m *Master) viewAgent(a *agent) Agent {
	return Agent{
		ID: a.id, Hostname: a.hostname, Address: a.pid, Version: a.version,
		Active: a.session != 0 && !a.deactivated, Connected: a.session != 0, Deactivated: a.deactivated,
		Drain: a.drain, DrainSince: a.drainSince, Capabilities: a.capabilities, Registered: a.registered, Reregistered: a.reregistered,
		Total: a.total, Used: a.used, Offered: a.offered,
		machine: a.machine(), answers: a.answers,
		info: a.info, tasks: a.tasks, executors: slices.Clone(a.executors),
	}
}

func (m *Master) viewFramework(f *framework) Framework {
	view := Framework{
		ID: f.id, Info: f.info, Active: f.stream != "", Connected: f.stream != "", Recovered: f.recovered,
		Registered: f.registered, Reregistered: f.reregistered, Unregistered: f.unregistered,
		Roles: f.roles, SuppressedRoles: f.suppressed, OfferConstraints: f.constraints,
		handle: f.handle, used: f.used, active: f.active, unreachable: f.unreachable, ended: f.ended, count: f.count,
	}
	for _, o := range f.inOrder() {
		view.Offers = append(view.Offers, Offer{m.offerID(o.number), o.agent.id, o.agent.hostname, o.role, o.resources})
		view.Offered = view.Offered.Add(o.resources)
	}
	for _, o := range f.inverse {
		view.inverse = append(view.inverse, o.message)
	}
	return view
}

// Info is the AgentInfo of an agent, made anew with each call.
func (a *Agent) Info() *mesospb.AgentInfo { return unmarshal(a.info, &mesospb.AgentInfo{}) }

// message is an agent as operators see it.
func (a *Agent) message() *masterpb.Response_GetAgents_Agent {
	out := &masterpb.Response_GetAgents_Agent{
		AgentInfo: a.Info(), Active: new(a.Active), Version: new(a.Version), Pid: new("slave(1)@" + a.Address),
		RegisteredTime: timeInfo(a.Registered),
		TotalResources: a.Total.Proto(resources.Endpoint), AllocatedResources: a.Used.Proto(resources.Endpoint),
		OfferedResources: a.Offered.Proto(resources.Endpoint), Deactivated: new(a.Deactivated),
		DrainInfo: a.Drain,
	}
	if !a.DrainSince.IsZero() {
		out.EstimatedDrainStartTime = timeInfo(a.DrainSince)
	}
	if !a.Reregistered.IsZero() {
		out.ReregisteredTime = timeInfo(a.Reregistered)
	}
	for _, c := range a.Capabilities {
		out.Capabilities = append(out.Capabilities, &mesospb.AgentInfo_Capability{Type: c.Enum()})
	}
	return out
}

// rows yields the tasks of a chain, oldest first.
func (s *Snapshot) rows(c chain, by func(*task) *links) iter.Seq[*task] {
	return func(yield func(*task) bool) {
		for row := c.first; row != 0; {
			t := rowAt(s.tasks, row)
			if !yield(t) {
				return
			}
			row = by(t).next
		}
	}
}

func (s *Snapshot) info(t *task) []byte { return record(s.bytes, t.info)[t.idLength:] }

func (s *Snapshot) messages(f *Framework, c chain) iter.Seq[*mesospb.Task] {
	return func(yield func(*mesospb.Task) bool) {
		for t := range s.rows(c, byFramework) {
			if !yield(taskMessage(t, f.ID, unmarshal(s.info(t), &mesospb.TaskInfo{}), record(s.bytes, t.history))) {
				return
			}
		}
	}
}

// ActiveTasks yields the tasks of a framework that are not over, or whose end is
// not acknowledged yet, oldest first. Each message is made when it is yielded.
func (s *Snapshot) ActiveTasks(f *Framework) iter.Seq[*mesospb.Task] { return s.messages(f, f.active) }

// UnreachableTasks yields the tasks of a framework whose agents are unreachable.
func (s *Snapshot) UnreachableTasks(f *Framework) iter.Seq[*mesospb.Task] {
	return s.messages(f, f.unreachable)
}

// CompletedTasks yields the tasks of a framework that are over, those remembered, oldest first.
func (s *Snapshot) CompletedTasks(f *Framework) iter.Seq[*mesospb.Task] {
	return s.messages(f, f.ended)
}

// TaskCounts counts the tasks of a framework by state, completed and unreachable ones included.
func (s *Snapshot) TaskCounts(f *Framework) map[mesospb.TaskState]int {
	counts := map[mesospb.TaskState]int{}
	for _, c := range []chain{f.active, f.unreachable, f.ended} {
		for t := range s.rows(c, byFramework) {
			counts[t.current()]++
		}
	}
	return counts
}

// AgentsOf lists the agents that a framework's tasks are or were on, each once.
func (s *Snapshot) AgentsOf(f *Framework) []mesos.AgentID {
	found := map[mesos.AgentID]bool{}
	for _, c := range []chain{f.active, f.unreachable, f.ended} {
		for t := range s.rows(c, byFramework) {
			found[agentIDOf(s.info(t))] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Used is what the active tasks and executors of a framework use, over all agents.
func (s *Snapshot) Used(f *Framework) resources.Resources {
	used := f.used
	for t := range s.rows(f.active, byFramework) {
		if t.is(holds) && t.is(ranged) {
			used = used.Add(resourcesOf(s.info(t)).Filter(func(r resources.Resource) bool { return r.Kind != resources.KindScalar }))
		}
	}
	return used
}

// An Executor is one that a framework brought itself, as a snapshot shows it.
type Executor struct {
	Framework mesos.FrameworkID
	Agent     mesos.AgentID
	Info      *mesospb.ExecutorInfo
	Used      resources.Resources
}

// Executors yields those of all frameworks.
func (s *Snapshot) Executors() iter.Seq[Executor] {
	ids := map[uint32]mesos.FrameworkID{}
	for _, f := range s.Frameworks {
		ids[f.handle] = f.ID
	}
	return func(yield func(Executor) bool) {
		for _, a := range s.Agents {
			for _, x := range a.executors {
				if !yield(Executor{ids[x.framework], a.ID, unmarshal(x.info, &mesospb.ExecutorInfo{}), x.used}) {
					return
				}
			}
		}
	}
}
