package containerizertest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/soukproject/souk/agent/containerizer"
)

// idle is the configuration of a container that others are nested in.
func (b *bench) idle(id string) containerizer.Config {
	b.t.Helper()
	return containerizer.Config{ID: id, Sandbox: b.sandbox(), Idle: true}
}

// member is that of a container in an idle one, with process ids of its own where
// there are such.
func (b *bench) member(id, parent, text string, f Features) containerizer.Config {
	b.t.Helper()
	c := b.nested(id, parent, text)
	c.Apart, c.OwnPIDs = true, f.Namespaces
	return c
}

// runGroups checks containers that are nested in one that runs nothing.
func runGroups(t *testing.T, open Opener, f Features) {
	for _, tt := range []struct {
		name    string
		feature bool
		test    func(*testing.T, *bench, Features)
	}{
		{"an idle container is there until it is killed", true, idleLife},
		{"a group outlives the agent", true, groupRecovered},
		{"a group shares what it is to share", f.Namespaces, groupNamespaces},
		{"a group with volumes shares the same", f.Namespaces, groupVolumes},
		{"a group shares process ids when it asks for that", f.Namespaces, groupPIDs},
		{"a group goes beyond the memory that it shares", f.Limits, groupMemory},
		{"one of a group goes beyond memory of its own", f.Limits, memberMemory},
	} {
		if !tt.feature {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, newBench(t, open), f)
		})
	}
}

func idleLife(t *testing.T, b *bench, f Features) {
	b.launch(b.idle("p"))
	b.launch(b.member("p.1", "p", "exit 7", f))
	if code, ok := b.wait("p.1").Exited(); code != 7 || !ok {
		t.Errorf("Wait(p.1) = %+v, want exit code 7", b.wait("p.1"))
	}
	c := b.member("p.2", "p", "sleep 1000", f)
	b.launch(c)
	b.stillRuns("p")
	if err := b.Signal(t.Context(), "p", syscall.SIGKILL); err != nil {
		t.Errorf("Signal(p) = %v, want nil", err)
	}
	b.killed("p")
	b.killed("p.2")
	b.destroy("p")
	eventually(t, "the end of all processes", func() bool { return len(commandsIn(t, c.Sandbox)) == 0 })
}

func groupRecovered(t *testing.T, b *bench, f Features) {
	b.launch(b.idle("p"))
	b.launch(b.member("p.1", "p", "sleep 1000", f))
	b.launch(b.member("p.2", "p", "exit 5", f))
	b.wait("p.2")
	if alive := b.restart("p", "p.1", "p.2"); len(alive) != 2 {
		t.Errorf("Recover() = %v, want p and p.1", alive)
	}
	if code, ok := b.wait("p.2").Exited(); code != 5 || !ok {
		t.Errorf("Wait(p.2) = %+v, want exit code 5", b.wait("p.2"))
	}
	b.launch(b.member("p.3", "p", "exit 6", f))
	if code, ok := b.wait("p.3").Exited(); code != 6 || !ok {
		t.Errorf("Wait(p.3) = %+v, want exit code 6", b.wait("p.3"))
	}
	b.destroy("p")
}

// namespaces prints those that a command is in.
const namespaces = "for n in mnt pid ipc uts net; do readlink /proc/self/ns/$n; done"

// meanwhile launches a container that stays and returns what it prints first.
func (b *bench) meanwhile(c containerizer.Config) string {
	b.t.Helper()
	c.Command.Value += "; touch ready; exec sleep 1000"
	b.launch(c)
	eventually(b.t, "output of "+c.ID, func() bool { return exists(c, "ready") })
	return read(b.t, c, "stdout")
}

// shared says which of two lists of namespaces are the same.
func shared(a, b string) string {
	var same []string
	x, y := strings.Fields(a), strings.Fields(b)
	for i, name := range []string{"mnt", "pid", "ipc", "uts", "net"} {
		if i < len(x) && i < len(y) && x[i] == y[i] {
			same = append(same, name)
		}
	}
	return strings.Join(same, " ")
}

