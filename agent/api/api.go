// Package api answers what an agent is asked over HTTP: the operator API, the
// older JSON endpoints, files of sandboxes, metrics. It owns routes, encodings
// and status codes; what it shows comes from snapshots of the core, and it
// changes nothing. Handlers run concurrently.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/disk"
	"github.com/soukproject/souk/agent/nested"
	"github.com/soukproject/souk/agent/sandbox"
	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/files"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/internal/routing"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// MesosVersion is the release whose API is spoken. Clients read it as dotted
// integers, so nothing may be added to it.
const MesosVersion = "1.11.0"

// Build says what was built; empty members are not shown.
type Build struct {
	Version string // our own, such as 0.1.0
	Commit  string
	Branch  string
	Tag     string
	Time    time.Time // zero if unknown
}

// Agent is the process that an API speaks for.
type Agent interface {
	// Recovered reports whether the agent has taken up what an earlier one left.
	Recovered() bool
	// Snapshot copies what the agent knows, between two steps.
	Snapshot(ctx context.Context) (core.Snapshot, error)
	// Master is the host of the master that the agent is connected to, "" if none.
	Master() string
	// SubscribeExecutor begins the stream of an executor. Unless the reply is 200,
	// there is none; end must be called once in any case but an error.
	SubscribeExecutor(ctx context.Context, call *executorpb.Call, outbox *callevent.Outbox) (end ExecutorStream, reply core.Reply, err error)
	// CallExecutor makes any other call of an executor.
	CallExecutor(ctx context.Context, call *executorpb.Call) (core.Reply, error)
	// Pending is what the containerizer is busy with, the oldest first.
	Pending() []Operation
	// Stats measures a container.
	Stats(ctx context.Context, id string) (containerizer.Statistics, error)
	// Disks is what a container was last found to keep on disks.
	Disks(container string) []disk.Reading
}

// Config is everything an API needs.
type Config struct {
	Agent   Agent
	Files   *sandbox.Files
	Store   *sandbox.Store
	Nested  *nested.Registry
	Metrics *metrics.Registry
	Address string // host:port that others reach the agent at
	Started time.Time
	LogDir  string
	Flags   []daemon.Flag
	Build   Build
	Log     *zap.Logger
	Level   zap.AtomicLevel
	Prune   func(keep []string) error // removes images that nothing uses but those
	Gate    auth.Gate                 // asks for credentials in the realms of routes
}

type api struct {
	Config
	verbosity *daemon.Verbosity
	executors chan struct{} // one token per stream of an executor
}

// New returns the handler of everything an agent answers.
func New(cfg Config) http.Handler {
	a := &api{Config: cfg, verbosity: daemon.NewVerbosity(cfg.Level, cfg.Log), executors: make(chan struct{}, maxExecutors)}
	return routing.New("slave(1)", a.routes())
}

// The realms in which an agent may ask for credentials (mesos-api 2).
const (
	ReadOnly  = "mesos-agent-readonly"
	ReadWrite = "mesos-agent-readwrite"
)

