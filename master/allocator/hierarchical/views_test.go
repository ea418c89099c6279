package hierarchical

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/allocatortest"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

func offering(o allocator.Offering) allocator.New {
	return func(cfg allocator.Config) allocator.Allocator {
		cfg.Offering = o
		return New(cfg)
	}
}

func TestSpreadConforms(t *testing.T) { allocatortest.Run(t, offering(allocator.Spread)) }

func TestPackConforms(t *testing.T) { allocatortest.Run(t, offering(allocator.Pack)) }

func TestSpreadSharesOneAgent(t *testing.T) {
	h := offering(allocator.Spread)(allocator.Config{Minimum: allocator.DefaultMinimum()})
	for i := range 4 {
		h.AddFramework(start, allocator.Framework{ID: mesos.FrameworkID(fmt.Sprint("f", i)), Roles: []string{"*"}}, true)
	}
	h.AddAgent(start, allocator.Agent{ID: "a", Total: mustParse("cpus:16;mem:1600;ports:[1-16]")}, nil)
	list := h.Allocate(start.Add(time.Second))
	for _, x := range list {
		if got := x.Resources.Unallocated().Quantities(); !got.Equal(mustParse("cpus:4;mem:400").Quantities()) || x.Resources.Ports().Size() != 4 {
			t.Errorf("%s got %s, want a quarter", x.Framework, x.Resources)
		}
	}
	if len(list) != 4 {
		t.Errorf("%d allocations, want 4", len(list))
	}
}

func TestPackLeavesEmptyAgentsForLast(t *testing.T) {
	h := offering(allocator.Pack)(allocator.Config{Minimum: allocator.DefaultMinimum(), Rand: rand.New(rand.NewPCG(1, 1))}).(*Allocator)
	h.AddFramework(start, allocator.Framework{ID: "f", Roles: []string{"*"}}, true)
	for i := range 20 {
		var held []allocator.Holding
		if i%2 == 0 {
			held = []allocator.Holding{{Framework: "g", Resources: mustParse("cpus:1").Allocate("*")}}
		}
		h.AddAgent(start, allocator.Agent{ID: mesos.AgentID(fmt.Sprintf("a%02d", i)), Total: mustParse("cpus:2;mem:1024")}, held)
	}
	for i, x := range h.Allocate(start.Add(time.Second)) {
		empty := x.Agent[len(x.Agent)-1]%2 == 1
		if empty != (i >= 10) {
			t.Errorf("allocation %d is of %s", i, x.Agent)
		}
	}
}

func TestExplainAllGroups(t *testing.T) {
	h := newAllocator()
	h.AddFramework(start, allocator.Framework{ID: "busy", Roles: []string{"r1"}}, true)
	for i := range 10 {
		h.AddAgent(start, allocator.Agent{ID: mesos.AgentID(fmt.Sprint("held", i)), Total: mustParse("cpus:2;mem:1024")}, nil)
	}
	h.Allocate(start.Add(time.Second))
	h.Suppress(start, "busy")
	h.AddFramework(start, allocator.Framework{ID: "f", Roles: []string{"r2"}}, true)
	for i := range 3 {
		h.AddAgent(start, allocator.Agent{ID: mesos.AgentID(fmt.Sprint("declined", i)), Total: mustParse("cpus:2;mem:1024")}, nil)
	}
	for i, x := range h.Allocate(start.Add(2 * time.Second)) {
		h.Decline(start.Add(2*time.Second), x.Framework, x.Agent, x.Resources, time.Duration(10*(i+1))*time.Second)
	}
	h.AddAgent(start, allocator.Agent{ID: "off", Total: mustParse("cpus:2;mem:1024")}, nil)
	h.SetAgentActive(start, "off", false)
	h.AddAgent(start, allocator.Agent{ID: "reserved", Total: mustParse("cpus(x):2;mem(x):1024")}, nil)
	h.AddAgent(start, allocator.Agent{ID: "small", Total: mustParse("mem:1")}, nil)

	got := h.ExplainAll(start.Add(3*time.Second), allocator.Question{Framework: "f"})
	group := func(r allocator.ReasonName, n int, examples ...mesos.AgentID) allocator.Group {
		return allocator.Group{Framework: "f", Role: "r2", Reason: r, Agents: n, Examples: examples}
	}
	held, declined := group(allocator.HeldByOthers, 10, "held0", "held1", "held2"), group(allocator.Declined, 3, "declined0", "declined1", "declined2")
	held.Holders = []allocator.Holder{{Framework: "busy", Role: "r1", Agents: 10}}
	declined.First, declined.Last = start.Add(12*time.Second), start.Add(32*time.Second)
	want := []allocator.Group{
		held, declined, group(allocator.AgentInactive, 1, "off"), group(allocator.BelowMinimum, 1, "small"),
		group(allocator.ReservedForOthers, 1, "reserved"),
	}
	if diff := cmp.Diff(want, got.Groups, cmpopts.EquateApproxTime(0)); diff != "" || got.Next != (allocator.Cursor{}) {
		t.Errorf("ExplainAll differs (-want +got):\n%s\nnext: %v", diff, got.Next)
	}
	if got := h.ExplainAll(start, allocator.Question{Role: "r1", Agent: "off"}); len(got.Groups) != 2 {
		t.Errorf("ExplainAll of an inactive agent for a suppressed role = %v, want two reasons", got)
	}
}

