package posix_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/containerizertest"
	"github.com/soukproject/souk/agent/containerizer/posix"
)

// TestMain lets the test program be its own shim.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "shim" {
		os.Exit(posix.Shim(os.Args[2]))
	}
	os.Exit(m.Run())
}

func TestPlainProcessesKeepThePromises(t *testing.T) {
	containerizertest.Run(t, func(t *testing.T, dir string) containerizer.Containerizer {
		c, err := posix.New(posix.Config{RunDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}, containerizertest.Features{Terminals: runtime.GOOS == "linux"})
}

func BenchmarkLaunch(b *testing.B) {
	c, err := posix.New(posix.Config{RunDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Recover(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	sandbox := b.TempDir()
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprintf("c%d", i)
		_, err := c.Launch(b.Context(), containerizer.Config{
			ID: id, Sandbox: sandbox, Command: containerizer.Command{Shell: true, Value: "true"},
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Destroy(b.Context(), id); err != nil {
			b.Fatal(err)
		}
	}
}
