// Package marathon is the service scheduler's process: its configuration and
// flags, the loop that feeds events to the core and performs what the core
// wants done, the store, the subscription to the master and the API's server.
// It decides nothing.
//
// Run blocks until its context ends or the scheduler cannot go on; then it has
// stopped everything that it started. Several may run in one process, each
// with a store of its own.
package marathon

import (
	"context"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"

	"go.uber.org/zap"

	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/frameworks/marathon/api"
	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/boltstate"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Run is the scheduler: it loads what was stored, serves the API and stays
// subscribed to the master until ctx ends. The port is taken and the store
// opened before it returns an error of either.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.check(); err != nil {
		return err
	}
	ln := cfg.Listener
	if ln == nil {
		var err error
		if ln, err = daemon.Listen(ctx, cfg.Address, cfg.Port); err != nil {
			return err
		}
		defer ln.Close()
	}
	store, closeStore, err := cfg.openStore()
	if err != nil {
		return err
	}
	defer closeStore()
	return run(ctx, cfg, ln, store)
}

// openStore returns the store and what closes it.
func (c Config) openStore() (state.Store, func() error, error) {
	if c.Store != nil {
		return c.Store, func() error { return nil }, nil
	}
	s, err := boltstate.Open(filepath.Join(c.WorkDir, "marathon.db"))
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

func run(ctx context.Context, cfg Config, ln net.Listener, store state.Store) error {
	for _, w := range cfg.Warnings {
		cfg.Log.Warn(w)
	}
	cfg.Core.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	c := core.New(cfg.Core)
	w := newWriter(store)
	records, err := w.load(ctx)
	if err != nil {
		return err
	}
	if err := c.Load(records); err != nil {
		return err
	}
	id := c.FrameworkID()
	cfg.Log.Info("state loaded", zap.Int("records", len(records)), zap.String("framework_id", id))

	hub := api.NewHub(cfg.MaxEvents)
	probes := newProber(cfg.MaxProbes)
	l := newLoop(c, w, hub, probes, cfg.Log)
	calls := &calls{log: cfg.Log.Named("calls"), queue: make(chan call, callsQueued)}
	l.calls = calls

	g := daemon.NewGroup(ctx)
	g.Go("loop", l.run)
	g.Go("store", w.run)
	g.Go("health checks", func(ctx context.Context) error { return probes.run(ctx, l) })
	g.Go("calls", calls.run)
	g.Go("scheduler", func(ctx context.Context) error {
		follower := &subscriber{loop: l, calls: calls}
		return follower.mourn(ctx, scheduler.Run(ctx, cfg.scheduler(id, ln.Addr()), follower))
	})
	server := daemon.Server{Handler: cfg.handler(l, hub, ln.Addr()), Log: cfg.Log.Named("http")}
	g.Go("http", func(ctx context.Context) error { return server.Serve(ctx, ln) })
	return g.Wait()
}

// scheduler describes the framework to the master.
func (c Config) scheduler(id string, address net.Addr) scheduler.Config {
	info := &mesospb.FrameworkInfo{
		User:            new(c.User),
		Name:            new(c.FrameworkName),
		FailoverTimeout: new(c.FailoverTimeout.Seconds()),
		Checkpoint:      new(c.Checkpoint),
		Hostname:        new(c.Hostname),
		WebuiUrl:        new(c.webUI(address)),
		Roles:           []string{c.Core.Rules.Role},
	}
	if id != "" {
		info.Id = &mesospb.FrameworkID{Value: &id}
	}
	if c.Principal != "" {
		info.Principal = new(c.Principal)
	}
	for _, t := range c.capabilities() {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: t.Enum()})
	}
	return scheduler.Config{
		Master: c.Master, Detect: c.Detect, HTTP: c.HTTP, Framework: info,
		Principal: c.Principal, Secret: c.Secret, Log: c.Log,
	}
}

func (c Config) capabilities() []mesospb.FrameworkInfo_Capability_Type {
	out := []mesospb.FrameworkInfo_Capability_Type{
		mesospb.FrameworkInfo_Capability_PARTITION_AWARE,
		mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE,
		mesospb.FrameworkInfo_Capability_MULTI_ROLE,
		mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT,
		mesospb.FrameworkInfo_Capability_REGION_AWARE,
	}
	for _, f := range c.Core.Rules.Features {
		if f == "gpu_resources" {
			out = append(out, mesospb.FrameworkInfo_Capability_GPU_RESOURCES)
		}
	}
	return out
}

func (c Config) webUI(address net.Addr) string {
	if c.WebUIURL != "" {
		return c.WebUIURL
	}
	return "http://" + c.hostPort(address)
}

// hostPort is where others reach this process.
func (c Config) hostPort(address net.Addr) string {
	return net.JoinHostPort(c.Hostname, strconv.Itoa(port(address)))
}

func port(address net.Addr) int {
	if tcp, ok := address.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}
