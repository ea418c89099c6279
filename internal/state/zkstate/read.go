package zkstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/zookeeper"
)

// readers is how many nodes are read at a time.
const readers = 64

// settleAttempts is how often a snapshot is tried while another process writes.
const settleAttempts = 50

// take waits for the store's fields.
func (s *Store) take(ctx context.Context) error {
	switch {
	case s.ctx.Err() != nil:
		return state.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	select {
	case <-s.turn:
		return nil
	case <-s.ctx.Done():
		return state.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) give() { s.turn <- struct{}{} }

// Get implements state.Store.
func (s *Store) Get(ctx context.Context, name string) (state.Entry, error) {
	if err := s.take(ctx); err != nil {
		return state.Entry{}, fmt.Errorf("get %q: %w", name, err)
	}
	defer s.give()
	e, err := s.read(ctx, name)
	if err != nil {
		return state.Entry{}, fmt.Errorf("get %q: %w", name, err)
	}
	return e, nil
}

// read reads one entry. The caller has the turn.
func (s *Store) read(ctx context.Context, name string) (state.Entry, error) {
	path := s.entryPath(name)
	n, err := s.get(ctx, path)
	if errors.Is(err, zookeeper.ErrNotFound) {
		s.versions[name] = 0
		return state.Entry{}, state.ErrNotFound
	}
	if err != nil {
		return state.Entry{}, err
	}
	version, value, err := decode(n.Data)
	if err != nil {
		return state.Entry{}, fmt.Errorf("znode %s: %w", path, err)
	}
	s.versions[name] = version
	return state.Entry{Name: name, Value: value, Version: version}, nil
}

// List implements state.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]state.Entry, error) {
	if err := s.take(ctx); err != nil {
		return nil, fmt.Errorf("list %q: %w", prefix, err)
	}
	defer s.give()
	found, err := s.snapshot(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", prefix, err)
	}
	for _, e := range found {
		s.versions[e.Name] = e.Version
	}
	if !s.isListed(prefix) {
		s.listed = append(s.listed, prefix)
	}
	return found, nil
}

// isListed reports whether all entries are known whose names begin so.
func (s *Store) isListed(name string) bool {
	return slices.ContainsFunc(s.listed, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// snapshot reads entries between two looks at the last write, until both see
// the same.
func (s *Store) snapshot(ctx context.Context, prefix string) ([]state.Entry, error) {
	for range settleAttempts {
		before, version, err := s.readCommit(ctx)
		if err != nil {
			return nil, err
		}
		session, err := s.client.Session(ctx)
		if err != nil {
			return nil, err
		}
		found, err := s.readAll(ctx, prefix)
		if errors.Is(err, zookeeper.ErrNotFound) { // deleted since it was listed
			continue
		}
		if err != nil {
			return nil, err
		}
		_, after, err := s.readCommit(ctx)
		if err != nil {
			return nil, err
		}
		if before.Parts == 0 && after == version && session.Err() == nil { // another one may have been behind
			return found, nil
		}
	}
	return nil, errors.New("it changes faster than it can be read: try again when less goes on")
}

// readAll reads the entries of a prefix.
func (s *Store) readAll(ctx context.Context, prefix string) ([]state.Entry, error) {
	paths, err := s.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	found := make([]state.Entry, len(paths))
	err = each(readers, len(paths), func(i int) error {
		var n zookeeper.Node
		err := s.ask(ctx, func(z *zookeeper.Session) (err error) {
			n, err = z.Get(ctx, paths[i].path)
			return err
		})
		if err != nil {
			return err
		}
		version, value, err := decode(n.Data)
		if err != nil {
			return fmt.Errorf("znode %s: %w", paths[i].path, err)
		}
		found[i] = state.Entry{Name: paths[i].name, Value: value, Version: version}
		return nil
	})
	return found, err
}

type place struct{ name, path string }

// list finds the entries of a prefix, sorted by name.
func (s *Store) list(ctx context.Context, prefix string) ([]place, error) {
	var mu sync.Mutex
	var all []place
	err := each(readers, buckets, func(b int) error {
		var names []string
		err := s.ask(ctx, func(z *zookeeper.Session) (err error) {
			names, err = z.Children(ctx, s.bucketPath(b))
			return err
		})
		if err != nil {
			return err
		}
		for _, text := range names {
			path := s.bucketPath(b) + "/" + text
			name, err := unescape(text)
			if err != nil || s.entryPath(name) != path {
				return fmt.Errorf("znode %s: %w", path, errNotOurs)
			}
			if strings.HasPrefix(name, prefix) {
				mu.Lock()
				all = append(all, place{name, path})
				mu.Unlock()
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b place) int { return cmp.Compare(a.name, b.name) })
	return all, err
}

// each calls do with 0 to n-1, so many at a time, and returns one of its errors.
func each(workers, n int, do func(i int) error) error {
	var mu sync.Mutex
	var failed error
	next := 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		i := next
		next++
		return i, i < n && failed == nil
	}
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				if err := do(i); err != nil {
					mu.Lock()
					failed = cmp.Or(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return failed
}
