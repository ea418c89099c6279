package scheduler

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/zookeeper"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

const (
	path = "/api/v1/scheduler"

	// A master that misses this many heartbeats is given up (Mesos: about five).
	missedHeartbeats = 5
	defaultHeartbeat = 15 * time.Second

	dialTimeout = 10 * time.Second
	callTimeout = 30 * time.Second
)

var (
	errSilent    = errors.New("master missed its heartbeats")
	errNewLeader = errors.New("another master leads")
)

type (
	client = callevent.Client[*schedulerpb.Call, *schedulerpb.Event]
	stream = callevent.Stream[*schedulerpb.Event]
)

// Run keeps sched subscribed until ctx ends, a method of sched returns an
// error, the master ends the framework with an ERROR event, or refuses its
// subscription or credential. It returns why; nil after Session.Teardown.
func Run(ctx context.Context, cfg Config, sched Scheduler) error {
	r, err := newRunner(cfg, sched)
	if err != nil {
		return err
	}
	defer r.masters.close()
	if cfg.HTTP == nil {
		defer r.cfg.HTTP.CloseIdleConnections()
	}
	for failures := 0; ; failures++ {
		master, err := r.masters.next(ctx)
		if err != nil {
			return err
		}
		subscribed, err := r.attend(ctx, master)
		switch {
		case r.session.tornDown():
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case final(err):
			return err
		}
		r.log.Info("not subscribed", zap.String("master", master), zap.Error(err))
		if subscribed {
			failures = 0
		}
		changed, err := r.pause(ctx, master, failures)
		if err != nil {
			return err
		}
		if changed {
			failures = -1 // the next one has refused nothing yet
		}
	}
}

// pause waits before another attempt. Another master to try ends the wait, but
// for as long as it takes to spread those who come to it.
func (r *runner) pause(ctx context.Context, master string, failures int) (changed bool, err error) {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	news := make(chan struct{})
	go func() {
		defer close(news)
		changed = r.masters.changed(waiting, master)
		stop()
	}()
	err = sleep(waiting, r.backoff(failures))
	stop()
	<-news
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case err != nil:
		return true, sleep(ctx, r.backoff(0))
	}
	return changed, nil
}

// A runner is what one Run holds on to.
type runner struct {
	cfg     Config
	sched   Scheduler
	session *Session
	masters masters
	log     *zap.Logger
	header  http.Header
}

func newRunner(cfg Config, sched Scheduler) (*runner, error) {
	if cfg.Framework.GetName() == "" || cfg.Framework.User == nil {
		return nil, errors.New("scheduler: Config.Framework needs a name and a user")
	}
	m, err := newMasters(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.HTTP == nil {
		cfg.HTTP = newHTTP()
	}
	if cfg.MinBackoff <= 0 {
		cfg.MinBackoff = DefaultMinBackoff
	}
	if cfg.MaxBackoff <= 0 {
		cfg.MaxBackoff = DefaultMaxBackoff
	}
	cfg.Framework = proto.Clone(cfg.Framework).(*mesospb.FrameworkInfo)
	r := &runner{cfg: cfg, sched: sched, masters: m, log: cfg.Log.Named("scheduler"), header: http.Header{}}
	r.session = &Session{id: cfg.Framework.GetId().GetValue(), log: r.log}
	if cfg.Principal != "" {
		r.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(cfg.Principal+":"+cfg.Secret)))
	}
	return r, nil
}

// newHTTP makes a client for one master: a stream, and several calls at a time.
func newHTTP() *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: defaultHeartbeat}
	return &http.Client{Transport: &http.Transport{
		DialContext:           dialer.DialContext,
		ResponseHeaderTimeout: callTimeout,
		TLSHandshakeTimeout:   dialTimeout,
		MaxIdleConnsPerHost:   ackWorkers + 4,
		IdleConnTimeout:       90 * time.Second,
	}}
}

// final tells errors that another attempt would only meet again.
func final(err error) bool {
	var refused *callevent.Error
	var broken *brokenCall
	switch {
	case errors.As(err, &broken):
		return false
	case errors.As(err, &refused):
		return !passing(refused.Code)
	}
	var lost *connectionError
	return !errors.As(err, &lost)
}

