package marathon

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/frameworks/marathon/api"
	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/internal/daemon"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// eventsQueued bounds what waits for the loop; senders wait beyond it.
const eventsQueued = 1024

// A loop owns the core: its run is the only goroutine that touches it.
type loop struct {
	core   *core.Core
	clock  daemon.Clock
	log    *zap.Logger
	writer *writer
	calls  *calls
	hub    *api.Hub
	probes *prober

	inputs chan input
	views  chan func(*core.Core)

	resigned chan struct{} // closed when the core has resigned

	tokens  uint64
	replies map[uint64]chan<- core.Reply
	updates map[uint64]*mesospb.TaskStatus // not yet acknowledged
	epoch   int64                          // subscriptions so far
}

// An input is an event, with what the core's answer to it is for.
type input struct {
	event  core.Event
	reply  chan<- core.Reply   // of a command
	status *mesospb.TaskStatus // of an update
}

func newLoop(c *core.Core, w *writer, hub *api.Hub, probes *prober, log *zap.Logger) *loop {
	return &loop{
		core: c, clock: daemon.StartClock(), log: log, writer: w, hub: hub, probes: probes,
		inputs: make(chan input, eventsQueued), views: make(chan func(*core.Core)), resigned: make(chan struct{}),
		replies: map[uint64]chan<- core.Reply{}, updates: map[uint64]*mesospb.TaskStatus{},
	}
}

func (l *loop) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case view := <-l.views:
			view(l.core)
			continue
		case in := <-l.inputs:
			l.step(l.register(in))
		case seq := <-l.writer.durable:
			l.step(core.Persisted{Seq: seq})
		case <-timer.C:
			l.step(core.Tick{})
		}
		if at, ok := l.core.Deadline(); ok {
			timer.Reset(l.clock.Until(at))
		}
	}
}

// register gives an event its token, by which the answer finds back.
func (l *loop) register(in input) core.Event {
	switch ev := in.event.(type) {
	case core.Command:
		l.tokens++
		ev.Token = l.tokens
		l.replies[ev.Token] = in.reply
		return ev
	case core.Updated:
		l.tokens++
		ev.Token = l.tokens
		l.updates[ev.Token] = in.status
		return ev
	case core.Subscribed:
		l.epoch++
	}
	return in.event
}

func (l *loop) step(ev core.Event) {
	effects := l.core.Step(l.clock.Now(), ev)
	if ce := l.log.Check(zap.DebugLevel, "step"); ce != nil {
		ce.Write(zap.String("event", fmt.Sprintf("%T", ev)), zap.Int("effects", len(effects)))
	}
	for _, e := range effects {
		l.perform(e)
	}
}

// send hands an event to the loop, waiting for room.
func (l *loop) send(ctx context.Context, in input) error {
	select {
	case l.inputs <- in:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Do implements api.Scheduler.
func (l *loop) Do(ctx context.Context, r core.Request) (core.Result, error) {
	reply := make(chan core.Reply, 1)
	if err := l.send(ctx, input{event: core.Command{Request: r}, reply: reply}); err != nil {
		return core.Result{}, err
	}
	select {
	case answer := <-reply:
		return answer.Result, answer.Err
	case <-ctx.Done():
		return core.Result{}, context.Cause(ctx)
	}
}

// View implements api.Scheduler.
func (l *loop) View(ctx context.Context, read func(*core.Core)) error {
	done := make(chan struct{})
	view := func(c *core.Core) {
		defer close(done)
		read(c)
	}
	select {
	case l.views <- view:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	<-done // the loop never waits inside a view
	return nil
}
