package keeper_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/soukproject/souk/agent/containerizer/keeper"
)

// TestOpenWaitsForWhatAKilledAgentLeft holds the lock as a child of a killed agent
// does that has not executed its program yet, and as an agent that runs.
func TestOpenWaitsForWhatAKilledAgentLeft(t *testing.T) {
	for name, test := range map[string]struct {
		held time.Duration
		want string // in the error; "": none
	}{
		"a child about to execute": {held: time.Second},
		"an agent that runs":       {held: time.Hour, want: "another agent"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root := t.TempDir()
				hold(t, root, test.held)
				k, err := keeper.Open(keeper.Config{Root: root})
				if err == nil {
					defer k.Close()
				}
				if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
					t.Errorf("Open() = %v, want an error with %q, if any", err, test.want)
				}
			})
		})
	}
}

func hold(t *testing.T, root string, d time.Duration) {
	t.Helper()
	f, err := os.Create(filepath.Join(root, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(d, func() { f.Close() })
	t.Cleanup(func() { f.Close() })
}
