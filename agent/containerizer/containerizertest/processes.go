package containerizertest

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/agent/containerizer"
)

func runProcesses(t *testing.T, open Opener) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"output is appended to files", outputFiles},
		{"the environment is what was asked", environment},
		{"programs run without a shell", programs},
		{"work directories", workDirs},
		{"launch errors say what to do", launchErrors},
		{"another user", otherUser},
		{"an output file that is a link is refused", linkedOutput},
		{"what a command leaves behind dies with it", leftovers},
		{"a tree that ignores signals is killed", stubbornTree},
		{"signals reach every process", signalTree},
		{"limits change while it runs", update},
		{"statistics", stats},
		{"output and status survive the agent", survival},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, newBench(t, open))
		})
	}
}

func outputFiles(t *testing.T, b *bench) {
	c := b.shell("c1", "echo out; echo err >&2; pwd")
	if err := os.WriteFile(filepath.Join(c.Sandbox, "stdout"), []byte("before\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, want := b.output(c), "before\nout\n"+c.Sandbox+"\n"; got != want {
		t.Errorf("stdout = %q, want %q", got, want)
	}
	if got := read(t, c, "stderr"); got != "err\n" {
		t.Errorf("stderr = %q, want %q", got, "err\n")
	}
	truncated(t, b)
}

// truncated checks that a file cut by a log rotation goes on at its new end.
func truncated(t *testing.T, b *bench) {
	c := b.shell("c2", "echo long line before; touch half; while [ ! -e go ]; do sleep 0.02; done; echo after")
	b.launch(c)
	eventually(t, "first half of output", func() bool { return exists(c, "half") })
	if err := os.Truncate(filepath.Join(c.Sandbox, "stdout"), 0); err != nil {
		t.Fatal(err)
	}
	touch(t, c, "go")
	b.wait("c2")
	if got := read(t, c, "stdout"); got != "after\n" {
		t.Errorf("stdout after truncation = %q, want %q", got, "after\n")
	}
}

func exists(c containerizer.Config, name string) bool {
	_, err := os.Stat(filepath.Join(c.Sandbox, name))
	return err == nil
}

func touch(t *testing.T, c containerizer.Config, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.Sandbox, name), nil, 0o666); err != nil {
		t.Fatal(err)
	}
}