// passing tells the refusals that are of the master's moment, not of the call.
func passing(code int) bool {
	switch code {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return code >= http.StatusInternalServerError
}

// A connectionError ends a subscription and is a reason for the next one.
type connectionError struct{ error }

func (e *connectionError) Unwrap() error { return e.error }

// backoff is a random wait after so many failures in a row.
func (r *runner) backoff(failures int) time.Duration {
	bound := r.cfg.MinBackoff << min(failures, 20)
	if bound <= 0 || bound > r.cfg.MaxBackoff {
		bound = r.cfg.MaxBackoff
	}
	return rand.N(bound)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// attend subscribes to one master and hands its events to the scheduler until
// either ends. subscribed tells whether the master took the framework in. What
// the scheduler does for an event ends with the subscription; hearing of its
// end does not.
func (r *runner) attend(outer context.Context, master string) (subscribed bool, err error) {
	ctx, cancel := context.WithCancelCause(outer)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel(nil)
	defer r.session.tornDown() // or a Teardown under way would end with ctx, unanswered
	workers.Go(func() {
		if r.masters.changed(ctx, master) {
			cancel(errNewLeader)
		}
	})

	codec := callevent.Protobuf
	if r.cfg.JSON {
		codec = callevent.JSON
	}
	c := callevent.NewClient[*schedulerpb.Call](callevent.ClientConfig[*schedulerpb.Event]{
		URL: master + path, Codec: codec, HTTP: r.cfg.HTTP, Header: r.header,
		New: func() *schedulerpb.Event { return new(schedulerpb.Event) },
	})
	watch := newWatchdog(defaultHeartbeat, func() { cancel(errSilent) })
	defer watch.stop()
	events, err := c.Subscribe(ctx, r.subscribe())
	if err != nil {
		return false, explain(ctx, err)
	}
	defer events.Close()
	acks := r.startAcks(ctx, &workers, c)
	for {
		watch.start()
		e, err := events.Next()
		watch.stop()
		if err != nil {
			err = explain(ctx, err)
			r.lost(outer, err)
			return subscribed, err
		}
		if e.GetType() == schedulerpb.Event_SUBSCRIBED {
			subscribed = true
			watch.interval(e.GetSubscribed().GetHeartbeatIntervalSeconds())
			r.session.begin(c, e.GetSubscribed())
			r.log.Info("subscribed", zap.String("master", c.Leader()), zap.String("framework_id", r.session.FrameworkID()))
		}
		if err := r.dispatch(ctx, e, acks); err != nil {
			if ctx.Err() != nil { // whatever it says, this is why
				err = explain(ctx, err)
			}
			r.lost(outer, err)
			return subscribed, err
		}
	}
}

// explain says why the connection ended if something here ended it.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == io.EOF {
		err = errors.New("master closed the connection")
	}
	var refused *callevent.Error
	if errors.As(err, &refused) {
		return err
	}
	return &connectionError{err}
}

// lost takes the session off a master.
func (r *runner) lost(ctx context.Context, why error) {
	if d, ok := r.sched.(Disconnecter); r.session.end() && ok {
		d.Disconnected(ctx, r.session, why)
	}
}

// subscribe is the call for the framework as it is now: with the id it was
// given, if it has been subscribed before.
func (r *runner) subscribe() *schedulerpb.Call {
	call := &schedulerpb.Call{
		Type: schedulerpb.Call_SUBSCRIBE.Enum(),
		Subscribe: &schedulerpb.Call_Subscribe{
			FrameworkInfo:    r.cfg.Framework,
			SuppressedRoles:  r.cfg.SuppressedRoles,
			OfferConstraints: r.cfg.OfferConstraints,
		},
	}
	if id := r.session.FrameworkID(); id != "" {
		call.FrameworkId = &mesospb.FrameworkID{Value: proto.String(id)}
		r.cfg.Framework.Id = call.FrameworkId
	}
	if sub := r.session.updated(); sub != nil {
		sub.FrameworkInfo.Id = call.FrameworkId
		call.Subscribe = sub
	}
	return call
}

// A watchdog calls bark when too much time passes between start and stop.
type watchdog struct {
	patience time.Duration
	timer    *time.Timer
}

func newWatchdog(heartbeat time.Duration, bark func()) *watchdog {
	w := &watchdog{patience: missedHeartbeats * heartbeat}
	w.timer = time.AfterFunc(w.patience, bark)
	return w
}

func (w *watchdog) start() { w.timer.Reset(w.patience) }
func (w *watchdog) stop()  { w.timer.Stop() }

// interval sets the heartbeat that the master announced, if it makes sense.
func (w *watchdog) interval(seconds float64) {
	if seconds > 0 && seconds < time.Hour.Seconds() {
		w.patience = missedHeartbeats * time.Duration(seconds*float64(time.Second))
	}
}

// newMasters reads where to look for the leader.
func newMasters(cfg Config) (masters, error) {
	switch {
	case cfg.Detect != nil && cfg.Master != "":
		return nil, errors.New("scheduler: Config has both Master and Detect; set one")
	case cfg.Detect != nil:
		return &detected{detect: cfg.Detect, stop: func() {}}, nil
	case zookeeper.IsURL(cfg.Master):
		return elected(cfg)
	}
	list := &listed{}
	for address := range strings.SplitSeq(cfg.Master, ",") {
		base, err := baseURL(strings.TrimSpace(address))
		if err != nil {
			return nil, fmt.Errorf("scheduler: Config.Master: %w", err)
		}
		list.urls = append(list.urls, base)
	}
	return list, nil
}
