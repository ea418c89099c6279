package posix_test

import (
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/posix"
)

// TestIgnoredSignalsAreNotInherited stands for an agent under nohup.
func TestIgnoredSignalsAreNotInherited(t *testing.T) {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1)
	defer signal.Reset(syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1)
	c, err := posix.New(posix.Config{RunDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Recover(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	sandbox := t.TempDir()
	cfg := containerizer.Config{
		ID: "c", Sandbox: sandbox, Command: containerizer.Command{Shell: true, Value: "grep -E 'Sig(Ign|Blk)' /proc/self/status"},
	}
	if _, err := c.Launch(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Wait(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(sandbox + "/stdout")
	if err != nil || strings.Count(string(out), "\t0000000000000000\n") != 2 {
		t.Errorf("signals of the command:\n%s%v, want none ignored and none blocked", out, err)
	}
	if err := c.Destroy(t.Context(), "c"); err != nil {
		t.Error(err)
	}
}
