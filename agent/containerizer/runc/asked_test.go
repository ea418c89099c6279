//go:build linux

package runc_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/runc"
)

// What a task asks for is what its command finds.
func TestConfinementThatIsAskedFor(t *testing.T) {
	root, run := parent(t, runc.Full), t.TempDir()
	c := open(t, run, root)
	const noFolders = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}`
	for _, tt := range []struct {
		name    string
		asked   containerizer.Confinement
		command string
		want    string
	}{
		{"a limit of open files", containerizer.Confinement{Rlimits: []containerizer.Rlimit{{Kind: "NOFILE", Soft: 123, Hard: 456}}}, "ulimit -Sn; ulimit -Hn", "123\n456\n"},
		{"two limits", containerizer.Confinement{Rlimits: []containerizer.Rlimit{{Kind: "CORE"}, {Kind: "CPU", Soft: 60, Hard: containerizer.NoLimit}}}, "ulimit -c; ulimit -t", "0\n60\n"},
		{"fewer capabilities", containerizer.Confinement{Effective: []string{"CHOWN"}}, "grep -E 'Cap(Eff|Bnd)' /proc/self/status | tr -d '\\t'", "CapEff:0000000000000001\nCapBnd:0000000000000001\n"},
		{"bounding ones are effective too", containerizer.Confinement{Bounding: []string{"KILL"}}, "grep -E 'CapEff' /proc/self/status | tr -d '\\t'", "CapEff:0000000000000020\n"},
		{"none", containerizer.Confinement{Bounding: []string{}}, "grep -E 'Cap(Eff|Bnd)' /proc/self/status | tr -d '\\t'", "CapEff:0000000000000000\nCapBnd:0000000000000000\n"},
		{"no filter", containerizer.Confinement{Unconfined: true}, "grep '^Seccomp:' /proc/self/status | tr -d '\\t'", "Seccomp:0\n"},
		{"the default filter", containerizer.Confinement{}, "grep '^Seccomp:' /proc/self/status | tr -d '\\t'", "Seccomp:2\n"},
		{"a filter of the task", containerizer.Confinement{Seccomp: noFolders}, "mkdir d 2>/dev/null || echo refused", "refused\n"},
		{"a small /dev/shm", containerizer.Confinement{ShmSize: 1 << 20}, "df -k /dev/shm | awk 'END{print $2}'", "1024\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sandbox := t.TempDir()
			cfg := shell("c1", sandbox, tt.command)
			cfg.Confinement = tt.asked
			if _, err := c.Launch(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			defer c.Destroy(t.Context(), "c1")
			if _, err := c.Wait(t.Context(), "c1"); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(sandbox, "stdout"))
			if err != nil || string(got) != tt.want {
				t.Errorf("output = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestSharedIPC(t *testing.T) {
	root, run, sandbox := parent(t, runc.Full), t.TempDir(), t.TempDir()
	c := open(t, run, root)
	cfg := shell("c1", sandbox, "readlink /proc/self/ns/ipc")
	cfg.Confinement.ShareIPC = true
	if _, err := c.Launch(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	defer c.Destroy(t.Context(), "c1")
	if _, err := c.Wait(t.Context(), "c1"); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(filepath.Join(sandbox, "stdout"))
	want, err := os.Readlink("/proc/self/ns/ipc")
	if err != nil || strings.TrimSpace(string(got)) != want {
		t.Errorf("namespace = %q, want the machine's, %q (%v)", got, want, err)
	}
}

func TestConfinementThatCannotBe(t *testing.T) {
	root, run := parent(t, runc.Full), t.TempDir()
	c := open(t, run, root)
	for _, tt := range []struct {
		asked containerizer.Confinement
		want  string
	}{
		{containerizer.Confinement{Bounding: []string{"FLY"}}, "FLY"},
		{containerizer.Confinement{Seccomp: "{"}, "seccomp profile of the task"},
		{containerizer.Confinement{Rlimits: []containerizer.Rlimit{{Kind: "X"}}}, `limit of "X"`},
	} {
		cfg := shell("c1", t.TempDir(), "true")
		cfg.Confinement = tt.asked
		if _, err := c.Launch(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Launch(%+v) = %v, want an error with %q", tt.asked, err, tt.want)
			c.Destroy(t.Context(), "c1")
		}
	}
}
