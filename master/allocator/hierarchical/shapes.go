package hierarchical

import "github.com/soukproject/souk/proto/mesos/resources"

// shape is a list of resources, without allocation, and all that is asked about it over and over. Machines are bought
// by the hundred: what is free of them, given of them and refused of them are mostly the same few lists, and comparing
// two shapes is mostly comparing addresses. Shapes never change.
type shape struct {
	list    resources.Resources
	all     resources.Quantities // what counts for shares
	counted resources.Quantities // what counts for quota
	plain   bool                 // nothing is reserved, revocable or shared: whoever may have any may have all
	shares  bool                 // something is shared
	enough  bool                 // for the minimum that holds unless a framework has its own
	forms   map[string]resources.Resources
	reign   int // of shapes, when forms was begun
}

func (s *shape) empty() bool { return len(s.list) == 0 }

// contains reports whether all of o can be taken from s.
func (s *shape) contains(o *shape) bool { return s == o || s.list.Contains(o.list) }

// Lists longer than this are an agent's own (thousands of reservations), and looking for their like is in vain.
const maxShared = 32

// maxShapes bounds what shapes remembers. It is a cache: when it is full it starts anew.
const maxShapes = 1 << 14

// shapes finds shapes by their contents.
type shapes struct {
	minimum []resources.Quantities
	nothing *shape
	known   map[uint64]*shape
	origin  map[*resources.Resource]*shape // by the first element of what forms has
	reign   int
}

func newShapes(minimum []resources.Quantities) shapes {
	s := shapes{minimum: minimum, nothing: &shape{plain: true}}
	s.forget()
	return s
}

func (s *shapes) forget() {
	s.known, s.origin = map[uint64]*shape{}, map[*resources.Resource]*shape{}
	s.reign++
}

// of is the shape of a list without allocation.
func (s *shapes) of(list resources.Resources) *shape {
	switch {
	case len(list) == 0:
		return s.nothing
	case len(list) > maxShared:
		return s.describe(list)
	}
	key := hash(list)
	if x, ok := s.known[key]; ok && x.list.Equal(list) {
		return x
	}
	if len(s.known) >= maxShapes {
		s.forget()
	}
	x := s.describe(list)
	s.known[key] = x
	return x
}

func (s *shapes) describe(list resources.Resources) *shape {
	x := &shape{list: list, all: list.Quantities(), plain: true}
	for i := range list {
		r := &list[i]
		x.plain = x.plain && !r.Reserved() && !r.Revocable && !r.Shared
		x.shares = x.shares || r.Shared
	}
	x.counted = x.all
	if !x.plain {
		x.counted = quantities(list, countsForQuota)
	}
	x.enough = enough(s.minimum, list)
	return x
}

// plus is a and b together.
func (s *shapes) plus(a, b *shape) *shape {
	switch {
	case a.empty():
		return b
	case b.empty():
		return a
	}
	return s.of(a.list.Add(b.list))
}

// minus is a without what of b is in it.
func (s *shapes) minus(a, b *shape) *shape {
	switch {
	case a == b:
		return s.nothing
	case b.empty():
		return a
	}
	return s.of(a.list.Minus(b.list))
}

// allocate is x given to a role; equal ones share memory.
func (s *shapes) allocate(x *shape, role string) resources.Resources {
	if x.empty() || len(x.list) > maxShared {
		return x.list.Allocate(role)
	}
	if len(s.origin) >= maxShapes {
		s.forget()
	}
	if x.reign != s.reign {
		x.forms, x.reign = map[string]resources.Resources{}, s.reign
	}
	out, ok := x.forms[role]
	if !ok {
		out = x.list.Allocate(role)
		x.forms[role] = out
		s.origin[&out[0]] = x
	}
	return out
}

// plain is the shape of a list that is allocated to one role. What allocate gave is recognised by its address.
func (s *shapes) plain(allocated resources.Resources) *shape {
	if len(allocated) == 0 {
		return s.nothing
	}
	if x, ok := s.origin[&allocated[0]]; ok && len(x.list) == len(allocated) {
		return x
	}
	return s.of(allocated.Unallocated())
}

// hash tells lists apart by what mostly differs; equality is asked for afterwards.
func hash(list resources.Resources) uint64 {
	h := uint64(len(list))
	mix := func(n uint64) { h = (h ^ n) * 0x9E3779B97F4A7C15; h ^= h >> 29 }
	text := func(s string) {
		for i := range len(s) {
			h = h*31 + uint64(s[i])
		}
		mix(uint64(len(s)))
	}
	for i := range list {
		r := &list[i]
		text(r.Name)
		mix(uint64(r.Scalar))
		for _, x := range r.Ranges {
			mix(x.Begin)
			mix(x.End)
		}
		for _, x := range r.Set {
			text(x)
		}
		for j := range r.Reservations {
			text(r.Reservations[j].Role)
			text(r.Reservations[j].Principal)
		}
		if r.Disk != nil {
			text(r.Disk.Persistence)
		}
		mix(uint64(r.Count))
	}
	return h
}
