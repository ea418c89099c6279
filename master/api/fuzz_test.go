package api_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzRequest sends anything to any route: there is an answer, it is no failure
// of the server, and the master answers the next one.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][3]string{
		{"POST", "/api/v1", `{"type":"GET_STATE"}`},
		{"POST", "/api/v1", `{"type":"TEARDOWN","teardown":{"framework_id":{"value":"x"}}}`},
		{"POST", "/api/v1/scheduler", `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}`},
		{"POST", "/api/v1/scheduler", `{"type":"ACCEPT","framework_id":{"value":"m1-0000"},"accept":{"offer_ids":[{"value":"o"}],"operations":[{}]}}`},
		{"POST", "/api/v1/link", `{"type":"SUBSCRIBE","subscribe":{"agent":{"hostname":"h"}}}`},
		{"POST", "/api/v1/link", `{"type":"MESSAGES","messages":[{"type":"PONG"}]}`},
		{"POST", "/api/v1", `{"type":"UPDATE_QUOTA","update_quota":{"force":true,"quota_configs":[{"role":"a","limits":{"cpus":{"value":1}}}]}}`},
		{"POST", "/api/v1", `{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"m1-S0"},"max_grace_period":{"seconds":-1}}}`},
		{"PUT", "/weights", `[{"role":"a","weight":2}]`},
		{"POST", "/quota", `{"force":true,"role":"b","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}`},
		{"DELETE", "/quota/b", ""},
		{"GET", "/tasks?limit=-1&offset=99&order=asc", ""},
		{"GET", "/%6daster//../x?jsonp=(", ""},
		{"POST", "/teardown", "frameworkId=%"},
		{"GET", "/logging/toggle?level=1&duration=1ns", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	h := handler(leading())
	f.Fuzz(func(t *testing.T, method, target, body string) {
		if !strings.HasPrefix(target, "/") {
			target = "/" + target
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // streams end by it
		defer cancel()
		r := httptest.NewRequest("GET", "/", strings.NewReader(body)).WithContext(ctx)
		path, query, _ := strings.Cut(target, "?")
		r.Method, r.URL.Path, r.URL.RawQuery, r.RequestURI = method, path, query, target
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 500 {
			t.Errorf("%s %q %q = 500 %s", method, target, body, w.Body)
		}
		if w := ask(h, "GET", "/state", ""); w.Code != 200 {
			t.Errorf("GET /state after %s %q %q = %d %s", method, target, body, w.Code, w.Body)
		}
	})
}
