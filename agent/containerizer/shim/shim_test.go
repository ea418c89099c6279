package shim

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/agent/containerizer"
)

func TestExitRecord(t *testing.T) {
	d := Dir(t.TempDir())
	if _, ok, err := d.ReadExit(); ok || err != nil {
		t.Errorf("ReadExit() of none = %v, %v, want false, nil", ok, err)
	}
	if err := d.WriteExit(7 << 8); err != nil {
		t.Fatal(err)
	}
	term, ok, err := d.ReadExit()
	if code, exited := term.Exited(); err != nil || !ok || !exited || code != 7 || time.Since(term.When) > time.Minute {
		t.Errorf("ReadExit() = %+v, %v, %v, want exit code 7 now", term, ok, err)
	}
	if err := d.WriteFailure("no\nluck"); err != nil {
		t.Fatal(err)
	}
	if term, _, _ := d.ReadExit(); term.Known || term.Reason != "launch failed: no luck" {
		t.Errorf("ReadExit() = %+v, want the failure in one line", term)
	}
}

func FuzzExitRecord(f *testing.F) {
	for _, text := range []string{"wait 0\n", "wait 9\n", "wait -1", "wait 99999999999", "fail no such file", "lost 10", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		term := parseExit(text)
		if term.Known == (term.Reason != "") {
			t.Errorf("parseExit(%q) = %+v, want either a status or a reason", text, term)
		}
		if !term.Known && term.Status != 0 {
			t.Errorf("parseExit(%q) = %+v, want no status", text, term)
		}
	})
}

func TestSpecComesBack(t *testing.T) {
	d := Dir(t.TempDir())
	adj := 5
	want := Spec{
		Config:    containerizer.Config{ID: "c1", Sandbox: "/s", Command: containerizer.Command{Value: "x", Args: []string{"a", ""}}},
		Program:   Program{Path: "/bin/x", Argv: []string{"a"}, Dir: "/", UID: 1, Groups: []int{2}},
		Isolation: Isolation{Cgroup: "/souk/c1", OOMScoreAdj: &adj, Seccomp: true, Mask: []string{"/run"}},
	}
	if err := d.WriteSpec(want); err != nil {
		t.Fatal(err)
	}
	got, err := d.ReadSpec()
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("ReadSpec() = %v (-want +got):\n%s", err, diff)
	}
}

func TestLockIsHeldByWhoeverHasTheFile(t *testing.T) {
	d := Dir(t.TempDir())
	if held, err := d.Locked(); held || err != nil {
		t.Errorf("Locked() without a file = %v, %v, want false", held, err)
	}
	f, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	sleeper := exec.Command("sleep", "1000")
	sleeper.ExtraFiles = []*os.File{f}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if held, err := d.Locked(); !held || err != nil {
		t.Errorf("Locked() while a child has it = %v, %v, want true", held, err)
	}
	sleeper.Process.Kill()
	sleeper.Wait()
	if held, err := d.Locked(); held || err != nil {
		t.Errorf("Locked() after the child = %v, %v, want false", held, err)
	}
}

func TestAwaitReadsAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		want         Process
		err          string
	}{
		{"running", `k{"pid":7,"start":9}`, Process{PID: 7, Start: 9}, ""},
		{"failed", "eno such\nfile", Process{}, "no such file"},
		{"refused by the kernel", "x13", Process{}, "permission denied"},
		{"refused for no reason", "x", Process{}, "answer of the shim"},
		{"died", "", Process{}, "died"},
		{"garbage", "y", Process{}, "begins with"},
		{"broken", "k{", Process{}, "answer of the shim"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Await(strings.NewReader(tt.answer))
			if got != tt.want || (err == nil) != (tt.err == "") {
				t.Errorf("Await() = %+v, %v, want %+v", got, err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("Await() = %v, want %q in it", err, tt.err)
			}
		})
	}
	if _, err := Await(io.LimitReader(zeros{}, 1<<30)); err == nil {
		t.Error("Await() of an endless answer = nil, want an error")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestResolveShell(t *testing.T) {
	sandbox := t.TempDir()
	p, err := Resolve(containerizer.Config{Sandbox: sandbox, Command: containerizer.Command{
		Shell: true, Value: "echo $A", Env: []string{"A=1", "B=2", "A=3"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := Program{
		Path: "/bin/sh", Argv: []string{"sh", "-c", "echo $A"}, Env: []string{"B=2", "A=3"},
		Dir: sandbox, UID: os.Getuid(), GID: os.Getgid(),
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("Resolve() (-want +got):\n%s", diff)
	}
}

func TestResolveSearchesPath(t *testing.T) {
	sandbox := t.TempDir()
	for _, dir := range []string{"bin", "early"} {
		if err := os.Mkdir(filepath.Join(sandbox, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tool := filepath.Join(sandbox, "bin", "tool")
	for path, mode := range map[string]os.FileMode{tool: 0o755, filepath.Join(sandbox, "early", "tool"): 0o644} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ name, value, path, want string }{
		{"absolute entry", "tool", "/nowhere:" + sandbox + "/early:" + sandbox + "/bin", tool},
		{"relative entry", "tool", "bin", "./bin/tool"},
		{"a path is not searched", "bin/tool", "/nowhere", "bin/tool"},
		{"no PATH", "sh", "", "/usr/bin/sh"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := containerizer.Config{Sandbox: sandbox, Command: containerizer.Command{Value: tt.value}}
			if tt.path != "" {
				c.Command.Env = []string{"PATH=" + tt.path}
			}
			p, err := Resolve(c)
			if tt.path == "" && err == nil {
				tt.want = p.Path // where the machine has its shell
			}
			if err != nil || p.Path != tt.want {
				t.Errorf("Resolve(%s) = %q, %v, want %q", tt.value, p.Path, err, tt.want)
			}
		})
	}
}

func TestNumbersAreUsersToo(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	p, err := Resolve(containerizer.Config{Sandbox: t.TempDir(), Command: containerizer.Command{Shell: true, Value: "x", User: "4242"}})
	if err != nil || p.UID != 4242 || p.GID != 4242 || len(p.Groups) != 0 {
		t.Errorf("Resolve() = %+v, %v, want uid and gid 4242 without groups", p, err)
	}
}

func TestTreeAndKill(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 1000 & sleep 1000 & wait")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	root := Identify(cmd.Process.Pid)
	if !root.Alive() {
		t.Errorf("Alive() = false of a process just started")
	}
	var tree []int
	for deadline := time.Now().Add(10 * time.Second); len(tree) < 2 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		tree, _ = Tree(root.PID)
	}
	if len(tree) != 2 || slices.Contains(tree, root.PID) {
		t.Fatalf("Tree() = %v, want two descendants", tree)
	}
	if err := KillTree(root.PID); err != nil {
		t.Errorf("KillTree() = %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the parent was killed, too: %v", err)
	}
	for _, pid := range tree {
		if (Process{PID: pid}).Alive() {
			t.Errorf("process %d is alive", pid)
		}
	}
	if root.Alive() || (Process{PID: os.Getpid(), Start: 1}).Alive() {
		t.Error("Alive() = true of processes that are gone")
	}
	if err := syscall.Kill(os.Getpid(), 0); err != nil {
		t.Error(err)
	}
}
