package hierarchical

import "github.com/soukproject/souk/proto/mesos/resources"

// shapes keeps one copy of the resources that agents have in common: machines are bought by the hundred. What is free
// of an unused agent, what is allocated of it and what is refused of it then share memory, and comparing two of them
// is comparing addresses.
type shapes map[string]*shape

type shape struct {
	resources resources.Resources
	uses      int
}

// join is r, or what was kept of the same form.
func (s shapes) join(r resources.Resources) resources.Resources {
	if r.IsEmpty() {
		return nil
	}
	key := r.String()
	x, ok := s[key]
	if !ok || !x.resources.Equal(r) {
		if ok { // two forms of one text: keep the first only
			return r
		}
		x = &shape{resources: r}
		s[key] = x
	}
	x.uses++
	return x.resources
}

// leave says that r, which came from join, is not needed any more.
func (s shapes) leave(r resources.Resources) {
	if r.IsEmpty() {
		return
	}
	key := r.String()
	x, ok := s[key]
	if !ok || !x.resources.Same(r) {
		return
	}
	if x.uses--; x.uses == 0 {
		delete(s, key)
	}
}

// marks keeps, during a run, what a shape looks like when it is allocated to a role.
type marks map[mark]resources.Resources

type mark struct {
	first *resources.Resource
	count int
	role  int32
}

// allocate is r allocated to a role; equal ones share memory.
func (m marks) allocate(r resources.Resources, role int32, name string) resources.Resources {
	if r.IsEmpty() {
		return nil
	}
	key := mark{&r[0], len(r), role}
	out, ok := m[key]
	if !ok {
		out = r.Allocate(name)
		m[key] = out
	}
	return out
}
