package standby

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/zkleader"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/zkstate"
	"github.com/soukproject/souk/internal/zookeeper"
)

// A Place is where in ZooKeeper a service elects its leader, as Curator's leader
// latch does, and where the leader keeps the state.
type Place struct {
	Election, State zookeeper.URL
	Timeout         time.Duration // of sessions; 0: zookeeper.DefaultTimeout
	Owner           string        // of the state; that of another one is refused
	OwnerFlag       string        // what Owner is set with, for messages
}

// Join returns the election for the process that others reach at self, and what
// closes it. State that this process could not lead with is told now, before
// others rely on it.
func (p Place) Join(ctx context.Context, self string, log *zap.Logger) (leader.Contender, leader.Detector, func(), error) {
	if err := zkstate.Check(ctx, p.stateConfig(log)); err != nil {
		return nil, nil, nil, err
	}
	cfg := zkleader.Config{URL: p.Election, Timeout: p.Timeout, Format: zkleader.Latches(), Log: log.Named("election")}
	d := zkleader.NewDetector(cfg)
	return zkleader.NewContender(cfg, leader.Leader{ID: self, Address: self}), d, d.Close, nil
}

// Open takes the state over from the former leader.
func (p Place) Open(ctx context.Context, log *zap.Logger) (state.Store, error) {
	return zkstate.Open(ctx, p.stateConfig(log))
}

func (p Place) stateConfig(log *zap.Logger) zkstate.Config {
	return zkstate.Config{URL: p.State, Timeout: p.Timeout, Owner: p.Owner, OwnerFlag: p.OwnerFlag, Log: log.Named("state")}
}

// Lent is a store that stays open when a reign ends.
func Lent(s state.Store) state.Store { return lent{s} }

type lent struct{ state.Store }

// Close implements state.Store.
func (lent) Close() error { return nil }
