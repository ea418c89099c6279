package core

import (
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// takePorts chooses the host ports of an instance: the ones it requires, or any.
func (c *Core) takePorts(def *spec.App, pool []resources.Resource) (ports []int, parts []resources.Resource, ok bool) {
	wanted := wishes(def)
	if len(wanted) == 0 {
		return []int{}, nil, true
	}
	var free resources.Ranges
	for _, r := range pool {
		if r.Name == "ports" && r.Kind == resources.KindRanges {
			free = free.Add(r.Ranges)
		}
	}
	ports, ok = c.choosePorts(wanted, free)
	if !ok {
		return nil, nil, false
	}
	return ports, portResources(pool, ports), true
}

// choosePorts gives those that must be, and any neighbours to the others.
func (c *Core) choosePorts(wanted []wish, free resources.Ranges) (ports []int, ok bool) {
	loose := 0
	for _, w := range wanted {
		if !w.must {
			loose++
			continue
		}
		if !free.Contains(single(w.port)) {
			return nil, false
		}
		free = free.Sub(single(w.port))
	}
	others, ok := c.anyPorts(loose, free)
	if !ok {
		return nil, false
	}
	for _, w := range wanted {
		if w.must {
			ports = append(ports, w.port)
			continue
		}
		ports, others = append(ports, others[0]), others[1:]
	}
	return ports, true
}

// anyPorts takes n neighbours, beginning anywhere: a port just given back may
// still be in use, so starting at the lowest each time would meet it again.
func (c *Core) anyPorts(n int, free resources.Ranges) (ports []int, ok bool) {
	size := int(free.Size())
	if n == 0 || size < n {
		return nil, n == 0
	}
	start := c.cfg.Rand.IntN(size)
	for i := range n {
		ports = append(ports, nth(free, (start+i)%size))
	}
	return ports, true
}

// nth is the n-th port of the ranges, counted from 0.
func nth(free resources.Ranges, n int) int {
	for _, r := range free {
		if size := int(r.End - r.Begin + 1); n >= size {
			n -= size
			continue
		}
		return int(r.Begin) + n
	}
	panic("port outside of the ranges it was chosen from")
}

// portResources takes each port from the first resource of the pool that has it.
func portResources(pool []resources.Resource, ports []int) []resources.Resource {
	var parts []resources.Resource
	left := slices.Clone(ports)
	for _, r := range pool {
		if r.Name != "ports" || r.Kind != resources.KindRanges {
			continue
		}
		var mine resources.Ranges
		left = slices.DeleteFunc(left, func(p int) bool {
			if !r.Ranges.Contains(single(p)) {
				return false
			}
			mine = mine.Add(single(p))
			return true
		})
		r.Ranges = mine
		parts = append(parts, r)
	}
	return parts
}

func single(port int) resources.Ranges {
	return resources.Ranges{{Begin: uint64(port), End: uint64(port)}}
}
