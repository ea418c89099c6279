package sandbox

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// CollectorConfig says when sandboxes go. All but Log and Usage are required.
type CollectorConfig struct {
	Delay    time.Duration // how long a sandbox stays when the disk is empty
	Headroom float64       // fraction of the disk to keep free
	Interval time.Duration // between two looks
	Usage    func() (float64, error)
	Log      *zap.Logger // nil: silent
}

// A Collector removes the sandboxes of runs that ended: the fuller the disk,
// the sooner (Mesos: delay × max(0, 1 − headroom − usage)).
type Collector struct {
	cfg   CollectorConfig
	store *Store

	collecting sync.Mutex // one removal at a time

	mu      sync.Mutex
	waiting map[Run]time.Time // since when
	counts  Counts
}

// Counts says what a collector did. MaxAge is how old a sandbox may get now.
type Counts struct {
	Pending, Succeeded, Failed int64
	MaxAge                     time.Duration
}

// NewCollector returns a collector for s's sandboxes.
func NewCollector(s *Store, cfg CollectorConfig) *Collector {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	return &Collector{cfg: cfg, store: s, waiting: make(map[Run]time.Time), counts: Counts{MaxAge: cfg.Delay}}
}

// Add says that a run ended at a time; it is done once.
func (c *Collector) Add(r Run, ended time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.waiting[r]; !ok {
		c.waiting[r] = ended
	}
}

// AddAll adds every sandbox on disk that is not live: what earlier agents left.
// Their age counts from the last change.
func (c *Collector) AddAll(live func(Run) bool) {
	for r, changed := range c.store.runs() {
		if !live(r) {
			c.Add(r, changed)
		}
	}
}

// Counts returns what was done so far.
func (c *Collector) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	counts.Pending = int64(len(c.waiting))
	return counts
}

// Run removes what is due until ctx ends.
func (c *Collector) Run(ctx context.Context) error {
	ticker := time.NewTicker(c.cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-ticker.C:
			c.Collect(now)
		}
	}
}

// Collect removes what is due now.
func (c *Collector) Collect(now time.Time) {
	usage, err := c.cfg.Usage()
	if err != nil {
		c.cfg.Log.Warn("disk usage unknown", zap.Error(err))
		usage = 0
	}
	c.collect(now, time.Duration(float64(c.cfg.Delay)*max(0, 1-c.cfg.Headroom-usage)))
}

// Clear removes every sandbox of a run that ended, however young: there is no
// room on the disk.
func (c *Collector) Clear() { c.collect(time.Now(), 0) }

func (c *Collector) collect(now time.Time, age time.Duration) {
	c.collecting.Lock()
	defer c.collecting.Unlock()
	for _, r := range c.due(now, age) {
		err := c.store.remove(r)
		if err != nil {
			c.cfg.Log.Warn("sandbox not removed", zap.String("path", c.store.Path(r)), zap.Error(err))
		}
		c.done(r, err)
	}
}

func (c *Collector) due(now time.Time, age time.Duration) []Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.MaxAge = age
	var due []Run
	for r, ended := range c.waiting {
		if now.Sub(ended) >= age {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b Run) int { return c.waiting[a].Compare(c.waiting[b]) })
	return due
}

func (c *Collector) done(r Run, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, r)
	if err != nil {
		c.counts.Failed++
		return
	}
	c.counts.Succeeded++
}

// remove deletes a run's sandbox, and the directories above it that it leaves empty.
func (s *Store) remove(r Run) error {
	if err := r.check(); err != nil {
		return err
	}
	runs := r.dir()
	if err := s.root.RemoveAll(path.Join(runs, r.Container)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	link := path.Join(runs, latest)
	if _, err := s.root.Stat(link); errors.Is(err, fs.ErrNotExist) {
		if err := s.root.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for dir := runs; dir != "."; dir = path.Dir(dir) {
		if s.root.Remove(dir) != nil {
			return nil // it is not empty, or went already
		}
	}
	return nil
}

// runs finds all sandboxes and when they changed last.
func (s *Store) runs() map[Run]time.Time {
	found := make(map[Run]time.Time)
	for agent := range s.dirs(".") {
		frameworks := path.Join(agent, "frameworks")
		for framework := range s.dirs(frameworks) {
			executors := path.Join(frameworks, framework, "executors")
			for executor := range s.dirs(executors) {
				for container, info := range s.dirs(path.Join(executors, executor, "runs")) {
					found[Run{Agent: agent, Framework: framework, Executor: executor, Container: container}] = info.ModTime()
				}
			}
		}
	}
	return found
}

// dirs yields the directories in a directory; none if it is not there.
func (s *Store) dirs(dir string) func(yield func(string, fs.FileInfo) bool) {
	return func(yield func(string, fs.FileInfo) bool) {
		f, err := s.root.Open(dir)
		if err != nil {
			return
		}
		items, err := f.ReadDir(-1)
		f.Close()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return
		}
		for _, item := range items {
			info, err := item.Info()
			if err != nil || !info.IsDir() {
				continue
			}
			if !yield(item.Name(), info) {
				return
			}
		}
	}
}
