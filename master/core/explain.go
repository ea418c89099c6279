package core

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
)

// ErrNotExplained says that a policy has no explanations.
var ErrNotExplained = errors.New("the allocator's policy cannot explain itself: it does not implement allocator.Explainer")

// Unknown says which name of a question nothing, or more than one thing, has.
type Unknown string

func (u Unknown) Error() string { return string(u) }

// An Explanation is an allocator's, with names.
type Explanation struct {
	allocator.Explanation
	Names     map[mesos.FrameworkID]string // of the frameworks in it
	Hostnames map[mesos.AgentID]string     // of the examples in it
}

// Explain says why agents are or are not offered. A framework may be named by its
// id, or by its name if no other has that; an agent by its id or its host name.
// The error is ErrNotExplained or an Unknown. It is
// called between two steps and looks at q.Pairs pairs at most.
func (m *Master) Explain(q allocator.Question) (Explanation, error) {
	policy, ok := m.cfg.Allocator.(allocator.Explainer)
	if !ok {
		return Explanation{}, ErrNotExplained
	}
	if err := m.resolve(&q); err != nil {
		return Explanation{}, err
	}
	q.Insight = insight{m}
	out := Explanation{policy.ExplainAll(m.now, q), map[mesos.FrameworkID]string{}, map[mesos.AgentID]string{}}
	for _, g := range out.Groups {
		m.name(out.Names, g.Framework)
		for _, x := range g.Holders {
			m.name(out.Names, x.Framework)
		}
		for _, id := range g.Examples {
			if a := m.agents[id]; a != nil {
				out.Hostnames[id] = a.hostname
			}
		}
	}
	return out, nil
}

func (m *Master) name(names map[mesos.FrameworkID]string, id mesos.FrameworkID) {
	if f := m.frameworks[id]; f != nil {
		names[id] = f.info.GetName()
	}
}

// resolve finds the ids of what a question names.
func (m *Master) resolve(q *allocator.Question) error {
	if q.Framework != "" {
		f, err := m.frameworkNamed(string(q.Framework))
		if err != nil {
			return err
		}
		q.Framework = f.id
	}
	if q.Agent != "" {
		a, err := m.agentNamed(string(q.Agent))
		if err != nil {
			return err
		}
		q.Agent = a.id
	}
	if q.Role != "" && !m.hasRole(q.Role) {
		return Unknown(fmt.Sprintf("there is no role %q: no framework has it or one below it, and it has neither quota nor weight", q.Role))
	}
	return nil
}

// hasRole tells a role that somebody has, or that an operator has named.
func (m *Master) hasRole(name string) bool {
	for _, f := range m.order {
		for _, role := range f.roles {
			if role == name || strings.HasPrefix(role, name+"/") {
				return true
			}
		}
	}
	return slices.ContainsFunc(m.weights, func(w Weight) bool { return w.Role == name }) ||
		slices.ContainsFunc(m.quotas.inOrder(), func(q Quota) bool { return q.Role == name })
}

func (m *Master) frameworkNamed(name string) (*framework, error) {
	if f := m.frameworks[mesos.FrameworkID(name)]; f != nil && !f.completed {
		return f, nil
	}
	var found *framework
	for _, f := range m.order {
		if f.info.GetName() == name {
			if found != nil {
				return nil, Unknown(fmt.Sprintf("several frameworks are named %q: give the id of one, such as %s", name, f.id))
			}
			found = f
		}
	}
	if found == nil {
		return nil, Unknown(fmt.Sprintf("there is no framework %q: give the id or name of one that is registered", name))
	}
	return found, nil
}

func (m *Master) agentNamed(name string) (*agent, error) {
	if a := m.agents[mesos.AgentID(name)]; a != nil && !a.recovered {
		return a, nil
	}
	var found *agent
	for _, a := range m.agentOf {
		if a != nil && !a.recovered && a.hostname == name {
			if found != nil {
				return nil, Unknown(fmt.Sprintf("several agents have the host name %q: give the id of one, such as %s", name, a.id))
			}
			found = a
		}
	}
	if found == nil {
		return nil, Unknown(fmt.Sprintf("there is no agent %q: give the id or host name of one that is registered", name))
	}
	return found, nil
}

// insight is what the master knows and the allocator does not.
type insight struct{ *Master }

// Inactive is part of allocator.Insight.
func (m insight) Inactive(id mesos.AgentID) allocator.ReasonName {
	switch a := m.agents[id]; {
	case a == nil || a.session == 0:
		return allocator.AgentDisconnected
	case a.drain != nil:
		return allocator.AgentDraining
	case a.deactivated:
		return allocator.AgentDeactivated
	case !m.cfg.Whitelist.lists(a.hostname):
		return allocator.AgentNotListed
	}
	return allocator.AgentInactive
}

// Offered is part of allocator.Insight.
func (m insight) Offered(f mesos.FrameworkID, role string, id mesos.AgentID) bool {
	if a := m.agents[id]; a != nil {
		for _, o := range a.offers {
			if o.framework.id == f && o.role == role {
				return true
			}
		}
	}
	return false
}

// Overview is how the cluster stands. What a policy does not know is left out.
type Overview struct {
	Headroom   allocator.Headroom
	Preempting Preempting
	Empty      int          // agents that were asked for
	Agents     []EmptyAgent // the longest empty of them, longest first
}

// An EmptyAgent is one that nobody uses, though it may be on offer.
type EmptyAgent struct {
	ID       mesos.AgentID
	Hostname string
	Since    time.Time // as far as this master knows: not before the agent came to it
}

// Overview counts the agents that have been empty for some time, and lists at
// most limit of them. It is called between two steps.
func (m *Master) Overview(emptyFor time.Duration, limit int) Overview {
	out := Overview{Preempting: m.preempting()}
	if policy, ok := m.cfg.Allocator.(allocator.Overseer); ok {
		out.Headroom = policy.Headroom()
	}
	for _, a := range m.agentOf {
		if a == nil || a.recovered || !a.used.IsEmpty() || m.now.Sub(a.emptySince) < emptyFor {
			continue
		}
		out.Empty++
		e := EmptyAgent{a.id, a.hostname, a.emptySince}
		// Cheaper than sorting all: most come after the few that are kept.
		if at, _ := slices.BinarySearchFunc(out.Agents, e, longestFirst); at < limit {
			out.Agents = slices.Insert(out.Agents, at, e)
			out.Agents = out.Agents[:min(len(out.Agents), limit)]
		}
	}
	return out
}

func longestFirst(a, b EmptyAgent) int {
	return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
}
