package allocator

import (
	"cmp"
	"slices"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// Explainer is a policy that can say of many agents at once why they are not offered. It is optional.
type Explainer interface {
	// ExplainAll answers a question in groups: one for each framework, role and reason, however many agents there are.
	// It looks at Question.Pairs pairs of a framework's role and an agent at most, so that its time is bounded; the
	// answer says where to go on.
	ExplainAll(now time.Time, q Question) Explanation
}

// Question is what ExplainAll is asked about; an empty field stands for all there are.
type Question struct {
	Framework mesos.FrameworkID
	Role      string // and those below it
	Agent     mesos.AgentID
	// From is where to begin: zero, or Explanation.Next of the same question.
	From Cursor
	// Pairs is how many pairs are looked at; zero means DefaultPairs.
	Pairs int
	// Insight knows more than a policy does; nil: nothing more is known.
	Insight Insight
}

// DefaultPairs is how many pairs a Question looks at unless it says so: a few milliseconds' work.
const DefaultPairs = 1 << 13

// Cursor is a place in the answers to a question. It stays meaningful while agents and frameworks come and go, although
// those that take a place that was passed already are missed.
type Cursor struct{ Client, Agent int }

// Insight is what the caller of ExplainAll knows and policies do not.
type Insight interface {
	// Inactive names why an agent is inactive.
	Inactive(mesos.AgentID) ReasonName
	// Offered reports whether something of what a framework holds in a role on an agent is in an offer.
	Offered(mesos.FrameworkID, string, mesos.AgentID) bool
}

// Explanation answers a Question.
type Explanation struct {
	Groups []Group // sorted by framework, role and, where most agents are first, by number
	Pairs  int     // looked at
	Next   Cursor  // where to go on; zero if all has been said
}

// Merge adds the answer to the next part of a question.
func (e Explanation) Merge(next Explanation) Explanation {
	type key struct {
		framework    mesos.FrameworkID
		role, reason string
	}
	at := make(map[key]int, len(e.Groups)+len(next.Groups))
	out := Explanation{Pairs: e.Pairs + next.Pairs, Next: next.Next}
	for _, g := range slices.Concat(e.Groups, next.Groups) {
		k := key{g.Framework, g.Role, string(g.Reason)}
		if i, ok := at[k]; ok {
			out.Groups[i] = out.Groups[i].merge(g)
			continue
		}
		at[k] = len(out.Groups)
		out.Groups = append(out.Groups, g)
	}
	out.sort()
	return out
}

func (e Explanation) sort() {
	slices.SortFunc(e.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.Framework, b.Framework), cmp.Compare(a.Role, b.Role),
			cmp.Compare(b.Agents, a.Agents), cmp.Compare(a.Reason, b.Reason))
	})
}

// MaxExamples and MaxHolders are how many a Group names.
const (
	MaxExamples = 3
	MaxHolders  = 5
)

// Group is the agents that are kept from a framework in a role by one reason. An agent is in several groups if there
// are several reasons.
type Group struct {
	Framework mesos.FrameworkID
	Role      string
	Reason    ReasonName
	Agents    int
	Examples  []mesos.AgentID // a few of them, those with the smallest ids
	// First and Last are when the reason ends by itself for the first and the last of the agents; zero if for none.
	First, Last time.Time
	// Holders are who has it, for HeldByOthers and OfferedToOthers; most agents first, and only a few.
	Holders []Holder
}

// merge adds a group of the same name; who holds most of many parts is known as well as the parts tell.
func (g Group) merge(o Group) Group {
	g.Agents += o.Agents
	g.Examples = slices.Sorted(slices.Values(slices.Concat(g.Examples, o.Examples)))
	g.Examples = slices.Compact(g.Examples)
	g.Examples = g.Examples[:min(len(g.Examples), MaxExamples)]
	if g.First.IsZero() || !o.First.IsZero() && o.First.Before(g.First) {
		g.First = o.First
	}
	if o.Last.After(g.Last) {
		g.Last = o.Last
	}
	g.Holders = mergeHolders(g.Holders, o.Holders)
	return g
}

func mergeHolders(a, b []Holder) []Holder {
	var out []Holder
	for _, x := range slices.Concat(a, b) {
		i := slices.IndexFunc(out, func(y Holder) bool { return x.Framework == y.Framework && x.Role == y.Role })
		if i < 0 {
			out = append(out, x)
			continue
		}
		out[i].Agents += x.Agents
	}
	slices.SortStableFunc(out, func(x, y Holder) int { return cmp.Compare(y.Agents, x.Agents) })
	return out[:min(len(out), MaxHolders)]
}

// Holder is a framework that holds, or is offered, all that others could have of some agents.
type Holder struct {
	Framework mesos.FrameworkID
	Role      string
	Agents    int
}

// Overseer is a policy that can describe the cluster as quota sees it. It is optional.
type Overseer interface {
	// Headroom sums up what quota is about.
	Headroom() Headroom
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
