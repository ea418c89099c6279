package containerizertest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
)

func runNamespaces(t *testing.T, open Opener) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"processes of others are not seen", ownProcesses},
		{"an own hostname", ownHostname},
		{"mounts are private", ownMounts},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, newBench(t, open))
		})
	}
}

func ownProcesses(t *testing.T, b *bench) {
	got := b.output(b.shell("c1", "ls /proc | grep -c '^[0-9]'"))
	if len(strings.TrimSpace(got)) != 1 {
		t.Errorf("processes seen = %q, want fewer than ten", got)
	}
}

func ownHostname(t *testing.T, b *bench) {
	c := b.shell("c1", "cat /proc/sys/kernel/hostname")
	c.Hostname = "task.example"
	if got := b.output(c); got != "task.example\n" {
		t.Errorf("hostname = %q, want task.example", got)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got := b.output(b.shell("c2", "cat /proc/sys/kernel/hostname")); got != host+"\n" {
		t.Errorf("hostname = %q, want that of the machine, %q", got, host)
	}
}

func ownMounts(t *testing.T, b *bench) {
	before := mountTable(t)
	c := b.shell("c1", "echo kept > file; touch ready; sleep 1000")
	b.launch(c)
	eventually(t, "file in the sandbox", func() bool { return exists(c, "ready") })
	if got := read(t, c, "file"); got != "kept\n" {
		t.Errorf("file = %q, want %q", got, "kept\n")
	}
	if during := mountTable(t); strings.Contains(during, filepath.Base(b.dir)) {
		t.Errorf("the machine's mounts changed:\n%s\nbefore:\n%s", during, before)
	}
}

func mountTable(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func runLimits(t *testing.T, open Opener) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"too much memory is the end", outOfMemory},
		{"a memory limit is raised, not lowered", memoryRaised},
		{"too many processes are refused", forkBomb},
		{"a quota of CPU time", cpuQuota},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, newBench(t, open))
		})
	}
}

// hog grows by 128 MiB in the shell itself, without help from other programs.
const hog = `x=0123456789abcdef; i=0; while [ $i -lt 23 ]; do x=$x$x; i=$((i+1)); done; echo ${#x}`

func outOfMemory(t *testing.T, b *bench) {
	c := b.shell("c1", hog)
	c.Limits.MemRequest = 32 << 20
	b.launch(c)
	term := b.wait("c1")
	if sig, ok := term.Signaled(); sig != syscall.SIGKILL || !ok || !term.OOM {
		t.Errorf("Wait() = %+v, want SIGKILL and OOM", term)
	}
	if term.MemPeak < 24<<20 || term.MemPeak > 33<<20 {
		t.Errorf("Wait().MemPeak = %d, want about 32 MiB", term.MemPeak)
	}
	b.restart("c1")
	if again := b.wait("c1"); !again.OOM {
		t.Errorf("Wait() after a restart = %+v, want OOM", again)
	}
}

func memoryRaised(t *testing.T, b *bench) {
	c := b.shell("c1", "sleep 1000")
	c.Limits.MemRequest = 64 << 20
	b.launch(c)
	for _, step := range []struct{ ask, want int64 }{
		{ask: 128 << 20, want: 128 << 20},
		{ask: 48 << 20, want: 128 << 20},
	} {
		if err := b.Update(t.Context(), "c1", containerizer.Limits{MemRequest: step.ask}); err != nil {
			t.Fatalf("Update(%d) = %v, want nil", step.ask, err)
		}
		s, err := b.Stats(t.Context(), "c1")
		if err != nil || s.MemLimit != step.want || s.MemSoftLimit != step.ask {
			t.Errorf("Stats() after Update(%d) = limit %d, soft %d, %v, want %d, %d", step.ask, s.MemLimit, s.MemSoftLimit, err, step.want, step.ask)
		}
	}
}

func forkBomb(t *testing.T, b *bench) {
	c := b.shell("c1", "i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done; echo survived")
	c.Limits.PIDs = 20
	b.launch(c)
	b.wait("c1")
	if out := read(t, c, "stdout"); strings.Contains(out, "survived") {
		t.Errorf("40 processes started with a limit of 20")
	}
}

func cpuQuota(t *testing.T, b *bench) {
	c := b.shell("c1", "while true; do :; done")
	c.Limits = containerizer.Limits{CPURequest: 100, CPULimit: 100}
	b.launch(c)
	before, err := b.Stats(t.Context(), "c1")
	if err != nil {
		t.Fatalf("Stats() = %v, want nil", err)
	}
	time.Sleep(time.Second) // time is what is measured
	s, err := b.Stats(t.Context(), "c1")
	if err != nil {
		t.Fatalf("Stats() = %v, want nil", err)
	}
	used, elapsed := s.CPUUser+s.CPUSystem-before.CPUUser-before.CPUSystem, s.Time.Sub(before.Time)
	if used > elapsed/3 {
		t.Errorf("a tenth of a CPU used %v in %v", used, elapsed)
	}
	if s.CPULimit != 100 || s.CPUThrottled == 0 || s.CPUThrottledTime == 0 {
		t.Errorf("Stats() = %+v, want a limit of 100 and throttling", s)
	}
}
