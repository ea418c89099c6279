//go:build linux

package runc_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/agent/containerizer/runc"
)

// trace is what a container could leave behind on the machine.
type trace struct {
	Processes []string
	Mounts    []string
	Files     int
	Records   []string
}

var leakContainers = flag.Int("leak.containers", 200, "how many TestManyContainersLeaveNothing launches")

func TestManyContainersLeaveNothing(t *testing.T) {
	root, run, sandbox := parent(t, runc.Full), t.TempDir(), t.TempDir()
	c := open(t, run, root)
	one := func(id string) {
		if _, err := c.Launch(t.Context(), shell(id, sandbox, "sleep 1000 & exit 3")); err != nil {
			t.Error(err)
			return
		}
		term, err := c.Wait(t.Context(), id)
		if code, ok := term.Exited(); err != nil || !ok || code != 3 {
			t.Errorf("Wait(%s) = %+v, %v, want exit code 3", id, term, err)
		}
		if err := c.Destroy(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	one("warm-up") // opens the runtime's poller
	before := observe(t, run)
	began := time.Now()
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range *leakContainers / 4 {
				one(fmt.Sprintf("c%d-%d", worker, i))
			}
		})
	}
	wg.Wait()
	t.Logf("%d containers in %v", *leakContainers, time.Since(began))
	if diff := cmp.Diff(before, observe(t, run)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
	c.Close()
	if left, err := filepath.Glob("/sys/fs/cgroup/*/" + root); err != nil || len(left) > 0 {
		t.Errorf("cgroups left behind by a closed containerizer: %v, %v", left, err)
	}
}

// observe looks at everything that names the run directory.
func observe(t *testing.T, run string) trace {
	t.Helper()
	tr := trace{Files: len(list(t, "/proc/self/fd")), Records: list(t, filepath.Join(run, "containers"))}
	for _, name := range list(t, "/proc") {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join("/proc", name, "cmdline"))
		if err == nil && strings.Contains(string(cmdline), run) {
			tr.Processes = append(tr.Processes, string(cmdline))
		}
		if stat, err := os.ReadFile(filepath.Join("/proc", name, "stat")); err == nil && zombieOf(string(stat), os.Getpid()) {
			tr.Processes = append(tr.Processes, string(stat))
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, run) {
			tr.Mounts = append(tr.Mounts, line)
		}
	}
	return tr
}

func zombieOf(stat string, parent int) bool {
	return strings.Contains(stat, fmt.Sprintf(") Z %d ", parent))
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}
