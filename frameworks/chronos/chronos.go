// Package chronos is the Chronos process: the loop that feeds frameworks/chronos/core
// and performs its effects, what it stores, its subscription to the master, its
// HTTP server, and its standing by while another process leads. It decides
// nothing about jobs.
package chronos

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"
	_ "time/tzdata" // zones of schedules, on machines that have none

	"go.uber.org/zap"

	"github.com/soukproject/souk/frameworks/chronos/api"
	"github.com/soukproject/souk/frameworks/chronos/core"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader/standby"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/boltstate"
	"github.com/soukproject/souk/internal/zookeeper"
)

// Run is the scheduler until ctx ends (then it returns nil) or something it
// cannot do without fails: it works while it leads, and passes requests on to
// the leader while another one does. GET /ping answers once one is ready. An
// error that is leader.ErrLost says that another process leads now, or may; Run
// may be called again then.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.complete(); err != nil {
		return err
	}
	log, flush, err := cfg.logger()
	if err != nil {
		return err
	}
	defer flush()
	for _, warning := range cfg.Warnings {
		log.Warn(warning)
	}
	ln, err := cfg.listen(ctx)
	if err != nil {
		return err
	}
	defer ln.Close()
	process := standby.Config{
		Self: cfg.address(ln), Contender: cfg.Contender, Detector: cfg.Detector,
		Open:  func(ctx context.Context) (state.Store, error) { return cfg.openStore(ctx, log) },
		Style: api.Standby(), Limit: standby.DefaultLimits(), Log: log,
	}
	process.Reign = func(ctx context.Context, t standby.Term) error { return reign(ctx, cfg, log, process.Self, t) }
	if cfg.ZK != nil {
		var leave func()
		if process.Contender, process.Detector, leave, err = cfg.place().Join(ctx, process.Self, log); err != nil {
			return err
		}
		defer leave()
	}
	return standby.Run(ctx, process, ln)
}

// StateFile is the name of the state's file in the work directory.
const StateFile = "chronos.db"

// ElectionURL is where below --zk schedulers elect their leader: Chronos' own.
func ElectionURL(zk zookeeper.URL) zookeeper.URL { return zk.Below("candidate") }

// StateURL is where below --zk the leader keeps its state. What Chronos keeps
// beside it is not touched.
func StateURL(zk zookeeper.URL) zookeeper.URL { return zk.Below("souk", "state") }

func (c *Config) place() standby.Place {
	return standby.Place{
		Election: ElectionURL(*c.ZK), State: StateURL(*c.ZK), Timeout: c.ZKTimeout,
		Owner: c.FrameworkName, OwnerFlag: "--mesos_framework_name",
	}
}

// openStore opens the state, for one time of leading.
func (c *Config) openStore(ctx context.Context, log *zap.Logger) (state.Store, error) {
	switch {
	case c.Store != nil:
		return standby.Lent(c.Store), nil
	case c.ZK != nil:
		return c.place().Open(ctx, log)
	}
	return boltstate.Open(filepath.Join(c.WorkDir, StateFile))
}

// reign is the scheduler while it leads: it takes the state back and starts
// everything around it.
func reign(ctx context.Context, cfg Config, log *zap.Logger, address string, t standby.Term) error {
	disk, records, err := openDisk(ctx, t.Store)
	if err != nil {
		return err
	}
	machine, err := core.New(cfg.core(), records)
	if err != nil {
		return err
	}
	l := newLoop(machine, cfg.ClusterName, log)
	f := &framework{cfg: cfg, loop: l, address: address, log: log, id: string(machine.Framework())}
	log.Info("chronos started", zap.String("address", address), zap.Int("jobs", len(machine.Jobs())), zap.String("framework_id", f.id))

	g := daemon.NewGroup(ctx)
	g.Go("loop", l.run)
	g.Go("store", func(ctx context.Context) error { return disk.serve(ctx, l.unsaved, l.saved) })
	g.Go("master calls", func(ctx context.Context) error { return f.speak(ctx, l.unsaid) })
	g.Go("framework", f.follow)
	t.Serve(handler(cfg, log, l, address))
	return g.Wait()
}

func (c *Config) logger() (*zap.Logger, func(), error) {
	if c.Log != nil {
		return c.Log, func() {}, nil
	}
	log, _, closeLog, err := daemon.NewLogger("chronos", c.Logging)
	if err != nil {
		return nil, nil, err
	}
	return log, func() { _ = closeLog() }, nil // nobody is left to tell
}

func (c *Config) listen(ctx context.Context) (net.Listener, error) {
	if c.Listener != nil {
		return c.Listener, nil
	}
	return daemon.Listen(ctx, c.HTTPAddress, c.HTTPPort)
}

// handler is the HTTP API of the loop.
func handler(cfg Config, log *zap.Logger, l *loop, address string) http.Handler {
	registry := metrics.New()
	registry.AddSource(l.measure)
	registry.AddSource(metrics.Runtime)
	name, password, _ := strings.Cut(cfg.Credentials, ":")
	return api.New(api.Config{
		Scheduler:  l,
		Defaults:   cfg.defaults(),
		Zones:      time.LoadLocation,
		Leader:     address,
		Prometheus: registry.PrometheusHandler(),
		StatRuns:   cfg.StatRuns,
		Username:   name,
		Password:   password,
		Realm:      cfg.Realm,
		Log:        log.Named("api"),
	})
}
