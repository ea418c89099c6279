package api

import (
	"net/http"
	"strings"

	"github.com/soukproject/souk/frameworks/chronos/core"
)

type (
	count struct {
		Count int64 `json:"count"`
	}
	gauge struct {
		Value int64 `json:"value"`
	}
	distribution struct {
		Count int64   `json:"count"`
		Max   float64 `json:"max"`
		Mean  float64 `json:"mean"`
		Min   float64 `json:"min"`
		P50   float64 `json:"p50"`
		P75   float64 `json:"p75"`
		P95   float64 `json:"p95"`
		P98   float64 `json:"p98"`
		P99   float64 `json:"p99"`
	}
	// dropwizard is the form of Chronos' own metrics.
	dropwizard struct {
		Version    string                  `json:"version"`
		Gauges     map[string]gauge        `json:"gauges"`
		Counters   map[string]count        `json:"counters"`
		Histograms map[string]distribution `json:"histograms"`
		Meters     struct{}                `json:"meters"`
		Timers     struct{}                `json:"timers"`
	}
)

// metrics answers as Chronos does, or in Prometheus' form to a client that
// prefers text to anything.
func (h handlers) metrics(w http.ResponseWriter, r *http.Request) {
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "openmetrics") || strings.HasPrefix(accept, "text/plain") {
		h.Prometheus.ServeHTTP(w, r)
		return
	}
	d := dropwizard{
		Version: "3.0.0", Gauges: make(map[string]gauge), Counters: make(map[string]count), Histograms: make(map[string]distribution),
	}
	times := make(map[string]core.Times)
	err := h.Scheduler.View(r.Context(), func(c *core.Chronos) {
		d.totals(c)
		for _, j := range c.Jobs() {
			d.Counters["jobs.run.success."+j.Name] = count{j.SuccessCount}
			d.Counters["jobs.run.failure."+j.Name] = count{j.ErrorCount}
			times[j.Name] = c.Times(j.Name)
		}
	})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	for name, t := range times {
		d.Histograms["jobs.run.time."+name] = distributionOf(t)
	}
	h.writeJSON(w, r, d)
}

func (d *dropwizard) totals(c *core.Chronos) {
	const manager = "org.apache.mesos.chronos.scheduler.jobs.TaskManager."
	high, normal := c.Queued()
	d.Gauges[manager+"queueSize"] = gauge{int64(normal)}
	d.Gauges[manager+"highQueueSize"] = gauge{int64(high)}
	n := c.Counters()
	d.Counters["org.apache.mesos.chronos.scheduler.mesos.MesosOfferReviverDelegate.reviveOffersRequestCount"] = count{n.Revived}
	d.Counters["runs.launched"] = count{n.Launched}
	d.Counters["runs.succeeded"] = count{n.Succeeded}
	d.Counters["runs.failed"] = count{n.Failed}
	d.Counters["runs.skipped"] = count{n.Skipped}
}

func distributionOf(t core.Times) distribution {
	return distribution{
		Count: t.Count, Max: t.Quantile(1), Mean: t.Mean(), Min: t.Quantile(0),
		P50: t.Quantile(0.5), P75: t.Quantile(0.75), P95: t.Quantile(0.95), P98: t.Quantile(0.98), P99: t.Quantile(0.99),
	}
}
