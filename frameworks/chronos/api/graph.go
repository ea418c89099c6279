package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/soukproject/souk/frameworks/chronos/core"
)

func (h handlers) routeGraph(r *mux.Router, base string) {
	route(r, http.MethodGet, base+"/graph/dot", h.dot)
	route(r, http.MethodGet, base+"/graph/csv", h.csv)
}

// graph writes nodes and then links as text.
func (h handlers) graph(w http.ResponseWriter, r *http.Request, node func(core.JobView) string, link func(core.Link) string, frame string) {
	var jobs []core.JobView
	var links []core.Link
	err := h.Scheduler.View(r.Context(), func(c *core.Chronos) { jobs, links = c.Jobs(), c.Links() })
	if err != nil {
		h.fail(w, r, err)
		return
	}
	var b strings.Builder
	for _, j := range jobs {
		b.WriteString(node(j))
	}
	for _, l := range links {
		b.WriteString(link(l))
	}
	writeText(w, fmt.Sprintf(frame, b.String()))
}

func (h handlers) dot(w http.ResponseWriter, r *http.Request) {
	h.graph(w, r,
		func(j core.JobView) string { return fmt.Sprintf("  %q [ label=%q ];\n", j.Name, j.Name) },
		func(l core.Link) string { return fmt.Sprintf("  %q -> %q;\n", l.Parent, l.Child) },
		"digraph G {\n%s}\n")
}

func (h handlers) csv(w http.ResponseWriter, r *http.Request) {
	h.graph(w, r,
		func(j core.JobView) string { return fmt.Sprintf("node,%s,%s,%s\n", j.Name, j.Outcome(), j.State) },
		func(l core.Link) string { return fmt.Sprintf("link,%s,%s\n", l.Parent, l.Child) },
		"%s")
}

type jobTime struct {
	Job  string  `json:"jobNameLabel"`
	Time float64 `json:"time"` // seconds
}

// stats lists how long jobs take, slowest first; a statistic it does not know
// has no entries.
func (h handlers) stats(w http.ResponseWriter, r *http.Request) {
	times := make(map[string]core.Times)
	err := h.Scheduler.View(r.Context(), func(c *core.Chronos) {
		for _, j := range c.Jobs() {
			times[j.Name] = c.Times(j.Name)
		}
	})
	if err != nil {
		h.fail(w, r, err)
		return
	}
	list := []jobTime{}
	statistic, known := percentile(mux.Vars(r)["percentile"])
	for name, t := range times {
		if known && t.Count > 0 {
			list = append(list, jobTime{Job: name, Time: statistic(t) / 1000})
		}
	}
	slices.SortFunc(list, func(a, b jobTime) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), strings.Compare(a.Job, b.Job))
	})
	h.writeJSON(w, r, list)
}
