//go:build linux

package runc_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/runc"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

var (
	crashFor   = flag.Duration("crash.for", 6*time.Second, "how long TestEveryExitStatusIsFound kills")
	crashTasks = flag.Int("crash.tasks", 40, "how many containers run meanwhile")
	crashSeed  = flag.Uint64("crash.seed", 0, "whom it kills and when; 0: another each time")
)

// What makes the test program an agent: its directory, and how many containers
// it keeps running.
const (
	agentEnv = "SOUK_TEST_AGENT"
	tasksEnv = "SOUK_TEST_TASKS"
	groupEnv = "SOUK_TEST_CGROUP"
)

// crashAgent is an agent that keeps many short containers running and writes
// down what becomes of them, as a real one does: the id before the launch, the
// end before the container is destroyed.
func crashAgent(dir string) error {
	ctx := context.Background()
	c, err := runc.New(runc.Config{
		RunDir: filepath.Join(dir, "run"), Level: runc.Full, Helper: os.Getenv(helperEnv), CgroupsRoot: os.Getenv(groupEnv),
	})
	if err != nil {
		return err
	}
	n, err := notes(dir)
	if err != nil {
		return err
	}
	if _, err := c.Recover(ctx, n.open()); err != nil {
		return err
	}
	tasks, err := strconv.Atoi(os.Getenv(tasksEnv))
	if err != nil {
		return err
	}
	failed := make(chan error)
	room := make(chan struct{}, tasks)
	for _, id := range n.open() {
		room <- struct{}{}
		go func() { failed <- crashEnd(ctx, c, dir, id); <-room }()
	}
	for worker := range 4 {
		go func() {
			for i := 0; ; i++ {
				room <- struct{}{}
				id := fmt.Sprintf("c%d-%d-%d", os.Getpid(), worker, i)
				if err := crashLaunch(ctx, c, dir, id); err != nil {
					failed <- err
				}
				go func() { failed <- crashEnd(ctx, c, dir, id); <-room }()
			}
		}()
	}
	for err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

func crashLaunch(ctx context.Context, c *runc.Containerizer, dir, id string) error {
	sandbox := filepath.Join(dir, id)
	if err := os.Mkdir(sandbox, 0o755); err != nil {
		return err
	}
	if err := note(dir, "launch", id); err != nil {
		return err
	}
	text := fmt.Sprintf("echo begin; sleep %d.%d; echo end; exit %d", codeOf(id)%3, codeOf(id)%10, codeOf(id))
	if _, err := c.Launch(ctx, shell(id, sandbox, text)); err != nil {
		return note(dir, "refused", id, err.Error())
	}
	return nil
}

func crashEnd(ctx context.Context, c *runc.Containerizer, dir, id string) error {
	term, err := c.Wait(ctx, id)
	if errors.Is(err, containerizer.ErrUnknown) {
		return nil // it was refused
	}
	if err != nil {
		return err
	}
	if code, ok := term.Exited(); ok {
		err = note(dir, "exit", id, strconv.Itoa(code))
	} else {
		err = note(dir, "lost", id, fmt.Sprint(term))
	}
	if err != nil {
		return err
	}
	return c.Destroy(ctx, id)
}

// codeOf is the status with which a container exits if all goes well.
func codeOf(id string) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32()%100) + 1
}

// noted is what the agents wrote down: by id, how it ended and what of.
type noted struct {
	launched   []string
	kind, text map[string]string
}

