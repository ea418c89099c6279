package disk

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shelf is a made-up machine with folders of known size, each of which takes
// a while to count.
type shelf struct {
	folders []Folder
	used    map[string]int64
	errs    map[string]error
	takes   time.Duration
	counted int
	told    []Reading
}

func (s *shelf) watch() *Watcher {
	return NewWatcher(Config{
		Interval: 15 * time.Second,
		Folders:  func(context.Context) ([]Folder, error) { return s.folders, nil },
		Usage: func(_ context.Context, path string) (int64, error) {
			time.Sleep(s.takes)
			s.counted++
			return s.used[path], s.errs[path]
		},
		Report: func(_ context.Context, r Reading) { s.told = append(s.told, r) },
	})
}

func TestWatcherTellsWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full, good, shared := Folder{"c1", "/full", "", "", 10}, Folder{"c2", "/good", "/changes", "", 10}, Folder{"c1", "/shared", "", "v1", 5}
		again := Folder{"c2", "/shared", "", "v1", 5}
		s := &shelf{
			folders: []Folder{full, good, shared, again, {"c3", "/gone", "", "", 1}, {"c4", "/deep", "", "", 100}},
			used:    map[string]int64{"/full": 11, "/good": 7, "/changes": 3, "/shared": 5, "/deep": 3},
			errs:    map[string]error{"/gone": fs.ErrNotExist, "/deep": ErrImmeasurable},
		}
		w := s.watch()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		time.Sleep(time.Second)
		want := []Reading{{full, 11, true}, {good, 10, true}, {shared, 5, true}, {again, 5, true}, {Folder{"c4", "/deep", "", "", 100}, 3, false}}
		if diff := cmp.Diff(want, s.told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		for i, over := range []bool{true, false, false, false, true} {
			if s.told[i].Over() != over {
				t.Errorf("%v.Over() = %v, want %v", s.told[i], !over, over)
			}
		}
		if s.counted != 6 {
			t.Errorf("%d folders were counted, want 6: a shared one once", s.counted)
		}
		s.used["/good"], s.folders = 9, s.folders[1:2]
		time.Sleep(15 * time.Second)
		if diff := cmp.Diff([]Reading{{good, 12, true}}, w.Readings("c2")[:1]); diff != "" {
			t.Errorf("Readings(c2) (-want +got):\n%s", diff)
		}
		if left := w.Readings("c1"); left != nil {
			t.Errorf("Readings(c1) = %v after it ended, want none", left)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run() = %v, want Canceled", err)
		}
	})
}

// However long counting takes, nine tenths of the time is for the tasks.
func TestWatcherRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{folders: []Folder{{"c1", "/a", "", "", 1}, {"c2", "/b", "", "", 1}}, takes: 10 * time.Second}
		w := s.watch()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.Run(ctx)
		time.Sleep(20 * time.Minute)
		if busy := time.Duration(s.counted) * s.takes; busy > 2*time.Minute || busy < time.Minute {
			t.Errorf("%v of 20 minutes were spent counting, want about a tenth", busy)
		}
		cancel()
		synctest.Wait()
	})
}
