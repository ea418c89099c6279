package simulation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	mastercore "github.com/soukproject/souk/master/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
)

// An operator asks masters for changes, and remembers what they have granted:
// from then on it holds, whoever leads.
type operator struct {
	c     *Cluster
	gone  map[string]bool            // agents that were granted to be gone, by id
	asked map[string]bool            // agents that were asked to be gone, granted or not
	held  map[string]map[string]bool // values that may hold, by what they are of
	count map[string]int             // requests, by what they are of
}

func newOperator(c *Cluster) *operator {
	return &operator{c: c, gone: make(map[string]bool), asked: make(map[string]bool), held: make(map[string]map[string]bool), count: make(map[string]int)}
}

// master is one that believes it leads, nil if none does.
func (o *operator) master() *masterNode {
	for _, m := range o.c.masters {
		if m.core != nil {
			return m
		}
	}
	return nil
}

// call makes a call; granted follows an answer of 200.
func (o *operator) call(call *masterpb.Call, granted func()) {
	m := o.master()
	if m == nil {
		return
	}
	o.c.result[Requests]++
	o.c.trace("operator asks %s for %v", m.name, call)
	m.ask(
		func(r mastercore.Request) mastercore.Event { return mastercore.Operated{Request: r, Call: call} },
		func(r mastercore.Reply) {
			o.c.trace("operator is told %d %s", r.Code, r.Text)
			if r.Code == 200 && granted != nil {
				granted()
			}
		})
}

// act asks for something.
func (o *operator) act() {
	role := []string{"framework0", "framework1"}[o.c.rng.IntN(2)]
	a := o.c.agents[o.c.rng.IntN(len(o.c.agents))].id()
	switch n := o.c.rng.IntN(12); {
	case n < 2:
		o.weigh(role, float64(1+o.c.rng.IntN(5)))
	case n < 4:
		o.limit(role, o.c.rng.IntN(6))
	case a == "":
	case n < 6:
		o.agent(a, "deactivated", &masterpb.Call{
			Type: masterpb.Call_DEACTIVATE_AGENT.Enum(), DeactivateAgent: &masterpb.Call_DeactivateAgent{AgentId: &mesospb.AgentID{Value: &a}},
		})
	case n < 8:
		o.reactivate(a)
	case n < 11:
		o.drain(a, o.c.rng.IntN(4) == 0)
	default:
		o.bury(a)
	}
}

// expect widens what may hold, and narrows it again once that is granted.
func (o *operator) expect(what, value string) (granted func()) {
	if o.held[what] == nil {
		o.held[what] = map[string]bool{"": true}
	}
	o.held[what][value] = true
	o.count[what]++
	mine := o.count[what]
	return func() {
		if mine == o.count[what] { // nothing else was asked for since
			o.held[what] = map[string]bool{value: true}
		}
	}
}

func (o *operator) weigh(role string, weight float64) {
	o.call(&masterpb.Call{
		Type:          masterpb.Call_UPDATE_WEIGHTS.Enum(),
		UpdateWeights: &masterpb.Call_UpdateWeights{WeightInfos: []*mesospb.WeightInfo{{Role: &role, Weight: &weight}}},
	}, o.expect("weight of "+role, fmt.Sprint(weight)))
}

// limit sets a quota of so many CPUs; 0 is none.
func (o *operator) limit(role string, cpus int) {
	q := &quotapb.QuotaConfig{Role: &role}
	value := ""
	if cpus > 0 {
		q.Limits = map[string]*mesospb.Value_Scalar{"cpus": {Value: new(float64(cpus))}}
		value = fmt.Sprint(cpus)
	}
	o.call(&masterpb.Call{
		Type:        masterpb.Call_UPDATE_QUOTA.Enum(),
		UpdateQuota: &masterpb.Call_UpdateQuota{Force: new(true), QuotaConfigs: []*quotapb.QuotaConfig{q}},
	}, o.expect("quota of "+role, value))
}

// agent asks for a standing of an agent.
func (o *operator) agent(id, value string, call *masterpb.Call) {
	o.call(call, o.expect("agent "+id, value))
}

