package hierarchical

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/sorter"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// mustParse reads resources written by a test.
func mustParse(text string) resources.Resources {
	r, err := resources.Parse(text, "*")
	if err != nil {
		panic(err)
	}
	return r
}

// cluster is an allocator under test and what it gave out, kept apart from its own books.
type cluster struct {
	h      *Allocator
	now    time.Time
	agents map[mesos.AgentID]allocator.Agent
	known  map[mesos.FrameworkID]*model
	held   map[place]resources.Resources
	quota  map[string]allocator.Quota
}

// model is what a framework must and must not get.
type model struct {
	spec       allocator.Framework
	active     bool
	suppressed map[string]bool
	declined   []decline
}

// decline is a filter in plain words.
type decline struct {
	agent   mesos.AgentID
	role    string
	refused resources.Resources
	until   time.Time // it must hold until then
	latest  time.Time // it must not hold after
}

// forget drops the filters that gone says yes to.
func (m *model) forget(gone func(decline) bool) {
	m.declined = slices.DeleteFunc(m.declined, gone)
}

// place is where something is held; the resources there carry their role.
type place struct {
	framework mesos.FrameworkID
	agent     mesos.AgentID
}

func newCluster(seed uint64) *cluster {
	return &cluster{
		h: New(allocator.Config{
			Minimum: allocator.DefaultMinimum(), KeepGPUs: true, Rand: rand.New(rand.NewPCG(seed, 0)),
		}).(*Allocator),
		now:    time.Unix(1_700_000_000, 0),
		agents: map[mesos.AgentID]allocator.Agent{},
		known:  map[mesos.FrameworkID]*model{},
		held:   map[place]resources.Resources{},
		quota:  map[string]allocator.Quota{},
	}
}