// TestExplainAllInParts: a large question is answered in parts, and the parts say the same as the whole.
func TestExplainAllInParts(t *testing.T) {
	s := size{agents: 50, frameworks: 7}
	h := newAllocator()
	for i := range s.frameworks {
		h.AddFramework(start, s.framework(i), true)
	}
	for i := range s.agents {
		h.AddAgent(start, s.agent(i), nil)
	}
	for i, x := range h.Allocate(start.Add(time.Second)) {
		if i%2 == 0 {
			h.Decline(start.Add(time.Second), x.Framework, x.Agent, x.Resources, time.Duration(i)*time.Second)
		}
	}
	now := start.Add(2 * time.Second)
	whole := h.ExplainAll(now, allocator.Question{})
	if whole.Pairs != s.agents*s.frameworks || whole.Next != (allocator.Cursor{}) {
		t.Fatalf("%d pairs, next %v, want all %d", whole.Pairs, whole.Next, s.agents*s.frameworks)
	}
	for _, pairs := range []int{1, 13, 50, 349} {
		q := allocator.Question{Pairs: pairs}
		got := h.ExplainAll(now, q)
		for got.Next != (allocator.Cursor{}) {
			q.From = got.Next
			next := h.ExplainAll(now, q)
			if next.Pairs > pairs {
				t.Fatalf("%d pairs looked at, want %d at most", next.Pairs, pairs)
			}
			got = got.Merge(next)
		}
		if diff := cmp.Diff(whole, got, ignoreHolders); diff != "" {
			t.Errorf("parts of %d differ from the whole (-want +got):\n%s", pairs, diff)
		}
	}
}

// ignoreHolders: parts know the most important of their own only.
var ignoreHolders = cmpopts.IgnoreFields(allocator.Group{}, "Holders")

// insight says that one agent drains and that the framework named offers has nothing but offers.
type insight struct{}

func (insight) Inactive(mesos.AgentID) allocator.ReasonName { return allocator.AgentDraining }

func (insight) Offered(f mesos.FrameworkID, _ string, _ mesos.AgentID) bool { return f == "offers" }

func TestExplainAllAsksForInsight(t *testing.T) {
	h := newAllocator()
	for _, id := range []mesos.FrameworkID{"f", "offers", "uses"} {
		h.AddFramework(start, allocator.Framework{ID: id, Roles: []string{"*"}}, true)
	}
	for id, by := range map[mesos.AgentID]mesos.FrameworkID{"drains": "uses", "offered": "offers", "used": "uses"} {
		total := mustParse("cpus:2;mem:1024")
		h.AddAgent(start, allocator.Agent{ID: id, Total: total}, []allocator.Holding{{Framework: by, Resources: total.Allocate("*")}})
	}
	h.SetAgentActive(start, "drains", false)
	why := func(f mesos.FrameworkID, a mesos.AgentID) (all []allocator.ReasonName) {
		for _, g := range h.ExplainAll(start, allocator.Question{Framework: f, Agent: a, Insight: insight{}}).Groups {
			all = append(all, g.Reason)
		}
		return all
	}
	for _, tt := range []struct {
		framework mesos.FrameworkID
		agent     mesos.AgentID
		want      []allocator.ReasonName
	}{
		{"f", "drains", []allocator.ReasonName{allocator.AgentDraining, allocator.HeldByOthers}},
		{"f", "offered", []allocator.ReasonName{allocator.OfferedToOthers}},
		{"offers", "offered", []allocator.ReasonName{allocator.OfferedToItself}},
		{"f", "used", []allocator.ReasonName{allocator.HeldByOthers}},
		{"uses", "used", []allocator.ReasonName{allocator.HeldByItself}},
	} {
		if diff := cmp.Diff(tt.want, why(tt.framework, tt.agent)); diff != "" {
			t.Errorf("%s on %s (-want +got):\n%s", tt.framework, tt.agent, diff)
		}
	}
}

