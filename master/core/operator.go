package core

import (
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// operated carries out an operator's action (mesos-api 4.2). What has to be
// written first is answered when it is.
func (m *Master) operated(ev Operated) {
	switch c := ev.Call; c.GetType() {
	case masterpb.Call_TEARDOWN:
		m.teardown(ev.Request, c.GetTeardown())
	case masterpb.Call_UPDATE_WEIGHTS:
		m.updateWeights(ev.Request, c.GetUpdateWeights().GetWeightInfos())
	case masterpb.Call_MARK_AGENT_GONE:
		m.markAgentGone(ev.Request, agentOf(c.GetMarkAgentGone()))
	case masterpb.Call_DEACTIVATE_AGENT:
		m.deactivateAgent(ev, agentOf(c.GetDeactivateAgent()))
	case masterpb.Call_REACTIVATE_AGENT:
		m.reactivateAgent(ev, agentOf(c.GetReactivateAgent()))
	case masterpb.Call_DRAIN_AGENT:
		m.drainAgent(ev, c.GetDrainAgent())
	case masterpb.Call_UPDATE_QUOTA:
		m.updateQuota(ev.Request, c.GetUpdateQuota())
	case masterpb.Call_SET_QUOTA:
		m.setQuota(ev.Request, c.GetSetQuota().GetQuotaRequest())
	case masterpb.Call_REMOVE_QUOTA:
		m.removeQuota(ev.Request, c.GetRemoveQuota().GetRole())
	case masterpb.Call_UPDATE_MAINTENANCE_SCHEDULE:
		m.updateSchedule(ev.Request, c.GetUpdateMaintenanceSchedule().GetSchedule())
	case masterpb.Call_START_MAINTENANCE:
		m.startMaintenance(ev.Request, c.GetStartMaintenance().GetMachines())
	case masterpb.Call_STOP_MAINTENANCE:
		m.stopMaintenance(ev.Request, c.GetStopMaintenance().GetMachines())
	default:
		if agent, op := onResources(c); op != nil {
			m.operateOn(ev, agent, op)
			return
		}
		m.reply(ev.Request, 501, unsupported(c.GetType().String()))
	}
}

// agentOf is the agent that a call is about.
func agentOf(call interface{ GetAgentId() *mesospb.AgentID }) mesos.AgentID {
	return mesos.AgentID(call.GetAgentId().GetValue())
}

// reply answers an operator's call, if somebody made it.
func (m *Master) reply(request Request, code int, text string) {
	if request != 0 {
		m.do(Reply{Request: request, Code: code, Text: text})
	}
}

// teardown removes a framework.
func (m *Master) teardown(request Request, call *masterpb.Call_Teardown) {
	f := m.frameworks[mesos.FrameworkID(call.GetFrameworkId().GetValue())]
	if f == nil || f.completed {
		m.reply(request, 400, "No framework found with specified ID")
		return
	}
	m.tearDown(f, request, 200)
}
