package zkleader

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/zookeeper"
)

// absentPoll is the time between two looks for a path that does not exist.
const absentPoll = time.Second

// A Detector follows an election. It connects when first asked. While the
// ensemble is out of reach it keeps to the leader known last: who leads ends
// that by itself, and nobody else can begin to.
type Detector struct {
	cfg    Config
	client *zookeeper.Client
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	start  sync.Once
	done   chan struct{} // closed when follow has ended, or never began

	mu      sync.Mutex
	known   bool
	leader  leader.Leader
	err     error         // why there will be no more news
	changed chan struct{} // closed and replaced with each change of those above
	said    string        // what was logged last, so that it is said once
}

var _ leader.Detector = (*Detector)(nil)

// NewDetector returns a detector that must be closed.
func NewDetector(cfg Config) *Detector {
	cfg = cfg.complete()
	ctx, cancel := context.WithCancel(context.Background())
	return &Detector{
		cfg: cfg, client: zookeeper.NewClient(cfg.session(false)), ctx: ctx, cancel: cancel,
		done: make(chan struct{}), changed: make(chan struct{}),
	}
}

// Close ends the detector and all who wait for it.
func (d *Detector) Close() {
	d.cancel()
	d.start.Do(func() { close(d.done) })
	<-d.done
	d.client.Close()
}

// Detect implements leader.Detector.
func (d *Detector) Detect(ctx context.Context, previous leader.Leader) (leader.Leader, error) {
	d.start.Do(func() { go d.follow() })
	for {
		if err := ctx.Err(); err != nil {
			return leader.Leader{}, err
		}
		now, known, err, changed := d.news()
		switch {
		case err != nil:
			return leader.Leader{}, err
		case known && !now.Equal(previous):
			return now, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (d *Detector) news() (now leader.Leader, known bool, err error, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.leader, d.known, d.err, d.changed
}

// tell is the news from now on.
func (d *Detector) tell(now leader.Leader, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known && err == nil && now.Equal(d.leader) {
		return
	}
	d.known, d.leader, d.err = true, now, err
	close(d.changed)
	d.changed = make(chan struct{})
}

// follow looks again and again until the detector is closed, or may not look.
func (d *Detector) follow() {
	defer close(d.done)
	for {
		err := d.look()
		switch {
		case d.ctx.Err() != nil:
			d.tell(leader.Leader{}, errors.New("the detector was closed"))
			return
		case errors.Is(err, zookeeper.ErrDenied):
			d.tell(leader.Leader{}, fmt.Errorf("detect leader at %s: %w", d.cfg.URL, err))
			return
		case errors.Is(err, zookeeper.ErrNotFound):
			d.tell(leader.Leader{}, nil)
			d.say("nobody has contended here yet: is the path right?", err)
			d.wait(absentPoll)
		case err != nil:
			d.wait(retryPause)
		}
	}
}

func (d *Detector) wait(pause time.Duration) {
	select {
	case <-time.After(pause):
	case <-d.ctx.Done():
	}
}

// look finds the leader, tells it, and returns when that may have changed.
func (d *Detector) look() error {
	s, err := d.client.Session(d.ctx)
	if err != nil {
		return err
	}
	names, changed, err := s.WatchChildren(d.ctx, d.cfg.URL.Path)
	if err != nil {
		return err
	}
	found, err := d.lead(s, d.cfg.candidates(names))
	if err != nil {
		return err
	}
	d.tell(found, nil)
	select {
	case <-changed:
	case <-s.Lost():
	case <-d.ctx.Done():
	}
	return nil
}

// lead is the first in line. A node that cannot be read as a leader is told:
// its contender leads whatever it is, so nobody else can.
func (d *Detector) lead(s *zookeeper.Session, line []string) (leader.Leader, error) {
	if len(line) == 0 {
		return leader.Leader{}, nil
	}
	path := d.cfg.URL.Path + "/" + line[0]
	n, err := s.Get(d.ctx, path)
	if errors.Is(err, zookeeper.ErrNotFound) {
		return leader.Leader{}, fmt.Errorf("%w: the leader has just gone", zookeeper.ErrInterrupted)
	}
	if err != nil {
		return leader.Leader{}, err
	}
	found, err := d.cfg.Format.Decode(n.Data)
	if err != nil {
		d.say("the leader's znode cannot be read: delete it if no contender owns it", fmt.Errorf("znode %s: %w", path, err))
		return leader.Leader{}, nil
	}
	d.say("", nil)
	return found, nil
}

// say logs what is wrong, once.
func (d *Detector) say(what string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if what != "" && what != d.said {
		d.cfg.Log.Warn(what, zap.Stringer("zookeeper", d.cfg.URL), zap.Error(err))
	}
	d.said = what
}
