// Package sorter puts clients in order of their fair share: those that have least come first. Clients are leaves of
// a tree (roles "a", "a/b", …; or frameworks, in a tree of depth one), and every node is compared with its siblings
// by its dominant share divided by its weight (mesos-api 24.4).
//
// The children of a node are in an indexed heap, so an allocation costs the logarithm of the number of siblings at
// every level, and looking at the first clients costs nothing for those behind them. Not for concurrent use.
package sorter

import (
	"iter"
	"math/rand/v2"
	"strings"

	"github.com/soukproject/souk/proto/mesos/resources"
)

// Client names a client of one sorter, from Add to Remove.
type Client int32

// own is the name of the leaf of a client whose node has children as well: "a" competes as "a/." with "a/b".
const own = "."

// none is the absence of a node.
const none = -1

// View is one of the orders that a sorter keeps: some of the clients, compared alike in all of them.
type View uint8

// The views.
const (
	Active View = iota // clients that want something
	Urgent             // those to be served before all others
	views
)

// nowhere is the places of a node that is in no view.
func nowhere() [views]int32 { return [views]int32{none, none} }

type node struct {
	path, name string
	parent     int32
	children   int32 // that exist, in a view or not
	inner      bool

	heap [views][]int32 // children in a view; of inner nodes
	at   [views]int32   // place in the parent's heaps; none if not there

	weight    float64
	share     float64 // dominant share, not weighted
	key       float64 // what the heaps are ordered by: share / weight, unless lots are drawn
	turn      uint64  // when it was last given something
	allocated resources.Quantities
}

// Sorter orders clients. Make one with New.
type Sorter struct {
	totals  *Totals
	version uint64 // of totals, when the keys were computed
	turn    uint64
	dice    *rand.Rand // of sorters that draw

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
		nodes:   []node{{parent: none, at: nowhere(), weight: 1, inner: true}},
		paths:   map[string]int32{},
		weights: map[string]float64{},
	}
}

// NewDrawing makes a sorter that draws lots instead of comparing shares: wherever nodes are siblings, each is the next
// to be served with a chance in proportion to its weight. See Draw.
func NewDrawing(totals *Totals, dice *rand.Rand) *Sorter {
	s := New(totals)
	s.dice = dice
	return s
}

// Draw draws anew, as is due before every run; sorters that compare shares do nothing. A node's key is the time of the
// next of events that happen to it at random, as often as it weighs; who is served waits for its next event.
func (s *Sorter) Draw() {
	if s.dice == nil {
		return
	}
	s.refresh()
	for n := range s.nodes {
		s.nodes[n].key = s.dice.ExpFloat64() / s.nodes[n].weight
	}
	s.heapifyAll()
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
	at := s.nodes[leaf].at
	for v := range views {
		s.leave(v, leaf)
	}
	l, in := &s.nodes[leaf], &s.nodes[inner]
	s.nodes[l.parent].children--
	in.children++
	in.allocated, in.turn = l.allocated, l.turn
	l.parent, l.name, l.path = inner, own, in.path+"/"+own
	l.weight = s.weight(l.path)
	s.paths[l.path] = leaf
	s.measure(leaf)
	s.measure(inner)
	for v := range views {
		if at[v] != none {
			s.enter(v, leaf)
		}
	}
}

func (s *Sorter) newNode(path, name string, parent int32, inner bool) int32 {
	n := int32(len(s.nodes))
	if last := len(s.unused) - 1; last >= 0 {
		n, s.unused = s.unused[last], s.unused[:last]
	} else {
		s.nodes = append(s.nodes, node{})
	}
	s.nodes[n] = node{path: path, name: name, parent: parent, inner: inner, at: nowhere(), weight: s.weight(path)}
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
	for v := range views {
		s.leave(v, n)
	}
	for n != 0 && s.nodes[n].children == 0 {
		parent := s.nodes[n].parent
		delete(s.paths, s.nodes[n].path)
		s.nodes[n] = node{at: nowhere(), parent: none}
		s.unused = append(s.unused, n)
		s.nodes[parent].children--
		n = parent
	}
}

