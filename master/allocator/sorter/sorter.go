// Package sorter puts clients in order of their fair share: those that have least come first. Clients are leaves of
// a tree (roles "a", "a/b", …; or frameworks, in a tree of depth one), and every node is compared with its siblings
// by its dominant share divided by its weight (mesos-api 24.4).
//
// The children of a node are in an indexed heap, so an allocation costs the logarithm of the number of siblings at
// every level, and looking at the first clients costs nothing for those behind them. Not for concurrent use.
package sorter

import (
	"iter"
	"strings"

	"github.com/soukproject/souk/proto/mesos/resources"
)

// Client names a client of one sorter, from Add to Remove.
type Client int32

// own is the name of the leaf of a client whose node has children as well: "a" competes as "a/." with "a/b".
const own = "."

// none is the absence of a node.
const none = -1

type node struct {
	path, name string
	parent     int32
	children   int32 // that exist, active or not
	inner      bool

	heap []int32 // active children; of inner nodes
	at   int32   // place in the parent's heap; none if not there

	weight    float64
	share     float64 // dominant share, not weighted
	key       float64 // share / weight: what the heap is ordered by
	turn      uint64  // when it was last given something
	allocated resources.Quantities
}

// Sorter orders clients. Make one with New.
type Sorter struct {
	totals  *Totals
	version uint64 // of totals, when the keys were computed
	turn    uint64

	nodes  []node // the root is 0
	unused []int32
	paths  map[string]int32
	// weights by path; those of nodes that are not there wait for them.
	weights map[string]float64

	frontiers [][]int32 // scratch of Order, one for each level
}

// New makes a sorter without clients that measures shares of totals.
func New(totals *Totals) *Sorter {
	return &Sorter{
		totals:  totals,
		nodes:   []node{{parent: none, at: none, weight: 1, inner: true}},
		paths:   map[string]int32{},
		weights: map[string]float64{},
	}
}

// Add brings a client, inactive and with nothing allocated. A path that has a client already is a broken invariant.
func (s *Sorter) Add(path string) Client {
	parent, rest := int32(0), path
	for i := strings.IndexByte(rest, '/'); i >= 0; i = strings.IndexByte(rest, '/') {
		parent = s.innerNode(path[:len(path)-len(rest)+i], parent)
		rest = rest[i+1:]
	}
	n, found := s.paths[path]
	switch {
	case found && !s.nodes[n].inner:
		panic("sorter: a second client " + path)
	case found:
		return Client(s.newNode(path+"/"+own, own, n, false))
	}
	return Client(s.newNode(path, rest, parent, false))
}

// innerNode is the inner node of path, made from nothing or around the client that has the path.
func (s *Sorter) innerNode(path string, parent int32) int32 {
	n, found := s.paths[path]
	if found && s.nodes[n].inner {
		return n
	}
	inner := s.newNode(path, path[strings.LastIndexByte(path, '/')+1:], parent, true)
	if found {
		s.adopt(inner, n)
	}
	return inner
}

// adopt puts leaf, which had the path of inner, below inner.
func (s *Sorter) adopt(inner, leaf int32) {
	active := s.nodes[leaf].at != none
	s.leave(leaf)
	l, in := &s.nodes[leaf], &s.nodes[inner]
	s.nodes[l.parent].children--
	in.children++
	in.allocated, in.turn = l.allocated, l.turn
	l.parent, l.name, l.path = inner, own, in.path+"/"+own
	l.weight = s.weight(l.path)
	s.paths[l.path] = leaf
	s.measure(leaf)
	s.measure(inner)
	if active {
		s.enter(leaf)
	}
}

func (s *Sorter) newNode(path, name string, parent int32, inner bool) int32 {
	n := int32(len(s.nodes))
	if last := len(s.unused) - 1; last >= 0 {
		n, s.unused = s.unused[last], s.unused[:last]
	} else {
		s.nodes = append(s.nodes, node{})
	}
	s.nodes[n] = node{path: path, name: name, parent: parent, inner: inner, at: none, weight: s.weight(path)}
	s.nodes[parent].children++
	s.paths[path] = n
	return n
}

func (s *Sorter) weight(path string) float64 {
	if w, ok := s.weights[path]; ok {
		return w
	}
	return 1
}

