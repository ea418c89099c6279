package api

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/gorilla/mux"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/internal/metrics"
)

func (s *server) processRoutes(r *mux.Router) {
	r.HandleFunc("/ping", ping).Methods("GET", "HEAD")
	r.HandleFunc("/metrics", s.showMetrics).Methods("GET")
	r.Handle("/metrics/prometheus", s.Metrics.PrometheusHandler()).Methods("GET")
	r.HandleFunc("/v2/info", s.showInfo).Methods("GET")
	r.HandleFunc("/v2/leader", s.showLeader).Methods("GET")
	r.HandleFunc("/v2/leader", s.abdicate).Methods("DELETE")
	r.HandleFunc("/v2/events", s.streamEvents).Methods("GET")
	r.HandleFunc("/v2/plugins", s.listPlugins).Methods("GET")
}

// ping answers liveness probes in the type they ask for.
func ping(w http.ResponseWriter, r *http.Request) {
	a := r.Header.Get("Accept")
	switch {
	case a == "" || acceptsAny(a, "*/*", "text/*", "text/plain"):
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("pong")) // a client that has gone needs no answer
	case acceptsAny(a, "text/html"):
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("pong"))
	case acceptsAny(a, "application/json"):
		writeBody(w, http.StatusOK, []byte(`"pong"`))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *server) showInfo(w http.ResponseWriter, r *http.Request) {
	var framework string
	if err := s.Scheduler.View(r.Context(), func(c *core.Core) { framework = c.FrameworkID() }); err != nil {
		s.fail(w, r, err)
		return
	}
	s.write(w, r, http.StatusOK, map[string]any{
		"name": s.Info.Name, "version": s.Info.Version, "buildref": s.Info.BuildRef,
		"elected": true, "leader": s.Info.Leader, "frameworkId": framework,
		"marathon_config":  s.Info.Settings,
		"zookeeper_config": s.Info.ZooKeeper,
		"http_config":      map[string]any{"http_port": s.Info.HTTPPort, "https_port": nil},
	})
}

func (s *server) showLeader(w http.ResponseWriter, r *http.Request) {
	s.write(w, r, http.StatusOK, map[string]string{"leader": s.Info.Leader})
}

func (s *server) listPlugins(w http.ResponseWriter, r *http.Request) {
	s.write(w, r, http.StatusOK, map[string]any{"plugins": []any{}})
}

// showMetrics answers in the form of Marathon's metrics, version 4.
func (s *server) showMetrics(w http.ResponseWriter, r *http.Request) {
	counters, gauges := map[string]any{}, map[string]any{}
	for _, v := range s.Metrics.Snapshot(r.Context()) {
		if v.Kind == metrics.CounterKind {
			counters[v.Name] = map[string]any{"count": v.Value}
			continue
		}
		gauges[v.Name] = map[string]any{"value": v.Value}
	}
	s.write(w, r, http.StatusOK, map[string]any{
		"version": "4.0.0", "counters": counters, "gauges": gauges,
		"histograms": map[string]any{}, "meters": map[string]any{}, "timers": map[string]any{},
	})
}

// MetricsOf is the source of the scheduler's own metrics.
func MetricsOf(s Scheduler, started time.Time) metrics.Source {
	return func(ctx context.Context, emit func(metrics.Value)) {
		var n core.Counters
		var t core.Totals
		if err := s.View(ctx, func(c *core.Core) { n, t = c.Counters(), c.Totals() }); err != nil {
			return
		}
		gauge := func(name string, v int) {
			emit(metrics.Value{Name: "marathon." + name, Kind: metrics.GaugeKind, Value: float64(v)})
		}
		counter := func(name string, v int) {
			emit(metrics.Value{Name: "marathon." + name, Kind: metrics.CounterKind, Value: float64(v)})
		}
		gauge("apps.active.gauge", t.Apps)
		gauge("groups.active.gauge", t.Groups)
		gauge("pods.active.gauge", 0)
		gauge("deployments.active.gauge", t.Deployments)
		gauge("instances.running.gauge", t.Running)
		gauge("instances.staged.gauge", t.Staged)
		gauge("instances.inflight-kills.gauge", t.KillsInFlight)
		gauge("uptime.gauge.seconds", int(time.Since(started).Seconds()))
		gauge("leadership.duration.gauge.seconds", int(time.Since(started).Seconds()))
		gauge("goroutines.gauge", runtime.NumGoroutine())
		counter("deployments.counter", n.Deployments)
		counter("deployments.dismissed.counter", n.DeploymentsDismissed)
		counter("instances.launch-overdue.counter", n.LaunchesOverdue)
		counter("tasks.launched.counter", n.TasksLaunched)
		counter("mesos.offers.incoming.counter", n.OffersIncoming)
		counter("mesos.offers.declined.counter", n.OffersDeclined)
		counter("mesos.offers.used.counter", n.OffersUsed)
		counter("mesos.offer-operations.launch.counter", n.TasksLaunched)
		counter("mesos.calls.revive.counter", n.Revives)
		counter("mesos.calls.suppress.counter", n.Suppresses)
		for state, count := range n.States {
			counter("mesos.task-updates."+dashed(state)+".counter", count)
		}
	}
}
