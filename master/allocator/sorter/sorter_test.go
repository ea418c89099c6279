package sorter

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/soukproject/souk/proto/mesos/resources"
)

func cpus(n int64) resources.Quantities {
	return resources.QuantitiesOf(resources.Quantity{Name: "cpus", Amount: resources.Whole(n)})
}

func mem(n int64) resources.Quantities {
	return resources.QuantitiesOf(resources.Quantity{Name: "mem", Amount: resources.Whole(n)})
}

// slow is a sorter that sorts everything whenever it is asked: what Sorter must agree with.
type slow struct {
	clients map[string]*slowClient
	weights map[string]float64
	total   resources.Quantities
	turn    uint64
	turns   map[string]uint64 // by path, of roles that have clients
}

type slowClient struct {
	active    bool
	urgent    bool
	allocated resources.Quantities
	turn      uint64
}

// prefixes is path and the paths above it.
func prefixes(path string) []string {
	list := []string{path}
	for i := strings.LastIndexByte(path, '/'); i > 0; i = strings.LastIndexByte(path[:i], '/') {
		list = append(list, path[:i])
	}
	return list
}

// below lists the clients of a subtree; "" is the root.
func (s *slow) below(path string) []string {
	var list []string
	for _, p := range slices.Sorted(maps.Keys(s.clients)) {
		if path == "" || p == path || strings.HasPrefix(p, path+"/") {
			list = append(list, p)
		}
	}
	return list
}

// order lists the active clients of the subtree at path, neediest first.
func (s *slow) order(path string) []string {
	type child struct {
		name, path string
		key        float64
		turn       uint64
		clients    []string
	}
	children := map[string]*child{}
	for _, p := range s.below(path) {
		name, full := own, p
		if p != path {
			name, _, _ = strings.Cut(strings.TrimPrefix(p, path+"/"), "/")
			if path == "" {
				name, _, _ = strings.Cut(p, "/")
			}
			full = strings.TrimPrefix(path+"/"+name, "/")
		}
		if children[name] == nil {
			children[name] = &child{name: name, path: full, turn: s.turns[full]}
			if name == own {
				children[name].turn = s.clients[p].turn
			}
		}
		children[name].clients = append(children[name].clients, p)
	}
	for _, c := range children {
		var sum resources.Quantities
		for _, p := range c.clients {
			sum = sum.Add(s.clients[p].allocated)
		}
		weight, ok := s.weights[c.path]
		if !ok || c.name == own {
			weight = 1
		}
		c.key = sum.Dominant(s.total) / weight
	}
	sorted := slices.SortedFunc(maps.Values(children), func(a, b *child) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.turn, b.turn), cmp.Compare(a.name, b.name))
	})
	var out []string
	for _, c := range sorted {
		switch {
		case c.name == own || len(c.clients) == 1 && c.clients[0] == c.path:
			if s.clients[c.clients[0]].active {
				out = append(out, c.clients[0])
			}
		default:
			out = append(out, s.order(c.path)...)
		}
	}
	return out
}

// checkUrgent checks that the view Urgent is in the order of Before.
func checkUrgent(t *rapid.T, fast *Sorter, ref *slow, handles map[string]Client) {
	var want, got []Client
	for _, p := range slices.Sorted(maps.Keys(ref.clients)) {
		if ref.clients[p].urgent {
			want = append(want, handles[p])
		}
	}
	slices.SortFunc(want, func(a, b Client) int {
		if fast.Before(a, b) {
			return -1
		}
		return 1
	})
	for c := range fast.Order(Urgent) {
		got = append(got, c)
	}
	if !slices.Equal(want, got) || fast.Empty(Urgent) != (len(want) == 0) {
		t.Fatalf("Order(Urgent) = %v, want %v", got, want)
	}
}

func TestSorterAgreesWithSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		totals := NewTotals()
		fast, ref := New(totals), &slow{clients: map[string]*slowClient{}, weights: map[string]float64{}, turns: map[string]uint64{}}
		handles := map[string]Client{}
		path := rapid.SampledFrom([]string{"a", "b", "c", "a/a", "a/b", "a/b/c", "b/x", "b/y", "c/c/c"})
		amount := rapid.Custom(func(t *rapid.T) resources.Quantities {
			return cpus(rapid.Int64Range(0, 4).Draw(t, "cpus")).Add(mem(rapid.Int64Range(0, 4).Draw(t, "mem")))
		})
		known := func(t *rapid.T) string {
			if len(handles) == 0 {
				t.Skip("no clients")
			}
			return rapid.SampledFrom(slices.Sorted(maps.Keys(handles))).Draw(t, "client")
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				p := path.Draw(t, "path")
				if ref.clients[p] == nil {
					handles[p], ref.clients[p] = fast.Add(p), &slowClient{}
				}
			},
			"remove": func(t *rapid.T) {
				p := known(t)
				fast.Remove(handles[p])
				delete(handles, p)
				delete(ref.clients, p)
				for _, q := range prefixes(p) {
					if len(ref.below(q)) == 0 {
						delete(ref.turns, q)
					}
				}
			},
			"activate": func(t *rapid.T) {
				p := known(t)
				fast.Enter(Active, handles[p])
				ref.clients[p].active = true
			},
			"deactivate": func(t *rapid.T) {
				p := known(t)
				fast.Leave(Active, handles[p])
				ref.clients[p].active = false
			},
			"urgent": func(t *rapid.T) {
				p := known(t)
				if c := ref.clients[p]; c.urgent {
					fast.Leave(Urgent, handles[p])
					c.urgent = false
				} else {
					fast.Enter(Urgent, handles[p])
					c.urgent = true
				}
			},
			"allocate": func(t *rapid.T) {
				p, q := known(t), amount.Draw(t, "q")
				fast.Allocate(handles[p], q)
				c := ref.clients[p]
				ref.turn++
				c.allocated, c.turn = c.allocated.Add(q), ref.turn
				for _, q := range prefixes(p) {
					ref.turns[q] = ref.turn
				}
			},
			"release": func(t *rapid.T) {
				p, q := known(t), amount.Draw(t, "q")
				c := ref.clients[p]
				if !c.allocated.Contains(q) {
					q = c.allocated
				}
				fast.Release(handles[p], q)
				c.allocated = c.allocated.Sub(q)
			},
			"weight": func(t *rapid.T) {
				p, w := path.Draw(t, "path"), rapid.Float64Range(0.5, 4).Draw(t, "weight")
				fast.SetWeight(p, w)
				ref.weights[p] = w
			},
			"totals": func(t *rapid.T) {
				q := amount.Draw(t, "q")
				totals.Add(q)
				ref.total = ref.total.Add(q)
			},
			"": func(t *rapid.T) {
				want, got := ref.order(""), []string(nil)
				for c := range fast.Order(Active) {
					got = append(got, nameOf(fast, c))
				}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Fatalf("Order differs (-want +got):\n%s", diff)
				}
				for i := 1; i < len(got); i++ {
					if a, b := handles[got[i-1]], handles[got[i]]; !fast.Before(a, b) || fast.Before(b, a) {
						t.Fatalf("Before does not have %s before %s", got[i-1], got[i])
					}
				}
				checkUrgent(t, fast, ref, handles)
			},
		})
	})
}

func nameOf(s *Sorter, c Client) string {
	return strings.TrimSuffix(s.nodes[c].path, "/"+own)
}

func TestOrderOfAnUntouchedSorterAllocatesNothing(t *testing.T) {
	totals := NewTotals()
	totals.Add(cpus(1000))
	s := New(totals)
	for i := range 100 {
		c := s.Add(fmt.Sprintf("r%02d", i))
		s.Enter(Active, c)
		s.Allocate(c, cpus(int64(i%7)))
	}
	first := func() {
		for range s.Order(Active) {
			break
		}
	}
	first()
	if n := testing.AllocsPerRun(100, first); n > 0 {
		t.Errorf("allocations of asking for the first client = %v, want 0", n)
	}
}

func TestExcludedNamesDoNotCount(t *testing.T) {
	totals := NewTotals("mem")
	totals.Add(cpus(10).Add(mem(10)))
	s := New(totals)
	a, b := s.Add("a"), s.Add("b")
	s.Enter(Active, a)
	s.Enter(Active, b)
	s.Allocate(a, mem(9).Add(cpus(1)))
	s.Allocate(b, cpus(2))
	for c := range s.Order(Active) {
		if c != a {
			t.Errorf("first = %v, want a: its mem does not count", nameOf(s, c))
		}
		break
	}
}

// BenchmarkFirst asks for the neediest only, as an allocation does.
func BenchmarkFirst(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("clients=%d", n), func(b *testing.B) {
			totals := NewTotals()
			totals.Add(cpus(1_000_000))
			s := New(totals)
			for i := range n {
				s.Enter(Active, s.Add(fmt.Sprintf("f%04d", i)))
			}
			b.ReportAllocs()
			for b.Loop() {
				for c := range s.Order(Active) {
					s.Allocate(c, cpus(1))
					break
				}
			}
		})
	}
}
