package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"go.uber.org/zap"
)

// DefaultTimeout is how long a session outlives its connection (Mesos: --zk_session_timeout).
const DefaultTimeout = 10 * time.Second

// Bounds of a session's timeout; servers have narrower ones, in their ticks.
const (
	MinTimeout = 100 * time.Millisecond
	MaxTimeout = 10 * time.Minute
)

const (
	dialTimeout = time.Second
	remindEvery = 10 * time.Second // while no server is reached
)

// Config says where and how to open sessions.
type Config struct {
	URL     URL
	Timeout time.Duration // of a session; 0: DefaultTimeout
	// Lease makes a session confirm all the time that it exists, and end when
	// that could not be for two thirds of its timeout: before any server can
	// have ended it. Leaders need that.
	Lease bool
	Log   *zap.Logger // nil: silent
}

// A Session is one ZooKeeper session from its beginning to its end.
type Session struct {
	cfg     Config
	conn    *zk.Conn
	ready   chan struct{} // closed when conn is set
	wire    *wire
	log     *zap.Logger
	timeout atomic.Int64 // granted, in nanoseconds

	begun  chan struct{} // closed when it exists
	begin  sync.Once
	id     atomic.Int64
	lost   chan struct{} // closed when it has ended, or may have
	lose   sync.Once
	why    error // set before lost is closed
	ending sync.WaitGroup
}

// beginAgain is the time between two attempts to begin a session.
const beginAgain = 100 * time.Millisecond

// Open begins a session. While no server can be reached, or the ensemble does
// not confirm what a server has begun, it tries on, until ctx ends.
func Open(ctx context.Context, cfg Config) (*Session, error) {
	for {
		s, err := attempt(ctx, cfg)
		if err == nil || ctx.Err() != nil || !passes(err) {
			return s, err
		}
		if cfg.Log != nil {
			cfg.Log.Warn("session did not begin, trying again", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), err)
		case <-time.After(beginAgain):
		}
	}
}

// passes reports whether another attempt may succeed where err was the end of one.
func passes(err error) bool {
	return !errors.Is(err, ErrDenied) && (errors.Is(err, ErrInterrupted) || errors.Is(err, ErrSessionLost))
}

// attempt begins one session.
func attempt(ctx context.Context, cfg Config) (*Session, error) {
	s := newSession(cfg)
	conn, _, err := zk.Connect(cfg.URL.Servers, s.cfg.Timeout,
		zk.WithHostProvider(s.wire), zk.WithDialer(s.wire.dial), zk.WithEventCallback(s.heard),
		zk.WithLogger(quiet{s.log}), zk.WithLogInfo(false))
	if err != nil {
		return nil, fmt.Errorf("open session at %s: %w", cfg.URL, err)
	}
	s.conn = conn
	close(s.ready)
	if err := s.prepare(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("open session at %s: %w", cfg.URL, err)
	}
	s.log.Debug("session opened", zap.Stringer("zookeeper", cfg.URL), zap.Int64("session", s.id.Load()), zap.Duration("timeout", s.Timeout()))
	return s, nil
}

func newSession(cfg Config) *Session {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	s := &Session{cfg: cfg, log: cfg.Log, ready: make(chan struct{}), begun: make(chan struct{}), lost: make(chan struct{})}
	s.timeout.Store(int64(cfg.Timeout))
	s.wire = &wire{
		timeout: min(dialTimeout, cfg.Timeout/4), silence: s.silence, done: make(chan struct{}),
		agreed: s.agreed,
	}
	return s
}

// agreed takes over the timeout that a server granted, as far as it makes sense.
func (s *Session) agreed(d time.Duration) {
	if d >= MinTimeout {
		s.timeout.Store(int64(d))
	}
}

// Timeout is how long servers keep this session without hearing of it.
func (s *Session) Timeout() time.Duration { return time.Duration(s.timeout.Load()) }

// lease is how long after its last confirmation this session surely lives. The
// last third is for a server that took our word but could not pass it on to
// the ensemble's leader any more, and for clocks that run apart.
func (s *Session) lease() time.Duration { return s.Timeout() * 2 / 3 }

// silence is how long a server may say nothing before another one is tried. The
// library alone pings every third of the timeout.
func (s *Session) silence() time.Duration {
	if s.cfg.Lease {
		return s.Timeout() / 3
	}
	return s.Timeout() * 2 / 3
}

// heartbeat is the time between two confirmations.
func (s *Session) heartbeat() time.Duration { return s.Timeout() / 10 }

