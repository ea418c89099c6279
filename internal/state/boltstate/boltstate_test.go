package boltstate_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/boltstate"
	"github.com/soukproject/souk/internal/state/statetest"
)

func open(t testing.TB, path string) *boltstate.Store {
	t.Helper()
	s, err := boltstate.Open(path)
	if err != nil {
		t.Fatalf("Open(%s) = %v", path, err)
	}
	return s
}

// closing closes a store at the end of a test unless the test did.
type closing struct {
	*boltstate.Store
	once sync.Once
	path string
}

func (c *closing) Close() (err error) {
	c.once.Do(func() { err = c.Store.Close() })
	return err
}

func openClosing(t *testing.T, path string) *closing {
	c := &closing{Store: open(t, path), path: path}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestStore(t *testing.T) {
	statetest.Run(t, statetest.Harness{
		Open: func(t *testing.T) state.Store {
			return openClosing(t, filepath.Join(t.TempDir(), "master", "state.db"))
		},
		Reopen: func(t *testing.T, s state.Store) state.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return openClosing(t, s.(*closing).path)
		},
	})
}

func TestOpenRefusesWithOneLine(t *testing.T) {
	cases := []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"format of another build", newerFormat, `has format "2"`},
		{"not a state file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("garbage ", 4096)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "damaged or not a state file"},
		{"locked by another", func(t *testing.T, path string) {
			s := open(t, path)
			t.Cleanup(func() { s.Close() })
		}, "in use by another process"},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}, "is a directory"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "state.db")
			c.make(t, path)
			_, err := boltstate.Open(path)
			if err == nil {
				t.Fatal("Open = nil, want an error")
			}
			if got := err.Error(); !strings.Contains(got, c.want) || !strings.Contains(got, path) || strings.Contains(got, "\n") {
				t.Errorf("Open = %q, want one line with the path and %q", got, c.want)
			}
		})
	}
}

func newerFormat(t *testing.T, path string) {
	s := open(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte("2")) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk runs itself in a process whose files may not grow beyond 1 MiB:
// a write that does not fit is an error, the entries before it stay readable.
func TestFullDisk(t *testing.T) {
	if path := os.Getenv("SOUK_TEST_FULL_DISK"); path != "" {
		fillDisk(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "state.db")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$")
	cmd.Env = append(os.Environ(), "SOUK_TEST_FULL_DISK="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("writer process: %v\n%s", err, out)
	}
	s := openClosing(t, path)
	es, err := s.List(t.Context(), "")
	if err != nil || len(es) == 0 {
		t.Errorf("after the disk was full: %d entries, %v", len(es), err)
	}
}

func fillDisk(t *testing.T, path string) {
	s := open(t, path)
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}); err != nil {
		t.Skipf("cannot bound file sizes: %v", err)
	}
	for i := range 64 {
		e := state.Entry{Name: fmt.Sprint(i), Value: make([]byte, 100<<10)}
		if _, err := s.Apply(t.Context(), state.Op{Entry: e}); err != nil {
			if i == 0 {
				t.Fatalf("first write = %v", err)
			}
			if _, err := s.Get(t.Context(), "0"); err != nil {
				t.Errorf("Get after the failed write = %v", err)
			}
			return
		}
	}
	t.Fatal("64 writes of 100 KiB fit in 1 MiB")
}

// BenchmarkApplyConcurrent shows what grouping saves: many writers, one fsync.
func BenchmarkApplyConcurrent(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "state.db"))
	defer s.Close()
	var mu sync.Mutex
	next := 0
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			next++
			name := fmt.Sprint("agents/", next)
			mu.Unlock()
			if _, err := s.Apply(b.Context(), state.Op{Entry: state.Entry{Name: name, Value: make([]byte, 500)}}); err != nil {
				b.Error(err)
			}
		}
	})
}
