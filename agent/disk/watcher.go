// Package disk measures how much containers keep on disks, and says which of
// them keep more than they may. It does not know why they may keep how much, nor
// what becomes of those beyond it.
//
// Counting is a walk through every file of a container, which costs what it costs.
// One walker goes through all containers, one after the other, and rests nine times
// as long as it walked: however much there is to count, it takes a tenth of a CPU
// at most, and looks less often then.
package disk

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/daemon"
)

// A Folder is where a container may keep up to Limit bytes.
type Folder struct {
	Container string
	Path      string
	Also      string // another folder whose content counts, if there is such; "": none
	Volume    string // the id of a persistent volume; "": the sandbox
	Limit     int64  // bytes
}

// A Reading is what was last counted in a Folder.
type Reading struct {
	Folder
	Used  int64 // bytes
	Whole bool  // otherwise there is more than can be counted
}

// Over reports whether there is more than there may be.
func (r Reading) Over() bool { return r.Used > r.Limit || !r.Whole }

// Config of a Watcher. All but Log are required.
type Config struct {
	Interval time.Duration                               // between two looks at a container
	Folders  func(ctx context.Context) ([]Folder, error) // those of all containers that run
	Usage    func(ctx context.Context, path string) (int64, error)
	Report   func(ctx context.Context, r Reading) // called for each that was counted; may block
	Log      *zap.Logger                          // nil: silent
}

// A Watcher counts again and again. Its methods may be called concurrently.
type Watcher struct {
	cfg Config

	mu       sync.Mutex
	readings map[string][]Reading // by container
}

// NewWatcher returns a Watcher that works while Run does.
func NewWatcher(cfg Config) *Watcher {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	return &Watcher{cfg: cfg, readings: map[string][]Reading{}}
}

// Readings are the last ones of a container; none before the first look.
func (w *Watcher) Readings(container string) []Reading {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.readings[container])
}

// Run counts until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	for {
		began := time.Now()
		if err := w.round(ctx); err != nil {
			return err
		}
		if err := daemon.Sleep(ctx, max(w.cfg.Interval-time.Since(began), w.cfg.Interval/10)); err != nil {
			return err
		}
	}
}

// leisure is how much longer a walker rests than it walked.
const leisure = 9

// round counts everything once. A folder that several containers have is counted once.
func (w *Watcher) round(ctx context.Context) error {
	folders, err := w.cfg.Folders(ctx)
	if err != nil {
		return ctx.Err() // the agent is stopping, or knows nothing yet
	}
	w.forget(folders)
	seen := map[string]Reading{}
	for _, f := range folders {
		r, ok := w.look(ctx, f.Path, seen)
		if err := ctx.Err(); err != nil {
			return err
		}
		if !ok {
			continue
		}
		if also, ok := w.look(ctx, f.Also, seen); ok {
			r.Used, r.Whole = r.Used+also.Used, r.Whole && also.Whole
		}
		r.Folder = f
		w.keep(r)
		w.cfg.Report(ctx, r)
	}
	return ctx.Err()
}

// look counts one folder, unless it is in seen, and rests; not ok is one that is
// gone or cannot be read.
func (w *Watcher) look(ctx context.Context, path string, seen map[string]Reading) (r Reading, ok bool) {
	if path == "" {
		return r, false
	}
	if r, ok = seen[path]; ok {
		return r, true
	}
	began := time.Now()
	if r, ok = w.count(ctx, path); ok {
		seen[path] = r
	}
	return r, ok && daemon.Sleep(ctx, leisure*time.Since(began)) == nil
}

func (w *Watcher) count(ctx context.Context, path string) (r Reading, ok bool) {
	used, err := w.cfg.Usage(ctx, path)
	switch {
	case errors.Is(err, ErrImmeasurable):
		return Reading{Used: used}, true
	case err == nil:
		return Reading{Used: used, Whole: true}, true
	case !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil:
		w.cfg.Log.Warn("disk usage unknown", zap.String("path", path), zap.Error(err))
	}
	return r, false
}

// keep makes r the last reading of its folder.
func (w *Watcher) keep(r Reading) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.readings[r.Container]
	i := slices.IndexFunc(list, func(old Reading) bool { return old.Path == r.Path })
	if i < 0 {
		w.readings[r.Container] = append(list, r)
		return
	}
	list[i] = r
}

// forget drops the readings of containers that run no more.
func (w *Watcher) forget(running []Folder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.readings {
		if !slices.ContainsFunc(running, func(f Folder) bool { return f.Container == id }) {
			delete(w.readings, id)
		}
	}
}
