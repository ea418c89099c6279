package hierarchical

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
)

// The names and parameters are those of Mesos' HierarchicalAllocator_BENCHMARK_Test, so that figures compare. Its
// larger sizes are asked for with -sizes=50000x1000,50000x6000.
var sizes = flag.String("sizes", "1000x1,1000x50,1000x1000,5000x200", "agents x frameworks of the benchmarks")

type size struct{ agents, frameworks int }

func eachSize(b *testing.B, run func(b *testing.B, s size)) {
	for text := range strings.SplitSeq(*sizes, ",") {
		left, right, _ := strings.Cut(text, "x")
		agents, err1 := strconv.Atoi(left)
		frameworks, err2 := strconv.Atoi(right)
		if err1 != nil || err2 != nil {
			b.Fatalf("-sizes=%s: %q is not AGENTSxFRAMEWORKS", *sizes, text)
		}
		b.Run(fmt.Sprintf("agents=%d/frameworks=%d", agents, frameworks), func(b *testing.B) {
			b.ReportAllocs()
			run(b, size{agents, frameworks})
		})
	}
}

func (s size) agent(i int) allocator.Agent {
	return allocator.Agent{
		ID: mesos.AgentID(fmt.Sprintf("agent-%d", i)), Total: mustParse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]"),
		Capabilities: allocator.AgentCapabilities{MultiRole: true, HierarchicalRole: true},
	}
}

func (s size) framework(i int) allocator.Framework {
	return allocator.Framework{
		ID: mesos.FrameworkID(fmt.Sprintf("framework-%d", i)), Roles: []string{fmt.Sprintf("role-%d", i%100)},
		Capabilities: allocator.FrameworkCapabilities{MultiRole: true},
	}
}

// world is a cluster in which every agent runs a task of some framework.
func (s size) world() (allocator.Allocator, time.Time) {
	now := time.Unix(1_700_000_000, 0)
	h := New(allocator.Config{Minimum: allocator.DefaultMinimum(), Rand: rand.New(rand.NewPCG(1, 1))})
	for i := range s.frameworks {
		h.AddFramework(now, s.framework(i), true)
	}
	for i := range s.agents {
		f := s.framework(i % s.frameworks)
		used := mustParse("cpus:2;mem:1024;ports:[31126-31510]").Allocate(f.Roles[0])
		h.AddAgent(now, s.agent(i), []allocator.Holding{{Framework: f.ID, Resources: used}})
	}
	return h, now
}

// BenchmarkAddAndUpdateAgent adds all agents, then changes what each has.
func BenchmarkAddAndUpdateAgent(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) {
		for b.Loop() {
			h, now := s.world()
			for i := range s.agents {
				h.UpdateAgent(now, s.agent(i))
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(s.agents), "ns/agent")
	})
}

// BenchmarkDeclineOffers allocates everything; every framework refuses what it was offered, for long. One iteration is
// one allocation of the whole cluster and all its declines.
func BenchmarkDeclineOffers(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) {
		h, now := s.world()
		var allocating time.Duration
		rounds := 0
		for b.Loop() {
			if rounds++; rounds%max(s.frameworks, 1) == 0 { // everybody has refused everything
				b.StopTimer()
				h, now = s.world()
				b.StartTimer()
			}
			now = now.Add(time.Second)
			start := time.Now()
			list := h.Allocate(now)
			allocating += time.Since(start)
			for _, x := range list {
				h.Decline(now, x.Framework, x.Agent, x.Resources, time.Hour)
			}
		}
		b.ReportMetric(float64(allocating.Nanoseconds())/float64(rounds), "ns/allocation")
	})
}

// BenchmarkSuppressOffers: all frameworks but one have suppressed their roles.
func BenchmarkSuppressOffers(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) {
		h, now := s.world()
		for i := 1; i < s.frameworks; i++ {
			h.Suppress(now, s.framework(i).ID)
		}
		for b.Loop() {
			now = now.Add(time.Second)
			for _, x := range h.Allocate(now) {
				h.Decline(now, x.Framework, x.Agent, x.Resources, 0)
			}
		}
	})
}