func note(dir string, words ...string) error {
	f, err := os.OpenFile(filepath.Join(dir, "notes"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(strings.ReplaceAll(strings.Join(words, " "), "\n", " ") + "\n")
	return err
}

func notes(dir string) (noted, error) {
	n := noted{kind: map[string]string{}, text: map[string]string{}}
	data, err := os.ReadFile(filepath.Join(dir, "notes"))
	if os.IsNotExist(err) {
		return n, nil
	}
	for line := range strings.Lines(string(data)) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		id, text, _ := strings.Cut(rest, " ")
		if kind == "launch" {
			n.launched = append(n.launched, id)
			continue
		}
		n.kind[id], n.text[id] = kind, text
	}
	return n, err
}

// open lists the containers whose end is not known.
func (n noted) open() (ids []string) {
	for _, id := range n.launched {
		if n.kind[id] == "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// TestEveryExitStatusIsFound kills the agent, its helpers and its shims at random
// while containers run. Of each one the exit status is found, but for those whose
// shim was killed: of them it is said that it is lost, and nothing runs on.
func TestEveryExitStatusIsFound(t *testing.T) {
	c := newCrash(t)
	for began := time.Now(); time.Since(began) < *crashFor; {
		time.Sleep(time.Duration(c.random.IntN(300)) * time.Millisecond) // real processes, killed at random moments
		c.strike(t)
	}
	c.kill(t)
	c.finish(t)
	n, err := notes(c.dir)
	if err != nil || len(n.launched) == 0 {
		t.Fatalf("notes of the agents = %v, %v, want some", n.launched, err)
	}
	counts := map[string]int{}
	for _, id := range n.launched {
		counts[n.kind[id]]++
		c.check(t, id, n.kind[id], n.text[id])
	}
	if counts["exit"] == 0 {
		t.Error("no exit status was found")
	}
	t.Logf("%d containers, %v; killed: %v", len(n.launched), counts, c.killed)
}

// crash is a run of the test.
type crash struct {
	dir, group string
	random     *rand.Rand
	agent      *exec.Cmd
	stderr     *bytes.Buffer
	shot       map[string]bool // containers whose shim was killed
	killed     map[string]int
	before     trace
}

func newCrash(t *testing.T) *crash {
	t.Helper()
	c := &crash{dir: t.TempDir(), group: parent(t, runc.Full), shot: map[string]bool{}, killed: map[string]int{}}
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-crash.seed=%d", seed)
	c.random = rand.New(rand.NewPCG(seed, 0))
	if err := os.MkdirAll(filepath.Join(c.dir, "run", "containers"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.before = observe(t, filepath.Join(c.dir, "run"))
	c.start(t)
	t.Cleanup(func() { c.agent.Process.Kill(); c.agent.Wait() })
	return c
}

func (c *crash) start(t *testing.T) {
	t.Helper()
	c.stderr = &bytes.Buffer{}
	c.agent = exec.Command("/proc/self/exe")
	c.agent.Env = append(os.Environ(), agentEnv+"="+c.dir, helperEnv+"="+helper,
		groupEnv+"="+c.group, tasksEnv+"="+strconv.Itoa(*crashTasks))
	c.agent.Stderr = c.stderr
	if err := c.agent.Start(); err != nil {
		t.Fatal(err)
	}
}

// kill kills the agent.
func (c *crash) kill(t *testing.T) {
	t.Helper()
	c.killed["agent"]++
	c.agent.Process.Kill()
	c.agent.Wait()
	if c.stderr.Len() > 0 {
		t.Fatalf("agent: %s", c.stderr.String())
	}
}

// strike kills somebody.
func (c *crash) strike(t *testing.T) {
	t.Helper()
	switch c.random.IntN(8) {
	case 0:
		c.kill(t)
		c.start(t)
	case 1, 2:
		helpers := helpersOf(t, c.agent.Process.Pid)
		if len(helpers) == 0 {
			return
		}
		c.killed["helper"]++
		syscall.Kill(helpers[c.random.IntN(len(helpers))], syscall.SIGKILL)
	default:
		ids := list(t, filepath.Join(c.dir, "run", "containers"))
		if len(ids) == 0 {
			return
		}
		id := ids[c.random.IntN(len(ids))]
		p, err := shim.Dir(filepath.Join(c.dir, "run", "containers", id)).ReadShim()
		if err != nil || !p.Alive() {
			return
		}
		c.shot[id] = true
		c.killed["shim"]++
		syscall.Kill(p.PID, syscall.SIGKILL)
	}
}

// finish is the last agent, which nobody kills and which launches nothing.
func (c *crash) finish(t *testing.T) {
	t.Helper()
	n, err := notes(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(c.dir, "run")
	last, err := runc.New(runc.Config{RunDir: run, Helper: helper, Level: runc.Full, CgroupsRoot: c.group})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := last.Recover(t.Context(), n.open()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, id := range n.open() {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := crashEnd(ctx, last, c.dir, id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := last.Close(); err != nil {
		t.Error(err)
	}
	after := observe(t, run)
	after.Files = c.before.Files // the poller of this process was opened meanwhile
	if diff := cmp.Diff(c.before, after); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// check holds what was found out about a container against what it wrote.
func (c *crash) check(t *testing.T, id, kind, text string) {
	t.Helper()
	out, err := os.ReadFile(filepath.Join(c.dir, id, "stdout"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	switch {
	case kind == "exit":
		if text != strconv.Itoa(codeOf(id)) || string(out) != "begin\nend\n" {
			t.Errorf("%s: exit code %s, output %q, want code %d and both lines", id, text, out, codeOf(id))
		}
	case c.shot[id]: // its shim was killed
		if kind == "lost" && !strings.Contains(text, containerizer.Lost) {
			t.Errorf("%s: termination %s, want the reason %q", id, text, containerizer.Lost)
		}
	case kind == "lost" && len(out) == 0: // the agent was killed before there was a shim
	default:
		t.Errorf("%s: %s %s, output %q, want exit code %d: nobody killed its shim", id, kind, text, out, codeOf(id))
	}
}

// helpersOf lists the helpers of an agent that are not shims.
func helpersOf(t *testing.T, agent int) (pids []int) {
	t.Helper()
	for _, name := range list(t, "/proc") {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join("/proc", name, "cmdline"))
		stat, _ := os.ReadFile(filepath.Join("/proc", name, "stat"))
		mine := strings.Contains(string(stat), fmt.Sprintf(" %d ", agent))
		stages := []string{"souk-containerizer\x00plan\x00", "souk-containerizer\x00fork\x00 "}
		if mine && slices.ContainsFunc(stages, func(s string) bool { return strings.HasPrefix(string(cmdline), s) }) {
			pids = append(pids, pid)
		}
	}
	return pids
}
