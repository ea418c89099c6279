// Package zkstate keeps a state.Store in ZooKeeper: one znode per entry, for
// services with standbys. It owns the layout below a path, the fence between a
// store and the one that was opened after it, the grouping of writes into
// multi-operations that fit ZooKeeper's packets, and what is done when the
// answer to a write is lost. It does not own sessions or elections.
//
// Opening a store takes the state over: it counts the epoch in the node commit
// up. Every write changes that node on condition of the version this store left
// it at, so a store that was opened earlier can write no more, whatever it
// believes. The order of changes of that node is the order of all writes.
//
//	<path>                    {"format":1,"owner":"…"}, and whether Fill is at work
//	<path>/commit             epoch, number and progress of the last write
//	<path>/entries/<xx>/<name> an entry; xx spreads them over 64 nodes
//	<path>/staged/<n>-<i>     part i of write n, which fits no packet as a whole
package zkstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/zookeeper"
)

// format is the version of the layout that this build reads and writes.
const format = 1

// Pauses between two attempts after an interruption.
const retryPause = 50 * time.Millisecond

// Config says where the state is and whose.
type Config struct {
	URL     zookeeper.URL // the path is the store's own
	Timeout time.Duration // of sessions; 0: zookeeper.DefaultTimeout
	// Owner names the cluster or service. State of another one is refused, and
	// state of nobody becomes its own; "" fits all.
	Owner string
	// OwnerFlag is what the operator sets Owner with, for messages.
	OwnerFlag string
	Log       *zap.Logger // nil: silent
}

// ErrSuperseded says that the state was taken over by a store opened later. It
// is a conflict: nothing was written.
var ErrSuperseded = fmt.Errorf("%w: another process has taken the state over", state.ErrConflict)

// Store is a state.Store in ZooKeeper.
type Store struct {
	cfg     Config
	filling bool // see Fill
	client  *zookeeper.Client
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc

	writes chan write
	done   chan struct{} // closed when the writer has ended

	turn     chan struct{} // holds a token while nobody owns the fields below
	commit   commit
	version  int32             // of the node commit
	versions map[string]uint64 // of entries, as far as known; 0: there is none
	listed   []string          // prefixes of names of which all versions are known
	broken   error             // why nothing can be written any more
}

var _ state.Store = (*Store)(nil)

// Open takes over the state at a path, which is created if absent, and finishes
// what an earlier store left half done. It waits for the ensemble as long as
// ctx lasts. Close must be called.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s := newStore(cfg)
	if err := s.takeOver(ctx); err != nil {
		s.cancel()
		s.client.Close()
		return nil, fmt.Errorf("open state at %s: %w", cfg.URL, err)
	}
	go s.writer()
	return s, nil
}

func newStore(cfg Config) *Store {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Store{
		cfg: cfg, ctx: ctx, cancel: cancel,
		client: zookeeper.NewClient(zookeeper.Config{URL: cfg.URL, Timeout: cfg.Timeout, Log: cfg.Log}),
		writes: make(chan write), done: make(chan struct{}),
		turn: make(chan struct{}, 1), versions: make(map[string]uint64),
	}
	s.turn <- struct{}{}
	return s
}

// Check reports what would keep Open from reading the state at a path, without
// taking anything over. That there is none is fine.
func Check(ctx context.Context, cfg Config) error {
	s := newStore(cfg)
	defer s.client.Close()
	defer s.cancel()
	err := s.checkMarker(ctx)
	if err == nil {
		_, _, err = s.readCommit(ctx)
	}
	if err != nil && !errors.Is(err, zookeeper.ErrNotFound) {
		return fmt.Errorf("state at %s: %w", cfg.URL, err)
	}
	return nil
}

// Read returns the entries of the state at a path as they were at one moment,
// while another process may be writing. It takes nothing over.
func Read(ctx context.Context, cfg Config, prefix string) ([]state.Entry, error) {
	s := newStore(cfg)
	defer s.client.Close()
	defer s.cancel()
	err := s.checkMarker(ctx)
	if err == nil {
		var found []state.Entry
		if found, err = s.snapshot(ctx, prefix); err == nil {
			return found, nil
		}
	}
	return nil, fmt.Errorf("read state at %s: %w", cfg.URL, err)
}

// A marker is what the topmost node holds.
type marker struct {
	Format  int    `json:"format"`
	Owner   string `json:"owner"`
	Filling bool   `json:"filling,omitempty"` // not all of it is there yet: see Fill
}

// checkMarker refuses state that is not for this build or owner.
func (s *Store) checkMarker(ctx context.Context) error {
	_, err := s.readMarker(ctx)
	return err
}

