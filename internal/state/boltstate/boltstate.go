// Package boltstate keeps a state.Store in one bbolt file: the store of a
// single machine, and the only door to bbolt. It owns the file, its format
// version and the grouping of concurrent writes into one fsync; it does not
// own a directory layout or backups. Safe for concurrent use.
package boltstate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/soukproject/souk/internal/state"
)

// format is the version of the file's layout that this build reads and writes.
const format = "1"

// lockTimeout is how long Open waits for another process to let go of the file:
// long enough for a daemon that is just ending, short enough to be told soon.
const lockTimeout = 3 * time.Second

// groupSize bounds how many Apply calls share one transaction.
const groupSize = 1024

var (
	metaBucket    = []byte("meta")
	entriesBucket = []byte("entries")
	formatKey     = []byte("format")
)

// Store is a state.Store in one file.
type Store struct {
	db     *bolt.DB
	writes chan write
	quit   chan struct{} // closed by Close
	done   chan struct{} // closed when the writer has ended
}

var _ state.Store = (*Store)(nil)

// A write is one Apply on its way to the writer.
type write struct {
	ops    []state.Op
	result chan<- result
}

type result struct {
	entries []state.Entry
	err     error
}

// Open opens the store in file path, which is created if absent together with
// its folder. Close must be called.
func Open(path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("open state file %s: %w", path, err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:        lockTimeout,
		FreelistType:   bolt.FreelistMapType,
		NoFreelistSync: true,
	})
	if err != nil {
		return nil, openError(path, err)
	}
	if err := prepare(db, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Store{db: db, writes: make(chan write), quit: make(chan struct{}), done: make(chan struct{})}
	go s.writer()
	return s, nil
}

// openError says in one line what stands in the way and what to do.
func openError(path string, err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("state file %s is in use by another process: stop it or choose another work directory", path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("state file %s is damaged or not a state file (%w): move it away or restore a backup", path, err)
	}
	return fmt.Errorf("open state file %s: %w", path, err)
}

// prepare creates the buckets of a new file and refuses one of another format.
func prepare(db *bolt.DB, path string) error {
	var found []byte
	err := db.View(func(tx *bolt.Tx) error {
		if b := tx.Bucket(metaBucket); b != nil {
			found = bytes.Clone(b.Get(formatKey))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read state file %s: %w", path, err)
	}
	switch {
	case string(found) == format:
		return nil
	case found != nil:
		return fmt.Errorf("state file %s has format %q, this build reads format %q: use the build that wrote it, or another work directory", path, found, format)
	}
	if err := db.Update(create); err != nil {
		return fmt.Errorf("prepare state file %s: %w", path, err)
	}
	return nil
}

func create(tx *bolt.Tx) error {
	meta, err := tx.CreateBucketIfNotExists(metaBucket)
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucketIfNotExists(entriesBucket); err != nil {
		return err
	}
	return meta.Put(formatKey, []byte(format))
}

// Get implements state.Store.
func (s *Store) Get(ctx context.Context, name string) (state.Entry, error) {
	var e state.Entry
	err := s.view(ctx, func(b *bolt.Bucket) error {
		raw := b.Get([]byte(name))
		if raw == nil {
			return state.ErrNotFound
		}
		e = decode([]byte(name), raw)
		return nil
	})
	if err != nil {
		return state.Entry{}, fmt.Errorf("get %q: %w", name, err)
	}
	return e, nil
}

// List implements state.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]state.Entry, error) {
	var found []state.Entry
	err := s.view(ctx, func(b *bolt.Bucket) error {
		c := b.Cursor()
		for k, v := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, v = c.Next() {
			found = append(found, decode(k, v))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", prefix, err)
	}
	return found, nil
}

func (s *Store) view(ctx context.Context, read func(*bolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.View(func(tx *bolt.Tx) error { return read(tx.Bucket(entriesBucket)) })
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return state.ErrClosed
	}
	return err
}

// Apply implements state.Store. Calls that wait at the same time share one
// transaction, and so one fsync.
func (s *Store) Apply(ctx context.Context, ops ...state.Op) ([]state.Entry, error) {
	if err := state.Check(ops); err != nil {
		return nil, err
	}
	done := make(chan result, 1)
	select {
	case s.writes <- write{ops: ops, result: done}:
	case <-s.quit:
		return nil, fmt.Errorf("apply: %w", state.ErrClosed)
	case <-ctx.Done():
		return nil, fmt.Errorf("apply: %w", ctx.Err())
	}
	select {
	case r := <-done:
		return r.entries, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("apply: outcome unknown: %w", ctx.Err())
	}
}

// Close implements state.Store. It may be called once.
func (s *Store) Close() error {
	close(s.quit)
	<-s.done
	return s.db.Close()
}

// writer performs writes until Close, each time all that are waiting.
func (s *Store) writer() {
	defer close(s.done)
	for {
		select {
		case w := <-s.writes:
			s.commit(s.gather(w))
		case <-s.quit:
			return
		}
	}
}

func (s *Store) gather(first write) []write {
	group := []write{first}
	for len(group) < groupSize {
		select {
		case w := <-s.writes:
			group = append(group, w)
		default:
			return group
		}
	}
	return group
}

// commit writes a group in one transaction. A write in conflict is refused
// alone; a transaction that fails fails all of its writes.
func (s *Store) commit(group []write) {
	results := make([]result, len(group))
	err := s.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(entriesBucket)
		for i, w := range group {
			if results[i].err = conflict(b, w.ops); results[i].err != nil {
				continue
			}
			var err error
			if results[i].entries, err = perform(b, w.ops); err != nil {
				return err
			}
		}
		return nil
	})
	for i, w := range group {
		if err != nil {
			results[i] = result{err: fmt.Errorf("apply: write state file: %w", err)}
		}
		w.result <- results[i]
	}
}

func conflict(b *bolt.Bucket, ops []state.Op) error {
	for _, op := range ops {
		var version uint64
		if raw := b.Get([]byte(op.Name)); raw != nil {
			version = binary.BigEndian.Uint64(raw)
		}
		if version != op.Version {
			return fmt.Errorf("apply %q: %w", op.Name, state.ErrConflict)
		}
	}
	return nil
}

func perform(b *bolt.Bucket, ops []state.Op) ([]state.Entry, error) {
	written := make([]state.Entry, 0, len(ops))
	for _, op := range ops {
		e, err := performOne(b, op)
		if err != nil {
			return nil, err
		}
		written = append(written, e)
	}
	return written, nil
}

func performOne(b *bolt.Bucket, op state.Op) (state.Entry, error) {
	key := []byte(op.Name)
	if op.Delete {
		return state.Entry{Name: op.Name}, b.Delete(key)
	}
	version, err := b.NextSequence() // never reused, so a stale version stays stale
	if err != nil {
		return state.Entry{}, err
	}
	e := op.Entry
	e.Version = version
	return e, b.Put(key, append(binary.BigEndian.AppendUint64(nil, version), op.Value...))
}

// decode copies out of the transaction's memory: version, then value.
func decode(name, raw []byte) state.Entry {
	return state.Entry{Name: string(name), Value: bytes.Clone(raw[8:]), Version: binary.BigEndian.Uint64(raw)}
}
