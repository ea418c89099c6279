package callevent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/recordio"
)

// ErrSlowReader ends a stream whose subscriber does not keep up.
var ErrSlowReader = errors.New("subscriber reads too slowly")

// DefaultWriteTimeout is how long a subscriber may take to accept one write.
const DefaultWriteTimeout = 30 * time.Second

// writeSize is how many bytes of records are gathered into one write.
const writeSize = 64 << 10

// An Outbox is the bounded queue of one subscriber. Send and Close may be
// called from any goroutine and never block; Serve runs in the request's.
type Outbox struct {
	limit int
	wake  chan struct{} // holds one token while there is news for Serve
	slow  chan struct{} // closed when the queue has overflowed

	mu     sync.Mutex
	queue  []proto.Message
	closed bool
}

// NewOutbox makes an outbox that holds at most limit messages.
func NewOutbox(limit int) *Outbox {
	return &Outbox{limit: limit, wake: make(chan struct{}, 1), slow: make(chan struct{})}
}

// Send queues m, which must not change afterwards. It reports false when the
// outbox is closed, or full: a full one is of a reader too slow to keep, and
// ends with ErrSlowReader.
func (o *Outbox) Send(m proto.Message) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	if len(o.queue) >= o.limit {
		o.closed, o.queue = true, nil
		close(o.slow)
		return false
	}
	o.queue = append(o.queue, m)
	o.notify()
	return true
}

// Close lets Serve write what is queued, then last, and end the stream.
// Closing again does nothing.
func (o *Outbox) Close(last ...proto.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.closed = true
	o.queue = append(o.queue, last...)
	o.notify()
}

func (o *Outbox) notify() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take empties the queue into the caller's hands and gets spare as the next one.
func (o *Outbox) take(spare []proto.Message) (batch []proto.Message, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	batch, o.queue = o.queue, spare[:0]
	return batch, o.closed
}

// StreamOptions says how a stream looks.
type StreamOptions struct {
	StreamID  string        // Mesos-Stream-Id of the answer; empty: none
	Heartbeat proto.Message // sent every Interval; nil: never
	Interval  time.Duration
	// WriteTimeout is how long one write may take; 0: DefaultWriteTimeout.
	WriteTimeout time.Duration
	// RecordIO answers with Content-Type application/recordio and puts the
	// codec into Message-Content-Type, as the agent's streams may.
	RecordIO bool
}

// Serve answers with a stream of what is sent to o, each message one record,
// and a heartbeat every interval. It returns nil once a closed outbox is
// written out, ErrSlowReader when the queue overflowed or a write took too
// long, and otherwise why the connection or ctx ended. Call it once.
func (o *Outbox) Serve(ctx context.Context, w http.ResponseWriter, c Codec, opts StreamOptions) error {
	s := &sender{w: w, control: http.NewResponseController(w), codec: c, timeout: opts.WriteTimeout}
	if s.timeout == 0 {
		s.timeout = DefaultWriteTimeout
	}
	opts.header(w.Header(), c)
	w.WriteHeader(http.StatusOK)
	if err := s.flush(); err != nil {
		return o.ended(ctx, err)
	}
	stop := s.interruptOn(ctx.Done(), o.slow)
	err := o.pump(ctx, s, opts)
	stop()
	if err != nil {
		s.interrupt() // or the server would wait for the reader to take the end of the body
	}
	return o.ended(ctx, err)
}

func (opts StreamOptions) header(h http.Header, c Codec) {
	h.Set("Content-Type", c.MediaType())
	if opts.RecordIO {
		h.Set("Content-Type", mediaRecordIO)
		h.Set(headerMessageType, c.MediaType())
	}
	if opts.StreamID != "" {
		h.Set(StreamIDHeader, opts.StreamID)
	}
}

// pump moves messages from the queue to the connection until either ends.
func (o *Outbox) pump(ctx context.Context, s *sender, opts StreamOptions) error {
	var beat <-chan time.Time
	if opts.Heartbeat != nil && opts.Interval > 0 {
		ticker := time.NewTicker(opts.Interval)
		defer ticker.Stop()
		beat = ticker.C
	}
	var batch []proto.Message
	for {
		var closed bool
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-o.slow:
			return ErrSlowReader
		case <-beat:
			if err := s.add(opts.Heartbeat); err != nil {
				return err
			}
		case <-o.wake:
			if batch, closed = o.take(batch); !closed || len(batch) > 0 {
				if err := s.addAll(batch); err != nil {
					return err
				}
			}
			clear(batch)
		}
		if err := s.flush(); err != nil {
			return err
		}
		if closed {
			return s.release()
		}
	}
}

// ended chooses the reason that explains an error best: whatever interrupts a
// write, what it reports is a timeout.
func (o *Outbox) ended(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, ErrSlowReader) {
		return err
	}
	select {
	case <-o.slow:
		return ErrSlowReader
	default:
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// A sender writes records to one connection.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	codec   Codec
	timeout time.Duration
	buf     []byte // records not yet written
	body    []byte // scratch for one record's body

	deadline time.Time // of the write under way

	mu   sync.Mutex
	over bool // interrupted: deadlines stay in the past
}

// interruptOn makes a blocked write fail as soon as one of the channels is
// closed. The returned function stops watching and waits until it has.
func (s *sender) interruptOn(ended, slow <-chan struct{}) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ended:
		case <-slow:
		case <-quit:
			return
		}
		s.interrupt()
	}()
	return func() {
		close(quit)
		<-done
	}
}

// interrupt makes this and every later write fail at once.
func (s *sender) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	_ = s.control.SetWriteDeadline(time.Unix(1, 0))
}

func (s *sender) addAll(batch []proto.Message) error {
	for _, m := range batch {
		if err := s.add(m); err != nil {
			return err
		}
	}
	return nil
}

// add appends m as a record, and writes when enough has come together. In JSON
// each record is a chunk of its own, as from Mesos: some clients take a chunk for
// a record.
func (s *sender) add(m proto.Message) (err error) {
	if s.codec == Protobuf {
		s.body, err = proto.MarshalOptions{}.MarshalAppend(s.body[:0], m)
	} else {
		s.body, err = AppendJSON(s.body[:0], m)
	}
	if err != nil {
		return fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	s.buf = recordio.Append(s.buf, s.body)
	switch {
	case s.codec == JSON:
		return s.flush()
	case len(s.buf) >= writeSize:
		return s.write()
	}
	return nil
}

func (s *sender) write() error {
	s.extend()
	_, err := s.w.Write(s.buf)
	s.buf = s.buf[:0]
	if cap(s.buf) > 4*writeSize {
		s.buf, s.body = nil, nil // one large record is no reason to hold on to its size
	}
	return s.explain(err)
}

// explain tells a reader that let a write's time pass from other failures.
func (s *sender) explain(err error) error {
	var late interface{ Timeout() bool }
	if errors.As(err, &late) && late.Timeout() && !time.Now().Before(s.deadline) {
		return fmt.Errorf("%w: %w", ErrSlowReader, err)
	}
	return err
}

// flush brings everything added onto the wire.
func (s *sender) flush() error {
	if len(s.buf) > 0 {
		if err := s.write(); err != nil {
			return err
		}
	}
	s.extend()
	return s.explain(s.control.Flush())
}

// extend gives the next write its time. A writer without deadlines has its own ways to end.
func (s *sender) extend() {
	s.deadline = time.Now().Add(s.timeout)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		_ = s.control.SetWriteDeadline(s.deadline)
	}
}

// release takes the deadline off, so that the connection can serve another request.
func (s *sender) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		_ = s.control.SetWriteDeadline(time.Time{})
	}
	return nil
}
