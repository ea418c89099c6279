package daemon

import (
	"container/list"
	"context"
	"errors"
	"fmt"
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
	// file descriptors the process may have. At the bound the connection that
	// has waited longest without a request makes room.
	MaxConnections int
}

// Serve answers on ln until ctx ends, then gives answers under way a moment and
// closes all connections. Streams should end with ctx by themselves; every
// request's context derives from it.
func (s Server) Serve(ctx context.Context, ln net.Listener) error {
	limit := s.MaxConnections
	if limit <= 0 {
		limit = descriptorLimit() * 3 / 4
	}
	base, cancel := context.WithCancel(ctx)
	defer cancel()
	crowd := &crowd{limit: limit, waiting: list.New(), places: make(map[net.Conn]*list.Element)}
	srv := &http.Server{
		Handler:           s.Handler,
		BaseContext:       func(net.Listener) context.Context { return base },
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
// handler that streams or waits and sets deadlines of its own.
func Unbounded(w http.ResponseWriter) error {
	control := http.NewResponseController(w)
	return errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}))
}

// descriptorLimit is how many files the process may have open.
func descriptorLimit() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<17))
}

// A crowd is the open connections of a server. Those that wait – for their
// first request or the next – stand in a line, the longest waiting first.
type crowd struct {
	limit int

	mu      sync.Mutex
	open    int
	waiting *list.List
	places  map[net.Conn]*list.Element // nil element: a request is under way
}

// changed implements http.Server.ConnState.
func (c *crowd) changed(conn net.Conn, to http.ConnState) {
	if evicted := c.move(conn, to); evicted != nil {
		evicted.Close() // its own change to StateClosed follows
	}
}

func (c *crowd) move(conn net.Conn, to http.ConnState) (evicted net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	place, known := c.places[conn]
	if place != nil {
		c.waiting.Remove(place)
	}
	switch to {
	case http.StateNew, http.StateIdle:
		c.places[conn] = c.waiting.PushBack(conn)
	case http.StateActive:
		c.places[conn] = nil
	default: // closed or hijacked
		delete(c.places, conn)
		if known {
			c.open--
		}
		return nil
	}
	if !known {
		c.open++
	}
	return c.evict(to)
}

// evict takes the longest waiting connection out of a crowd that is too large.
// If none waits but the new one, the new one goes. The caller holds mu.
func (c *crowd) evict(to http.ConnState) net.Conn {
	if to != http.StateNew || c.open <= c.limit {
		return nil
	}
	first := c.waiting.Front()
	conn := c.waiting.Remove(first).(net.Conn)
	delete(c.places, conn)
	c.open--
	return conn
}