// Remove forgets a client and what it was allocated.
func (s *Sorter) Remove(c Client) {
	n := int32(c)
	s.Release(c, s.nodes[n].allocated)
	s.leave(n)
	for n != 0 && s.nodes[n].children == 0 {
		parent := s.nodes[n].parent
		delete(s.paths, s.nodes[n].path)
		s.nodes[n] = node{at: none, parent: none}
		s.unused = append(s.unused, n)
		s.nodes[parent].children--
		n = parent
	}
}

// Activate makes a client appear in Order.
func (s *Sorter) Activate(c Client) { s.enter(int32(c)) }

// Deactivate makes a client disappear from Order; what it has still counts for the nodes above it.
func (s *Sorter) Deactivate(c Client) { s.leave(int32(c)) }

// Active reports whether the client appears in Order.
func (s *Sorter) Active(c Client) bool { return s.nodes[c].at != none }

// SetWeight sets the weight of the node at path among its siblings; it is above zero. The node may come later.
func (s *Sorter) SetWeight(path string, weight float64) {
	s.weights[path] = weight
	if weight == 1 {
		delete(s.weights, path)
	}
	if n, ok := s.paths[path]; ok {
		s.nodes[n].weight = weight
		s.rekey(n)
	}
}

// Allocate charges q to a client.
func (s *Sorter) Allocate(c Client, q resources.Quantities) {
	s.turn++
	for n := int32(c); n != none; n = s.nodes[n].parent {
		s.nodes[n].allocated = s.nodes[n].allocated.Add(q)
		s.nodes[n].turn = s.turn
		s.rekey(n)
	}
}

// Release takes q off a client.
func (s *Sorter) Release(c Client, q resources.Quantities) {
	for n := int32(c); n != none; n = s.nodes[n].parent {
		s.nodes[n].allocated = s.nodes[n].allocated.Sub(q)
		s.rekey(n)
	}
}

// Node describes the node at path; ok is false if there is none.
func (s *Sorter) Node(path string) (share, weight float64, allocated resources.Quantities, ok bool) {
	s.refresh()
	n, ok := s.paths[path]
	if !ok {
		return 0, s.weight(path), resources.Quantities{}, false
	}
	return s.nodes[n].share, s.nodes[n].weight, s.nodes[n].allocated, true
}

// measure computes the key of a node.
func (s *Sorter) measure(n int32) {
	x := &s.nodes[n]
	x.share = x.allocated.Dominant(s.totals.sum)
	x.key = x.share / x.weight
}

// rekey computes the key of a node and moves it to its place.
func (s *Sorter) rekey(n int32) {
	if s.version != s.totals.version {
		return // all keys are old: refresh will see to this one as well
	}
	s.measure(n)
	if s.nodes[n].at != none {
		s.fix(s.nodes[n].parent, s.nodes[n].at)
	}
}

// refresh computes all keys after a change of the totals.
func (s *Sorter) refresh() {
	if s.version == s.totals.version {
		return
	}
	s.version = s.totals.version
	for n := range s.nodes {
		s.measure(int32(n))
	}
	for n := range s.nodes {
		s.heapify(int32(n))
	}
}

// Order yields the active clients, neediest first: whole subtrees in order of their nodes. Whoever changes the sorter
// in between must stop there and ask again.
func (s *Sorter) Order() iter.Seq[Client] {
	return func(yield func(Client) bool) {
		s.refresh()
		s.walk(0, 0, yield)
	}
}

// walk visits the subtree of n in order. The children come out of the heap without leaving it: the frontier holds
// places of the heap whose parents have been visited.
func (s *Sorter) walk(n int32, level int, yield func(Client) bool) bool {
	if level == len(s.frontiers) {
		s.frontiers = append(s.frontiers, nil)
	}
	frontier := s.frontiers[level][:0]
	if len(s.nodes[n].heap) > 0 {
		frontier = append(frontier, 0)
	}
	for len(frontier) > 0 {
		var at int32
		at, frontier = s.next(n, frontier)
		s.frontiers[level] = frontier
		if !s.visit(s.nodes[n].heap[at], level, yield) {
			return false
		}
	}
	return true
}

func (s *Sorter) visit(n int32, level int, yield func(Client) bool) bool {
	if s.nodes[n].inner {
		return s.walk(n, level+1, yield)
	}
	return yield(Client(n))
}
