package agent

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/link"
	"github.com/soukproject/souk/internal/daemon"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
)

// inboxSize is how many events wait for the loop before those who bring more
// have to wait themselves.
const inboxSize = 1024

// errEnded is what callers get when the loop does not run any more.
var errEnded = errors.New("the agent is stopping")

// An input is one thing for the loop to do.
type input struct {
	event core.Event // stepped, if not nil
	do    func()     // run between two steps, if not nil
}

// A loop owns the core: one goroutine steps it and performs its effects. All
// other goroutines talk to it through the inbox. It is the link's Peer.
type loop struct {
	core  *core.Agent
	clock daemon.Clock
	agent *agent
	log   *zap.Logger
	inbox chan input
	ended chan struct{}

	sessions atomic.Uint64 // minted
	requests atomic.Uint64 // minted, streams of executors included
	master   atomic.Pointer[string]

	// Owned by the loop's goroutine.
	session   *link.Session
	sessionID core.Session
	subscribe chan<- *linkpb.Subscribe // where the attempt under way waits; nil: none
	executors executors
	exit      error // why the agent is to end
}

func newLoop(c *core.Agent, a *agent) *loop {
	return &loop{core: c, clock: daemon.StartClock(), agent: a, log: a.log.Named("loop"), inbox: make(chan input, inboxSize), ended: make(chan struct{}), executors: newExecutors()}
}

// run steps first and then what comes, until ctx ends or the core wants to exit.
func (l *loop) run(ctx context.Context, first core.Event) error {
	defer l.executors.closeAll()
	defer close(l.ended)
	l.step(first)
	l.agent.recovered.Store(true)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for l.exit == nil {
		if due, ok := l.core.Deadline(); ok {
			timer.Reset(l.clock.Until(due))
		} else {
			timer.Stop()
		}
		select {
		case in := <-l.inbox:
			if in.do != nil {
				in.do()
			}
			if in.event != nil {
				l.step(in.event)
			}
		case <-timer.C:
			l.step(core.Tick{})
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return l.exit
}

// step is one turn: the core decides, the loop performs.
func (l *loop) step(ev core.Event) {
	effects := l.core.Step(l.clock.Now(), ev)
	if c := l.log.Check(zap.DebugLevel, "step"); c != nil {
		c.Write(zap.String("event", fmt.Sprintf("%T", ev)), zap.Int("effects", len(effects)))
	}
	for _, e := range effects {
		l.perform(e)
	}
}

// post gives the loop an event. It waits while the inbox is full.
func (l *loop) post(ctx context.Context, ev core.Event) error {
	return l.put(ctx, input{event: ev})
}

func (l *loop) put(ctx context.Context, in input) error {
	select {
	case l.inbox <- in:
		return nil
	case <-l.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look copies what the core knows, between two steps.
func (l *loop) look(ctx context.Context) (core.Snapshot, error) {
	answer := make(chan core.Snapshot, 1)
	if err := l.put(ctx, input{do: func() { answer <- l.core.Snapshot() }}); err != nil {
		return core.Snapshot{}, err
	}
	select {
	case s := <-answer:
		return s, nil
	case <-l.ended:
		return core.Snapshot{}, errEnded
	case <-ctx.Done():
		return core.Snapshot{}, ctx.Err()
	}
}

// Subscribing implements link.Peer.
func (l *loop) Subscribing(s *link.Session) *linkpb.Subscribe {
	id := core.Session(l.sessions.Add(1))
	answer := make(chan *linkpb.Subscribe, 1)
	open := func() { l.session, l.sessionID, l.subscribe = s, id, answer }
	if l.put(context.Background(), input{do: open, event: core.Connecting{Session: id}}) != nil {
		return nil
	}
	select {
	case subscribe := <-answer:
		l.master.Store(new(s.Master()))
		return subscribe
	case <-l.ended:
		return nil
	}
}

// Received implements link.Peer.
func (l *loop) Received(s *link.Session, e *linkpb.Event) {
	if id := e.GetRegistered().GetAgentId().GetValue(); id != "" {
		l.log.Info("registered", zap.String("agent_id", id), zap.String("master", s.Master()))
	}
	l.about(s, func(id core.Session) core.Event { return core.Received{Session: id, Event: e} })
}

// Disconnected implements link.Peer.
func (l *loop) Disconnected(s *link.Session, why error) {
	l.master.Store(nil)
	l.about(s, func(id core.Session) core.Event { return core.Disconnected{Session: id} })
}

// about steps an event of the session that s is, if it is still the last one.
func (l *loop) about(s *link.Session, event func(core.Session) core.Event) {
	// Only a loop that has ended refuses, and then nobody is concerned.
	_ = l.put(context.Background(), input{do: func() {
		if l.session == s {
			l.step(event(l.sessionID))
		}
	}})
}