func (s *Store) readMarker(ctx context.Context) (marker, error) {
	path := s.cfg.URL.Path
	n, err := s.get(ctx, path)
	if err != nil {
		return marker{}, err
	}
	var m marker
	if err := json.Unmarshal(n.Data, &m); err != nil || m.Format <= 0 {
		return m, fmt.Errorf("znode %s holds something that souk did not write: choose another path, or remove it", path)
	}
	switch {
	case m.Format > format:
		return m, fmt.Errorf("it has format %d, this build reads up to %d: run the newer build that wrote it, or choose another path", m.Format, format)
	case m.Filling && !s.filling:
		return m, errors.New("'souk state import' has not ended there: wait for it, or run it again")
	case m.Owner != "" && s.cfg.Owner != "" && m.Owner != s.cfg.Owner:
		return m, fmt.Errorf("it belongs to %q, not to %q: choose another path, or give %s=%s", m.Owner, s.cfg.Owner, s.cfg.OwnerFlag, m.Owner)
	}
	return m, nil
}

// create makes the layout of a new state, all of it or nothing.
func (s *Store) create(ctx context.Context) error {
	root := s.cfg.URL.Path
	top, err := json.Marshal(marker{Format: format, Owner: s.cfg.Owner, Filling: s.filling})
	if err != nil {
		return err
	}
	first, err := json.Marshal(commit{})
	if err != nil {
		return err
	}
	ops := []zookeeper.Op{
		made(root, top), made(s.commitPath(), first), made(root+"/staged", nil), made(root+"/entries", nil),
	}
	for b := range buckets {
		ops = append(ops, made(s.bucketPath(b), nil))
	}
	err = s.ask(ctx, func(z *zookeeper.Session) error {
		if err := z.CreatePath(ctx, parent(root), zookeeper.Mode{}); err != nil {
			return err
		}
		return z.Multi(ctx, ops...)
	})
	if errors.Is(err, zookeeper.ErrExists) { // this process or another has been here
		return nil
	}
	return err
}

func made(path string, data []byte) zookeeper.Op {
	return zookeeper.Op{Kind: zookeeper.OpCreate, Path: path, Data: data, Mode: zookeeper.Mode{Private: true}}
}

// takeOver makes the state this store's own.
func (s *Store) takeOver(ctx context.Context) error {
	err := s.checkMarker(ctx)
	if errors.Is(err, zookeeper.ErrNotFound) {
		if err = s.create(ctx); err == nil {
			err = s.checkMarker(ctx)
		}
	}
	if err != nil {
		return err
	}
	if err := s.fence(ctx); err != nil {
		return err
	}
	top, err := s.readMarker(ctx) // again: a Fill may have come in between; from here on none can
	if err != nil {
		return err
	}
	if err := s.finish(ctx); err != nil {
		return err
	}
	if err := s.own(ctx, top); err != nil {
		return err
	}
	return s.sweep(ctx)
}

// own writes whose the state is, if nobody has said so before: the first owner
// with a name keeps others out.
func (s *Store) own(ctx context.Context, top marker) error {
	if top.Owner != "" || s.cfg.Owner == "" || s.filling {
		return nil
	}
	top.Owner = s.cfg.Owner
	return s.mark(ctx, top)
}

// fence counts the epoch up.
func (s *Store) fence(ctx context.Context) error {
	writer := uuid.NewString()
	for {
		found, version, err := s.readCommit(ctx)
		if err != nil {
			return err
		}
		if found.Writer == writer { // the answer to an earlier attempt was lost
			s.commit, s.version = found, version
			return nil
		}
		mine := found
		mine.Epoch++
		mine.Writer = writer
		data, err := json.Marshal(mine)
		if err != nil {
			return err
		}
		err = s.once(ctx, func(z *zookeeper.Session) (err error) {
			_, err = z.Set(ctx, s.commitPath(), data, version)
			return err
		})
		if err != nil && !interrupted(err) && !errors.Is(err, zookeeper.ErrVersion) {
			return err
		}
	}
}

// interrupted errors leave open what happened.
func interrupted(err error) bool {
	return errors.Is(err, zookeeper.ErrInterrupted) || errors.Is(err, zookeeper.ErrSessionLost)
}

// once asks in the session there is, or a new one.
func (s *Store) once(ctx context.Context, ask func(*zookeeper.Session) error) error {
	z, err := s.client.Session(ctx)
	if err != nil {
		return err
	}
	err = ask(z)
	if interrupted(err) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryPause):
		}
	}
	return err
}

// ask asks until there is an answer, or ctx ends. It is for what may be done twice.
func (s *Store) ask(ctx context.Context, ask func(*zookeeper.Session) error) error {
	for {
		err := s.once(ctx, ask)
		if !interrupted(err) || ctx.Err() != nil {
			return err
		}
	}
}

// get reads a node, as new as the last write.
func (s *Store) get(ctx context.Context, path string) (n zookeeper.Node, err error) {
	err = s.ask(ctx, func(z *zookeeper.Session) (err error) {
		if err = z.Sync(ctx, path); err == nil {
			n, err = z.Get(ctx, path)
		}
		return err
	})
	return n, err
}

// Close implements state.Store. It may be called once.
func (s *Store) Close() error {
	s.cancel()
	<-s.done
	s.client.Close()
	return nil
}
