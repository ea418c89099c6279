//go:build linux

package runc_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/runc"
)

// outputWith runs text in a container with mounts and returns what it wrote.
func outputWith(t *testing.T, c *runc.Containerizer, id, text string, mounts ...containerizer.Mount) string {
	t.Helper()
	cfg := shell(id, t.TempDir(), text)
	cfg.Mounts = mounts
	return run(t, c, cfg)
}

func run(t *testing.T, c *runc.Containerizer, cfg containerizer.Config) string {
	t.Helper()
	if _, err := c.Launch(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Wait(t.Context(), cfg.ID); err != nil {
		t.Fatal(err)
	}
	if err := c.Destroy(t.Context(), cfg.ID); err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(filepath.Join(cfg.Sandbox, "stdout"))
	errs, _ := os.ReadFile(filepath.Join(cfg.Sandbox, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + string(errs)
}

func TestVolumesAreSeenFromInside(t *testing.T) {
	c := open(t, t.TempDir(), parent(t, runc.Full))
	machine, place := t.TempDir(), t.TempDir()
	write(t, filepath.Join(machine, "f"), "from the machine\n")
	write(t, filepath.Join(machine, "sub", "g"), "deep\n")
	for i, tt := range []struct {
		name, text, want string
		mount            containerizer.Mount
	}{
		{"a folder in the sandbox", "cat data/set/f && echo new > data/set/new && echo ok", "from the machine\nok\n",
			containerizer.Mount{Kind: containerizer.Bind, Source: machine, Target: "data/set"}},
		{"a folder elsewhere", "cat " + place + "/sub/g", "deep\n",
			containerizer.Mount{Kind: containerizer.Bind, Source: machine, Target: place}},
		{"a file", "cat one/file", "from the machine\n",
			containerizer.Mount{Kind: containerizer.Bind, Source: filepath.Join(machine, "f"), Target: "one/file"}},
		{"read-only", "echo x 2>/dev/null > ro/sub/g || echo refused", "refused\n",
			containerizer.Mount{Kind: containerizer.Bind, Source: machine, Target: "ro", ReadOnly: true}},
		{"memory", "echo x > mem/x && dd if=/dev/zero of=mem/y bs=1k count=64 2>/dev/null || echo full", "full\n",
			containerizer.Mount{Kind: containerizer.Tmpfs, Target: "mem", Size: 16 << 10}},
		{"a secret", "cat s/key && stat -c %a s/key && stat -f -c %T s/key", "hush400\ntmpfs\n",
			containerizer.Mount{Kind: containerizer.Content, Target: "s/key", Data: []byte("hush"), ReadOnly: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outputWith(t, c, fmt.Sprintf("c%d", i), tt.text, tt.mount); got != tt.want {
				t.Errorf("output of %q = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
	if got, err := os.ReadFile(filepath.Join(machine, "new")); err != nil || string(got) != "new\n" {
		t.Errorf("file written by the container = %q, %v, want new", got, err)
	}
}

func TestVolumesInsideVolumes(t *testing.T) {
	c := open(t, t.TempDir(), parent(t, runc.Full))
	outer, inner := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outer, "in", "hidden"), "")
	write(t, filepath.Join(inner, "shown"), "")
	got := outputWith(t, c, "c1", "ls v/in",
		containerizer.Mount{Kind: containerizer.Bind, Source: inner, Target: "v/in"},
		containerizer.Mount{Kind: containerizer.Bind, Source: outer, Target: "v"})
	if got != "shown\n" {
		t.Errorf("content of the inner volume = %q, want shown", got)
	}
}

func TestVolumesThatCannotBe(t *testing.T) {
	records := t.TempDir()
	c := open(t, records, parent(t, runc.Full))
	machine := t.TempDir()
	write(t, filepath.Join(machine, "f"), "")
	sandbox := t.TempDir()
	for _, name := range []string{"out", "self"} {
		if err := os.Symlink(map[string]string{"out": machine, "self": "self"}[name], filepath.Join(sandbox, name)); err != nil {
			t.Fatal(err)
		}
	}
	for i, tt := range []struct {
		name  string
		mount containerizer.Mount
		want  string
	}{
		{"no source", containerizer.Mount{Kind: containerizer.Bind, Source: "/no/such", Target: "a"}, "source /no/such of volume a does not exist"},
		{"no target", containerizer.Mount{Kind: containerizer.Bind, Source: machine, Target: "/no/such"}, "/no/such does not exist on this machine"},
		{"folder over file", containerizer.Mount{Kind: containerizer.Bind, Source: machine, Target: "/etc/passwd"}, "is a file"},
		{"file over folder", containerizer.Mount{Kind: containerizer.Bind, Source: filepath.Join(machine, "f"), Target: "/tmp"}, "is a folder"},
		{"target through a link out of the sandbox", containerizer.Mount{Kind: containerizer.Tmpfs, Target: "out/planted"}, "escapes"},
		{"target that is a link", containerizer.Mount{Kind: containerizer.Tmpfs, Target: "self"}, "container path self"},
		{"source through a link out of the sandbox", containerizer.Mount{Kind: containerizer.Bind, Source: sandbox + "/out", Within: sandbox, Target: "a"}, "symbolic link"},
		{"the records of containers", containerizer.Mount{Kind: containerizer.Bind, Source: records + "/containers", Target: "a"}, "holds the agent's records"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := shell(fmt.Sprintf("c%d", i), sandbox, "true")
			cfg.Mounts = []containerizer.Mount{tt.mount}
			_, err := c.Launch(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Launch() = %v, want an error with %q", err, tt.want)
			}
		})
	}
	if got := list(t, machine); len(got) != 1 {
		t.Errorf("files outside the sandbox = %v, want f alone", got)
	}
}

func TestRecordsAreHiddenInVolumesToo(t *testing.T) {
	records := t.TempDir()
	c := open(t, records, parent(t, runc.Full))
	got := outputWith(t, c, "c1", "ls -A all"+records, containerizer.Mount{Kind: containerizer.Bind, Source: "/", Target: "all"})
	if got != "" {
		t.Errorf("records seen through a volume: %q", got)
	}
}

// TestVolumesFollowTheMachine: what is mounted on the machine later is seen if
// that was asked for, and only then.
func TestVolumesFollowTheMachine(t *testing.T) {
	c := open(t, t.TempDir(), parent(t, runc.Full))
	machine := t.TempDir()
	if err := os.Mkdir(filepath.Join(machine, "later"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(machine, machine, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(machine, unix.MNT_DETACH)
	if err := unix.Mount("", machine, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	cfg := shell("c1", t.TempDir(), "touch ready; until test -e follows/later/mounted; do sleep 0.02; done; ls deaf/later")
	cfg.Mounts = []containerizer.Mount{
		{Kind: containerizer.Bind, Source: machine, Target: "follows", Follow: true},
		{Kind: containerizer.Bind, Source: machine, Target: "deaf"},
	}
	if _, err := c.Launch(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	defer c.Destroy(t.Context(), "c1")
	later := t.TempDir()
	write(t, filepath.Join(later, "mounted"), "")
	if err := unix.Mount(later, filepath.Join(machine, "later"), "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(filepath.Join(machine, "later"), unix.MNT_DETACH)
	if _, err := c.Wait(t.Context(), "c1"); err != nil {
		t.Fatal(err)
	}
	if out, err := os.ReadFile(filepath.Join(cfg.Sandbox, "stdout")); err != nil || string(out) != "" {
		t.Errorf("a volume that does not follow shows %q, %v, want nothing", out, err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
