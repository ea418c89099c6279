package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/api"
	"github.com/soukproject/souk/master/core"
	"github.com/soukproject/souk/master/registrar"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
)

// inboxSize is how many events wait for the loop before those who bring more
// have to wait themselves.
const inboxSize = 4096

// errEnded is what callers get when the loop does not run any more.
var errEnded = errors.New("the master is stopping")

// An input is one thing for the loop to do.
type input struct {
	event core.Event // stepped, if not nil
	sink  api.Sink   // where the stream that event opens sends to
	reply chan<- core.Reply
	do    func() // run between two steps, if not nil
}

// A loop owns the core: one goroutine steps it and performs its effects. All
// other goroutines talk to it through the inbox.
type loop struct {
	core      *core.Master
	clock     daemon.Clock
	registrar *registrar.Registrar
	log       *zap.Logger
	metrics   *metrics.Registry
	steps     *metrics.Timer
	runs      *metrics.Timer   // steps in which the allocator ran
	shared    *metrics.Counter // looks that needed no snapshot of their own
	refused   *metrics.Counter

	inbox   chan input
	ended   chan struct{}
	request atomic.Uint64

	// Owned by the loop's goroutine.
	agents     map[core.Session]api.Sink
	frameworks map[core.Stream]api.Sink
	operators  []api.Sink
	waiting    map[core.Request]chan<- core.Reply
	snapshot   *core.Snapshot // of the last step; nil if a step came since
	failed     error          // why the core wants this master to end
}

func newLoop(c *core.Master, r *registrar.Registrar, log *zap.Logger, m *metrics.Registry) *loop {
	l := &loop{
		core: c, clock: daemon.StartClock(), registrar: r, log: log.Named("loop"), metrics: m,
		steps: m.Timer("master/step"), runs: m.Timer("allocator/mesos/allocation_run"), shared: m.Counter("master/http_cache_hits"),
		refused: m.Counter("master/dropped_messages"),
		inbox:   make(chan input, inboxSize), ended: make(chan struct{}),
		agents:     make(map[core.Session]api.Sink),
		frameworks: make(map[core.Stream]api.Sink),
		waiting:    make(map[core.Request]chan<- core.Reply),
	}
	m.AddSource(l.measure)
	return l
}

// begin steps the first event, before run.
func (l *loop) begin(ev core.Event) {
	l.step(ev)
}

