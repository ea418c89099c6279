package keeper

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/containerizer/shim"
)

func TestPollingSeesTheLockGo(t *testing.T) {
	dir := shim.Dir(t.TempDir())
	f, err := dir.Lock()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := poll(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("poll() while the lock is held = %v, want DeadlineExceeded", err)
	}
	f.Close()
	if err := poll(t.Context(), dir); err != nil {
		t.Errorf("poll() after that = %v, want nil", err)
	}
}

func TestWatchSeesAProcessEnd(t *testing.T) {
	dir := shim.Dir(t.TempDir())
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := shim.Identify(cmd.Process.Pid)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := watch(ctx, dir, p); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("watch() of a process that runs = %v, want DeadlineExceeded", err)
	}
	ended := make(chan error)
	go func() { ended <- watch(t.Context(), dir, p) }()
	cmd.Process.Kill()
	if err := <-ended; err != nil {
		t.Errorf("watch() = %v, want nil", err)
	}
	cmd.Wait()
	if err := watch(t.Context(), dir, p); err != nil {
		t.Errorf("watch() of a process that is gone = %v, want nil", err)
	}
	other := shim.Process{PID: 1, Start: p.Start}
	if err := watch(t.Context(), dir, other); err != nil {
		t.Errorf("watch() of a pid that is somebody else's by now = %v, want nil", err)
	}
}