// Enter makes a client appear in a view.
func (s *Sorter) Enter(v View, c Client) { s.enter(v, int32(c)) }

// Leave makes a client disappear from a view; what it has still counts for the nodes above it.
func (s *Sorter) Leave(v View, c Client) { s.leave(v, int32(c)) }

// In reports whether the client appears in a view.
func (s *Sorter) In(v View, c Client) bool { return s.nodes[c].at[v] != none }

// Empty reports whether no client appears in a view.
func (s *Sorter) Empty(v View) bool { return len(s.nodes[0].heap[v]) == 0 }

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
	for n := int32(c); n > 0; n = s.nodes[n].parent {
		s.nodes[n].allocated.Increase(&q)
		s.nodes[n].turn = s.turn
		if s.dice != nil {
			s.nodes[n].key += s.dice.ExpFloat64() / s.nodes[n].weight
		}
		s.rekey(n)
	}
}

// Release takes q off a client.
func (s *Sorter) Release(c Client, q resources.Quantities) {
	for n := int32(c); n > 0; n = s.nodes[n].parent {
		s.nodes[n].allocated.Decrease(&q)
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
	x.share = x.allocated.DominantOf(&s.totals.sum)
	if s.dice == nil {
		x.key = x.share / x.weight
	}
}

// rekey computes the key of a node and moves it to its place.
func (s *Sorter) rekey(n int32) {
	if s.version != s.totals.version {
		return // all keys are old: refresh will see to this one as well
	}
	s.measure(n)
	s.place(n)
}

// place moves a node to where its key belongs, in every view.
func (s *Sorter) place(n int32) {
	for v := range views {
		if at := s.nodes[n].at[v]; at != none {
			s.fix(v, s.nodes[n].parent, at)
		}
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
	s.heapifyAll()
}

func (s *Sorter) heapifyAll() {
	for n := range s.nodes {
		for v := range views {
			s.heapify(v, int32(n))
		}
	}
}

// Before reports whether Order has a before b.
func (s *Sorter) Before(a, b Client) bool {
	s.refresh()
	x, y := int32(a), int32(b)
	for deep, other := s.depth(x), s.depth(y); deep != other; {
		if deep > other {
			x, deep = s.nodes[x].parent, deep-1
		} else {
			y, other = s.nodes[y].parent, other-1
		}
	}
	for s.nodes[x].parent != s.nodes[y].parent {
		x, y = s.nodes[x].parent, s.nodes[y].parent
	}
	return s.less(x, y)
}

func (s *Sorter) depth(n int32) int {
	d := 0
	for ; n > 0; n = s.nodes[n].parent {
		d++
	}
	return d
}

// Order yields the clients of a view, neediest first: whole subtrees in order of their nodes. Whoever changes the
// sorter in between must stop there and ask again.
func (s *Sorter) Order(v View) iter.Seq[Client] {
	return func(yield func(Client) bool) {
		s.refresh()
		s.walk(v, 0, 0, yield)
	}
}

// walk visits the subtree of n in order. The children come out of the heap without leaving it: the frontier holds
// places of the heap whose parents have been visited.
func (s *Sorter) walk(v View, n int32, level int, yield func(Client) bool) bool {
	if level == len(s.frontiers) {
		s.frontiers = append(s.frontiers, nil)
	}
	h := s.nodes[n].heap[v]
	frontier := s.frontiers[level][:0]
	if len(h) > 0 {
		frontier = append(frontier, 0)
	}
	s.frontiers[level] = frontier
	for len(frontier) > 0 {
		at := frontier[0]
		if !s.visit(v, h[at], level, yield) {
			return false
		}
		frontier = s.next(h, frontier)
		s.frontiers[level] = frontier
	}
	return true
}

func (s *Sorter) visit(v View, n int32, level int, yield func(Client) bool) bool {
	if s.nodes[n].inner {
		return s.walk(v, n, level+1, yield)
	}
	return yield(Client(n))
}