func environment(t *testing.T, b *bench) {
	c := b.shell("c1", "")
	c.Command = containerizer.Command{Value: "/usr/bin/env", Env: []string{"B=2 3", "A=", "LIBPATH=x", "B=4"}}
	lines := strings.Fields(strings.ReplaceAll(b.output(c), " ", "_"))
	slices.Sort(lines)
	if diff := cmp.Diff([]string{"A=", "B=4", "LIBPATH=x"}, lines); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func programs(t *testing.T, b *bench) {
	c := b.shell("c1", "")
	c.Command = containerizer.Command{Value: "sh", Args: []string{"sh", "-c", `echo "$0:$1:$2"`, "a b", "", "$HOME"}, Env: []string{"PATH=/nowhere:/bin:/usr/bin"}}
	if got, want := b.output(c), "a b::$HOME\n"; got != want {
		t.Errorf("stdout = %q, want %q", got, want)
	}
	script := b.shell("c2", "")
	script.Command = containerizer.Command{Value: "./run"}
	if err := os.WriteFile(filepath.Join(script.Sandbox, "run"), []byte("#!/bin/sh\necho script\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, want := b.output(script), "script\n"; got != want {
		t.Errorf("stdout = %q, want %q", got, want)
	}
}

func workDirs(t *testing.T, b *bench) {
	c := b.shell("c1", "pwd")
	c.Command.WorkDir = "/usr"
	if got, want := b.output(c), "/usr\n"; got != want {
		t.Errorf("pwd = %q, want %q", got, want)
	}
	c = b.shell("c2", "pwd")
	c.Command.WorkDir = "sub/dir"
	if err := os.MkdirAll(filepath.Join(c.Sandbox, "sub/dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, want := b.output(c), filepath.Join(c.Sandbox, "sub/dir")+"\n"; got != want {
		t.Errorf("pwd = %q, want %q", got, want)
	}
}

func launchErrors(t *testing.T, b *bench) {
	for i, tt := range []struct {
		name string
		edit func(*containerizer.Config)
		want []string
	}{
		{"no such program", func(c *containerizer.Config) { c.Command.Value = "/no/such/program" }, []string{"/no/such/program", "no such file"}},
		{"not in PATH", func(c *containerizer.Config) { c.Command.Value = "no-such-program" }, []string{"no-such-program", "PATH"}},
		{"not executable", func(c *containerizer.Config) { c.Command.Value = "/etc/passwd" }, []string{"/etc/passwd", "permission denied"}},
		{"a directory", func(c *containerizer.Config) { c.Command.Value = "/etc" }, []string{"/etc", "directory"}},
		{"not a program", func(c *containerizer.Config) { c.Command.Value = "./garbage" }, []string{"./garbage", "format"}},
		{"no interpreter", func(c *containerizer.Config) { c.Command.Value = "./broken" }, []string{"./broken", "no such file"}},
		{"no such user", func(c *containerizer.Config) { c.Command.User = "no-such-user" }, []string{"no-such-user", "No such user"}},
		{"no work directory", func(c *containerizer.Config) { c.Command.WorkDir = "/no/such/dir" }, []string{"/no/such/dir", "does not exist"}},
		{"a file as work directory", func(c *containerizer.Config) { c.Command.WorkDir = "/etc/passwd" }, []string{"/etc/passwd", "not a directory"}},
		{"no sandbox", func(c *containerizer.Config) { c.Sandbox = "/no/such/sandbox" }, []string{"/no/such/sandbox", "does not exist"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := b.shell(fmt.Sprintf("c%d", i), "")
			c.Command = containerizer.Command{Value: "true", Env: []string{"PATH=/bin:/usr/bin"}}
			write(t, c, "garbage", "\x00\x01\x02garbage")
			write(t, c, "broken", "#!/no/such/interpreter\n")
			tt.edit(&c)
			_, err := b.Launch(t.Context(), c)
			if err == nil {
				t.Fatal("Launch() = nil, want an error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Launch() = %q, want it to name %q", err, want)
				}
			}
			if strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("Launch() = %q, want one line", err)
			}
			if _, err := b.Wait(t.Context(), c.ID); err == nil {
				t.Error("Wait() after a failed launch = nil, want ErrUnknown")
			}
		})
	}
}

func write(t *testing.T, c containerizer.Config, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.Sandbox, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func otherUser(t *testing.T, b *bench) {
	if os.Getuid() != 0 {
		t.Skip("needs root to run a command as another user")
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("this machine has no user nobody: %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	for i, name := range []string{"nobody", u.Uid} {
		c := b.shell(fmt.Sprintf("c%d", i), "id -u; id -g; echo mine > file; echo err >&2")
		c.Command.User = name
		if err := os.Chown(c.Sandbox, uid, gid); err != nil {
			t.Fatal(err)
		}
		if got, want := b.output(c), u.Uid+"\n"+u.Gid+"\n"; got != want {
			t.Errorf("ids of %s = %q, want %q", name, got, want)
		}
		for _, file := range []string{"stdout", "stderr", "file"} {
			info, err := os.Stat(filepath.Join(c.Sandbox, file))
			if err != nil {
				t.Fatal(err)
			}
			if got := int(info.Sys().(*syscall.Stat_t).Uid); got != uid {
				t.Errorf("owner of %s = %d, want %d", file, got, uid)
			}
		}
	}
}

// linkedOutput: a shim with more rights than the user must not be led to write
// into a file of somebody else.
func linkedOutput(t *testing.T, b *bench) {
	victim := filepath.Join(b.sandbox(), "victim")
	for i, make := range []func(path string) error{
		func(path string) error { return os.Symlink(victim, path) },
		func(path string) error { return syscall.Mkfifo(path, 0o666) },
	} {
		c := b.shell(fmt.Sprintf("c%d", i), "echo overwritten")
		if err := make(filepath.Join(c.Sandbox, "stdout")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Launch(t.Context(), c); err == nil || !strings.Contains(err.Error(), "stdout") {
			t.Errorf("Launch() = %v, want an error that names stdout", err)
		}
	}
	if _, err := os.Stat(victim); err == nil {
		t.Error("the target of the link was written")
	}
}

func leftovers(t *testing.T, b *bench) {
	for i, text := range []string{
		"(while true; do date +%s%N > beat; sleep 0.02; done) &",
		"(setsid sh -c 'while true; do date +%s%N > beat; sleep 0.02; done' &) &",
	} {
		c := b.shell(fmt.Sprintf("c%d", i), text+" while [ ! -s beat ]; do sleep 0.02; done; exit 4")
		b.launch(c)
		if code, ok := b.wait(c.ID).Exited(); code != 4 || !ok {
			t.Errorf("Wait() = %+v, want exit code 4", b.wait(c.ID))
		}
		silent(t, c)
	}
}

// silent checks that nothing writes the file beat any more.
func silent(t *testing.T, c containerizer.Config) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.Sandbox, "beat"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	time.Sleep(150 * time.Millisecond) // several beats of a process that should not be
	if read(t, c, "beat") != "" {
		t.Errorf("container %s: a process still runs after its end", c.ID)
	}
}

func stubbornTree(t *testing.T, b *bench) {
	beat := "trap '' TERM INT HUP; while true; do date +%s%N > beat; sleep 0.02; done"
	c := b.shell("c1", fmt.Sprintf("(%s) & (setsid sh -c '%s' &) & sh -c '%s'", beat, strings.ReplaceAll(beat, "'", `'\''`), strings.ReplaceAll(beat, "'", `'\''`)))
	b.launch(c)
	eventually(t, "heartbeat", func() bool { return exists(c, "beat") })
	if err := b.Signal(t.Context(), "c1", syscall.SIGTERM); err != nil {
		t.Errorf("Signal() = %v, want nil", err)
	}
	b.destroy("c1")
	silent(t, c)
}

func signalTree(t *testing.T, b *bench) {
	c := b.shell("c1", `sh -c 'trap "echo child; exit" USR1; touch ready; while true; do sleep 0.02; done' & trap "echo parent" USR1; wait $!; wait; true`)
	b.launch(c)
	eventually(t, "handler of the child", func() bool { return exists(c, "ready") })
	if err := b.Signal(t.Context(), "c1", syscall.SIGUSR1); err != nil {
		t.Fatalf("Signal(SIGUSR1) = %v, want nil", err)
	}
	b.wait("c1")
	lines := strings.Fields(read(t, c, "stdout"))
	slices.Sort(lines)
	if diff := cmp.Diff([]string{"child", "parent"}, lines); diff != "" {
		t.Errorf("who received SIGUSR1 (-want +got):\n%s", diff)
	}
}

func update(t *testing.T, b *bench) {
	c := b.shell("c1", "sleep 1000")
	c.Limits = containerizer.Limits{CPURequest: 500, MemRequest: 64 << 20}
	b.launch(c)
	if err := b.Update(t.Context(), "c1", containerizer.Limits{CPURequest: 1500, MemRequest: 96 << 20}); err != nil {
		t.Fatalf("Update() = %v, want nil", err)
	}
	s, err := b.Stats(t.Context(), "c1")
	if err != nil {
		t.Fatalf("Stats() = %v, want nil", err)
	}
	if s.CPURequest != 1500 {
		t.Errorf("Stats().CPURequest = %d, want 1500", s.CPURequest)
	}
	if err := b.Update(t.Context(), "c1", containerizer.Limits{MemRequest: -5}); err == nil {
		t.Error("Update() with a negative request = nil, want an error")
	}
	b.restart("c1")
	s, err = b.Stats(t.Context(), "c1")
	if err != nil || s.CPURequest != 1500 {
		t.Errorf("Stats() after a restart = %+v, %v, want a CPU request of 1500", s, err)
	}
}

func stats(t *testing.T, b *bench) {
	b.launch(b.shell("c1", "sleep 1000 & while true; do :; done"))
	var s containerizer.Statistics
	eventually(t, "two processes and use of CPU", func() bool {
		var err error
		s, err = b.Stats(t.Context(), "c1")
		return err == nil && s.Processes == 2 && s.CPUUser+s.CPUSystem > 0
	})
	if s.Threads < s.Processes || s.MemTotal <= 0 || s.Time.IsZero() {
		t.Errorf("Stats() = %+v, want threads, memory and a time", s)
	}
	b.Signal(t.Context(), "c1", syscall.SIGKILL)
	b.wait("c1")
	if _, err := b.Stats(t.Context(), "c1"); err != nil {
		t.Errorf("Stats() after the end = %v, want nil", err)
	}
}

func survival(t *testing.T, b *bench) {
	c := b.shell("c1", "echo before; while [ ! -e go ]; do sleep 0.02; done; echo after; exit 9")
	b.launch(c)
	b.closeOnly()
	touch(t, c, "go")
	eventually(t, "output without an agent", func() bool { return read(t, c, "stdout") == "before\nafter\n" })
	b.start([]string{"c1"})
	if code, ok := b.wait("c1").Exited(); code != 9 || !ok {
		t.Errorf("Wait() = %+v, want exit code 9", b.wait("c1"))
	}
}
