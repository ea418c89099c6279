// Package static is leadership without an election: the configured leader leads.
// It owns no network connection; a cluster of one master and the agents that
// are told its address use it. Safe for concurrent use.
package static

import (
	"context"

	"github.com/soukproject/souk/internal/leader"
)

// Leadership is a Contender that always wins and a Detector that always finds
// the same leader.
type Leadership struct {
	leader leader.Leader
}

var (
	_ leader.Contender = (*Leadership)(nil)
	_ leader.Detector  = (*Leadership)(nil)
)

// New returns the leadership of l. Only one process may contend with it.
func New(l leader.Leader) *Leadership {
	return &Leadership{leader: l}
}

// Contend implements leader.Contender: it wins at once, and loses only when ctx ends.
func (s *Leadership) Contend(ctx context.Context) (<-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return ctx.Done(), nil
}

// Detect implements leader.Detector: it returns the configured leader once, and
// then blocks until ctx ends because nothing will ever change.
func (s *Leadership) Detect(ctx context.Context, previous leader.Leader) (leader.Leader, error) {
	if !previous.Equal(s.leader) && ctx.Err() == nil {
		return s.leader, nil
	}
	<-ctx.Done()
	return leader.Leader{}, ctx.Err()
}
