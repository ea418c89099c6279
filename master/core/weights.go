package core

import (
	"cmp"
	"slices"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// weighted follows the write of weights.
type weighted struct {
	request Request
	weights []Weight
}

func (weighted) event() {}

// updateWeights sets weights of roles, all or none (mesos-api 21.1).
func (m *Master) updateWeights(request Request, list []*mesospb.WeightInfo) {
	if err := validation.Weights(list, m.cfg.Roles); err != nil {
		m.reply(request, 400, err.Error())
		return
	}
	if len(list) == 0 {
		m.reply(request, 200, "")
		return
	}
	then := weighted{request: request}
	op := &registrypb.Operation{Type: registrypb.Operation_SET_WEIGHTS.Enum()}
	for _, w := range list {
		then.weights = append(then.weights, Weight{w.GetRole(), w.GetWeight()})
		op.Weights = append(op.Weights, &registrypb.Weight{Role: w.Role, Weight: w.Weight})
	}
	m.persistThen(then, op)
}

// weighted: if anybody is affected, all that is offered is offered anew.
func (m *Master) weighted(ev weighted) {
	m.setWeights(ev.weights)
	affected := func(f *framework) bool {
		return slices.ContainsFunc(ev.weights, func(w Weight) bool { return slices.Contains(f.roles, w.Role) })
	}
	if slices.ContainsFunc(m.order, affected) {
		for _, f := range m.order {
			for _, o := range f.inOrder() {
				m.rescind(o)
			}
		}
	}
	m.reply(ev.request, 200, "")
}

// setWeights replaces the weights of single roles. Of two for one role the last counts.
func (m *Master) setWeights(list []Weight) {
	byRole := map[string]float64{}
	for _, w := range m.weights {
		byRole[w.Role] = w.Weight
	}
	var changes []allocator.Weight
	for _, w := range list {
		byRole[w.Role] = w.Weight
		changes = append(changes, allocator.Weight{Role: w.Role, Value: w.Weight})
	}
	m.weights = nil // snapshots keep the former list
	for role, weight := range byRole {
		m.weights = append(m.weights, Weight{role, weight})
	}
	slices.SortFunc(m.weights, func(a, b Weight) int { return cmp.Compare(a.Role, b.Role) })
	m.cfg.Allocator.SetWeights(m.now, changes...)
}

func (m *Master) recoverWeights(list []*registrypb.Weight) {
	var weights []Weight
	for _, w := range list {
		if w.GetWeight() > 0 && mesos.CheckRole(w.GetRole()) == nil {
			weights = append(weights, Weight{w.GetRole(), w.GetWeight()})
		}
	}
	m.setWeights(weights)
}
