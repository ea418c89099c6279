package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/soukproject/souk/frameworks/chronos/core"
	"github.com/soukproject/souk/proto/mesos"
)

func (h handlers) routeRuns(r *mux.Router, base string) {
	route(r, http.MethodGet, base+"/job/stat/{name}", h.stat)
	route(r, http.MethodGet, base+"/job/{name}/history", h.history)
	route(r, http.MethodPost, base+"/job/{name}/task/{task:.+}/progress", h.progress)
	route(r, http.MethodDelete, base+"/task/kill/{name}", h.kill)
	route(r, http.MethodGet, base+"/stats/{percentile}", h.stats)
	gone := func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusNotImplemented, "asynchronous runs and the queue of Chronos 2 are not supported: a run ends with its task; use DELETE /scheduler/task/kill/{job}")
	}
	route(r, http.MethodPut, base+"/task/{task:.+}", gone)
	route(r, http.MethodDelete, base+"/task/all", gone)
}

// runs takes a view of a job, its runs and how long they took.
func (h handlers) runs(r *http.Request) (job core.JobView, runs []*core.RunRecord, times core.Times, err error) {
	name, ok := mux.Vars(r)["name"], false
	err = h.Scheduler.View(r.Context(), func(c *core.Chronos) {
		job, ok = c.Job(name)
		runs, times = c.Runs(name), c.Times(name)
	})
	if err == nil && !ok {
		err = unknownJob("Job", name)
	}
	return job, runs, times, err
}

// history answers with every run that is kept, newest first; Chronos had no
// such call without Cassandra.
func (h handlers) history(w http.ResponseWriter, r *http.Request) {
	job, runs, _, err := h.runs(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if runs == nil {
		runs = []*core.RunRecord{}
	}
	h.writeJSON(w, r, struct {
		JobName string            `json:"jobName"`
		State   string            `json:"state"`
		Runs    []*core.RunRecord `json:"runs"`
	}{job.Name, job.State, runs})
}

type histogram struct {
	P75    float64 `json:"75thPercentile"`
	P95    float64 `json:"95thPercentile"`
	P98    float64 `json:"98thPercentile"`
	P99    float64 `json:"99thPercentile"`
	Median float64 `json:"median"`
	Mean   float64 `json:"mean"`
	Count  int64   `json:"count"`
}

func histogramOf(t core.Times) histogram {
	return histogram{
		P75: t.Quantile(0.75), P95: t.Quantile(0.95), P98: t.Quantile(0.98), P99: t.Quantile(0.99),
		Median: t.Quantile(0.5), Mean: t.Mean(), Count: t.Count,
	}
}

type taskStat struct {
	TaskID    mesos.TaskID  `json:"taskId"`
	JobName   string        `json:"jobName"`
	SlaveID   mesos.AgentID `json:"slaveId"`
	StartTime string        `json:"startTime"`
	EndTime   string        `json:"endTime"`
	Duration  string        `json:"duration,omitempty"`
	Status    string        `json:"status"`
	Processed *int64        `json:"numElementsProcessed,omitempty"`
}

func (h handlers) stat(w http.ResponseWriter, r *http.Request) {
	job, runs, times, err := h.runs(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	stats := []taskStat{}
	for _, run := range runs[:min(len(runs), h.StatRuns)] {
		stats = append(stats, statOf(job, run))
	}
	h.writeJSON(w, r, struct {
		Histogram histogram  `json:"histogram"`
		History   []taskStat `json:"taskStatHistory"`
	}{histogramOf(times), stats})
}

func statOf(job core.JobView, run *core.RunRecord) taskStat {
	s := taskStat{
		TaskID: run.TaskID, JobName: job.Name, SlaveID: run.AgentID,
		StartTime: statTime(run.Started), EndTime: statTime(run.Finished), Status: statStatus(run),
	}
	if !run.Started.IsZero() && !run.Finished.IsZero() {
		s.Duration = statDuration(run.Finished.Sub(run.Started))
	}
	if job.DataJob {
		s.Processed = &run.Processed
	}
	return s
}

func statStatus(run *core.RunRecord) string {
	switch {
	case run.Successful:
		return "Success"
	case !run.Finished.IsZero():
		return "Fail"
	case run.Started.IsZero():
		return "Idle"
	}
	return "Running"
}

func statTime(t time.Time) string {
	if t.IsZero() {
		return "N/A"
	}
	return t.UTC().Format("01/02/06 15:04:05")
}

// statDuration writes 1d2h3m4s without its empty parts, seconds always.
func statDuration(d time.Duration) string {
	seconds := int64(d / time.Second)
	var b strings.Builder
	for _, unit := range []struct {
		length int64
		letter string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}} {
		if n := seconds / unit.length; n > 0 {
			b.WriteString(strconv.FormatInt(n, 10) + unit.letter)
			seconds %= unit.length
		}
	}
	return b.String() + strconv.FormatInt(seconds, 10) + "s"
}

func (h handlers) progress(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	var in struct {
		Added *int64 `json:"numAdditionalElementsProcessed"`
	}
	if err := json.Unmarshal(body, &in); err != nil || in.Added == nil {
		writeError(w, http.StatusBadRequest, `the body must be {"numAdditionalElementsProcessed": <number>}`)
		return
	}
	vars := mux.Vars(r)
	h.call(w, r, "JobSchedule", func(id core.Request) core.Event {
		return core.Progress{Request: id, Job: vars["name"], Task: mesos.TaskID(vars["task"]), Added: *in.Added}
	})
}

func (h handlers) kill(w http.ResponseWriter, r *http.Request) {
	h.call(w, r, "JobSchedule", func(id core.Request) core.Event {
		return core.KillTasks{Request: id, Job: mux.Vars(r)["name"]}
	})
}

// percentile finds a statistic by the name Chronos gives it.
func percentile(name string) (func(core.Times) float64, bool) {
	quantile := func(q float64) func(core.Times) float64 {
		return func(t core.Times) float64 { return t.Quantile(q) }
	}
	switch name {
	case "99thPercentile":
		return quantile(0.99), true
	case "98thPercentile":
		return quantile(0.98), true
	case "95thPercentile":
		return quantile(0.95), true
	case "75thPercentile":
		return quantile(0.75), true
	case "median":
		return quantile(0.5), true
	case "mean":
		return core.Times.Mean, true
	}
	return nil, false
}
