package doctest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rootOf is the project's folder, two above this one.
func rootOf(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// program is one of bin/, which `make test` has built.
func program(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(rootOf(t), "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("bin/%s is not built: run make build", name)
	}
	return path
}

// TestPages does what every page with commands says.
func TestPages(t *testing.T) {
	program(t, "souk")
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the pages need %s, which is not installed", tool)
		}
	}
	root := rootOf(t)
	var pages []string
	for _, pattern := range []string{"README.md", "docs/tutorial/*.md", "docs/how-to/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	if len(pages) < 2 {
		t.Fatalf("found the pages %v only", pages)
	}
	for _, page := range pages {
		name, err := filepath.Rel(root, page)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.ReplaceAll(name, "/", " "), func(t *testing.T) { follow(t, root, string(text)) })
	}
}

// A reader is somebody who does what a page says, in a folder of their own.
type reader struct {
	t         *testing.T
	root, dir string
	ports     Mapping
	env       []string
	shell     *shell
	terminals map[string]*terminal
	order     []string
}

type terminal struct {
	p   *process
	out *screen
}

func follow(t *testing.T, root, text string) {
	blocks, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(blocks, func(b Block) bool { return !b.ByHand }) {
		return
	}
	r := newReader(t, root)
	if !slices.ContainsFunc(blocks, func(b Block) bool { return b.Terminal != "" }) {
		r.open(cluster)
	}
	for _, b := range blocks {
		if t.Failed() {
			return
		}
		r.follow(b)
	}
}

// cluster is what a page without terminals finds running.
var cluster = Block{Text: "make run\n", Terminal: "cluster", Expected: "…Ctrl-C stops the cluster.…", Shown: true}

func newReader(t *testing.T, root string) *reader {
	t.Helper()
	dir, err := os.MkdirTemp("", "doctest")
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, root: root, dir: dir, ports: Mapping{}, terminals: map[string]*terminal{}}
	t.Cleanup(func() {
		r.leave()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Symlink(filepath.Join(root, "bin"), filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	for _, p := range Ports() {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		r.ports[p] = ln.Addr().(*net.TCPAddr).Port
	}
	r.env = os.Environ()
	r.shell = newShell(t, dir, r.env)
	return r
}

// commands are those of a block, fit for this reader's ports and folder.
func (r *reader) commands(text string) string {
	text = strings.NewReplacer(
		"make run\n", "bin/souk local --port 5050 --agent-port 5051 --marathon-port 8080 --chronos-port 4400\n",
		"make build\n", "test -x bin/souk\n",
	).Replace(text)
	return r.ports.Apply(goTool.ReplaceAllString(text, "go -C "+r.root+" $1 "))
}

// goTool is a command that works in the project's folder only.
var goTool = regexp.MustCompile(`\bgo (run|test|build|vet) `)

func (r *reader) follow(b Block) {
	r.t.Helper()
	switch {
	case b.ByHand:
	case b.Stop:
		r.close(b)
	case b.Terminal != "":
		r.open(b)
	case b.Retry:
		r.retry(b)
	default:
		output, err := r.shell.run(r.commands(b.Text), !b.Shown, false)
		r.judge(b, r.ports.Undo(output), err)
	}
}

// retry waits for what the page shows.
func (r *reader) retry(b Block) {
	r.t.Helper()
	var output string
	var err error
	poll(patience, func() bool {
		output, err = r.shell.run(r.commands(b.Text), false, true)
		output = r.ports.Undo(output)
		return err == nil && Matches(b.Expected, output)
	})
	r.judge(b, output, err)
}

func (r *reader) judge(b Block, output string, err error) {
	r.t.Helper()
	if err != nil {
		r.fail(b, output, err)
	} else if b.Shown && !Matches(b.Expected, output) {
		r.fail(b, output, fmt.Errorf("the page shows another output:\n%s", b.Expected))
	}
}

func (r *reader) fail(b Block, output string, err error) {
	r.t.Helper()
	r.t.Errorf("line %d:\n%s%v\nprinted:\n%s", b.Line, b.Text, err, output)
	for _, name := range r.order {
		r.t.Logf("terminal %s:\n%s", name, r.terminals[name].out)
	}
}

// open runs a block in a terminal of its own until it prints what the page shows.
func (r *reader) open(b Block) {
	r.t.Helper()
	if r.terminals[b.Terminal] != nil {
		r.t.Errorf("line %d: terminal %s is busy", b.Line, b.Terminal)
		return
	}
	out := &screen{}
	cmd := exec.Command("bash", "--norc", "--noprofile", "-c", r.commands(b.Text))
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.dir, r.env, out, out
	p, err := start(cmd)
	if err != nil {
		r.t.Errorf("line %d: %v", b.Line, err)
		return
	}
	r.terminals[b.Terminal] = &terminal{p, out}
	r.order = append(r.order, b.Terminal)
	if b.Shown && !poll(patience, func() bool { return Matches(b.Expected, r.ports.Undo(out.String())) }) {
		r.fail(b, r.ports.Undo(out.String()), fmt.Errorf("the page shows another output:\n%s", b.Expected))
	}
}

// close presses Ctrl-C in a terminal.
func (r *reader) close(b Block) {
	r.t.Helper()
	tm := r.terminals[b.Terminal]
	if tm == nil {
		r.t.Errorf("line %d: there is no terminal %s", b.Line, b.Terminal)
		return
	}
	delete(r.terminals, b.Terminal)
	r.order = slices.DeleteFunc(r.order, func(name string) bool { return name == b.Terminal })
	if err := tm.p.stop(); err != nil {
		r.t.Errorf("line %d: terminal %s: %v\n%s", b.Line, b.Terminal, err, tm.out)
	}
}

// leave ends all apps and jobs and then all terminals; nothing may be left.
func (r *reader) leave() {
	r.tearDown()
	for i := len(r.order) - 1; i >= 0; i-- {
		tm := r.terminals[r.order[i]]
		if err := tm.p.stop(); err != nil {
			r.t.Errorf("terminal %s: %v\n%s", r.order[i], err, tm.out)
		}
		delete(r.terminals, r.order[i])
	}
	for _, pid := range r.left() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // for the message only
		r.t.Errorf("process %d is left: %q", pid, cmdline)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			r.t.Error(err)
		}
	}
}

