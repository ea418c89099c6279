package hierarchical

import (
	"github.com/soukproject/souk/proto/mesos/resources"
)

// owing reports whether the guarantee of any role is not covered.
func (h *Allocator) owing() bool {
	for _, r := range h.quotas {
		if x := h.roles.at(r); !x.consumed.Contains(x.quota.Guarantees) {
			return true
		}
	}
	return false
}

// owed reports whether the guarantee of a role's branch is not covered.
func (h *Allocator) owed(r int32) bool {
	top := h.roles.at(h.roles.at(r).top)
	return !top.consumed.Contains(top.quota.Guarantees)
}

// required is the headroom: what must stay free for guarantees that are not covered (mesos-api 24.3).
func (h *Allocator) required() resources.Quantities {
	var sum resources.Quantities
	for _, r := range h.quotas {
		x := h.roles.at(r)
		sum = sum.Add(x.quota.Guarantees.Sub(x.consumed))
	}
	return sum
}

// allowance is what a client may get beyond guarantees: up to the limit of its branch, and without touching the
// headroom.
func (h *Allocator) allowance(c int32) resources.Limits {
	top := h.roles.at(h.roles.at(h.clients.at(c).role).top)
	return top.quota.Limits.Sub(top.consumed).Min(h.surplus())
}

// surplus is what is free beyond the headroom; names that need none are not limited.
func (h *Allocator) surplus() resources.Limits {
	var list []resources.Quantity
	for name, required := range h.required().All() {
		list = append(list, resources.Quantity{Name: name, Amount: max(h.free.Get(name)-required, 0)})
	}
	return resources.LimitsOf(list...)
}

// guaranteed is what a client gets in the pass for guarantees: what its branch is owed, what is reserved for exactly
// its role, what quota does not count, and then more as far as limit and headroom allow. Without anything owed it
// gets nothing.
func (h *Allocator) guaranteed(c int32, part resources.Resources) (resources.Resources, bool) {
	cl := h.clients.at(c)
	top := h.roles.at(h.roles.at(cl.role).top)
	counted := pick(part, countsForQuota)
	first := shrink(counted, exactly(top.quota.Guarantees.Sub(top.consumed), counted))
	if first.IsEmpty() {
		return nil, false
	}
	rest := counted.Minus(first)
	more := shrink(rest, top.quota.Limits.Sub(top.consumed.Add(first.Quantities())).Min(h.surplus()))
	others := pick(part, func(r *resources.Resource) bool {
		return !countsForQuota(r) && (!r.Reserved() || r.Role() == cl.name)
	})
	return others.Add(first).Add(more), !more.Equal(rest)
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