func (o *operator) reactivate(id string) {
	o.agent(id, "", &masterpb.Call{
		Type: masterpb.Call_REACTIVATE_AGENT.Enum(), ReactivateAgent: &masterpb.Call_ReactivateAgent{AgentId: &mesospb.AgentID{Value: &id}},
	})
}

func (o *operator) drain(id string, forGood bool) {
	if forGood {
		o.asked[id] = true
	}
	o.agent(id, "deactivated", &masterpb.Call{
		Type: masterpb.Call_DRAIN_AGENT.Enum(), DrainAgent: &masterpb.Call_DrainAgent{
			AgentId: &mesospb.AgentID{Value: &id}, MarkGone: &forGood,
			MaxGracePeriod: durationpb.New(time.Duration(o.c.rng.IntN(3)) * time.Second),
		},
	})
}

func (o *operator) bury(id string) {
	o.asked[id] = true
	o.call(&masterpb.Call{
		Type: masterpb.Call_MARK_AGENT_GONE.Enum(), MarkAgentGone: &masterpb.Call_MarkAgentGone{AgentId: &mesospb.AgentID{Value: &id}},
	}, func() { o.gone[id] = true })
}

// tearDown asks for a framework to be removed until that is granted.
func (o *operator) tearDown(s *scheduler) {
	if s.left {
		return
	}
	if s.id != nil {
		o.call(&masterpb.Call{Type: masterpb.Call_TEARDOWN.Enum(), Teardown: &masterpb.Call_Teardown{FrameworkId: s.id}},
			func() { s.leave(Teardowns) })
	}
	o.c.after(3*time.Second, func() { o.tearDown(s) })
}

// tidyUp is what an operator does when the network has healed: agents that are
// not to be kept out work again, quotas go, and an agent whose machine has lost
// its id and has another by now is buried. Nobody but an operator can say that
// it will never be back. It reports whether there was nothing to do.
func (o *operator) tidyUp() bool {
	before := o.c.result[Requests]
	now := make(map[string]bool)
	for i, a := range o.c.agents {
		id := a.id()
		now[id] = true
		held := o.c.registry.agent(id)
		keep := i == 0 && o.c.opts.Seed%3 == 0
		if held.GetDeactivated() && held.GetDrainInfo().GetState() != mesospb.DrainState_DRAINING && !keep {
			o.reactivate(id)
		}
	}
	for _, u := range slices.Clone(o.c.registry.held.GetUnreachable()) {
		if id := u.GetInfo().GetId().GetValue(); !now[id] {
			o.bury(id)
		}
	}
	for _, q := range slices.Clone(o.c.registry.held.GetQuotas()) {
		o.limit(q.GetRole(), 0)
	}
	return o.c.result[Requests] == before && o.master() != nil
}

// check looks whether the store holds what was granted.
func (o *operator) check() {
	r := &o.c.registry
	for _, id := range slices.Sorted(maps.Keys(o.gone)) {
		if !r.gone(id) {
			o.c.violate("agent %s was granted to be gone, and is not", id)
		}
	}
	held := make(map[string]string)
	for _, w := range r.held.GetWeights() {
		held["weight of "+w.GetRole()] = fmt.Sprint(w.GetWeight())
	}
	for _, q := range r.held.GetQuotas() {
		held["quota of "+q.GetRole()] = fmt.Sprint(q.GetLimits()["cpus"].GetValue())
	}
	known := make(map[string]bool)
	for _, a := range r.held.GetAgents() {
		o.standing(held, known, a.GetInfo().GetId().GetValue(), a.GetDeactivated())
	}
	for _, u := range r.held.GetUnreachable() {
		o.standing(held, known, u.GetInfo().GetId().GetValue(), u.GetDeactivated())
	}
	for _, what := range slices.Sorted(maps.Keys(o.held)) {
		ofAgent := len(what) > 6 && what[:6] == "agent "
		if may := o.held[what]; !may[held[what]] && (!ofAgent || known[what]) {
			o.c.violate("%s is %q, granted was one of %q", what, held[what], slices.Sorted(maps.Keys(may)))
		}
	}
}

func (o *operator) standing(held map[string]string, known map[string]bool, id string, deactivated bool) {
	known["agent "+id] = true
	if deactivated {
		held["agent "+id] = "deactivated"
	}
}
