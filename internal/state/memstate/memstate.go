// Package memstate keeps a state.Store in memory. It owns nothing that
// survives the process: it is the store of `--registry=in_memory` and the
// working fake of tests. Safe for concurrent use.
package memstate

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/soukproject/souk/internal/state"
)

// Store is a state.Store in memory.
type Store struct {
	mu      sync.Mutex
	entries map[string]state.Entry
	version uint64 // of the last write, over all entries
	closed  bool
	failure error
}

var _ state.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{entries: make(map[string]state.Entry)}
}

// Fail makes every Apply from now on return err without writing, as a full or
// broken disk would; nil ends that.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

// Get implements state.Store.
func (s *Store) Get(ctx context.Context, name string) (state.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return state.Entry{}, fmt.Errorf("get %q: %w", name, err)
	}
	e, ok := s.entries[name]
	if !ok {
		return state.Entry{}, fmt.Errorf("get %q: %w", name, state.ErrNotFound)
	}
	return clone(e), nil
}

// List implements state.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]state.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, fmt.Errorf("list %q: %w", prefix, err)
	}
	var found []state.Entry
	for name, e := range s.entries {
		if strings.HasPrefix(name, prefix) {
			found = append(found, clone(e))
		}
	}
	slices.SortFunc(found, func(a, b state.Entry) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// Apply implements state.Store.
func (s *Store) Apply(ctx context.Context, ops ...state.Op) ([]state.Entry, error) {
	if err := state.Check(ops); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	if s.failure != nil {
		return nil, fmt.Errorf("apply: %w", s.failure)
	}
	for _, op := range ops {
		if s.entries[op.Name].Version != op.Version {
			return nil, fmt.Errorf("apply %q: %w", op.Name, state.ErrConflict)
		}
	}
	written := make([]state.Entry, 0, len(ops))
	for _, op := range ops {
		written = append(written, s.write(op))
	}
	return written, nil
}

func (s *Store) write(op state.Op) state.Entry {
	if op.Delete {
		delete(s.entries, op.Name)
		return state.Entry{Name: op.Name}
	}
	s.version++
	e := op.Entry
	e.Version = s.version
	s.entries[op.Name] = clone(e)
	return e
}

// Close implements state.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *Store) usable(ctx context.Context) error {
	if s.closed {
		return state.ErrClosed
	}
	return ctx.Err()
}

func clone(e state.Entry) state.Entry {
	e.Value = bytes.Clone(e.Value)
	return e
}
