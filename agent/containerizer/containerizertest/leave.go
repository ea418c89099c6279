package containerizertest

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/soukproject/souk/agent/containerizer/posix"
)

// LeaveNothing ends, after the test, the plain processes that agents with their
// work directories below dir leave running when they end: tasks outlive agents.
// Call it before the agents are started.
func LeaveNothing(t testing.TB, dir string) {
	t.Cleanup(func() {
		for _, pattern := range []string{"run", "*/run"} {
			found, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is good
			for _, runtime := range found {
				destroyAll(t, runtime)
			}
		}
	})
}

func destroyAll(t testing.TB, runtime string) {
	c, err := posix.New(posix.Config{RunDir: runtime})
	if err != nil {
		t.Errorf("open the containers in %s: %v", runtime, err)
		return
	}
	defer c.Close()
	if _, err := c.Recover(context.Background(), nil); err != nil {
		t.Errorf("end the containers in %s: %v", runtime, err)
	}
}
