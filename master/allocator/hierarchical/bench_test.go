package hierarchical

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// The names and parameters are those of Mesos' benchmarks of its hierarchical allocator, so that figures compare. Its
// larger sizes are asked for with -sizes=50000x1000,50000x6000 and so on. What is measured is processor time, as the
// median of the iterations: the machine may be busy.
var (
	sizes = flag.String("sizes", "1000x50,5000x200", "agents x frameworks of the benchmarks")
	roles = flag.Int("quota-roles", 300, "roles of the benchmarks of quota")
)

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

// spent is the processor time of this process.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// stopwatch collects the processor time of one step of every iteration. Its name is the unit it reports.
type stopwatch struct {
	name string
	laps []time.Duration
}

func (w *stopwatch) time(step func()) {
	start := spent()
	step()
	w.laps = append(w.laps, spent()-start)
}

func (w *stopwatch) report(b *testing.B) {
	slices.Sort(w.laps)
	b.ReportMetric(float64(w.laps[len(w.laps)/2].Microseconds())/1000, w.name)
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

var start = time.Unix(1_700_000_000, 0)

func newAllocator() *Allocator {
	return New(allocator.Config{Minimum: allocator.DefaultMinimum(), Rand: rand.New(rand.NewPCG(1, 1))}).(*Allocator)
}

// world is a cluster in which every agent runs a task of some framework.
func (s size) world() *Allocator {
	h := newAllocator()
	for i := range s.frameworks {
		h.AddFramework(start, s.framework(i), true)
	}
	for i := range s.agents {
		f := s.framework(i % s.frameworks)
		used := mustParse("cpus:2;mem:1024;ports:[31126-31510]").Allocate(f.Roles[0])
		h.AddAgent(start, s.agent(i), []allocator.Holding{{Framework: f.ID, Resources: used}})
	}
	return h
}

// declineList gives a list back.
func declineList(h *Allocator, now time.Time, list []allocator.Allocation, refuse time.Duration) {
	for _, x := range list {
		h.Decline(now, x.Framework, x.Agent, x.Resources, refuse)
	}
}

// BenchmarkAddAndUpdateAgent adds all agents, then changes what each has.
func BenchmarkAddAndUpdateAgent(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) {
		add, update := stopwatch{name: "cpu-ms/add-all"}, stopwatch{name: "cpu-ms/update-all"}
		for b.Loop() {
			h := newAllocator()
			for i := range s.frameworks {
				h.AddFramework(start, s.framework(i), true)
			}
			agents := make([]allocator.Agent, s.agents)
			for i := range agents {
				agents[i] = s.agent(i)
			}
			used := mustParse("cpus:2;mem:1024;ports:[31126-31510]").Allocate("role-0")
			f := s.framework(0).ID
			add.time(func() {
				for i := range agents {
					h.AddAgent(start, agents[i], []allocator.Holding{{Framework: f, Resources: used}})
				}
			})
			for i := range agents {
				agents[i].Total = agents[i].Total.Add(mustParse("gpus:1"))
			}
			update.time(func() {
				for i := range agents {
					h.UpdateAgent(start, agents[i])
				}
			})
		}
		add.report(b)
		update.report(b)
	})
}

// BenchmarkDeclineOffers: what is measured is one allocation of everything; then every framework declines for long
// what it was offered. When all have declined all, it begins anew.
func BenchmarkDeclineOffers(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) {
		h, now := s.world(), start
		cycle, declines := stopwatch{name: "cpu-ms/cycle"}, stopwatch{name: "cpu-ms/declines"}
		rounds := 0
		for b.Loop() {
			if rounds++; rounds%s.frameworks == 0 {
				h = s.world()
			}
			now = now.Add(time.Second)
			var list []allocator.Allocation
			cycle.time(func() { list = h.Allocate(now) })
			declines.time(func() { declineList(h, now, list, time.Hour) })
			if len(list) != s.agents {
				b.Fatalf("%d allocations, want one for each of %d agents", len(list), s.agents)
			}
		}
		cycle.report(b)
		declines.report(b)
		b.ReportMetric(heap(), "MB")
		runtime.KeepAlive(h)
	})
}

// heap is how many MB are in use after a collection.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse) / 1e6
}

