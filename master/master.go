// Package master is the master's process: its configuration and flags, the one
// loop that feeds events to the core and performs what the core wants done,
// leadership, and the wiring of registry and HTTP. It decides nothing.
//
// Run blocks until its context ends or the master cannot go on; then it has
// stopped everything that it started. Several masters may run in one process.
package master

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/boltstate"
	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/api"
	"github.com/soukproject/souk/master/core"
	"github.com/soukproject/souk/master/registrar"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// ErrLost says that another master leads now, or may. Run may be called again:
// that is a contender with a new id, as a restarted process of Mesos is.
var ErrLost = leader.ErrLost

// A master is one process's parts.
type master struct {
	cfg       Config
	id        string
	info      *mesospb.MasterInfo
	started   time.Time
	metrics   *metrics.Registry
	loop      *loop
	registrar *registrar.Registrar

	leader    atomic.Pointer[leader.Leader] // as detected; nil: none
	leading   atomic.Bool
	recovered atomic.Bool
}

// Run is the master: it serves, contends for leadership, and leads, until ctx
// ends. Ports are taken and the store is opened before it returns an error.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.check(); err != nil {
		return err
	}
	ln := cfg.Listener
	if ln == nil {
		var err error
		if ln, err = daemon.Listen(ctx, cfg.IP, cfg.Port); err != nil {
			return err
		}
		defer ln.Close()
	}
	store, closeStore, err := cfg.openStore()
	if err != nil {
		return err
	}
	defer closeStore()
	m, err := newMaster(ctx, cfg, ln.Addr(), store)
	if err != nil {
		return err
	}
	return m.run(ctx, ln)
}

