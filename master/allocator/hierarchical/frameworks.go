package hierarchical

import (
	"cmp"
	"slices"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/sorter"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// framework is a row of the table of frameworks. One that is not known is there because it holds something.
type framework struct {
	spec    allocator.Framework
	known   bool
	active  bool
	clients []int32 // sorted by role
}

// client is a framework in one of its roles: what can be allocated to.
type client struct {
	framework, role int32
	name            string        // of the role
	place           sorter.Client // among the frameworks of the role

	subscribed, suppressed bool
	holdings               int   // agents where it holds something
	shown                  int   // agents of which it is shown something
	slot                   int32 // where agents note what it refused
	own                    bool  // it has a minimum of its own

	minimum     []resources.Quantities
	constraints allocator.Constraints
	seen        uint64 // stamp of the run; see run
}

// AddFramework is part of allocator.Allocator.
func (h *Allocator) AddFramework(now time.Time, spec allocator.Framework, active bool) {
	f := h.framework(spec.ID)
	x := h.frameworks.at(f)
	if x.known {
		panic("allocator: framework " + string(spec.ID) + " is added twice")
	}
	x.known, x.active = true, active
	h.subscribe(f, spec)
	h.touchAll(now)
}

// UpdateFramework is part of allocator.Allocator.
func (h *Allocator) UpdateFramework(now time.Time, spec allocator.Framework) {
	f, ok := h.names[spec.ID]
	if !ok || !h.frameworks.at(f).known {
		return
	}
	h.subscribe(f, spec)
	h.touchAll(now)
}

// RemoveFramework is part of allocator.Allocator.
func (h *Allocator) RemoveFramework(now time.Time, id mesos.FrameworkID) {
	f, ok := h.names[id]
	if !ok {
		return
	}
	x := h.frameworks.at(f)
	x.known, x.active = false, false
	h.subscribe(f, allocator.Framework{ID: id})
	h.dropFramework(f)
}

// SetFrameworkActive is part of allocator.Allocator.
func (h *Allocator) SetFrameworkActive(now time.Time, id mesos.FrameworkID, active bool) {
	f, ok := h.names[id]
	if !ok || !h.frameworks.at(f).known || h.frameworks.at(f).active == active {
		return
	}
	x := h.frameworks.at(f)
	x.active = active
	for _, c := range x.clients {
		if !active {
			h.renew(c)
		}
		h.enlist(c)
	}
	if active {
		h.touchAll(now)
	}
}

// Suppress is part of allocator.Allocator.
func (h *Allocator) Suppress(now time.Time, id mesos.FrameworkID, roles ...string) {
	for _, c := range h.clientsOf(id, roles) {
		h.clients.at(c).suppressed = true
		h.enlist(c)
	}
}

// Revive is part of allocator.Allocator.
func (h *Allocator) Revive(now time.Time, id mesos.FrameworkID, roles ...string) {
	list := h.clientsOf(id, roles)
	for _, c := range list {
		h.revive(c)
	}
	if len(list) > 0 {
		h.touchAll(now)
	}
}

func (h *Allocator) revive(c int32) {
	h.clients.at(c).suppressed = false
	h.renew(c)
	h.enlist(c)
}

// clientsOf lists the clients of a framework in roles; no roles means all it is subscribed to.
func (h *Allocator) clientsOf(id mesos.FrameworkID, roles []string) []int32 {
	f, ok := h.names[id]
	if !ok {
		return nil
	}
	var list []int32
	for _, c := range h.frameworks.at(f).clients {
		x := h.clients.at(c)
		if x.subscribed && (len(roles) == 0 || slices.Contains(roles, x.name)) {
			list = append(list, c)
		}
	}
	return list
}

// framework finds the row of a framework, or makes one of which nothing is known yet.
func (h *Allocator) framework(id mesos.FrameworkID) int32 {
	if f, ok := h.names[id]; ok {
		return f
	}
	f := h.frameworks.add(framework{spec: allocator.Framework{ID: id}})
	h.names[id] = f
	return f
}

// dropFramework forgets a framework that neither exists nor holds anything.
func (h *Allocator) dropFramework(f int32) {
	if x := h.frameworks.at(f); !x.known && len(x.clients) == 0 {
		delete(h.names, x.spec.ID)
		h.frameworks.remove(f)
	}
}

// subscribe makes the clients of a framework what spec says.
func (h *Allocator) subscribe(f int32, spec allocator.Framework) {
	h.exceptions += min(len(spec.Minimum), 1) - min(len(h.frameworks.at(f).spec.Minimum), 1)
	h.frameworks.at(f).spec = spec
	for _, name := range spec.Roles {
		h.client(f, name)
	}
	for _, c := range slices.Clone(h.frameworks.at(f).clients) {
		h.resubscribe(c, &spec)
	}
}

// resubscribe makes one client what spec says.
func (h *Allocator) resubscribe(c int32, spec *allocator.Framework) {
	x := h.clients.at(c)
	h.count(x, slices.Contains(spec.Roles, x.name))
	x.minimum = h.cfg.Minimum
	own, has := spec.Minimum[x.name]
	if x.own = has; has {
		x.minimum = own
	}
	x.constraints = spec.Constraints[x.name]
	switch suppressed := slices.Contains(spec.Suppressed, x.name); {
	case !x.subscribed:
		x.suppressed = false
		h.renew(c)
	case x.suppressed && !suppressed:
		h.revive(c)
	default:
		x.suppressed = suppressed
	}
	h.enlist(c)
	h.dropClient(c)
}

// count keeps the number of subscribed clients of the role.
func (h *Allocator) count(x *client, subscribed bool) {
	switch r := h.roles.at(x.role); {
	case subscribed && !x.subscribed:
		r.subscribed++
	case !subscribed && x.subscribed:
		r.subscribed--
	}
	x.subscribed = subscribed
}

// enlist makes a client compete for resources or not.
func (h *Allocator) enlist(c int32) {
	x := h.clients.at(c)
	f, r := h.frameworks.at(x.framework), h.roles.at(x.role)
	competes := f.active && x.subscribed && !x.suppressed
	switch in := r.frameworks.In(sorter.Active, x.place); {
	case competes && !in:
		r.frameworks.Enter(sorter.Active, x.place)
		r.competing++
	case !competes && in:
		r.frameworks.Leave(sorter.Active, x.place)
		r.competing--
	}
	h.feed(c, competes)
	h.enlistRole(x.role)
}

// enlistRole makes a role compete for resources, and for those it is owed, or not.
func (h *Allocator) enlistRole(at int32) {
	r := h.roles.at(at)
	show := func(v sorter.View, yes bool) {
		if yes {
			h.order.Enter(v, r.place)
		} else {
			h.order.Leave(v, r.place)
		}
	}
	show(sorter.Active, r.competing > 0)
	show(sorter.Urgent, r.competing > 0 && h.roles.at(r.top).owed)
}

// feed notes whether a client wants something, and whether quota lets it have more.
func (h *Allocator) feed(c int32, competes bool) {
	x := h.clients.at(c)
	if !competes {
		h.slots.competing.clear(x.slot)
		h.slots.hungry.clear(x.slot)
		return
	}
	h.slots.competing.set(x.slot)
	if h.roles.at(h.roles.at(x.role).top).full && !x.own {
		h.slots.hungry.clear(x.slot)
	} else {
		h.slots.hungry.set(x.slot)
	}
}

// client finds a framework in a role, or makes it one that is not subscribed yet.
func (h *Allocator) client(f int32, name string) int32 {
	at, found := h.clientAt(f, name)
	if found {
		return h.frameworks.at(f).clients[at]
	}
	r := h.role(name)
	c := h.clients.add(client{framework: f, role: r, name: name, minimum: h.cfg.Minimum})
	h.clients.at(c).slot = h.slots.take(c)
	x := h.roles.at(r)
	h.clients.at(c).place = x.frameworks.Add(string(h.frameworks.at(f).spec.ID))
	x.join(h.clients.at(c).place, c)
	list := &h.frameworks.at(f).clients
	*list = slices.Insert(*list, at, c)
	return c
}

func (h *Allocator) clientAt(f int32, name string) (int, bool) {
	return slices.BinarySearchFunc(h.frameworks.at(f).clients, name, func(c int32, name string) int {
		return cmp.Compare(h.clients.at(c).name, name)
	})
}

// dropClient forgets a client that is not subscribed, holds nothing and is shown nothing.
func (h *Allocator) dropClient(c int32) {
	x := *h.clients.at(c)
	if x.subscribed || x.holdings > 0 || x.shown > 0 {
		return
	}
	f, r := h.frameworks.at(x.framework), h.roles.at(x.role)
	at, _ := h.clientAt(x.framework, x.name)
	f.clients = slices.Delete(f.clients, at, at+1)
	r.frameworks.Remove(x.place)
	h.slots.leave(x.slot)
	h.clients.remove(c)
	h.leaveRole(x.role)
}
