package hierarchical

import (
	"slices"
	"strings"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/sorter"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// consume counts q against the quota of a role's branch, or no longer counts it.
func (h *Allocator) consume(r int32, q *resources.Quantities, add bool) {
	top := h.roles.at(r).top
	x := h.roles.at(top)
	if x.quotaless() {
		x.change(q, add)
		return
	}
	h.required = h.required.Sub(x.short())
	x.change(q, add)
	h.required = h.required.Add(x.short())
	h.judge(top)
}

func (r *role) change(q *resources.Quantities, add bool) {
	if add {
		r.consumed.Increase(q)
	} else {
		r.consumed.Decrease(q)
	}
}

func (r *role) quotaless() bool { return r.quota.Guarantees.IsEmpty() && r.quota.Limits.IsEmpty() }

// short is what a top-level role is still owed.
func (r *role) short() resources.Quantities { return r.quota.Guarantees.Sub(r.consumed) }

// left is what a top-level role may still have.
func (r *role) left() resources.Limits { return r.quota.Limits.Sub(r.consumed) }

// requote replaces the quota of a top-level role.
func (h *Allocator) requote(r int32, q allocator.Quota) {
	x := h.roles.at(r)
	h.required = h.required.Sub(x.short())
	x.quota = q
	h.required = h.required.Add(x.short())
	h.judge(r)
}

// judge makes a branch urgent while it is owed something, and passes it over while it is full.
func (h *Allocator) judge(top int32) {
	x := h.roles.at(top)
	owed, full := !x.consumed.Contains(x.quota.Guarantees), h.full(x)
	if owed == x.owed && full == x.full {
		return
	}
	if owed != x.owed {
		h.owing++
		if !owed {
			h.owing -= 2
		}
	}
	x.owed, x.full = owed, full
	for _, r := range x.branch {
		h.enlistRole(r)
		role := h.roles.at(r)
		for place := range role.frameworks.Order(sorter.Active) {
			h.feed(role.clients[place], true)
		}
	}
}

// full reports whether the limit leaves less than the minimum of an offer.
func (h *Allocator) full(x *role) bool {
	if x.quota.Limits.IsEmpty() || len(h.cfg.Minimum) == 0 {
		return false
	}
	for i := range h.cfg.Minimum {
		if x.fits(&h.cfg.Minimum[i]) {
			return false
		}
	}
	return true
}

// fits reports whether the limit of a top-level role leaves room for q.
func (r *role) fits(q *resources.Quantities) bool {
	for name, limit := range r.quota.Limits.All() {
		if have := q.Get(name); have > 0 && r.consumed.Get(name)+have > limit {
			return false
		}
	}
	return true
}

// spared reports whether q can be given without touching the headroom.
func (h *Allocator) spared(q *resources.Quantities) bool {
	if h.owing == 0 {
		return true
	}
	for name, required := range h.required.All() {
		if have := q.Get(name); have > 0 && h.free.Get(name)-required < have {
			return false
		}
	}
	return true
}

// sparesMinimum reports whether the headroom leaves enough of what is free of an agent for any offer.
func (h *Allocator) sparesMinimum(s *shape) bool {
	if h.owing == 0 || !s.plain || h.exceptions > 0 {
		return true
	}
	for i := range h.cfg.Minimum {
		if s.all.Contains(h.cfg.Minimum[i]) && h.spared(&h.cfg.Minimum[i]) {
			return true
		}
	}
	return len(h.cfg.Minimum) == 0
}

// allowance is what a client may get beyond guarantees: up to the limit of its branch, and without touching the
// headroom.
func (h *Allocator) allowance(c int32) resources.Limits {
	top := h.roles.at(h.roles.at(h.clients.at(c).role).top)
	if h.optimistic() {
		return top.left().Min(h.surplusWith(top))
	}
	return top.left().Min(h.surplus())
}

// surplus is what is free beyond the headroom; names that need none are not limited.
func (h *Allocator) surplus() resources.Limits {
	var list []resources.Quantity
	for name, required := range h.required.All() {
		list = append(list, resources.Quantity{Name: name, Amount: max(h.free.Get(name)-required, 0)})
	}
	return resources.LimitsOf(list...)
}

// guaranteed is what a client gets in the pass for guarantees: what its branch is owed, what is reserved for exactly
// its role, what quota does not count, and then more as far as limit and headroom allow. Without anything owed it
// gets nothing.
func (h *Allocator) guaranteed(c int32, s *shape) (*shape, bool) {
	cl := h.clients.at(c)
	top := h.roles.at(h.roles.at(cl.role).top)
	part := s.list
	counted := pick(part, countsForQuota)
	first := shrink(counted, exactly(top.short(), counted))
	if first.IsEmpty() {
		return h.shapes.nothing, false
	}
	rest := counted.Minus(first)
	more := shrink(rest, top.quota.Limits.Sub(top.consumed.Add(first.Quantities())).Min(h.surplus()))
	others := pick(part, func(r *resources.Resource) bool {
		return !countsForQuota(r) && (!r.Reserved() || r.Role() == cl.name)
	})
	return h.shapes.of(others.Add(first).Add(more)), !more.Equal(rest)
}

// exactly limits the names in r to q: what q does not have is not allowed at all.
func exactly(q resources.Quantities, r resources.Resources) resources.Limits {
	list := make([]resources.Quantity, 0, len(r))
	for i := range r {
		list = append(list, resources.Quantity{Name: r[i].Name, Amount: q.Get(r[i].Name)})
	}
	return resources.LimitsOf(list...)
}

// shrink cuts scalars down to limits: exactly where they can be divided, whole or not at all where not.
func shrink(r resources.Resources, limits resources.Limits) resources.Resources {
	if limits.Contains(r.Quantities()) {
		return r
	}
	var used resources.Quantities
	out := make(resources.Resources, 0, len(r))
	for _, x := range r {
		if limit, ok := limits.Get(x.Name); ok {
			left := limit - used.Get(x.Name)
			switch {
			case x.Scalar <= left:
			case left > 0 && x.Divisible():
				x.Scalar = left
			default:
				continue
			}
		}
		used = used.With(x.Name, used.Get(x.Name)+x.Scalar)
		out = append(out, x)
	}
	return out
}

// Headroom is part of allocator.Overseer.
func (h *Allocator) Headroom() allocator.Headroom {
	out := allocator.Headroom{Capacity: h.capacity, Free: h.free, Required: h.required, Short: h.required.Sub(h.free)}
	for _, r := range h.quotas {
		x := h.roles.at(r)
		out.Guarantees = out.Guarantees.Add(x.quota.Guarantees)
		if owed := x.short(); !owed.IsEmpty() {
			out.Owed = append(out.Owed, allocator.Debt{Role: x.name, Owed: owed})
		}
	}
	slices.SortFunc(out.Owed, func(a, b allocator.Debt) int { return strings.Compare(a.Role, b.Role) })
	out.Overcommit = out.Guarantees.Sub(out.Capacity)
	return out
}

func isKept(r *resources.Resource) bool { return r.Kind == resources.KindScalar && !r.Revocable }
