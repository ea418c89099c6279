//go:build linux

package runc_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/agent/containerizer/runc"
)

// TestContainersAreTheSameEitherWay compares what a command sees of itself when
// its container was launched by a plan and by libcontainer.
func TestContainersAreTheSameEitherWay(t *testing.T) {
	signal.Ignore(syscall.SIGHUP) // as under nohup
	defer signal.Reset(syscall.SIGHUP)
	seen := map[bool]map[string]string{}
	for _, slow := range []bool{false, true} {
		root, run := parent(t, runc.Full), t.TempDir()
		c, err := runc.New(runc.Config{RunDir: run, Helper: helper, Level: runc.Full, CgroupsRoot: root, Libcontainer: slow})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := c.Recover(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		seen[slow] = look(t, c, run, root)
	}
	for what, want := range seen[true] {
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(seen[false][what], "\n")); diff != "" {
			t.Errorf("%s (-by libcontainer +by plan):\n%s", what, diff)
		}
	}
}

// look returns what a command sees, without what differs from one to the next.
func look(t *testing.T, c *runc.Containerizer, run, root string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for what, text := range map[string]string{
		"status":       "cat /proc/self/status",
		"status of 1":  "cat /proc/1/status",
		"mounts":       "cat /proc/self/mountinfo",
		"cgroups":      "grep -v -E ':(cpuset|freezer|hugetlb|misc|net_cls|net_prio|net_cls,net_prio|perf_event|rdma):' /proc/self/cgroup", // no plan needs these
		"limits":       "cat /proc/self/limits; umask",
		"shared":       "for n in net user cgroup time; do readlink /proc/self/ns/$n; done",
		"own":          "for n in mnt pid ipc uts; do readlink /proc/self/ns/$n | cut -d: -f1; done; readlink /proc/1/ns/pid /proc/self/ns/pid | uniq | wc -l",
		"files":        "ls /proc/self/fd; readlink /proc/self/fd/0; cat /proc/self/oom_score_adj; pwd; env",
		"sessions":     "cut -d' ' -f5-6 /proc/1/stat",
		"system calls": "unshare -U true 2>&1; mount -t tmpfs x /tmp 2>&1; keyctl 2>&1 | head -1; mknod x c 1 3 2>&1",
	} {
		id := strings.ReplaceAll(what, " ", "-")
		cfg := shell(id, t.TempDir(), text)
		cfg.Limits.MemRequest, cfg.Limits.MemLimit, cfg.Limits.CPURequest = 64<<20, 128<<20, 500
		cfg.Hostname = "same"
		if _, err := c.Launch(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Wait(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if err := c.Destroy(t.Context(), id); err != nil {
			t.Error(err)
		}
		out, err := os.ReadFile(filepath.Join(cfg.Sandbox, "stdout"))
		if err != nil {
			t.Fatal(err)
		}
		seen[what] = plain(string(out), run, root, cfg.Sandbox)
	}
	return seen
}

var (
	counters = regexp.MustCompile(`(?m)^(Vm|Rss|Hugetlb|.*ctxt_switches|Pid|Tgid|Ngid|PPid|NSpid|NStgid|NSpgid|NSsid|Cpus_allowed|Mems_allowed|SigQ|FDSize|Name|CoreDumping|THP|Threads).*\n`)
	mountIDs = regexp.MustCompile(`^[0-9]+ [0-9]+ [0-9]+:[0-9]+ `)
	peers    = regexp.MustCompile(`(shared|master|propagate_from):[0-9]+ `)
)

// plain takes names and numbers out that differ between any two containers.
func plain(text, run, root, sandbox string) string {
	text = strings.NewReplacer(run, "RUN", root, "ROOT", sandbox, "SANDBOX").Replace(text)
	text = counters.ReplaceAllString(text, "")
	var lines []string
	for line := range strings.Lines(text) {
		if mountIDs.MatchString(line) {
			line = peers.ReplaceAllString(mountIDs.ReplaceAllString(line, ""), "")
		}
		lines = append(lines, line)
	}
	if strings.Contains(text, " - proc proc ") {
		slices.Sort(lines)
	}
	return strings.Join(lines, "")
}

// TestContainersStartWithoutTheHelpers kills the one that makes plans and the one
// that forks shims.
func TestContainersStartWithoutTheHelpers(t *testing.T) {
	root, run := parent(t, runc.Full), t.TempDir()
	c := open(t, run, root)
	for i := range 3 {
		cfg := shell(fmt.Sprintf("c%d", i), t.TempDir(), "exit 6")
		if _, err := c.Launch(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		term, err := c.Wait(t.Context(), cfg.ID)
		if code, ok := term.Exited(); err != nil || !ok || code != 6 {
			t.Errorf("Wait(%s) = %+v, %v, want exit code 6", cfg.ID, term, err)
		}
		if err := c.Destroy(t.Context(), cfg.ID); err != nil {
			t.Error(err)
		}
		helpers := helpersOf(t, os.Getpid())
		if len(helpers) != 2 && i != 1 { // the second launch found them dead
			t.Errorf("helpers after launch %d = %d, want 2", i, len(helpers))
		}
		for _, pid := range helpers {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// TestAShimNeverLooksLikeTheHelper looks at the agent's children all the time while
// shims are forked: only the two helpers have the titles of helpers.
func TestAShimNeverLooksLikeTheHelper(t *testing.T) {
	root, run := parent(t, runc.Full), t.TempDir()
	c := open(t, run, root)
	done, looked := make(chan struct{}), make(chan map[int]bool)
	go func() {
		seen := map[int]bool{}
		for {
			for _, pid := range helpersOf(t, os.Getpid()) {
				seen[pid] = true
			}
			select {
			case <-done:
				looked <- seen
				return
			default:
			}
		}
	}()
	for i := range 30 {
		cfg := shell(fmt.Sprintf("c%d", i), t.TempDir(), "exit 0")
		if _, err := c.Launch(t.Context(), cfg); err != nil {
			t.Error(err)
			break
		}
		if err := c.Destroy(t.Context(), cfg.ID); err != nil {
			t.Error(err)
		}
	}
	close(done)
	if seen := <-looked; len(seen) != 2 {
		t.Errorf("%d processes had the title of a helper, want 2", len(seen))
	}
}
