package hierarchical

import (
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/sorter"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// role is a row of the table of roles: one that has frameworks, reservations, quota, or a role below that does.
type role struct {
	name  string
	top   int32         // the role at the top of its branch, where quota is
	uses  int           // reasons to keep it
	place sorter.Client // among all roles

	frameworks *sorter.Sorter
	clients    []int32 // by sorter.Client of frameworks
	subscribed int     // clients whose framework has the role
	competing  int     // those of them that want something
	seen       uint64  // stamp of the run; see run

	// Of top-level roles:
	quota    allocator.Quota
	consumed resources.Quantities // by the whole branch: reservations, and unreserved resources held
	branch   []int32              // the roles of the branch
	owed     bool                 // its guarantee is not covered
	full     bool                 // its limit leaves less than any offer has
}

// join notes which client has a place among the frameworks of the role.
func (r *role) join(place sorter.Client, c int32) { r.clients = put(r.clients, int(place), c) }

// put sets an element of a list, which grows as needed.
func put(list []int32, at int, v int32) []int32 {
	if missing := at + 1 - len(list); missing > 0 {
		list = append(list, make([]int32, missing)...)
	}
	list[at] = v
	return list
}

// role finds or makes a role, and counts one more reason to keep it.
func (h *Allocator) role(name string) int32 {
	r, ok := h.roleNames[name]
	if !ok {
		r = h.roles.add(role{name: name, frameworks: h.newOrder(h.totals)})
		h.roleNames[name] = r
		top := r
		if i := strings.IndexByte(name, '/'); i > 0 {
			top = h.role(name[:i])
		}
		x := h.roles.at(r)
		x.top = top
		h.roles.at(top).branch = append(h.roles.at(top).branch, r)
		x.place = h.order.Add(name)
		h.roleOf = put(h.roleOf, int(x.place), r)
	}
	h.roles.at(r).uses++
	return r
}

// leaveRole counts one reason less to keep a role.
func (h *Allocator) leaveRole(r int32) {
	x := h.roles.at(r)
	if x.uses--; x.uses > 0 {
		return
	}
	top := x.top
	branch := &h.roles.at(top).branch
	*branch = slices.DeleteFunc(*branch, func(b int32) bool { return b == r })
	h.order.Remove(x.place)
	delete(h.roleNames, x.name)
	h.roles.remove(r)
	if top != r {
		h.leaveRole(top)
	}
}

// countReserved counts what is reserved, or is so no more, for the quota of its roles.
func (h *Allocator) countReserved(r resources.Resources, more bool) {
	for i := range r {
		if r[i].Reserved() {
			q := r[i : i+1].Quantities()
			h.consume(h.roleNames[r[i].Role()], &q, more)
		}
	}
}

// keepReserved: an agent's total is a reason to keep the roles it is reserved for,
// one for each entry. What a conversion takes from an entry is no entry of its own.
func (h *Allocator) keepReserved(total resources.Resources) {
	for i := range total {
		if total[i].Reserved() {
			h.role(total[i].Role())
		}
	}
}

// leaveReserved takes back what keepReserved did for a total.
func (h *Allocator) leaveReserved(total resources.Resources) {
	for i := range total {
		if total[i].Reserved() {
			h.leaveRole(h.roleNames[total[i].Role()])
		}
	}
}

// SetWeights is part of allocator.Allocator.
func (h *Allocator) SetWeights(now time.Time, weights ...allocator.Weight) {
	for _, w := range weights {
		h.order.SetWeight(w.Role, w.Value)
	}
	h.touchAll(now)
}

// SetQuota is part of allocator.Allocator.
func (h *Allocator) SetQuota(now time.Time, name string, q allocator.Quota) {
	r := h.role(name)
	had := slices.Index(h.quotas, r)
	has := !q.Guarantees.IsEmpty() || !q.Limits.IsEmpty()
	h.requote(r, q)
	switch {
	case has && had < 0:
		h.quotas = append(h.quotas, r)
		h.roles.at(r).uses++
	case !has && had >= 0:
		h.quotas = slices.Delete(h.quotas, had, had+1)
		h.leaveRole(r)
	}
	h.leaveRole(r)
	h.touchAll(now)
}

// Roles is part of allocator.Allocator.
func (h *Allocator) Roles() []allocator.Role {
	var out []allocator.Role
	for i := range h.roles.rows {
		if x := h.roles.at(int32(i)); x.uses > 0 {
			out = append(out, h.describe(x))
		}
	}
	slices.SortFunc(out, func(a, b allocator.Role) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (h *Allocator) describe(x *role) allocator.Role {
	out := allocator.Role{Name: x.name, Frameworks: x.subscribed, Quota: x.quota, Consumed: x.consumed}
	out.Share, out.Weight, out.Held, _ = h.order.Node(x.name)
	return out
}
