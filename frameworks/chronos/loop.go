package chronos

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/frameworks/chronos/core"
	"github.com/soukproject/souk/internal/metrics"
)

const (
	maxUnsaid  = 1 << 17          // calls that wait for the master to take them
	clockCheck = 15 * time.Second // between two looks at the clock
)

// A loop owns the core: its goroutine alone steps it, one event at a time, and
// hands effects on without ever waiting for them.
type loop struct {
	core    *core.Chronos
	log     *zap.Logger
	subject string // of notices, in front

	asks   chan ask
	views  chan view
	events chan core.Event

	unsaved chan []core.Persist // taken by the disk when it is idle: writes group by themselves
	saved   chan uint64
	unsaid  chan []core.Effect // taken by the framework's caller when it is idle

	toSave   []core.Persist
	toSay    []core.Effect
	requests core.Request
	waiting  map[core.Request]chan<- error
}

// An ask is a call of a client that waits for a reply.
type ask struct {
	build func(core.Request) core.Event
	reply chan<- error // has room for one
}

// A view looks at the core between two steps.
type view struct {
	look func(*core.Chronos)
	done chan<- struct{}
}

func newLoop(machine *core.Chronos, cluster string, log *zap.Logger) *loop {
	subject := "[Chronos] "
	if cluster != "" {
		subject = "[" + cluster + "] " + subject
	}
	return &loop{
		core: machine, log: log, subject: subject,
		asks: make(chan ask), views: make(chan view), events: make(chan core.Event, 256),
		unsaved: make(chan []core.Persist), saved: make(chan uint64), unsaid: make(chan []core.Effect),
		waiting: make(map[core.Request]chan<- error),
	}
}

// run steps the core until ctx ends.
func (l *loop) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		ev, ok := l.next(ctx, timer)
		switch {
		case ctx.Err() != nil:
			return nil
		case !ok:
			continue
		case len(l.toSay) > maxUnsaid:
			return errors.New("the master takes no calls: too many wait")
		}
		l.perform(l.core.Step(wallClock(), ev))
		l.arm(timer)
	}
}

// next waits for an event; false when something else was done meanwhile.
func (l *loop) next(ctx context.Context, timer *time.Timer) (core.Event, bool) {
	var unsaved chan<- []core.Persist
	if len(l.toSave) > 0 {
		unsaved = l.unsaved
	}
	var unsaid chan<- []core.Effect
	if len(l.toSay) > 0 {
		unsaid = l.unsaid
	}
	select {
	case <-ctx.Done():
	case v := <-l.views:
		v.look(l.core)
		close(v.done)
	case unsaved <- l.toSave:
		l.toSave = nil
	case unsaid <- l.toSay:
		l.toSay = nil
	case a := <-l.asks:
		l.requests++
		l.waiting[l.requests] = a.reply
		return a.build(l.requests), true
	case ev := <-l.events:
		return ev, true
	case seq := <-l.saved:
		return core.Persisted{Seq: seq}, true
	case <-timer.C:
		return core.Tick{}, true
	}
	return nil, false
}

// wallClock is now without its monotonic reading: schedules follow the clock on
// the wall, also when it is set.
func wallClock() time.Time { return time.Now().Round(0) }

// arm sets the timer for the core's deadline, or for a look at the clock when
// that is far away: timers do not notice that the clock was set.
func (l *loop) arm(timer *time.Timer) {
	at, ok := l.core.Deadline()
	if !ok {
		timer.Stop()
		return
	}
	timer.Reset(min(at.Sub(wallClock()), clockCheck))
}

// perform hands effects to who carries them out.
func (l *loop) perform(effects []core.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case core.Persist:
			l.toSave = append(l.toSave, e)
		case core.Reply:
			l.waiting[e.Request] <- e.Err
			delete(l.waiting, e.Request)
		case core.Notice:
			l.log.Info("notice", zap.String("job", e.Job), zap.String("owner", e.Owner), zap.String("subject", l.subject+e.Subject), zap.String("message", e.Message))
		default:
			l.toSay = append(l.toSay, e)
		}
	}
}

// tell gives the core an event nobody waits for.
func (l *loop) tell(ctx context.Context, ev core.Event) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case l.events <- ev:
		return nil
	}
}

// Call implements api.Scheduler.
func (l *loop) Call(ctx context.Context, build func(core.Request) core.Event) error {
	reply := make(chan error, 1)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case l.asks <- ask{build: build, reply: reply}:
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-reply:
		return err
	}
}

// View implements api.Scheduler.
func (l *loop) View(ctx context.Context, look func(*core.Chronos)) error {
	done := make(chan struct{})
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case l.views <- view{look: look, done: done}:
	}
	<-done // the loop is looking: it will not be long
	return nil
}

// measure is the source of the metrics of the whole scheduler.
func (l *loop) measure(ctx context.Context, emit func(metrics.Value)) {
	var values []metrics.Value
	err := l.View(ctx, func(c *core.Chronos) {
		high, normal := c.Queued()
		n := c.Counters()
		gauge := func(name string, v int) {
			values = append(values, metrics.Value{Name: name, Kind: metrics.GaugeKind, Value: float64(v)})
		}
		count := func(name string, v int64) {
			values = append(values, metrics.Value{Name: name, Kind: metrics.CounterKind, Value: float64(v)})
		}
		gauge("chronos/jobs", len(c.Jobs()))
		gauge("chronos/queued_high_priority", high)
		gauge("chronos/queued", normal)
		count("chronos/runs_launched", n.Launched)
		count("chronos/runs_succeeded", n.Succeeded)
		count("chronos/runs_failed", n.Failed)
		count("chronos/runs_skipped", n.Skipped)
		count("chronos/offers_declined", n.Declined)
		count("chronos/revives", n.Revived)
	})
	if err != nil {
		return // the process ends, or the asker gave up
	}
	for _, v := range values {
		emit(v)
	}
}