// tearDown deletes the apps and jobs of a cluster that still runs, and waits for
// their tasks to end.
func (r *reader) tearDown() {
	var apps struct {
		Apps []struct {
			ID string `json:"id"`
		} `json:"apps"`
	}
	marathon, chronos := r.url(8080), r.url(4400)
	if get(marathon+"/v2/apps", &apps) == nil { // else the page has stopped it
		for _, a := range apps.Apps {
			r.delete(marathon + "/v2/apps" + a.ID + "?force=true")
		}
	}
	var jobs []struct {
		Name string `json:"name"`
	}
	if get(chronos+"/v1/scheduler/jobs", &jobs) == nil {
		for _, j := range jobs {
			r.delete(chronos + "/v1/scheduler/job/" + j.Name)
		}
	}
	if len(r.terminals) > 0 && !poll(patience, func() bool { return len(r.owned()) == 0 }) {
		r.t.Errorf("tasks still run after apps and jobs were deleted: %v", r.owned())
	}
}

func (r *reader) url(shown int) string { return fmt.Sprintf("http://127.0.0.1:%d", r.ports[shown]) }

func (r *reader) delete(address string) {
	req, err := http.NewRequest(http.MethodDelete, address, nil)
	if err != nil {
		r.t.Error(err)
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Error(err)
		return
	}
	resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		r.t.Errorf("delete %s: %s", address, resp.Status)
	}
}

// left are the processes that outlive everything; a shim may still be ending.
func (r *reader) left() (pids []int) {
	poll(10*time.Second, func() bool {
		pids = r.owned()
		return len(pids) == 0
	})
	return pids
}

// owned are the processes that have to do with the reader's folder, besides
// what runs in the terminals.
func (r *reader) owned() (pids []int) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		r.t.Fatal(err)
	}
	groups := map[int]bool{syscall.Getpgrp(): true}
	for _, tm := range r.terminals {
		groups[tm.p.cmd.Process.Pid] = true
	}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		group, err := syscall.Getpgid(pid)
		if err == nil && !groups[group] && r.owns(dir) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// owns reports whether a process was started with the reader's folder.
func (r *reader) owns(proc string) bool {
	for _, name := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(filepath.Join(proc, name))
		if err == nil && strings.Contains(string(text), r.dir) {
			return true
		}
	}
	cwd, err := os.Readlink(filepath.Join(proc, "cwd"))
	return err == nil && strings.HasPrefix(cwd, r.dir)
}

func get(address string, out any) error {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(address)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", address, resp.Status)
	}
	return json.Unmarshal(body, out)
}
