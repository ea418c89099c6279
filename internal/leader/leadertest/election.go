package leadertest

import (
	"context"
	"slices"
	"sync"

	"github.com/soukproject/souk/internal/leader"
)

// Election elects among contenders of one process: first come, first served.
// It is a Detector itself. Safe for concurrent use.
type Election struct {
	mu      sync.Mutex
	queue   []*candidate  // the first one leads
	changed chan struct{} // closed and replaced whenever the first one changes
}

var _ leader.Detector = (*Election)(nil)

type candidate struct {
	leader leader.Leader
	won    chan struct{}
	lost   chan struct{}
}

// NewElection returns an election without contenders.
func NewElection() *Election {
	return &Election{changed: make(chan struct{})}
}

// Contender returns a contender that others will see as l.
func (e *Election) Contender(l leader.Leader) leader.Contender {
	return &contender{election: e, leader: l}
}

type contender struct {
	election *Election
	leader   leader.Leader
}

// Contend implements leader.Contender.
func (c *contender) Contend(ctx context.Context) (<-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	me := &candidate{leader: c.leader, won: make(chan struct{}), lost: make(chan struct{})}
	c.election.join(me)
	context.AfterFunc(ctx, func() { c.election.leave(me) })
	select {
	case <-me.won:
		return me.lost, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Depose takes leadership from the leader, as an expired session would.
func (e *Election) Depose() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue) > 0 {
		e.remove(e.queue[0])
	}
}

// Detect implements leader.Detector.
func (e *Election) Detect(ctx context.Context, previous leader.Leader) (leader.Leader, error) {
	for {
		if err := ctx.Err(); err != nil {
			return leader.Leader{}, err
		}
		now, changed := e.current()
		if !now.Equal(previous) {
			return now, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (e *Election) current() (leader.Leader, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue) == 0 {
		return leader.Leader{}, e.changed
	}
	return e.queue[0].leader, e.changed
}

func (e *Election) join(c *candidate) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, c)
	if len(e.queue) == 1 {
		e.promote()
	}
}

func (e *Election) leave(c *candidate) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remove(c)
}

// remove takes c out of the queue, once. The caller holds mu.
func (e *Election) remove(c *candidate) {
	i := slices.Index(e.queue, c)
	if i < 0 {
		return
	}
	e.queue = slices.Delete(e.queue, i, i+1)
	close(c.lost)
	if i == 0 {
		e.promote()
	}
}

// promote tells the first of the queue, if any, and the detectors. The caller holds mu.
func (e *Election) promote() {
	if len(e.queue) > 0 {
		close(e.queue[0].won)
	}
	close(e.changed)
	e.changed = make(chan struct{})
}
