package marathon

import (
	"context"
	"fmt"
	"sync"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/internal/state"
)

// Bounds of one write, within those of the store.
const (
	writeOps   = state.MaxOps / 2
	writeBytes = state.MaxApplyBytes / 2
)

// A writer performs Persist effects in their order. What gathers while one
// write is under way becomes the next one, so that load makes writes larger
// and not more. A write that fails ends the process.
type writer struct {
	store    state.Store
	durable  chan uint64       // latest Seq written; holds one, the newest
	wake     chan struct{}     // something waits
	versions map[string]uint64 // of all entries; run's own

	mu      sync.Mutex
	waiting []core.Persist
}

func newWriter(store state.Store) *writer {
	return &writer{
		store: store, durable: make(chan uint64, 1), wake: make(chan struct{}, 1), versions: map[string]uint64{},
	}
}

// load reads all records. It comes before run.
func (w *writer) load(ctx context.Context) ([]core.Record, error) {
	entries, err := w.store.List(ctx, core.Prefix)
	if err != nil {
		return nil, fmt.Errorf("list records %s: %w", core.Prefix, err)
	}
	records := make([]core.Record, len(entries))
	for i, e := range entries {
		records[i] = core.Record{Name: e.Name, Value: e.Value}
		w.versions[e.Name] = e.Version
	}
	return records, nil
}

// write queues a Persist and does not block. The queue is bounded by what the
// loop takes in before an answer: requests, offers and updates under way.
func (w *writer) write(p core.Persist) {
	w.mu.Lock()
	w.waiting = append(w.waiting, p)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.wake:
		}
		for batch := w.next(); len(batch) > 0; batch = w.next() {
			if err := w.apply(ctx, batch); err != nil {
				return err
			}
			w.confirm(batch[len(batch)-1].Seq)
		}
	}
}

// next takes as many Persists as fit one write.
func (w *writer) next() []core.Persist {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, ops, bytes := 0, 0, 0
	for n < len(w.waiting) {
		ops += len(w.waiting[n].Ops)
		for _, op := range w.waiting[n].Ops {
			bytes += len(op.Name) + len(op.Value)
		}
		if n > 0 && (ops > writeOps || bytes > writeBytes) {
			break
		}
		n++
	}
	batch := w.waiting[:n:n]
	w.waiting = w.waiting[n:]
	return batch
}

// apply writes a batch as one transaction: the last operation on each record.
func (w *writer) apply(ctx context.Context, batch []core.Persist) error {
	last := map[string]core.Op{}
	var order []string
	for _, p := range batch {
		for _, op := range p.Ops {
			if _, again := last[op.Name]; !again {
				order = append(order, op.Name)
			}
			last[op.Name] = op
		}
	}
	ops := make([]state.Op, 0, len(order))
	for _, name := range order {
		op, version := last[name], w.versions[name]
		if op.Delete && version == 0 {
			continue // written and deleted in one batch, or never written
		}
		ops = append(ops, state.Op{Entry: state.Entry{Name: name, Value: op.Value, Version: version}, Delete: op.Delete})
	}
	if len(ops) == 0 {
		return nil
	}
	written, err := w.store.Apply(ctx, ops...)
	if err != nil {
		return fmt.Errorf("write %d records: %w", len(ops), err)
	}
	for _, e := range written {
		w.versions[e.Name] = e.Version
		if e.Version == 0 {
			delete(w.versions, e.Name)
		}
	}
	return nil
}

// confirm replaces a confirmation that the loop has not taken yet.
func (w *writer) confirm(seq uint64) {
	select {
	case <-w.durable:
	default:
	}
	w.durable <- seq
}
