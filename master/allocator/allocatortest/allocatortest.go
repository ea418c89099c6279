// Package allocatortest holds what every allocation policy must do, whatever it decides: the contract of
// allocator.Allocator as a suite. A policy's own test calls Run.
package allocatortest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// Run tests a policy.
func Run(t *testing.T, policy allocator.New) {
	for name, test := range map[string]func(*testing.T, *world){
		"what is free is offered":                       everythingIsOffered,
		"a suppressed role gets nothing until revived":  suppressed,
		"an inactive framework gets nothing":            inactiveFramework,
		"an inactive agent gives nothing":               inactiveAgent,
		"a filter holds until its time and not longer":  filter,
		"revive forgets filters":                        revive,
		"a reservation is for its role":                 reservation,
		"revocable resources are for those who can":     revocable,
		"gpus are kept for those who can":               gpus,
		"constraints exclude agents":                    constraints,
		"a limit is kept":                               limit,
		"a guarantee is kept free":                      guarantee,
		"what is held elsewhere survives its framework": heldByStrangers,
		"a removed agent takes all with it":             removedAgent,
		"who is not there is ignored":                   strangers,
		"the same seed gives the same":                  repeatable(policy),
	} {
		t.Run(name, func(t *testing.T) { test(t, newWorld(policy, 1)) })
	}
	t.Run("nothing is in two places", func(t *testing.T) {
		for seed := range uint64(100) {
			soup(t, policy, seed)
		}
	})
}

// world is a policy under test and what it gave out.
type world struct {
	allocator.Allocator
	*rand.Rand
	now    time.Time
	totals map[mesos.AgentID]resources.Resources
	held   map[mesos.AgentID][]allocator.Allocation
}

func newWorld(policy allocator.New, seed uint64) *world {
	return &world{
		Allocator: policy(allocator.Config{
			Minimum: allocator.DefaultMinimum(), KeepGPUs: true, Region: "home", Rand: rand.New(rand.NewPCG(seed, 1)),
		}),
		Rand: rand.New(rand.NewPCG(seed, 2)), now: time.Unix(1_700_000_000, 0),
		totals: map[mesos.AgentID]resources.Resources{}, held: map[mesos.AgentID][]allocator.Allocation{},
	}
}

func parse(text string) resources.Resources {
	r, err := resources.Parse(text, mesos.AnyRole)
	if err != nil {
		panic(err)
	}
	return r
}

func (w *world) agent(id, total string) allocator.Agent {
	a := allocator.Agent{
		ID: mesos.AgentID(id), Hostname: id, Total: parse(total),
		Capabilities: allocator.AgentCapabilities{MultiRole: true, HierarchicalRole: true, ReservationRefinement: true},
		Attributes:   []allocator.Attribute{{Name: "name", Text: id}},
	}
	w.AddAgent(w.now, a, nil)
	w.totals[a.ID] = a.Total
	return a
}

func (w *world) framework(id, role string) allocator.Framework {
	f := allocator.Framework{
		ID: mesos.FrameworkID(id), Roles: []string{role},
		Capabilities: allocator.FrameworkCapabilities{MultiRole: true},
	}
	w.AddFramework(w.now, f, true)
	return f
}

// wait lets time pass, and the policy allocate whenever it says it is due.
func (w *world) wait(d time.Duration) []allocator.Allocation {
	var out []allocator.Allocation
	end := w.now.Add(d)
	for range 10_000 { // a policy that is always due would never end
		at, ok := w.Deadline()
		if !ok || at.After(end) {
			break
		}
		if at.After(w.now) {
			w.now = at
		}
		out = append(out, w.Allocate(w.now)...)
	}
	w.now = end
	for _, x := range out {
		w.held[x.Agent] = append(w.held[x.Agent], x)
	}
	return out
}

// sum is what allocations of some role ("" for all) contain.
func sum(list []allocator.Allocation, role string) resources.Resources {
	var all resources.Resources
	for _, x := range list {
		if role == "" || x.Role == role {
			all = all.Add(x.Resources.Unallocated())
		}
	}
	return all
}

func want(t *testing.T, list []allocator.Allocation, role, text string) {
	t.Helper()
	if got := sum(list, role); !got.Equal(parse(text)) {
		t.Errorf("role %q was offered %s, want %s", role, got, parse(text))
	}
}

func (w *world) declineAll(list []allocator.Allocation, refuse time.Duration) {
	for _, x := range list {
		w.Decline(w.now, x.Framework, x.Agent, x.Resources, refuse)
	}
}

func everythingIsOffered(t *testing.T, w *world) {
	w.agent("a1", "cpus:4;mem:4096;disk:100;ports:[1-9]")
	w.framework("f1", "r1")
	w.framework("f2", "r2")
	want(t, w.wait(2*time.Second), "", "cpus:4;mem:4096;disk:100;ports:[1-9]")
	want(t, w.wait(5*time.Second), "", "")
}

