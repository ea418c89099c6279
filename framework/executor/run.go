package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/callevent"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

const (
	path        = "/api/v1/executor"
	dialTimeout = 10 * time.Second
	callTimeout = 30 * time.Second
)

var (
	errDone      = errors.New("all is said")
	errClosed    = errors.New("agent closed the connection")
	errForgotten = errors.New("agent knows of no subscription")
)

type (
	client = callevent.Client[*executorpb.Call, *executorpb.Event]
	stream = callevent.Stream[*executorpb.Event]
)

// Run keeps x subscribed until the agent shuts it down or x stops, which is nil,
// until ctx ends, a method of x returns an error, or the agent is away for too long.
func Run(ctx context.Context, cfg Config, x Executor) error {
	r, err := newRunner(cfg, x)
	if err != nil {
		return err
	}
	away := time.Now() // since when there is no agent
	for {
		subscribed, err := r.attend(ctx)
		if subscribed {
			away = time.Now()
		}
		var lost *connectionError
		switch {
		case errors.Is(err, errDone):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.As(err, &lost):
			return err
		case !cfg.Checkpoint:
			return fmt.Errorf("executor: without checkpoints it ends with its agent: %w", err)
		case time.Since(away) >= cfg.Recovery:
			return fmt.Errorf("executor: no agent for %v: %w", cfg.Recovery, err)
		}
		r.log.Info("not subscribed", zap.String("agent", cfg.Agent), zap.Error(err))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(rand.N(max(cfg.Backoff/2, time.Millisecond))):
		}
	}
}

// A connectionError ends a subscription and is a reason for the next one.
type connectionError struct{ error }

func (e *connectionError) Unwrap() error { return e.error }

// A runner is what one Run holds on to.
type runner struct {
	cfg     Config
	x       Executor
	session *Session
	client  *client
	log     *zap.Logger
}

func newRunner(cfg Config, x Executor) (*runner, error) {
	if cfg.Agent == "" || cfg.Framework == "" || cfg.Executor == "" {
		return nil, errors.New("executor: Config needs Agent, Framework and Executor; FromEnvironment has them")
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
			ResponseHeaderTimeout: callTimeout,
		}}
	}
	header := http.Header{}
	if cfg.Token != "" {
		header.Set("Authorization", "Bearer "+cfg.Token)
	}
	codec := callevent.Protobuf
	if cfg.JSON {
		codec = callevent.JSON
	}
	return &runner{
		cfg: cfg, x: x, log: cfg.Log.Named("executor"),
		session: &Session{
			framework: &mesospb.FrameworkID{Value: &cfg.Framework}, executor: &mesospb.ExecutorID{Value: &cfg.Executor},
			wake: make(chan struct{}, 1),
		},
		client: callevent.NewClient[*executorpb.Call](callevent.ClientConfig[*executorpb.Event]{
			URL: "http://" + cfg.Agent + path, Codec: codec, HTTP: cfg.HTTP, Header: header,
			New: func() *executorpb.Event { return new(executorpb.Event) },
		}),
	}, nil
}

// attend subscribes once and hands events to the executor until either ends.
func (r *runner) attend(outer context.Context) (subscribed bool, err error) {
	ctx, cancel := context.WithCancelCause(outer)
	var sender sync.WaitGroup
	defer sender.Wait()
	defer cancel(nil)
	events, err := r.client.Subscribe(ctx, r.session.subscribe())
	if err != nil {
		return false, explain(ctx, err)
	}
	defer events.Close()
	r.session.connect(r.client)
	defer r.session.connect(nil)
	sender.Go(func() { cancel(r.send(ctx)) })
	for {
		e, err := events.Next()
		if err != nil {
			return subscribed, explain(ctx, err)
		}
		subscribed = true
		if err := r.dispatch(ctx, e); err != nil {
			return subscribed, err
		}
	}
}

// explain says why a connection ended, and whether another may do better.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var refused *callevent.Error
	switch {
	case errors.Is(err, errDone):
		return err
	case errors.Is(err, io.EOF):
		err = errClosed
	case errors.As(err, &refused) && refused.Code < http.StatusInternalServerError:
		return err
	}
	return &connectionError{err}
}

// send carries updates in their order until the connection fails or all is said.
func (r *runner) send(ctx context.Context) error {
	for {
		for call := r.session.next(); call != nil; call = r.session.next() {
			var refused *callevent.Error
			err := r.client.Send(ctx, call)
			if errors.As(err, &refused) && refused.Code == http.StatusForbidden {
				return errForgotten // it goes with the next subscription
			}
			if err != nil {
				return err
			}
		}
		if r.session.done() {
			return errDone
		}
		select {
		case <-r.session.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// dispatch hands an event to the method that it is for.
func (r *runner) dispatch(ctx context.Context, e *executorpb.Event) error {
	s := r.session
	switch e.GetType() {
	case executorpb.Event_SUBSCRIBED:
		r.log.Info("subscribed", zap.String("agent", r.cfg.Agent))
		if x, ok := r.x.(Subscriber); ok {
			return x.Subscribed(ctx, s, e.GetSubscribed())
		}
	case executorpb.Event_LAUNCH:
		s.launched(e.GetLaunch().GetTask())
		return r.x.Launch(ctx, s, e.GetLaunch().GetTask())
	case executorpb.Event_LAUNCH_GROUP:
		return r.launchGroup(ctx, e.GetLaunchGroup().GetTaskGroup().GetTasks())
	case executorpb.Event_KILL:
		return r.x.Kill(ctx, s, e.GetKill().GetTaskId(), e.GetKill().GetKillPolicy())
	case executorpb.Event_ACKNOWLEDGED:
		s.acknowledged(e.GetAcknowledged())
	case executorpb.Event_MESSAGE:
		if x, ok := r.x.(Messenger); ok {
			return x.Message(ctx, s, e.GetMessage().GetData())
		}
	case executorpb.Event_SHUTDOWN:
		return r.shutdown(ctx)
	case executorpb.Event_ERROR:
		return fmt.Errorf("executor: agent ended the subscription: %s", e.GetError().GetMessage())
	}
	return nil
}

func (r *runner) launchGroup(ctx context.Context, tasks []*mesospb.TaskInfo) error {
	r.session.launched(tasks...)
	if x, ok := r.x.(GroupLauncher); ok {
		return x.LaunchGroup(ctx, r.session, tasks)
	}
	for _, t := range tasks {
		if err := r.x.Launch(ctx, r.session, t); err != nil {
			return err
		}
	}
	return nil
}

// shutdown lets the executor end what it runs. Run returns when its last updates
// are stored; an agent that has lost its patience ends the process before.
func (r *runner) shutdown(ctx context.Context) error {
	if x, ok := r.x.(Stopper); ok {
		ctx, cancel := context.WithTimeout(ctx, r.cfg.Grace)
		defer cancel()
		if err := x.Shutdown(ctx, r.session); err != nil {
			return err
		}
	}
	r.session.Stop()
	return nil
}