// declineAll makes every framework refuse every agent.
func (s size) declineAll(h *Allocator, now time.Time) {
	for a := range h.agents.rows {
		for c := range h.clients.rows {
			h.refuse(now, int32(a), int32(c), h.agents.at(int32(a)).free, now.Add(time.Hour))
		}
	}
}

// BenchmarkEverythingDeclined: all frameworks have declined all agents, and all agents are looked at again.
func BenchmarkEverythingDeclined(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) {
		h, now := s.world(), start
		s.declineAll(h, now)
		cycle := stopwatch{name: "cpu-ms/cycle"}
		for b.Loop() {
			now = now.Add(time.Second)
			h.touchAll(now)
			cycle.time(func() {
				if list := h.Allocate(now); len(list) > 0 {
					b.Fatalf("%d allocations of what was declined", len(list))
				}
			})
		}
		cycle.report(b)
		b.ReportMetric(heap(), "MB")
		runtime.KeepAlive(h)
	})
}

// BenchmarkFewChanges: one agent in a hundred has something new, all others are declined by all.
func BenchmarkFewChanges(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) {
		h, now := s.world(), start
		declineList(h, now, h.Allocate(now), time.Hour)
		h.gather(now)
		ids := slices.Sorted(func(yield func(mesos.AgentID) bool) {
			for id := range h.agentIDs {
				if !yield(id) {
					return
				}
			}
		})
		cycle := stopwatch{name: "cpu-ms/cycle"}
		for b.Loop() {
			now = now.Add(time.Millisecond)
			for _, id := range ids[:max(len(ids)/100, 1)] {
				h.touch(now, h.agentIDs[id])
			}
			var list []allocator.Allocation
			cycle.time(func() { list = h.Allocate(now) })
			for _, x := range list {
				h.Recover(now, x.Framework, x.Agent, x.Resources)
			}
			h.gather(now)
		}
		cycle.report(b)
	})
}

// suppressed measures cycles while only some frameworks want anything.
func suppressed(b *testing.B, s size, wanting int) {
	h, now := s.world(), start
	for i := wanting; i < s.frameworks; i++ {
		h.Suppress(now, s.framework(i).ID)
	}
	cycle := stopwatch{name: "cpu-ms/cycle"}
	for b.Loop() {
		now = now.Add(time.Second)
		var list []allocator.Allocation
		cycle.time(func() { list = h.Allocate(now) })
		declineList(h, now, list, 0)
	}
	cycle.report(b)
}

// BenchmarkSuppressOffers: half of the frameworks have suppressed their roles.
func BenchmarkSuppressOffers(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) { suppressed(b, s, max(s.frameworks/2, 1)) })
}

// BenchmarkExtremeSuppressOffers: 99 of 100 frameworks have.
func BenchmarkExtremeSuppressOffers(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) { suppressed(b, s, max(s.frameworks/100, 1)) })
}

// labelled is an agent's resources with a reservation of its own.
func labelled(i, n int) resources.Resources {
	list := slices.Clone(mustParse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]"))
	for j := range n {
		list = append(list, resources.Resource{
			Name: "mem", Scalar: resources.Whole(1), Reservations: []resources.Reservation{{
				Dynamic: true, Role: fmt.Sprintf("role-%d", (i+j)%100), Principal: "p",
				Labels: []resources.Label{{Key: "key", Value: fmt.Sprint(i, j), HasValue: true}},
			}},
		})
	}
	return resources.Of(list...)
}

// BenchmarkResourceLabels: every agent has reservations that differ by their labels alone.
func BenchmarkResourceLabels(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) {
		h, now := newAllocator(), start
		for i := range s.frameworks {
			h.AddFramework(now, s.framework(i), true)
		}
		for i := range s.agents {
			a := s.agent(i)
			a.Total = labelled(i, 4)
			h.AddAgent(now, a, nil)
		}
		cycle := stopwatch{name: "cpu-ms/cycle"}
		for b.Loop() {
			now = now.Add(time.Second)
			var list []allocator.Allocation
			cycle.time(func() { list = h.Allocate(now) })
			declineList(h, now, list, 0)
		}
		cycle.report(b)
	})
}

// BenchmarkMetrics: the description of all roles.
func BenchmarkMetrics(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) {
		h := s.world()
		h.Allocate(start)
		describe := stopwatch{name: "cpu-ms/roles"}
		for b.Loop() {
			describe.time(func() { h.Roles() })
		}
		describe.report(b)
	})
}

