package registrar

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	registrypb "github.com/soukproject/souk/proto/mesos/registry"
)

// Names of entries. The head and the maintenance schedule are one entry each;
// every other name is a prefix and an agent's or framework's id, or a role.
const (
	metaName          = "meta"
	agentPrefix       = "agents/"
	unreachablePrefix = "unreachable/"
	gonePrefix        = "gone/"
	weightPrefix      = "weights/"
	quotaPrefix       = "quotas/"
	maintenancePrefix = "maintenance/"
	orphanPrefix      = "orphans/"
)

// A change is one entry's new value; nil deletes it, if it is there.
type change struct {
	name  string
	value proto.Message
}

// changes says what an operation does to the entries.
func changes(op *registrypb.Operation) ([]change, error) {
	switch op.GetType() {
	case registrypb.Operation_ADMIT_AGENT, registrypb.Operation_MARK_REACHABLE:
		id := op.GetAgent().GetInfo().GetId().GetValue()
		return named(op, id, change{agentPrefix + id, op.GetAgent()}, change{unreachablePrefix + id, nil})
	case registrypb.Operation_REMOVE_AGENT:
		id := op.GetAgentId().GetValue()
		return named(op, id, change{agentPrefix + id, nil}, change{unreachablePrefix + id, nil})
	case registrypb.Operation_MARK_UNREACHABLE:
		id := op.GetUnreachable().GetInfo().GetId().GetValue()
		return named(op, id, change{agentPrefix + id, nil}, change{unreachablePrefix + id, op.GetUnreachable()})
	case registrypb.Operation_MARK_GONE:
		id := op.GetGone().GetId().GetValue()
		return named(op, id, change{agentPrefix + id, nil}, change{unreachablePrefix + id, nil}, change{gonePrefix + id, op.GetGone()})
	case registrypb.Operation_PRUNE:
		return pruned(op)
	case registrypb.Operation_SET_WEIGHTS:
		return weighted(op)
	case registrypb.Operation_SET_QUOTAS:
		return limited(op)
	case registrypb.Operation_SET_MAINTENANCE:
		return scheduled(op)
	case registrypb.Operation_SET_ORPHANS:
		return orphaned(op)
	}
	return nil, fmt.Errorf("registry operation %v is unknown", op.GetType())
}

// named refuses an operation without the id that names its entries.
func named(op *registrypb.Operation, id string, cs ...change) ([]change, error) {
	if id == "" {
		return nil, fmt.Errorf("registry operation %v names no agent", op.GetType())
	}
	return cs, nil
}

func pruned(op *registrypb.Operation) (cs []change, err error) {
	for _, id := range op.GetAgentIds() {
		cs = append(cs, change{unreachablePrefix + id.GetValue(), nil}, change{gonePrefix + id.GetValue(), nil})
	}
	return cs, nil
}

func weighted(op *registrypb.Operation) (cs []change, err error) {
	for _, w := range op.GetWeights() {
		if w.GetRole() == "" {
			return nil, fmt.Errorf("registry operation %v names no role", op.GetType())
		}
		cs = append(cs, change{weightPrefix + w.GetRole(), w})
	}
	return cs, nil
}

// limited: a quota that says nothing is not kept.
func limited(op *registrypb.Operation) (cs []change, err error) {
	for _, q := range op.GetQuotas() {
		if q.GetRole() == "" {
			return nil, fmt.Errorf("registry operation %v names no role", op.GetType())
		}
		c := change{name: quotaPrefix + q.GetRole()}
		if len(q.GetGuarantees())+len(q.GetLimits()) > 0 {
			c.value = q
		}
		cs = append(cs, c)
	}
	return cs, nil
}

// scheduled: a schedule without windows is not kept.
func scheduled(op *registrypb.Operation) (cs []change, err error) {
	c := change{name: maintenancePrefix + "schedule"}
	if len(op.GetMaintenance().GetWindows()) > 0 {
		c.value = op.GetMaintenance()
	}
	return []change{c}, nil
}

// orphaned: one that is struck off is not kept.
func orphaned(op *registrypb.Operation) (cs []change, err error) {
	for _, x := range op.GetOrphans() {
		if x.GetId().GetValue() == "" {
			return nil, fmt.Errorf("registry operation %v names no framework", op.GetType())
		}
		c := change{name: orphanPrefix + x.GetId().GetValue()}
		if x.Since != nil {
			c.value = x
		}
		cs = append(cs, c)
	}
	return cs, nil
}
