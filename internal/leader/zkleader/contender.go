package zkleader

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/zookeeper"
)

// A Contender competes in an election.
type Contender struct {
	cfg Config
	me  leader.Leader
}

var _ leader.Contender = (*Contender)(nil)

// NewContender returns a contender that others will see as me.
func NewContender(cfg Config, me leader.Leader) *Contender {
	return &Contender{cfg: cfg.complete(), me: me}
}

// Contend implements leader.Contender. A session that is lost before the
// election is replaced by another one, at the end of the line. Giving up is
// known to all before lost is closed, if a server can be reached.
func (c *Contender) Contend(ctx context.Context) (<-chan struct{}, error) {
	for {
		s, err := zookeeper.Open(ctx, c.cfg.session(true))
		if err != nil {
			return nil, fmt.Errorf("contend: %w", err)
		}
		b := &bid{cfg: c.cfg, session: s}
		err = b.win(ctx, c.me)
		if err == nil {
			lost := make(chan struct{})
			go b.hold(ctx, lost)
			return lost, nil
		}
		s.Close()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.Is(err, zookeeper.ErrSessionLost):
			return nil, fmt.Errorf("contend at %s: %w", c.cfg.URL, err)
		}
		c.cfg.Log.Warn("session lost before the election, contending again", zap.Error(err))
	}
}

// A bid is one contender's node in one session.
type bid struct {
	cfg     Config
	session *zookeeper.Session
	node    string // name
}

// win enters the line and returns when the bid is its first.
func (b *bid) win(ctx context.Context, me leader.Leader) error {
	data, err := b.cfg.Format.Encode(me)
	if err != nil {
		return err
	}
	err = again(ctx, func() error { return b.session.CreatePath(ctx, b.cfg.URL.Path, zookeeper.Mode{}) })
	if err != nil {
		return err
	}
	if err := again(ctx, func() error { return b.enter(ctx, data) }); err != nil {
		return err
	}
	b.cfg.Log.Debug("contending", zap.String("znode", b.node))
	return b.watch(ctx, func(line []string) (bool, error) { return b.first(ctx, line) })
}

// enter creates the node, unless an attempt whose answer was lost has.
func (b *bid) enter(ctx context.Context, data []byte) error {
	names, err := b.session.Children(ctx, b.cfg.URL.Path)
	if err != nil {
		return err
	}
	for _, name := range b.cfg.candidates(names) {
		mine, err := b.owns(ctx, name)
		if err != nil {
			return err
		}
		if mine {
			b.node = name
			return nil
		}
	}
	path, err := b.session.Create(ctx, b.cfg.URL.Path+"/"+b.cfg.Format.Label, data, zookeeper.Mode{Ephemeral: true, Sequence: true})
	b.node = zookeeper.Name(path)
	return err
}

// owns reports whether a node is of this bid's session.
func (b *bid) owns(ctx context.Context, name string) (bool, error) {
	n, err := b.session.Get(ctx, b.cfg.URL.Path+"/"+name)
	if errors.Is(err, zookeeper.ErrNotFound) {
		return false, nil
	}
	return err == nil && n.Owner == b.session.ID(), err
}

var errDeleted = errors.New("the contender's znode was deleted")

// first reports whether the bid is the first in line.
func (b *bid) first(ctx context.Context, line []string) (bool, error) {
	if len(line) == 0 {
		return false, fmt.Errorf("%w: %w", zookeeper.ErrSessionLost, errDeleted)
	}
	return b.owns(ctx, line[0])
}

// watch calls look with the line, now and after each change, until it is done.
func (b *bid) watch(ctx context.Context, look func(line []string) (done bool, err error)) error {
	for {
		var changed <-chan struct{}
		done := false
		err := again(ctx, func() error {
			names, c, err := b.session.WatchChildren(ctx, b.cfg.URL.Path)
			if err != nil {
				return err
			}
			changed = c
			done, err = look(b.cfg.candidates(names))
			return err
		})
		if err != nil || done {
			return err
		}
		select {
		case <-changed:
		case <-b.session.Lost():
			return b.session.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hold keeps leadership until ctx ends, the session is lost, or somebody
// deletes the node.
func (b *bid) hold(ctx context.Context, lost chan<- struct{}) {
	deleted := make(chan error, 1)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		deleted <- b.watch(watching, func(line []string) (bool, error) {
			first, err := b.first(watching, line)
			return err == nil && !first, err
		})
	}()
	select {
	case <-ctx.Done():
		b.session.Close()
		close(lost)
		return
	case <-b.session.Lost():
		b.cfg.Log.Warn("leadership lost", zap.Error(b.session.Err()))
	case err := <-deleted:
		if ctx.Err() == nil {
			b.cfg.Log.Warn("leadership lost", zap.String("znode", b.node), zap.Error(errors.Join(errDeleted, err)))
		}
	}
	close(lost)
	b.session.Close()
}
