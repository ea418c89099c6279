package core

import (
	"github.com/soukproject/souk/proto/mesos"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// operated carries out an operator's action (mesos-api 4.2).
func (m *Master) operated(ev Operated) {
	code, text := 501, unsupported(ev.Call.GetType().String())
	if ev.Call.GetType() == masterpb.Call_TEARDOWN {
		code, text = m.teardown(ev.Call.GetTeardown())
	}
	m.do(Reply{Request: ev.Request, Code: code, Text: text})
}

// teardown removes a framework.
func (m *Master) teardown(call *masterpb.Call_Teardown) (code int, text string) {
	f := m.frameworks[mesos.FrameworkID(call.GetFrameworkId().GetValue())]
	if f == nil || f.completed {
		return 400, "No framework found with specified ID"
	}
	m.removeFramework(f)
	return 200, ""
}
