// Package statusupdate delivers the status updates of one task: in order, at
// least once, one at a time. A Stream is told what happens and answers what to
// send; it sends nothing, stores nothing and reads no clock. Updates are added
// once they are durable. Not for concurrent use.
package statusupdate

import (
	"bytes"
	"slices"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// An update not acknowledged is sent again after MinBackoff, and then after
// twice as long each time up to MaxBackoff (Mesos: 10 secs, 10 mins).
const (
	MinBackoff = 10 * time.Second
	MaxBackoff = 10 * time.Minute
)

// remembered is how many acknowledged updates a stream knows again.
const remembered = 16

// A Stream carries one task's updates to its scheduler. Only the oldest
// unacknowledged one is in flight. The zero Stream is empty and paused.
type Stream struct {
	pending      []*mesospb.TaskStatus
	acknowledged *mesospb.TaskStatus // the last one
	seen         [][]byte            // uuids of the last few acknowledged
	resumed      bool
	backoff      time.Duration
	due          time.Time // when the oldest is sent again, while resumed and pending
}

// Restore returns the paused stream that had these updates: acknowledged is the
// last acknowledged one or nil, pending are the others, oldest first.
func Restore(acknowledged *mesospb.TaskStatus, pending []*mesospb.TaskStatus) Stream {
	s := Stream{acknowledged: acknowledged, pending: slices.Clone(pending)}
	if acknowledged != nil {
		s.remember(acknowledged.GetUuid())
	}
	return s
}

// Add appends an update and returns what is to be sent, which is nil unless it
// is the oldest and the stream is not paused. added is false for an update that
// was added before: it changes nothing.
func (s *Stream) Add(now time.Time, u *mesospb.TaskStatus) (send *mesospb.TaskStatus, added bool) {
	if s.Knows(u.GetUuid()) {
		return nil, false
	}
	s.pending = append(s.pending, u)
	if len(s.pending) > 1 {
		return nil, true
	}
	return s.first(now), true
}

// Acknowledge removes the oldest update if uuid is its, and returns the next to
// be sent, if any. ok is false for any other uuid, which changes nothing: it is
// a repeat of an older acknowledgement.
func (s *Stream) Acknowledge(now time.Time, uuid []byte) (send *mesospb.TaskStatus, ok bool) {
	if len(s.pending) == 0 || !bytes.Equal(s.pending[0].GetUuid(), uuid) {
		return nil, false
	}
	s.acknowledged = s.pending[0]
	s.pending = slices.Delete(s.pending, 0, 1)
	s.remember(uuid)
	return s.first(now), true
}

// Resume starts sending, at once and from the shortest backoff: the agent has
// reregistered. A stream that is not paused begins anew.
func (s *Stream) Resume(now time.Time) (send *mesospb.TaskStatus) {
	s.resumed = true
	return s.first(now)
}

// Pause stops sending until Resume: the agent is disconnected.
func (s *Stream) Pause() { s.resumed = false }

// Tick returns the oldest update if it is time to send it again, else nil.
func (s *Stream) Tick(now time.Time) (send *mesospb.TaskStatus) {
	if due, ok := s.Deadline(); !ok || now.Before(due) {
		return nil
	}
	return s.send(now, min(2*s.backoff, MaxBackoff))
}

// Deadline is when Tick next has something to send, if nothing else happens.
func (s *Stream) Deadline() (at time.Time, ok bool) {
	return s.due, s.resumed && len(s.pending) > 0
}

// Pending are the updates not yet acknowledged, oldest first. The caller must
// not change them.
func (s *Stream) Pending() []*mesospb.TaskStatus { return s.pending }

// Acknowledged is the last update that was acknowledged, or nil.
func (s *Stream) Acknowledged() *mesospb.TaskStatus { return s.acknowledged }

// Latest is the newest update, acknowledged or not, or nil.
func (s *Stream) Latest() *mesospb.TaskStatus {
	if n := len(s.pending); n > 0 {
		return s.pending[n-1]
	}
	return s.acknowledged
}

// Done reports whether a terminal update has been acknowledged and none is
// pending: the stream has served its purpose.
func (s *Stream) Done() bool {
	return len(s.pending) == 0 && s.acknowledged != nil && mesos.Terminal(s.acknowledged.GetState())
}

// first sends the oldest update as if it had never been sent.
func (s *Stream) first(now time.Time) *mesospb.TaskStatus {
	if !s.resumed || len(s.pending) == 0 {
		return nil
	}
	return s.send(now, MinBackoff)
}

func (s *Stream) send(now time.Time, backoff time.Duration) *mesospb.TaskStatus {
	s.backoff, s.due = backoff, now.Add(backoff)
	return s.pending[0]
}

// Knows reports whether the update with this uuid is pending, or was acknowledged
// lately.
func (s *Stream) Knows(uuid []byte) bool {
	same := func(u *mesospb.TaskStatus) bool { return bytes.Equal(u.GetUuid(), uuid) }
	return slices.ContainsFunc(s.pending, same) ||
		slices.ContainsFunc(s.seen, func(old []byte) bool { return bytes.Equal(old, uuid) })
}

func (s *Stream) remember(uuid []byte) {
	if len(s.seen) == remembered {
		s.seen = slices.Delete(s.seen, 0, 1)
	}
	s.seen = append(s.seen, uuid)
}
