package sorter

// less: who has less of what it deserves comes first, then who was served longest ago, then the smaller name.
// (Mesos counts allocations instead of asking for the last; a newcomer would then win every tie for long.)
func (s *Sorter) less(a, b int32) bool {
	x, y := &s.nodes[a], &s.nodes[b]
	switch {
	case x.key != y.key:
		return x.key < y.key
	case x.turn != y.turn:
		return x.turn < y.turn
	}
	return x.name < y.name
}

// enter puts n, and the nodes above it that have been empty, into the heaps of their parents.
func (s *Sorter) enter(n int32) {
	for n != 0 && s.nodes[n].at == none {
		parent := s.nodes[n].parent
		s.nodes[parent].heap = append(s.nodes[parent].heap, n)
		s.nodes[n].at = int32(len(s.nodes[parent].heap) - 1)
		s.rekeyIn(parent, n)
		n = parent
	}
}

// rekeyIn brings the key of a node up to date that may have been away from the heap.
func (s *Sorter) rekeyIn(parent, n int32) {
	s.measure(n)
	s.fix(parent, s.nodes[n].at)
}

// leave takes n, and the nodes above it that become empty, out of the heaps of their parents.
func (s *Sorter) leave(n int32) {
	for n != 0 && s.nodes[n].at != none {
		parent := s.nodes[n].parent
		s.remove(parent, s.nodes[n].at)
		s.nodes[n].at = none
		if len(s.nodes[parent].heap) > 0 {
			return
		}
		n = parent
	}
}

func (s *Sorter) remove(parent, at int32) {
	h := s.nodes[parent].heap
	last := int32(len(h) - 1)
	if at != last {
		s.swap(h, at, last)
	}
	s.nodes[parent].heap = h[:last]
	if at != last {
		s.fix(parent, at)
	}
}

func (s *Sorter) swap(h []int32, i, j int32) {
	h[i], h[j] = h[j], h[i]
	s.nodes[h[i]].at, s.nodes[h[j]].at = i, j
}

// fix moves the node at a place of a heap to where it belongs.
func (s *Sorter) fix(parent, at int32) {
	h := s.nodes[parent].heap
	for at > 0 && s.less(h[at], h[(at-1)/2]) {
		s.swap(h, at, (at-1)/2)
		at = (at - 1) / 2
	}
	s.down(h, at)
}

func (s *Sorter) down(h []int32, at int32) {
	for {
		least, n := at, int32(len(h))
		for child := 2*at + 1; child <= 2*at+2 && child < n; child++ {
			if s.less(h[child], h[least]) {
				least = child
			}
		}
		if least == at {
			return
		}
		s.swap(h, at, least)
		at = least
	}
}

func (s *Sorter) heapify(parent int32) {
	h := s.nodes[parent].heap
	for at := int32(len(h)/2) - 1; at >= 0; at-- {
		s.down(h, at)
	}
}

// next takes the place of the least child of n off the frontier and puts those below it there.
func (s *Sorter) next(n int32, frontier []int32) (int32, []int32) {
	h := s.nodes[n].heap
	first, last := frontier[0], len(frontier)-1
	frontier[0] = frontier[last]
	frontier = frontier[:last]
	s.sink(h, frontier)
	for child := 2*first + 1; child <= 2*first+2 && child < int32(len(h)); child++ {
		frontier = append(frontier, child)
		s.rise(h, frontier)
	}
	return first, frontier
}

// sink and rise keep the frontier itself a heap, of places in h.
func (s *Sorter) sink(h, frontier []int32) {
	for at := 0; ; {
		least := at
		for child := 2*at + 1; child <= 2*at+2 && child < len(frontier); child++ {
			if s.less(h[frontier[child]], h[frontier[least]]) {
				least = child
			}
		}
		if least == at {
			return
		}
		frontier[at], frontier[least] = frontier[least], frontier[at]
		at = least
	}
}

func (s *Sorter) rise(h, frontier []int32) {
	for at := len(frontier) - 1; at > 0; {
		up := (at - 1) / 2
		if !s.less(h[frontier[at]], h[frontier[up]]) {
			return
		}
		frontier[at], frontier[up] = frontier[up], frontier[at]
		at = up
	}
}