// quotaWorld has agents, and roles with one framework each.
func quotaWorld(agents, roles, frameworks int, quota func(i int) string) (*Allocator, []allocator.Framework) {
	h := newAllocator()
	for i := range agents {
		a := size{}.agent(i)
		a.Total = mustParse("cpus:2;mem:2048;disk:2048")
		h.AddAgent(start, a, nil)
	}
	var list []allocator.Framework
	for i := range roles {
		name := fmt.Sprintf("role-%d", i)
		if text := quota(i); text != "" {
			q := mustParse(text).Quantities()
			h.SetQuota(start, name, allocator.Quota{Guarantees: q, Limits: q.Limits()})
		}
		for j := range frameworks {
			list = append(list, allocator.Framework{
				ID: mesos.FrameworkID(fmt.Sprint(i, "-", j)), Roles: []string{name},
				Capabilities: allocator.FrameworkCapabilities{MultiRole: true},
			})
		}
	}
	return h, list
}

// BenchmarkLargeAndSmallQuota: five of six roles are guaranteed half an agent, the others two; -quota-roles=3000 is
// the largest of Mesos' sizes.
func BenchmarkLargeAndSmallQuota(b *testing.B) {
	b.ReportAllocs()
	add, cycle, idle := stopwatch{name: "cpu-ms/add"}, stopwatch{name: "cpu-ms/cycle"}, stopwatch{name: "cpu-ms/idle"}
	all := stopwatch{name: "cpu-ms/look-at-all"}
	for b.Loop() {
		h, list := quotaWorld(*roles, *roles, 1, func(i int) string {
			if i%6 == 5 {
				return "cpus:4;mem:4096;disk:4096"
			}
			return "cpus:1;mem:1024;disk:1024"
		})
		add.time(func() {
			for _, f := range list {
				h.AddFramework(start, f, true)
			}
		})
		cycle.time(func() {
			if n := len(h.Allocate(start.Add(time.Second))); n < *roles {
				b.Fatalf("%d allocations for %d roles", n, *roles)
			}
		})
		idle.time(func() { h.Allocate(start.Add(2 * time.Second)) })
		h.touchAll(start)
		all.time(func() { h.Allocate(start.Add(3 * time.Second)) })
	}
	add.report(b)
	cycle.report(b)
	idle.report(b)
	all.report(b)
}

// BenchmarkNonQuotaVsQuota: each role takes two agents, because of its quota or because of its share.
func BenchmarkNonQuotaVsQuota(b *testing.B) {
	for _, text := range []string{"", "cpus:4;mem:4096;disk:4096"} {
		b.Run(fmt.Sprintf("quota=%v", text != ""), func(b *testing.B) {
			cycle := stopwatch{name: "cpu-ms/cycle"}
			for b.Loop() {
				h, list := quotaWorld(2**roles, *roles, 2, func(int) string { return text })
				for _, f := range list {
					h.AddFramework(start, f, true)
				}
				cycle.time(func() { h.Allocate(start.Add(time.Second)) })
			}
			cycle.report(b)
		})
	}
}

// BenchmarkMultiFrameworkAllocations: 80 agents of 64 cpus; 4 frameworks for services that launch 4,000 tasks each,
// 500 for builds that launch 5, and 50 for analyses that launch 20, until all 19,500 have been launched.
func BenchmarkMultiFrameworkAllocations(b *testing.B) {
	whole := stopwatch{name: "cpu-ms/all-tasks"}
	for b.Loop() {
		h, now := newAllocator(), start
		wanted := map[mesos.FrameworkID]int{}
		add := func(kind string, n, tasks int) {
			for i := range n {
				f := allocator.Framework{ID: mesos.FrameworkID(fmt.Sprint(kind, i)), Roles: []string{kind}}
				wanted[f.ID] = tasks
				h.AddFramework(now, f, true)
			}
		}
		add("marathon", 4, 4000)
		add("jenkins", 500, 5)
		add("spark", 50, 20)
		for i := range 80 {
			h.AddAgent(now, allocator.Agent{ID: mesos.AgentID(fmt.Sprint(i)), Total: mustParse("cpus:64;mem:488000")}, nil)
		}
		whole.time(func() {
			for left := len(wanted); left > 0; now = now.Add(time.Second) {
				for _, x := range h.Allocate(now) {
					rest, launched := launch(x, wanted[x.Framework])
					if wanted[x.Framework] -= launched; launched > 0 && wanted[x.Framework] == 0 {
						left--
						h.Suppress(now, x.Framework)
					}
					h.Decline(now, x.Framework, x.Agent, rest, 0)
				}
			}
		})
	}
	whole.report(b)
}