func suppressed(t *testing.T, w *world) {
	w.framework("f1", "r1")
	w.Suppress(w.now, "f1")
	w.agent("a1", "cpus:4;mem:4096")
	want(t, w.wait(5*time.Second), "", "")
	w.Revive(w.now, "f1")
	want(t, w.wait(2*time.Second), "", "cpus:4;mem:4096")
}

func inactiveFramework(t *testing.T, w *world) {
	f := w.framework("f1", "r1")
	w.SetFrameworkActive(w.now, f.ID, false)
	w.agent("a1", "cpus:4;mem:4096")
	want(t, w.wait(5*time.Second), "", "")
	w.SetFrameworkActive(w.now, f.ID, true)
	want(t, w.wait(2*time.Second), "", "cpus:4;mem:4096")
}

func inactiveAgent(t *testing.T, w *world) {
	a := w.agent("a1", "cpus:4;mem:4096")
	w.SetAgentActive(w.now, a.ID, false)
	w.framework("f1", "r1")
	want(t, w.wait(5*time.Second), "", "")
	w.SetAgentActive(w.now, a.ID, true)
	want(t, w.wait(2*time.Second), "", "cpus:4;mem:4096")
}

func filter(t *testing.T, w *world) {
	w.framework("f1", "r1")
	w.agent("a1", "cpus:4;mem:4096")
	w.declineAll(w.wait(2*time.Second), 30*time.Second)
	want(t, w.wait(29*time.Second), "", "")
	want(t, w.wait(3*time.Second), "", "cpus:4;mem:4096")
}

func revive(t *testing.T, w *world) {
	w.framework("f1", "r1")
	w.agent("a1", "cpus:4;mem:4096")
	w.declineAll(w.wait(2*time.Second), time.Hour)
	w.Revive(w.now, "f1")
	want(t, w.wait(2*time.Second), "", "cpus:4;mem:4096")
}

func reservation(t *testing.T, w *world) {
	w.agent("a1", "cpus(r1):4;mem(r1):4096")
	w.framework("f2", "r2")
	want(t, w.wait(5*time.Second), "", "")
	w.framework("f1", "r1/below")
	want(t, w.wait(2*time.Second), "r1/below", "cpus(r1):4;mem(r1):4096")
}

func revocable(t *testing.T, w *world) {
	total := `[{"name":"cpus","type":"SCALAR","scalar":{"value":4},"revocable":{}}]`
	w.agent("a1", total)
	f := w.framework("f1", "r1")
	want(t, w.wait(5*time.Second), "", "")
	f.Capabilities.Revocable = true
	w.UpdateFramework(w.now, f)
	want(t, w.wait(2*time.Second), "", total)
}

func gpus(t *testing.T, w *world) {
	w.agent("a1", "cpus:4;mem:4096;gpus:1")
	f := w.framework("f1", "r1")
	want(t, w.wait(5*time.Second), "", "")
	f.Capabilities.GPU = true
	w.UpdateFramework(w.now, f)
	want(t, w.wait(2*time.Second), "", "cpus:4;mem:4096;gpus:1")
}

func constraints(t *testing.T, w *world) {
	w.agent("a1", "cpus:1;mem:1024")
	w.agent("a2", "cpus:2;mem:2048")
	w.AddFramework(w.now, allocator.Framework{
		ID: "f1", Roles: []string{"r1"}, Capabilities: allocator.FrameworkCapabilities{MultiRole: true},
		Constraints: map[string]allocator.Constraints{
			"r1": {{{Attribute: "name", Predicate: allocator.TextEquals, Value: "a2"}}},
		},
	}, true)
	want(t, w.wait(5*time.Second), "", "cpus:2;mem:2048")
}

func limit(t *testing.T, w *world) {
	w.SetQuota(w.now, "r1", allocator.Quota{Limits: parse("cpus:3;mem:3072").Quantities().Limits()})
	w.framework("f1", "r1")
	w.framework("f2", "r1/below")
	for i := range 3 {
		w.agent(fmt.Sprint("a", i), "cpus:2;mem:2048")
	}
	got := sum(w.wait(5*time.Second), "").Quantities()
	if most := parse("cpus:3;mem:3072").Quantities(); !most.Contains(got) || got.IsEmpty() {
		t.Errorf("a branch with limit %s was offered %s", most, got)
	}
}

func guarantee(t *testing.T, w *world) {
	w.SetQuota(w.now, "r1", allocator.Quota{Guarantees: parse("cpus:2;mem:2048").Quantities()})
	w.framework("f2", "r2")
	for i := range 3 {
		w.agent(fmt.Sprint("a", i), "cpus:2;mem:2048")
	}
	w.wait(5 * time.Second)
	w.framework("f1", "r1")
	got := sum(w.wait(5*time.Second), "r1").Quantities()
	if least := parse("cpus:2;mem:2048").Quantities(); !got.Contains(least) {
		t.Errorf("a role that was guaranteed %s was offered %s", least, got)
	}
}

