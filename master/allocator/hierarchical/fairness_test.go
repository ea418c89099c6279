package hierarchical

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/allocatortest"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

func TestConformance(t *testing.T) { allocatortest.Run(t, New) }

func TestOptimistConformance(t *testing.T) { allocatortest.RunOptimist(t, New) }

// user is a framework that runs tasks of one size, as many as it can.
type user struct {
	demand  resources.Resources // of a task, as it says
	need    resources.Resources // of a task, in truth
	holding resources.Quantities
	real    resources.Quantities // what of it is of use
}

// economy fills a cluster whose agents are small parts of it with tasks of users of equal weight.
func economy(seed uint64, agents int, users []*user) (total resources.Quantities) {
	now := time.Unix(1_700_000_000, 0)
	h := New(allocator.Config{Rand: rand.New(rand.NewPCG(seed, 0))})
	for i := range users {
		id := fmt.Sprintf("u%d", i)
		h.AddFramework(now, allocator.Framework{ID: mesos.FrameworkID(id), Roles: []string{id}}, true)
	}
	for i := range agents {
		r := mustParse("cpus:8;mem:8")
		total = total.Add(r.Quantities())
		h.AddAgent(now, allocator.Agent{ID: mesos.AgentID(fmt.Sprint(i)), Total: r}, nil)
	}
	for idle := false; !idle; now = now.Add(time.Second) {
		idle = true
		for _, x := range h.Allocate(now) {
			var u *user
			for i := range users {
				if fmt.Sprintf("u%d", i) == x.Role {
					u = users[i]
				}
			}
			rest, ok := x.Resources.Sub(u.demand.Allocate(x.Role))
			if !ok { // nothing for a task of this size: leave it to others for good
				h.Decline(now, x.Framework, x.Agent, x.Resources, 24*time.Hour)
				continue
			}
			idle = false
			u.holding = u.holding.Add(u.demand.Quantities())
			u.real = u.real.Add(u.need.Quantities())
			h.Decline(now, x.Framework, x.Agent, rest, 0)
		}
		if at, ok := h.Deadline(); ok && at.Sub(now) < time.Hour {
			idle = false
		}
	}
	return total
}

func drawUsers(t *rapid.T) []*user {
	var users []*user
	for range rapid.IntRange(2, 4).Draw(t, "users") {
		demand := mustParse(fmt.Sprintf("cpus:%d;mem:%d", rapid.IntRange(1, 4).Draw(t, "cpus"), rapid.IntRange(1, 4).Draw(t, "mem")))
		users = append(users, &user{demand: demand, need: demand})
	}
	return users
}

// TestSharingIncentive: nobody runs fewer tasks than in a part of the cluster of its own; and TestEnvyFreeness: nobody
// would run more with what another has. Both hold up to what tasks and agents cannot be divided into.
func TestSharingIncentiveAndEnvyFreeness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		users := drawUsers(t)
		total := economy(rapid.Uint64().Draw(t, "seed"), 12, users)
		runs := func(u *user, with resources.Quantities) float64 {
			return min(with.Get("cpus").Float()/u.demand.Scalar("cpus").Float(), with.Get("mem").Float()/u.demand.Scalar("mem").Float())
		}
		const rounding = 0.34 // of the tasks: an agent of 8 takes two tasks of 3, and leaves a quarter
		for i, u := range users {
			mine, alone := runs(u, u.holding), runs(u, total)/float64(len(users))
			if mine < alone*(1-rounding)-2 {
				t.Fatalf("user %d runs %v tasks of %s, alone it would run %v", i, mine, u.demand, alone)
			}
			for j, v := range users {
				if theirs := runs(u, v.holding); mine < theirs*(1-rounding)-2 {
					t.Fatalf("user %d runs %v tasks of %s, with what user %d has it would run %v", i, mine, u.demand, j, theirs)
				}
			}
		}
	})
}

// TestStrategyProofness: who claims to need more of something than it does runs no more of its tasks.
func TestStrategyProofness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		honest, seed := drawUsers(t), rapid.Uint64().Draw(t, "seed")
		var lying []*user
		for _, u := range honest {
			lying = append(lying, &user{demand: u.demand, need: u.need})
		}
		lying[0].demand = lying[0].demand.Add(mustParse(rapid.SampledFrom([]string{"cpus:1", "mem:1", "cpus:1;mem:2"}).Draw(t, "lie")))
		economy(seed, 12, honest)
		economy(seed, 12, lying)
		before, after := honest[0].real.Get("cpus").Float(), lying[0].real.Get("cpus").Float()
		if per := honest[0].need.Scalar("cpus").Float(); after > before*1.34+2*per {
			t.Fatalf("honest %v cpus of use, lying %v", before, after)
		}
	})
}

