package random

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/allocatortest"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

func TestConformance(t *testing.T) { allocatortest.Run(t, New) }

func TestOptimistConformance(t *testing.T) { allocatortest.RunOptimist(t, New) }

// TestChancesFollowWeights: of many agents each role gets its part, though one holds much already.
func TestChancesFollowWeights(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a := New(allocator.Config{Rand: rand.New(rand.NewPCG(3, 4))})
	total, err := resources.Parse("cpus:2;mem:1024", "*")
	if err != nil {
		t.Fatal(err)
	}
	weights := map[string]float64{"r1": 1, "r2": 2, "r3": 5}
	for _, role := range []string{"r1", "r2", "r3"} {
		a.SetWeights(now, allocator.Weight{Role: role, Value: weights[role]})
		a.AddFramework(now, allocator.Framework{ID: mesos.FrameworkID(role), Roles: []string{role}}, true)
	}
	const agents = 4000
	for i := range agents {
		var held []allocator.Holding
		if i%10 == 0 {
			half, _ := resources.Parse("cpus:1;mem:512", "*")
			held = []allocator.Holding{{Framework: "r3", Resources: half.Allocate("r3")}}
		}
		a.AddAgent(now, allocator.Agent{ID: mesos.AgentID(fmt.Sprint(i)), Total: total}, held)
	}
	got := map[string]float64{}
	for _, x := range a.Allocate(now.Add(time.Second)) {
		got[x.Role]++
	}
	for role, weight := range weights {
		want := agents * weight / 8
		if math.Abs(got[role]-want) > 4*math.Sqrt(want) {
			t.Errorf("%s got %v agents, want about %v", role, got[role], want)
		}
	}
}
