package local_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// souk runs a command of the client against c.
func (c *cluster) souk(args ...string) *exec.Cmd {
	cmd := exec.Command(binary(c.t), args...)
	cmd.Env = append(os.Environ(), "SOUK_MASTER="+strings.TrimPrefix(c.master, "http://"))
	return cmd
}

// output is what a command prints, and its exit status.
func (c *cluster) output(in string, args ...string) (stdout, stderr string, status int) {
	c.t.Helper()
	var out, complaints bytes.Buffer
	cmd := c.souk(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &complaints
	exited := (*exec.ExitError)(nil)
	if err := cmd.Run(); err != nil && !errors.As(err, &exited) {
		c.t.Fatal(err)
	}
	return out.String(), complaints.String(), cmd.ProcessState.ExitCode()
}

// TestEndToEndClient asks a cluster in every way that souk has.
func TestEndToEndClient(t *testing.T) {
	c := newCluster(t)
	c.start()
	c.call(http.MethodPost, c.marathon+"/v2/apps",
		`{"id":"talker","cmd":"echo to stdout; echo to stderr >&2; exec sleep 1000","cpus":0.1,"mem":32}`, http.StatusCreated)
	id := c.running("talker", 1)[0].ID
	defer c.idle()
	defer c.call(http.MethodDelete, c.marathon+"/v2/apps/talker", "", http.StatusOK)

	tests := []struct {
		name, in string
		args     []string
		stdout   string // part of it
		stderr   string // part of it
		status   int
	}{
		{"agents", "", []string{"agents"}, "active", "", 0},
		{"frameworks", "", []string{"frameworks"}, "marathon", "", 0},
		{"tasks", "", []string{"tasks"}, id, "", 0},
		{"tasks of a framework", "", []string{"tasks", "--framework=marathon"}, id, "", 0},
		{"tasks as JSON", "", []string{"tasks", "--json"}, `{"type":"GET_TASKS"`, "", 0},
		{"log by name", "", []string{"logs", "talker"}, "to stdout\n", "", 0},
		{"log by id", "", []string{"logs", "--stderr", id}, "to stderr\n", "", 0},
		{"no such file", "", []string{"logs", "--file=nothing", id}, "", "has no ", 1},
		{"no such task", "", []string{"logs", "nobody"}, "", `there is no task "nobody"`, 1},
		{"exec", "", []string{"exec", id, "--", "echo", "a  b"}, "a  b\n", "", 0},
		{"exec with a status", "", []string{"exec", "talker", "--", "sh", "-c", "echo bad >&2; exit 7"}, "", "bad\n", 7},
		{"exec with an environment", "", []string{"exec", "--env=A=1", "--env=B=2", id, "--", "sh", "-c", "echo $A$B"}, "12\n", "", 0},
		{"exec without input", "ignored", []string{"exec", id, "--", "sh", "-c", "cat; echo end"}, "end\n", "", 0},
		{"exec with input", "piped in", []string{"exec", "-i", id, "--", "cat"}, "piped in", "", 0},
		{"exec killed", "", []string{"exec", id, "--", "sh", "-c", "kill -9 $$"}, "", "", 137},
		{"no terminal", "", []string{"exec", "-it", id, "--", "sh"}, "", "flag --tty needs a terminal", 1},
		{"run", "", []string{"run", "--env=A=1", "--", "sh", "-c", "echo out $A; echo err >&2"}, "out 1\n", "err\n", 0},
		{"run that fails", "", []string{"run", "--", "sh", "-c", "exit 3"}, "", "TASK_FAILED", 3},
		{"run, quiet", "", []string{"run", "--quiet", "--", "echo", "x"}, "x\n", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, status := c.output(tt.in, tt.args...)
			if status != tt.status || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) ||
				tt.stdout == "" && stdout != "" || tt.stderr == "" && tt.args[0] != "run" && stderr != "" {
				t.Errorf("souk %q = %d\n%s\n%s\nwant %d, %q, %q", tt.args, status, stdout, stderr, tt.status, tt.stdout, tt.stderr)
			}
		})
	}
	t.Run("run and Ctrl-C", func(t *testing.T) { c.checkInterrupt() })
	t.Run("logs until the end", func(t *testing.T) { c.checkFollow() })
	t.Run("a terminal", func(t *testing.T) {
		if why := isolated(); why != "" {
			t.Skip(why)
		}
		c.checkTerminal(id)
	})
}

