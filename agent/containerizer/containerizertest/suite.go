package containerizertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/agent/containerizer"
)

// An Opener returns a containerizer that keeps what it must remember in dir. A
// second call with the same dir stands for a restarted agent; the suite closes
// the first one before, if it is an io.Closer. Recover has not been called.
type Opener func(t *testing.T, dir string) containerizer.Containerizer

// Features say which promises beyond the common ones an implementation makes.
type Features struct {
	Limits     bool // memory limits are enforced and statistics come from them
	Terminals  bool // terminals, which need Linux
	Namespaces bool // own process ids, hostname and mounts
}

// patience bounds every wait of the suite.
const patience = time.Minute

// Run checks a containerizer that runs real processes.
func Run(t *testing.T, open Opener, f Features) {
	RunLifecycle(t, open)
	runProcesses(t, open)
	runNested(t, open, f)
	runGroups(t, open, f)
	if f.Namespaces {
		runNamespaces(t, open)
	}
	if f.Limits {
		runLimits(t, open)
	}
}

// RunLifecycle checks what holds even where nothing really runs.
func RunLifecycle(t *testing.T, open Opener) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"an exit code is reported as often as asked", exitCode},
		{"a signal is reported", endBySignal},
		{"signals reach the command", signal},
		{"the end of a context ends a wait only", waitGivesUp},
		{"an id is taken until destroyed", takenID},
		{"unknown ids", unknownIDs},
		{"a running container is destroyed", destroyRunning},
		{"concurrent calls of destroy", destroyTwice},
		{"bad configurations are refused", badConfigs},
		{"a launch that was given up leaves nothing", launchGivenUp},
		{"a launch that is given up midway leaves nothing", launchInterrupted},
		{"many at once", manyAtOnce},
		{"a restarted agent finds what runs and what ended", recovered},
		{"a restarted agent destroys orphans", orphans},
		{"a container without a trace is lost", lost},
		{"nested containers have a life of their own", nestedLife},
		{"nested containers end with their parent", nestedEnd},
		{"nested containers are destroyed with their parent", nestedDestroyed},
		{"nothing is nested in what does not run", nestedNowhere},
		{"a restarted agent finds nested containers", nestedRecovered},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, newBench(t, open))
		})
	}
}

// A bench is one test's containerizer and what the test needs around it.
type bench struct {
	t    *testing.T
	open Opener
	dir  string
	containerizer.Containerizer
}

func newBench(t *testing.T, open Opener) *bench {
	t.Helper()
	b := &bench{t: t, open: open, dir: tempDir(t)}
	b.start(nil)
	t.Cleanup(func() { b.close() })
	return b
}

// tempDir is t.TempDir without a length and characters that depend on the name
// of the test, and open to other users.
func tempDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "souk")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (b *bench) start(known []string) (alive []string) {
	b.t.Helper()
	b.Containerizer = b.open(b.t, b.dir)
	alive, err := b.Recover(b.t.Context(), known)
	if err != nil {
		b.t.Fatalf("Recover(%v) = %v, want nil", known, err)
	}
	slices.Sort(alive)
	return alive
}

// restart closes the containerizer as the death of an agent would and opens
// another.
func (b *bench) restart(known ...string) (alive []string) {
	b.t.Helper()
	b.closeOnly()
	return b.start(known)
}

func (b *bench) closeOnly() {
	b.t.Helper()
	if c, ok := b.Containerizer.(io.Closer); ok {
		if err := c.Close(); err != nil {
			b.t.Errorf("Close() = %v", err)
		}
	}
}

// close destroys what a failed test left behind.
func (b *bench) close() {
	b.closeOnly()
	b.Containerizer = b.open(b.t, b.dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := b.Recover(ctx, nil); err != nil {
		b.t.Errorf("Recover(nil) = %v, want nil", err)
	}
	b.closeOnly()
}

func (b *bench) sandbox() string {
	b.t.Helper()
	return tempDir(b.t)
}

// shell is the configuration of a container that runs text.
func (b *bench) shell(id, text string) containerizer.Config {
	b.t.Helper()
	return containerizer.Config{
		ID:      id,
		Sandbox: b.sandbox(),
		Command: containerizer.Command{Shell: true, Value: text, Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}},
	}
}

