package doctest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	patience = 60 * time.Second // for a program to get somewhere
	endless  = 4 * time.Minute  // for a block to end; one may compile
	pause    = 100 * time.Millisecond
)

// A screen collects what programs print, from several goroutines.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A process is a program with a process group of its own, as in a terminal.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once it has
	err   error         // how it ended
}

func start(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// What a task inherits must not keep Wait from returning.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop presses Ctrl-C and waits; a program that does not care is killed.
func (p *process) stop() error {
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGINT); err != nil {
		<-p.ended
		return fmt.Errorf("it had ended by itself: %v", p.err)
	}
	select {
	case <-p.ended:
		if errors.Is(p.err, exec.ErrWaitDelay) {
			return nil
		}
		return p.err
	case <-time.After(patience):
		err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
		return errors.Join(fmt.Errorf("Ctrl-C did not end it within %v", patience), err)
	}
}

// poll asks until done says so, or gives up.
func poll(d time.Duration, done func() bool) bool {
	for deadline := time.Now().Add(d); !done(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// A shell is the one that a page's blocks run in: what one block sets, the next has.
type shell struct {
	dir    string
	p      *process
	in     io.Writer
	out    *screen // everything printed so far
	err    *screen
	blocks int
}

// prelude: curl is silent about progress, and fails for 400 and more when the
// page shows no output that would tell.
const prelude = `curl() { command curl -sS $strict "$@"; }
`

func newShell(t *testing.T, dir string, env []string) *shell {
	t.Helper()
	s := &shell{dir: dir, out: &screen{}, err: &screen{}}
	cmd := exec.Command("bash", "--norc", "--noprofile")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, s.out, s.err
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if s.p, err = start(cmd); err != nil {
		t.Fatal(err)
	}
	s.in = in
	t.Cleanup(func() {
		in.Close()
		select {
		case <-s.p.ended:
		case <-time.After(patience):
			t.Errorf("the page's shell did not end: %v", s.p.stop())
		}
	})
	if _, err := io.WriteString(in, prelude); err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs commands and returns what they print. In a subshell a failure leaves
// the shell alive, and what they set is lost.
func (s *shell) run(commands string, strict, subshell bool) (string, error) {
	s.blocks++
	file := filepath.Join(s.dir, fmt.Sprintf("block-%d.sh", s.blocks))
	if err := os.WriteFile(file, []byte(commands), 0o600); err != nil {
		return "", err
	}
	before, beforeErr, mark := len(s.out.String()), len(s.err.String()), fmt.Sprintf("\n@@ end of block %d: ", s.blocks)
	option := ""
	if strict {
		option = "--fail-with-body"
	}
	form := "strict=%s; set -e; . %s; set +e; printf '%s%%s\\n' 0\n"
	if subshell {
		form = "strict=%s; ( set -e; . %s ); printf '%s%%s\\n' $?\n"
	}
	// printf reads \n in its format itself.
	if _, err := fmt.Fprintf(s.in, form, option, file, strings.ReplaceAll(mark, "\n", `\n`)); err != nil {
		return "", err
	}
	var output, status string
	done := poll(endless, func() bool {
		var found bool
		output, status, found = strings.Cut(s.out.String()[before:], mark)
		if found && strings.HasSuffix(status, "\n") {
			return true
		}
		select {
		case <-s.p.ended:
			output, status = s.out.String()[before:], "1"
			return true
		default:
			return false
		}
	})
	switch {
	case !done:
		return output, fmt.Errorf("it does not end: %s", s.err.String()[beforeErr:])
	case strings.TrimSpace(status) != "0":
		return output, fmt.Errorf("a command failed: %s", s.err.String()[beforeErr:])
	}
	return output, nil
}

func TestShell(t *testing.T) {
	s := newShell(t, t.TempDir(), os.Environ())
	run := func(commands string, subshell bool, want string, fails bool) {
		t.Helper()
		output, err := s.run(commands, false, subshell)
		if output != want || (err != nil) != fails {
			t.Errorf("run %q = %q, %v, want %q, failed %t", commands, output, err, want, fails)
		}
	}
	run("x=17; echo $x\n", false, "17\n", false)
	run("echo $x; printf 'no newline'\n", false, "17\nno newline", false)
	run("echo before; false; echo after\n", true, "before\n", true)
	run("x=18\n", true, "", false)
	run("echo $x\n", false, "17\n", false)
	run("echo last; false\n", false, "last\n", true) // the shell has ended
	if _, err := s.run("true\n", false, false); err == nil {
		t.Error("a shell goes on after a block that failed")
	}
}
