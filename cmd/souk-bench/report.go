package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A report is the result, as printed.
type report struct {
	Master     string          `json:"master"`
	Agents     agentsReport    `json:"agents"`
	Frameworks int             `json:"frameworks"`
	Tasks      tasksReport     `json:"tasks"`
	Rate       float64         `json:"tasks_per_second"` // from the first ACCEPT to the last acknowledged TASK_RUNNING
	Seconds    float64         `json:"seconds"`
	Latency    latencyReport   `json:"launch_latency_ms"` // from ACCEPT to acknowledged TASK_RUNNING
	CPU        cpuReport       `json:"cpu_seconds"`
	Traffic    map[string]int  `json:"traffic"`
	Failover   *failoverReport `json:"failover,omitempty"`
	Errors     []problemReport `json:"errors"`
	ErrorCount int             `json:"error_count"`

	cfg      config
	problems *problems
}

type agentsReport struct {
	Simulated       int     `json:"simulated"`
	RegisterSeconds float64 `json:"register_seconds"`
}

type tasksReport struct {
	Wanted     int `json:"wanted"`
	Seen       int `json:"seen_running"`
	Finished   int `json:"finished"`
	Failed     int `json:"failed"`
	Relaunched int `json:"relaunched"` // because their offer had gone
}

type latencyReport struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// cpuReport holds the CPU time while frameworks ran, and with the agents'
// registration before that. Bench is this process: agents and frameworks.
type cpuReport struct {
	Bench       float64  `json:"bench"`
	Master      *float64 `json:"master,omitempty"`
	BenchTotal  float64  `json:"bench_with_registration"`
	MasterTotal *float64 `json:"master_with_registration,omitempty"`
}

type problemReport struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// verdict is nil if every task was seen running and every agent joined.
func (r *report) verdict() error {
	switch {
	case r.Tasks.Seen < r.Tasks.Wanted:
		return fmt.Errorf("%d of %d tasks were not seen running", r.Tasks.Wanted-r.Tasks.Seen, r.Tasks.Wanted)
	case r.Failover != nil && (r.Failover.Away > 0 || r.Failover.Agents.Max+r.Failover.Frameworks.Max == 0):
		return errors.New("not all are back after the leading master was killed")
	case r.Tasks.Wanted == 0 && r.cfg.Frameworks > 0, r.cfg.Frameworks == 0 && r.ErrorCount > 0:
		return fmt.Errorf("not all of %d agents registered", r.cfg.Agents)
	}
	return nil
}

func (r *report) summarize(frameworks []*framework, m *meter) {
	var first, last time.Time
	var waits []time.Duration
	sum := tally{}
	for _, f := range frameworks {
		f.mu.Lock()
		for _, t := range f.tasks {
			if !t.launched.IsZero() && (first.IsZero() || t.launched.Before(first)) {
				first = t.launched
			}
			if !t.seen.IsZero() {
				waits = append(waits, t.seen.Sub(t.launched))
				last = later(last, t.seen)
			}
		}
		sum.add(f.tally)
		f.mu.Unlock()
	}
	r.Frameworks = len(frameworks)
	r.Tasks = tasksReport{
		Wanted: r.cfg.Tasks * len(frameworks), Seen: len(waits),
		Finished: sum.Finished, Failed: sum.Failed, Relaunched: sum.Relaunched,
	}
	r.Traffic = map[string]int{"offers": sum.Offers, "accepts": sum.Accepts, "updates": sum.Updates}
	if len(waits) > 0 {
		took := last.Sub(first).Seconds()
		r.Seconds, r.Rate = rounded(took), rounded(float64(len(waits))/max(took, 1e-9))
	}
	r.Latency = latency(waits)
	r.CPU = m.report()
}

func (t *tally) add(o tally) {
	t.Offers += o.Offers
	t.Accepts += o.Accepts
	t.Updates += o.Updates
	t.Finished += o.Finished
	t.Failed += o.Failed
	t.Relaunched += o.Relaunched
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func latency(waits []time.Duration) latencyReport {
	if len(waits) == 0 {
		return latencyReport{}
	}
	slices.Sort(waits)
	at := func(share float64) float64 {
		i := min(int(share*float64(len(waits))), len(waits)-1)
		return rounded(float64(waits[i]) / float64(time.Millisecond))
	}
	return latencyReport{P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: at(1)}
}

func (m *meter) report() cpuReport {
	c := cpuReport{Bench: rounded(m.benchSpent.Seconds()), BenchTotal: rounded(m.benchTotal.Seconds())}
	if m.masterPID != 0 {
		c.Master = new(rounded(m.masterSpent.Seconds()))
		c.MasterTotal = new(rounded(m.masterTotal.Seconds()))
	}
	return c
}

// maxProblems bounds how many different errors are told apart.
const maxProblems = 20

// problems collects errors, equal ones together. Safe for concurrent use.
type problems struct {
	mu    sync.Mutex
	count int
	seen  []problemReport
}

func (p *problems) add(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	text := err.Error()
	i := slices.IndexFunc(p.seen, func(r problemReport) bool { return r.Text == text })
	switch {
	case i >= 0:
		p.seen[i].Count++
	case len(p.seen) < maxProblems:
		p.seen = append(p.seen, problemReport{text, 1})
	}
}

func (p *problems) list() ([]problemReport, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]problemReport{}, p.seen...), p.count
}
