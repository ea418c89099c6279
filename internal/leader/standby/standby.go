// Package standby is a service of which one process works and others stand by
// to take over, as Marathon and Chronos are. It owns how a process contends,
// opens the state while it leads and lets go of it before the next one begins,
// and what a process answers that does not lead: the leader's answers. It does
// not own what the service does (Reign), how leaders are elected, or stores.
package standby

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/static"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/zkstate"
)

// abdicationDelay lets the answer to a request to abdicate out.
const abdicationDelay = 500 * time.Millisecond

// errAbdicated ends a reign that was asked to end.
var errAbdicated = errors.New("the leader was asked to abdicate")

// Config is one process of a service.
type Config struct {
	Self string // host:port that others reach this process at, and its name in the election

	// Contender and Detector are the election; nil: this process is alone.
	Contender leader.Contender
	Detector  leader.Detector

	// Open opens the state; it is called anew for each reign.
	Open  func(context.Context) (state.Store, error)
	Reign Reign

	Style Style
	Limit Limits
	Log   *zap.Logger
}

// A Reign does the work of the leader until ctx ends.
type Reign func(ctx context.Context, t Term) error

// Run serves on ln, contends, and reigns while this process leads, until ctx
// ends or something fails. Lost leadership is leader.ErrLost: whatever the
// process was has ended then, and it may begin anew.
func Run(ctx context.Context, cfg Config, ln net.Listener) error {
	alone := cfg.Contender == nil
	if alone {
		only := static.New(leader.Leader{ID: cfg.Self, Address: cfg.Self})
		cfg.Contender, cfg.Detector = only, only
	}
	front := newFront(cfg)
	g := daemon.NewGroup(ctx)
	g.Go("http", func(ctx context.Context) error {
		return daemon.Server{Handler: front, Log: cfg.Log.Named("http")}.Serve(ctx, ln)
	})
	g.Go("detect leader", func(ctx context.Context) error { return front.follow(ctx, cfg.Detector) })
	g.Go("lead", func(ctx context.Context) error {
		return leader.Hold(ctx, cfg.Contender, func(ctx context.Context) error { return reign(ctx, cfg, front, alone) })
	})
	return g.Wait()
}

// reign opens the state, works, and closes the state again.
func reign(ctx context.Context, cfg Config, front *front, alone bool) (err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	cfg.Log.Info("elected", zap.String("address", cfg.Self))
	store, err := cfg.Open(ctx)
	if err != nil {
		return superseded(err)
	}
	defer func() {
		if closing := store.Close(); err == nil {
			err = closing
		}
	}()
	t := Term{Store: store, ctx: ctx, front: front}
	if !alone {
		t.Abdicate = func() { time.AfterFunc(abdicationDelay, func() { end(errAbdicated) }) }
	}
	defer front.stand()
	err = cfg.Reign(ctx, t)
	if errors.Is(context.Cause(ctx), errAbdicated) {
		return fmt.Errorf("%w: %w", leader.ErrLost, errAbdicated)
	}
	return superseded(err)
}

// superseded: who finds that another process has taken the state over has lost
// leadership, whatever the election has told it so far.
func superseded(err error) error {
	if errors.Is(err, zkstate.ErrSuperseded) {
		return fmt.Errorf("%w: %w", leader.ErrLost, err)
	}
	return err
}