// checkInterrupt: Ctrl-C ends the task, which may still say something.
func (c *cluster) checkInterrupt() {
	out := &screen{}
	cmd := c.souk("run", "--", "sh", "-c", `trap "echo bye; exit 0" TERM; echo begun; while :; do sleep 0.1; done`)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	out.await(c, "begun")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		c.t.Fatal(err)
	}
	_ = cmd.Wait() // its status is looked at
	if got := cmd.ProcessState.ExitCode(); got != 130 || !strings.Contains(out.String(), "bye") {
		c.t.Errorf("souk run after Ctrl-C = %d, want 130 and bye:\n%s", got, out)
	}
}

// checkFollow: logs -f ends with the task.
func (c *cluster) checkFollow() {
	task := c.souk("run", "--name=counter", "--", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 1; done")
	if err := task.Start(); err != nil {
		c.t.Fatal(err)
	}
	defer task.Wait()
	c.eventually("the counter runs", func() error {
		if out, complaint, status := c.output("", "logs", "counter"); status != 0 || !strings.Contains(out, "1") {
			return fmt.Errorf("souk logs = %d %q %s", status, out, complaint)
		}
		return nil
	})
	if out, complaint, status := c.output("", "logs", "-f", "counter"); status != 0 || out != "1\n2\n3\n" {
		c.t.Errorf("souk logs -f = %d %q %s, want three numbers", status, out, complaint)
	}
}

// checkTerminal types into a terminal of a task, and makes it larger.
func (c *cluster) checkTerminal(id string) {
	keyboard, tty := openTerminal(c.t, 24, 80)
	out := &screen{}
	go io.Copy(out, keyboard) // ends when the other side is closed
	cmd := c.souk("exec", "-it", id, "--", "sh")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	press := func(text string) {
		c.t.Helper()
		if _, err := keyboard.WriteString(text); err != nil {
			c.t.Fatal(err)
		}
	}
	press("stty size; echo is$((1+1))\n")
	out.await(c, "is2")
	out.await(c, "24 80")
	if err := unix.IoctlSetWinsize(int(keyboard.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 132}); err != nil {
		c.t.Fatal(err)
	}
	c.eventually("the new size is known", func() error {
		press("stty size\n")
		time.Sleep(100 * time.Millisecond)
		if !strings.Contains(out.String(), "50 132") {
			return errors.New(out.String())
		}
		return nil
	})
	press("echo asl''eep; sleep 1000\n")
	out.await(c, "asleep")
	press("\x03") // is for the command in there, and takes what was typed with it
	c.eventually("the shell is back", func() error {
		press("echo is$((2+3))\n")
		time.Sleep(100 * time.Millisecond)
		if !strings.Contains(out.String(), "is5") {
			return errors.New(out.String())
		}
		return nil
	})
	press("exit 9\n")
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 9 {
		c.t.Errorf("souk exec -it = %d, want 9:\n%s", got, out)
	}
	if mode, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err != nil || mode.Lflag&unix.ECHO == 0 {
		c.t.Errorf("the terminal is left without echo: %+v, %v", mode, err)
	}
}

// openTerminal makes a terminal: what the keyboard writes, programs in tty read.
func openTerminal(t *testing.T, rows, columns uint16) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(keyboard.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keyboard, tty
}

// A screen collects what is printed while others look.
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

func (s *screen) await(c *cluster, text string) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("%q is printed", text), func() error {
		if !strings.Contains(s.String(), text) {
			return errors.New(s.String())
		}
		return nil
	})
}
