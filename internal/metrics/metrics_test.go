package metrics_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/internal/metrics"
)

func get(h http.Handler, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	return w
}

func sample() *metrics.Registry {
	r := metrics.New()
	r.Counter("master/slave_registrations").Add(2)
	r.Counter("master/slave_registrations").Inc()
	r.Gauge("master/elected").Set(1)
	r.Gauge("master/cpus_percent").Set(0.25)
	r.AddSource(func(_ context.Context, emit func(metrics.Value)) {
		emit(metrics.Value{Name: "master/tasks_running", Kind: metrics.GaugeKind, Value: 7})
		emit(metrics.Value{Name: "master/elected", Kind: metrics.GaugeKind, Value: 0}) // held wins
	})
	return r
}

func TestSnapshot(t *testing.T) {
	const flat = `{"master/cpus_percent":0.25,"master/elected":1.0,"master/slave_registrations":3.0,"master/tasks_running":7.0}`
	cases := []struct {
		name, query string
		code        int
		want        string
	}{
		{"flat and sorted", "", 200, flat},
		{"timeout as telegraf asks", "?timeout=2000ms", 200, flat},
		{"jsonp", "?jsonp=cb", 200, "cb(" + flat + ")"},
		{"bad timeout", "?timeout=soon", 400, "Invalid timeout \"soon\" is not a duration: write a number and ns, us, ms, secs, mins, hrs, days or weeks, such as 15secs.\n"},
		{"no time for sources", "?timeout=0ns", 200, `{"master/cpus_percent":0.25,"master/elected":1.0,"master/slave_registrations":3.0}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := get(sample().SnapshotHandler(), "/metrics/snapshot"+c.query)
			if w.Code != c.code || w.Body.String() != c.want {
				t.Errorf("GET %s = %d %s, want %d %s", c.query, w.Code, w.Body, c.code, c.want)
			}
		})
	}
}

func TestTimer(t *testing.T) {
	r := metrics.New()
	timer := r.Timer("registrar/state_store")
	if got := r.Snapshot(t.Context()); len(got) != 0 {
		t.Errorf("a timer without samples shows %v", got)
	}
	for i := range 2000 {
		timer.Observe(time.Duration(i) * time.Millisecond)
	}
	got := make(map[string]float64)
	for _, v := range r.Snapshot(t.Context()) {
		got[strings.TrimPrefix(v.Name, "registrar/state_store_ms")] = v.Value
	}
	want := map[string]float64{"": 1999, "/count": 2000, "/min": 1000, "/max": 1999, "/p50": 1499.5,
		"/p90": 1899.1, "/p95": 1949.05, "/p99": 1989.01, "/p999": 1998.001, "/p9999": 1998.9001}
	near := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("timer (-want +got):\n%s", diff)
	}
}

func TestPrometheus(t *testing.T) {
	r := sample()
	r.Counter("master/slave/registrations").Inc() // the same name in Prometheus' alphabet
	r.AddSource(metrics.Runtime)
	r.Gauge("allocator/mesos/roles/größe/shares").Set(1)
	w := get(r.PrometheusHandler(), "/metrics")
	if w.Code != 200 {
		t.Fatalf("GET /metrics = %d %s", w.Code, w.Body)
	}
	for _, want := range []string{
		"# TYPE mesos_master_slave_registrations counter\nmesos_master_slave_registrations 1\n",
		"# TYPE mesos_master_tasks_running gauge\nmesos_master_tasks_running 7\n",
		"mesos_allocator_mesos_roles_gr__e_shares 1\n",
		"mesos_runtime_goroutines ",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("GET /metrics lacks %q", want)
		}
	}
}

func TestSystem(t *testing.T) {
	r := metrics.New()
	r.AddSource(metrics.System)
	var got map[string]float64
	if err := json.Unmarshal(get(r.SnapshotHandler(), "/").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["system/cpus_total"] < 1 {
		t.Errorf("system/cpus_total = %v", got["system/cpus_total"])
	}
	if total, ok := got["system/mem_total_bytes"]; ok && total < got["system/mem_free_bytes"] {
		t.Errorf("memory: %v in all, %v free", total, got["system/mem_free_bytes"])
	}
}

// TestSnapshotIsJSON whatever names there are: frameworks choose parts of them.
func TestSnapshotIsJSON(t *testing.T) {
	name := "odd/\x00\x07\"\\<\u2028é"
	r := metrics.New()
	r.Gauge(name).Set(1)
	var got map[string]float64
	if err := json.Unmarshal(get(r.SnapshotHandler(), "/metrics/snapshot").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got[name] != 1 {
		t.Errorf("snapshot of %q = %v, want the name unchanged", name, got)
	}
}
