package local_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nextVersion builds the program as another version.
func nextVersion(t *testing.T, version string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "souk")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version="+version, "-o", path, "../../cmd/souk")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// A restarter is what an operator has instead: the command that replaces a
// process. Its requests are answered by the test's own goroutine.
type restarter struct {
	command  string
	requests chan restart
}

type restart struct {
	role, address string
	done          chan struct{}
}

func newRestarter(t *testing.T) *restarter {
	t.Helper()
	r := &restarter{command: filepath.Join(t.TempDir(), "restart"), requests: make(chan restart)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nexec curl -fsS -X POST http://%s/$1/$2\n", ln.Addr())
	if err := os.WriteFile(r.command, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		role, address, _ := strings.Cut(strings.Trim(req.URL.Path, "/"), "/")
		asked := restart{role, address, make(chan struct{})}
		select {
		case r.requests <- asked:
			<-asked.done
		case <-req.Context().Done():
		}
	})}
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return r
}

// rollOut runs the script that the how-to page names, and replaces what it asks for.
func (f *fleet) rollOut(r *restarter, flags ...string) (output string, err error) {
	f.t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("../../scripts/roll-out.sh", append([]string{"--restart", r.command}, flags...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case asked := <-r.requests:
			f.end(asked.address, syscall.SIGTERM)
			f.start(asked.address)
			close(asked.done)
		case err := <-ended:
			return out.String(), err
		}
	}
}

// TestRollOut: every process is replaced by one of another version, and no task
// notices.
func TestRollOut(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the script needs curl, which is not installed")
	}
	f := newFleet(t)
	f.call("POST", f.marathon+"/v2/apps", `{"id":"/web","cmd":"exec sleep 1000","cpus":0.1,"mem":16,"instances":3}`, 201)
	f.call("POST", f.chrono+"/v1/scheduler/iso8601", `{"name":"long","command":"exec sleep 1000","schedule":"R1//PT1S","cpus":0.1,"mem":16,"disk":1}`, 204)
	tasks := append(ids(f.running("web", 3)), f.onlyRun("long"), "witness")
	w := f.watch("witness")
	f.settled(w)
	before := f.begun(tasks)

	f.program = nextVersion(t, "next")
	join := func(role string) string { return strings.Join(f.addresses[role], ",") }
	output, err := f.rollOut(newRestarter(t), "--to", "next",
		"--masters", join(roleMaster), "--marathon", join(roleMarathon), "--chronos", join(roleChronos))
	if err != nil {
		t.Fatalf("roll-out.sh: %v\n%s", err, output)
	}
	f.whole(3)
	f.checkOrder(output)
	if diff := cmp.Diff(before, f.begun(tasks)); diff != "" {
		t.Errorf("processes of tasks (-before +after):\n%s", diff)
	}
	f.onlyRuns(w)
	if after := ids(f.running("web", 3)); !slices.Equal(after, tasks[:3]) {
		t.Errorf("tasks of the app = %v, want %v", after, tasks[:3])
	}
	if after := f.onlyRun("long"); after != tasks[3] {
		t.Errorf("run of the job = %v, want %v", after, tasks[3])
	}
	for _, address := range slices.Concat(f.addresses[roleMaster], f.addresses[roleAgent]) {
		var v struct {
			Version string `json:"souk_version"`
		}
		if err := f.get("http://"+address+"/version", &v); err != nil || v.Version != "next" {
			t.Errorf("version of %s = %q, %v", address, v.Version, err)
		}
	}
}

// onlyRun is the task of the one run that a job has, which runs.
func (f *fleet) onlyRun(job string) (id string) {
	f.t.Helper()
	f.eventually("the job runs", func() error {
		runs := f.history(job)
		if len(runs) != 1 || runs[0].State != "TASK_RUNNING" {
			return fmt.Errorf("history is %+v", runs)
		}
		id = runs[0].TaskID
		return nil
	})
	return id
}

// checkOrder: masters, agents, Marathon, Chronos, each once.
func (f *fleet) checkOrder(output string) {
	f.t.Helper()
	var roles, once []string
	for line := range strings.Lines(output) {
		if words := strings.Fields(line); len(words) == 2 {
			roles, once = append(roles, words[0]), append(once, words[1])
		}
	}
	want := []string{
		roleMaster, roleMaster, roleMaster, roleAgent, roleAgent, roleMarathon, roleMarathon, roleChronos, roleChronos,
	}
	slices.Sort(once)
	if !slices.Equal(roles, want) || len(slices.Compact(once)) != len(want) {
		f.t.Errorf("roll-out.sh replaced\n%s", output)
	}
}

// TestRollOutStopsAtTheFirst: nothing more is replaced when something does not
// come back.
func TestRollOutStops(t *testing.T) {
	f := newFleet(t)
	r := newRestarter(t)
	f.program = "/bin/false"
	output, err := f.rollOut(r, "--masters", strings.Join(f.addresses[roleMaster], ","), "--patience", "1")
	if err == nil || !strings.Contains(output, "roll-out stopped: after 1 seconds master 127.0.0.1:") || strings.Count(output, "master ") != 2 {
		t.Errorf("roll-out.sh = %v\n%s", err, output)
	}
	output, err = f.rollOut(r, "--masters", strings.Join(f.addresses[roleMaster], ","))
	if err == nil || !strings.Contains(output, "does not answer: mend that first; nothing was changed") {
		t.Errorf("roll-out.sh with a master away = %v\n%s", err, output)
	}
}
