package daemon

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// Limits of an HTTP server that strangers reach. A handler that streams or
// waits calls Unbounded to lift the two whole-exchange limits for its request.
const (
	headerTimeout   = 10 * time.Second // to receive a request's header
	exchangeTimeout = 60 * time.Second // to receive a body, and to take an answer
	idleTimeout     = 2 * time.Minute  // between two requests on a connection
	maxHeaderBytes  = 64 << 10
	shutdownTimeout = 2 * time.Second // for answers under way when the server ends
)

// Server is the HTTP side of a daemon.
type Server struct {
	Handler http.Handler
	Log     *zap.Logger
	// MaxConnections bounds open connections; 0 takes three quarters of the
	// file descriptors the process may have, at most 50000. At the bound the
	// connection that has waited longest without a request makes room.
	MaxConnections int
}

// Serve answers on ln until ctx ends, then gives answers under way a moment and
// closes all connections. Streams should end with ctx by themselves; every
// request's context derives from it.
func (s Server) Serve(ctx context.Context, ln net.Listener) error {
	limit := s.MaxConnections
	if limit <= 0 {
		limit = min(descriptorLimit()*3/4, 50_000)
	}
	base, cancel := context.WithCancel(ctx)
	defer cancel()
	crowd := newCrowd(limit)
	srv := &http.Server{
		Handler:     crowd.wrap(s.Handler),
		BaseContext: func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       exchangeTimeout,
		WriteTimeout:      exchangeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         crowd.changed,
		// OPTIONS * is for the handler to answer.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     zap.NewStdLog(s.Log.WithOptions(zap.IncreaseLevel(zap.ErrorLevel))),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve http on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer stop()
	err := srv.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-ended
	return err
}

// Unbounded lifts the time limits of the exchange that w belongs to, for a
// handler that streams or waits and sets deadlines of its own. Its connection
// is not one that makes room for others.
func Unbounded(w http.ResponseWriter) error {
	for u := w; u != nil; u = unwrap(u) {
		if e, ok := u.(*exchange); ok {
			e.crowd.keep(e.conn)
		}
	}
	control := http.NewResponseController(w)
	return errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}))
}

// unwrap is the writer that w is built around, nil if there is none.
func unwrap(w http.ResponseWriter) http.ResponseWriter {
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return nil
}

// An exchange is one request's ResponseWriter, which knows its connection.
type exchange struct {
	http.ResponseWriter
	crowd *crowd
	conn  net.Conn
}

// Unwrap lets http.ResponseController reach the connection's own writer.
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// Flush implements http.Flusher. A writer that cannot flush has nothing to.
func (e *exchange) Flush() { _ = http.NewResponseController(e.ResponseWriter).Flush() }

// ReadFrom keeps the fast path of copying a file to the connection.
func (e *exchange) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(e.ResponseWriter, r)
}

type connKey struct{}

// wrap makes the writers of a handler's exchanges know their connections.
func (c *crowd) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connKey{}).(net.Conn)
		next.ServeHTTP(&exchange{ResponseWriter: w, crowd: c, conn: conn}, r)
	})
}

// descriptorLimit is how many files the process may have open.
func descriptorLimit() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<20))
}

// A crowd is the open connections of a server. Those that wait – for their
// first request or the next – and those that are busy with one stand in two
// lines, each with the longest standing first; streams stand in none.
type crowd struct {
	limit int

	mu            sync.Mutex
	waiting, busy *list.List // of *place
	places        map[net.Conn]*place
}

type place struct {
	conn  net.Conn
	since time.Time
	line  *list.List // nil for a stream
	at    *list.Element
}

func newCrowd(limit int) *crowd {
	return &crowd{limit: limit, waiting: list.New(), busy: list.New(), places: make(map[net.Conn]*place)}
}

// changed implements http.Server.ConnState.
func (c *crowd) changed(conn net.Conn, to http.ConnState) {
	if evicted := c.move(conn, to); evicted != nil {
		evicted.Close()
	}
}

func (c *crowd) move(conn net.Conn, to http.ConnState) (evicted net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.places[conn]
	switch {
	case p != nil:
		p.leave()
	case to == http.StateNew:
		p = &place{conn: conn}
		c.places[conn] = p
	default:
		return nil // evicted before
	}
	switch to {
	case http.StateNew, http.StateIdle:
		p.stand(c.waiting)
	case http.StateActive:
		p.stand(c.busy)
	default: // closed or hijacked
		delete(c.places, conn)
	}
	if len(c.places) <= c.limit {
		return nil
	}
	return c.evict(p)
}

// keep takes a connection out of the lines: it is a stream.
func (c *crowd) keep(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.places[conn]; p != nil {
		p.leave()
	}
}

// evict takes a connection out of a crowd that is too large: the one that waits
// longest, or, if only the newcomer waits, the one whose request takes longest
// and too long, or the newcomer. The caller holds mu.
func (c *crowd) evict(newcomer *place) net.Conn {
	gone := newcomer
	if first := c.waiting.Front(); first != nil && first.Value != newcomer {
		gone = first.Value.(*place)
	} else if first := c.busy.Front(); first != nil && time.Since(first.Value.(*place).since) > busyPatience {
		gone = first.Value.(*place)
	}
	gone.leave()
	delete(c.places, gone.conn)
	return gone.conn
}

// busyPatience is how long a request may take when others wait for its place.
const busyPatience = 3 * time.Second

func (p *place) stand(line *list.List) {
	p.line, p.since = line, time.Now()
	p.at = line.PushBack(p)
}

func (p *place) leave() {
	if p.line != nil {
		p.line.Remove(p.at)
		p.line, p.at = nil, nil
	}
}
