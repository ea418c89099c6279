package hierarchical

import (
	"cmp"
	"maps"
	"slices"
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
	return append(h.explainState(a, c), h.explainPortion(now, a, c)...)
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

// Bounds of ExplainAll: a question may be about every framework and every agent.
const (
	maxPairs    = 1 << 18
	maxExamples = 3
	maxHolders  = 5
)

// explanation is an Explanation in the making.
type explanation struct {
	*Allocator
	now    time.Time
	pairs  int
	groups map[groupKey]*group
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
	e := &explanation{Allocator: h, now: now, groups: map[groupKey]*group{}}
	agents := h.asked(q.Agent)
	clients := h.askedClients(q)
	for _, c := range clients {
		for _, a := range agents {
			if e.pairs++; e.pairs <= maxPairs {
				e.pair(a, c)
			}
		}
	}
	out := e.finish()
	out.Skipped = max(e.pairs-maxPairs, 0)
	return out
}

// asked lists the agents of a question in the order of their ids, so that examples do not depend on history.
func (h *Allocator) asked(id mesos.AgentID) []int32 {
	var list []int32
	for a := range h.agents.rows {
		if x := h.agents.rows[a].spec.ID; x != "" && (id == "" || id == x) {
			list = append(list, int32(a))
		}
	}
	slices.SortFunc(list, func(a, b int32) int { return cmp.Compare(h.agents.at(a).spec.ID, h.agents.at(b).spec.ID) })
	return list
}

// askedClients lists the subscribed clients of a question, sorted by framework and role.
func (h *Allocator) askedClients(q allocator.Question) []int32 {
	var list []int32
	for c := range h.clients.rows {
		x := h.clients.at(int32(c))
		if x.subscribed && (q.Role == "" || q.Role == x.name) &&
			(q.Framework == "" || q.Framework == h.frameworks.at(x.framework).spec.ID) {
			list = append(list, int32(c))
		}
	}
	slices.SortFunc(list, h.byName)
	return list
}

func (h *Allocator) byName(c, d int32) int {
	x, y := h.clients.at(c), h.clients.at(d)
	return cmp.Or(cmp.Compare(h.frameworks.at(x.framework).spec.ID, h.frameworks.at(y.framework).spec.ID),
		cmp.Compare(x.name, y.name))
}

// pair finds the reasons of one agent and client.
func (e *explanation) pair(a, c int32) {
	reasons := append(e.explainState(a, c), e.explainPortion(e.now, a, c)...)
	if len(reasons) == 0 {
		reasons = because(allocator.OthersFirst)
	}
	for _, r := range reasons {
		if r.Name == allocator.NothingFree {
			r.Name = e.whyNothing(a, c)
		}
		e.count(a, c, r)
	}
}

// whyNothing says what NothingFree is due to.
func (e *explanation) whyNothing(a, c int32) allocator.ReasonName {
	x := e.agents.at(a)
	switch {
	case x.free.empty() && len(x.holdings) == 1 && x.holdings[0].client == c:
		return allocator.HeldByItself
	case x.free.empty():
		return allocator.HeldByOthers
	}
	name := e.clients.at(c).name
	if pick(x.free.list, func(r *resources.Resource) bool { return r.AllocatableTo(name) }).IsEmpty() {
		return allocator.ReservedForOthers
	}
	return allocator.NotCapable
}

func (e *explanation) count(a, c int32, r allocator.Reason) {
	key := groupKey{c, r.Name}
	g := e.groups[key]
	if g == nil {
		x := e.clients.at(c)
		g = &group{holders: map[int32]int{}}
		g.Framework, g.Role, g.Reason = e.frameworks.at(x.framework).spec.ID, x.name, r.Name
		e.groups[key] = g
	}
	x := e.agents.at(a)
	if g.Agents++; len(g.Examples) < maxExamples {
		g.Examples = append(g.Examples, x.spec.ID)
	}
	if !r.Until.IsZero() {
		if g.First.IsZero() || r.Until.Before(g.First) {
			g.First = r.Until
		}
		if r.Until.After(g.Last) {
			g.Last = r.Until
		}
	}
	if r.Name == allocator.HeldByOthers {
		for _, held := range x.holdings {
			g.holders[held.client]++
		}
	}
}

// finish sorts everything.
func (e *explanation) finish() allocator.Explanation {
	var out allocator.Explanation
	for _, g := range e.groups {
		g.Holders = e.holders(g.holders)
		out.Groups = append(out.Groups, g.Group)
	}
	slices.SortFunc(out.Groups, func(a, b allocator.Group) int {
		return cmp.Or(cmp.Compare(a.Framework, b.Framework), cmp.Compare(a.Role, b.Role),
			cmp.Compare(b.Agents, a.Agents), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}

func (e *explanation) holders(agents map[int32]int) []allocator.Holder {
	list := slices.SortedFunc(maps.Keys(agents), func(c, d int32) int {
		return cmp.Or(cmp.Compare(agents[d], agents[c]), e.byName(c, d))
	})
	var out []allocator.Holder
	for _, c := range list[:min(len(list), maxHolders)] {
		x := e.clients.at(c)
		out = append(out, allocator.Holder{Framework: e.frameworks.at(x.framework).spec.ID, Role: x.name, Agents: agents[c]})
	}
	return out
}

// Empty is part of allocator.Overseer.
func (h *Allocator) Empty() []allocator.EmptyAgent {
	var out []allocator.EmptyAgent
	for i := range h.agents.rows {
		if x := h.agents.at(int32(i)); x.spec.ID != "" && len(x.holdings) == 0 {
			out = append(out, allocator.EmptyAgent{ID: x.spec.ID, Since: x.used})
		}
	}
	slices.SortFunc(out, func(a, b allocator.EmptyAgent) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return out
}
