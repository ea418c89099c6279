// Package allocator says what an allocation policy is: who gets to see which free resources next. It owns the
// interface and the plain values it speaks of. Policies live in packages of their own (hierarchical is the one that
// comes with Souk) and main hands the master a table of them; nothing registers itself.
//
// A policy knows quantities, roles and filters. It does not know offers, tasks, messages or clocks.
package allocator

import (
	"math/rand/v2"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// Policies are the policies a master can be told to use, by the name its --allocator flag takes.
type Policies map[string]New

// New makes an empty allocator.
type New func(Config) Allocator

// Config is what every policy is told at its making.
type Config struct {
	// Interval is the shortest time a declined resource stays away from who declined it, and the rhythm in which
	// resources held back for quota are looked at again. Default: 1s.
	Interval time.Duration
	// Window is how long news may gather before it is acted on, so that a burst costs one run. Default: 1ms.
	Window time.Duration
	// Minimum is what an allocation must contain to be worth an offer: at least one of the entries. No entries: it
	// must not be empty. See DefaultMinimum.
	Minimum []resources.Quantities
	// NotShared are names of scalars that do not count for fair shares.
	NotShared []string
	// KeepGPUs keeps agents that have gpus for frameworks that can use them.
	KeepGPUs bool
	// Region is the master's own; agents of other regions go only to frameworks that are aware of regions.
	Region string
	// Offering is how what is free of an agent becomes offers. Policies need not know more than Coarse.
	Offering Offering
	// Rivals is how many frameworks may see the same resources at a time; see Optimist. 0: each sees them alone.
	Rivals int
	// Rand orders agents. The caller seeds it; the same seed and calls give the same allocations.
	Rand *rand.Rand
}

// DefaultMinimum is Mesos' --min_allocatable_resources: cpus:0.01|mem:32.
func DefaultMinimum() []resources.Quantities {
	return []resources.Quantities{
		resources.QuantitiesOf(resources.Quantity{Name: "cpus", Amount: 10}),
		resources.QuantitiesOf(resources.Quantity{Name: "mem", Amount: resources.Whole(32)}),
	}
}

// Allocator decides who gets to see which resources next.
//
// # Calls
//
// One goroutine makes all calls, one after another; no call blocks, and none may be made from within another. Nothing
// but the arguments decides: no clock, no chance but Config.Rand, no order of maps. now never goes backwards. Slices
// and maps passed in belong to the allocator afterwards; those returned belong to the caller.
//
// # What is whose
//
// The resources of an agent are free or held. Allocate turns free ones into held ones, and that is all the allocator
// needs to know: whether they are in an offer or in a task makes no difference to it. They are held until Recover or
// Decline gives them back, or their agent is removed. So the caller calls nothing when an offer is accepted, except
// Decline for what the tasks leave over.
//
// Held resources carry the role they are allocated to (resources.Resource.Allocation) wherever they appear here. The
// total of an agent carries none. A shared resource is free however many hold it.
//
// # Who is known
//
// Recover, Decline, Suppress and the like about an agent or framework that is not there do nothing: it went away in
// the meantime. Adding an agent or framework that is there, and giving back what was never held, are broken
// invariants of the caller, and panic.
//
// A framework may hold resources before AddFramework (its tasks came back with their agent, its scheduler did not
// yet) and after RemoveFramework (until its tasks are gone): they stay charged to agent and role.
type Allocator interface {
	// AddAgent brings an agent, active, with what is held on it already.
	AddAgent(now time.Time, a Agent, held []Holding)
	// UpdateAgent replaces total, attributes, capabilities and so on. Other attributes forget the filters of the agent.
	// A total smaller than what is held is allowed: nothing is free until enough has come back.
	UpdateAgent(now time.Time, a Agent)
	// RemoveAgent forgets an agent and everything held there.
	RemoveAgent(now time.Time, id mesos.AgentID)
	// SetAgentActive: an inactive agent (disconnected, draining, deactivated) keeps what is held; nothing is added.
	SetAgentActive(now time.Time, id mesos.AgentID, active bool)

	// AddFramework brings a framework. An inactive one gets nothing.
	AddFramework(now time.Time, f Framework, active bool)
	// UpdateFramework replaces roles, suppression, capabilities and so on. Roles that are no longer suppressed are
	// revived.
	UpdateFramework(now time.Time, f Framework)
	// RemoveFramework ends a framework's claims; what it holds stays held until it is given back.
	RemoveFramework(now time.Time, id mesos.FrameworkID)
	// SetFrameworkActive: an inactive framework (disconnected) gets nothing, and its filters are forgotten.
	SetFrameworkActive(now time.Time, id mesos.FrameworkID, active bool)
	// Suppress stops allocations for roles of a framework; no roles means all it has.
	Suppress(now time.Time, id mesos.FrameworkID, roles ...string)
	// Revive takes back Suppress and forgets all filters of these roles; no roles means all it has.
	Revive(now time.Time, id mesos.FrameworkID, roles ...string)

	// SetWeights sets the weights of roles, each among its siblings; they are above zero, and 1 unless set.
	SetWeights(now time.Time, weights ...Weight)
	// SetQuota replaces the quota of a top-level role; the zero Quota removes it. Its guarantee and its limit count for
	// all roles below it together.
	SetQuota(now time.Time, role string, q Quota)

	// Hold charges resources that a framework turned out to hold, without asking whether they were free.
	Hold(now time.Time, h Holding, agent mesos.AgentID)
	// Recover gives back what a framework held: a task ended, an offer was rescinded, an operation left something.
	// It may be allocated to anybody at once.
	Recover(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, r resources.Resources)
	// Decline gives back what a framework did not want. No allocation of the framework, role and agent within r is
	// made for the given time, and at least for Config.Interval; zero means that only the next turn of Interval is
	// waited for, so that a framework that declines everything leaves room for others.
	Decline(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, r resources.Resources, refuse time.Duration)
	// Convert changes what resources are (reserved, a volume) and leaves them where they are: held by the framework,
	// or free if id is "". Both lists are allocated alike. It reports false and does nothing if from is not there.
	Convert(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, from, to resources.Resources) bool

	// Allocate gives out what can be given, and returns it: at most one Allocation for a framework, role and agent.
	Allocate(now time.Time) []Allocation
	// Deadline is when Allocate next has something to look at if nothing else happens. Calling Allocate before is
	// harmless.
	Deadline() (at time.Time, ok bool)

	// Explain lists what keeps resources of an agent from a framework in a role: none means that it is only others
	// being served first. It is empty, too, for the resources a framework holds already.
	Explain(now time.Time, id mesos.FrameworkID, role string, agent mesos.AgentID) []Reason
	// Roles describes all roles that have frameworks, quota, reservations or resources, sorted by name.
	Roles() []Role
}

// Agent is what the allocator knows about an agent.
type Agent struct {
	ID           mesos.AgentID
	Hostname     string
	Region, Zone string // "" if it has no domain
	Attributes   []Attribute
	Capabilities AgentCapabilities
	Total        resources.Resources
}

// AgentCapabilities limit what may be allocated on an agent (mesos-api 8.5).
type AgentCapabilities struct {
	MultiRole, HierarchicalRole, ReservationRefinement bool
}

// Attribute is an attribute of an agent as constraints see it.
type Attribute struct {
	Name string
	Text string
	Kind AttributeKind
}

// AttributeKind tells texts from all others.
type AttributeKind uint8

// Only texts are compared.
const (
	TextAttribute AttributeKind = iota
	OtherAttribute
)

// Framework is what the allocator knows about a framework.
type Framework struct {
	ID           mesos.FrameworkID
	Roles        []string
	Suppressed   []string // those of Roles that want nothing at present
	Capabilities FrameworkCapabilities
	// Minimum replaces Config.Minimum for single roles.
	Minimum map[string][]resources.Quantities
	// Constraints keep agents away from single roles.
	Constraints map[string]Constraints
}

// FrameworkCapabilities are those that decide what a framework may be allocated (mesos-api 8.5).
type FrameworkCapabilities struct {
	Revocable, GPU, Shared, MultiRole, ReservationRefinement, RegionAware bool
}

// Holding is what a framework holds on some agent, for the roles that the resources are allocated to.
type Holding struct {
	Framework mesos.FrameworkID
	Resources resources.Resources
}

// Allocation is what became of free resources; they carry Role as their allocation.
type Allocation struct {
	Framework mesos.FrameworkID
	Role      string
	Agent     mesos.AgentID
	Resources resources.Resources
}

// Weight is the weight of a role among its siblings.
type Weight struct {
	Role  string
	Value float64
}

// Quota is what a role is guaranteed, and what it may not go beyond.
type Quota struct {
	Guarantees resources.Quantities
	Limits     resources.Limits
}

// Role describes a role and those below it.
type Role struct {
	Name       string
	Weight     float64
	Share      float64 // dominant share, not divided by the weight
	Frameworks int     // subscribed to exactly this role
	Held       resources.Quantities
	Consumed   resources.Quantities // what counts against quota; for top-level roles only
	Quota      Quota
}
