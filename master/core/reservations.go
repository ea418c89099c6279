package core

import (
	"fmt"
	"slices"

	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// onResources is the operation that an operator's call asks for, and of which
// agent; nil if it asks for something else (mesos-api 4.2).
func onResources(c *masterpb.Call) (*mesospb.AgentID, *mesospb.Offer_Operation) {
	switch c.GetType() {
	case masterpb.Call_RESERVE_RESOURCES:
		x := c.GetReserveResources()
		return x.GetAgentId(), &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_RESERVE.Enum(),
			Reserve: &mesospb.Offer_Operation_Reserve{Resources: x.GetResources(), Source: x.GetSource()}}
	case masterpb.Call_UNRESERVE_RESOURCES:
		x := c.GetUnreserveResources()
		return x.GetAgentId(), &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_UNRESERVE.Enum(),
			Unreserve: &mesospb.Offer_Operation_Unreserve{Resources: x.GetResources()}}
	case masterpb.Call_CREATE_VOLUMES:
		x := c.GetCreateVolumes()
		return x.GetAgentId(), &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_CREATE.Enum(),
			Create: &mesospb.Offer_Operation_Create{Volumes: x.GetVolumes()}}
	case masterpb.Call_DESTROY_VOLUMES:
		x := c.GetDestroyVolumes()
		return x.GetAgentId(), &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_DESTROY.Enum(),
			Destroy: &mesospb.Offer_Operation_Destroy{Volumes: x.GetVolumes()}}
	case masterpb.Call_GROW_VOLUME:
		x := c.GetGrowVolume()
		return x.GetAgentId(), &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_GROW_VOLUME.Enum(),
			GrowVolume: &mesospb.Offer_Operation_GrowVolume{Volume: x.GetVolume(), Addition: x.GetAddition()}}
	case masterpb.Call_SHRINK_VOLUME:
		x := c.GetShrinkVolume()
		return x.GetAgentId(), &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_SHRINK_VOLUME.Enum(),
			ShrinkVolume: &mesospb.Offer_Operation_ShrinkVolume{Volume: x.GetVolume(), Subtract: x.GetSubtract()}}
	}
	return nil, nil
}

// operateOn carries out an operator's operation on an agent's free resources,
// taking back offers until there are enough (mesos-api 2.3).
func (m *Master) operateOn(ev Operated, id *mesospb.AgentID, op *mesospb.Offer_Operation) {
	a := m.agents[mesos.AgentID(id.GetValue())]
	if a == nil || a.recovered {
		m.reply(ev.Request, 400, "No agent found with specified ID")
		return
	}
	op, err := inFull(op, "")
	if err != nil {
		m.reply(ev.Request, 400, err.Error())
		return
	}
	rules := m.operationRules(nil, a)
	rules.Principal = ev.Principal
	if err := validation.Operation(op, rules); err != nil {
		m.reply(ev.Request, 400, invalidOperation(op, a, err))
		return
	}
	if a.session == 0 {
		m.reply(ev.Request, 409, fmt.Sprintf("Agent %s is disconnected; try again when it is back", a.id))
		return
	}
	c, err := resources.ConversionOf(op)
	if err == nil {
		m.withdrawShared(a, op)
		m.freeUp(a, c.From)
		_, err = a.idle().Convert(c)
	}
	if err != nil {
		m.reply(ev.Request, 409, err.Error())
		return
	}
	m.apply(a, "", op, c)
	m.reply(ev.Request, 202, "")
}

// invalidOperation is Mesos' text, which names the agent for some operations only.
func invalidOperation(op *mesospb.Offer_Operation, a *agent, err error) string {
	switch op.GetType() {
	case mesospb.Offer_Operation_UNRESERVE, mesospb.Offer_Operation_DESTROY:
		return fmt.Sprintf("Invalid %s operation: %v", op.GetType(), err)
	}
	return fmt.Sprintf("Invalid %s operation on agent %s: %v", op.GetType(), a.at(), err)
}

// idle is what is neither used nor offered. Shared volumes always are.
func (a *agent) idle() resources.Resources {
	return a.total.Minus(a.used.NonShared().Unallocated()).Minus(a.offered.NonShared().Unallocated())
}

// freeUp takes back offers, one by one, that have some of what is wanted.
func (m *Master) freeUp(a *agent, wanted resources.Resources) {
	for _, o := range slices.Clone(a.offers) {
		missing := wanted.Minus(a.idle())
		if missing.IsEmpty() {
			return
		}
		if has := o.resources.Unallocated(); !missing.Minus(has).Equal(missing) {
			m.rescind(o)
		}
	}
}
