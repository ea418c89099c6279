package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/hierarchical"
	"github.com/soukproject/souk/master/api"
	"github.com/soukproject/souk/master/core"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A bench is a Master without a loop: each call steps the core under a lock.
// What is to be persisted is durable at once.
type bench struct {
	status api.Status
	refuse error // what every call returns, if not nil

	registry *registrypb.Registry

	mu      sync.Mutex
	core    *core.Master
	now     time.Time
	request core.Request
	sinks   map[any]api.Sink
	watched []api.Sink
}

func leading() *bench {
	b := &bench{
		status: api.Status{Leader: leader.Leader{ID: "m1", Address: "127.0.0.1:5050"}, Leading: true, Recovered: true},
		now:    time.Unix(1_795_210_325, 0),
		sinks:  make(map[any]api.Sink),
	}
	b.core = core.New(core.Config{
		MasterID: "m1", Info: info(), RootSubmissions: true,
		MaxCompletedFrameworks: 50, MaxCompletedTasks: 1000, MaxUnreachableTasks: 1000, RegistryMaxAgentAge: time.Hour, RegistryMaxAgentCount: 100,
		Allocator: hierarchical.New(allocator.Config{Minimum: allocator.DefaultMinimum()}),
	})
	b.step(core.Elected{Registry: &registrypb.Registry{Weights: []*registrypb.Weight{{Role: new("ops"), Weight: new(1.5)}}}})
	return b
}

// Registry implements api.Master.
func (b *bench) Registry(context.Context) (*registrypb.Registry, error) {
	return b.registry, b.refuse
}

func info() *mesospb.MasterInfo {
	return &mesospb.MasterInfo{
		Id: new("m1"), Ip: new(uint32(16777343)), Port: new(uint32(5050)), Pid: new("master@127.0.0.1:5050"), Hostname: new("127.0.0.1"),
		Version: new("1.11.0"), Address: &mesospb.Address{Hostname: new("127.0.0.1"), Ip: new("127.0.0.1"), Port: new(int32(5050))},
	}
}

// step performs an event and what follows from it; the caller holds mu, but for the first.
func (b *bench) step(ev core.Event) (reply core.Reply) {
	b.now = b.now.Add(time.Millisecond)
	for _, effect := range b.core.Step(b.now, ev) {
		switch e := effect.(type) {
		case core.Persist:
			if after := b.step(core.Persisted{Seq: e.Seq}); after.Code != 0 {
				reply = after
			}
		case core.Reply:
			reply = e
		case core.SendAgent:
			b.sinks[e.Session].Send(e.Event)
		case core.SendFramework:
			b.sinks[e.Stream].Send(e.Event)
		case core.CloseFramework:
			b.sinks[e.Stream].Close()
		case core.Publish:
			for _, s := range b.watched {
				s.Send(e.Event)
			}
		}
	}
	return reply
}

func (b *bench) Status() api.Status { return b.status }

func (b *bench) Send(_ context.Context, ev core.Event) error {
	return b.Open(nil, ev, nil)
}

func (b *bench) Open(_ context.Context, ev core.Event, sink api.Sink) error {
	if b.refuse != nil {
		return b.refuse
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case core.Subscribed:
		b.sinks[ev.Stream] = sink
	case core.AgentSubscribed:
		b.sinks[ev.Session] = sink
	}
	b.step(ev)
	return nil
}

