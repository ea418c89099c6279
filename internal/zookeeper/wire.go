package zookeeper

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Pauses between two rounds of attempts to reach a server.
const (
	minPause = 50 * time.Millisecond
	maxPause = time.Second
)

var errClosed = errors.New("session is closed")

// A wire connects a session's library to one server after another. It resolves
// names at each attempt, paces attempts, and bounds how long the library may
// wait for a server that has gone silent.
type wire struct {
	timeout time.Duration // of a connection attempt
	silence func() time.Duration
	agreed  func(time.Duration) // told the session timeout that a server grants

	mu      sync.Mutex
	servers []string
	at      int // index of the next server
	failed  int // attempts since the last success
	why     error
	conn    net.Conn
	closed  bool
	done    chan struct{} // closed by close
}

// Init implements zk.HostProvider.
func (w *wire) Init(servers []string) error {
	w.servers = servers
	return nil
}

// Len implements zk.HostProvider.
func (w *wire) Len() int { return len(w.servers) }

// Next implements zk.HostProvider. The library gives up what waits to be sent,
// and looks whether it was closed, only when told that a round has ended; it is
// told so only once it was closed.
func (w *wire) Next() (server string, roundEnded bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	server = w.servers[w.at]
	w.at = (w.at + 1) % len(w.servers)
	return server, w.closed
}

// Connected implements zk.HostProvider.
func (w *wire) Connected() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = 0
}

// dial implements zk.Dialer.
func (w *wire) dial(network, address string, _ time.Duration) (net.Conn, error) {
	if !w.pause() {
		return nil, errClosed
	}
	conn, err := (&net.Dialer{Timeout: w.timeout}).DialContext(context.Background(), network, address)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.why = err
		return nil, err
	}
	if w.closed {
		_ = conn.Close() // nobody has used it
		return nil, errClosed
	}
	w.conn = &line{Conn: conn, wire: w}
	return w.conn, nil
}

// pause waits after each round of failures, longer from round to round; false
// when the session is closed.
func (w *wire) pause() bool {
	w.mu.Lock()
	rounds := w.failed / len(w.servers)
	fresh := w.failed%len(w.servers) != 0
	w.failed++
	w.mu.Unlock()
	var wait time.Duration
	if rounds > 0 && !fresh {
		wait = min(minPause<<min(rounds-1, 10), maxPause)
	}
	select {
	case <-w.done:
		return false
	case <-time.After(wait):
		return true
	}
}

// failure is why the last attempt failed.
func (w *wire) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.why
}

// close ends the connection and all attempts.
func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	close(w.done)
	if w.conn != nil {
		_ = w.conn.Close() // whatever it says, it is closed
	}
}

// patience is how long a server may take to begin a session: little at first,
// because another one may be quicker, more with each round of failures.
func (w *wire) patience() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	rounds := max(w.failed-1, 0) / len(w.servers)
	return min(w.silence(), w.silence()/3<<min(rounds, 10))
}

// A line is a connection to one server. Deadlines are never further away than
// the silence that the session can stand.
type line struct {
	net.Conn
	wire    *wire
	head    []byte      // of the first answer, until the granted timeout was read
	greeted atomic.Bool // it was
}

// headSize is up to where the first answer tells the session timeout: length,
// protocol version, timeout.
const headSize = 12

// Read implements net.Conn.
func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if !l.greeted.Load() {
		l.head = append(l.head, p[:min(n, headSize-len(l.head))]...)
		if len(l.head) == headSize {
			l.wire.agreed(time.Duration(binary.BigEndian.Uint32(l.head[8:])) * time.Millisecond)
			l.greeted.Store(true)
		}
	}
	return n, err
}

// SetReadDeadline implements net.Conn.
func (l *line) SetReadDeadline(t time.Time) error { return l.Conn.SetReadDeadline(l.bounded(t)) }

// SetWriteDeadline implements net.Conn.
func (l *line) SetWriteDeadline(t time.Time) error { return l.Conn.SetWriteDeadline(l.bounded(t)) }

func (l *line) bounded(t time.Time) time.Time {
	most := l.wire.silence()
	if !l.greeted.Load() {
		most = l.wire.patience()
	}
	last := time.Now().Add(most)
	if t.IsZero() || t.After(last) {
		return last
	}
	return t
}
