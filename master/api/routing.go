package api

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"github.com/soukproject/souk/internal/callevent"
)

// A route is a path and who answers it. Paths begin with the component they
// belong to.
type route struct {
	path    string
	exact   bool // longer paths are not answered by it
	handler http.HandlerFunc
}

// defaultComponent gets the paths that name no component.
const defaultComponent = "master"

// A router dispatches as libprocess does (mesos-api 1.1): the first segment
// names a component, else the default one; the longest registered prefix of the
// rest answers. Nothing is ever redirected to a cleaner path, because clients
// do not follow that with a POST.
type router struct {
	mux        *mux.Router
	components map[string]bool
	exact      map[string]bool // by path: whether longer paths are left out
}

func newRouter(routes []route) *router {
	r := &router{
		mux:        mux.NewRouter().SkipClean(true),
		components: make(map[string]bool),
		exact:      make(map[string]bool),
	}
	for _, rt := range routes {
		component, _, _ := strings.Cut(rt.path[1:], "/")
		r.components[component] = true
		r.exact[rt.path] = rt.exact
		r.mux.Path(rt.path).Handler(rt.handler)
	}
	return r
}

// ServeHTTP implements http.Handler.
func (r *router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !strings.HasPrefix(req.URL.Path, "/") { // OPTIONS *
		callevent.WriteError(w, callevent.Errorf(http.StatusBadRequest, "Request URL path must start with '/'"))
		return
	}
	path, ok := r.resolve(req.URL.EscapedPath())
	if !ok {
		callevent.WriteError(w, callevent.Errorf(http.StatusNotFound, ""))
		return
	}
	target, u := *req, *req.URL // the caller's request stays as it is
	u.Path, u.RawPath = path, ""
	target.URL = &u
	r.mux.ServeHTTP(w, &target)
}

// resolve finds the route that answers an escaped path.
func (r *router) resolve(escaped string) (path string, ok bool) {
	segments := make([]string, 0, 8)
	for segment := range strings.SplitSeq(escaped, "/") {
		if segment == ".." || len(segments) > maxSegments {
			return "", false
		}
		if segment != "" {
			segments = append(segments, segment)
		}
	}
	return r.longest(r.qualify(segments))
}

// maxSegments is more than any path that means something.
const maxSegments = 64

// qualify puts the component first, decoded; the other segments are taken as they are.
func (r *router) qualify(segments []string) []string {
	if len(segments) > 0 {
		first, err := url.PathUnescape(segments[0])
		if err == nil && r.components[first] {
			return append([]string{first}, segments[1:]...)
		}
	}
	return append([]string{defaultComponent}, segments...)
}

// longest drops segments from the end until a route is left.
func (r *router) longest(segments []string) (string, bool) {
	for n := len(segments); n > 0; n-- {
		path := "/" + strings.Join(segments[:n], "/")
		if exact, ok := r.exact[path]; ok && (n == len(segments) || !exact) {
			return path, true
		}
	}
	return "", false
}

// routes lists everything the master answers.
func (a *api) routes() []route {
	led := a.led // needs a leader that has recovered
	return append(absent(),
		route{path: "/master/api/v1", handler: led(a.operator)},
		route{path: "/master/api/v1/scheduler", handler: led(a.scheduler)},
		route{path: "/master/api/v1/link", handler: led(a.link)},

		route{path: "/master/state", handler: led(a.state)},
		route{path: "/master/state.json", handler: led(a.state)},
		route{path: "/master/state-summary", handler: led(a.stateSummary)},
		route{path: "/master/slaves", handler: led(a.slaves)},
		route{path: "/master/frameworks", handler: led(a.frameworks)},
		route{path: "/master/tasks", handler: led(a.tasks)},
		route{path: "/master/tasks.json", handler: led(a.tasks)},
		route{path: "/master/roles", handler: led(a.roles)},
		route{path: "/master/roles.json", handler: led(a.roles)},
		route{path: "/master/weights", handler: led(a.weights)},
		route{path: "/master/teardown", handler: led(a.teardown)},

		route{path: "/master/flags", handler: a.flags},
		route{path: "/master/health", handler: health},
		route{path: "/master/redirect", exact: true, handler: a.redirect},
		route{path: "/version", handler: a.version},
		route{path: "/metrics/snapshot", handler: a.Metrics.SnapshotHandler().ServeHTTP},
		route{path: "/metrics", exact: true, handler: a.Metrics.PrometheusHandler().ServeHTTP},
		route{path: "/system/stats.json", handler: a.systemStats},
		route{path: "/logging/toggle", handler: a.loggingToggle},
	)
}

// absent lists endpoints of Mesos that are not served yet. A client learns so,
// rather than that it mistyped a path.
func absent() []route {
	var routes []route
	for _, path := range []string{
		"/master/quota", "/master/reserve", "/master/unreserve", "/master/create-volumes", "/master/destroy-volumes",
		"/master/maintenance/schedule", "/master/maintenance/status", "/master/machine/down", "/master/machine/up",
		"/files/browse", "/files/read", "/files/download", "/files/debug",
	} {
		routes = append(routes, route{path: path, handler: func(w http.ResponseWriter, _ *http.Request) {
			callevent.WriteError(w, callevent.Errorf(http.StatusNotImplemented,
				"501 Not Implemented. Endpoint '%s' is not part of this version", path))
		}})
	}
	return routes
}