func (b *bench) launch(c containerizer.Config) containerizer.Status {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	s, err := b.Launch(ctx, c)
	if err != nil {
		b.t.Fatalf("Launch(%s) = %v, want nil", c.ID, err)
	}
	return s
}

func (b *bench) wait(id string) containerizer.Termination {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	term, err := b.Wait(ctx, id)
	if err != nil {
		b.t.Fatalf("Wait(%s) = %v, want nil", id, err)
	}
	return term
}

func (b *bench) destroy(id string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	if err := b.Destroy(ctx, id); err != nil {
		b.t.Fatalf("Destroy(%s) = %v, want nil", id, err)
	}
}

// output runs a shell command to its end and returns what it printed.
func (b *bench) output(c containerizer.Config) string {
	b.t.Helper()
	b.launch(c)
	term := b.wait(c.ID)
	if code, ok := term.Exited(); !ok || code != 0 {
		b.t.Fatalf("Wait(%s) = %+v, want exit code 0; stderr: %s", c.ID, term, read(b.t, c, "stderr"))
	}
	return read(b.t, c, "stdout")
}

func read(t *testing.T, c containerizer.Config, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.Sandbox, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// eventually polls until ok or patience runs out.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func exitCode(t *testing.T, b *bench) {
	s := b.launch(b.shell("c1", "exit 7"))
	if s.PID < 1 || s.Started.IsZero() {
		t.Errorf("Launch() = %+v, want a pid and a time", s)
	}
	first := b.wait("c1")
	if code, ok := first.Exited(); code != 7 || !ok {
		t.Errorf("Wait() = %+v, want exit code 7", first)
	}
	if first.When.IsZero() || first.OOM || first.Reason != "" {
		t.Errorf("Wait() = %+v, want a time, no OOM and no reason", first)
	}
	if diff := cmp.Diff(first, b.wait("c1")); diff != "" {
		t.Errorf("second Wait() differs (-first +second):\n%s", diff)
	}
	b.destroy("c1")
	if _, err := b.Wait(t.Context(), "c1"); !errors.Is(err, containerizer.ErrUnknown) {
		t.Errorf("Wait() after Destroy = %v, want ErrUnknown", err)
	}
}

func endBySignal(t *testing.T, b *bench) {
	b.launch(b.shell("c1", "kill -9 $$"))
	term := b.wait("c1")
	if sig, ok := term.Signaled(); sig != syscall.SIGKILL || !ok {
		t.Errorf("Wait() = %+v, want SIGKILL", term)
	}
	if term.OOM {
		t.Errorf("Wait() = %+v, want no OOM", term)
	}
}

func signal(t *testing.T, b *bench) {
	b.launch(b.shell("c1", "sleep 1000"))
	if err := b.Signal(t.Context(), "c1", 0); err == nil {
		t.Error("Signal(0) = nil, want an error")
	}
	if err := b.Signal(t.Context(), "c1", syscall.SIGTERM); err != nil {
		t.Fatalf("Signal(SIGTERM) = %v, want nil", err)
	}
	if sig, ok := b.wait("c1").Signaled(); sig != syscall.SIGTERM || !ok {
		t.Errorf("Wait() = %+v, want SIGTERM", b.wait("c1"))
	}
	if err := b.Signal(t.Context(), "c1", syscall.SIGTERM); err != nil {
		t.Errorf("Signal() after the end = %v, want nil", err)
	}
}

