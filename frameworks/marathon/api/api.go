// Package api is the service scheduler's HTTP face: Marathon's REST API, its
// event stream, metrics and liveness. It decodes requests, hands them to the
// scheduler and encodes the answers; it decides nothing and keeps nothing but
// the list of those who listen for events. Handlers may run side by side.
package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"go.uber.org/zap"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/internal/metrics"
)

// A Scheduler is what requests are made to.
type Scheduler interface {
	// Do makes a change and returns when it is durable, or refused.
	Do(ctx context.Context, r core.Request) (core.Result, error)
	// View lets read look at the state between two changes. What it takes out
	// must be copies, as the core's methods return them.
	View(ctx context.Context, read func(*core.Core)) error
}

// Config is what the handler needs. Scheduler, Hub and Metrics are required.
type Config struct {
	Scheduler Scheduler
	Hub       *Hub
	Metrics   *metrics.Registry
	Info      Info
	Abdicate  func()      // ends this process' leadership soon; nil: no other one could take over
	Log       *zap.Logger // nil: silent

	// Credentials "user:password" ask for basic authentication; "" asks for none.
	Credentials string
	Realm       string
	// Origins may read answers from a browser (--access_control_allow_origin).
	Origins []string
}

// Info describes the process, for /v2/info and /v2/leader.
type Info struct {
	Name, Version, BuildRef string
	Leader                  string         // host:port
	URL                     string         // of this server, for X-Marathon-Leader
	Settings                map[string]any // marathon_config
	ZooKeeper               map[string]any // zookeeper_config
	HTTPPort                int
}

// bodyLimit bounds a request's body. An app definition is a few kilobytes.
const bodyLimit = 8 << 20

type server struct {
	Config
	started time.Time
}

// New returns the handler of all routes.
func New(cfg Config) http.Handler {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	s := &server{cfg, time.Now()}
	// Cleaning would answer PUT /v2/apps//web with a redirect, which clients
	// turn into a GET; ids beginning with a slash are common.
	r := mux.NewRouter().SkipClean(true)
	s.appRoutes(r)
	s.groupRoutes(r)
	s.taskRoutes(r)
	s.deploymentRoutes(r)
	s.processRoutes(r)
	s.absentRoutes(r)
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, &core.Refusal{Kind: core.NotFound, Message: "URI not found: " + r.URL.Path})
	})
	r.MethodNotAllowedHandler = notAllowed(r)
	return s.headers(s.authenticate(trim(accept(head(r)))))
}

// head serves HEAD as GET; the server leaves the body out. A stream has no end
// to come to.
func head(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead && r.URL.Path != "/v2/events" {
			r = r.Clone(r.Context())
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// notAllowed tells which methods a path has: to OPTIONS as the answer, to any
// other method as the reason.
func notAllowed(router *mux.Router) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			try := r.Clone(r.Context())
			try.Method = method
			var m mux.RouteMatch
			if router.Match(try, &m) && m.MatchErr == nil {
				allowed = append(allowed, method)
			}
		}
		w.Header().Set("Allow", strings.Join(append(allowed, "OPTIONS"), ", "))
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusOK)
			return
		}
		writeMessage(w, http.StatusMethodNotAllowed, r.Method+" is not allowed on "+r.URL.Path)
	})
}

// trim drops trailing slashes: a redirect would lose the body.
func trim(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := strings.TrimRight(r.URL.Path, "/"); path != "" && path != r.URL.Path {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = path, ""
		}
		next.ServeHTTP(w, r)
	})
}

// headers adds what every answer carries.
func (s *server) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
		h.Set("Pragma", "no-cache")
		h.Set("Expires", "0")
		h.Set("X-Marathon-Leader", s.Info.URL)
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-XSS-Protection", "1; mode=block")
		s.cors(h, r)
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
		next.ServeHTTP(w, r)
	})
}

// cors lets the configured origins read; browsers compare one value only.
func (s *server) cors(h http.Header, r *http.Request) {
	for _, origin := range s.Origins {
		if origin != "*" && origin != r.Header.Get("Origin") {
			continue
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
		h.Set("Access-Control-Max-Age", "86400")
	}
}

// accept refuses clients that cannot read what would be answered.
func accept(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := r.Header.Get("Accept")
		if a == "" || !strings.HasPrefix(r.URL.Path, "/v2/") || r.URL.Path == "/v2/events" || acceptsAny(a, "*/*", "application/*", "application/json", "text/plain") {
			next.ServeHTTP(w, r)
			return
		}
		writeMessage(w, http.StatusNotAcceptable, "this is answered as application/json, but the request accepts only "+a)
	})
}

func acceptsAny(header string, types ...string) bool {
	for part := range strings.SplitSeq(header, ",") {
		media, _, _ := strings.Cut(part, ";")
		for _, t := range types {
			if strings.EqualFold(strings.TrimSpace(media), t) {
				return true
			}
		}
	}
	return false
}
