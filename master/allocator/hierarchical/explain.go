package hierarchical

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// Explain is part of allocator.Allocator.
func (h *Allocator) Explain(now time.Time, id mesos.FrameworkID, role string, agent mesos.AgentID) []allocator.Reason {
	a, there := h.agentIDs[agent]
	if !there {
		return because(allocator.UnknownAgent)
	}
	f, known := h.names[id]
	if !known || !h.frameworks.at(f).known {
		return because(allocator.UnknownFramework)
	}
	at, ok := h.clientAt(f, role)
	if !ok || !h.clients.at(h.frameworks.at(f).clients[at]).subscribed {
		return because(allocator.NotSubscribed)
	}
	c := h.frameworks.at(f).clients[at]
	return h.why(now, a, c)
}

// why lists what keeps an agent from a client.
func (h *Allocator) why(now time.Time, a, c int32) []allocator.Reason {
	return append(append(h.explainState(a, c), h.explainShown(a, c)...), h.explainPortion(now, a, c)...)
}

func because(name allocator.ReasonName) []allocator.Reason {
	return []allocator.Reason{{Name: name}}
}

// explainState lists what keeps a client away from an agent whatever is free there.
func (h *Allocator) explainState(a, c int32) []allocator.Reason {
	var out []allocator.Reason
	x := h.clients.at(c)
	if !h.agents.at(a).active {
		out = append(out, allocator.Reason{Name: allocator.AgentInactive})
	}
	if !h.frameworks.at(x.framework).active {
		out = append(out, allocator.Reason{Name: allocator.FrameworkInactive})
	}
	if x.suppressed {
		out = append(out, allocator.Reason{Name: allocator.RoleSuppressed})
	}
	if name := h.barrier(a, c); name != "" {
		out = append(out, allocator.Reason{Name: name})
	}
	return out
}

// explainPortion lists what is wrong with what the client could have.
func (h *Allocator) explainPortion(now time.Time, a, c int32) []allocator.Reason {
	part, cut := h.portion(a, c, false)
	var out []allocator.Reason
	if cut {
		out = append(out, allocator.Reason{Name: h.cutBy(a, c)})
	}
	part = h.shapes.plus(part, h.sharedFor(a, c, part))
	switch until, refused := h.refused(now, a, c, part); {
	case part.empty() && cut:
	case part.empty():
		out = append(out, allocator.Reason{Name: allocator.NothingFree})
	case !h.enough(c, part):
		out = append(out, allocator.Reason{Name: allocator.BelowMinimum})
	case refused:
		out = append(out, allocator.Reason{Name: allocator.Declined, Until: until})
	}
	return out
}

// cutBy tells a limit from headroom.
func (h *Allocator) cutBy(a, c int32) allocator.ReasonName {
	top := h.roles.at(h.roles.at(h.clients.at(c).role).top)
	if !top.fits(&h.usable(c, h.agents.at(a).free).counted) {
		return allocator.QuotaLimit
	}
	return allocator.QuotaHeadroom
}

// explanation is an Explanation in the making.
type explanation struct {
	*Allocator
	now     time.Time
	insight allocator.Insight
	groups  map[groupKey]*group
}

type groupKey struct {
	client int32
	reason allocator.ReasonName
}

type group struct {
	allocator.Group
	holders map[int32]int // agents by client
}

// ExplainAll is part of allocator.Explainer.
func (h *Allocator) ExplainAll(now time.Time, q allocator.Question) allocator.Explanation {
	e := &explanation{Allocator: h, now: now, insight: q.Insight, groups: map[groupKey]*group{}}
	most, pairs := q.Pairs, 0
	if most <= 0 {
		most = allocator.DefaultPairs
	}
	first, end := h.rowsAsked(q.Agent)
	from := max(first, q.From.Agent)
	for c := q.From.Client; c < len(h.clients.rows); c++ {
		for a := from; a < end && h.isAsked(c, &q); a++ {
			switch {
			case h.agents.rows[a].spec.ID == "":
			case pairs == most:
				return e.finish(pairs, allocator.Cursor{Client: c, Agent: a})
			default:
				pairs++
				e.pair(int32(a), int32(c))
			}
		}
		from = first
	}
	return e.finish(pairs, allocator.Cursor{})
}

// rowsAsked is the rows of the agents that a question is about.
func (h *Allocator) rowsAsked(id mesos.AgentID) (first, end int) {
	if id == "" {
		return 0, len(h.agents.rows)
	}
	a, ok := h.agentIDs[id]
	if !ok {
		return 0, 0
	}
	return int(a), int(a) + 1
}

// isAsked reports whether a question is about a client.
func (h *Allocator) isAsked(c int, q *allocator.Question) bool {
	x := &h.clients.rows[c]
	return x.subscribed && (q.Role == "" || q.Role == x.name || strings.HasPrefix(x.name, q.Role+"/")) &&
		(q.Framework == "" || q.Framework == h.frameworks.at(x.framework).spec.ID)
}

