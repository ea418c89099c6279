package hierarchical

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// reference is the policy in its plainest form: it keeps what it was told, and computes everything else from that
// whenever it is asked. It is slow and meant to be obviously right.
type reference struct {
	cfg        allocator.Config
	agents     map[mesos.AgentID]*refAgent
	frameworks map[mesos.FrameworkID]*refFramework
	held       map[refClient]map[mesos.AgentID]resources.Resources // without allocation
	shown      map[refClient]map[mesos.AgentID]resources.Resources // of optimistic offers
	promised   map[refClient]map[mesos.AgentID]resources.Resources // of the run under way: to those who saw an agent first
	filters    []refFilter
	weights    map[string]float64
	quota      map[string]allocator.Quota
	turn       int
	turns      map[string]int // when a role's branch, a role itself or a client was served last
}

type refAgent struct {
	spec   allocator.Agent
	active bool
}

type refFramework struct {
	spec       allocator.Framework
	active     bool
	suppressed map[string]bool
}

type refClient struct {
	framework mesos.FrameworkID
	role      string
}

type refFilter struct {
	client  refClient
	agent   mesos.AgentID
	refused resources.Resources
	until   time.Time
}

func newReference(cfg allocator.Config) *reference {
	return &reference{
		cfg: cfg, agents: map[mesos.AgentID]*refAgent{}, frameworks: map[mesos.FrameworkID]*refFramework{},
		held: map[refClient]map[mesos.AgentID]resources.Resources{}, shown: map[refClient]map[mesos.AgentID]resources.Resources{}, weights: map[string]float64{},
		quota: map[string]allocator.Quota{}, turns: map[string]int{},
	}
}

func top(role string) string { name, _, _ := strings.Cut(role, "/"); return name }

func (c refClient) key() string { return "client " + string(c.framework) + "@" + c.role }

