package api

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// appRoutes: an id takes the rest of the path, so the verbs come first.
func (s *server) appRoutes(r *mux.Router) {
	r.HandleFunc("/v2/apps", s.listApps).Methods("GET")
	r.HandleFunc("/v2/apps", s.createApp).Methods("POST")
	r.HandleFunc("/v2/apps", s.updateApps).Methods("PUT", "PATCH")
	r.HandleFunc("/v2/apps/{id:.+}/restart", s.restartApp).Methods("POST")
	r.HandleFunc("/v2/apps/{id:.+}/versions", s.listVersions).Methods("GET")
	r.HandleFunc("/v2/apps/{id:.+}/versions/{version}", s.showVersion).Methods("GET")
	r.HandleFunc("/v2/apps/{id:.+}/tasks", s.listAppTasks).Methods("GET")
	r.HandleFunc("/v2/apps/{id:.+}/tasks", s.killAppTasks).Methods("DELETE")
	r.HandleFunc("/v2/apps/{id:.+}/tasks/{task}", s.killAppTask).Methods("DELETE")
	r.HandleFunc("/v2/apps/{id:.+}", s.showApp).Methods("GET")
	r.HandleFunc("/v2/apps/{id:.+}", s.updateApp).Methods("PUT", "PATCH")
	r.HandleFunc("/v2/apps/{id:.+}", s.deleteApp).Methods("DELETE")
}

// appID is the absolute id in the path.
func appID(r *http.Request) string { return spec.CanonicalID("/", mux.Vars(r)["id"]) }

// group is the group whose apps an id of the form /group/* stands for.
func group(id string) (string, bool) {
	if id == "/*" {
		return "/", true
	}
	return strings.CutSuffix(id, "/*")
}

func (s *server) apps(r *http.Request) (apps []core.AppInfo, err error) {
	err = s.Scheduler.View(r.Context(), func(c *core.Core) { apps = c.Apps() })
	return apps, err
}

