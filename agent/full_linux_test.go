package agent

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
)

// smallDisk mounts a file system of 16 MB that ends with the test.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("souk-test", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("mount a file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// fill takes all the room there is on the file system of path, to the last byte.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err = f.Write(bytes.Repeat([]byte("x"), size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
}

// An agent outlives a disk without any room, and a start on one; nothing is
// said before it is stored, and nothing is lost.
func TestFullDisk(t *testing.T) {
	m := newFakeMaster(t)
	cfg := testConfig(t, m)
	cfg.WorkDir = filepath.Join(smallDisk(t), "work")
	cfg.Log = zap.NewNop() // it has errors to tell
	a := start(t, cfg)
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	gates := t.TempDir()
	waits := func(name string) string {
		return "while [ ! -e " + filepath.Join(gates, name) + " ]; do sleep 0.05; done; exit 3"
	}
	m.run(command("one", waits("one")), command("two", waits("two")))
	eventually(t, "run", func() bool {
		return strings.HasSuffix(m.states("one"), "RUNNING") && strings.HasSuffix(m.states("two"), "RUNNING")
	})

	hogs := filepath.Dir(cfg.WorkDir)
	fill(t, filepath.Join(hogs, "hog"))
	if err := os.Remove(filepath.Join(cfg.WorkDir, "meta", "reserve")); err != nil {
		t.Fatal(err)
	}
	fill(t, filepath.Join(hogs, "hog2"))
	open := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(gates, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	big := "true #" + strings.Repeat("x", 16<<10) // does not fit what is left of the log's last page
	m.run(command("big", big))
	time.Sleep(100 * time.Millisecond) // all that follows waits for it to be stored
	open("one")
	stays := func() {
		t.Helper()
		time.Sleep(500 * time.Millisecond)
		select {
		case err := <-a.done:
			a.done <- err
			t.Fatalf("Run = %v, want an agent that waits for room", err)
		default:
		}
		if code, body := a.get("/state"); code != 200 || !strings.Contains(body, `"id":"S0"`) {
			t.Fatalf("/state = %d %.200s, want the state", code, body)
		}
	}
	stays()
	if got := m.states("one"); got != "STARTING RUNNING" {
		t.Errorf("states = %s before there was room to store more", got)
	}

	if err := a.end(); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("Run = %v, want that it was canceled", err)
	}
	cfg.AdvertisePort, _ = portOf(a.address)
	a = start(t, cfg)
	eventually(t, "subscription on a full disk", func() bool { n, _ := m.sessions(); return n == 2 })
	fill(t, filepath.Join(hogs, "hog3")) // the first agent left some room when it ended
	time.Sleep(200 * time.Millisecond)   // and the second may find something to throw away
	fill(t, filepath.Join(hogs, "hog4"))
	m.run(command("bigger", big))
	time.Sleep(100 * time.Millisecond)
	open("two")
	stays()
	if got := m.states("two"); got != "STARTING RUNNING" {
		t.Errorf("states = %s before there was room to store more", got)
	}

	for _, hog := range []string{"hog", "hog2", "hog3", "hog4"} {
		if err := os.Remove(filepath.Join(hogs, hog)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "end of the tasks", func() bool {
		return strings.HasSuffix(m.states("one"), "FAILED") && strings.HasSuffix(m.states("two"), "FAILED") && strings.HasSuffix(m.states("bigger"), "FINISHED")
	})
	for _, task := range []string{"one", "two"} {
		if got := m.last(task).GetMessage(); got != "Command exited with status 3" {
			t.Errorf("message of %s = %q, want status 3", task, got)
		}
	}
}

// A task that fills the disk costs its own life only: its end is told from the reserve.
func TestTaskFillsTheDisk(t *testing.T) {
	m := newFakeMaster(t)
	cfg := testConfig(t, m)
	cfg.WorkDir = filepath.Join(smallDisk(t), "work")
	cfg.Log = zap.NewNop()
	cfg.GCDelay, cfg.DiskWatchInterval = 24*time.Hour, time.Hour
	start(t, cfg)
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	m.run(command("greedy", "yes fill > out 2>/dev/null; exit 5"))
	eventually(t, "end of the task", func() bool { return strings.HasSuffix(m.states("greedy"), "FAILED") })
	if got := m.last("greedy").GetMessage(); got != "Command exited with status 5" {
		t.Errorf("message = %q, want status 5", got)
	}
	m.run(command("next", "exit 0"))
	eventually(t, "end of the next task", func() bool {
		s := m.states("next")
		return strings.HasSuffix(s, "FINISHED") || strings.HasSuffix(s, "FAILED")
	})
}
