package allocator

import (
	"time"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// Explainer is a policy that can say of many agents at once why they are not offered. It is optional.
type Explainer interface {
	// ExplainAll answers a question in groups: one for each framework, role and reason, however many agents there are.
	ExplainAll(now time.Time, q Question) Explanation
}

// Question is what ExplainAll is asked about; an empty field stands for all there are.
type Question struct {
	Framework mesos.FrameworkID
	Role      string
	Agent     mesos.AgentID
}

// Explanation answers a Question.
type Explanation struct {
	Groups []Group // sorted by framework, role and, where most agents are first, by number
	// Skipped counts pairs of a client and an agent that were not looked at because the question is about too many.
	Skipped int
}

// Group is the agents that are kept from a framework in a role by one reason. An agent is in several groups if there
// are several reasons.
type Group struct {
	Framework mesos.FrameworkID
	Role      string
	Reason    ReasonName
	Agents    int
	Examples  []mesos.AgentID // a few of them, as they come
	// First and Last are when the reason ends by itself for the first and the last of the agents; zero if for none.
	First, Last time.Time
	Holders     []Holder // of what is held, for HeldByOthers; most agents first, and only a few
}

// Holder is a framework that holds, or is offered, all that others could have of some agents.
type Holder struct {
	Framework mesos.FrameworkID
	Role      string
	Agents    int
}

// Overseer is a policy that can describe the cluster as quota and operators see it. It is optional.
type Overseer interface {
	// Headroom sums up what quota is about.
	Headroom() Headroom
	// Empty lists agents on which nothing is held, longest empty first.
	Empty() []EmptyAgent
}

// Headroom is what is there, and what is promised of it. Only unreserved scalars that are not revocable count.
type Headroom struct {
	Capacity   resources.Quantities // of all agents, without what is revocable
	Guarantees resources.Quantities // of all roles together
	Overcommit resources.Quantities // what Guarantees exceed Capacity by
	Free       resources.Quantities // on active agents
	Required   resources.Quantities // must stay free for guarantees that are not covered
	Short      resources.Quantities // what Required exceeds Free by: guarantees that cannot be met at present
	Owed       []Debt               // roles whose guarantee is not covered, sorted by name
}

// Debt is what a role is guaranteed and does not consume.
type Debt struct {
	Role string
	Owed resources.Quantities
}

// EmptyAgent is an agent on which nothing is held.
type EmptyAgent struct {
	ID mesos.AgentID
	// Since is when it was last used: what is offered and declined as a whole does not count as use.
	Since time.Time
}
