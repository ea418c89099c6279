package hierarchical

import (
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
)

// Explain is part of allocator.Allocator.
func (h *Allocator) Explain(now time.Time, id mesos.FrameworkID, role string, agent mesos.AgentID) []allocator.Reason {
	a, there := h.agentIDs[agent]
	if !there {
		return because(allocator.UnknownAgent)
	}
	f, known := h.names[id]
	if !known || !h.frameworks.at(f).known {
		return because(allocator.UnknownFramework)
	}
	at, ok := h.clientAt(f, role)
	if !ok || !h.clients.at(h.frameworks.at(f).clients[at]).subscribed {
		return because(allocator.NotSubscribed)
	}
	c := h.frameworks.at(f).clients[at]
	return append(h.explainState(a, c), h.explainPortion(now, a, c)...)
}

func because(name allocator.ReasonName) []allocator.Reason {
	return []allocator.Reason{{Name: name}}
}

// explainState lists what keeps a client away from an agent whatever is free there.
func (h *Allocator) explainState(a, c int32) []allocator.Reason {
	var out []allocator.Reason
	x := h.clients.at(c)
	if !h.agents.at(a).active {
		out = append(out, allocator.Reason{Name: allocator.AgentInactive})
	}
	if !h.frameworks.at(x.framework).active {
		out = append(out, allocator.Reason{Name: allocator.FrameworkInactive})
	}
	if x.suppressed {
		out = append(out, allocator.Reason{Name: allocator.RoleSuppressed})
	}
	if name := h.barrier(a, c); name != "" {
		out = append(out, allocator.Reason{Name: name})
	}
	return out
}

// explainPortion lists what is wrong with what the client could have.
func (h *Allocator) explainPortion(now time.Time, a, c int32) []allocator.Reason {
	part, cut := h.portion(a, c, false)
	var out []allocator.Reason
	if cut {
		out = append(out, allocator.Reason{Name: h.cutBy(a, c)})
	}
	part = h.shapes.plus(part, h.sharedFor(a, c, part))
	switch until, refused := h.refused(now, a, c, part); {
	case part.empty() && cut:
	case part.empty():
		out = append(out, allocator.Reason{Name: allocator.NothingFree})
	case !h.enough(c, part):
		out = append(out, allocator.Reason{Name: allocator.BelowMinimum})
	case refused:
		out = append(out, allocator.Reason{Name: allocator.Declined, Until: until})
	}
	return out
}

// cutBy tells a limit from headroom.
func (h *Allocator) cutBy(a, c int32) allocator.ReasonName {
	top := h.roles.at(h.roles.at(h.clients.at(c).role).top)
	if !top.fits(&h.usable(c, h.agents.at(a).free).counted) {
		return allocator.QuotaLimit
	}
	return allocator.QuotaHeadroom
}
