package zkstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/zookeeper"
)

// groupSize bounds how many Apply calls are looked at together.
const groupSize = 1024

// groupBytes bounds one multi-operation, beside the commit that is part of it.
const groupBytes = zookeeper.MaxBytes - 4096

// A write is one Apply on its way to the writer.
type write struct {
	ops    []state.Op
	result chan<- result
}

type result struct {
	entries []state.Entry
	err     error
}

// Apply implements state.Store. Calls that wait at the same time share one
// multi-operation. The outcome of a call whose answer was lost is found out.
func (s *Store) Apply(ctx context.Context, ops ...state.Op) ([]state.Entry, error) {
	if err := state.Check(ops); err != nil {
		return nil, err
	}
	done := make(chan result, 1)
	if s.ctx.Err() != nil {
		return nil, fmt.Errorf("apply: %w", state.ErrClosed)
	}
	select {
	case s.writes <- write{ops: ops, result: done}:
	case <-s.ctx.Done():
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

// writer performs writes until Close, each time all that are waiting.
func (s *Store) writer() {
	defer close(s.done)
	for {
		select {
		case w := <-s.writes:
			s.perform(s.gather(w))
		case <-s.ctx.Done():
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

// A batch is writes that go into one multi-operation.
type batch struct {
	ops     []zookeeper.Op
	bytes   int
	seq     uint64 // of its last write
	waiting []func(error)
}

// perform carries out a group of writes in as few multi-operations as fit.
func (s *Store) perform(group []write) {
	if err := s.take(s.ctx); err != nil {
		for _, w := range group {
			w.result <- result{err: fmt.Errorf("apply: %w", err)}
		}
		return
	}
	defer s.give()
	b := &batch{seq: s.commit.Seq}
	for _, w := range group {
		ops, entries, err := s.prepare(w.ops, b.seq+1)
		if err != nil {
			w.result <- result{err: fmt.Errorf("apply: %w", err)}
			continue
		}
		bytes := weigh(ops)
		if len(b.ops) > 0 && b.bytes+bytes > groupBytes {
			s.flush(b)
			b = &batch{seq: b.seq}
		}
		b.ops, b.bytes, b.seq = append(b.ops, ops...), b.bytes+bytes, b.seq+1
		b.waiting = append(b.waiting, func(err error) { w.result <- result{entries, err} })
		for _, e := range entries {
			s.versions[e.Name] = e.Version
		}
	}
	s.flush(b)
}

func weigh(ops []zookeeper.Op) (bytes int) {
	for _, op := range ops {
		bytes += op.Weigh()
	}
	return bytes
}

// prepare compares versions and makes the operations of one write, which are
// those of the store as this write will find it.
func (s *Store) prepare(ops []state.Op, seq uint64) (out []zookeeper.Op, entries []state.Entry, err error) {
	if s.broken != nil {
		return nil, nil, s.broken
	}
	for _, op := range ops {
		version, err := s.versionOf(op.Name)
		if err != nil {
			return nil, nil, err
		}
		if version != op.Version {
			return nil, nil, fmt.Errorf("%q: %w", op.Name, state.ErrConflict)
		}
		path := s.entryPath(op.Name)
		if op.Delete {
			out, entries = append(out, operation(zookeeper.OpDelete, path, nil)), append(entries, state.Entry{Name: op.Name})
			continue
		}
		kind := zookeeper.OpSet
		if version == 0 {
			kind = zookeeper.OpCreate
		}
		out = append(out, operation(kind, path, encode(seq, op.Value)))
		entries = append(entries, state.Entry{Name: op.Name, Value: op.Value, Version: seq})
	}
	return out, entries, nil
}

// versionOf looks an entry's version up if it is not known: nobody else writes.
func (s *Store) versionOf(name string) (uint64, error) {
	if version, known := s.versions[name]; known || s.isListed(name) {
		return version, nil
	}
	e, err := s.read(s.ctx, name)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return 0, err
	}
	return e.Version, nil
}

// flush makes a batch durable and tells those who wait. After a failure the
// store writes no more: what it believes to be there may not be.
func (s *Store) flush(b *batch) {
	if len(b.waiting) == 0 {
		return
	}
	if s.broken == nil {
		if b.bytes <= groupBytes {
			next := s.commit
			next.Seq = b.seq
			s.broken = s.advance(s.ctx, next, b.ops...)
		} else {
			s.broken = s.writeParts(b)
		}
	}
	err := s.broken
	if err != nil {
		err = fmt.Errorf("apply: %w", err)
		if s.ctx.Err() != nil {
			err = fmt.Errorf("apply: outcome unknown: %w", state.ErrClosed)
		}
	}
	for _, tell := range b.waiting {
		tell(err)
	}
}

// writeParts writes what fits no multi-operation: first all parts aside, then
// the word that they count, then what they say. Whoever takes over after that
// word finishes the rest.
func (s *Store) writeParts(b *batch) error {
	parts := split(b.ops)
	for i, part := range parts {
		if err := s.stage(b.seq, i, encodeOps(part)); err != nil {
			return err
		}
	}
	next := s.commit
	next.Seq, next.Parts, next.Done = b.seq, len(parts), 0
	if err := s.advance(s.ctx, next); err != nil {
		return err
	}
	return s.finish(s.ctx)
}

func split(ops []zookeeper.Op) (parts [][]zookeeper.Op) {
	bytes := groupBytes + 1
	for _, op := range ops {
		if bytes += op.Weigh(); bytes > groupBytes {
			parts, bytes = append(parts, nil), op.Weigh()
		}
		last := len(parts) - 1
		parts[last] = append(parts[last], op)
	}
	return parts
}

// stage puts one part aside, if this store may still write.
func (s *Store) stage(seq uint64, i int, data []byte) error {
	err := s.ask(s.ctx, func(z *zookeeper.Session) error {
		return z.Multi(s.ctx, zookeeper.Op{Kind: zookeeper.OpCheck, Path: s.commitPath(), Version: s.version}, made(s.stagedPath(seq, i), data))
	})
	switch {
	case errors.Is(err, zookeeper.ErrExists): // the answer to an earlier attempt was lost
		return nil
	case errors.Is(err, zookeeper.ErrVersion):
		return ErrSuperseded
	}
	return err
}

// finish does what is left of a write in parts.
func (s *Store) finish(ctx context.Context) error {
	for s.commit.Parts > 0 {
		path := s.stagedPath(s.commit.Seq, s.commit.Done)
		n, err := s.get(ctx, path)
		if err != nil {
			return fmt.Errorf("finish a write: %w", err)
		}
		ops, err := decodeOps(n.Data)
		if err != nil {
			return fmt.Errorf("znode %s: %w", path, err)
		}
		next := s.commit
		if next.Done++; next.Done == next.Parts {
			next.Parts, next.Done = 0, 0
		}
		gone := zookeeper.Op{Kind: zookeeper.OpDelete, Path: path, Version: zookeeper.AnyVersion}
		if err := s.advance(ctx, next, append(ops, gone)...); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes parts of a write that never counted.
func (s *Store) sweep(ctx context.Context) error {
	return s.ask(ctx, func(z *zookeeper.Session) error {
		folder := s.cfg.URL.Path + "/staged"
		names, err := z.Children(ctx, folder)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := z.Delete(ctx, folder+"/"+name, zookeeper.AnyVersion); err != nil && !errors.Is(err, zookeeper.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

// advance makes next the last write, together with ops, provided that this
// store made the one before. If the answer is lost it looks what happened.
func (s *Store) advance(ctx context.Context, next commit, ops ...zookeeper.Op) error {
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	ops = append([]zookeeper.Op{{Kind: zookeeper.OpSet, Path: s.commitPath(), Data: data, Version: s.version}}, ops...)
	for {
		err := s.once(ctx, func(z *zookeeper.Session) error { return z.Multi(ctx, ops...) })
		if err == nil {
			s.commit, s.version = next, s.version+1
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		found, version, looked := s.readCommit(ctx)
		switch {
		case looked != nil:
			return errors.Join(err, looked)
		case version == s.version+1 && found == next:
			s.commit, s.version = next, version
			return nil
		case version != s.version:
			return ErrSuperseded
		case !interrupted(err):
			return fmt.Errorf("something else than souk changes what is below %s: %w", s.cfg.URL.Path, err)
		}
	}
}
