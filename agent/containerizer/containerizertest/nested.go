package containerizertest

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
)

// nested is the configuration of a container in parent.
func (b *bench) nested(id, parent, text string) containerizer.Config {
	c := b.shell(id, text)
	c.Parent = parent
	return c
}

func nestedLife(t *testing.T, b *bench) {
	b.launch(b.shell("p", "sleep 1000"))
	b.launch(b.nested("p.1", "p", "exit 7"))
	if code, ok := b.wait("p.1").Exited(); code != 7 || !ok {
		t.Errorf("Wait(p.1) = %+v, want exit code 7", b.wait("p.1"))
	}
	if _, err := b.Launch(t.Context(), b.nested("p.1", "p", "true")); !errors.Is(err, containerizer.ErrExists) {
		t.Errorf("Launch(p.1) again = %v, want ErrExists", err)
	}
	b.launch(b.nested("p.2", "p", "sleep 1000"))
	b.launch(b.nested("p.2.1", "p.2", "exit 8"))
	if code, ok := b.wait("p.2.1").Exited(); code != 8 || !ok {
		t.Errorf("Wait(p.2.1) = %+v, want exit code 8", b.wait("p.2.1"))
	}
	if err := b.Signal(t.Context(), "p.2", syscall.SIGTERM); err != nil {
		t.Errorf("Signal(p.2) = %v, want nil", err)
	}
	if sig, ok := b.wait("p.2").Signaled(); sig != syscall.SIGTERM || !ok {
		t.Errorf("Wait(p.2) = %+v, want SIGTERM", b.wait("p.2"))
	}
	for _, id := range []string{"p.1", "p.2.1", "p.2"} {
		b.destroy(id)
	}
	if _, err := b.Stats(t.Context(), "p"); err != nil {
		t.Errorf("Stats(p) = %v, want nil: it outlives what was nested in it", err)
	}
	b.stillRuns("p")
}

func (b *bench) stillRuns(id string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Millisecond)
	defer cancel()
	if term, err := b.Wait(ctx, id); !errors.Is(err, context.DeadlineExceeded) {
		b.t.Errorf("Wait(%s) = %+v, %v, want it to run", id, term, err)
	}
}

func (b *bench) killed(id string) {
	b.t.Helper()
	if sig, ok := b.wait(id).Signaled(); sig != syscall.SIGKILL || !ok {
		b.t.Errorf("Wait(%s) = %+v, want SIGKILL", id, b.wait(id))
	}
}

func nestedEnd(t *testing.T, b *bench) {
	b.launch(b.shell("p", "sleep 1000"))
	b.launch(b.nested("p.1", "p", "sleep 1000"))
	b.launch(b.nested("p.1.1", "p.1", "sleep 1000"))
	if err := b.Signal(t.Context(), "p", syscall.SIGTERM); err != nil {
		t.Errorf("Signal(p) = %v, want nil", err)
	}
	b.wait("p")
	b.killed("p.1")
	b.killed("p.1.1")
}

func nestedDestroyed(t *testing.T, b *bench) {
	b.launch(b.shell("p", "sleep 1000"))
	b.launch(b.nested("p.1", "p", "sleep 1000"))
	b.launch(b.nested("p.1.1", "p.1", "sleep 1000"))
	b.launch(b.nested("p.2", "p", "exit 3"))
	b.wait("p.2")
	b.destroy("p")
	for _, id := range []string{"p", "p.1", "p.1.1", "p.2"} {
		if _, err := b.Wait(t.Context(), id); !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("Wait(%s) after Destroy(p) = %v, want ErrUnknown", id, err)
		}
	}
	b.launch(b.shell("p", "sleep 1000"))
	b.launch(b.nested("p.1", "p", "exit 0"))
}

func nestedNowhere(t *testing.T, b *bench) {
	b.launch(b.shell("ended", "exit 0"))
	b.wait("ended")
	for _, parent := range []string{"ended", "unknown"} {
		if _, err := b.Launch(t.Context(), b.nested("c1", parent, "true")); !errors.Is(err, containerizer.ErrNoParent) {
			t.Errorf("Launch() in %s = %v, want ErrNoParent", parent, err)
		}
	}
	b.launch(b.shell("c1", "true"))
}