// heard takes the library's events. It must not block.
func (s *Session) heard(e zk.Event) {
	switch e.State {
	case zk.StateHasSession:
		s.begin.Do(func() { close(s.begun) })
	case zk.StateExpired: // the library would go on with another session
		s.end(fmt.Errorf("%w: expired", ErrSessionLost))
	case zk.StateAuthFailed:
		s.end(fmt.Errorf("%w: %w", ErrSessionLost, ErrDenied))
	}
}

// prepare waits until the session exists, and makes it ready for use.
func (s *Session) prepare(ctx context.Context) error {
	remind := time.NewTicker(remindEvery)
	defer remind.Stop()
	for begun := false; !begun; {
		select {
		case <-s.begun:
			begun = true
		case <-s.lost:
			return s.why
		case <-remind.C:
			s.log.Warn("waiting for ZooKeeper", zap.Stringer("zookeeper", s.cfg.URL), zap.Error(s.wire.failure()))
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), s.wire.failure())
		}
	}
	s.id.Store(s.conn.SessionID())
	if err := s.authenticate(ctx); err != nil {
		return err
	}
	if s.cfg.Lease {
		return s.confirm(ctx)
	}
	return nil
}

// authenticate gives the credentials. The library repeats them on later
// connections, but only if it has had an answer once.
func (s *Session) authenticate(ctx context.Context) error {
	if s.cfg.URL.User == "" {
		return nil
	}
	for {
		_, err := do(ctx, s, func() (struct{}, error) {
			return struct{}{}, s.conn.AddAuth("digest", []byte(s.cfg.URL.User+":"+s.cfg.URL.Password))
		})
		if !errors.Is(err, ErrInterrupted) {
			return err
		}
	}
}

// confirm starts to renew the lease, once it holds for the first time.
func (s *Session) confirm(ctx context.Context) error {
	until, stop := context.WithTimeout(ctx, s.lease())
	defer stop()
	asked := time.Now()
	switch err := s.Sync(until, s.cfg.URL.Path); {
	case err != nil && ctx.Err() == nil && until.Err() != nil:
		return fmt.Errorf("%w: not confirmed for %v", ErrSessionLost, s.lease())
	case err != nil:
		return fmt.Errorf("confirm session: %w", err)
	}
	s.ending.Go(func() { s.renew(asked) })
	return nil
}

// renew asks the ensemble's leader for a sign of life again and again. An answer
// proves that the session lived after the question was asked.
func (s *Session) renew(confirmed time.Time) {
	ctx, cancel := s.context()
	defer cancel()
	for pause := s.heartbeat(); ; {
		select {
		case <-s.lost:
			return
		case <-time.After(pause):
		}
		until, stop := context.WithDeadline(ctx, confirmed.Add(s.lease()))
		asked := time.Now()
		err := s.Sync(until, s.cfg.URL.Path)
		stop()
		switch {
		case err == nil:
			confirmed, pause = asked, s.heartbeat()
		case !time.Now().Before(confirmed.Add(s.lease())):
			s.end(fmt.Errorf("%w: not confirmed for %v", ErrSessionLost, s.lease()))
			return
		default:
			pause = s.heartbeat() / 4
		}
	}
}

// context ends when the session does.
func (s *Session) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-s.lost:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// ID is the session's number in ZooKeeper, which is the owner of its ephemeral nodes.
func (s *Session) ID() int64 { return s.id.Load() }

// Server is the host:port that the session is connected to, or was last.
func (s *Session) Server() string { return s.conn.Server() }

// Lost is closed when the session has ended, or may have; Err says why.
func (s *Session) Lost() <-chan struct{} { return s.lost }

// Err is why the session was lost, nil while it lives.
func (s *Session) Err() error {
	select {
	case <-s.lost:
		return s.why
	default:
		return nil
	}
}

// end makes the session lost, once.
func (s *Session) end(why error) {
	s.lose.Do(func() {
		s.why = why
		close(s.lost)
		s.ending.Go(func() {
			<-s.ready
			s.conn.Close() // tells the server, and waits for a moment at most
			s.wire.close()
		})
	})
}

// Close ends the session, if it can be told to a server soon, together with its
// ephemeral nodes; otherwise those last until it expires. It returns when all
// has been done. It may be called more than once.
func (s *Session) Close() {
	s.end(fmt.Errorf("%w: %w", ErrSessionLost, errClosed))
	s.ending.Wait()
}

// quiet takes the library's chatter for the debug log.
type quiet struct{ log *zap.Logger }

// Printf implements zk.Logger.
func (q quiet) Printf(format string, args ...any) {
	if ce := q.log.Check(zap.DebugLevel, "zookeeper client"); ce != nil {
		ce.Write(zap.String("message", fmt.Sprintf(format, args...)))
	}
}
