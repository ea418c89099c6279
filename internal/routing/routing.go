// Package routing owns how paths of a master and an agent find their handler:
// as in libprocess, on which Mesos stands, so that every spelling in use works.
// It knows no path itself.
package routing

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/soukproject/souk/internal/callevent"
)

// maxSegments is more than any path that means something.
const maxSegments = 64

// A Route is a path and who answers it. Paths begin with the component they
// belong to: /master/state, /slave(1)/state, /files/read.
type Route struct {
	Path    string
	Exact   bool   // longer paths are not answered by it
	Realm   string // in which credentials may be asked for; "": never
	Help    string // what it answers, in a few sentences; "": /help leaves it out
	Handler http.HandlerFunc
}

// A Router dispatches as libprocess does (mesos-api 1.1): the first segment,
// percent-decoded, names a component, else the default one is meant; the longest
// registered prefix of the rest answers. Nothing is ever redirected to a cleaner
// path, because clients do not follow that with a POST.
type Router struct {
	mux        *mux.Router
	component  string // of paths that name none
	components map[string]bool
	exact      map[string]bool // by path: whether longer paths are left out
}

// New returns a router whose paths without a component belong to component. It
// answers /help and below with what the routes say of themselves.
func New(component string, routes []Route) *Router {
	r := &Router{
		mux:        mux.NewRouter().SkipClean(true),
		component:  component,
		components: make(map[string]bool),
		exact:      make(map[string]bool),
	}
	for _, rt := range slices.Concat(routes, help(component, routes)) {
		component, _, _ := strings.Cut(rt.Path[1:], "/")
		r.components[component] = true
		r.exact[rt.Path] = rt.Exact
		r.mux.Path(rt.Path).Handler(rt.Handler)
	}
	return r
}

// ServeHTTP implements http.Handler.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
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
func (r *Router) resolve(escaped string) (path string, ok bool) {
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

// qualify puts the component first, decoded; the other segments are taken as they are.
func (r *Router) qualify(segments []string) []string {
	if len(segments) > 0 {
		first, err := url.PathUnescape(segments[0])
		if err == nil && r.components[first] {
			return append([]string{first}, segments[1:]...)
		}
	}
	return append([]string{r.component}, segments...)
}

// longest drops segments from the end until a route is left.
func (r *Router) longest(segments []string) (string, bool) {
	for n := len(segments); n > 0; n-- {
		path := "/" + strings.Join(segments[:n], "/")
		if exact, ok := r.exact[path]; ok && (n == len(segments) || !exact) {
			return path, true
		}
	}
	return "", false
}