func nestedRecovered(t *testing.T, b *bench) {
	b.launch(b.shell("p", "sleep 1000"))
	b.launch(b.nested("p.run", "p", "sleep 1000"))
	b.launch(b.nested("p.end", "p", "exit 5"))
	b.launch(b.nested("p.orphan", "p", "sleep 1000"))
	b.launch(b.shell("q", "sleep 1000"))
	b.launch(b.nested("q.1", "q", "sleep 1000"))
	b.wait("p.end")
	alive := b.restart("p", "p.run", "p.end", "q.1")
	if len(alive) < 2 || alive[0] != "p" || alive[1] != "p.run" {
		t.Errorf("Recover() = %v, want p and p.run", alive)
	}
	if code, ok := b.wait("p.end").Exited(); code != 5 || !ok {
		t.Errorf("Wait(p.end) = %+v, want exit code 5", b.wait("p.end"))
	}
	if _, err := b.Wait(t.Context(), "p.orphan"); !errors.Is(err, containerizer.ErrUnknown) {
		t.Errorf("Wait(p.orphan) = %v, want ErrUnknown", err)
	}
	b.destroy("p")
	if _, err := b.Wait(t.Context(), "p.run"); !errors.Is(err, containerizer.ErrUnknown) {
		t.Errorf("Wait(p.run) = %v, want ErrUnknown", err)
	}
}

// runNested checks what nested containers share with their parent.
func runNested(t *testing.T, open Opener, f Features) {
	for _, tt := range []struct {
		name    string
		feature bool
		test    func(*testing.T, *bench)
	}{
		{"nested commands have their own output and files", true, nestedOutput},
		{"errors of nested commands say what to do", true, nestedErrors},
		{"what a nested command leaves behind dies with it", true, nestedLeftovers},
		{"a nested command runs as the user of its parent", os.Getuid() == 0, nestedUser},
		{"nested commands read what is written to them", true, nestedInput},
		{"a terminal", f.Terminals, nestedTerminal},
		{"a terminal outlives the agent", f.Terminals, terminalSurvives},
		{"nested commands inherit the environment", true, nestedEnvironment},
		{"nested commands share namespaces", f.Namespaces, nestedNamespaces},
		{"nested process ids", f.Namespaces, nestedPIDs},
		{"nested commands share the memory of their parent", f.Limits, nestedMemory},
		{"nested commands with limits", f.Limits, nestedLimits},
	} {
		if !tt.feature {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, newBench(t, open))
		})
	}
}

func nestedOutput(t *testing.T, b *bench) {
	b.launch(b.shell("p", "sleep 1000"))
	c := b.nested("p.1", "p", "pwd; echo $A; echo err >&2; readlink /proc/self/fd/0; cat /proc/self/fd/3 2>/dev/null || echo closed")
	c.Command.Env = append(c.Command.Env, "A=b")
	if got, want := b.output(c), c.Sandbox+"\nb\n/dev/null\nclosed\n"; got != want {
		t.Errorf("stdout = %q, want %q", got, want)
	}
	if got := read(t, c, "stderr"); got != "err\n" {
		t.Errorf("stderr = %q, want err", got)
	}
}

func nestedErrors(t *testing.T, b *bench) {
	b.launch(b.shell("p", "sleep 1000"))
	c := b.nested("p.1", "p", "")
	c.Command = containerizer.Command{Value: "./script"}
	if err := os.WriteFile(c.Sandbox+"/script", []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := b.Launch(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "interpreter") {
		t.Errorf("Launch() = %v, want a hint at the interpreter", err)
	}
	b.launch(b.nested("p.1", "p", "true")) // nothing is left of the other
}

func nestedLeftovers(t *testing.T, b *bench) {
	b.launch(b.shell("p", "sleep 1000"))
	c := b.nested("p.1", "p", "(setsid sleep 1000 & echo $!) ; (setsid sh -c 'trap \"\" TERM; touch ready; while :; do sleep 0.1; done' &); while [ ! -e ready ]; do sleep 0.02; done; exit 4")
	b.launch(c)
	if code, ok := b.wait("p.1").Exited(); code != 4 || !ok {
		t.Errorf("Wait() = %+v, want exit code 4", b.wait("p.1"))
	}
	b.destroy("p.1")
	if left := commandsIn(t, c.Sandbox); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	b.stillRuns("p")
	b.launch(b.nested("p.2", "p", "(trap '' TERM; sleep 1000) & trap '' TERM; sleep 1000"))
	b.destroy("p.2")
	b.stillRuns("p")
}

// commandsIn lists the processes whose work directory is dir.
func commandsIn(t *testing.T, dir string) (found []string) {
	t.Helper()
	names, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("needs /proc")
	}
	for _, n := range names {
		if _, err := strconv.Atoi(n.Name()); err != nil {
			continue
		}
		if cwd, err := os.Readlink("/proc/" + n.Name() + "/cwd"); err == nil && cwd == dir {
			found = append(found, n.Name())
		}
	}
	return found
}

