package zkstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/zookeeper"
)

// ErrNotEmpty says that the state to fill has entries already.
var ErrNotEmpty = errors.New("it is not empty")

// Fill puts entries into state that has none yet, for the owner of cfg. Nobody
// can open the state before all of them are there; what a Fill left that did
// not get to its end, the next one removes.
func Fill(ctx context.Context, cfg Config, entries []state.Entry) error {
	s := newStore(cfg)
	s.filling = true
	go s.writer()
	defer s.Close()
	if err := s.fill(ctx, entries); err != nil {
		return fmt.Errorf("fill state at %s: %w", cfg.URL, err)
	}
	return nil
}

func (s *Store) fill(ctx context.Context, entries []state.Entry) error {
	if err := s.readyToFill(ctx); err != nil {
		return err
	}
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	old, err := s.List(ctx, "")
	if err != nil {
		return err
	}
	top, err := s.readMarker(ctx)
	switch {
	case err != nil:
		return err
	case !top.Filling && len(old) > 0:
		return ErrNotEmpty
	}
	if err := s.mark(ctx, marker{Format: format, Owner: s.cfg.Owner, Filling: true}); err != nil {
		return err
	}
	var ops []state.Op
	for _, e := range old {
		ops = append(ops, state.Op{Entry: state.Entry{Name: e.Name, Version: e.Version}, Delete: true})
	}
	if err := state.ApplyAll(ctx, s, ops); err != nil {
		return err
	}
	ops = nil
	for _, e := range entries {
		ops = append(ops, state.Op{Entry: state.Entry{Name: e.Name, Value: e.Value}})
	}
	if err := state.ApplyAll(ctx, s, ops); err != nil {
		return err
	}
	return s.mark(ctx, marker{Format: format, Owner: s.cfg.Owner})
}

// CheckEmpty reports what would keep Fill from filling the state at a path. It
// changes nothing.
func CheckEmpty(ctx context.Context, cfg Config) error {
	s := newStore(cfg)
	defer s.client.Close()
	defer s.cancel()
	s.filling = true
	if err := s.readyToFill(ctx); err != nil {
		return fmt.Errorf("state at %s: %w", cfg.URL, err)
	}
	return nil
}

// readyToFill is what can be known before the state is taken over.
func (s *Store) readyToFill(ctx context.Context) error {
	top, err := s.readMarker(ctx)
	if errors.Is(err, zookeeper.ErrNotFound) {
		return nil
	}
	if err != nil || top.Filling {
		return err
	}
	found, err := s.list(ctx, "")
	if err == nil && len(found) > 0 {
		err = ErrNotEmpty
	}
	return err
}

// mark changes the topmost node, if this store may still write.
func (s *Store) mark(ctx context.Context, m marker) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.give()
	if s.broken != nil {
		return s.broken
	}
	set := zookeeper.Op{Kind: zookeeper.OpSet, Path: s.cfg.URL.Path, Data: data, Version: zookeeper.AnyVersion}
	return s.advance(ctx, s.commit, set)
}

// Owner returns whose the state at a path is, "" if it was not said.
func Owner(ctx context.Context, cfg Config) (string, error) {
	s := newStore(cfg)
	defer s.client.Close()
	defer s.cancel()
	top, err := s.readMarker(ctx)
	if err != nil {
		return "", fmt.Errorf("state at %s: %w", cfg.URL, err)
	}
	return top.Owner, nil
}
