// Package registrar keeps the master's registry in a state.Store: one entry per
// agent and per role, so that a change writes what changed and nothing else. It
// owns the entries' names and layout, the grouping of writes, and the fence
// that refuses a master which another one has superseded. It decides nothing.
//
// Submit and Recover may be called from any goroutine; Run belongs to one.
package registrar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/internal/state"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
)

// format is the version of the layout that this build reads and writes.
const format = 1

// ErrSuperseded says that another master has taken over the registry since this
// one recovered it; this one must end.
var ErrSuperseded = errors.New("another master has taken over the registry")

// Config is what a Registrar needs.
type Config struct {
	Store        state.Store
	Log          *zap.Logger
	Metrics      *metrics.Registry
	FetchTimeout time.Duration // for Recover as a whole; Mesos: --registry_fetch_timeout
	StoreTimeout time.Duration // for one group of writes; Mesos: --registry_store_timeout
}

// A Write is operations to be made durable, all or none. Done is called, from
// Run's goroutine, when they are; if they cannot be, Run ends instead.
type Write struct {
	Operations []*registrypb.Operation
	Done       func()
}

// Registrar writes the registry of one leading master.
type Registrar struct {
	cfg   Config
	image image // what the store holds; Recover fills it, then Run owns it

	wake  chan struct{} // holds one token while writes wait
	mu    sync.Mutex
	queue []Write
}

// New returns a registrar that has not yet recovered.
func New(cfg Config) *Registrar {
	r := &Registrar{cfg: cfg, wake: make(chan struct{}, 1)}
	cfg.Metrics.AddSource(r.measure)
	return r
}

// Submit queues w behind earlier writes. It does not block.
func (r *Registrar) Submit(w Write) {
	r.mu.Lock()
	r.queue = append(r.queue, divide(w)...)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// pruneSize is how many agents one transaction forgets.
const pruneSize = 1000

// divide makes several writes of one that prunes more agents than a transaction
// holds. Pruning may end half done: the rest is found again.
func divide(w Write) []Write {
	if len(w.Operations) != 1 || len(w.Operations[0].GetAgentIds()) <= pruneSize {
		return []Write{w}
	}
	var parts []Write
	for ids := range slices.Chunk(w.Operations[0].GetAgentIds(), pruneSize) {
		op := &registrypb.Operation{Type: w.Operations[0].Type, AgentIds: ids}
		parts = append(parts, Write{Operations: []*registrypb.Operation{op}, Done: func() {}})
	}
	parts[len(parts)-1].Done = w.Done
	return parts
}

// Run performs writes in order until ctx ends or a write fails. Writes that
// wait while another is under way go together in one transaction.
func (r *Registrar) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.wake:
		}
		if err := r.writeAll(ctx, r.take()); err != nil {
			return fmt.Errorf("write registry: %w", err)
		}
	}
}

func (r *Registrar) take() []Write {
	r.mu.Lock()
	defer r.mu.Unlock()
	queue := r.queue
	r.queue = nil
	return queue
}

// writeAll performs writes in as few transactions as the store's limits allow.
func (r *Registrar) writeAll(ctx context.Context, writes []Write) error {
	for len(writes) > 0 {
		group, err := r.image.group(writes)
		if err != nil {
			return err
		}
		if err := r.store(ctx, group); err != nil {
			return err
		}
		for _, w := range writes[:group.writes] {
			w.Done()
		}
		writes = writes[group.writes:]
	}
	return nil
}

// store makes one group durable and remembers the versions it got.
func (r *Registrar) store(ctx context.Context, g group) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.StoreTimeout)
	defer cancel()
	began := time.Now()
	written, err := r.cfg.Store.Apply(ctx, g.ops...)
	if errors.Is(err, state.ErrConflict) {
		return fmt.Errorf("%w: %w", ErrSuperseded, err)
	}
	if err != nil {
		return err
	}
	r.cfg.Metrics.Timer("registrar/state_store").Observe(time.Since(began))
	r.cfg.Log.Debug("registry written", zap.Int("writes", g.writes), zap.Int("entries", len(g.ops)), zap.Duration("duration", time.Since(began)))
	r.image.accept(written)
	r.cfg.Metrics.Gauge("registrar/registry_size_bytes").Set(float64(r.image.bytes))
	return nil
}

func (r *Registrar) measure(_ context.Context, emit func(metrics.Value)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	emit(metrics.Value{Name: "registrar/queued_operations", Kind: metrics.GaugeKind, Value: float64(len(r.queue))})
}