func (b *bench) Call(_ context.Context, event func(core.Request) core.Event) (core.Reply, error) {
	if b.refuse != nil {
		return core.Reply{}, b.refuse
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.request++
	return b.step(event(b.request)), nil
}

func (b *bench) View(context.Context) (*core.Snapshot, error) {
	if b.refuse != nil {
		return nil, b.refuse
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.core.Snapshot(), nil
}

func (b *bench) Watch(ctx context.Context, sink api.Sink) (*core.Snapshot, error) {
	b.mu.Lock()
	b.watched = append(b.watched, sink)
	b.mu.Unlock()
	return b.View(ctx)
}

func (b *bench) Unwatch(api.Sink) {}

func (b *bench) Explain(_ context.Context, q allocator.Question) (core.Explanation, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.core.Explain(q)
}

func (b *bench) Overview(_ context.Context, emptyFor time.Duration, limit int) (core.Overview, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.core.Overview(emptyFor, limit), nil
}

// handler is the API on top of a bench.
func handler(b *bench, change ...func(*api.Config)) http.Handler {
	cfg := api.Config{
		Master: b, Log: zap.NewNop(), Level: zap.NewAtomicLevel(), Metrics: metrics.New(),
		Info: info(), Started: b.now, Cluster: "golden", Limits: api.DefaultLimits(),
		Build: api.Build{Version: "0.1.0"},
		Flags: []daemon.Flag{{Name: "ip", Value: "127.0.0.1", Set: true}, {Name: "hostname"}},
	}
	for _, c := range change {
		c(&cfg)
	}
	return api.New(cfg)
}

func ask(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestRouting is the table of mesos-api 1.1.
func TestRouting(t *testing.T) {
	const notFound = "404 Not Found."
	cases := []struct {
		path string
		code int
		body string // its beginning
	}{
		{"/version", 200, `{"version":"1.11.0"`},
		{"/version/x", 200, `{"version":"1.11.0"`},
		{"/master/version", 404, notFound},
		{"/health", 200, ""},
		{"/health/", 200, ""},
		{"//health", 200, ""},
		{"/health/x/y", 200, ""},
		{"/master/health", 200, ""},
		{"/%6daster/health", 200, ""},
		{"/master/h%65alth", 404, notFound},
		{"/master%2Fhealth", 404, notFound},
		{"/Master/health", 404, notFound},
		{"/HEALTH", 404, notFound},
		{"/state", 200, `{"version":"1.11.0"`},
		{"/state/", 200, `{"version":"1.11.0"`},
		{"/state.json", 200, `{"version":"1.11.0"`},
		{"/master/state.json", 200, `{"version":"1.11.0"`},
		{"/master/state/x", 200, `{"version":"1.11.0"`},
		{"/state-summary/", 200, `{"hostname":"127.0.0.1","cluster":"golden"`},
		{"/master/../version", 404, notFound},
		{"/master/%2e%2e/version", 404, notFound},
		{"/./version", 404, notFound},
		{"/nope", 404, notFound},
		{"/master/nope", 404, notFound},
		{"/api/v2", 404, notFound},
		{"/api/v1/nope", 405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."},
		{"/api/v1/operator", 405, "405"},
		{"/api/v1/scheduler/", 405, "405"},
		{"/redirect", 307, ""},
		{"/master/redirect", 307, ""},
		{"/redirect?a=b", 307, ""},
		{"/redirect/x", 404, notFound},
		{"/metrics/snapshot?timeout=2000ms", 200, "{"},
		{"/metrics", 200, "# HELP"},
		{"/metrics/nope", 404, notFound},
		{"/system/stats.json", 200, `{"cpus_total":`},
		{"/logging/toggle", 200, "0\n"},
		{"/memory-profiler/state", 404, notFound},
		{"/quota", 200, "{}"},
		{"/master/quota/dev", 200, "{}"},
		{"/files/browse?path=/", 404, ""},
		{"/files/browse", 400, "Expecting 'path=value' in query.\n"},
		{"/files/debug", 200, "{}"},
		{"/" + strings.Repeat("a/", 100), 404, notFound},
		{"/", 200, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Souk: golden</title>"},
		{"/help", 200, "<!DOCTYPE html>"},
		{"/help/master", 200, "<!DOCTYPE html>"},
		{"/help/master/state", 200, "<!DOCTYPE html>"},
		{"/help/nope", 404, notFound},
		{"/help/master/nope", 404, notFound},
	}
	h := handler(leading())
	for _, c := range cases {
		w := ask(h, "GET", c.path, "")
		if w.Code != c.code || !strings.HasPrefix(w.Body.String(), c.body) || (c.body == "" && w.Body.Len() > 0) {
			t.Errorf("GET %s = %d %.100q, want %d %q", c.path, w.Code, w.Body, c.code, c.body)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("GET %s: Content-Type = %q", c.path, w.Header().Get("Content-Type"))
		}
	}
}

func TestAnyMethodReads(t *testing.T) {
	h := handler(leading())
	for _, path := range []string{"/state", "/state-summary", "/slaves", "/frameworks", "/tasks", "/roles", "/flags", "/version", "/health", "/metrics/snapshot"} {
		for _, method := range []string{"PUT", "POST", "DELETE", "OPTIONS", "PATCH"} {
			if w := ask(h, method, path, ""); w.Code != 200 {
				t.Errorf("%s %s = %d %s, want 200", method, path, w.Code, w.Body)
			}
		}
	}
	for path, allow := range map[string]string{"/api/v1": "POST", "/api/v1/scheduler": "POST", "/api/v1/link": "POST", "/teardown": "POST", "/weights": "GET, PUT"} {
		w := ask(h, "DELETE", path, "")
		if w.Code != 405 || w.Header().Get("Allow") != allow {
			t.Errorf("DELETE %s = %d, Allow %q, want 405, %q", path, w.Code, w.Header().Get("Allow"), allow)
		}
	}
}

// TestOrderOfChecks: who leads is asked before anything else (mesos-api 1.4, 1.5).
func TestOrderOfChecks(t *testing.T) {
	other := leader.Leader{ID: "m2", Address: "10.0.0.2:5050"}
	named := other
	named.Info = []byte(`{"hostname":"m2.example.com","port":5060}`)
	me := leader.Leader{ID: "m1", Address: "127.0.0.1:5050"}
	cases := []struct {
		name           string
		status         api.Status
		path           string
		code           int
		body, location string
	}{
		{"nobody leads", api.Status{}, "/state", 503, "No leader elected", ""},
		{"nobody leads, redirect", api.Status{}, "/redirect", 503, "No leader elected", ""},
		{"nobody leads, health", api.Status{}, "/health", 200, "", ""},
		{"nobody leads, metrics", api.Status{}, "/metrics/snapshot", 200, "", ""},
		{"another leads", api.Status{Leader: other}, "/state?a=b&c=d", 307, "", "//10.0.0.2:5050/master/state?a=b&c=d"},
		{"another leads, API", api.Status{Leader: other}, "/api/v1/scheduler", 307, "", "//10.0.0.2:5050/master/api/v1/scheduler"},
		{"another leads, name published", api.Status{Leader: named}, "/slaves/", 307, "", "//m2.example.com:5060/master/slaves"},
		{"another leads, redirect", api.Status{Leader: named}, "/redirect", 307, "", "//m2.example.com:5060"},
		{"another leads, flags", api.Status{Leader: other}, "/flags", 200, `{"flags":{"ip":"127.0.0.1"}}`, ""},
		{"not recovered", api.Status{Leader: me, Leading: true}, "/state", 503, "Master has not finished recovery", ""},
		{"not recovered, API", api.Status{Leader: me, Leading: true}, "/api/v1", 503, "Master has not finished recovery", ""},
		{"leads", api.Status{Leader: me, Leading: true, Recovered: true}, "/api/v1", 405, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := leading()
			b.status = c.status
			w := ask(handler(b), "GET", c.path, "")
			if w.Code != c.code || w.Header().Get("Location") != c.location {
				t.Errorf("GET %s = %d %q, want %d %q", c.path, w.Code, w.Header().Get("Location"), c.code, c.location)
			}
			if c.body != "" && w.Body.String() != c.body {
				t.Errorf("GET %s = %q, want %q", c.path, w.Body, c.body)
			}
		})
	}
}

func TestEndingMasterSaysSo(t *testing.T) {
	b := leading()
	b.refuse = errors.New("the master is stopping")
	h := handler(b)
	for path, body := range map[string]string{
		"/state": "", "/api/v1": `{"type":"GET_STATE"}`,
		"/api/v1/scheduler": `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}`,
	} {
		w := ask(h, "POST", path, body, "Content-Type", "application/json")
		if w.Code != 503 || !strings.Contains(w.Body.String(), "the master is stopping") {
			t.Errorf("POST %s = %d %s, want 503", path, w.Code, w.Body)
		}
	}
}

func TestOperatorCalls(t *testing.T) {
	cases := []struct {
		body string
		code int
		want string
	}{
		{`{"type":"GET_HEALTH"}`, 200, `{"type":"GET_HEALTH","get_health":{"healthy":true}}`},
		{`{"type":"GET_VERSION"}`, 200, `{"type":"GET_VERSION","get_version":{"version_info":{"version":"1.11.0","build_date":"","build_time":0.0,"build_user":""}}}`},
		{`{"type":"GET_FLAGS"}`, 200, `{"type":"GET_FLAGS","get_flags":{"flags":[{"name":"ip","value":"127.0.0.1"}]}}`},
		{`{"type":"GET_LOGGING_LEVEL"}`, 200, `{"type":"GET_LOGGING_LEVEL","get_logging_level":{"level":0}}`},
		{`{"type":"GET_AGENTS"}`, 200, `{"type":"GET_AGENTS","get_agents":{"agents":[],"recovered_agents":[]}}`},
		{`{"type":"GET_FRAMEWORKS"}`, 200, `{"type":"GET_FRAMEWORKS","get_frameworks":{"frameworks":[],"completed_frameworks":[]}}`},
		{`{"type":"GET_TASKS"}`, 200, `{"type":"GET_TASKS","get_tasks":{"tasks":[],"completed_tasks":[],"unreachable_tasks":[]}}`},
		{`{"type":"GET_EXECUTORS"}`, 200, `{"type":"GET_EXECUTORS","get_executors":{"executors":[]}}`},
		{`{"type":"GET_OPERATIONS"}`, 200, `{"type":"GET_OPERATIONS","get_operations":{}}`},
		{`{"type":"GET_WEIGHTS"}`, 200, `{"type":"GET_WEIGHTS","get_weights":{"weight_infos":[{"weight":1.5,"role":"ops"}]}}`},
		{`{"type":"GET_ROLES"}`, 200, `{"type":"GET_ROLES","get_roles":{"roles":[{"name":"ops","weight":1.5}]}}`},
		{`{"type":"GET_QUOTA"}`, 200, `{"type":"GET_QUOTA","get_quota":{"status":{}}}`},
		{`{"type":"GET_METRICS"}`, 400, "Failed to validate master::Call: Expecting 'get_metrics' to be present"},
		{`{}`, 400, "Failed to validate master::Call: Expecting 'type' to be present"},
		{`{"type":"NOPE"}`, 400, "Failed to validate master::Call: Expecting 'type' to be present"},
		{`{"type":"UNKNOWN"}`, 501, "501 Not Implemented."},
		{`{"type":"TEARDOWN"}`, 400, "Failed to validate master::Call: Expecting 'teardown' to be present"},
		{`{"type":"TEARDOWN","teardown":{"framework_id":{"value":"nope"}}}`, 400, "No framework found with specified ID"},
		{`{"type":"UPDATE_QUOTA","update_quota":{}}`, 200, ""},
		{`{"type":"UPDATE_WEIGHTS","update_weights":{}}`, 200, ""},
		{`{"type":"GET_MAINTENANCE_STATUS"}`, 200, `{"type":"GET_MAINTENANCE_STATUS","get_maintenance_status":{"status":{}}}`},
		{`nope`, 400, "Failed to parse body into JSON: "},
		{`[]`, 400, "Failed to "},
	}
	h := handler(leading())
	for _, c := range cases {
		w := ask(h, "POST", "/api/v1", c.body, "Content-Type", "application/json")
		if w.Code != c.code || !strings.HasPrefix(w.Body.String(), c.want) {
			t.Errorf("POST %s = %d %s, want %d %s", c.body, w.Code, w.Body, c.code, c.want)
		}
	}
}

// TestQuotaByPath: a role is what stands behind /quota, whatever is before it.
func TestQuotaByPath(t *testing.T) {
	h := handler(leading())
	set := func(role string) {
		t.Helper()
		body := `{"force":true,"role":"` + role + `","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}`
		if w := ask(h, "POST", "/quota", body); w.Code != 200 {
			t.Fatalf("POST /quota %s = %d %s, want 200", body, w.Code, w.Body)
		}
	}
	for target, role := range map[string]string{
		"/quota/dev": "dev", "/master/quota/dev/?x=y": "dev", "/quota/*": "*", "/%6daster/quota/quota": "quota", "http://quota.example/quota/dev": "dev",
	} {
		set(role)
		if w := ask(h, "DELETE", target, ""); w.Code != 200 || w.Body.Len() > 0 {
			t.Errorf("DELETE %s = %d %s, want 200", target, w.Code, w.Body)
		}
	}
	for target, want := range map[string]string{
		"/quota":     "Failed to parse remove quota request for path '/master/quota': expected 3 tokens, found 2 tokens",
		"/quota/a/b": "Failed to parse remove quota request for path '/master/quota/a/b': expected 3 tokens, found 4 tokens",
		"/quota/dev": "Failed to remove quota for path '/master/quota/dev': Role 'dev' has no quota set",
	} {
		if w := ask(h, "DELETE", target, ""); w.Code != 400 || w.Body.String() != want {
			t.Errorf("DELETE %s = %d %s, want 400 %s", target, w.Code, w.Body, want)
		}
	}
}

func TestMetricsOfTheCore(t *testing.T) {
	w := ask(handler(leading()), "POST", "/api/v1", `{"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":5000000000}}}`, "Content-Type", "application/json")
	for _, want := range []string{`{"name":"master/slaves_active","value":0.0}`, `{"name":"master/operator_event_stream_subscribers","value":0.0}`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("GET_METRICS = %s, want %s in it", w.Body, want)
		}
	}
}

func TestTeardownForm(t *testing.T) {
	h := handler(leading())
	for body, want := range map[string]string{
		"":                  "Missing 'frameworkId' query parameter in the request body",
		"frameworkId=nope":  "No framework found with specified ID",
		"frameworkId=%zz":   "Unable to decode query string",
		"framework_id=nope": "Missing 'frameworkId' query parameter in the request body",
	} {
		if w := ask(h, "POST", "/teardown", body); w.Code != 400 || !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("POST /teardown %q = %d %s, want 400 %s", body, w.Code, w.Body, want)
		}
	}
}

func TestLoggingLevel(t *testing.T) {
	level := zap.NewAtomicLevel()
	h := handler(leading(), func(c *api.Config) { c.Level = level })
	cases := []struct {
		query string
		code  int
		body  string
	}{
		{"?level=1", 400, "Expecting 'duration=value' in query.\n"},
		{"?duration=1secs", 400, "Expecting 'level=value' in query.\n"},
		{"?level=9&duration=1hrs", 200, ""},
		{"", 200, "9\n"},
		{"?level=x&duration=1secs", 400, "Invalid level 'x'"},
		{"?level=1&duration=soon", 400, "Invalid duration"},
		{"?level=1&duration=1hrs", 200, ""},
		{"", 200, "1\n"},
		{"?level=0&duration=1hrs", 200, ""},
		{"", 200, "0\n"},
	}
	for _, c := range cases {
		w := ask(h, "POST", "/logging/toggle"+c.query, "")
		if w.Code != c.code || !strings.HasPrefix(w.Body.String(), c.body) {
			t.Errorf("/logging/toggle%s = %d %q, want %d %q", c.query, w.Code, w.Body, c.code, c.body)
		}
	}
	w := ask(h, "POST", "/api/v1", `{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":2,"duration":{"nanoseconds":20000000}}}`, "Content-Type", "application/json")
	if w.Code != 200 || w.Body.Len() > 0 {
		t.Errorf("SET_LOGGING_LEVEL = %d %s, want 200 and no body", w.Code, w.Body)
	}
	for deadline := time.Now().Add(5 * time.Second); level.Level() != zap.InfoLevel; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the level did not return")
		}
	}
}