func groupNamespaces(t *testing.T, b *bench, f Features) {
	b.launch(b.idle("p"))
	one, two := b.member("p.1", "p", namespaces, f), b.member("p.2", "p", namespaces+"; cat /proc/1/comm", f)
	one.Confinement.ShareIPC, two.Confinement.ShareIPC = true, true
	private := b.member("p.3", "p", namespaces, f)
	first, second, third := b.meanwhile(one), b.output(two), b.output(private)
	if got := shared(first, second); got != "ipc uts net" {
		t.Errorf("shared by the tasks: %s, want ipc, uts and net", got)
	}
	if got := shared(first, third); got != "uts net" {
		t.Errorf("shared with one that has its own IPC: %s, want uts and net", got)
	}
	if !strings.Contains(second, "souk-init") {
		t.Errorf("process 1 is not its own:\n%s", second)
	}
	host, err := os.Readlink("/proc/self/ns/uts")
	if err != nil || strings.Contains(first, host) {
		t.Errorf("the machine's host name %s is shared, too (%v)", host, err)
	}
}

// Volumes may take another way through the launcher; the container is the same.
func groupVolumes(t *testing.T, b *bench, f Features) {
	b.launch(b.idle("p"))
	one, two := b.member("p.1", "p", "echo from one > v/file; "+namespaces, f), b.member("p.2", "p", namespaces+"; cat v/file", f)
	for _, c := range []*containerizer.Config{&one, &two} {
		c.Confinement.ShareIPC = true
	}
	folder := b.sandbox()
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*containerizer.Config{&one, &two} {
		c.Mounts = []containerizer.Mount{{Kind: containerizer.Bind, Source: folder, Target: "v"}}
	}
	first, second := b.meanwhile(one), b.output(two)
	if got := shared(first, second); got != "ipc uts net" {
		t.Errorf("shared by the tasks: %s, want ipc, uts and net", got)
	}
	if !strings.HasSuffix(second, "from one\n") {
		t.Errorf("output = %q, want what the other wrote into the volume", second)
	}
	if f.Limits {
		limited := b.member("p.3", "p", "cat /proc/self/cgroup", f)
		limited.Mounts = one.Mounts
		plain := b.member("p.4", "p", "cat /proc/self/cgroup", f)
		if x, y := groups(b.output(limited)), groups(b.output(plain)); x != y || x == "" {
			t.Errorf("cgroups with a volume:\n%s\nand without:\n%s", x, y)
		}
	}
}

// groups are the cgroups of a list in which a container's are.
func groups(list string) string {
	var kept []string
	for line := range strings.Lines(list) {
		if strings.HasSuffix(strings.TrimSpace(line), "/p") && strings.Contains(line, "memory") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func groupPIDs(t *testing.T, b *bench, f Features) {
	b.launch(b.idle("p"))
	long := b.member("p.1", "p", "touch ready; exec sleep 1000", f)
	long.OwnPIDs = false
	b.launch(long)
	eventually(t, "the other", func() bool { return exists(long, "ready") })
	c := b.member("p.2", "p", "cat /proc/[0-9]*/comm", f)
	c.OwnPIDs = false
	if got := b.output(c); !strings.Contains(got, "sleep") {
		t.Errorf("commands seen: %q, want that of the other task among them", got)
	}
	volume := b.member("p.3", "p", "cat /proc/[0-9]*/comm", f)
	volume.OwnPIDs = false
	volume.Mounts = []containerizer.Mount{{Kind: containerizer.Bind, Source: filepath.Dir(c.Sandbox), Target: "v"}}
	if got := b.output(volume); !strings.Contains(got, "sleep") {
		t.Errorf("commands seen with a volume: %q, want that of the other task among them", got)
	}
	b.destroy("p.3")
	b.destroy("p.2")
	b.stillRuns("p.1")
	b.destroy("p.1")
	eventually(t, "the end of all its processes", func() bool { return len(commandsIn(t, long.Sandbox)) == 0 })
	b.stillRuns("p")
}

func groupMemory(t *testing.T, b *bench, f Features) {
	p := b.idle("p")
	p.Limits.MemRequest = 32 << 20
	b.launch(p)
	b.launch(b.member("p.1", "p", hog, f))
	if term := b.wait("p.1"); !term.OOM {
		t.Errorf("Wait(p.1) = %+v, want OOM", term)
	}
}

func memberMemory(t *testing.T, b *bench, f Features) {
	b.launch(b.idle("p"))
	b.launch(b.member("p.1", "p", "sleep 1000", f))
	c := b.member("p.2", "p", hog, f)
	c.Limits.MemRequest = 32 << 20
	b.launch(c)
	if term := b.wait("p.2"); !term.OOM {
		t.Errorf("Wait(p.2) = %+v, want OOM", term)
	}
	b.stillRuns("p.1")
	b.stillRuns("p")
}