// TestEqualFrameworksGetEqualParts: with F frameworks that accept everything, each gets 1/F within two in a hundred.
func TestEqualFrameworksGetEqualParts(t *testing.T) {
	for _, f := range []int{2, 5, 20} {
		now := time.Unix(1_700_000_000, 0)
		h := New(allocator.Config{Minimum: allocator.DefaultMinimum(), Rand: rand.New(rand.NewPCG(uint64(f), 2))})
		for i := range f {
			h.AddFramework(now, allocator.Framework{ID: mesos.FrameworkID(fmt.Sprint(i)), Roles: []string{fmt.Sprintf("r%d", i%4)}}, true)
		}
		const agents = 2000
		for i := range agents {
			h.AddAgent(now, allocator.Agent{ID: mesos.AgentID(fmt.Sprint(i)), Total: mustParse("cpus:2;mem:1024")}, nil)
		}
		roles := min(f, 4)
		members := func(i int) int { return (f - i%4 + 3) / 4 } // of the role of framework i
		for id, got := range fill(t, h, now, 3) {
			var i int
			if _, err := fmt.Sscan(string(id), &i); err != nil {
				t.Fatal(err)
			}
			want := 2.0 * agents / float64(roles) / float64(members(i))
			if have := got.Get("cpus").Float(); have < want*0.98 || have > want*1.02 {
				t.Errorf("%d frameworks: %s has %v cpus, want %v", f, id, have, want)
			}
		}
	}
}

// TestEqualFrameworksGetEqualPartsOptimistically: the same where offers are optimistic, all frameworks accept all they
// are shown in the order in which it is shown, and tasks end by and by.
func TestEqualFrameworksGetEqualPartsOptimistically(t *testing.T) {
	for _, f := range []int{2, 5, 20} {
		now, random := time.Unix(1_700_000_000, 0), rand.New(rand.NewPCG(uint64(f), 3))
		h := New(allocator.Config{
			Minimum: allocator.DefaultMinimum(), Rivals: allocator.DefaultRivals, Rand: rand.New(rand.NewPCG(uint64(f), 2)),
		})
		optimist := h.(allocator.Optimist)
		for i := range f {
			h.AddFramework(now, allocator.Framework{ID: mesos.FrameworkID(fmt.Sprint(i)), Roles: []string{"r"}}, true)
		}
		const agents = 2000
		for i := range agents {
			h.AddAgent(now, allocator.Agent{ID: mesos.AgentID(fmt.Sprint(i)), Total: mustParse("cpus:2;mem:1024")}, nil)
		}
		holds, count := map[mesos.AgentID]allocator.Allocation{}, map[mesos.FrameworkID]int{}
		const rounds = 40
		for round := range rounds {
			for now = now.Add(time.Minute); ; now = now.Add(time.Second) {
				shown := h.Allocate(now)
				if len(shown) == 0 {
					break
				}
				for _, x := range shown {
					if optimist.Claim(now, x.Framework, x.Role, x.Agent) {
						holds[x.Agent] = x
						count[x.Framework]++
					}
				}
				for _, x := range optimist.Stale() {
					optimist.Withdraw(now, x.Framework, x.Role, x.Agent)
				}
			}
			if len(holds) != agents {
				t.Fatalf("%d frameworks: %d of %d agents are in use", f, len(holds), agents)
			}
			if round == rounds-1 {
				break
			}
			for i := range agents {
				id := mesos.AgentID(fmt.Sprint(i))
				if x := holds[id]; random.IntN(10) == 0 {
					h.Recover(now, x.Framework, x.Agent, x.Resources)
					delete(holds, id)
					count[x.Framework]--
				}
			}
		}
		want := float64(agents) / float64(f)
		for i := range f {
			if got := float64(count[mesos.FrameworkID(fmt.Sprint(i))]); got < want*0.98-1 || got > want*1.02+1 {
				t.Errorf("%d frameworks: %d holds %v agents, want %v", f, i, got, want)
			}
		}
	}
}