// openStore returns the store of the registry and what closes it.
func (c Config) openStore() (state.Store, func() error, error) {
	keep := func() error { return nil }
	if c.Store != nil {
		return c.Store, keep, nil
	}
	if c.ZK != nil {
		s := c.sharedStore()
		return s, s.Close, nil
	}
	if c.Registry == InMemory {
		return memstate.New(), keep, nil
	}
	s, err := boltstate.Open(filepath.Join(c.WorkDir, RegistryFile))
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

func newMaster(ctx context.Context, cfg Config, address net.Addr, store state.Store) (*master, error) {
	info, err := masterInfo(ctx, cfg, address)
	if err != nil {
		return nil, err
	}
	m := &master{cfg: cfg, id: info.GetId(), info: info, started: time.Now(), metrics: metrics.New()}
	m.registrar = registrar.New(registrar.Config{
		Store: store, Log: cfg.Log.Named("registrar"), Metrics: m.metrics,
		FetchTimeout: cfg.RegistryFetchTimeout, StoreTimeout: cfg.RegistryStoreTimeout,
	})
	c, err := m.newCore()
	if err != nil {
		return nil, err
	}
	m.loop = newLoop(c, m.registrar, cfg.Log, m.metrics)
	m.metrics.AddSource(metrics.System)
	m.metrics.AddSource(metrics.Runtime)
	m.metrics.AddSource(m.measure)
	return m, nil
}

// newCore makes the core, and the allocator it decides with.
func (m *master) newCore() (*core.Master, error) {
	cfg := m.cfg
	rivals := 0
	if cfg.OptimisticOffers {
		rivals = allocator.DefaultRivals
	}
	seed := rand.NewPCG(rand.Uint64(), rand.Uint64())
	policy := cfg.Policies[cfg.Allocator](allocator.Config{
		Interval:  cfg.AllocationInterval,
		Minimum:   cfg.MinAllocatable,
		NotShared: cfg.NotShared,
		KeepGPUs:  cfg.FilterGPUs,
		Region:    region(cfg.Domain),
		Offering:  cfg.OfferPolicy,
		Rivals:    rivals,
		Rand:      rand.New(seed),
	})
	hosts, err := readWhitelist(cfg.Whitelist)
	if err != nil {
		return nil, err
	}
	optimist, ok := policy.(allocator.Optimist)
	switch {
	case !cfg.OptimisticOffers:
		optimist = nil
	case !ok:
		return nil, fmt.Errorf("flag --offers: the policy %q cannot make optimistic offers: use --offers=exclusive", cfg.Allocator)
	}
	return core.New(core.Config{
		MasterID:               m.id,
		Info:                   m.info,
		Allocator:              policy,
		Optimist:               optimist,
		Rand:                   rand.New(seed),
		OfferTimeout:           cfg.OfferTimeout,
		AgentPingTimeout:       cfg.AgentPingTimeout,
		MaxAgentPingTimeouts:   cfg.MaxAgentPingTimeouts,
		AgentReregisterTimeout: cfg.AgentReregisterTimeout,
		AgentRemovalInterval:   cfg.AgentRemovalInterval,
		RecoveryAgentMinimum:   cfg.RecoveryAgentMinimum,
		AllocationInterval:     cfg.AllocationInterval,
		RequireAgentDomain:     cfg.RequireAgentDomain,
		Whitelist:              hosts,
		Roles:                  cfg.Roles,
		RootSubmissions:        cfg.RootSubmissions,
		MaxCompletedFrameworks: cfg.MaxCompletedFrameworks,
		MaxCompletedTasks:      cfg.MaxCompletedTasks,
		MaxUnreachableTasks:    cfg.MaxUnreachableTasks,
		RegistryGCInterval:     cfg.RegistryGCInterval,
		RegistryMaxAgentAge:    cfg.RegistryMaxAgentAge,
		RegistryMaxAgentCount:  cfg.RegistryMaxAgentCount,
		PreemptFor:             cfg.PreemptFor,
		PreemptAfter:           cfg.PreemptAfter,
		PreemptGrace:           cfg.PreemptGrace,

		AllocatorRecoveryFactor:  cfg.AllocatorRecoveryFactor,
		AllocatorRecoveryTimeout: cfg.AllocatorRecoveryTimeout,
	}), nil
}

// run serves and leads until ctx ends or a part fails.
func (m *master) run(ctx context.Context, ln net.Listener) error {
	me, err := m.self()
	if err != nil {
		return err
	}
	contender, detector, closeDetector, err := m.election(ctx, me)
	if err != nil {
		return err
	}
	defer closeDetector()
	m.cfg.Log.Info("master started", zap.String("master_id", m.id), zap.String("address", me.Address), zap.String("version", m.cfg.Build.Version))
	for _, w := range m.cfg.Warnings {
		m.cfg.Log.Warn(w)
	}
	g := daemon.NewGroup(ctx)
	g.Go("serve", func(ctx context.Context) error {
		return daemon.Server{Handler: m.handler(), Log: m.cfg.Log}.Serve(ctx, ln)
	})
	g.Go("detect leader", func(ctx context.Context) error { return m.detect(ctx, detector) })
	if listsHosts(m.cfg.Whitelist) {
		g.Go("follow the whitelist", m.followWhitelist)
	}
	g.Go("lead", func(ctx context.Context) error { return m.lead(ctx, contender) })
	err = g.Wait()
	m.cfg.Log.Info("master stopped", zap.String("master_id", m.id), zap.Error(err))
	return err
}

func (m *master) handler() http.Handler {
	limits := api.DefaultLimits()
	limits.Operators = m.cfg.MaxOperatorSubscribers
	return api.New(api.Config{
		Master: m, Log: m.cfg.Log.Named("api"), Level: m.cfg.Level, Metrics: m.metrics,
		Info: m.info, Started: m.started, Cluster: m.cfg.Cluster, LogDir: m.cfg.Logging.Dir, Files: m.cfg.files(),
		Flags: m.cfg.Flags, Build: m.cfg.Build, Limits: limits,
		Gate: m.cfg.gate(), FrameworkMetrics: m.cfg.FrameworkMetrics,
	})
}

// detect follows who leads, for redirects.
func (m *master) detect(ctx context.Context, d leader.Detector) error {
	now := leader.Leader{}
	for {
		next, err := d.Detect(ctx, now)
		if err != nil {
			return err
		}
		now = next
		if err := m.compareRegion(next); err != nil {
			return err
		}
		m.leader.Store(&next)
		m.cfg.Log.Info("leader detected", zap.String("leader", now.Address), zap.String("master_id", now.ID))
	}
}

// lead waits for leadership, and leads until ctx ends or another one may.
func (m *master) lead(ctx context.Context, c leader.Contender) error {
	return leader.Hold(ctx, c, func(ctx context.Context) error {
		m.cfg.Log.Info("elected", zap.String("master_id", m.id))
		m.leading.Store(true)
		registry, err := m.registrar.Recover(ctx, m.info)
		if err != nil {
			return err
		}
		if len(registry.GetWeights()) == 0 { // the flag counts until the registry holds any
			registry.Weights = m.cfg.Weights
		}
		return m.rule(ctx, registry)
	})
}

// rule runs the loop while this master leads.
func (m *master) rule(ctx context.Context, registry *registrypb.Registry) error {
	g := daemon.NewGroup(ctx)
	g.Go("loop", func(ctx context.Context) error {
		m.loop.begin(core.Elected{Registry: registry})
		m.recovered.Store(true)
		return m.loop.run(ctx)
	})
	g.Go("registrar", m.registrar.Run)
	return g.Wait()
}

// Status implements api.Master. Who was elected at this address and does not
// lead was an earlier process here, or this one as it lost leadership: until its
// session has ended detectors name it, and nobody is to be sent to it.
func (m *master) Status() api.Status {
	s := api.Status{Leading: m.leading.Load(), Recovered: m.recovered.Load()}
	if l := m.leader.Load(); l != nil && (s.Leading || l.ID != m.id && l.Address != m.address()) {
		s.Leader = *l
	}
	return s
}

// measure is the source of what only the process knows.
func (m *master) measure(ctx context.Context, emit func(metrics.Value)) {
	gauge := func(name string, v float64) { emit(metrics.Value{Name: name, Kind: metrics.GaugeKind, Value: v}) }
	gauge("master/uptime_secs", time.Since(m.started).Seconds())
	elected := 0.0
	if m.leading.Load() {
		elected = 1
	}
	gauge("master/elected", elected)
	// Everything comes in one queue, and the allocator has none.
	for _, name := range []string{
		"master/event_queue_dispatches", "master/event_queue_http_requests", "allocator/event_queue_dispatches", "allocator/mesos/event_queue_dispatches",
	} {
		gauge(name, 0)
	}
	if !m.recovered.Load() {
		return
	}
	shares, err := ask(ctx, m.loop, m.loop.core.Shares)
	if err != nil {
		return // the master ends, or the asker's time is up
	}
	for name, share := range shares {
		gauge(name, share)
	}
}

// newID mints the id of a master process.
func newID() string { return uuid.NewString() }

// self is this master as others detect it.
func (m *master) self() (leader.Leader, error) {
	info, err := encodeInfo(m.info)
	if err != nil {
		return leader.Leader{}, fmt.Errorf("encode master info: %w", err)
	}
	return leader.Leader{ID: m.id, Address: m.address(), Info: info}, nil
}

// address is the host:port that others reach this master at.
func (m *master) address() string {
	a := m.info.GetAddress()
	return net.JoinHostPort(a.GetIp(), fmt.Sprint(a.GetPort()))
}
