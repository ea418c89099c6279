package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// groupRoutes: groups are read from the ids of apps. They have no definition of
// their own in this version, so they can be deleted but not changed.
func (s *server) groupRoutes(r *mux.Router) {
	r.HandleFunc("/v2/groups", s.showGroup).Methods("GET")
	r.HandleFunc("/v2/groups/{id:.+}/apps", s.listGroupApps).Methods("GET")
	r.HandleFunc("/v2/groups/versions", s.refuse("the history of groups; read /v2/apps/{id}/versions")).Methods("GET")
	r.HandleFunc("/v2/groups/{id:.+}/versions", s.refuse("the history of groups; read /v2/apps/{id}/versions")).Methods("GET")
	r.HandleFunc("/v2/groups/{id:.+}/versions/{version}", s.refuse("the history of groups; read /v2/apps/{id}/versions/{version}")).Methods("GET")
	r.HandleFunc("/v2/groups/{id:.+}", s.showGroup).Methods("GET")
	change := s.refuse("changes of groups; send the apps to PUT /v2/apps as an array")
	r.HandleFunc("/v2/groups", change).Methods("POST", "PUT", "PATCH")
	r.HandleFunc("/v2/groups/{id:.+}", change).Methods("POST", "PUT", "PATCH")
	r.HandleFunc("/v2/groups", s.deleteGroup).Methods("DELETE")
	r.HandleFunc("/v2/groups/{id:.+}", s.deleteGroup).Methods("DELETE")
}

// groupJSON is a group with what lies in it.
type groupJSON struct {
	ID           string         `json:"id"`
	Apps         *[]appJSON     `json:"apps,omitempty"`
	Groups       *[]groupJSON   `json:"groups,omitempty"`
	Pods         *[]any         `json:"pods,omitempty"`
	Dependencies []string       `json:"dependencies"`
	Version      spec.Timestamp `json:"version"`
}

func (s *server) showGroup(w http.ResponseWriter, r *http.Request) {
	id := appID(r)
	apps, err := s.apps(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	apps = slices.DeleteFunc(apps, func(a core.AppInfo) bool { return !spec.Below(a.ID, id) })
	if len(apps) == 0 && id != "/" {
		s.fail(w, r, missing("Group", id))
		return
	}
	s.write(w, r, http.StatusOK, groupOf(id, apps, embedOf(r), parts(r)))
}

// parts are the lists a group shows: all three unless some are asked for.
func parts(r *http.Request) map[string]bool {
	out := map[string]bool{}
	for _, v := range r.URL.Query()["embed"] {
		name, _, _ := strings.Cut(strings.TrimPrefix(v, "group."), ".")
		out[name] = true
	}
	if len(out) == 0 {
		return map[string]bool{"apps": true, "groups": true, "pods": true}
	}
	return out
}

// groupOf makes the tree below id from the apps in it, which are sorted.
func groupOf(id string, apps []core.AppInfo, e embed, show map[string]bool) groupJSON {
	g := groupJSON{ID: id, Dependencies: []string{}}
	direct, groups := []appJSON{}, []groupJSON{}
	for _, a := range apps {
		g.Version = max(g.Version, a.Version)
		if spec.Parent(a.ID) == id {
			direct = append(direct, e.app(a))
		}
	}
	for _, child := range children(id, apps) {
		below := slices.DeleteFunc(slices.Clone(apps), func(a core.AppInfo) bool { return !spec.Below(a.ID, child) })
		groups = append(groups, groupOf(child, below, e, show))
	}
	if show["apps"] {
		g.Apps = &direct
	}
	if show["groups"] {
		g.Groups = &groups
	}
	if show["pods"] {
		g.Pods = &[]any{}
	}
	return g
}

func (s *server) deleteGroup(w http.ResponseWriter, r *http.Request) {
	force, err := flag(r, "force", false)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.do(w, r, core.DeleteGroup{ID: appID(r), Force: force})
}

// children are the groups directly below id that have apps, sorted.
func children(id string, apps []core.AppInfo) []string {
	depth := len(spec.Segments(id))
	var out []string
	for _, a := range apps {
		if s := spec.Segments(a.ID); len(s) > depth+1 {
			out = append(out, "/"+strings.Join(s[:depth+1], "/"))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *server) listGroupApps(w http.ResponseWriter, r *http.Request) {
	id := appID(r)
	apps, err := s.apps(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := []appJSON{}
	e := embedOf(r, embedCounts, embedDeployments)
	for _, a := range apps {
		if spec.Below(a.ID, id) {
			out = append(out, e.app(a))
		}
	}
	if len(out) == 0 && id != "/" {
		s.fail(w, r, missing("Group", id))
		return
	}
	s.write(w, r, http.StatusOK, out)
}