func nestedUser(t *testing.T, b *bench) {
	p := b.shell("p", "sleep 1000")
	p.Command.User = "4242"
	b.launch(p)
	if got := b.output(b.nested("p.1", "p", "id -u")); got != "4242\n" {
		t.Errorf("user = %q, want 4242", got)
	}
	c := b.nested("p.2", "p", "id -u")
	c.Command.User = "4243"
	if got := b.output(c); got != "4243\n" {
		t.Errorf("user = %q, want 4243", got)
	}
}

func nestedNamespaces(t *testing.T, b *bench) {
	show := "for n in mnt pid ipc uts net; do readlink /proc/self/ns/$n; done; grep -E 'Cap|NoNew|Seccomp:' /proc/self/status; umask"
	p := b.shell("p", show+"; touch ready; sleep 1000")
	b.launch(p)
	eventually(t, "output of the parent", func() bool { return exists(p, "ready") })
	if got, want := b.output(b.nested("p.1", "p", show)), read(t, p, "stdout"); got != want {
		t.Errorf("nested:\n%s\nparent:\n%s", got, want)
	}
	if got := b.output(b.nested("p.2", "p", "ls /proc/1/exe 2>&1 >/dev/null; cat /proc/1/comm; kill -0 $PPID && echo seen")); !strings.Contains(got, "souk-init") || !strings.Contains(got, "seen") {
		t.Errorf("process 1 and the parent process = %q, want souk-init and seen", got)
	}
}

func nestedPIDs(t *testing.T, b *bench) {
	b.launch(b.shell("p", "sleep 1000"))
	c := b.nested("p.1", "p", "ls /proc | grep -c '^[0-9]'; echo x > /proc/sys/kernel/hostname || echo refused")
	c.OwnPIDs = true
	if got := strings.Fields(b.output(c)); len(got) != 2 || len(got[0]) != 1 || got[1] != "refused" {
		t.Errorf("processes seen = %q, want fewer than ten and /proc protected", got)
	}
	long := b.nested("p.2", "p", "sleep 1000")
	long.OwnPIDs = true
	b.launch(long)
	b.launch(b.nested("p.2.1", "p.2", "sleep 1000"))
	b.destroy("p.2")
	b.stillRuns("p")
}

func nestedMemory(t *testing.T, b *bench) {
	p := b.shell("p", "sleep 1000")
	p.Limits.MemRequest = 32 << 20
	b.launch(p)
	c := b.nested("p.1", "p", hog)
	b.launch(c)
	if term := b.wait("p.1"); term.Known {
		if code, ok := term.Exited(); ok && code == 0 {
			t.Errorf("Wait() = %+v, want the end for lack of memory", term)
		}
	}
}

func nestedLimits(t *testing.T, b *bench) {
	b.launch(b.shell("p", "sleep 1000"))
	c := b.nested("p.1", "p", hog)
	c.Limits.MemRequest = 32 << 20
	b.launch(c)
	term := b.wait("p.1")
	if sig, ok := term.Signaled(); sig != syscall.SIGKILL || !ok || !term.OOM {
		t.Errorf("Wait() = %+v, want SIGKILL and OOM", term)
	}
	b.stillRuns("p")
}

func nestedEnvironment(t *testing.T, b *bench) {
	p := b.shell("p", "sleep 1000")
	p.Command.Env = append(p.Command.Env, "A=parent", "B=parent")
	b.launch(p)
	c := b.nested("p.1", "p", "echo $A $B $C")
	c.Inherit, c.Command.Env = true, []string{"B=own", "C=own"}
	if got := b.output(c); got != "parent own own\n" {
		t.Errorf("environment = %q, want parent own own", got)
	}
}

