package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/soukproject/souk/internal/daemon"
)

// collectTimeout bounds a collection whose client names no timeout.
const collectTimeout = 10 * time.Second

// SnapshotHandler answers /metrics/snapshot: one flat JSON object. ?timeout=
// (a duration such as 2000ms) leaves out what is not ready by then.
func (r *Registry) SnapshotHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		timeout := collectTimeout
		if text := req.URL.Query().Get("timeout"); text != "" {
			var err error
			if timeout, err = daemon.ParseDuration(text); err != nil {
				daemon.WriteText(w, http.StatusBadRequest, fmt.Sprintf("Invalid timeout %s.\n", err))
				return
			}
		}
		ctx, cancel := context.WithTimeout(req.Context(), timeout)
		defer cancel()
		daemon.WriteJSON(w, req, encode(r.Snapshot(ctx)))
	})
}

// encode writes values as a JSON object; numbers always have a decimal point
// or an exponent, as Mesos prints doubles.
func encode(values []Value) []byte {
	b := []byte{'{'}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(v.Name)
		if err != nil { // a string always has a JSON form
			panic(fmt.Sprintf("metrics: name %q: %v", v.Name, err))
		}
		b = append(b, name...)
		b = append(b, ':')
		b = daemon.AppendDouble(b, v.Value)
	}
	return append(b, '}')
}

// PrometheusHandler answers /metrics in Prometheus' exposition formats, with
// figures of the Go runtime and the process besides the registry's own.
func (r *Registry) PrometheusHandler() http.Handler {
	own := prometheus.NewRegistry()
	own.MustRegister(
		collector{r},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(own, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: collectTimeout})
}

// A collector shows a registry to Prometheus. It describes nothing beforehand,
// because metrics come and go with frameworks.
type collector struct{ registry *Registry }

// Describe implements prometheus.Collector.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. Of two names that become the same
// in Prometheus' alphabet the first is shown.
func (c collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	seen := make(map[string]bool)
	for _, v := range c.registry.Snapshot(ctx) {
		name := prometheusName(v.Name)
		if seen[name] {
			continue
		}
		seen[name] = true
		kind := prometheus.GaugeValue
		if v.Kind == CounterKind {
			kind = prometheus.CounterValue
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, v.Name, nil, nil), kind, v.Value)
	}
}

// prometheusName replaces what Prometheus does not allow in a name.
func prometheusName(name string) string {
	return "mesos_" + strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == ':':
			return c
		}
		return '_'
	}, name)
}
