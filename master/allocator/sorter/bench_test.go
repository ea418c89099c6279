package sorter

import (
	"flag"
	"fmt"
	"testing"

	"github.com/soukproject/souk/proto/mesos/resources"
)

// The names and parameters are those of Mesos' sorter benchmarks; its largest size is -agents=50000 -clients=1000.
var (
	agentCount  = flag.Int("agents", 1000, "agents of the benchmarks")
	clientCount = flag.Int("clients", 100, "clients of BenchmarkFullSort")
)

// perAgent is what every agent has, and allocates to one client.
func perAgent() resources.Quantities { return cpus(24).Add(mem(4096)) }

// fullSort adds agents, then allocates all of them, sorts, and takes everything back, as Mesos' benchmarks do.
func fullSort(b *testing.B, paths []string) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		totals := NewTotals()
		for range *agentCount {
			totals.Add(perAgent())
		}
		s := New(totals)
		clients := make([]Client, len(paths))
		for i, p := range paths {
			clients[i] = s.Add(p)
			s.Enter(Active, clients[i])
		}
		b.StartTimer()
		for i := range *agentCount {
			s.Allocate(clients[i%len(clients)], perAgent())
		}
		n := 0
		for range s.Order(Active) {
			n++
		}
		if n != len(paths) {
			b.Fatalf("%d clients in order, want %d", n, len(paths))
		}
		for i := range *agentCount {
			s.Release(clients[i%len(clients)], perAgent())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/all")
}

func BenchmarkFullSort(b *testing.B) {
	var paths []string
	for i := range *clientCount {
		paths = append(paths, fmt.Sprint("client", i))
	}
	fullSort(b, paths)
}

// BenchmarkHierarchyFullSort has trees of some depth in which every inner node has as many children.
func BenchmarkHierarchyFullSort(b *testing.B) {
	for _, tree := range []struct{ depth, branching int }{{3, 32}, {7, 3}, {10, 2}} {
		b.Run(fmt.Sprintf("depth=%d/branching=%d", tree.depth, tree.branching), func(b *testing.B) {
			fullSort(b, leaves("", tree.depth-1, tree.branching))
		})
	}
}

func leaves(path string, depth, branching int) []string {
	if depth == 0 {
		return []string{path}
	}
	var list []string
	for i := range branching {
		name := fmt.Sprint("c", i)
		if path != "" {
			name = path + "/" + name
		}
		list = append(list, leaves(name, depth-1, branching)...)
	}
	return list
}
