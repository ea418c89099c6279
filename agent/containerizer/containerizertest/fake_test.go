package containerizertest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/containerizertest"
)

func TestFakeKeepsThePromises(t *testing.T) {
	var mu sync.Mutex
	fakes := map[string]*containerizertest.Fake{}
	containerizertest.RunLifecycle(t, func(t *testing.T, dir string) containerizer.Containerizer {
		mu.Lock()
		defer mu.Unlock()
		if f, ok := fakes[dir]; ok {
			return f.Restart()
		}
		fakes[dir] = containerizertest.NewFake()
		return fakes[dir]
	})
}

func TestFakeObeysTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := containerizertest.NewFake()
		refused := errors.New("no more memory")
		f.Hooks.Launch = func(_ context.Context, c containerizer.Config) error {
			if strings.HasPrefix(c.ID, "bad") {
				return refused
			}
			return nil
		}
		f.Hooks.Signal = func(_ string, sig syscall.Signal) bool { return sig == syscall.SIGTERM }
		config := func(id, text string) containerizer.Config {
			return containerizer.Config{ID: id, Sandbox: "/s", Command: containerizer.Command{Shell: true, Value: text}}
		}
		if _, err := f.Launch(t.Context(), config("bad", "true")); !errors.Is(err, refused) {
			t.Errorf("Launch(bad) = %v, want the hook's error", err)
		}
		f.Launch(t.Context(), config("server", "serve"))
		f.Launch(t.Context(), config("nap", "sleep 3600"))
		f.Signal(t.Context(), "server", syscall.SIGTERM)
		if got := f.Running(); len(got) != 2 {
			t.Errorf("Running() = %v, want two: the hook ignores SIGTERM", got)
		}
		start := time.Now()
		if _, err := f.Wait(t.Context(), "nap"); err != nil || time.Since(start) != time.Hour {
			t.Errorf("Wait(nap) = %v after %v, want nil after an hour", err, time.Since(start))
		}
		f.End("server", containerizer.Termination{Known: true, Status: 9, OOM: true})
		if term, err := f.Wait(t.Context(), "server"); err != nil || !term.OOM {
			t.Errorf("Wait(server) = %+v, %v, want OOM", term, err)
		}
		if got := f.Signals("server"); len(got) != 1 || got[0] != syscall.SIGTERM {
			t.Errorf("Signals(server) = %v, want SIGTERM", got)
		}
	})
}