func nestedInput(t *testing.T, b *bench) {
	b.launch(b.shell("p", "sleep 1000"))
	c := b.nested("p.1", "p", "cat; echo end; exit 7")
	c.Stdin = true
	b.launch(c)
	for _, text := range []string{"one\n", "two\n", ""} {
		if err := b.Input(t.Context(), "p.1", []byte(text)); err != nil {
			t.Fatalf("Input(%q) = %v, want nil", text, err)
		}
	}
	if code, ok := b.wait("p.1").Exited(); code != 7 || !ok {
		t.Errorf("Wait() = %+v, want exit code 7", b.wait("p.1"))
	}
	if got := read(t, c, "stdout"); got != "one\ntwo\nend\n" {
		t.Errorf("stdout = %q, want what was written", got)
	}
	for _, id := range []string{"p", "p.1"} {
		if err := b.Input(t.Context(), id, []byte("x")); !errors.Is(err, containerizer.ErrNoInput) {
			t.Errorf("Input(%s) = %v, want ErrNoInput", id, err)
		}
	}
	if err := b.Resize(t.Context(), "p", containerizer.Window{}); !errors.Is(err, containerizer.ErrNoInput) {
		t.Errorf("Resize(p) = %v, want ErrNoInput", err)
	}
}

// terminal launches a shell at a terminal of 40 lines in container p.
func (b *bench) terminal() containerizer.Config {
	b.t.Helper()
	b.launch(b.shell("p", "sleep 1000"))
	c := b.nested("p.1", "p", "")
	c.Command.Shell, c.Command.Value, c.Command.Args = false, "/bin/sh", nil
	c.TTY = &containerizer.Window{Rows: 40, Columns: 132}
	b.launch(c)
	return c
}

// types writes a line to the terminal and waits for what it shows then.
func (b *bench) types(c containerizer.Config, line, want string) {
	b.t.Helper()
	if err := b.Input(b.t.Context(), c.ID, []byte(line+"\n")); err != nil {
		b.t.Fatalf("Input(%q) = %v, want nil", line, err)
	}
	eventually(b.t, want, func() bool { return strings.Contains(read(b.t, c, "stdout"), want) })
}

func nestedTerminal(t *testing.T, b *bench) {
	c := b.terminal()
	b.types(c, "stty size", "40 132\r\n")
	b.types(c, "test -t 0 && test -t 1 && test -t 2 && echo all-$((1+1))", "all-2\r\n")
	if err := b.Resize(t.Context(), "p.1", containerizer.Window{Rows: 7, Columns: 9}); err != nil {
		t.Errorf("Resize() = %v, want nil", err)
	}
	b.types(c, "stty size", "7 9\r\n")
	b.types(c, "echo asleep-$((1+1)); sleep 1000", "asleep-2\r\n")
	eventually(t, "shell after Ctrl-C", func() bool { return b.interrupted(c) })
	b.types(c, "exit 3", "exit")
	if code, ok := b.wait("p.1").Exited(); code != 3 || !ok {
		t.Errorf("Wait() = %+v, want exit code 3", b.wait("p.1"))
	}
}

// interrupted types Ctrl-C and then a line. It may take several: one that comes
// before the shell has got its command going is of no use, and each throws away
// what was typed before it.
func (b *bench) interrupted(c containerizer.Config) bool {
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
	defer cancel()
	for _, text := range []string{"\x03", "echo awake-$((2+3))\n"} {
		if err := b.Input(ctx, c.ID, []byte(text)); err != nil {
			b.t.Fatalf("Input(%q) = %v, want nil", text, err)
		}
	}
	for range 20 {
		if strings.Contains(read(b.t, c, "stdout"), "awake-5\r\n") {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

func terminalSurvives(t *testing.T, b *bench) {
	c := b.terminal()
	b.types(c, "echo before-$((1+1))", "before-2\r\n")
	b.restart("p", "p.1")
	b.types(c, "echo after-$((1+1))", "after-2\r\n")
	if err := b.Input(t.Context(), "p.1", nil); err != nil { // the end of its input
		t.Errorf("Input(nil) = %v, want nil", err)
	}
	if code, ok := b.wait("p.1").Exited(); code != 0 || !ok {
		t.Errorf("Wait() = %+v, want exit code 0", b.wait("p.1"))
	}
}