// TestExplainAllOfAnAgentInParts: who holds an offer of what others leave is told so, whatever keeps the rest from it.
func TestExplainAllOfAnAgentInParts(t *testing.T) {
	h := newAllocator()
	h.SetQuota(start, "limited", allocator.Quota{Limits: resources.LimitsOf(resources.Quantity{Name: "cpus", Amount: 0})})
	for id, role := range map[mesos.FrameworkID]string{"uses": "free", "offers": "limited"} {
		h.AddFramework(start, allocator.Framework{ID: id, Roles: []string{role}}, true)
	}
	used := allocator.Holding{Framework: "uses", Resources: mustParse("cpus:1;mem:512").Allocate("free")}
	offer := mustParse("mem:512").Allocate("limited")
	h.AddAgent(start, allocator.Agent{ID: "full", Total: mustParse("cpus:1;mem:1024")},
		[]allocator.Holding{used, {Framework: "offers", Resources: offer}})
	h.AddAgent(start, allocator.Agent{ID: "cut", Total: mustParse("cpus:2;mem:1024")},
		[]allocator.Holding{used, {Framework: "offers", Resources: offer}})
	for agent, want := range map[mesos.AgentID][]allocator.ReasonName{
		"full": {allocator.OfferedToItself},
		"cut":  {allocator.OfferedToItself, allocator.QuotaLimit},
	} {
		var got []allocator.ReasonName
		for _, g := range h.ExplainAll(start, allocator.Question{Framework: "offers", Agent: agent, Insight: insight{}}).Groups {
			got = append(got, g.Reason)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", agent, diff)
		}
	}
}

func TestHeadroom(t *testing.T) {
	h := newAllocator()
	h.AddAgent(start, allocator.Agent{ID: "a", Total: mustParse("cpus:4;mem:4096")}, nil)
	h.SetQuota(start, "b", allocator.Quota{Guarantees: mustParse("cpus:3").Quantities()})
	h.SetQuota(start, "a", allocator.Quota{Guarantees: mustParse("cpus:2;mem:512").Quantities()})
	h.Hold(start, allocator.Holding{Framework: "f", Resources: mustParse("cpus:1").Allocate("a/x")}, "a")
	q := func(text string) resources.Quantities { return mustParse(text).Quantities() }
	want := allocator.Headroom{
		Capacity: q("cpus:4;mem:4096"), Guarantees: q("cpus:5;mem:512"), Overcommit: q("cpus:1"),
		Free: q("cpus:3;mem:4096"), Required: q("cpus:4;mem:512"), Short: q("cpus:1"),
		Owed: []allocator.Debt{{Role: "a", Owed: q("cpus:1;mem:512")}, {Role: "b", Owed: q("cpus:3")}},
	}
	if diff := cmp.Diff(want, h.Headroom()); diff != "" {
		t.Errorf("Headroom differs (-want +got):\n%s", diff)
	}
}

// TestSteadyCycleAllocatesNothingPerAgent: once everything has been seen, a cycle takes memory for its answer alone.
func TestSteadyCycleAllocatesNothingPerAgent(t *testing.T) {
	s := size{agents: 1000, frameworks: 50}
	h, now := newAllocator(), start
	for i := range s.frameworks {
		h.AddFramework(now, s.framework(i), true)
	}
	for i := range s.agents {
		h.AddAgent(now, s.agent(i), nil)
	}
	cycle := func() {
		now = now.Add(time.Second)
		list := h.Allocate(now)
		if len(list) != s.agents {
			t.Fatalf("%d allocations, want %d", len(list), s.agents)
		}
		for _, x := range list {
			h.Recover(now, x.Framework, x.Agent, x.Resources)
		}
	}
	for range 200 { // every agent has met every role
		cycle()
	}
	if n := testing.AllocsPerRun(20, cycle); n > 10 {
		t.Errorf("allocations of memory in a cycle of %d agents = %v, want a few", s.agents, n)
	}
}

// TestVoidFiltersAreSweptAway: a framework that refuses for a year and revives over and over leaves nothing behind.
func TestVoidFiltersAreSweptAway(t *testing.T) {
	s := size{agents: 5, frameworks: 3}
	h, now := newAllocator(), start
	for i := range s.frameworks {
		h.AddFramework(now, s.framework(i), true)
	}
	for i := range s.agents {
		h.AddAgent(now, s.agent(i), nil)
	}
	for range 1000 {
		now = now.Add(time.Second)
		list := h.Allocate(now)
		if len(list) != s.agents {
			t.Fatalf("%d allocations after everybody revived, want %d", len(list), s.agents)
		}
		declineList(h, now, list, 365*24*time.Hour)
		for i := range s.frameworks {
			h.Revive(now, s.framework(i).ID)
		}
	}
	filed := 0
	for i := range h.agents.rows {
		for j := range h.agents.rows[i].filters.refusals {
			filed += h.agents.rows[i].filters.refusals[j].slots.size
		}
	}
	if len(h.slots.owner) > 300 || filed > 1000 {
		t.Errorf("%d slots and %d filters remain of %d that are void", len(h.slots.owner), filed, 1000*s.agents)
	}
}
