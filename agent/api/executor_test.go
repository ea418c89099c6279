package api

import (
	"strings"
	"testing"

	"github.com/soukproject/souk/agent/core"
)

func TestExecutorCalls(t *testing.T) {
	const who = `{"executor_id":{"value":"e1"},"framework_id":{"value":"F0"},`
	const uuid = `"uuid":"AAECAwQFBgcICQoLDA0ODw=="`
	update := func(status string) string {
		return who + `"type":"UPDATE","update":{"status":{"task_id":{"value":"t1"},` + status + `}}}`
	}
	tests := []struct {
		name, body string
		reply      core.Reply
		code       int
		want       string
	}{
		{"an update", update(`"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR",` + uuid), core.Reply{Code: 202}, 202, ""},
		{"a message", who + `"type":"MESSAGE","message":{"data":"aGk="}}`, core.Reply{Code: 202}, 202, ""},
		{"a heartbeat", who + `"type":"HEARTBEAT"}`, core.Reply{Code: 202}, 202, ""},
		{"of nobody", who + `"type":"HEARTBEAT"}`, core.Reply{Code: 400, Text: "Executor cannot be found"}, 400, "Executor cannot be found"},
		{"not subscribed", who + `"type":"HEARTBEAT"}`, core.Reply{Code: 403, Text: "Executor is not subscribed"}, 403, "Executor is not subscribed"},
		{"of no type", who + `"type":"NOPE"}`, core.Reply{}, 400, "Failed to validate Executor::Call: Expecting 'type' to be present"},
		{"without ids", `{"type":"HEARTBEAT"}`, core.Reply{}, 400, "Missing required fields: executor_id, framework_id"},
		{"SUBSCRIBE without its member", who + `"type":"SUBSCRIBE"}`, core.Reply{}, 400, "Expecting 'subscribe' to be present"},
		{"UPDATE without its member", who + `"type":"UPDATE"}`, core.Reply{}, 400, "Expecting 'update' to be present"},
		{"MESSAGE without its member", who + `"type":"MESSAGE"}`, core.Reply{}, 400, "Expecting 'message' to be present"},
		{"an update without uuid", update(`"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR"`), core.Reply{}, 400, "Expecting 'uuid' to be present"},
		{"an update with half a uuid", update(`"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","uuid":"AAECAwQFBgc="`), core.Reply{}, 400, "'uuid' has 8 bytes"},
		{"an update of another", update(`"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","executor_id":{"value":"e2"},` + uuid), core.Reply{}, 400, "e2"},
		{"an update as agent", update(`"state":"TASK_RUNNING","source":"SOURCE_AGENT",` + uuid), core.Reply{}, 400, "expecting 'SOURCE_EXECUTOR'"},
		{"staging", update(`"state":"TASK_STAGING","source":"SOURCE_EXECUTOR",` + uuid), core.Reply{}, 400, "TASK_STAGING"},
		{"half a check", update(`"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","check_status":{"type":"HTTP"},` + uuid), core.Reply{}, 400, "Expecting 'http' to be set"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.agent.reply = tt.reply
			for _, target := range []string{"/api/v1/executor", "/slave(1)/api/v1/executor"} {
				w := f.do("POST", target, tt.body)
				if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
					t.Errorf("POST %s = %d %s, want %d %s", target, w.Code, w.Body, tt.code, tt.want)
				}
			}
			if came := len(f.agent.executor) == 2; came != (tt.reply.Code != 0) {
				t.Errorf("%d calls came through, want that it is %v", len(f.agent.executor), !came)
			}
		})
	}
}

func TestExecutorSubscribes(t *testing.T) {
	const body = `{"executor_id":{"value":"e1"},"framework_id":{"value":"F0"},"type":"SUBSCRIBE","subscribe":{}}`
	f := newFixture(t)
	f.agent.reply = core.Reply{Code: 400, Text: "Framework cannot be found"}
	if w := f.do("POST", "/api/v1/executor", body); w.Code != 400 || w.Body.String() != "Framework cannot be found" {
		t.Errorf("of an unknown framework = %d %s, want 400", w.Code, w.Body)
	}
	f.agent.reply = core.Reply{Code: 200}
	w := f.do("POST", "/api/v1/executor", body)
	if w.Code != 200 || w.Body.String() != "19\n{\"type\":\"SHUTDOWN\"}" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("SUBSCRIBE = %d %s %v, want a stream with one event", w.Code, w.Body, w.Header())
	}
	if f.agent.ended != 2 {
		t.Errorf("%d streams ended, want both", f.agent.ended)
	}
	f.agent.recovering = true
	if w := f.do("POST", "/api/v1/executor", body); w.Code != 503 {
		t.Errorf("while recovering = %d, want 503", w.Code)
	}
}
