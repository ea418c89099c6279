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
func (s *Sorter) enter(v View, n int32) {
	for n != 0 && s.nodes[n].at[v] == none {
		parent := s.nodes[n].parent
		s.nodes[parent].heap[v] = append(s.nodes[parent].heap[v], n)
		s.nodes[n].at[v] = int32(len(s.nodes[parent].heap[v]) - 1)
		s.measure(n) // its key may have been away from all heaps
		s.place(n)
		n = parent
	}
}

// leave takes n, and the nodes above it that become empty, out of the heaps of their parents.
func (s *Sorter) leave(v View, n int32) {
	for n != 0 && s.nodes[n].at[v] != none {
		parent := s.nodes[n].parent
		s.remove(v, parent, s.nodes[n].at[v])
		s.nodes[n].at[v] = none
		if len(s.nodes[parent].heap[v]) > 0 {
			return
		}
		n = parent
	}
}

func (s *Sorter) remove(v View, parent, at int32) {
	h := s.nodes[parent].heap[v]
	last := int32(len(h) - 1)
	if at != last {
		s.swap(v, h, at, last)
	}
	s.nodes[parent].heap[v] = h[:last]
	if at != last {
		s.fix(v, parent, at)
	}
}

func (s *Sorter) swap(v View, h []int32, i, j int32) {
	h[i], h[j] = h[j], h[i]
	s.nodes[h[i]].at[v], s.nodes[h[j]].at[v] = i, j
}

// fix moves the node at a place of a heap to where it belongs.
func (s *Sorter) fix(v View, parent, at int32) {
	h := s.nodes[parent].heap[v]
	for at > 0 && s.less(h[at], h[(at-1)/2]) {
		s.swap(v, h, at, (at-1)/2)
		at = (at - 1) / 2
	}
	s.down(v, h, at)
}

func (s *Sorter) down(v View, h []int32, at int32) {
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
		s.swap(v, h, at, least)
		at = least
	}
}

func (s *Sorter) heapify(v View, parent int32) {
	h := s.nodes[parent].heap[v]
	for at := int32(len(h)/2) - 1; at >= 0; at-- {
		s.down(v, h, at)
	}
}

// next takes the first place off the frontier and puts those below it there.
func (s *Sorter) next(h, frontier []int32) []int32 {
	first, last := frontier[0], len(frontier)-1
	frontier[0] = frontier[last]
	frontier = frontier[:last]
	s.sink(h, frontier)
	for child := 2*first + 1; child <= 2*first+2 && child < int32(len(h)); child++ {
		frontier = append(frontier, child)
		s.rise(h, frontier)
	}
	return frontier
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