// routes lists everything the agent answers.
func (a *api) routes() []routing.Route {
	up := a.recovered
	all := []routing.Route{
		{Path: "/slave(1)/api/v1", Realm: ReadWrite, Handler: up(a.operator),
			Help: "The operator API: POST a call as JSON or protobuf. It runs and attaches to containers, too."},
		{Path: "/slave(1)/api/v1/executor", Handler: up(a.executor),
			Help: "The executor API: POST a call as JSON or protobuf. SUBSCRIBE is answered by a stream of events."},
		{Path: "/slave(1)/api/v1/resource_provider", Handler: absent("the resource provider API")},
		{Path: "/slave(1)/state", Realm: ReadOnly, Handler: up(a.state),
			Help: "Everything the agent knows: resources, frameworks, executors and their tasks."},
		{Path: "/slave(1)/state.json", Realm: ReadOnly, Handler: up(a.state)},
		{Path: "/slave(1)/containers", Realm: ReadOnly, Handler: up(a.containers),
			Help: "The containers, with status and measurements. ?container_id= shows one."},
		{Path: "/slave(1)/monitor/statistics", Realm: ReadOnly, Handler: up(a.statistics), Help: "What each executor and its tasks use."},
		{Path: "/slave(1)/containerizer/debug", Realm: ReadOnly, Handler: up(a.debugContainers),
			Help: "Launches and destructions that are under way, and since when."},
		{Path: "/slave(1)/flags", Realm: ReadOnly, Handler: a.flags, Help: "The flags that this agent runs with."},
		{Path: "/slave(1)/health", Handler: func(http.ResponseWriter, *http.Request) {}, Help: "200 while the process serves."},
		{Path: "/files/browse", Realm: ReadOnly, Handler: files.Server{Source: a.Files}.Browse, Help: "What is in the folder ?path=, such as a sandbox."},
		{Path: "/files/read", Realm: ReadOnly, Handler: files.Server{Source: a.Files}.Read,
			Help: "A piece of the file ?path=: ?length= bytes from ?offset=. Without an offset, its size."},
		{Path: "/files/download", Realm: ReadOnly, Handler: files.Server{Source: a.Files}.Download, Help: "The file ?path=."},
		{Path: "/files/debug", Realm: ReadOnly, Handler: up(a.debugFiles), Help: "Which paths can be asked for, and what they are on the disk."},
		{Path: "/logging/toggle", Realm: ReadWrite, Handler: a.verbosity.Toggle,
			Help: "The level of the log. ?level=1&duration=15mins logs everything for a while."},
		{Path: "/system/stats.json", Handler: systemStats, Help: "Load and memory of the machine."},
		{Path: "/version", Handler: a.version, Help: "What was built, and which release of Mesos it speaks like."},
		{Path: "/metrics/snapshot", Realm: ReadOnly, Handler: a.Metrics.SnapshotHandler().ServeHTTP,
			Help: "All metrics as one JSON object. ?timeout=10secs leaves out what is not ready by then."},
		{Path: "/metrics", Exact: true, Realm: ReadOnly, Handler: a.Metrics.PrometheusHandler().ServeHTTP,
			Help: "All metrics in the formats of Prometheus."},
	}
	for i, r := range all {
		all[i].Handler = a.Gate.Wrap(r.Realm, r.Handler)
	}
	return all
}

// recovered answers 503 until the agent has recovered.
func (a *api) recovered(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.Agent.Recovered() {
			daemon.WriteText(w, http.StatusServiceUnavailable, "Agent has not finished recovery")
			return
		}
		next(w, r)
	}
}

// absent answers for an API of Mesos that this version has not.
func absent(what string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := callevent.CheckMethod(w, r, http.MethodPost)
		if err == nil {
			err = callevent.Errorf(http.StatusNotImplemented, "501 Not Implemented. This agent does not have %s yet", what)
		}
		callevent.WriteError(w, err)
	}
}

// snapshot is for handlers: on failure it has answered.
func (a *api) snapshot(w http.ResponseWriter, r *http.Request) (core.Snapshot, bool) {
	s, err := a.Agent.Snapshot(r.Context())
	if err != nil {
		daemon.WriteText(w, http.StatusServiceUnavailable, "Agent is stopping")
		return s, false
	}
	return s, true
}

// answer writes v as JSON, in the forms that clients of Mesos know.
func answer(w http.ResponseWriter, r *http.Request, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		callevent.WriteError(w, err)
		return
	}
	daemon.WriteJSON(w, r, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// double prints with a decimal point or an exponent, as in Mesos.
type double float64

// MarshalJSON implements json.Marshaler.
func (d double) MarshalJSON() ([]byte, error) {
	x := float64(d)
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.AppendFloat(nil, x, 'f', 1, 64), nil
	}
	return json.Marshal(x)
}

// message prints as the v1 API does.
type message struct{ proto.Message }

// MarshalJSON implements json.Marshaler.
func (m message) MarshalJSON() ([]byte, error) { return callevent.AppendJSON(nil, m.Message) }

func seconds(t time.Time) double {
	if t.IsZero() {
		return 0
	}
	return double(float64(t.UnixMicro()) / 1e6)
}