var (
	totals = []string{
		"cpus:4;mem:4096;ports:[1-10]", "cpus:2;mem:8192", "cpus:4;mem:4096;gpus:2", "cpus:1;mem:64;fpgas:2",
		"cpus:2;mem:2048;cpus(a):2;mem(a):2048;ports(a):[1-5]", "cpus(a/b):2;mem(a/b):2048;cpus:1",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":3}},{"name":"mem","type":"SCALAR","scalar":{"value":512},"revocable":{}},
		{"name":"disk","type":"SCALAR","scalar":{"value":100},"disk":{"source":{"type":"MOUNT"}}},
		{"name":"disk","type":"SCALAR","scalar":{"value":10},"shared":{},"disk":{"persistence":{"id":"v1"},"volume":{"container_path":"d","mode":"RW"}},"reservations":[{"type":"DYNAMIC","role":"a"}]}]`,
	}
	roleSets = [][]string{{"*"}, {"a"}, {"b"}, {"a/b"}, {"a", "b"}, {"a/b", "a/c", "*"}}
	quotas   = []allocator.Quota{
		{},
		{Limits: resources.LimitsOf(resources.Quantity{Name: "cpus", Amount: 5500}, resources.Quantity{Name: "disk", Amount: 50_000})},
		{Guarantees: mustParse("cpus:4;mem:4096").Quantities()},
		{
			Guarantees: mustParse("cpus:2").Quantities(),
			Limits:     resources.LimitsOf(resources.Quantity{Name: "cpus", Amount: 3000}, resources.Quantity{Name: "mem", Amount: 3_000_000}),
		},
	}
)

func (c *cluster) addAgent(t *rapid.T) {
	id := mesos.AgentID(rapid.SampledFrom([]string{"a1", "a2", "a3", "a4"}).Draw(t, "agent"))
	a := allocator.Agent{
		ID: id, Total: mustParse(rapid.SampledFrom(totals).Draw(t, "total")),
		Capabilities: allocator.AgentCapabilities{MultiRole: true, HierarchicalRole: true, ReservationRefinement: true},
		Attributes:   []allocator.Attribute{{Name: "rack", Text: rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "rack")}},
	}
	if old, there := c.agents[id]; there {
		c.h.UpdateAgent(c.now, a)
		if !slices.Equal(old.Attributes, a.Attributes) {
			c.forgetAgent(id)
		}
	} else {
		c.h.AddAgent(c.now, a, nil)
	}
	c.agents[id] = a
}

func (c *cluster) removeAgent(t *rapid.T) {
	id := sample(t, "agent", slices.Sorted(maps.Keys(c.agents)))
	c.h.RemoveAgent(c.now, id)
	delete(c.agents, id)
	maps.DeleteFunc(c.held, func(p place, _ resources.Resources) bool { return p.agent == id })
	c.forgetAgent(id)
}

func (c *cluster) forgetAgent(id mesos.AgentID) {
	for _, m := range c.known {
		m.forget(func(d decline) bool { return d.agent == id })
	}
}

func sample[T any](t *rapid.T, label string, list []T) T {
	if len(list) == 0 {
		t.Skip("no " + label)
	}
	return rapid.SampledFrom(list).Draw(t, label)
}

func (c *cluster) addFramework(t *rapid.T) {
	id := mesos.FrameworkID(rapid.SampledFrom([]string{"f1", "f2", "f3"}).Draw(t, "framework"))
	f := allocator.Framework{ID: id, Roles: rapid.SampledFrom(roleSets).Draw(t, "roles")}
	f.Capabilities = allocator.FrameworkCapabilities{
		Revocable: rapid.Bool().Draw(t, "revocable"), GPU: rapid.Bool().Draw(t, "gpu"), Shared: rapid.Bool().Draw(t, "shared"),
		MultiRole: rapid.Bool().Draw(t, "multirole"),
	}
	if rapid.Bool().Draw(t, "suppressed") {
		f.Suppressed = f.Roles[:1]
	}
	if rapid.Bool().Draw(t, "constrained") {
		f.Constraints = map[string]allocator.Constraints{
			f.Roles[0]: {{{Attribute: "rack", Predicate: allocator.TextEquals, Value: "r1"}}},
		}
	}
	if rapid.Bool().Draw(t, "minimum") {
		f.Minimum = map[string][]resources.Quantities{f.Roles[0]: nil}
	}
	c.setFramework(t, f)
}

func (c *cluster) setFramework(t *rapid.T, f allocator.Framework) {
	m := c.known[f.ID]
	if m == nil {
		m = &model{active: rapid.Bool().Draw(t, "active"), suppressed: map[string]bool{}}
		c.known[f.ID] = m
		c.h.AddFramework(c.now, f, m.active)
	} else {
		c.h.UpdateFramework(c.now, f)
	}
	m.spec = f
	m.forget(func(d decline) bool {
		revived := m.suppressed[d.role] && !slices.Contains(f.Suppressed, d.role)
		return revived || !slices.Contains(f.Roles, d.role)
	})
	clear(m.suppressed)
	for _, role := range f.Suppressed {
		m.suppressed[role] = true
	}
}

func (c *cluster) removeFramework(t *rapid.T) {
	id := sample(t, "framework", slices.Sorted(maps.Keys(c.known)))
	c.h.RemoveFramework(c.now, id)
	delete(c.known, id)
}

// anyHeld draws a part of what is held somewhere.
func (c *cluster) anyHeld(t *rapid.T) (place, resources.Resources) {
	list := slices.SortedFunc(maps.Keys(c.held), func(a, b place) int {
		return slices.Compare([]string{string(a.framework), string(a.agent)}, []string{string(b.framework), string(b.agent)})
	})
	p := sample(t, "held", list)
	part := c.held[p].Filter(func(resources.Resource) bool { return rapid.Bool().Draw(t, "this") })
	rest, ok := c.held[p].Sub(part)
	if !ok {
		t.Fatalf("%s is not part of %s", part, c.held[p])
	}
	c.held[p] = rest
	if rest.IsEmpty() {
		delete(c.held, p)
	}
	return p, part
}

// pass lets time go by until nothing is due, allocating on the way.
func (c *cluster) pass(t *rapid.T, d time.Duration) {
	end := c.now.Add(d)
	for at, ok := c.h.Deadline(); ok && !at.After(end); at, ok = c.h.Deadline() {
		if at.After(c.now) {
			c.now = at
		}
		c.allocate(t)
	}
	c.now = end
}

func (c *cluster) allocate(t *rapid.T) {
	seen, before := map[string]bool{}, c.consumed()
	for _, x := range c.h.Allocate(c.now) {
		key := fmt.Sprint(x.Framework, x.Role, x.Agent)
		if seen[key] || x.Resources.IsEmpty() || !x.Resources.AllocatedTo(x.Role).Equal(x.Resources) {
			t.Fatalf("Allocate gave %v; seen before: %v", x, seen[key])
		}
		seen[key] = true
		p := place{x.Framework, x.Agent}
		if !c.freeOf(x.Agent).Contains(x.Resources.NonShared().Unallocated()) {
			t.Fatalf("Allocate gave %s on %s, where only %s is free", x.Resources, x.Agent, c.freeOf(x.Agent))
		}
		c.checkGrant(t, x)
		c.held[p] = c.held[p].Add(x.Resources)
	}
	c.checkLimits(t, before)
}

// checkGrant checks that nothing forbids an allocation.
func (c *cluster) checkGrant(t *rapid.T, x allocator.Allocation) {
	m, a := c.known[x.Framework], c.agents[x.Agent]
	if m == nil || !m.active || m.suppressed[x.Role] || !slices.Contains(m.spec.Roles, x.Role) {
		t.Fatalf("%v goes to a framework that does not want it", x)
	}
	if !m.spec.Constraints[x.Role].Accept(&a) || a.Total.Scalar("gpus") > 0 && !m.spec.Capabilities.GPU {
		t.Fatalf("%v goes to %v, which must not have the agent", x, m.spec)
	}
	for _, r := range x.Resources {
		if r.Shared && !m.spec.Capabilities.Shared || r.Revocable && !m.spec.Capabilities.Revocable || !r.AllocatableTo(x.Role) {
			t.Fatalf("%v: %v must not have %s", x, m.spec, r)
		}
		if !r.Divisible() && !a.Total.Contains(resources.Resources{r}.Unallocated()) {
			t.Fatalf("%v breaks something into parts", x)
		}
	}
	minimum, own := m.spec.Minimum[x.Role]
	if !own {
		minimum = allocator.DefaultMinimum()
	}
	if !slices.ContainsFunc(minimum, x.Resources.Quantities().Contains) && len(minimum) > 0 {
		t.Fatalf("%v is less than the minimum", x)
	}
	for _, d := range m.declined {
		if d.agent == x.Agent && d.role == x.Role && d.until.After(c.now) && d.refused.Contains(x.Resources) {
			t.Fatalf("%v was declined until %v, it is %v", x, d.until, c.now)
		}
	}
}

// decline gives back something and remembers that it was refused.
func (c *cluster) decline(t *rapid.T) {
	p, r := c.anyHeld(t)
	refuse := time.Duration(rapid.IntRange(0, 20).Draw(t, "s")) * time.Second
	c.h.Decline(c.now, p.framework, p.agent, r, refuse)
	if m := c.known[p.framework]; m != nil {
		for _, role := range m.spec.Roles {
			if part := r.AllocatedTo(role); !part.IsEmpty() {
				m.declined = append(m.declined, decline{p.agent, role, part, c.now.Add(refuse), c.now.Add(max(refuse, time.Second))})
			}
		}
	}
}

func (c *cluster) activateFramework(t *rapid.T) {
	id, active := sample(t, "framework", slices.Sorted(maps.Keys(c.known))), rapid.Bool().Draw(t, "active")
	c.h.SetFrameworkActive(c.now, id, active)
	m := c.known[id]
	if m.active && !active {
		m.declined = nil
	}
	m.active = active
}

func (c *cluster) suppress(t *rapid.T) {
	id := sample(t, "framework", slices.Sorted(maps.Keys(c.known)))
	c.h.Suppress(c.now, id)
	for _, role := range c.known[id].spec.Roles {
		c.known[id].suppressed[role] = true
	}
}

func (c *cluster) revive(t *rapid.T) {
	id := sample(t, "framework", slices.Sorted(maps.Keys(c.known)))
	role := rapid.SampledFrom(c.known[id].spec.Roles).Draw(t, "role")
	c.h.Revive(c.now, id, role)
	delete(c.known[id].suppressed, role)
	c.known[id].forget(func(d decline) bool { return d.role == role })
}

// reserved is r with a reservation for role on top of none.
func reserved(r resources.Resources, role string) resources.Resources {
	list := slices.Clone(r)
	for i := range list {
		list[i].Reservations = []resources.Reservation{{Dynamic: true, Role: role}}
	}
	return resources.Of(list...)
}

func plain(r resources.Resource) bool { return !r.Reserved() && !r.Revocable && r.Disk == nil }

// convertFree reserves what nobody holds, as an operator does.
func (c *cluster) convertFree(t *rapid.T) {
	id := sample(t, "agent", slices.Sorted(maps.Keys(c.agents)))
	from := c.freeOf(id).Filter(plain)
	if !c.agents[id].Total.Contains(from) {
		t.Skip("more is held than there is")
	}
	c.convert(t, place{"", id}, from, reserved(from, "a"))
}

// convertHeld reserves what a framework was offered.
func (c *cluster) convertHeld(t *rapid.T) {
	p, part := c.anyHeld(t)
	c.held[p] = c.held[p].Add(part) // only a look
	if part.IsEmpty() {
		t.Skip("nothing")
	}
	from := part.AllocatedTo(part[0].Allocation).Filter(plain)
	to := reserved(from, "b")
	if c.convert(t, p, from, to) {
		left, _ := c.held[p].Sub(from)
		c.held[p] = left.Add(to)
	}
}

func (c *cluster) convert(t *rapid.T, p place, from, to resources.Resources) bool {
	a := c.agents[p.agent]
	left, ok := a.Total.Sub(from.Unallocated())
	ok = ok && !from.IsEmpty()
	if from.IsEmpty() && p.framework == "" {
		return false
	}
	if got := c.h.Convert(c.now, p.framework, p.agent, from, to); got != ok {
		t.Fatalf("Convert(%s to %s) = %v, want %v", from, to, got, ok)
	}
	if ok {
		a.Total = left.Add(to.Unallocated())
		c.agents[p.agent] = a
	}
	return ok
}

// freeOf is what nobody holds of an agent.
func (c *cluster) freeOf(id mesos.AgentID) resources.Resources {
	free := c.agents[id].Total.NonShared()
	for p, r := range c.held {
		if p.agent == id {
			free = free.Minus(r.NonShared().Unallocated())
		}
	}
	return free
}

// checkLimits: a limit may be set below what is consumed, or reservations made beyond it; but nothing is added that
// quota counts.
func (c *cluster) checkLimits(t *rapid.T, before map[string]resources.Quantities) {
	for _, r := range c.h.Roles() {
		for name, limit := range c.quota[r.Name].Limits.All() {
			if now := r.Consumed.Get(name); now > limit && now > before[r.Name].Get(name) {
				t.Fatalf("role %s consumes %s of %s, above its limit %s", r.Name, now, name, limit)
			}
		}
	}
}

// consumed is what every role consumes.
func (c *cluster) consumed() map[string]resources.Quantities {
	out := map[string]resources.Quantities{}
	for _, r := range c.h.Roles() {
		out[r.Name] = r.Consumed
	}
	return out
}

func (c *cluster) declined(f mesos.FrameworkID, role string, id mesos.AgentID) bool {
	return slices.ContainsFunc(c.known[f].declined, func(d decline) bool {
		return d.agent == id && d.role == role && d.latest.After(c.now)
	})
}

// settled checks that everything that is free is withheld for a reason.
func (c *cluster) settled(t *rapid.T) {
	for id := range c.agents {
		for f := range c.known {
			for _, cl := range c.h.frameworks.at(c.h.names[f]).clients {
				role := c.h.clients.at(cl).name
				reasons := c.h.Explain(c.now, f, role, id)
				if len(reasons) == 0 {
					t.Fatalf("%s as %s could have some of %s on %s", f, role, c.freeOf(id), id)
				}
				if last := reasons[len(reasons)-1]; last.Name == allocator.Declined && !c.declined(f, role, id) {
					t.Fatalf("%s as %s did not decline anything on %s, but %v", f, role, id, last)
				}
			}
		}
	}
}

func TestNothingIsGivenTwiceAndNothingIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster(rapid.Uint64().Draw(t, "seed"))
		t.Repeat(map[string]func(*rapid.T){
			"agent":            c.addAgent,
			"remove agent":     c.removeAgent,
			"framework":        c.addFramework,
			"remove framework": c.removeFramework,
			"activate agent": func(t *rapid.T) {
				id := sample(t, "agent", slices.Sorted(maps.Keys(c.agents)))
				c.h.SetAgentActive(c.now, id, rapid.Bool().Draw(t, "active"))
			},
			"activate framework": c.activateFramework,
			"suppress":           c.suppress,
			"revive":             c.revive,
			"decline":            c.decline,
			"weight": func(t *rapid.T) {
				c.h.SetWeights(c.now, allocator.Weight{Role: "a", Value: rapid.Float64Range(0.1, 9).Draw(t, "weight")})
			},
			"quota": func(t *rapid.T) {
				role := rapid.SampledFrom([]string{"a", "b", "*"}).Draw(t, "role")
				c.quota[role] = rapid.SampledFrom(quotas).Draw(t, "quota")
				c.h.SetQuota(c.now, role, c.quota[role])
			},
			"recover": func(t *rapid.T) {
				p, r := c.anyHeld(t)
				c.h.Recover(c.now, p.framework, p.agent, r)
			},
			"hold": func(t *rapid.T) {
				id := sample(t, "agent", slices.Sorted(maps.Keys(c.agents)))
				p := place{mesos.FrameworkID(rapid.SampledFrom([]string{"f1", "f4"}).Draw(t, "framework")), id}
				part := rapid.SampledFrom([]resources.Resources{c.freeOf(id).Unreserved(), mustParse("cpus:3;mem:64")}).Draw(t, "part")
				part = part.Allocate("b")
				c.h.Hold(c.now, allocator.Holding{Framework: p.framework, Resources: part}, id)
				if !part.IsEmpty() {
					c.held[p] = c.held[p].Add(part)
				}
			},
			"allocate":     c.allocate,
			"convert free": c.convertFree,
			"convert held": c.convertHeld,
			"wait": func(t *rapid.T) {
				c.pass(t, time.Duration(rapid.IntRange(1, 9000).Draw(t, "ms"))*time.Millisecond)
			},
			"settle": func(t *rapid.T) {
				c.pass(t, time.Second+time.Millisecond)
				c.settled(t)
			},
			"": func(t *rapid.T) { c.books(t) },
		})
	})
}

// checkFilters checks the order of refusals, and counts their slots.
func checkFilters(t *rapid.T, a *agent, uses []int32) {
	for i := range a.filters.refusals {
		x := &a.filters.refusals[i]
		list := x.slots.slots()
		if i > 0 && a.filters.refusals[i-1].until > x.until || len(list) != x.slots.size || x.slots.size == 0 {
			t.Fatalf("refusals of %s are not in order: %v", a.spec.ID, a.filters.refusals)
		}
		for _, slot := range list {
			uses[slot]++
		}
	}
}

// books checks every sum the allocator keeps against what it is the sum of.
func (c *cluster) books(t *rapid.T) {
	h := c.h
	var total, spare resources.Quantities
	held, uses := map[int32]resources.Quantities{}, make([]int32, len(h.slots.uses))
	consumed := map[string]resources.Quantities{}
	for i := range h.agents.rows {
		a := h.agents.at(int32(i))
		if a.spec.ID == "" {
			continue
		}
		total = total.Add(a.spec.Total.Quantities())
		if a.active {
			spare = spare.Add(quantities(a.free.list, countsForQuota))
		}
		if want := c.freeOf(a.spec.ID); !want.Equal(a.free.list) {
			t.Fatalf("free of %s = %s, want %s", a.spec.ID, a.free.list, want)
		}
		for _, r := range a.spec.Total.Reserved() {
			top := h.roles.at(h.roles.at(h.roleNames[r.Role()]).top).name
			consumed[top] = consumed[top].Add(resources.Resources{r}.Quantities())
		}
		for _, x := range a.holdings {
			held[x.client] = held[x.client].Add(x.held.list.Quantities())
			top := h.roles.at(h.roles.at(h.clients.at(x.client).role).top).name
			consumed[top] = consumed[top].Add(quantities(x.held.list, countsForQuota))
			f := h.frameworks.at(h.clients.at(x.client).framework).spec.ID
			want := c.held[place{f, a.spec.ID}].AllocatedTo(h.clients.at(x.client).name).Unallocated()
			if !x.held.list.Equal(want) {
				t.Fatalf("%s holds %s on %s, want %s", f, x.held.list, a.spec.ID, want)
			}
		}
		checkFilters(t, a, uses)
	}
	if !slices.Equal(uses, h.slots.uses) {
		t.Fatalf("filters by slot = %v, want %v", h.slots.uses, uses)
	}
	if !h.free.Equal(spare) || !h.totals.Sum().Equal(total) {
		t.Fatalf("free, totals = %s, %s, want %s, %s", h.free, h.totals.Sum(), spare, total)
	}
	for _, r := range h.Roles() {
		if !r.Consumed.Equal(consumed[r.Name]) {
			t.Fatalf("role %s consumes %s, want %s", r.Name, r.Consumed, consumed[r.Name])
		}
	}
	for i := range h.clients.rows {
		x := h.clients.at(int32(i))
		if x.name == "" {
			continue
		}
		f := h.frameworks.at(x.framework)
		_, _, got, _ := h.roles.at(x.role).frameworks.Node(string(f.spec.ID))
		if !got.Equal(held[int32(i)]) {
			t.Fatalf("sorter says %s holds %s, want %s", f.spec.ID, got, held[int32(i)])
		}
		if competes := f.active && x.subscribed && !x.suppressed; competes != h.roles.at(x.role).frameworks.In(sorter.Active, x.place) ||
			competes != h.slots.competing.has(x.slot) || h.slots.owner[x.slot] != int32(i) {
			t.Fatalf("%s as %s competes = %v", f.spec.ID, x.name, !competes)
		}
	}
}

// fill runs frameworks that use all they are offered, and returns what each got.
func fill(t *testing.T, h allocator.Allocator, now time.Time, rounds int) map[mesos.FrameworkID]resources.Quantities {
	t.Helper()
	got := map[mesos.FrameworkID]resources.Quantities{}
	for range rounds {
		for _, x := range h.Allocate(now) {
			got[x.Framework] = got[x.Framework].Add(x.Resources.Quantities())
		}
		now = now.Add(time.Second)
	}
	return got
}

func TestSharesConverge(t *testing.T) {
	tests := []struct {
		name    string
		weights []float64
	}{
		{"equal roles", []float64{1, 1, 1, 1}},
		{"weighted roles", []float64{1, 2, 3, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Unix(1_700_000_000, 0)
			h := New(allocator.Config{Minimum: allocator.DefaultMinimum(), Rand: rand.New(rand.NewPCG(1, 2))})
			sum := 0.0
			for i, w := range tt.weights {
				role := fmt.Sprintf("r%d", i)
				h.SetWeights(now, allocator.Weight{Role: role, Value: w})
				h.AddFramework(now, allocator.Framework{ID: mesos.FrameworkID(role), Roles: []string{role}}, true)
				sum += w
			}
			const agents = 200
			for i := range agents {
				h.AddAgent(now, allocator.Agent{ID: mesos.AgentID(fmt.Sprintf("a%d", i)), Total: mustParse("cpus:2;mem:1024")}, nil)
			}
			got := fill(t, h, now, 1)
			for i, w := range tt.weights {
				f := mesos.FrameworkID(fmt.Sprintf("r%d", i))
				want := 2 * agents * w / sum
				if have := got[f].Get("cpus").Float(); have < want-2 || have > want+2 {
					t.Errorf("cpus of %s = %v, want %v", f, have, want)
				}
			}
		})
	}
}

func TestGuaranteesAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_700_000_000, 0)
		h := New(allocator.Config{Rand: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))})
		agents := rapid.IntRange(1, 6).Draw(t, "agents")
		left := map[string]int64{"cpus": int64(4000 * agents), "mem": int64(1_000_000 * agents)}
		guarantees := map[string]resources.Quantities{}
		for _, role := range []string{"a", "b", "c"} {
			var q resources.Quantities
			for _, name := range []string{"cpus", "mem"} {
				n := rapid.Int64Range(0, left[name]).Draw(t, role+" "+name)
				left[name] -= n
				q = q.With(name, resources.Scalar(n))
			}
			guarantees[role] = q
			h.SetQuota(now, role, allocator.Quota{Guarantees: q})
		}
		for _, role := range []string{"greedy", "d"} {
			h.AddFramework(now, allocator.Framework{ID: mesos.FrameworkID(role), Roles: []string{role}}, true)
		}
		for i := range agents {
			h.AddAgent(now, allocator.Agent{ID: mesos.AgentID(fmt.Sprint(i)), Total: mustParse("cpus:4;mem:1000")}, nil)
		}
		h.Allocate(now)
		for role, sub := range map[string]string{"a": "a", "b": "b", "c": "c"} {
			h.AddFramework(now, allocator.Framework{ID: mesos.FrameworkID(role), Roles: []string{sub}}, true)
		}
		h.Allocate(now)
		for _, r := range h.Roles() {
			if !r.Consumed.Contains(guarantees[r.Name]) {
				t.Fatalf("role %s has %s, was guaranteed %s", r.Name, r.Consumed, guarantees[r.Name])
			}
		}
	})
}

func TestTheNeediestIsServedFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_700_000_000, 0)
		h := New(allocator.Config{Rand: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))})
		type node struct {
			held   resources.Quantities
			weight float64
			turn   int
		}
		roles, frameworks := map[string]*node{}, map[string]map[string]*node{}
		for _, role := range []string{"a", "b", "c"} {
			w := float64(rapid.IntRange(1, 4).Draw(t, "weight"))
			h.SetWeights(now, allocator.Weight{Role: role, Value: w})
			roles[role], frameworks[role] = &node{weight: w}, map[string]*node{}
			for i := range rapid.IntRange(1, 3).Draw(t, "frameworks") {
				id := fmt.Sprint(role, i)
				frameworks[role][id] = &node{weight: 1}
				h.AddFramework(now, allocator.Framework{ID: mesos.FrameworkID(id), Roles: []string{role}}, true)
			}
		}
		var total resources.Quantities
		for i := range rapid.IntRange(1, 12).Draw(t, "agents") {
			r := mustParse(fmt.Sprintf("cpus:%d;mem:%d", rapid.IntRange(1, 8).Draw(t, "cpus"), rapid.IntRange(1, 8).Draw(t, "mem")))
			total = total.Add(r.Quantities())
			h.AddAgent(now, allocator.Agent{ID: mesos.AgentID(fmt.Sprint(i)), Total: r}, nil)
		}
		neediest := func(list map[string]*node) string {
			key := func(name string) float64 { return list[name].held.Dominant(total) / list[name].weight }
			return slices.MinFunc(slices.Sorted(maps.Keys(list)), func(x, y string) int {
				return cmp.Or(cmp.Compare(key(x), key(y)), cmp.Compare(list[x].turn, list[y].turn))
			})
		}
		for i, x := range h.Allocate(now) {
			role := neediest(roles)
			f := neediest(frameworks[role])
			if x.Role != role || string(x.Framework) != f {
				t.Fatalf("allocation %d goes to %s in %s, want %s in %s", i, x.Framework, x.Role, f, role)
			}
			for _, n := range []*node{roles[role], frameworks[role][f]} {
				n.held, n.turn = n.held.Add(x.Resources.Quantities()), i+1
			}
		}
	})
}

func TestAllocationsRepeat(t *testing.T) {
	once := func() string {
		c := newCluster(7)
		for i := range 50 {
			c.h.AddAgent(c.now, allocator.Agent{ID: mesos.AgentID(fmt.Sprint(i)), Total: mustParse("cpus:2;mem:1024")}, nil)
		}
		for i := range 7 {
			c.h.AddFramework(c.now, allocator.Framework{ID: mesos.FrameworkID(fmt.Sprint(i)), Roles: []string{"*"}}, true)
		}
		return fmt.Sprint(c.h.Allocate(c.now))
	}
	if a, b := once(), once(); a != b {
		t.Errorf("two runs from one seed differ:\n%s\n%s", a, b)
	}
}
