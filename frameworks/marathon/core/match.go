package core

import (
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// A match is what an instance takes of an offer.
type match struct {
	taken     resources.Resources
	hostPorts []int // in port order
}

// match says what one instance of the app takes of the offer or, if it cannot
// run there, why not: the first reason of the funnel.
func (c *Core) match(a *app, o *offer) (match, Reason) {
	def := a.current()
	pool := c.pool(def, o)
	switch {
	case len(pool) == 0:
		return match{}, UnfulfilledRole
	case !c.placeable(a, o):
		return match{}, UnfulfilledConstraint
	case o.inMaintenance(c.now):
		return match{}, AgentMaintenance
	}
	taken, reason := takeScalars(def, pool)
	if reason != "" {
		return match{}, reason
	}
	ports, portResources, ok := c.takePorts(def, pool)
	switch {
	case !ok:
		return match{}, InsufficientPorts
	case c.cfg.ScarceGPUs && def.GPUs == 0 && def.Labels["GPU_SCHEDULING_BEHAVIOR"] != "unrestricted" && o.left.Scalar("gpus") > 0:
		return match{}, DeclinedScarceResource
	}
	return match{taken: resources.Of(append(taken, portResources...)...), hostPorts: ports}, ""
}

// placeable judges constraints and the rule that without one on regions or
// zones, apps stay in the home region.
func (c *Core) placeable(a *app, o *offer) bool {
	def := a.current()
	if c.homeRegion != "" && o.region != "" && o.region != c.homeRegion && !def.Constrains("@region", "@zone") {
		return false
	}
	if len(def.Constraints) == 0 {
		return true
	}
	peers := a.peers()
	return !slices.ContainsFunc(def.Constraints, func(con spec.Constraint) bool { return !a.meets(con, o, peers) })
}

// pool is what the definition may take, reserved resources first: they are of
// no use to others.
func (c *Core) pool(def *spec.App, o *offer) []resources.Resource {
	if o.role != def.Role {
		return nil
	}
	accepted := c.acceptedRoles(def)
	pool := slices.Clone(o.left.Filter(func(r resources.Resource) bool {
		return slices.Contains(accepted, r.Role())
	}))
	slices.SortStableFunc(pool, func(x, y resources.Resource) int { return len(y.Reservations) - len(x.Reservations) })
	return pool
}

func (c *Core) acceptedRoles(def *spec.App) []string {
	switch {
	case len(def.AcceptedResourceRoles) > 0:
		return def.AcceptedResourceRoles
	case c.cfg.ResourceRoles == "unreserved":
		return []string{"*"}
	case c.cfg.ResourceRoles == "reserved":
		return []string{def.Role}
	}
	return []string{"*", def.Role}
}

// takeScalars gathers each amount from as many resources as it takes.
func takeScalars(def *spec.App, pool []resources.Resource) ([]resources.Resource, Reason) {
	var taken []resources.Resource
	for _, need := range []struct {
		name   string
		amount float64
		reason Reason
	}{
		{"cpus", def.CPUs, InsufficientCpus},
		{"mem", def.Mem, InsufficientMemory},
		{"disk", def.Disk, InsufficientDisk},
		{"gpus", float64(def.GPUs), InsufficientGpus},
	} {
		amount, err := resources.ScalarOf(need.amount)
		if err != nil {
			return nil, need.reason
		}
		parts, ok := takeScalar(pool, need.name, amount)
		if !ok {
			return nil, need.reason
		}
		taken = append(taken, parts...)
	}
	return taken, ""
}

func takeScalar(pool []resources.Resource, name string, amount resources.Scalar) (parts []resources.Resource, ok bool) {
	for _, r := range pool {
		if amount <= 0 {
			break
		}
		if r.Name == name && r.Kind == resources.KindScalar {
			r.Scalar = min(r.Scalar, amount)
			amount -= r.Scalar
			parts = append(parts, r)
		}
	}
	return parts, amount <= 0
}
