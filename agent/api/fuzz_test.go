package api

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzRequest sends anything to any route: there is an answer, it is no failure
// of the server that Mesos would not have, and the agent answers the next one.
func FuzzRequest(f *testing.F) {
	const child = `"container_id":{"value":"n1","parent":{"value":"c-1"}}`
	const who = `{"executor_id":{"value":"web.1"},"framework_id":{"value":"F0"},`
	for _, seed := range [][3]string{
		{"POST", "/api/v1", `{"type":"GET_STATE"}`},
		{"POST", "/api/v1", `{"type":"GET_CONTAINERS","get_containers":{"show_nested":true,"show_standalone":true}}`},
		{"POST", "/api/v1", `{"type":"LAUNCH_CONTAINER","launch_container":{` + child + `,"command":{"value":"exit 1"}}}`},
		{"POST", "/api/v1", `{"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{` + child + `,"command":{"value":"x"}}}`},
		{"POST", "/api/v1", `{"type":"WAIT_CONTAINER","wait_container":{` + child + `}}`},
		{"POST", "/api/v1", `{"type":"KILL_NESTED_CONTAINER","kill_nested_container":{` + child + `,"signal":-1}}`},
		{"POST", "/api/v1", `{"type":"REMOVE_CONTAINER","remove_container":{"container_id":{"value":"s1"}}}`},
		{"POST", "/api/v1", `{"type":"ATTACH_CONTAINER_OUTPUT","attach_container_output":{"container_id":{"value":"c-1"}}}`},
		{"POST", "/api/v1", `{"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"CONTAINER_ID"}}`},
		{"POST", "/api/v1", `{"type":"READ_FILE","read_file":{"path":"/frameworks/F0/executors/web.1/runs/latest/stdout","offset":18446744073709551615}}`},
		{"POST", "/api/v1", `{"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":-1}}}`},
		{"POST", "/api/v1", `{"type":"PRUNE_IMAGES","prune_images":{"excluded_images":[{}]}}`},
		{"POST", "/api/v1/executor", who + `"type":"SUBSCRIBE","subscribe":{"unacknowledged_updates":[{}]}}`},
		{"POST", "/api/v1/executor", who + `"type":"UPDATE","update":{"status":{"task_id":{"value":"t"},"state":"TASK_RUNNING","uuid":"AA=="}}}`},
		{"POST", "/slave(1)/api/v1/executor", who + `"type":"HEARTBEAT"}`},
		{"GET", "/slave(1)/state?jsonp=(", ""},
		{"GET", "/%73lave(1)//../x", ""},
		{"GET", "/containers?container_id=c-1", ""},
		{"GET", "/monitor/statistics.json", ""},
		{"GET", "/files/browse?path=/frameworks/../..", ""},
		{"GET", "/files/read?path=/frameworks/F0/executors/web.1/runs/latest/bin.dat&offset=-1&length=9223372036854775807", ""},
		{"GET", "/files/download?path=%00", ""},
		{"GET", "/logging/toggle?level=1&duration=1ns", ""},
		{"GET", "/metrics/snapshot?timeout=-1secs", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	x := newFixture(f)
	x.agent.reply.Code = 200
	f.Fuzz(func(t *testing.T, method, target, body string) {
		if !strings.HasPrefix(target, "/") {
			target = "/" + target
		}
		x.agent.executor = nil                                               // or it grows with each call
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // streams end by it
		defer cancel()
		r := httptest.NewRequest("GET", "/", strings.NewReader(body)).WithContext(ctx)
		path, query, _ := strings.Cut(target, "?")
		r.Method, r.URL.Path, r.URL.RawQuery, r.RequestURI = method, path, query, target
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		x.handler.ServeHTTP(w, r)
		if w.Code == 500 && !asMesos(w.Body.String()) {
			t.Errorf("%s %q %q = 500 %s", method, target, body, w.Body)
		}
		if w := x.do("GET", "/state", ""); w.Code != 200 {
			t.Errorf("GET /state after %s %q %q = %d %s", method, target, body, w.Code, w.Body)
		}
	})
}

// asMesos tells the answers that Mesos, too, gives with status 500 to what is
// the caller's doing (mesos-api 6.2).
func asMesos(text string) bool {
	for _, known := range []string{
		"Unknown container ", "I/O switchboard server was disabled", "Missing required flag --resource_provider_config_dir",
	} {
		if strings.HasPrefix(text, known) {
			return true
		}
	}
	return false
}