// clients are the frameworks in the roles that they are subscribed to or hold something in.
func (r *reference) clients() []refClient {
	set := map[refClient]bool{}
	for id, f := range r.frameworks {
		for _, role := range f.spec.Roles {
			set[refClient{id, role}] = true
		}
	}
	for _, some := range []map[refClient]map[mesos.AgentID]resources.Resources{r.held, r.shown} {
		for c, on := range some {
			if len(on) > 0 {
				set[c] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b refClient) int {
		return cmp.Or(cmp.Compare(a.framework, b.framework), cmp.Compare(a.role, b.role))
	})
}

func (r *reference) subscribed(c refClient) bool {
	f := r.frameworks[c.framework]
	return f != nil && slices.Contains(f.spec.Roles, c.role)
}

func (r *reference) competes(c refClient) bool {
	f := r.frameworks[c.framework]
	return r.subscribed(c) && f.active && !f.suppressed[c.role]
}

// forget drops the turns of what is no longer there.
func (r *reference) forget() {
	there := map[string]bool{}
	role := func(name string) {
		there["branch "+top(name)], there["role "+name], there["role "+top(name)] = true, true, true
	}
	for _, c := range r.clients() {
		there[c.key()] = true
		role(c.role)
	}
	for name, q := range r.quota {
		if !q.Guarantees.IsEmpty() || !q.Limits.IsEmpty() {
			role(name)
		}
	}
	for _, a := range r.agents {
		for _, x := range a.spec.Total.Reserved() {
			role(x.Role())
		}
	}
	maps.DeleteFunc(r.turns, func(key string, _ int) bool { return !there[key] })
}

func (r *reference) total() resources.Quantities {
	var sum resources.Quantities
	for _, a := range r.agents {
		sum = sum.Add(a.spec.Total.Quantities())
	}
	return sum
}

// share is the dominant share of some clients.
func (r *reference) share(of func(refClient) bool) float64 {
	var sum resources.Quantities
	for c, on := range r.held {
		for id, x := range on {
			if of(c) {
				sum = sum.Add(x.Add(r.promised[c][id]).Quantities())
			}
		}
	}
	for c, on := range r.promised {
		for id, x := range on {
			if _, counted := r.held[c][id]; of(c) && !counted {
				sum = sum.Add(x.Quantities())
			}
		}
	}
	return sum.Dominant(r.total())
}

func (r *reference) weight(role string) float64 {
	if w, ok := r.weights[role]; ok {
		return w
	}
	return 1
}

// order is all clients that want something, neediest first.
func (r *reference) order() []refClient {
	type rank struct {
		share float64
		turn  int
		name  string
	}
	less := func(a, b rank) int {
		return cmp.Or(cmp.Compare(a.share, b.share), cmp.Compare(a.turn, b.turn), cmp.Compare(a.name, b.name))
	}
	branch := func(c refClient) rank {
		t := top(c.role)
		return rank{r.share(func(x refClient) bool { return top(x.role) == t }) / r.weight(t), r.turns["branch "+t], t}
	}
	role := func(c refClient) rank {
		_, name, below := strings.Cut(c.role, "/")
		share := r.share(func(x refClient) bool { return x.role == c.role })
		if !below {
			return rank{share, r.turns["role "+c.role], "."}
		}
		return rank{share / r.weight(c.role), r.turns["role "+c.role], name}
	}
	framework := func(c refClient) rank {
		return rank{r.share(func(x refClient) bool { return x == c }), r.turns[c.key()], string(c.framework)}
	}
	list := slices.DeleteFunc(r.clients(), func(c refClient) bool { return !r.competes(c) })
	slices.SortFunc(list, func(a, b refClient) int {
		return cmp.Or(less(branch(a), branch(b)), less(role(a), role(b)), less(framework(a), framework(b)))
	})
	return list
}

func (r *reference) free(id mesos.AgentID) resources.Resources {
	free := r.agents[id].spec.Total.NonShared()
	for _, on := range r.held {
		free = free.Minus(on[id].NonShared())
	}
	return free
}

func quotaCounts(x resources.Resource) bool {
	return x.Kind == resources.KindScalar && !x.Reserved() && !x.Revocable
}

func quotaDoesNot(x resources.Resource) bool { return !quotaCounts(x) }

// consumed is what counts against the quota of a top-level role.
func (r *reference) consumed(name string) resources.Quantities {
	var sum resources.Quantities
	for _, a := range r.agents {
		for _, x := range a.spec.Total.Reserved() {
			if top(x.Role()) == name {
				sum = sum.Add(resources.Resources{x}.Quantities())
			}
		}
	}
	for c, on := range r.held {
		for _, x := range on {
			if top(c.role) == name {
				sum = sum.Add(x.Filter(quotaCounts).Quantities())
			}
		}
	}
	return sum
}

func (r *reference) owed(name string) resources.Quantities {
	return r.quota[name].Guarantees.Sub(r.consumed(name))
}

func (r *reference) owing() (sum resources.Quantities) {
	for name := range r.quota {
		sum = sum.Add(r.owed(name))
	}
	return sum
}

// bound is how much of a name a role may get beyond guarantees, when it is about to get more already.
func (r *reference) bound(role, name string, more resources.Scalar) (resources.Scalar, bool) {
	limit, bounded := r.quota[top(role)].Limits.Get(name)
	limit = max(limit-r.consumed(top(role)).Get(name)-more, 0)
	mine := resources.Scalar(0) // of the headroom
	if r.cfg.Rivals > 0 {
		mine = r.owed(top(role)).Get(name)
	}
	if required := r.owing().Get(name); required > 0 {
		var free resources.Quantities
		for id, a := range r.agents {
			if a.active {
				free = free.Add(r.free(id).Filter(quotaCounts).Quantities())
			}
		}
		spare := max(free.Get(name)-required, 0) + mine
		if !bounded || spare < limit {
			limit, bounded = spare, true
		}
	}
	return limit, bounded
}

// cut takes as much of every name as bound allows.
func cut(r resources.Resources, bound func(name string) (resources.Scalar, bool)) resources.Resources {
	var out []resources.Resource
	used := map[string]resources.Scalar{}
	for _, x := range r {
		if most, bounded := bound(x.Name); bounded {
			left := most - used[x.Name]
			if x.Scalar > left && (left <= 0 || !x.Divisible()) {
				continue
			}
			x.Scalar = min(x.Scalar, left)
		}
		used[x.Name] += x.Scalar
		out = append(out, x)
	}
	return resources.Of(out...)
}

// portion is what a client could get of an agent, without shared resources.
func (r *reference) portion(id mesos.AgentID, c refClient, guarantees bool) resources.Resources {
	usable := r.usable(r.free(id), c)
	counted, others := usable.Filter(quotaCounts), usable.Filter(quotaDoesNot)
	if !guarantees || r.cfg.Rivals > 0 {
		return others.Add(cut(counted, func(name string) (resources.Scalar, bool) { return r.bound(c.role, name, 0) }))
	}
	first := cut(counted, func(name string) (resources.Scalar, bool) { return r.owed(top(c.role)).Get(name), true })
	if first.IsEmpty() {
		return nil
	}
	more := cut(counted.Minus(first), func(name string) (resources.Scalar, bool) {
		return r.bound(c.role, name, first.Quantities().Get(name))
	})
	exact := others.Filter(func(x resources.Resource) bool { return !x.Reserved() || x.Role() == c.role })
	return exact.Add(first).Add(more)
}

func (r *reference) usable(list resources.Resources, c refClient) resources.Resources {
	can := r.frameworks[c.framework].spec.Capabilities
	return list.AllocatableTo(c.role).Filter(func(x resources.Resource) bool {
		return (can.Revocable || !x.Revocable) && (can.Shared || !x.Shared) && (can.ReservationRefinement || !x.Refined())
	})
}

// fits reports whether a client may have anything of an agent at all.
func (r *reference) fits(id mesos.AgentID, c refClient) bool {
	a, f := r.agents[id].spec, r.frameworks[c.framework].spec
	switch {
	case r.cfg.KeepGPUs && a.Total.Scalar("gpus") > 0 && !f.Capabilities.GPU:
	case a.Region != "" && a.Region != r.cfg.Region && !f.Capabilities.RegionAware:
	case f.Capabilities.MultiRole && !a.Capabilities.MultiRole:
	case strings.Contains(c.role, "/") && !a.Capabilities.HierarchicalRole:
	case !f.Constraints[c.role].Accept(&a):
	default:
		return true
	}
	return false
}

func (r *reference) worth(c refClient, list resources.Resources) bool {
	minimum, own := r.frameworks[c.framework].spec.Minimum[c.role]
	if !own {
		minimum = r.cfg.Minimum
	}
	if len(minimum) == 0 {
		return !list.IsEmpty()
	}
	return slices.ContainsFunc(minimum, list.Quantities().Contains)
}

func (r *reference) refuses(now time.Time, id mesos.AgentID, c refClient, list resources.Resources) bool {
	return slices.ContainsFunc(r.filters, func(f refFilter) bool {
		return f.client == c && f.agent == id && f.until.After(now) && f.refused.Contains(list)
	})
}

// give is what a client gets of an agent, if anything. again: it got something of it in the pass before.
func (r *reference) give(now time.Time, id mesos.AgentID, c refClient, guarantees, again bool) resources.Resources {
	if !r.fits(id, c) {
		return nil
	}
	part := r.portion(id, c, guarantees)
	if !part.IsEmpty() && !again {
		part = part.Add(r.usable(r.agents[id].spec.Total.Shared(), c))
	}
	if part.IsEmpty() || !r.worth(c, part) || r.refuses(now, id, c, part) {
		return nil
	}
	return part
}

func (r *reference) hold(c refClient, id mesos.AgentID, list resources.Resources) {
	if r.held[c] == nil {
		r.held[c] = map[mesos.AgentID]resources.Resources{}
	}
	r.held[c][id] = r.held[c][id].Add(list)
	r.serveTurn(c)
}

func (r *reference) serveTurn(c refClient) {
	r.turn++
	for _, key := range []string{"branch " + top(c.role), "role " + c.role, c.key()} {
		r.turns[key] = r.turn
	}
}

func (r *reference) release(c refClient, id mesos.AgentID, list resources.Resources) {
	left, ok := r.held[c][id].Sub(list)
	if !ok {
		panic("the test gives back what is not held")
	}
	r.held[c][id] = left
	if left.IsEmpty() {
		delete(r.held[c], id)
	}
}

// allocate serves agents in an order that rng shuffles.
func (r *reference) allocate(now time.Time, look []mesos.AgentID, rng *rand.Rand) []allocator.Allocation {
	var out []allocator.Allocation
	pass := func(guarantees bool) {
		rng.Shuffle(len(look), func(i, j int) { look[i], look[j] = look[j], look[i] })
		for _, id := range look {
			out = r.serve(now, id, guarantees, out)
		}
	}
	if r.cfg.Rivals == 0 && !r.owing().IsEmpty() {
		pass(true)
	}
	r.promised = map[refClient]map[mesos.AgentID]resources.Resources{}
	pass(false)
	r.promised = nil
	return out
}

// audience is how many are shown something of an agent.
func (r *reference) audience(id mesos.AgentID) (n int) {
	for _, on := range r.shown {
		if !on[id].IsEmpty() {
			n++
		}
	}
	return n
}

// present shows an agent: first to those whose guarantee is not covered, then to all.
func (r *reference) present(now time.Time, id mesos.AgentID, out []allocator.Allocation) []allocator.Allocation {
	asked := map[refClient]bool{}
	for r.audience(id) < r.cfg.Rivals {
		c, part := r.viewer(now, id, asked)
		if part.IsEmpty() {
			break
		}
		if r.audience(id) == 0 {
			if r.promised[c] == nil {
				r.promised[c] = map[mesos.AgentID]resources.Resources{}
			}
			r.promised[c][id] = part
		}
		if r.shown[c] == nil {
			r.shown[c] = map[mesos.AgentID]resources.Resources{}
		}
		r.shown[c][id] = part
		r.serveTurn(c)
		out = append(out, allocator.Allocation{Framework: c.framework, Role: c.role, Agent: id, Resources: part.Allocate(c.role)})
	}
	return out
}

// viewer is the next to be shown an agent, and what.
func (r *reference) viewer(now time.Time, id mesos.AgentID, asked map[refClient]bool) (refClient, resources.Resources) {
	for _, guarantees := range []bool{true, false} {
		for _, c := range r.order() {
			if asked[c] || guarantees && r.owed(top(c.role)).IsEmpty() {
				continue
			}
			asked[c] = true
			if part := r.give(now, id, c, false, false); !part.IsEmpty() && r.shown[c][id].IsEmpty() {
				return c, part
			}
		}
	}
	return refClient{}, nil
}

// hide ends what is shown, and returns it.
func (r *reference) hide(c refClient, id mesos.AgentID) resources.Resources {
	part := r.shown[c][id]
	delete(r.shown[c], id)
	return part
}

// claim is what Claim must do.
func (r *reference) claim(c refClient, id mesos.AgentID) bool {
	part := r.hide(c, id)
	counted := part.Filter(quotaCounts)
	allowed := cut(counted, func(name string) (resources.Scalar, bool) { return r.bound(c.role, name, 0) })
	if !r.isFree(id, part) || !allowed.Equal(counted) {
		return false
	}
	r.hold(c, id, part)
	return true
}

func (r *reference) isFree(id mesos.AgentID, part resources.Resources) bool {
	return r.free(id).Contains(part.NonShared()) && r.agents[id].spec.Total.Shared().Contains(part.Shared())
}

// serve asks the neediest that has not been asked, again and again.
func (r *reference) serve(now time.Time, id mesos.AgentID, guarantees bool, out []allocator.Allocation) []allocator.Allocation {
	if r.cfg.Rivals > 0 {
		return r.present(now, id, out)
	}
	asked := map[refClient]bool{}
	for given := true; given; {
		given = false
		for _, c := range r.order() {
			if asked[c] || guarantees && r.owed(top(c.role)).IsEmpty() {
				continue
			}
			asked[c] = true
			at := slices.IndexFunc(out, func(x allocator.Allocation) bool {
				return x.Agent == id && x.Framework == c.framework && x.Role == c.role
			})
			part := r.give(now, id, c, guarantees, at >= 0)
			if part.IsEmpty() {
				continue
			}
			r.hold(c, id, part)
			if part = part.Allocate(c.role); at >= 0 {
				out[at].Resources = out[at].Resources.Add(part)
			} else {
				out = append(out, allocator.Allocation{Framework: c.framework, Role: c.role, Agent: id, Resources: part})
			}
			given = true
			break
		}
	}
	return out
}
