//go:build linux

package runc_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/runc"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// shimOf reads which process is the shim of a container.
func shimOf(t *testing.T, run, id string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(run, "containers", id, "shim.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var p shim.Process
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	return p.PID
}

func TestContainerWhoseShimIsKilledIsLost(t *testing.T) {
	root, run, sandbox := parent(t, runc.Full), t.TempDir(), t.TempDir()
	c := open(t, run, root)
	for i, restart := range []bool{false, true} {
		id := fmt.Sprintf("c%d", i)
		s, err := c.Launch(t.Context(), shell(id, sandbox, "sleep 1000"))
		if err != nil {
			t.Fatal(err)
		}
		pid := shimOf(t, run, id)
		if restart {
			c.Close()
		}
		syscall.Kill(pid, syscall.SIGKILL)
		if restart {
			syscall.Wait4(pid, nil, 0, nil)
			c = open(t, run, root, "c0", "c1")
		}
		term, err := c.Wait(t.Context(), id)
		if err != nil || term.Known || term.Reason != containerizer.Lost {
			t.Errorf("Wait(%s) = %+v, %v, want lost", id, term, err)
		}
		if err := c.Destroy(t.Context(), id); err != nil {
			t.Errorf("Destroy(%s) = %v", id, err)
		}
		if (shim.Process{PID: s.PID}).Alive() {
			t.Errorf("container %s: process 1 still runs", id)
		}
	}
}

func TestContainerBeforeARebootIsReportedSo(t *testing.T) {
	root, run, sandbox := parent(t, runc.Full), t.TempDir(), t.TempDir()
	c := open(t, run, root)
	for id, text := range map[string]string{"ended": "exit 2", "running": "sleep 1000"} {
		if _, err := c.Launch(t.Context(), shell(id, sandbox, text)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Wait(t.Context(), "ended"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	pid := shimOf(t, run, "running")
	syscall.Kill(pid, syscall.SIGKILL)
	syscall.Wait4(pid, nil, 0, nil)
	if err := os.WriteFile(filepath.Join(run, "boot_id"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	c = open(t, run, root, "ended", "running")
	if term, err := c.Wait(t.Context(), "running"); err != nil || term.Reason != containerizer.Reboot {
		t.Errorf("Wait(running) = %+v, %v, want reboot", term, err)
	}
	term, err := c.Wait(t.Context(), "ended")
	if code, ok := term.Exited(); err != nil || !ok || code != 2 {
		t.Errorf("Wait(ended) = %+v, %v, want exit code 2 as recorded", term, err)
	}
	for _, id := range []string{"ended", "running"} {
		if err := c.Destroy(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

// TestCommandIsConfined looks from inside at what a command may not do.
func TestCommandIsConfined(t *testing.T) {
	root, run := parent(t, runc.Full), t.TempDir()
	c := open(t, run, root)
	for i, tt := range []struct{ name, text, want string }{
		{"records of containers", "ls " + run, ""},
		{"cgroups are read-only", "echo 0 > /sys/fs/cgroup/pids/cgroup.procs 2>/dev/null || mkdir /sys/fs/cgroup/x 2>/dev/null || echo refused", "refused\n"},
		{"kernel settings are read-only", "echo x 2>/dev/null > /proc/sys/kernel/hostname || echo refused", "refused\n"},
		{"capabilities", "grep CapBnd /proc/self/status", "CapBnd:\t00000000a00405fb\n"},
		{"no new privileges", "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status", "NoNewPrivs:\t1\nSeccomp:\t2\n"},
		{"mount", "mount -t tmpfs none /tmp 2>/dev/null || echo refused", "refused\n"},
		{"harmless devices", "echo x > /dev/null && head -c1 /dev/zero | wc -c", "1\n"},
		{"shared memory is private", "ls -A /dev/shm", ""},
		{"open files", "ls /proc/self/fd | grep -v '^[0-3]$'", ""},
		{"standard input", "readlink /proc/self/fd/0", "/dev/null\n"},
		{"file limit is the machine's", "ulimit -n", fileLimit(t)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, sandbox := fmt.Sprintf("c%d", i), t.TempDir()
			if _, err := c.Launch(t.Context(), shell(id, sandbox, tt.text)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Wait(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			out, err := os.ReadFile(filepath.Join(sandbox, "stdout"))
			if err != nil || string(out) != tt.want {
				t.Errorf("stdout of %q = %q, %v, want %q", tt.text, out, err, tt.want)
			}
			if err := c.Destroy(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
}

// fileLimit is the soft limit of open files that a shell started from here gets.
func fileLimit(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-c", "ulimit -n").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestDevOfTheMachineIsUntouched(t *testing.T) {
	root, run, sandbox := parent(t, runc.Full), t.TempDir(), t.TempDir()
	before := devices(t)
	c := open(t, run, root)
	if _, err := c.Launch(t.Context(), shell("c1", sandbox, "true")); err != nil {
		t.Fatal(err)
	}
	if err := c.Destroy(t.Context(), "c1"); err != nil {
		t.Fatal(err)
	}
	if after := devices(t); after != before {
		t.Errorf("/dev changed from\n%s\nto\n%s", before, after)
	}
}

func devices(t *testing.T) string {
	t.Helper()
	var lines []string
	for _, name := range list(t, "/dev") {
		info, err := os.Lstat(filepath.Join("/dev", name))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, name+" "+info.Mode().String())
	}
	return strings.Join(lines, "\n")
}

func TestAnotherAgentIsRefused(t *testing.T) {
	root, run := parent(t, runc.Full), t.TempDir()
	open(t, run, root)
	_, err := runc.New(runc.Config{RunDir: run, Helper: helper, Level: runc.Full, CgroupsRoot: root})
	if err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("New() over the same directory = %v, want a refusal", err)
	}
}

func TestIsolationIsNeverLessThanAsked(t *testing.T) {
	_, err := runc.New(runc.Config{RunDir: t.TempDir(), Helper: "/no/such/helper", Level: runc.Full})
	if err == nil || !strings.Contains(err.Error(), "/no/such/helper") {
		t.Errorf("New() without a helper = %v, want an error that names it", err)
	}
	root := parent(t, runc.Full)
	_, err = runc.New(runc.Config{RunDir: t.TempDir(), Helper: helper, Level: runc.Full, CgroupsRoot: root + "/../.."})
	if err == nil || !strings.Contains(err.Error(), "cgroup") {
		t.Errorf("New() with a cgroup outside = %v, want an error", err)
	}
}

func TestHelperMayBeReplacedWhileTheAgentRuns(t *testing.T) {
	root, run, sandbox, own := parent(t, runc.Full), t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), runc.HelperName)
	data, err := os.ReadFile(helper)
	if err == nil {
		err = os.WriteFile(own, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := runc.New(runc.Config{RunDir: run, Helper: own, Level: runc.Full, CgroupsRoot: root})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Recover(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Launch(t.Context(), shell("c1", sandbox, "exit 4")); err != nil {
		t.Fatal(err)
	}
	term, err := c.Wait(t.Context(), "c1")
	if code, ok := term.Exited(); err != nil || !ok || code != 4 || term.When.After(time.Now()) {
		t.Errorf("Wait() = %+v, %v, want exit code 4", term, err)
	}
	if err := c.Destroy(t.Context(), "c1"); err != nil {
		t.Error(err)
	}
}