// pair finds the reasons of one agent and client.
func (e *explanation) pair(a, c int32) {
	reasons := e.why(e.now, a, c)
	switch {
	case e.offered(a, c):
		reasons = besideOffer(reasons)
	case len(reasons) == 0:
		reasons = because(allocator.OthersFirst)
	}
	for _, r := range reasons {
		switch {
		case r.Name == allocator.NothingFree:
			r.Name = e.whyNothing(a, c)
		case r.Name == allocator.AgentInactive && e.insight != nil:
			r.Name = e.insight.Inactive(e.agents.at(a).spec.ID)
		}
		e.count(a, c, r)
	}
}

// besideOffer says first that the client has an offer of the agent to answer; what else there is, is about the rest of the
// agent, and that nothing is left is due to the offer.
func besideOffer(reasons []allocator.Reason) []allocator.Reason {
	out := because(allocator.OfferedToItself)
	for _, r := range reasons {
		if r.Name != allocator.NothingFree && r.Name != allocator.OfferedToItself {
			out = append(out, r)
		}
	}
	return out
}

// whyNothing says what NothingFree is due to, for a client without an offer of the agent.
func (e *explanation) whyNothing(a, c int32) allocator.ReasonName {
	x := e.agents.at(a)
	switch {
	case x.free.empty() && len(x.holdings) == 1 && x.holdings[0].client == c:
		return allocator.HeldByItself
	case x.free.empty():
		for _, held := range x.holdings {
			if e.offered(a, held.client) {
				return allocator.OfferedToOthers
			}
		}
		return allocator.HeldByOthers
	}
	name := e.clients.at(c).name
	if pick(x.free.list, func(r *resources.Resource) bool { return r.AllocatableTo(name) }).IsEmpty() {
		return allocator.ReservedForOthers
	}
	return allocator.NotCapable
}

// offered reports whether something a client holds of an agent is in an offer, as far as that is known.
func (e *explanation) offered(a, c int32) bool {
	x := e.clients.at(c)
	return e.insight != nil && e.insight.Offered(e.frameworks.at(x.framework).spec.ID, x.name, e.agents.at(a).spec.ID)
}

// count adds an agent to its group.
func (e *explanation) count(a, c int32, r allocator.Reason) {
	key := groupKey{c, r.Name}
	g := e.groups[key]
	if g == nil {
		x := e.clients.at(c)
		g = &group{holders: map[int32]int{}}
		g.Framework, g.Role, g.Reason = e.frameworks.at(x.framework).spec.ID, x.name, r.Name
		e.groups[key] = g
	}
	g.add(e.agents.at(a).spec.ID, r.Until)
	for _, held := range e.agents.at(a).holdings {
		if r.Name == allocator.HeldByOthers || r.Name == allocator.OfferedToOthers && e.offered(a, held.client) {
			g.holders[held.client]++
		}
	}
	if r.Name == allocator.OfferedToOthers {
		for _, s := range e.agents.at(a).shown {
			g.holders[s.client]++
		}
	}
}

// add counts an agent; the examples are those with the smallest ids, so that they do not depend on history.
func (g *group) add(id mesos.AgentID, until time.Time) {
	g.Agents++
	if at, _ := slices.BinarySearch(g.Examples, id); at < allocator.MaxExamples {
		g.Examples = slices.Insert(g.Examples, at, id)
		g.Examples = g.Examples[:min(len(g.Examples), allocator.MaxExamples)]
	}
	if until.IsZero() {
		return
	}
	if g.First.IsZero() || until.Before(g.First) {
		g.First = until
	}
	if until.After(g.Last) {
		g.Last = until
	}
}

// finish puts everything in order.
func (e *explanation) finish(pairs int, next allocator.Cursor) allocator.Explanation {
	out := allocator.Explanation{}
	for _, g := range e.groups {
		g.Holders = e.holders(g.holders)
		out.Groups = append(out.Groups, g.Group)
	}
	return out.Merge(allocator.Explanation{Pairs: pairs, Next: next})
}

func (e *explanation) holders(agents map[int32]int) []allocator.Holder {
	list := slices.SortedFunc(maps.Keys(agents), func(c, d int32) int {
		return cmp.Or(cmp.Compare(agents[d], agents[c]), e.byName(c, d))
	})
	var out []allocator.Holder
	for _, c := range list[:min(len(list), allocator.MaxHolders)] {
		x := e.clients.at(c)
		out = append(out, allocator.Holder{Framework: e.frameworks.at(x.framework).spec.ID, Role: x.name, Agents: agents[c]})
	}
	return out
}

func (h *Allocator) byName(c, d int32) int {
	x, y := h.clients.at(c), h.clients.at(d)
	return cmp.Or(cmp.Compare(h.frameworks.at(x.framework).spec.ID, h.frameworks.at(y.framework).spec.ID),
		cmp.Compare(x.name, y.name))
}
