package nested_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/containerizertest"
	"github.com/soukproject/souk/agent/nested"
)

// rig is a Registry over a machine where the container of an executor, p, runs.
type rig struct {
	*nested.Registry
	t    *testing.T
	fake *containerizertest.Fake
	work string
	base string
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, fake: containerizertest.NewFake(), work: t.TempDir(), base: t.TempDir()}
	_, err := r.fake.Launch(t.Context(), containerizer.Config{ID: "p", Sandbox: r.base, Command: containerizer.Command{Value: "serve"}})
	if err != nil {
		t.Fatal(err)
	}
	r.open()
	return r
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.Registry, err = nested.Open(nested.Config{Containers: r.fake, WorkDir: r.work}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) launch(text string, id ...string) {
	r.t.Helper()
	launched, err := r.Launch(r.t.Context(), r.request(text, id...))
	if err != nil || !launched {
		r.t.Fatalf("Launch(%v) = %v, %v, want true", id, launched, err)
	}
}

func (r *rig) request(text string, id ...string) nested.Request {
	return nested.Request{ID: id, Base: r.base, Command: containerizer.Command{Shell: true, Value: text}}
}

func TestLifeOfANestedContainer(t *testing.T) {
	r := newRig(t)
	r.launch("serve", "p", "n")
	if again, err := r.Launch(t.Context(), r.request("serve", "p", "n")); again || err != nil {
		t.Errorf("Launch() again = %v, %v, want false", again, err)
	}
	if _, err := os.Stat(filepath.Join(r.base, "containers", "n")); err != nil {
		t.Errorf("sandbox: %v", err)
	}
	if err := r.Remove(t.Context(), nested.ID{"p", "n"}); !errors.Is(err, nested.ErrRunning) {
		t.Errorf("Remove() = %v, want ErrRunning", err)
	}
	if err := r.Kill(t.Context(), nested.ID{"p", "n"}, syscall.SIGTERM); err != nil {
		t.Errorf("Kill() = %v, want nil", err)
	}
	if end, err := r.Wait(t.Context(), nested.ID{"p", "n"}); err != nil || end.Status != int(syscall.SIGTERM) {
		t.Errorf("Wait() = %+v, %v, want SIGTERM", end, err)
	}
	if err := r.Kill(t.Context(), nested.ID{"p", "n"}, syscall.SIGTERM); !errors.Is(err, nested.ErrUnknown) {
		t.Errorf("Kill() of an ended one = %v, want ErrUnknown", err)
	}
	for range 2 {
		if err := r.Remove(t.Context(), nested.ID{"p", "n"}); err != nil {
			t.Errorf("Remove() = %v, want nil", err)
		}
	}
	if _, err := os.Stat(filepath.Join(r.base, "containers", "n")); !os.IsNotExist(err) {
		t.Errorf("sandbox after Remove: %v, want none", err)
	}
	if _, err := r.Wait(t.Context(), nested.ID{"p", "n"}); !errors.Is(err, nested.ErrUnknown) {
		t.Errorf("Wait() = %v, want ErrUnknown", err)
	}
}

func TestNextAgentKnowsThem(t *testing.T) {
	r := newRig(t)
	r.launch("serve", "p", "n")
	r.launch("serve", "p", "n", "deep")
	r.launch("serve", "alone")
	r.fake = r.fake.Restart()
	r.open()
	if _, err := r.fake.Recover(t.Context(), append(r.Known(), "p")); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range r.List(t.Context()) {
		names = append(names, c.ID.String())
	}
	if got := strings.Join(names, " "); got != "alone p.n p.n.deep" {
		t.Errorf("List() = %s, want all three", got)
	}
	if err := r.fake.Destroy(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	if list := r.List(t.Context()); len(list) != 1 || len(r.Known()) != 1 {
		t.Errorf("List() without the executor = %v, want the one that stands alone", list)
	}
}

func TestLaunchesThatCannotBe(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		name string
		edit func(*nested.Request)
		want string
	}{
		{"nobody to be nested in", func(q *nested.Request) { q.ID, q.Base = nested.ID{"q", "n"}, "" }, "Parent container q does not exist"},
		{"no user", func(q *nested.Request) { q.Command.User = "no-such-user" }, "No such user 'no-such-user'"},
		{"no command", func(q *nested.Request) { q.Command.Value = "" }, "command.value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := r.request("serve", "p", "n")
			tt.edit(&q)
			if _, err := r.Launch(t.Context(), q); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Launch() = %v, want %q in it", err, tt.want)
			}
			if known := r.Known(); len(known) > 0 {
				t.Errorf("Known() = %v, want none", known)
			}
		})
	}
}

// A task owns the sandbox in which others are made.
func TestLinksInASandboxAreNotFollowed(t *testing.T) {
	r, outside := newRig(t), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(r.base, "containers")); err != nil {
		t.Fatal(err)
	}
	if launched, err := r.Launch(t.Context(), r.request("serve", "p", "n")); err == nil {
		t.Errorf("Launch() = %v, %v, want an error", launched, err)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("made outside: %v, %v", entries, err)
	}
}

func TestOutputIsFollowedToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.launch("serve", "p", "n")
		dir := filepath.Join(r.base, "containers", "n")
		write := func(name, text string) {
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteString(text); err != nil {
				t.Fatal(err)
			}
		}
		write("stdout", "before ")
		write("stderr", "")
		follow := func(all bool, got *strings.Builder) chan error {
			done := make(chan error, 1)
			go func() {
				done <- r.Follow(context.Background(), nested.ID{"p", "n"}, all, func(stderr bool, data []byte) error {
					got.Write(data)
					return nil
				})
			}()
			synctest.Wait()
			return done
		}
		var whole, rest strings.Builder
		first, second := follow(true, &whole), follow(false, &rest)
		write("stderr", "after")
		if err := r.fake.Exit("p.n", 0); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(<-first, <-second); err != nil {
			t.Errorf("Follow() = %v, want nil", err)
		}
		if whole.String() != "before after" || rest.String() != "after" {
			t.Errorf("followed %q and %q, want all and the rest", whole.String(), rest.String())
		}
	})
}
