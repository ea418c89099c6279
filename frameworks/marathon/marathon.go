// Package marathon is the service scheduler's process: its configuration and
// flags, the loop that feeds events to the core and performs what the core
// wants done, the store, the subscription to the master and the API's server,
// and the standing by while another process leads. It decides nothing.
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
	"github.com/soukproject/souk/internal/leader/standby"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/boltstate"
	"github.com/soukproject/souk/internal/zookeeper"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Run is the scheduler until ctx ends: it serves the API and, while it leads,
// works on what was stored and stays subscribed to the master. An error that is
// leader.ErrLost says that another process leads now, or may; Run may be called
// again then.
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
	for _, w := range cfg.Warnings {
		cfg.Log.Warn(w)
	}
	process := standby.Config{
		Self: cfg.hostPort(ln.Addr()), Contender: cfg.Contender, Detector: cfg.Detector, Open: cfg.openStore,
		Style: api.Standby(), Limit: cfg.Proxy, Log: cfg.Log,
		Reign: func(ctx context.Context, t standby.Term) error { return reign(ctx, cfg, ln.Addr(), t) },
	}
	if cfg.ZK != nil && cfg.HA {
		var leave func()
		var err error
		if process.Contender, process.Detector, leave, err = cfg.place().Join(ctx, process.Self, cfg.Log); err != nil {
			return err
		}
		defer leave()
	}
	return standby.Run(ctx, process, ln)
}

// StateFile is the name of the state's file in the work directory.
const StateFile = "marathon.db"

// ElectionURL is where below --zk schedulers elect their leader: Marathon's own.
func ElectionURL(zk zookeeper.URL) zookeeper.URL { return zk.Below("leader-curator") }

// StateURL is where below --zk the leader keeps its state. What Marathon keeps
// beside it is not touched.
func StateURL(zk zookeeper.URL) zookeeper.URL { return zk.Below("souk", "state") }

func (c Config) place() standby.Place {
	return standby.Place{
		Election: ElectionURL(*c.ZK), State: StateURL(*c.ZK), Timeout: c.ZKTimeout,
		Owner: c.FrameworkName, OwnerFlag: "--framework_name",
	}
}

// openStore opens the state, for one time of leading.
func (c Config) openStore(ctx context.Context) (state.Store, error) {
	switch {
	case c.Store != nil:
		return standby.Lent(c.Store), nil
	case c.ZK != nil:
		return c.place().Open(ctx, c.Log)
	}
	return boltstate.Open(filepath.Join(c.WorkDir, StateFile))
}

// reign is the scheduler while it leads.
func reign(ctx context.Context, cfg Config, address net.Addr, t standby.Term) error {
	cfg.Core.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	c := core.New(cfg.Core)
	w := newWriter(t.Store)
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
		return follower.mourn(ctx, scheduler.Run(ctx, cfg.scheduler(id, address), follower))
	})
	t.Serve(cfg.handler(l, hub, address, t.Abdicate))
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