func TestSubscriptionsAreBounded(t *testing.T) {
	b := leading()
	h := handler(b, func(c *api.Config) { c.Limits.Schedulers, c.Limits.Agents, c.Limits.Operators = 1, 1, 2 })
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close) // after the streams have been cancelled
	subscribe := func(path, body string) *http.Response {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		req, err := http.NewRequestWithContext(ctx, "POST", srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	framework := `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}`
	if resp := subscribe("/api/v1/scheduler", framework); resp.StatusCode != 200 {
		t.Errorf("first subscription = %d", resp.StatusCode)
	}
	if resp := subscribe("/api/v1/scheduler", framework); resp.StatusCode != 503 {
		t.Errorf("second subscription = %d, want 503", resp.StatusCode)
	}
	oldest := subscribe("/api/v1", `{"type":"SUBSCRIBE"}`)
	subscribe("/api/v1", `{"type":"SUBSCRIBE"}`)
	subscribe("/api/v1", `{"type":"SUBSCRIBE"}`)
	if _, err := io.ReadAll(oldest.Body); err != nil {
		t.Errorf("oldest operator's stream = %v, want it ended in order", err)
	}
}

func TestSchedulerHeaders(t *testing.T) {
	h := handler(leading())
	subscribe := `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}`
	w := ask(h, "POST", "/api/v1/scheduler", subscribe, "Content-Type", "application/json", "Mesos-Stream-Id", "x")
	if want := "Subscribe calls should not include the 'Mesos-Stream-Id' header"; w.Code != 400 || w.Body.String() != want {
		t.Errorf("SUBSCRIBE with a stream id = %d %s, want 400 %s", w.Code, w.Body, want)
	}
	w = ask(h, "POST", "/api/v1/scheduler", subscribe, "Content-Type", "application/json", "Accept", "text/html")
	if w.Code != 406 {
		t.Errorf("SUBSCRIBE accepting text/html = %d, want 406", w.Code)
	}
	w = ask(h, "POST", "/api/v1/link", `{"type":"MESSAGES"}`, "Content-Type", "application/json", "Mesos-Stream-Id", "x")
	if w.Code != 403 {
		t.Errorf("MESSAGES of no session = %d %s, want 403", w.Code, w.Body)
	}
	w = ask(h, "POST", "/api/v1/link", `{"type":"SUBSCRIBE"}`, "Content-Type", "application/json")
	if w.Code != 400 {
		t.Errorf("SUBSCRIBE of nobody = %d %s, want 400", w.Code, w.Body)
	}
}
