package core

import (
	"github.com/soukproject/souk/proto/mesos"
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
	case masterpb.Call_UPDATE_QUOTA:
		m.updateQuota(ev.Request, c.GetUpdateQuota())
	case masterpb.Call_SET_QUOTA:
		m.setQuota(ev.Request, c.GetSetQuota().GetQuotaRequest())
	case masterpb.Call_REMOVE_QUOTA:
		m.removeQuota(ev.Request, c.GetRemoveQuota().GetRole())
	default:
		m.reply(ev.Request, 501, unsupported(c.GetType().String()))
	}
}

// reply answers an operator's call.
func (m *Master) reply(request Request, code int, text string) {
	m.do(Reply{Request: request, Code: code, Text: text})
}

// teardown removes a framework.
func (m *Master) teardown(request Request, call *masterpb.Call_Teardown) {
	f := m.frameworks[mesos.FrameworkID(call.GetFrameworkId().GetValue())]
	if f == nil || f.completed {
		m.reply(request, 400, "No framework found with specified ID")
		return
	}
	m.removeFramework(f)
	m.reply(request, 200, "")
}
