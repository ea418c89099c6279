//go:build linux

package runc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/containerizer/keeper"
	"github.com/soukproject/souk/agent/containerizer/runc"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// TestAShimKilledMidwayLeavesNoProcess: without cgroups the first process of a
// container that libcontainer has started but not yet released is known to its
// own records only.
func TestAShimKilledMidwayLeavesNoProcess(t *testing.T) {
	root, run := parent(t, runc.NoLimits), t.TempDir()
	c, err := runc.New(runc.Config{RunDir: run, Helper: helper, Level: runc.NoLimits, CgroupsRoot: root, Libcontainer: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Recover(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	midway := 0
	for i := range 5 {
		id, launched := fmt.Sprintf("c%d", i), make(chan error, 1)
		go func() {
			_, err := c.Launch(context.Background(), shell(id, t.TempDir(), "sleep 1000"))
			launched <- err
		}()
		init := killWhenStarted(t, keeper.Dir(run, id), id)
		if err := <-launched; err != nil {
			midway++
		}
		if err := c.Destroy(t.Context(), id); err != nil {
			t.Error(err)
		}
		for deadline := time.Now().Add(time.Minute); init.Alive(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				syscall.Kill(init.PID, syscall.SIGKILL)
				t.Fatalf("process 1 of container %s runs on without a shim", id)
			}
		}
	}
	t.Logf("%d of 5 shims killed midway", midway)
}

// killWhenStarted kills the shim of a container as soon as libcontainer has noted
// its first process.
func killWhenStarted(t *testing.T, dir shim.Dir, id string) shim.Process {
	t.Helper()
	var state struct {
		PID   int    `json:"init_process_pid"`
		Start uint64 `json:"init_process_start"`
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
		data, err := os.ReadFile(filepath.Join(dir.State(), id, "state.json"))
		if err != nil || json.Unmarshal(data, &state) != nil || state.PID == 0 {
			continue
		}
		p, err := dir.ReadShim()
		if err != nil {
			t.Fatal(err)
		}
		syscall.Kill(p.PID, syscall.SIGKILL)
		return shim.Process{PID: state.PID, Start: state.Start}
	}
	t.Fatal("libcontainer noted no process")
	return shim.Process{}
}
