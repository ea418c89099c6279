package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/soukproject/souk/frameworks/chronos/core"
)

func (h handlers) routeJobs(r *mux.Router, base string) {
	route(r, http.MethodGet, base+"/jobs", h.list)
	route(r, http.MethodGet, base+"/jobs/search", h.search)
	route(r, http.MethodGet, base+"/jobs/summary", h.summary)
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		route(r, method, base+"/iso8601", h.putScheduled)
		route(r, method, base+"/dependency", h.putDependent)
	}
	route(r, http.MethodPut, base+"/job/success/{name}", h.markSuccess)
	route(r, http.MethodGet, base+"/job/{name}", h.show)
	route(r, http.MethodPut, base+"/job/{name}", h.runNow)
	route(r, http.MethodDelete, base+"/job/{name}", h.delete)
}

// jobs takes a view of all jobs.
func (h handlers) jobs(ctx context.Context) ([]core.JobView, error) {
	var jobs []core.JobView
	err := h.Scheduler.View(ctx, func(c *core.Chronos) { jobs = c.Jobs() })
	return jobs, err
}

func (h handlers) list(w http.ResponseWriter, r *http.Request) {
	h.writeJobs(w, r, func(core.JobView) bool { return true }, 0, 1<<62)
}

// search keeps an oddity of Chronos: any widens name and command, and alone
// it filters nothing.
func (h handlers) search(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	name, command, anywhere := query.Get("name"), query.Get("command"), query.Get("any")
	limit, err := queryNumber(r, "limit", 10)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	offset, err := queryNumber(r, "offset", 0)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.writeJobs(w, r, func(j core.JobView) bool {
		wanted := containsFold(j.Name, name) && containsFold(j.Command, command)
		return wanted || anywhere != "" && (containsFold(j.Name, anywhere) || containsFold(j.Command, anywhere))
	}, offset, limit)
}

func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func queryNumber(r *http.Request, name string, absent int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, &apiError{http.StatusBadRequest, fmt.Sprintf("%s: %.40q is not a number of jobs", name, text)}
	}
	return n, nil
}

// writeJobs writes the wanted jobs after the first offset, at most limit.
func (h handlers) writeJobs(w http.ResponseWriter, r *http.Request, wanted func(core.JobView) bool, offset, limit int) {
	jobs, err := h.jobs(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	list := []*core.Job{}
	for _, j := range jobs {
		if !wanted(j) {
			continue
		}
		if offset > 0 {
			offset--
			continue
		}
		if len(list) == limit {
			break
		}
		list = append(list, j.Job)
	}
	h.writeJSON(w, r, list)
}

// A jobSummary is one line of the job table.
type jobSummary struct {
	Name     string   `json:"name"`
	Status   string   `json:"status"`
	State    string   `json:"state"`
	Schedule string   `json:"schedule"`
	Parents  []string `json:"parents"`
	Disabled bool     `json:"disabled"`
}

func (h handlers) summary(w http.ResponseWriter, r *http.Request) {
	jobs, err := h.jobs(r.Context())
	if err != nil {
		h.fail(w, r, err)
		return
	}
	list := []jobSummary{}
	for _, j := range jobs {
		s := jobSummary{Name: j.Name, Status: j.Outcome(), State: j.State, Schedule: j.Schedule, Parents: j.Parents, Disabled: j.Disabled}
		if s.Parents == nil {
			s.Parents = []string{}
		}
		list = append(list, s)
	}
	h.writeJSON(w, r, map[string][]jobSummary{"jobs": list})
}

func (h handlers) putScheduled(w http.ResponseWriter, r *http.Request) {
	h.put(w, r, func(job *core.Job) error {
		if job.Dependent() {
			return &apiError{http.StatusBadRequest, "parents: a job with parents goes to /scheduler/dependency"}
		}
		return nil
	})
}

func (h handlers) putDependent(w http.ResponseWriter, r *http.Request) {
	h.put(w, r, func(job *core.Job) error {
		if !job.Dependent() {
			return &apiError{http.StatusBadRequest, "parents: missing; a job with a schedule goes to /scheduler/iso8601"}
		}
		return nil
	})
}

// put creates or replaces the job in the body if fits has nothing against it.
func (h handlers) put(w http.ResponseWriter, r *http.Request, fits func(*core.Job) error) {
	job, err := h.readJob(r)
	if err == nil {
		err = fits(job)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.call(w, r, "", func(id core.Request) core.Event { return core.Put{Request: id, Job: job} })
}

func (h handlers) readJob(r *http.Request) (*core.Job, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	job, err := core.ReadJob(body, h.Defaults, h.Zones, time.Now())
	if errors.Is(err, core.ErrNoParents) {
		return nil, h.noParents(r.Context(), job)
	}
	return job, err
}

// noParents is Chronos' answer to an empty list of parents: 500 for a new job,
// 400 for one that exists.
func (h handlers) noParents(ctx context.Context, job *core.Job) error {
	if _, err := h.job(ctx, job.Name, "Job"); err == nil {
		return &apiError{http.StatusBadRequest, core.ErrNoParents.Error()}
	}
	return &apiError{http.StatusInternalServerError, core.ErrNoParents.Error()}
}

// call steps an event and answers 204. kind is what Chronos calls the job in
// its text for an unknown one.
func (h handlers) call(w http.ResponseWriter, r *http.Request, kind string, build func(core.Request) core.Event) {
	err := h.Scheduler.Call(r.Context(), build)
	if errors.Is(err, core.ErrUnknownJob) {
		err = unknownJob(kind, mux.Vars(r)["name"])
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// unknownJob is 400, not 404, in Chronos.
func unknownJob(kind, name string) error {
	return &apiError{http.StatusBadRequest, fmt.Sprintf("%s '%.255s' not found", kind, name)}
}

// job takes a view of one job.
func (h handlers) job(ctx context.Context, name, kind string) (core.JobView, error) {
	var job core.JobView
	var ok bool
	err := h.Scheduler.View(ctx, func(c *core.Chronos) { job, ok = c.Job(name) })
	if err == nil && !ok {
		err = unknownJob(kind, name)
	}
	return job, err
}

func (h handlers) show(w http.ResponseWriter, r *http.Request) {
	job, err := h.job(r.Context(), mux.Vars(r)["name"], "Job")
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.writeJSON(w, r, job.Job)
}

func (h handlers) runNow(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	run := core.Run{Job: mux.Vars(r)["name"], Arguments: query.Get("arguments")}
	run.Given = run.Arguments != ""
	h.call(w, r, "Job", func(id core.Request) core.Event {
		run.Request = id
		return run
	})
}

func (h handlers) delete(w http.ResponseWriter, r *http.Request) {
	h.call(w, r, "JobSchedule", func(id core.Request) core.Event {
		return core.Delete{Request: id, Job: mux.Vars(r)["name"]}
	})
}

func (h handlers) markSuccess(w http.ResponseWriter, r *http.Request) {
	name := mux.Vars(r)["name"]
	err := h.Scheduler.Call(r.Context(), func(id core.Request) core.Event { return core.MarkSuccess{Request: id, Job: name} })
	if err != nil && !errors.Is(err, core.ErrUnknownJob) {
		h.fail(w, r, err)
		return
	}
	writeText(w, fmt.Sprintf("marked job %.255s as successful: %v", name, err == nil))
}
