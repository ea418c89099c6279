//go:build linux

package runc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/containerizertest"
	"github.com/soukproject/souk/agent/containerizer/posix"
	"github.com/soukproject/souk/agent/containerizer/runc"
	"github.com/soukproject/souk/agent/containerizer/runc/cgroup"
)

// helperEnv names a helper built before, for machines without Go.
const helperEnv = "SOUK_TEST_HELPER"

// helper is the helper program, or why there is none.
var helper, noHelper = "", error(nil)

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(agentEnv); ok {
		fmt.Fprintln(os.Stderr, crashAgent(dir))
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "souk-helper")
	if err != nil {
		panic(err)
	}
	helper = os.Getenv(helperEnv)
	if helper == "" && os.Getuid() == 0 {
		helper, noHelper = buildHelper(dir)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// buildHelper builds the helper as the Makefile does.
func buildHelper(dir string) (string, error) {
	path := filepath.Join(dir, runc.HelperName)
	build := exec.Command("go", "build", "-tags", "netgo,osusergo,seccomp", "-ldflags", `-s -w -extldflags "-static"`,
		"-o", path, "github.com/soukproject/souk/cmd/souk-containerizer")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the helper: %w: %s", err, out)
	}
	return path, nil
}

// groups counts the parent cgroups of this run.
var groups atomic.Int64

// parent returns a cgroup for the containers of one test, removed afterwards. It
// skips the test where isolation at level cannot be had.
func parent(t testing.TB, level runc.Level) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root for namespaces and cgroups")
	}
	if noHelper != nil {
		t.Skipf("needs a C compiler and libseccomp: %v", noHelper)
	}
	name := fmt.Sprintf("souk-test-%d-%d", os.Getpid(), groups.Add(1))
	t.Cleanup(func() { removeParent(t, name) })
	if have, reason := runc.Probe(helper, name); have < level {
		t.Skipf("this machine allows %v only: %s", have, reason)
	}
	return name
}

func removeParent(t testing.TB, name string) {
	tree, err := cgroup.Detect()
	if errors.Is(err, cgroup.ErrNone) {
		return
	}
	if err != nil {
		t.Error(err)
	}
	left, err := tree.Children(name)
	if err != nil || len(left) > 0 {
		t.Errorf("cgroups left behind: %v, %v", left, err)
	}
	if err := tree.Group(name).Remove(); err != nil {
		t.Error(err)
	}
}

// opener opens containerizers whose containers share one parent cgroup per
// directory.
func opener(level runc.Level) containerizertest.Opener {
	parents := map[string]string{}
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	return func(t *testing.T, dir string) containerizer.Containerizer {
		<-turn
		name, ok := parents[dir]
		turn <- struct{}{}
		if !ok {
			name = parent(t, level)
			<-turn
			parents[dir] = name
			turn <- struct{}{}
		}
		c, err := runc.New(runc.Config{RunDir: dir, Helper: helper, Level: level, CgroupsRoot: name})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func TestContainersKeepThePromises(t *testing.T) {
	containerizertest.Run(t, opener(runc.Full), containerizertest.Features{Limits: true, Namespaces: true, Terminals: true})
}

// The helper serves plain processes, too.
func TestPlainProcessesOfTheHelperKeepThePromises(t *testing.T) {
	parent(t, runc.NoLimits) // needs the helper
	containerizertest.Run(t, func(t *testing.T, dir string) containerizer.Containerizer {
		c, err := posix.New(posix.Config{RunDir: dir, Helper: helper})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}, containerizertest.Features{Terminals: true})
}

func TestContainersWithoutLimitsKeepThePromises(t *testing.T) {
	containerizertest.Run(t, opener(runc.NoLimits), containerizertest.Features{Namespaces: true, Terminals: true})
}

// open returns a containerizer that has recovered the known containers and is
// closed with the test.
func open(t testing.TB, dir, root string, known ...string) *runc.Containerizer {
	t.Helper()
	c, err := runc.New(runc.Config{RunDir: dir, Helper: helper, Level: runc.Full, CgroupsRoot: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.Recover(context.Background(), known); err != nil {
		t.Fatal(err)
	}
	return c
}

func shell(id, sandbox, text string) containerizer.Config {
	return containerizer.Config{ID: id, Sandbox: sandbox, Command: containerizer.Command{
		Shell: true, Value: text, Env: []string{"PATH=/usr/bin:/bin"},
	}}
}