func heldByStrangers(t *testing.T, w *world) {
	a := w.agent("a1", "cpus:4;mem:4096")
	used := parse("cpus:1;mem:1024").Allocate("r1")
	w.Hold(w.now, allocator.Holding{Framework: "f1", Resources: used}, a.ID)
	w.framework("f2", "r2")
	want(t, w.wait(2*time.Second), "", "cpus:3;mem:3072")
	w.Recover(w.now, "f1", a.ID, used)
	want(t, w.wait(2*time.Second), "", "cpus:1;mem:1024")
}

func removedAgent(t *testing.T, w *world) {
	a := w.agent("a1", "cpus:4;mem:4096")
	f := w.framework("f1", "r1")
	list := w.wait(2 * time.Second)
	w.RemoveAgent(w.now, a.ID)
	for _, x := range list {
		w.Recover(w.now, x.Framework, x.Agent, x.Resources) // too late
	}
	w.RemoveFramework(w.now, f.ID)
	w.framework("f1", "r1")
	w.agent("a1", "cpus:4;mem:4096")
	want(t, w.wait(2*time.Second), "", "cpus:4;mem:4096")
}

func strangers(t *testing.T, w *world) {
	w.RemoveAgent(w.now, "x")
	w.SetAgentActive(w.now, "x", false)
	w.RemoveFramework(w.now, "x")
	w.SetFrameworkActive(w.now, "x", false)
	w.Suppress(w.now, "x")
	w.Revive(w.now, "x", "r")
	w.Recover(w.now, "x", "x", parse("cpus:1").Allocate("r"))
	w.Decline(w.now, "x", "x", parse("cpus:1").Allocate("r"), time.Second)
	want(t, w.wait(2*time.Second), "", "")
	if got := w.Explain(w.now, "x", "r", "x"); len(got) == 0 {
		t.Error("Explain finds no reason why a stranger gets nothing")
	}
}

func repeatable(policy allocator.New) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		once := func() string {
			w := newWorld(policy, 7)
			for i := range 50 {
				w.agent(fmt.Sprint("a", i), "cpus:2;mem:1024")
				w.framework(fmt.Sprint("f", i), fmt.Sprint("r", i%7))
			}
			return fmt.Sprint(w.wait(2 * time.Second))
		}
		if a, b := once(), once(); a != b {
			t.Errorf("two runs from one seed differ:\n%s\n%s", a, b)
		}
	}
}

// soup lets random frameworks take, keep and give back, and checks that nothing is offered twice and that nothing is
// idle in the end while somebody would take it.
func soup(t *testing.T, policy allocator.New, seed uint64) {
	w := newWorld(policy, seed)
	for i := range 2 + w.IntN(6) {
		w.agent(fmt.Sprint("a", i), fmt.Sprintf("cpus:%d;mem:%d;ports:[1-9]", 1+w.IntN(8), 64+w.IntN(8000)))
	}
	for i := range 1 + w.IntN(6) {
		w.framework(fmt.Sprint("f", i), []string{"*", "r1", "r1/x", "r2"}[w.IntN(4)])
	}
	for range 20 {
		w.wait(time.Duration(1+w.IntN(5000)) * time.Millisecond)
		w.check(t, seed)
		for id, list := range w.sorted() {
			at := w.IntN(len(list))
			if w.IntN(2) == 0 {
				continue
			}
			w.Decline(w.now, list[at].Framework, id, list[at].Resources, time.Duration(w.IntN(10))*time.Second)
			w.held[id] = slices.Delete(list, at, at+1)
		}
	}
	w.wait(time.Minute)
	w.check(t, seed)
	for id, total := range w.totals {
		if held := sum(w.held[id], ""); !held.Equal(total) {
			t.Errorf("seed %d: of %s on %s only %s is given out, though all frameworks want something", seed, total, id, held)
		}
	}
}

// sorted is what is held by agents, in their order.
func (w *world) sorted() func(yield func(mesos.AgentID, []allocator.Allocation) bool) {
	return func(yield func(mesos.AgentID, []allocator.Allocation) bool) {
		for i := range len(w.totals) {
			id := mesos.AgentID(fmt.Sprint("a", i))
			if list := w.held[id]; len(list) > 0 && !yield(id, list) {
				return
			}
		}
	}
}

func (w *world) check(t *testing.T, seed uint64) {
	t.Helper()
	for id, list := range w.held {
		if held := sum(list, "").Quantities(); !w.totals[id].Quantities().Contains(held) {
			t.Fatalf("seed %d: %s is given out on %s, which has %s", seed, held, id, w.totals[id])
		}
	}
}
