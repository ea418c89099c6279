package link

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
)

// Bounds of what waits to be sent, and of one call.
const (
	maxPending   = 1 << 17 // messages; more break the session
	maxCallBytes = 2 << 20 // a call holds at least one message, of any size
)

// A call that did not get through is repeated: the numbers of its messages tell
// the master what it has seen.
const (
	attempts  = 3
	retryWait = 200 * time.Millisecond
)

var errFull = errors.New("too many messages wait for the master")

// A Session is one subscription. Its methods may be called from any goroutine
// and never block; after its end they do nothing.
type Session struct {
	master  string
	end     context.CancelCauseFunc
	wake    chan struct{} // holds one token when something is pending
	workers sync.WaitGroup

	mu      sync.Mutex
	pending []*linkpb.Message
}

func newSession(master string, end context.CancelCauseFunc) *Session {
	return &Session{master: master, end: end, wake: make(chan struct{}, 1)}
}

// Master is the host:port that the session was opened at; a master that does
// not lead may have passed it on.
func (s *Session) Master() string { return s.master }

// Send queues messages, which go out together with all others that wait. The
// caller has numbered them and must not change them any more.
func (s *Session) Send(messages ...*linkpb.Message) {
	s.mu.Lock()
	s.pending = append(s.pending, messages...)
	full := len(s.pending) > maxPending
	s.mu.Unlock()
	if full {
		s.end(errFull)
	}
	select {
	case s.wake <- struct{}{}:
	default: // a token is there already
	}
}

// Close ends the session; why is what the Peer hears.
func (s *Session) Close(why error) { s.end(why) }

// sendAll sends what is pending, one call at a time, until ctx ends or the
// master does not take it.
func (s *Session) sendAll(ctx context.Context, client *callevent.Client[*linkpb.Call, *linkpb.Event]) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		}
		for batch := s.take(); len(batch) > 0; batch = s.take() {
			call := &linkpb.Call{Type: linkpb.Call_MESSAGES.Enum(), Messages: batch}
			if err := persist(ctx, client, call); err != nil {
				return fmt.Errorf("send to master: %w", err)
			}
		}
	}
}

// take removes the oldest pending messages, as many as fit one call.
func (s *Session) take() []*linkpb.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, n := 0, 0
	for n < len(s.pending) {
		size += proto.Size(s.pending[n])
		if n > 0 && size > maxCallBytes {
			break
		}
		n++
	}
	batch := s.pending[:n:n]
	s.pending = s.pending[n:]
	if len(s.pending) == 0 {
		s.pending = nil // the batch owns the array
	}
	return batch
}

// persist makes a call, again if the connection failed. A refusal is final.
func persist(ctx context.Context, client *callevent.Client[*linkpb.Call, *linkpb.Event], call *linkpb.Call) error {
	var refused *callevent.Error
	for attempt := 1; ; attempt++ {
		err := client.Send(ctx, call)
		if err == nil || errors.As(err, &refused) || attempt == attempts {
			return err
		}
		if daemon.Sleep(ctx, retryWait) != nil {
			return err
		}
	}
}
