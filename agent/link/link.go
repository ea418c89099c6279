// Package link keeps an agent connected to the leading master: the client side
// of POST /api/v1/link. It owns finding the master, connecting anew with a
// backoff, the stream of events down, and upward the one call in flight that
// carries everything pending. It does not own what is said: the numbers of
// messages and events, and what a gap in them means, are the Peer's business.
package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
)

// Path is where a master serves the link.
const Path = "/api/v1/link"

// Backoff between two attempts to connect (Mesos: --registration_backoff_factor, at most a minute).
const (
	DefaultBackoff = time.Second
	MaxBackoff     = time.Minute
)

const (
	dialTimeout   = 10 * time.Second
	answerTimeout = 30 * time.Second // for a master to begin an answer
)

var (
	// errChanged ends a session with a master that leads no more.
	errChanged = errors.New("another master leads")
	// errNotNow ends a session that the peer did not want.
	errNotNow = errors.New("not ready to subscribe")
)

// A Peer is who speaks through the link: an agent, or what plays one. Its
// methods are called from Run's goroutine, for one session after another.
type Peer interface {
	// Subscribing opens s and returns what the agent is and has; nil gives the
	// attempt up. It is called for each attempt to connect.
	Subscribing(s *Session) *linkpb.Subscribe
	// Received takes the next event of s. While it blocks, no more are read.
	Received(s *Session, e *linkpb.Event)
	// Disconnected ends s, whether or not the attempt succeeded, and says why.
	Disconnected(s *Session, why error)
}

// Config says how to find and reach the master. Only Detector is required.
type Config struct {
	Detector leader.Detector
	Backoff  time.Duration // the longest first wait; 0: DefaultBackoff
	Header   http.Header   // added to every request: what the agent proves who it is with
	HTTP     *http.Client  // nil: one of its own. Must not have a Timeout
	Log      *zap.Logger   // nil: silent
}

// Run keeps p connected until ctx ends, and returns ctx's error. The first
// attempt is made at once; others wait a random time that doubles with each
// failure in a row, so that the agents of a restarted master do not come all
// at once.
func Run(ctx context.Context, cfg Config, p Peer) error {
	if cfg.Backoff <= 0 {
		cfg.Backoff = DefaultBackoff
	}
	if cfg.HTTP == nil {
		cfg.HTTP = newHTTP()
		defer cfg.HTTP.CloseIdleConnections()
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	for failures := 0; ; failures++ {
		lead, err := detect(ctx, cfg.Detector)
		if err != nil {
			return err
		}
		connected, why := serve(ctx, cfg, lead, p)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		logEnd(cfg.Log, lead, why)
		if connected {
			failures = 0
		}
		changed, err := pause(ctx, cfg, lead, failures)
		if err != nil {
			return err
		}
		if changed {
			failures = 0
		}
	}
}

// pause waits before the next attempt. A master that takes the lead meanwhile
// ends the wait, but for as long as it takes to spread the agents: it has not
// refused anybody yet.
func pause(ctx context.Context, cfg Config, lead leader.Leader, failures int) (changed bool, err error) {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	news := make(chan struct{})
	go func() {
		defer close(news)
		changed = awaitOther(waiting, cfg.Detector, lead)
		stop()
	}()
	err = daemon.Sleep(waiting, jitter(cfg.Backoff, failures))
	stop()
	<-news
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil:
		return true, daemon.Sleep(ctx, jitter(cfg.Backoff, 0))
	}
	return changed, nil
}

// awaitOther reports whether another master than lead came to lead before ctx ended.
func awaitOther(ctx context.Context, d leader.Detector, lead leader.Leader) bool {
	for previous := lead; ; {
		found, err := d.Detect(ctx, previous)
		if err != nil {
			return false
		}
		if !found.None() && found.ID != lead.ID {
			return true
		}
		previous = found
	}
}

// logEnd tells why a session ended, aloud when the master refused the agent.
func logEnd(log *zap.Logger, lead leader.Leader, why error) {
	var refused *callevent.Error
	if errors.As(why, &refused) {
		log.Warn("refused by master", zap.String("master", lead.Address), zap.Int("status", refused.Code), zap.Error(why))
		return
	}
	log.Info("link to master ended", zap.String("master", lead.Address), zap.Error(why))
}

// newHTTP returns a client for one link: one connection for the stream, one for calls.
func newHTTP() *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	return &http.Client{Transport: &http.Transport{
		DialContext:           dialer.DialContext,
		ResponseHeaderTimeout: answerTimeout,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       90 * time.Second,
	}}
}

// detect blocks until some master leads.
func detect(ctx context.Context, d leader.Detector) (leader.Leader, error) {
	lead := leader.Leader{}
	for lead.None() {
		found, err := d.Detect(ctx, lead)
		if err != nil {
			return lead, fmt.Errorf("detect master: %w", err)
		}
		lead = found
	}
	return lead, nil
}

// serve holds one session. connected tells whether the master accepted the
// subscription.
func serve(ctx context.Context, cfg Config, lead leader.Leader, p Peer) (connected bool, why error) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := newSession(lead.Address, cancel)
	subscribe := p.Subscribing(s)
	defer func() {
		cancel(why)
		if cause := context.Cause(ctx); cause != nil {
			why = cause
		}
		s.workers.Wait()
		p.Disconnected(s, why)
	}()

	if subscribe == nil {
		return false, errNotNow
	}
	client := callevent.NewClient[*linkpb.Call](callevent.ClientConfig[*linkpb.Event]{
		URL:   "http://" + lead.Address + Path,
		Codec: callevent.Protobuf,
		HTTP:  cfg.HTTP, Header: cfg.Header,
		New: func() *linkpb.Event { return new(linkpb.Event) },
	})
	stream, err := client.Subscribe(ctx, &linkpb.Call{Type: linkpb.Call_SUBSCRIBE.Enum(), Subscribe: subscribe})
	if err != nil {
		return false, err
	}
	defer stream.Close()
	s.workers.Go(func() { cancel(s.sendAll(ctx, client)) })
	s.workers.Go(func() { cancel(changed(ctx, cfg.Detector, lead)) })
	said := "" // what the master said last, if that was why it ends the session
	for {
		event, err := stream.Next()
		switch {
		case err != nil && said != "":
			return true, fmt.Errorf("master ended the session: %s", said)
		case err != nil:
			return true, fmt.Errorf("master ended the session: %w", err)
		}
		said = event.GetShutdown().GetMessage()
		p.Received(s, event)
	}
}

// changed blocks until lead is no longer the leader.
func changed(ctx context.Context, d leader.Detector, lead leader.Leader) error {
	if _, err := d.Detect(ctx, lead); err != nil {
		return fmt.Errorf("detect master: %w", err)
	}
	return errChanged
}

// jitter is a random wait below backoff, doubled for each failure before this one.
func jitter(backoff time.Duration, failures int) time.Duration {
	most := MaxBackoff
	if backoff <= MaxBackoff>>min(failures, 63) { // else the shift would go beyond, or overflow
		most = backoff << failures
	}
	return rand.N(most)
}
