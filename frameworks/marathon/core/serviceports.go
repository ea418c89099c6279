package core

import (
	"fmt"
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// servicePorts are those of all apps, and those that the edits ask for.
func (c *Core) servicePorts(edits []edit) map[int]bool {
	used := map[int]bool{}
	take := func(def *spec.App) {
		if def == nil {
			return
		}
		for _, p := range def.ServicePorts() {
			used[p] = true
		}
	}
	for _, a := range c.apps {
		take(a.current())
	}
	for _, e := range edits {
		take(e.def)
	}
	return used
}

// assignPorts replaces each 0 by a port no other app has: first by one the app
// had before, so that balancers keep finding it.
func (c *Core) assignPorts(def, before *spec.App, used map[int]bool) (*spec.App, error) {
	var mine []int
	if before != nil {
		mine = slices.DeleteFunc(before.ServicePorts(), func(p int) bool { return slices.Contains(def.ServicePorts(), p) })
	}
	out := *def
	out.PortDefinitions = slices.Clone(def.PortDefinitions)
	for i, p := range out.PortDefinitions {
		if p.Port != 0 {
			continue
		}
		port, err := c.freePort(&mine, used)
		if err != nil {
			return nil, err
		}
		out.PortDefinitions[i].Port = port
	}
	if len(mappings(def)) == 0 {
		return &out, nil
	}
	container := *def.Container
	container.PortMappings = slices.Clone(container.PortMappings)
	out.Container = &container
	for i, m := range container.PortMappings {
		if m.ServicePort != 0 {
			continue
		}
		port, err := c.freePort(&mine, used)
		if err != nil {
			return nil, err
		}
		container.PortMappings[i].ServicePort = port
	}
	return &out, nil
}

func (c *Core) freePort(mine *[]int, used map[int]bool) (int, error) {
	for len(*mine) > 0 {
		p := (*mine)[0]
		*mine = (*mine)[1:]
		if p >= c.cfg.ServicePortMin && p <= c.cfg.ServicePortMax {
			return p, nil
		}
	}
	size := c.cfg.ServicePortMax - c.cfg.ServicePortMin + 1
	start := c.cfg.Rand.IntN(size)
	for i := range size {
		if p := c.cfg.ServicePortMin + (start+i)%size; !used[p] {
			used[p] = true
			return p, nil
		}
	}
	return 0, &Refusal{Kind: Exhausted, Message: fmt.Sprintf("No more service ports are available between %d and %d; widen --local_port_min and --local_port_max", c.cfg.ServicePortMin, c.cfg.ServicePortMax)}
}