func waitGivesUp(t *testing.T, b *bench) {
	b.launch(b.shell("c1", "sleep 1000"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := b.Wait(ctx, "c1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait() = %v, want DeadlineExceeded", err)
	}
	if _, err := b.Stats(t.Context(), "c1"); err != nil {
		t.Errorf("Stats() = %v, want nil", err)
	}
	b.destroy("c1")
}

func takenID(t *testing.T, b *bench) {
	b.launch(b.shell("c1", "true"))
	again := b.shell("c1", "true")
	if _, err := b.Launch(t.Context(), again); !errors.Is(err, containerizer.ErrExists) {
		t.Errorf("Launch() = %v, want ErrExists", err)
	}
	b.wait("c1")
	if _, err := b.Launch(t.Context(), again); !errors.Is(err, containerizer.ErrExists) {
		t.Errorf("Launch() after the end = %v, want ErrExists", err)
	}
	b.destroy("c1")
	b.launch(again)
	b.wait("c1")
}

func unknownIDs(t *testing.T, b *bench) {
	ctx := t.Context()
	_, wait := b.Wait(ctx, "none")
	_, stats := b.Stats(ctx, "none")
	for name, err := range map[string]error{
		"Wait":   wait,
		"Stats":  stats,
		"Signal": b.Signal(ctx, "none", syscall.SIGTERM),
		"Update": b.Update(ctx, "none", containerizer.Limits{}),
	} {
		if !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("%s(none) = %v, want ErrUnknown", name, err)
		}
	}
	for _, id := range []string{"none", "", "../x"} {
		if err := b.Destroy(ctx, id); err != nil {
			t.Errorf("Destroy(%q) = %v, want nil", id, err)
		}
	}
}

func destroyRunning(t *testing.T, b *bench) {
	b.launch(b.shell("c1", "sleep 1000"))
	waited := make(chan error)
	go func() {
		term, err := b.Wait(t.Context(), "c1")
		if sig, ok := term.Signaled(); err == nil && (sig != syscall.SIGKILL || !ok) {
			err = fmt.Errorf("termination %+v, want SIGKILL", term)
		}
		if errors.Is(err, containerizer.ErrUnknown) {
			err = nil // the wait began after the end
		}
		waited <- err
	}()
	b.destroy("c1")
	if err := <-waited; err != nil {
		t.Errorf("Wait() of a container destroyed meanwhile: %v", err)
	}
	b.destroy("c1")
}

func destroyTwice(t *testing.T, b *bench) {
	b.launch(b.shell("c1", "sleep 1000"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := b.Destroy(t.Context(), "c1"); err != nil {
				t.Errorf("Destroy() = %v, want nil", err)
			}
		})
	}
	wg.Wait()
	if _, err := b.Stats(t.Context(), "c1"); !errors.Is(err, containerizer.ErrUnknown) {
		t.Errorf("Stats() after Destroy = %v, want ErrUnknown", err)
	}
}

func badConfigs(t *testing.T, b *bench) {
	for _, tt := range []struct {
		name string
		edit func(*containerizer.Config)
	}{
		{"no id", func(c *containerizer.Config) { c.ID = "" }},
		{"a path as id", func(c *containerizer.Config) { c.ID = "../c1" }},
		{"relative sandbox", func(c *containerizer.Config) { c.Sandbox = "here" }},
		{"no command", func(c *containerizer.Config) { c.Command.Value = "" }},
		{"negative limit", func(c *containerizer.Config) { c.Limits.MemLimit = -7 }},
	} {
		c := b.shell("c1", "true")
		tt.edit(&c)
		if _, err := b.Launch(t.Context(), c); err == nil {
			t.Errorf("Launch with %s = nil, want an error", tt.name)
		}
	}
	b.launch(b.shell("c1", "true")) // nothing of the refused ones is left
}

func launchGivenUp(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Launch(ctx, b.shell("c1", "sleep 1000")); !errors.Is(err, context.Canceled) {
		t.Errorf("Launch() = %v, want Canceled", err)
	}
	if _, err := b.Wait(t.Context(), "c1"); !errors.Is(err, containerizer.ErrUnknown) {
		t.Errorf("Wait() = %v, want ErrUnknown", err)
	}
	b.launch(b.shell("c1", "true"))
}

// launchInterrupted tries one id again and again: it is free after each failure.
func launchInterrupted(t *testing.T, b *bench) {
	for after := time.Millisecond; after < 100*time.Millisecond; after = after * 3 / 2 {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, err := b.Launch(ctx, b.shell("c1", "sleep 1000"))
		cancel()
		switch {
		case err == nil:
			b.destroy("c1")
		case !errors.Is(err, context.DeadlineExceeded):
			t.Errorf("Launch() = %v, want DeadlineExceeded", err)
		}
		if _, err := b.Wait(t.Context(), "c1"); !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("Wait() = %v, want ErrUnknown", err)
		}
	}
}

