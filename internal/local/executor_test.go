package local_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// build compiles an example, where tasks of every user find it.
func build(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-o", path, "../../examples/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return path
}

// TestEndToEndExecutor: the example's executor runs its commands, and lives on
// when everything else is killed.
func TestEndToEndExecutor(t *testing.T) {
	c := newCluster(t)
	c.start()
	dir, err := os.MkdirTemp("", "pool")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	gate, begun := filepath.Join(dir, "gate"), filepath.Join(dir, "begun")
	wait := fmt.Sprintf("echo $PPID > %s.$TASK_ID; while [ ! -e %s ]; do sleep 0.05; done", begun, gate)
	framework := exec.Command(build(t, dir, "pool"), "-master", strings.TrimPrefix(c.master, "http://"), "-user", user(),
		"-executor", build(t, dir, "pool-executor"), "true", wait, wait+"; exit 3")
	var out bytes.Buffer
	framework.Stdout, framework.Stderr = &out, &out
	if err := framework.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { framework.Process.Kill() })
	c.eventually("the commands run", func() error {
		for _, task := range []string{"command-1", "command-2"} {
			if _, err := os.Stat(begun + "." + task); err != nil {
				return err
			}
		}
		return nil
	})
	executors := func() string {
		return c.call("POST", c.master+"/api/v1", `{"type":"GET_EXECUTORS"}`, 200)
	}
	if got := executors(); !strings.Contains(got, `"executor_id":{"value":"pool"}`) {
		t.Errorf("GET_EXECUTORS = %s, want the pool", got)
	}

	c.stop(syscall.SIGKILL)
	c.start()
	c.eventually("the executor is back", func() error {
		if got := executors(); !strings.Contains(got, `"executor_id":{"value":"pool"}`) {
			return fmt.Errorf("GET_EXECUTORS = %s", got)
		}
		return nil
	})
	time.Sleep(3 * time.Second) // longer than an executor may take to come back
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	err = framework.Wait()
	if err == nil || !strings.Contains(out.String(), "1 of 3 commands failed") {
		t.Errorf("pool = %v, want that one command failed:\n%s", err, &out)
	}
	for _, want := range []string{"command-0 ended: TASK_FINISHED", "command-1 ended: TASK_FINISHED", "command-2 ended: TASK_FAILED Command ended: exit status 3"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("pool does not say %q:\n%s", want, &out)
		}
	}
	c.eventually("the executor is gone", func() error {
		if got := executors(); strings.Contains(got, "pool") {
			return fmt.Errorf("GET_EXECUTORS = %s", got)
		}
		return nil
	})
	c.idle()
}

// TestEndToEndGroup: tasks that belong together begin together under the example's
// executor.
func TestEndToEndGroup(t *testing.T) {
	c := newCluster(t)
	c.start()
	dir, err := os.MkdirTemp("", "pool")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	met := filepath.Join(dir, "met")
	meet := fmt.Sprintf("touch %[1]s.$TASK_ID; while [ ! -e %[1]s.command-0 -o ! -e %[1]s.command-1 ]; do sleep 0.05; done", met)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	framework := exec.CommandContext(ctx, build(t, dir, "pool"), "-master", strings.TrimPrefix(c.master, "http://"), "-user", user(), "-group",
		"-executor", build(t, dir, "pool-executor"), meet, meet+"; exit 3")
	out, err := framework.CombinedOutput()
	if err == nil {
		t.Error("pool = nil, want that one command failed")
	}
	for _, want := range []string{"command-0 ended: TASK_FINISHED", "command-1 ended: TASK_FAILED Command ended: exit status 3"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("pool does not say %q:\n%s", want, out)
		}
	}
	c.idle()
}

func user() string {
	if os.Geteuid() == 0 {
		return "root"
	}
	return os.Getenv("USER")
}
