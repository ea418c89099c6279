package hierarchical

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/soukproject/souk/master/allocator"
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
	agents map[mesos.AgentID]resources.Resources
	known  map[mesos.FrameworkID]bool
	held   map[place]resources.Resources
	quota  map[string]allocator.Quota
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
		agents: map[mesos.AgentID]resources.Resources{},
		known:  map[mesos.FrameworkID]bool{},
		held:   map[place]resources.Resources{},
		quota:  map[string]allocator.Quota{},
	}
}

var (
	shapes = []string{
		"cpus:4;mem:4096;ports:[1-10]", "cpus:2;mem:8192", "cpus:4;mem:4096;gpus:2", "cpus:1;mem:64;fpgas:2",
		"cpus:2;mem:2048;cpus(a):2;mem(a):2048;ports(a):[1-5]", "cpus(a/b):2;mem(a/b):2048;cpus:1",
		`[{"name":"cpus","type":"SCALAR","scalar":{"value":3}},{"name":"mem","type":"SCALAR","scalar":{"value":512},"revocable":{}},
		{"name":"disk","type":"SCALAR","scalar":{"value":100},"disk":{"source":{"type":"MOUNT"}}},
		{"name":"disk","type":"SCALAR","scalar":{"value":10},"shared":{},"disk":{"persistence":{"id":"v1"},"volume":{"container_path":"d","mode":"RW"}},"reservations":[{"type":"DYNAMIC","role":"a"}]}]`,
	}
	roleSets = [][]string{{"*"}, {"a"}, {"b"}, {"a/b"}, {"a", "b"}, {"a/b", "a/c", "*"}}
	quotas   = []allocator.Quota{
		{},
		{Limits: resources.LimitsOf(resources.Quantity{Name: "cpus", Amount: 5500}, resources.Quantity{Name: "disk"})},
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
		ID: id, Total: mustParse(rapid.SampledFrom(shapes).Draw(t, "total")),
		Capabilities: allocator.AgentCapabilities{MultiRole: true, HierarchicalRole: true, ReservationRefinement: true},
		Attributes:   []allocator.Attribute{{Name: "rack", Text: rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "rack")}},
	}
	if _, there := c.agents[id]; there {
		c.h.UpdateAgent(c.now, a)
	} else {
		c.h.AddAgent(c.now, a, nil)
	}
	c.agents[id] = a.Total
}

func (c *cluster) removeAgent(t *rapid.T) {
	id := sample(t, "agent", slices.Sorted(maps.Keys(c.agents)))
	c.h.RemoveAgent(c.now, id)
	delete(c.agents, id)
	maps.DeleteFunc(c.held, func(p place, _ resources.Resources) bool { return p.agent == id })
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
	if c.known[id] {
		c.h.UpdateFramework(c.now, f)
	} else {
		c.h.AddFramework(c.now, f, rapid.Bool().Draw(t, "active"))
	}
	c.known[id] = true
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
		c.held[p] = c.held[p].Add(x.Resources)
	}
	c.checkLimits(t, before)
}

// freeOf is what nobody holds of an agent.
func (c *cluster) freeOf(id mesos.AgentID) resources.Resources {
	free := c.agents[id].NonShared()
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

// settled checks that everything that is free is withheld for a reason.
func (c *cluster) settled(t *rapid.T) {
	for id := range c.agents {
		for f := range c.known {
			for _, cl := range c.h.frameworks.at(c.h.names[f]).clients {
				role := c.h.clients.at(cl).name
				if reasons := c.h.Explain(c.now, f, role, id); len(reasons) == 0 {
					t.Fatalf("%s as %s could have some of %s on %s", f, role, c.freeOf(id), id)
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
			"activate framework": func(t *rapid.T) {
				id := sample(t, "framework", slices.Sorted(maps.Keys(c.known)))
				c.h.SetFrameworkActive(c.now, id, rapid.Bool().Draw(t, "active"))
			},
			"suppress": func(t *rapid.T) {
				c.h.Suppress(c.now, sample(t, "framework", slices.Sorted(maps.Keys(c.known))))
			},
			"revive": func(t *rapid.T) {
				c.h.Revive(c.now, sample(t, "framework", slices.Sorted(maps.Keys(c.known))))
			},
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
			"decline": func(t *rapid.T) {
				p, r := c.anyHeld(t)
				c.h.Decline(c.now, p.framework, p.agent, r, time.Duration(rapid.IntRange(0, 20).Draw(t, "s"))*time.Second)
			},
			"hold": func(t *rapid.T) {
				id := sample(t, "agent", slices.Sorted(maps.Keys(c.agents)))
				p := place{mesos.FrameworkID(rapid.SampledFrom([]string{"f1", "f4"}).Draw(t, "framework")), id}
				part := c.freeOf(id).Unreserved().Allocate("b")
				c.h.Hold(c.now, allocator.Holding{Framework: p.framework, Resources: part}, id)
				if !part.IsEmpty() {
					c.held[p] = c.held[p].Add(part)
				}
			},
			"allocate": c.allocate,
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

// books checks every sum the allocator keeps against what it is the sum of.
func (c *cluster) books(t *rapid.T) {
	h := c.h
	var total, spare resources.Quantities
	held := map[int32]resources.Quantities{}
	consumed := map[string]resources.Quantities{}
	for i := range h.agents.rows {
		a := h.agents.at(int32(i))
		if a.spec.ID == "" {
			continue
		}
		total = total.Add(a.spec.Total.Quantities())
		if a.active {
			spare = spare.Add(quantities(a.free, countsForQuota))
		}
		if want := c.freeOf(a.spec.ID); !want.Equal(a.free) {
			t.Fatalf("free of %s = %s, want %s", a.spec.ID, a.free, want)
		}
		for _, r := range a.spec.Total.Reserved() {
			top := h.roles.at(h.roles.at(h.roleNames[r.Role()]).top).name
			consumed[top] = consumed[top].Add(resources.Resources{r}.Quantities())
		}
		for _, x := range a.holdings {
			held[x.client] = held[x.client].Add(x.resources.Quantities())
			top := h.roles.at(h.roles.at(h.clients.at(x.client).role).top).name
			consumed[top] = consumed[top].Add(quantities(x.resources, countsForQuota))
			f := h.frameworks.at(h.clients.at(x.client).framework).spec.ID
			want := c.held[place{f, a.spec.ID}].AllocatedTo(h.clients.at(x.client).name).Unallocated()
			if !x.resources.Equal(want) {
				t.Fatalf("%s holds %s on %s, want %s", f, x.resources, a.spec.ID, want)
			}
		}
		if !slices.IsSortedFunc(a.filters, func(x, y filter) int { return int(x.client - y.client) }) {
			t.Fatalf("filters of %s are not sorted", a.spec.ID)
		}
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
		if competes := f.active && x.subscribed && !x.suppressed; competes != h.roles.at(x.role).frameworks.Active(x.place) {
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
