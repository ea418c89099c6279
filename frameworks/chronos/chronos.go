// Package chronos is the Chronos process: the loop that feeds frameworks/chronos/core
// and performs its effects, what it stores, its subscription to the master and
// its HTTP server. It decides nothing about jobs.
package chronos

import (
	"context"
	"fmt"
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
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/static"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/boltstate"
)

// Run is the scheduler until ctx ends (then it returns nil) or something it
// cannot do without fails. GET /ping answers once it is ready.
func Run(ctx context.Context, cfg Config) (err error) {
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
	store, closeStore, err := cfg.openStore()
	if err != nil {
		return err
	}
	defer func() {
		if closing := closeStore(); err == nil {
			err = closing
		}
	}()
	ln, err := cfg.listen(ctx)
	if err != nil {
		return err
	}
	defer ln.Close()
	return run(ctx, cfg, log, store, ln)
}

// run leads: it takes the state back and starts everything around it.
func run(ctx context.Context, cfg Config, log *zap.Logger, store state.Store, ln net.Listener) error {
	address := cfg.address(ln)
	election := static.New(leader.Leader{ID: address, Address: address})
	lost, err := election.Contend(ctx)
	if err != nil {
		return fmt.Errorf("contend for leadership: %w", err)
	}
	disk, records, err := openDisk(ctx, store)
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
	g.Go("http", func(ctx context.Context) error {
		return daemon.Server{Handler: handler(cfg, log, l, election), Log: log}.Serve(ctx, ln)
	})
	g.Go("leadership", func(ctx context.Context) error { return keep(ctx, lost) })
	return g.Wait()
}

// keep returns when leadership is lost.
func keep(ctx context.Context, lost <-chan struct{}) error {
	select {
	case <-ctx.Done():
		return nil
	case <-lost:
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("leadership lost")
	}
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

func (c *Config) openStore() (state.Store, func() error, error) {
	if c.Store != nil {
		return c.Store, func() error { return nil }, nil
	}
	store, err := boltstate.Open(filepath.Join(c.WorkDir, "chronos.db"))
	if err != nil {
		return nil, nil, err
	}
	return store, store.Close, nil
}

func (c *Config) listen(ctx context.Context) (net.Listener, error) {
	if c.Listener != nil {
		return c.Listener, nil
	}
	return daemon.Listen(ctx, c.HTTPAddress, c.HTTPPort)
}

// handler is the HTTP API of the loop.
func handler(cfg Config, log *zap.Logger, l *loop, election leader.Detector) http.Handler {
	registry := metrics.New()
	registry.AddSource(l.measure)
	registry.AddSource(metrics.Runtime)
	name, password, _ := strings.Cut(cfg.Credentials, ":")
	return api.New(api.Config{
		Scheduler: l,
		Defaults:  cfg.defaults(),
		Zones:     time.LoadLocation,
		Leader: func(ctx context.Context) (string, error) {
			leading, err := election.Detect(ctx, leader.Leader{})
			return leading.Address, err
		},
		Prometheus: registry.PrometheusHandler(),
		StatRuns:   cfg.StatRuns,
		Username:   name,
		Password:   password,
		Realm:      cfg.Realm,
		Log:        log.Named("api"),
	})
}
