//go:build linux

package runc_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/runc"
)

// agentEnv makes the test program an agent over the directory it names.
const agentEnv = "SOUK_TEST_AGENT"

// launchForever is an agent that launches one container after another and notes
// their ids first, as a real one does.
func launchForever(dir string) error {
	ctx := context.Background()
	c, err := runc.New(runc.Config{
		RunDir: filepath.Join(dir, "run"), Level: runc.Full,
		Helper: os.Getenv(helperEnv), CgroupsRoot: os.Getenv("SOUK_TEST_CGROUP"),
	})
	if err != nil {
		return err
	}
	known, err := notes(dir)
	if err != nil {
		return err
	}
	if _, err := c.Recover(ctx, known); err != nil {
		return err
	}
	for i := 0; ; i++ {
		id := fmt.Sprintf("c%d-%d", os.Getpid(), i)
		if err := note(dir, id); err != nil {
			return err
		}
		sandbox := filepath.Join(dir, id)
		if err := os.Mkdir(sandbox, 0o755); err != nil {
			return err
		}
		if _, err := c.Launch(ctx, shell(id, sandbox, "echo begin; sleep 0.2; echo end; exit 7")); err != nil {
			return err
		}
	}
}

func note(dir, id string) error {
	f, err := os.OpenFile(filepath.Join(dir, "notes"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, id)
	return err
}

func notes(dir string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "notes"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	return strings.Fields(string(data)), err
}

func TestNothingIsLostWhenTheAgentIsKilled(t *testing.T) {
	root, dir := parent(t, runc.Full), t.TempDir()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 5 {
		killAgent(t, dir, root, 3*(round+1), time.Duration(random.IntN(200))*time.Millisecond)
	}
	known, err := notes(dir)
	if err != nil || len(known) == 0 {
		t.Fatalf("notes of the agents = %v, %v, want some", known, err)
	}
	c := open(t, filepath.Join(dir, "run"), root, known...)
	for _, id := range known {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		term, err := c.Wait(ctx, id)
		cancel()
		if err != nil {
			t.Fatalf("Wait(%s) = %v", id, err)
		}
		checkSurvivor(t, filepath.Join(dir, id), term)
		if err := c.Destroy(t.Context(), id); err != nil {
			t.Errorf("Destroy(%s) = %v", id, err)
		}
	}
	t.Logf("seed %d: %d containers of 5 agents", seed, len(known))
}

// killAgent runs an agent until there are as many notes, and kills it without
// warning a moment later.
func killAgent(t *testing.T, dir, root string, enough int, later time.Duration) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), agentEnv+"="+dir, helperEnv+"="+helper, "SOUK_TEST_CGROUP="+root)
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if known, err := notes(dir); err == nil && len(known) >= enough {
			break
		}
	}
	time.Sleep(later) // a real process, killed at a random moment
	cmd.Process.Kill()
	cmd.Wait()
	if stderr.Len() > 0 {
		t.Fatalf("agent: %s", stderr.String())
	}
}

// checkSurvivor: either the command never ran, or it ran to its end.
func checkSurvivor(t *testing.T, sandbox string, term containerizer.Termination) {
	t.Helper()
	out, err := os.ReadFile(filepath.Join(sandbox, "stdout"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	switch code, ok := term.Exited(); {
	case len(out) == 0 && !term.Known: // killed before the shim was started
	case string(out) != "begin\nend\n" || !ok || code != 7:
		t.Errorf("%s: termination %+v, output %q, want exit code 7 and both lines", filepath.Base(sandbox), term, out)
	}
}