// launch uses up to ten tasks' worth of an allocation and returns the rest.
func launch(x allocator.Allocation, wanted int) (resources.Resources, int) {
	task := mustParse("cpus:0.1;mem:500").Allocate(x.Role)
	rest, n := x.Resources, 0
	for n < min(wanted, 10) {
		left, ok := rest.Sub(task)
		if !ok {
			break
		}
		rest, n = left, n+1
	}
	return rest, n
}

// BenchmarkUpdateAllocation: a reservation comes and goes on an agent that has very many, as in Mesos' benchmark with
// 1,600 frameworks.
func BenchmarkUpdateAllocation(b *testing.B) {
	for _, n := range []int{800, 6400} {
		b.Run(fmt.Sprintf("resources=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			h, now := newAllocator(), start
			f := allocator.Framework{ID: "f", Roles: []string{"role-0"}, Capabilities: allocator.FrameworkCapabilities{MultiRole: true}}
			h.AddFramework(now, f, true)
			a := size{}.agent(0)
			a.Total = labelled(0, n)
			h.AddAgent(now, a, nil)
			list := h.Allocate(now.Add(time.Second))
			from := mustParse("cpus:1;mem:8").Allocate("role-0")
			to := resources.Of(reserved(from, "role-0")...)
			reserve, unreserve := stopwatch{name: "cpu-ms/reserve"}, stopwatch{name: "cpu-ms/unreserve"}
			if len(list) != 1 || !list[0].Resources.Contains(from) {
				b.Fatalf("%d allocations", len(list))
			}
			for b.Loop() {
				reserve.time(func() { h.Convert(now, "f", a.ID, from, to) })
				unreserve.time(func() { h.Convert(now, "f", a.ID, to, from) })
			}
			reserve.report(b)
			unreserve.report(b)
		})
	}
}

// BenchmarkPersistentVolumes: every agent has volumes: of one holder, shared, or both.
func BenchmarkPersistentVolumes(b *testing.B) {
	for _, kind := range []string{"REGULAR", "SHARED", "MIXED"} {
		b.Run(kind, func(b *testing.B) {
			eachSize(b, func(b *testing.B, s size) {
				h, now := newAllocator(), start
				for i := range s.frameworks {
					f := s.framework(i)
					f.Capabilities.Shared = true
					h.AddFramework(now, f, true)
				}
				for i := range s.agents {
					a := s.agent(i)
					a.Total = a.Total.Add(volumes(kind, fmt.Sprintf("role-%d", i%100)))
					h.AddAgent(now, a, nil)
				}
				cycle := stopwatch{name: "cpu-ms/cycle"}
				for b.Loop() {
					now = now.Add(time.Second)
					var list []allocator.Allocation
					cycle.time(func() { list = h.Allocate(now) })
					declineList(h, now, list, 0)
				}
				cycle.report(b)
			})
		})
	}
}

func volumes(kind, role string) resources.Resources {
	var list []resources.Resource
	for i := range 2 {
		list = append(list, resources.Resource{
			Name: "disk", Scalar: resources.Whole(64), Shared: kind == "SHARED" || kind == "MIXED" && i == 0,
			Reservations: []resources.Reservation{{Dynamic: true, Role: role}},
			Disk:         &resources.Disk{Persistence: fmt.Sprint("v", i), Volume: &resources.Volume{ContainerPath: "data"}},
		})
	}
	return resources.Of(list...)
}

// BenchmarkExplain: one visit of an explanation of everything, when everybody has declined everything: that is how
// long others wait.
func BenchmarkExplain(b *testing.B) {
	eachSize(b, func(b *testing.B, s size) {
		h := s.world()
		s.declineAll(h, start)
		visit := stopwatch{name: "cpu-ms/visit"}
		var from allocator.Cursor
		for b.Loop() {
			visit.time(func() { from = h.ExplainAll(start, allocator.Question{From: from}).Next })
		}
		visit.report(b)
	})
}
