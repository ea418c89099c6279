// Package api owns Chronos' HTTP API: routes under /scheduler and
// /v1/scheduler, bodies, status codes and texts as clients of Chronos 2 and 3
// expect them. It does not own jobs or when they run: it reads views of the
// core and hands it events. Handlers run concurrently and keep no state.
package api

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/gorilla/mux"
	"go.uber.org/zap"

	"github.com/soukproject/souk/frameworks/chronos/core"
	"github.com/soukproject/souk/frameworks/chronos/schedule"
)

// A Scheduler is the running scheduler as the API sees it. Both methods may be
// called by many goroutines at once.
type Scheduler interface {
	// Call gives the core the event that build makes of a request id, waits
	// for its reply and returns its error.
	Call(ctx context.Context, build func(core.Request) core.Event) error
	// View lets look see the core between two steps. What the core hands out
	// may be kept, the core itself may not.
	View(ctx context.Context, look func(*core.Chronos)) error
}

// Config is what the API needs.
type Config struct {
	Scheduler  Scheduler
	Defaults   core.Defaults
	Zones      schedule.Zones
	Leader     string       // host:port of this process, which leads
	Prometheus http.Handler // answers /metrics in Prometheus' form
	StatRuns   int          // runs shown by /job/stat
	Username   string       // with Password, asked for by basic authentication; "" asks nobody
	Password   string
	Realm      string
	Log        *zap.Logger
}

// maxBody bounds what a client may send.
const maxBody = core.MaxJobBytes + 64<<10

type handlers struct{ Config }

// New returns the handler of everything Chronos serves. Paths are taken as they
// come: a trailing slash is dropped, never redirected, and double slashes stay.
func New(cfg Config) http.Handler {
	h := handlers{cfg}
	r := mux.NewRouter().SkipClean(true)
	r.NotFoundHandler = http.HandlerFunc(notFound)
	r.MethodNotAllowedHandler = http.HandlerFunc(wrongMethod)
	for _, base := range []string{"/v1/scheduler", "/scheduler"} {
		h.routeJobs(r, base)
		h.routeRuns(r, base)
		h.routeGraph(r, base)
		route(r, http.MethodGet, base+"/leader", h.leader)
	}
	route(r, http.MethodGet, "/leader", h.leader)
	route(r, http.MethodGet, "/ping", ping)
	route(r, http.MethodGet, "/metrics", h.metrics)
	refuseMetronome(r)
	return h.guard(r)
}

func route(r *mux.Router, method, path string, handle http.HandlerFunc) {
	methods := []string{method}
	if method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	r.HandleFunc(path, handle).Methods(methods...)
}

// guard does what every request needs: the CORS header, authentication, a path
// without its trailing slash and a body of bounded size.
func (h handlers) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		if !h.admits(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="`+h.Realm+`"`)
			writeError(w, http.StatusUnauthorized, "give the user name and password of --http_credentials")
			return
		}
		if len(r.URL.Path) > 1 {
			r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

func (h handlers) admits(r *http.Request) bool {
	if h.Username == "" {
		return true
	}
	name, password, _ := r.BasicAuth()
	same := subtle.ConstantTimeCompare([]byte(name), []byte(h.Username)) & subtle.ConstantTimeCompare([]byte(password), []byte(h.Password))
	return same == 1
}

func ping(w http.ResponseWriter, _ *http.Request) {
	writeText(w, "pong")
}

func (h handlers) leader(w http.ResponseWriter, r *http.Request) {
	h.writeJSON(w, r, map[string]string{"leader": h.Leader})
}

// refuseMetronome says what the cron-style API of DC/OS would need.
func refuseMetronome(r *mux.Router) {
	refuse := func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusNotImplemented,
			"Metronome's jobs API is not supported yet; create jobs with POST /v1/scheduler/iso8601 or /v1/scheduler/dependency")
	}
	for _, path := range []string{"/v1/jobs", "/v1/queue", "/v1/metrics", "/v0/scheduled-jobs"} {
		r.HandleFunc(path, refuse)
		r.PathPrefix(path + "/").HandlerFunc(refuse)
	}
}
