// Package api is the master's HTTP side: the scheduler API, the operator API,
// the link of the agents and Mesos' older JSON endpoints. It owns routes, the
// order of checks, the subscribers' streams and how a core.Snapshot looks on
// the wire; it decides nothing and changes nothing itself, but hands events to
// a Master. Decoding, validation and encoding happen in the request's
// goroutine. Handlers run concurrently.
package api

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/files"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/internal/routing"
	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/core"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A Sink takes the messages of one subscriber. Send never blocks; it reports
// false when the subscriber is gone or too slow to be kept.
type Sink interface {
	Send(proto.Message) bool
	Close(last ...proto.Message)
}

// A Master is what the handlers ask of the process. Methods that wait end with
// the request's context, or with an error when the master ends.
type Master interface {
	// Status says who leads, and whether this master is ready to.
	Status() Status
	// Send hands over an event that nobody waits for an answer to.
	Send(ctx context.Context, ev core.Event) error
	// Open hands over an event that opens a stream, whose events go to sink.
	Open(ctx context.Context, ev core.Event, sink Sink) error
	// Call hands over the event made for a request and waits for the reply.
	Call(ctx context.Context, event func(core.Request) core.Event) (core.Reply, error)
	// View is all that the master knows now.
	View(ctx context.Context) (*core.Snapshot, error)
	// Watch is View, and from then on sink gets what is published to operators
	// until Unwatch.
	Watch(ctx context.Context, sink Sink) (*core.Snapshot, error)
	Unwatch(sink Sink)
	// Registry is what is kept for the next leader, read from where it is kept.
	Registry(ctx context.Context) (*registrypb.Registry, error)
	// Explain and Overview ask the allocator; see core.Master.
	Explain(ctx context.Context, q allocator.Question) (core.Explanation, error)
	Overview(ctx context.Context, emptyFor time.Duration, limit int) (core.Overview, error)
}

// Status is what decides whether a request is answered, redirected or refused.
type Status struct {
	Leader    leader.Leader // zero: nobody leads
	Leading   bool          // this master does
	Recovered bool          // and knows the registry
}

// Config is what the handlers need.
type Config struct {
	Master  Master
	Log     *zap.Logger
	Level   zap.AtomicLevel
	Metrics *metrics.Registry
	Info    *mesospb.MasterInfo // of this master
	Started time.Time
	Cluster string
	LogDir  string
	Files   files.Named // what /files shows: the log, if it goes to a file
	Flags   []daemon.Flag
	Build   Build
	Limits  Limits
	// FrameworkMetrics publishes what is counted for each framework.
	FrameworkMetrics bool
	Gate             auth.Gate // asks for credentials in the realms of routes.go
}

// Build says which program answers.
type Build struct {
	Version string // our own, such as 0.1.0
	Commit  string
	Branch  string
	Tag     string
	Time    time.Time // zero if unknown
}

// MesosVersion is the release whose API is spoken. Clients read it as dotted
// integers, so nothing may be added to it.
const MesosVersion = "1.11.0"

// Limits bound what strangers can make the master keep.
type Limits struct {
	Schedulers int // subscriptions at a time
	Agents     int
	Operators  int // at the bound the oldest makes room (Mesos: max_operator_event_stream_subscribers)
	Outbox     int // messages waiting for one scheduler, agent or operator
}

// DefaultLimits suit a cluster of ten thousand agents. An outbox must hold what
// one event can cause for one subscriber, such as an update for every task of
// an agent, or the subscriber is cut off for no fault of its own.
func DefaultLimits() Limits {
	return Limits{Schedulers: 10_000, Agents: 100_000, Operators: 1000, Outbox: 1 << 17}
}

// heartbeatInterval is announced to schedulers and operators (Mesos: 15 s).
const heartbeatInterval = core.HeartbeatInterval

// maxCall bounds a call's body in bytes; an agent that reregisters tells all its tasks at once.
const (
	maxCall = 8 << 20
	maxLink = 64 << 20
)

type api struct {
	Config
	schedulers, agents chan struct{} // a token per subscription
	explainers         chan struct{} // a token per explanation being made
	readers            chan struct{} // a token per reading of the registry
	sessions           sessions
	watchers           watchers
	verbosity          *daemon.Verbosity
}

// New returns the handler of all the master's routes.
func New(cfg Config) http.Handler {
	a := &api{
		Config:     cfg,
		schedulers: make(chan struct{}, cfg.Limits.Schedulers),
		agents:     make(chan struct{}, cfg.Limits.Agents),
		explainers: make(chan struct{}, explainersAtOnce),
		readers:    make(chan struct{}, 1),
		sessions:   newSessions(),
		verbosity:  daemon.NewVerbosity(cfg.Level, cfg.Log),
	}
	cfg.Metrics.AddSource(a.measure)
	return routing.New("master", a.routes())
}

// acquire takes a token, or refuses with 503 if there is none.
func acquire(tokens chan struct{}, whose string) error {
	select {
	case tokens <- struct{}{}:
		return nil
	default:
		return callevent.Errorf(http.StatusServiceUnavailable,
			"This master serves at most %d subscriptions of %s at a time; try again later", cap(tokens), whose)
	}
}

// unavailable is the answer when the loop cannot take an event any more.
func unavailable(err error) error {
	return callevent.Errorf(http.StatusServiceUnavailable, "Master cannot take the call: %v", err)
}
