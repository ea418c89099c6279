package hierarchical

import (
	"strings"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// barrier names what keeps a client away from an agent whatever is free there, or "".
func (h *Allocator) barrier(a, c int32) allocator.ReasonName {
	x, cl := h.agents.at(a), h.clients.at(c)
	can := &h.frameworks.at(cl.framework).spec.Capabilities
	switch {
	case x.gpus && h.cfg.KeepGPUs && !can.GPU:
		return allocator.GPUsKept
	case x.spec.Region != "" && x.spec.Region != h.cfg.Region && !can.RegionAware:
		return allocator.RemoteRegion
	case can.MultiRole && !x.spec.Capabilities.MultiRole,
		strings.Contains(cl.name, "/") && !x.spec.Capabilities.HierarchicalRole:
		return allocator.AgentNotCapable
	case len(cl.constraints) > 0 && !cl.constraints.Accept(&x.spec):
		return allocator.ConstraintsExclude
	}
	return ""
}

// usable is what a client may have by its role and capabilities of some resources.
func (h *Allocator) usable(c int32, s *shape) *shape {
	if s.plain {
		return s
	}
	cl := h.clients.at(c)
	can := &h.frameworks.at(cl.framework).spec.Capabilities
	part := pick(s.list, func(x *resources.Resource) bool {
		return x.AllocatableTo(cl.name) &&
			(!x.Revocable || can.Revocable) &&
			(!x.Shared || can.Shared) &&
			(!x.Refined() || can.ReservationRefinement)
	})
	if len(part) == len(s.list) {
		return s
	}
	return h.shapes.of(part)
}

// portion is what a client may have of what is free of an agent, shared resources apart; cut tells whether quota made
// it less.
func (h *Allocator) portion(a, c int32, guarantees bool) (part *shape, cut bool) {
	part = h.usable(c, h.agents.at(a).free)
	switch top := h.roles.at(h.roles.at(h.clients.at(c).role).top); {
	case len(h.quotas) == 0 || part.empty():
		return part, false
	case guarantees && !h.optimistic():
		return h.guaranteed(c, part)
	case h.optimistic() && h.allows(top, &part.counted):
		return part, false
	case !h.optimistic() && top.fits(&part.counted) && h.spared(&part.counted):
		return part, false
	}
	allowed := shrink(pick(part.list, countsForQuota), h.allowance(c))
	return h.shapes.of(pick(part.list, notForQuota).Add(allowed)), true
}

func notForQuota(r *resources.Resource) bool { return !countsForQuota(r) }

// sharedFor is the shared resources that go with part. Alone they make no allocation: they would never be used up,
// and be offered again and again.
func (h *Allocator) sharedFor(a, c int32, part *shape) *shape {
	shared := h.agents.at(a).shared
	if shared.empty() || part.empty() {
		return h.shapes.nothing
	}
	return h.usable(c, shared)
}

// sliceCount is into how many parts Spread divides an agent.
const sliceCount = 8

// slice is what Spread gives at a time: an eighth of each divisible thing that the agent has, and the minimum of an
// offer. What cannot be divided, or is reserved, goes with the first slice.
func (h *Allocator) slice(a, c int32, part *shape) *shape {
	if h.cfg.Offering != allocator.Spread {
		return part
	}
	whole := h.agents.at(a).whole.list
	out := make(resources.Resources, 0, len(part.list))
	for _, x := range part.list {
		if x.Divisible() && !x.Reserved() {
			x = h.sliceOf(x, whole)
		}
		out = append(out, x)
	}
	given, minimum := h.shapes.of(resources.Of(out...)), h.clients.at(c).minimum
	if rest := h.shapes.minus(part, given); !enough(minimum, given.list) || !enough(minimum, rest.list) {
		return part // crumbs are of use to nobody
	}
	return given
}

func (h *Allocator) sliceOf(x resources.Resource, whole resources.Resources) resources.Resource {
	switch x.Kind {
	case resources.KindScalar:
		least := resources.Scalar(0)
		for i := range h.cfg.Minimum {
			least = max(least, h.cfg.Minimum[i].Get(x.Name))
		}
		x.Scalar = min(x.Scalar, max((whole.Scalar(x.Name)+sliceCount-1)/sliceCount, least))
	case resources.KindRanges:
		x.Ranges = x.Ranges.Take((whole.RangesOf(x.Name).Size()-1)/sliceCount + 1)
	}
	return x
}