// run feeds the core until ctx ends, and then ends all streams.
func (l *loop) run(ctx context.Context) error {
	defer l.closeAll()
	defer close(l.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for l.failed == nil {
		due, ok := l.core.Deadline()
		if ok {
			timer.Reset(l.clock.Until(due))
		} else {
			timer.Stop()
		}
		select {
		case in := <-l.inbox:
			l.take(in)
		case <-timer.C:
			l.step(core.Tick{})
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return l.failed
}

// take does what an input asks for.
func (l *loop) take(in input) {
	if in.do != nil {
		in.do()
	}
	switch ev := in.event.(type) {
	case nil:
		return
	case core.AgentSubscribed:
		l.agents[ev.Session] = in.sink
	case core.Subscribed:
		l.frameworks[ev.Stream] = in.sink
	case core.Called:
		l.waiting[ev.Request] = in.reply
	case core.Operated:
		l.waiting[ev.Request] = in.reply
	case core.AgentDisconnected:
		defer delete(l.agents, ev.Session)
	case core.Disconnected:
		defer delete(l.frameworks, ev.Stream)
	}
	l.step(in.event)
}

// step is one turn: the core decides, the loop performs.
func (l *loop) step(ev core.Event) {
	began, runs := l.clock.Now(), l.core.Allocations()
	effects := l.core.Step(began, ev)
	l.snapshot = nil
	took := l.clock.Now().Sub(began)
	l.steps.Observe(took)
	if l.core.Allocations() != runs { // the run is most of such a step
		l.runs.Observe(took)
	}
	if c := l.log.Check(zap.DebugLevel, "step"); c != nil {
		c.Write(zap.String("event", fmt.Sprintf("%T", ev)), zap.Int("effects", len(effects)), zap.Duration("duration", took))
	}
	for _, effect := range effects {
		l.perform(effect)
	}
}

// look is the newest snapshot; lookers between two steps share one.
func (l *loop) look() *core.Snapshot {
	if l.snapshot == nil {
		l.snapshot = l.core.Snapshot()
	} else {
		l.shared.Inc()
	}
	return l.snapshot
}

// closeAll ends every stream. No input is taken any more.
func (l *loop) closeAll() {
	for _, s := range l.agents {
		s.Close()
	}
	for _, s := range l.frameworks {
		s.Close()
	}
	for _, s := range l.operators {
		s.Close()
	}
}

// put hands an input to the loop. It waits while the inbox is full.
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

// await waits for an answer to an input that was put.
func await[A any](ctx context.Context, l *loop, answer <-chan A) (A, error) {
	var none A
	select {
	case a := <-answer:
		return a, nil
	case <-l.ended:
		return none, errEnded
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// ask runs f in the loop, between two steps, and returns what it does.
func ask[A any](ctx context.Context, l *loop, f func() A) (A, error) {
	answer := make(chan A, 1)
	if err := l.put(ctx, input{do: func() { answer <- f() }}); err != nil {
		var none A
		return none, err
	}
	return await(ctx, l, answer)
}

// Send implements api.Master.
func (m *master) Send(ctx context.Context, ev core.Event) error {
	return m.loop.put(ctx, input{event: ev})
}

// Open implements api.Master.
func (m *master) Open(ctx context.Context, ev core.Event, sink api.Sink) error {
	return m.loop.put(ctx, input{event: ev, sink: sink})
}

// Call implements api.Master.
func (m *master) Call(ctx context.Context, event func(core.Request) core.Event) (core.Reply, error) {
	reply := make(chan core.Reply, 1)
	request := core.Request(m.loop.request.Add(1))
	if err := m.loop.put(ctx, input{event: event(request), reply: reply}); err != nil {
		return core.Reply{}, err
	}
	return await(ctx, m.loop, reply)
}

// View implements api.Master.
func (m *master) View(ctx context.Context) (*core.Snapshot, error) {
	return ask(ctx, m.loop, m.loop.look)
}

// Watch implements api.Master.
func (m *master) Watch(ctx context.Context, sink api.Sink) (*core.Snapshot, error) {
	return ask(ctx, m.loop, func() *core.Snapshot {
		m.loop.operators = append(m.loop.operators, sink)
		return m.loop.look()
	})
}

// Unwatch implements api.Master.
func (m *master) Unwatch(sink api.Sink) {
	l := m.loop
	// Only a loop that has ended refuses, and then there is nothing to take out.
	_ = l.put(context.Background(), input{do: func() {
		l.operators = slices.DeleteFunc(l.operators, func(s api.Sink) bool { return s == sink })
	}})
}

// Registry implements api.Master.
func (m *master) Registry(ctx context.Context) (*registrypb.Registry, error) {
	return m.registrar.Read(ctx)
}

// Explain implements api.Master.
func (m *master) Explain(ctx context.Context, q allocator.Question) (core.Explanation, error) {
	return attempt(ctx, m.loop, func() (core.Explanation, error) { return m.loop.core.Explain(q) })
}

// Overview implements api.Master.
func (m *master) Overview(ctx context.Context, emptyFor time.Duration, limit int) (core.Overview, error) {
	return ask(ctx, m.loop, func() core.Overview { return m.loop.core.Overview(emptyFor, limit) })
}

// attempt is ask for what may fail.
func attempt[A any](ctx context.Context, l *loop, f func() (A, error)) (A, error) {
	type result struct {
		answer A
		err    error
	}
	r, err := ask(ctx, l, func() result { a, err := f(); return result{a, err} })
	if err != nil {
		return r.answer, err
	}
	return r.answer, r.err
}