func manyAtOnce(t *testing.T, b *bench) {
	var wg sync.WaitGroup
	for i := range 12 {
		c := b.shell(fmt.Sprintf("c%d", i), fmt.Sprintf("exit %d", i))
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if _, err := b.Launch(ctx, c); err != nil {
				t.Errorf("Launch(%s) = %v, want nil", c.ID, err)
				return
			}
			term, err := b.Wait(ctx, c.ID)
			if code, ok := term.Exited(); err != nil || code != i || !ok {
				t.Errorf("Wait(%s) = %+v, %v, want exit code %d", c.ID, term, err, i)
			}
			if err := b.Destroy(ctx, c.ID); err != nil {
				t.Errorf("Destroy(%s) = %v, want nil", c.ID, err)
			}
		})
	}
	wg.Wait()
}

func recovered(t *testing.T, b *bench) {
	b.launch(b.shell("ended", "exit 5"))
	b.launch(b.shell("running", "sleep 1000"))
	b.launch(b.shell("ending", "sleep 1; exit 6"))
	b.wait("ended")
	alive := b.restart("ended", "running", "ending")
	alive = slices.DeleteFunc(alive, func(id string) bool { return id == "ending" })
	if diff := cmp.Diff([]string{"running"}, alive); diff != "" {
		t.Errorf("Recover() (-want +got):\n%s", diff)
	}
	if code, ok := b.wait("ended").Exited(); code != 5 || !ok {
		t.Errorf("Wait(ended) = %+v, want exit code 5", b.wait("ended"))
	}
	if term := b.wait("ending"); !term.Known {
		t.Errorf("Wait(ending) = %+v, want a known status", term)
	}
	if _, err := b.Launch(t.Context(), b.shell("running", "true")); !errors.Is(err, containerizer.ErrExists) {
		t.Errorf("Launch(running) = %v, want ErrExists", err)
	}
	if err := b.Signal(t.Context(), "running", syscall.SIGTERM); err != nil {
		t.Errorf("Signal(running) = %v, want nil", err)
	}
	if sig, ok := b.wait("running").Signaled(); sig != syscall.SIGTERM || !ok {
		t.Errorf("Wait(running) = %+v, want SIGTERM", b.wait("running"))
	}
	b.destroy("ended")
	b.destroy("running")
	b.restart("running")
	if term := b.wait("running"); term.Known {
		t.Errorf("Wait() of a destroyed container = %+v, want lost", term)
	}
}

func orphans(t *testing.T, b *bench) {
	b.launch(b.shell("orphan", "sleep 1000"))
	b.launch(b.shell("ended", "exit 3"))
	b.wait("ended")
	if alive := b.restart(); len(alive) != 0 {
		t.Errorf("Recover() = %v, want none", alive)
	}
	for _, id := range []string{"orphan", "ended"} {
		if _, err := b.Wait(t.Context(), id); !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("Wait(%s) = %v, want ErrUnknown", id, err)
		}
		b.launch(b.shell(id, "true"))
	}
}

func lost(t *testing.T, b *bench) {
	if alive := b.restart("gone"); len(alive) != 0 {
		t.Errorf("Recover(gone) = %v, want none", alive)
	}
	if term := b.wait("gone"); term.Known || term.Reason != containerizer.Lost || term.When.IsZero() {
		t.Errorf("Wait(gone) = %+v, want lost", term)
	}
	if err := b.Signal(t.Context(), "gone", syscall.SIGTERM); err != nil {
		t.Errorf("Signal(gone) = %v, want nil", err)
	}
	b.destroy("gone")
	if _, err := b.Wait(t.Context(), "gone"); !errors.Is(err, containerizer.ErrUnknown) {
		t.Errorf("Wait(gone) after Destroy = %v, want ErrUnknown", err)
	}
}
