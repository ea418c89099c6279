// Package leader is the concept of leadership: one of several contenders leads,
// and anybody can find out who. It owns the two interfaces and what they
// promise; it does not own a way of electing (static, ZooKeeper) or what
// leaders store.
package leader

import (
	"bytes"
	"context"
)

// A Leader is one contender as others see it. The zero Leader stands for none.
type Leader struct {
	ID      string // unique per process, so that a restarted leader differs
	Address string // host:port that clients dial
	Info    []byte // what the service publishes beside it, such as MasterInfo as JSON; may be nil
}

// None reports whether l stands for "nobody leads".
func (l Leader) None() bool {
	return l.ID == "" && l.Address == ""
}

// Equal reports whether l and other describe the same leader in the same way.
func (l Leader) Equal(other Leader) bool {
	return l.ID == other.ID && l.Address == other.Address && bytes.Equal(l.Info, other.Info)
}

// A Contender competes for leadership on behalf of one process.
type Contender interface {
	// Contend blocks until this contender leads, then returns a channel that is
	// closed when it no longer does. When ctx ends before, it returns ctx's
	// error; when ctx ends after, leadership is given up and lost is closed.
	// A contender that lost may contend again, one Contend at a time.
	Contend(ctx context.Context) (lost <-chan struct{}, err error)
}

// A Detector finds out who leads.
type Detector interface {
	// Detect blocks until the leader differs from previous and returns it;
	// the zero Leader means that nobody leads. It returns ctx's error when ctx
	// ends. It may be called by several goroutines.
	Detect(ctx context.Context, previous Leader) (Leader, error)
}
