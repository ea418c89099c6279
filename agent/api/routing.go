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
const defaultComponent = "slave(1)"

// maxSegments is more than any path that means something.
const maxSegments = 64

// A router dispatches as libprocess does (mesos-api 1.1): the first segment,
// percent-decoded, names a component, else the default one is meant; the
// longest registered prefix of the rest answers.
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
	var segments []string
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

// qualify puts the component first; the other segments are taken as they are.
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
