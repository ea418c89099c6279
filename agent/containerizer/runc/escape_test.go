//go:build linux

package runc_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/soukproject/souk/agent/containerizer/runc"
)

// The ways out of containers that others have found, tried on ours; see
// docs/explanation/security.md for the whole list.

// A shim passes nothing on to what it launches (CVE-2016-9962), no capability
// outlives a change of user (CVE-2022-29162), and the program that launches
// containers can be neither read nor written through them (CVE-2019-5736).
func TestNothingOfTheHelperIsInReach(t *testing.T) {
	c := open(t, t.TempDir(), parent(t, runc.Full))
	before := digest(t, helper)
	const look = `ls -l /proc/self/fd >fds; grep -v -e '/dev/null' -e '/proc/[0-9]*/fd' -e '/fds$' -e 'stderr$' -e '^total' fds
grep -E '^Cap(Inh|Amb)' /proc/self/status
for p in /proc/[0-9]*; do
	[ "$p" = "/proc/$$" ] && continue
	readlink $p/exe >/dev/null 2>&1 && grep -q souk-init $p/comm && echo read
	(exec 3<>$p/exe) 2>/dev/null && grep -q souk-init $p/comm && echo written
	grep -q souk-init $p/comm && readlink $p/fd/* >/dev/null 2>&1 && echo listed
done
true`
	const want = "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n"
	if got := run(t, c, shell("c1", t.TempDir(), look)); got != want {
		t.Errorf("a command sees %q, want %q", got, want)
	}
	outer := shell("outer", t.TempDir(), "sleep 1000")
	if _, err := c.Launch(t.Context(), outer); err != nil {
		t.Fatal(err)
	}
	inner := shell("inner", t.TempDir(), look)
	inner.Parent = "outer"
	if got := run(t, c, inner); got != want {
		t.Errorf("a nested command sees %q, want %q", got, want)
	}
	if err := c.Destroy(t.Context(), "outer"); err != nil {
		t.Error(err)
	}
	if after := digest(t, helper); after != before {
		t.Error("the helper program was changed")
	}
}

// A work directory cannot be a way out through an open file (CVE-2024-21626).
func TestWorkDirectoryLeadsNowhere(t *testing.T) {
	image := busybox(t)
	c, _ := openOnDisk(t)
	secret := t.TempDir()
	for fd := 3; fd < 10; fd++ {
		cfg := shell(fmt.Sprintf("c%d", fd), t.TempDir(), "ls -d "+secret+" ../../../.."+secret+" 2>/dev/null; pwd -P")
		cfg.Command.WorkDir = fmt.Sprintf("/proc/self/fd/%d", fd)
		cfg.Command.Env, cfg.Rootfs = []string{"PATH=/bin"}, image
		if _, err := c.Launch(t.Context(), cfg); err != nil {
			continue // there is no such directory, which is the best answer
		}
		c.Wait(t.Context(), cfg.ID)
		if err := c.Destroy(t.Context(), cfg.ID); err != nil {
			t.Fatal(err)
		}
		if out := read(t, filepath.Join(cfg.Sandbox, "stdout")); strings.Contains(out, secret) || !strings.HasPrefix(out, "/") {
			t.Errorf("work directory %s: output %q, want nothing of the machine", cfg.Command.WorkDir, out)
		}
	}
}

// An image does not decide what lies under the kernel's own files: links in place
// of the folders and devices that protect them are refused, or make no difference
// (CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-31133, CVE-2026-41579).
func TestImageDoesNotMoveWhatProtects(t *testing.T) {
	for _, tt := range []struct {
		name string
		trap func(top, victim string) error
	}{
		{"proc is a link", func(top, _ string) error {
			return errors.Join(os.Mkdir(top+"/evil", 0o755), os.Symlink("/evil", top+"/proc"))
		}},
		{"proc is a link to the outside", func(top, victim string) error {
			return os.Symlink("../../../../../../../.."+victim, top+"/proc")
		}},
		{"sys is a link", func(top, _ string) error { return os.Symlink("/etc", top+"/sys") }},
		{"dev is a link", func(top, victim string) error { return os.Symlink("../../../../../../../.."+victim, top+"/dev") }},
		{"dev/null is a link", func(top, _ string) error {
			return errors.Join(os.Mkdir(top+"/dev", 0o755), os.Symlink("/proc/sys/kernel/core_pattern", top+"/dev/null"))
		}},
		{"dev/pts is a link", func(top, victim string) error {
			return errors.Join(os.Mkdir(top+"/dev", 0o755), os.Symlink("../../../../../../../.."+victim, top+"/dev/pts"))
		}},
		{"the sandbox is a link", func(top, victim string) error {
			return errors.Join(os.MkdirAll(top+"/mnt/mesos", 0o755), os.Symlink("../../../../../../../../../.."+victim, top+"/mnt/mesos/sandbox"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			image := busybox(t)
			victim := t.TempDir()
			write(t, filepath.Join(victim, "kept"), "kept")
			if err := tt.trap(image.Layers[0], victim); err != nil {
				t.Fatal(err)
			}
			c, _ := openOnDisk(t)
			cfg := shell("c1", t.TempDir(), "cat /proc/kcore /proc/keys | wc -c; echo x 2>/dev/null >/proc/sys/kernel/hostname || echo refused; cat "+victim+"/kept 2>/dev/null; cat /proc/self/comm")
			cfg.Command.Env, cfg.Rootfs = []string{"PATH=/bin"}, image
			if _, err := c.Launch(t.Context(), cfg); err != nil {
				t.Logf("refused: %v", err)
			} else {
				c.Wait(t.Context(), cfg.ID)
				if got := read(t, filepath.Join(cfg.Sandbox, "stdout")); got != "0\nrefused\ncat\n" {
					t.Errorf("output = %q, want that the kernel's files are protected", got)
				}
				if err := c.Destroy(t.Context(), cfg.ID); err != nil {
					t.Error(err)
				}
			}
			if names := list(t, victim); len(names) != 1 || read(t, filepath.Join(victim, "kept")) != "kept" {
				t.Errorf("the machine's folder holds %v, want it untouched", names)
			}
		})
	}
}

// The kernel's control groups can be read and not changed (CVE-2023-25809), and what
// is said of the machine's processes does not show those outside.
func TestControlGroupsAreNotTheTasks(t *testing.T) {
	c := open(t, t.TempDir(), parent(t, runc.Full))
	got := run(t, c, shell("c1", t.TempDir(), `n=0
for f in $(find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs -o -maxdepth 2 -name release_agent -o -maxdepth 2 -name notify_on_release); do
	(echo 0 >$f) 2>/dev/null && n=$((n+1))
done
echo $n written; mount -t cgroup none /mnt 2>/dev/null; mount -t cgroup2 none /mnt 2>/dev/null; ls /mnt/cgroup.procs 2>/dev/null; true`))
	if got != "0 written\n" {
		t.Errorf("output = %q, want that nothing was written", got)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func digest(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
