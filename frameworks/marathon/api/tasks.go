package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

func (s *server) taskRoutes(r *mux.Router) {
	r.HandleFunc("/v2/tasks", s.listTasks).Methods("GET")
	r.HandleFunc("/v2/tasks/delete", s.killTasks).Methods("POST")
}

// wantsText reports whether the client asks for the list that old load
// balancer scripts read.
func wantsText(r *http.Request) bool {
	a := r.Header.Get("Accept")
	return acceptsAny(a, "text/plain") && !acceptsAny(a, "application/json", "*/*")
}

func (s *server) listTasks(w http.ResponseWriter, r *http.Request) {
	var tasks []core.Task
	var apps []core.AppInfo
	if err := s.Scheduler.View(r.Context(), func(c *core.Core) { tasks, apps = c.Tasks(), c.Apps() }); err != nil {
		s.fail(w, r, err)
		return
	}
	if wantsText(r) {
		writeText(w, apps)
		return
	}
	tasks, err := byStatus(r, tasks)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.write(w, r, http.StatusOK, map[string]any{"tasks": tasks})
}

// byStatus keeps tasks of the states asked for by status or status[].
func byStatus(r *http.Request, tasks []core.Task) ([]core.Task, error) {
	q := r.URL.Query()
	wanted := append(q["status"], q["status[]"]...)
	if len(wanted) == 0 {
		return tasks, nil
	}
	for _, status := range wanted {
		if status != "running" && status != "staging" {
			return nil, &badRequest{http.StatusBadRequest, "parameter status is " + strconv.Quote(status) + ": give running or staging"}
		}
	}
	out := []core.Task{}
	for _, t := range tasks {
		if slices.Contains(wanted, strings.ToLower(strings.TrimPrefix(t.State, "TASK_"))) {
			out = append(out, t)
		}
	}
	return out, nil
}

// writeText writes a line per app and service port: id, service port and the
// addresses of all running tasks, separated by tabs.
func writeText(w http.ResponseWriter, apps []core.AppInfo) {
	var b strings.Builder
	for _, a := range apps {
		name := spec.SafeID(a.ID)
		ports := a.ServicePorts()
		if len(ports) == 0 {
			fmt.Fprintf(&b, "%s\t ", name)
			for _, t := range running(a.Tasks) {
				b.WriteString("\t" + t.Host)
			}
			b.WriteString("\n")
		}
		for i, port := range ports {
			fmt.Fprintf(&b, "%s\t%d", name, port)
			for _, t := range running(a.Tasks) {
				if i < len(t.Ports) {
					fmt.Fprintf(&b, "\t%s:%d", t.Host, t.Ports[i])
				}
			}
			b.WriteString("\n")
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(b.String())) // a client that has gone needs no answer
}

func running(tasks []core.Task) []core.Task {
	return slices.DeleteFunc(slices.Clone(tasks), func(t core.Task) bool { return t.State != "TASK_RUNNING" })
}

func (s *server) listAppTasks(w http.ResponseWriter, r *http.Request) {
	id := appID(r)
	apps := []core.AppInfo{}
	if g, ok := group(id); ok {
		all, err := s.apps(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		apps = slices.DeleteFunc(all, func(a core.AppInfo) bool { return !spec.Below(a.ID, g) })
	} else {
		a, err := s.app(r, id)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		apps = append(apps, a)
	}
	if wantsText(r) {
		writeText(w, apps)
		return
	}
	tasks := []core.Task{}
	for _, a := range apps {
		tasks = append(tasks, a.Tasks...)
	}
	s.write(w, r, http.StatusOK, map[string]any{"tasks": tasks})
}

// killOptions reads scale, force and wipe.
func killOptions(r *http.Request) (k core.KillTasks, err error) {
	wipe, err := flag(r, "wipe", false)
	if err != nil {
		return k, err
	}
	if k.Scale, err = flag(r, "scale", false); err != nil {
		return k, err
	}
	if k.Force, err = flag(r, "force", false); err != nil {
		return k, err
	}
	if k.Scale && wipe {
		return k, &badRequest{http.StatusBadRequest, "You cannot use scale and wipe at the same time."}
	}
	return k, nil // without volumes there is nothing to wipe
}

func (s *server) killAppTasks(w http.ResponseWriter, r *http.Request) {
	k, err := killOptions(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	k.AppID = appID(r)
	if host := r.URL.Query().Get("host"); host != "*" {
		k.Host = host
	}
	s.kill(w, r, k, func(tasks []core.Task) any { return map[string]any{"tasks": tasks} })
}

func (s *server) killAppTask(w http.ResponseWriter, r *http.Request) {
	k, err := killOptions(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	id := mux.Vars(r)["task"]
	k.AppID, k.TaskIDs = appID(r), []string{id}
	if err := s.checkTask(r, k.AppID, id); err != nil {
		s.fail(w, r, err)
		return
	}
	s.kill(w, r, k, func(tasks []core.Task) any {
		if len(tasks) == 0 {
			return map[string]any{"task": nil}
		}
		return map[string]any{"task": tasks[0]}
	})
}

// checkTask tells an app that does not exist from a task that does not.
func (s *server) checkTask(r *http.Request, app, id string) error {
	if _, err := s.app(r, app); err != nil {
		return err
	}
	var t core.Task
	found := false
	if err := s.Scheduler.View(r.Context(), func(c *core.Core) { t, found = c.Task(id) }); err != nil {
		return err
	}
	if !found || t.AppID != app {
		return missing("Task", id)
	}
	return nil
}

func (s *server) killTasks(w http.ResponseWriter, r *http.Request) {
	k, err := killOptions(r)
	if err == nil {
		k.TaskIDs, err = taskIDs(r)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.kill(w, r, k, func(tasks []core.Task) any { return map[string]any{"tasks": tasks} })
}

func taskIDs(r *http.Request) ([]string, error) {
	b, err := body(r)
	if err != nil {
		return nil, err
	}
	obj, err := spec.Decode(b)
	if err != nil {
		return nil, err
	}
	var ids []string
	raw, err := json.Marshal(obj["ids"])
	if err != nil || json.Unmarshal(raw, &ids) != nil || ids == nil {
		return nil, &spec.Problems{Message: spec.InvalidJSON, Details: []spec.Violation{{Path: "/ids", Errors: []string{"error.expected.jsarray"}}}}
	}
	for _, id := range ids {
		if core.AppOfTask(id) == "" {
			return nil, &badRequest{http.StatusBadRequest, fmt.Sprintf("Invalid task id '%s'. It must have the form app.instance-uuid._app.1", id)}
		}
	}
	return ids, nil
}

// kill answers with the tasks, or with the deployment when the app is scaled.
func (s *server) kill(w http.ResponseWriter, r *http.Request, k core.KillTasks, wrap func([]core.Task) any) {
	result, err := s.Scheduler.Do(r.Context(), k)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if k.Scale {
		s.deployed(w, r, http.StatusOK, result)
		return
	}
	tasks := result.Tasks
	if tasks == nil {
		tasks = []core.Task{}
	}
	s.write(w, r, http.StatusOK, wrap(tasks))
}