func (s *server) listApps(w http.ResponseWriter, r *http.Request) {
	matches, err := filter(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	apps, err := s.apps(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := []appJSON{}
	e := embedOf(r, embedCounts, embedDeployments)
	for _, a := range apps {
		if matches(a) {
			out = append(out, e.app(a))
		}
	}
	s.write(w, r, http.StatusOK, map[string]any{"apps": out})
}

// filter reads the parameters cmd, id and label, all of which must hold.
func filter(r *http.Request) (func(core.AppInfo) bool, error) {
	q := r.URL.Query()
	selector, err := parseSelector(q.Get("label"))
	if err != nil {
		return nil, &badRequest{http.StatusUnprocessableEntity, fmt.Sprintf("Couldn't parse label selector: %v", err)}
	}
	return func(a core.AppInfo) bool {
		return contains(a.Cmd, q.Get("cmd")) && contains(a.ID, q.Get("id")) && selector.matches(a.Labels)
	}, nil
}

func contains(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

func (s *server) showApp(w http.ResponseWriter, r *http.Request) {
	id := appID(r)
	if g, ok := group(id); ok {
		s.showGroupApps(w, r, g)
		return
	}
	a, err := s.app(r, id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	e := embedOf(r, embedCounts, embedTasks, embedFailure, embedDeployments)
	s.write(w, r, http.StatusOK, map[string]any{"app": e.app(a)})
}

func (s *server) app(r *http.Request, id string) (a core.AppInfo, err error) {
	found := false
	if err = s.Scheduler.View(r.Context(), func(c *core.Core) { a, found = c.App(id) }); err != nil {
		return a, err
	}
	if !found {
		return a, missing("App", id)
	}
	return a, nil
}

func missing(kind, id string) error {
	return &core.Refusal{Kind: core.NotFound, Message: fmt.Sprintf("%s '%s' does not exist", kind, id)}
}

// showGroupApps answers with all apps below a group.
func (s *server) showGroupApps(w http.ResponseWriter, r *http.Request, g string) {
	apps, err := s.apps(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := []appJSON{}
	e := embedOf(r, embedCounts, embedDeployments)
	for _, a := range apps {
		if spec.Below(a.ID, g) {
			out = append(out, e.app(a))
		}
	}
	if len(out) == 0 && g != "/" {
		s.fail(w, r, missing("Group", g))
		return
	}
	s.write(w, r, http.StatusOK, map[string]any{"*": out})
}

func origin(r *http.Request) core.Origin {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return core.Origin{ClientIP: host, URI: r.URL.Path}
}

func (s *server) createApp(w http.ResponseWriter, r *http.Request) {
	force, err := flag(r, "force", false)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	obj, err := object(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	result, err := s.Scheduler.Do(r.Context(), core.CreateApp{App: obj, Force: force, Origin: origin(r)})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Location", result.App.ID)
	w.Header().Set("Marathon-Deployment-Id", result.DeploymentID)
	s.write(w, r, http.StatusCreated, embedOf(r, embedCounts, embedTasks, embedDeployments).app(result.App))
}

func object(r *http.Request) (spec.Object, error) {
	b, err := body(r)
	if err != nil {
		return nil, err
	}
	return spec.Decode(b)
}

func (s *server) updateApp(w http.ResponseWriter, r *http.Request) {
	obj, err := object(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.update(w, r, []core.AppUpdate{{ID: appID(r), Object: obj}})
}

func (s *server) updateApps(w http.ResponseWriter, r *http.Request) {
	b, err := body(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	list, err := spec.DecodeList(b)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var updates []core.AppUpdate
	for _, obj := range list {
		id, err := obj.ID("/")
		if err != nil {
			s.fail(w, r, err)
			return
		}
		updates = append(updates, core.AppUpdate{ID: id, Object: obj})
	}
	s.update(w, r, updates)
}

// update serves PUT, which creates what does not exist, and PATCH, which does not.
func (s *server) update(w http.ResponseWriter, r *http.Request, updates []core.AppUpdate) {
	put := r.Method == http.MethodPut
	force, err := flag(r, "force", false)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	partial, err := flag(r, "partialUpdate", true)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	result, err := s.Scheduler.Do(r.Context(), core.UpdateApps{
		Updates: updates, Partial: partial || !put, Create: put, Force: force, Origin: origin(r),
	})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	status := http.StatusOK
	if _, single := mux.Vars(r)["id"]; single && result.Created {
		status = http.StatusCreated
		w.Header().Set("Location", updates[0].ID)
	}
	s.deployed(w, r, status, result)
}

func (s *server) deleteApp(w http.ResponseWriter, r *http.Request) {
	force, err := flag(r, "force", true)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.do(w, r, core.DeleteApp{ID: appID(r), Force: force})
}

func (s *server) restartApp(w http.ResponseWriter, r *http.Request) {
	force, err := flag(r, "force", false)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.do(w, r, core.RestartApp{ID: appID(r), Force: force})
}

func (s *server) versions(r *http.Request) (versions []*spec.App, err error) {
	id, found := appID(r), false
	if err = s.Scheduler.View(r.Context(), func(c *core.Core) { versions, found = c.Versions(id) }); err != nil {
		return nil, err
	}
	if !found {
		return nil, missing("App", id)
	}
	return versions, nil
}

func (s *server) listVersions(w http.ResponseWriter, r *http.Request) {
	versions, err := s.versions(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := []spec.Timestamp{}
	for _, def := range versions {
		out = append(out, def.Version)
	}
	s.write(w, r, http.StatusOK, map[string]any{"versions": out})
}

func (s *server) showVersion(w http.ResponseWriter, r *http.Request) {
	versions, err := s.versions(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	wanted, err := spec.ParseTimestamp(mux.Vars(r)["version"])
	if err != nil {
		s.fail(w, r, &badRequest{http.StatusBadRequest, err.Error()})
		return
	}
	for _, def := range versions {
		if def.Version == wanted {
			s.write(w, r, http.StatusOK, def)
			return
		}
	}
	s.fail(w, r, &core.Refusal{Kind: core.NotFound, Message: fmt.Sprintf("App '%s' does not exist in version %s", appID(r), wanted)})
}
