package local_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives it up.
const patience = 60 * time.Second

// A cluster is bin/souk local as a user starts it, on ports of its own.
type cluster struct {
	t                        *testing.T
	dir                      string
	master, marathon, chrono string // URLs
	args                     []string
	process                  *exec.Cmd
	out                      *bytes.Buffer
}

// newCluster chooses ports and a work directory, and starts nothing.
func newCluster(t *testing.T, extra ...string) *cluster {
	t.Helper()
	ports := freePorts(t, 4)
	c := &cluster{t: t, dir: t.TempDir()}
	url := func(i int) string { return fmt.Sprintf("http://127.0.0.1:%d", ports[i]) }
	c.master, c.marathon, c.chrono = url(0), url(2), url(3)
	c.args = append([]string{"local", "--work-dir", c.dir,
		"--port", fmt.Sprint(ports[0]), "--agent-port", fmt.Sprint(ports[1]),
		"--marathon-port", fmt.Sprint(ports[2]), "--chronos-port", fmt.Sprint(ports[3])}, extra...)
	return c
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// binary is bin/souk, which `make test` has built.
func binary(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/souk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("bin/souk is not built: run make build")
	}
	return path
}

// start runs the cluster until it says that it is up.
func (c *cluster) start() {
	c.t.Helper()
	c.out = &bytes.Buffer{}
	c.process = exec.Command(binary(c.t), c.args...)
	c.process.Stdout, c.process.Stderr = c.out, c.out
	if err := c.process.Start(); err != nil {
		c.t.Fatal(err)
	}
	process := c.process
	c.t.Cleanup(func() { // whatever state the test ended in
		process.Process.Kill()
		process.Wait()
	})
	c.eventually("the cluster is up", func() error {
		var m map[string]float64
		if err := c.get(c.master+"/metrics/snapshot", &m); err != nil {
			return err
		}
		if m["master/slaves_active"] < 1 || m["master/frameworks_active"] < 2 {
			return fmt.Errorf("agents %v, frameworks %v", m["master/slaves_active"], m["master/frameworks_active"])
		}
		return nil
	})
}

// stop ends the process by sig and waits for it.
func (c *cluster) stop(sig syscall.Signal) {
	c.t.Helper()
	if err := c.process.Process.Signal(sig); err != nil {
		c.t.Fatal(err)
	}
	err := c.process.Wait()
	if sig != syscall.SIGKILL && err != nil {
		c.t.Errorf("souk local ended with %v after %v:\n%s", err, sig, c.out)
	}
}

// eventually polls until check is content.
func (c *cluster) eventually(what string, check func() error) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(c.dir, "log", "souk.log"))
			c.t.Fatalf("%s: %v\noutput:\n%s\nlog:\n%s", what, err, c.out, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *cluster) get(url string, out any) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s: %s", url, resp.Status, body)
	}
	return json.Unmarshal(body, out)
}

// call makes a request and wants status for an answer.
func (c *cluster) call(method, url, body string, status int) string {
	c.t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != status {
		c.t.Fatalf("%s %s = %s: %s, want %d", method, url, resp.Status, answer, status)
	}
	return string(answer)
}

func sample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A task is one as Marathon lists it.
type task struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Ports []int  `json:"ports"`
	Agent string `json:"slaveId"`
}

// running waits until app has n running tasks and no others, and returns them.
func (c *cluster) running(app string, n int) []task {
	c.t.Helper()
	var answer struct {
		Tasks []task `json:"tasks"`
	}
	c.eventually(fmt.Sprintf("%d tasks of %s run", n, app), func() error {
		answer.Tasks = nil
		if err := c.get(c.marathon+"/v2/apps/"+app+"/tasks", &answer); err != nil {
			return err
		}
		up := 0
		for _, t := range answer.Tasks {
			if t.State == "TASK_RUNNING" {
				up++
			}
		}
		if up != n || len(answer.Tasks) != n {
			return fmt.Errorf("tasks are %+v", answer.Tasks)
		}
		return nil
	})
	return answer.Tasks
}

// A run is one run of a Chronos job.
type run struct {
	TaskID     string `json:"taskId"`
	State      string `json:"state"`
	Due        time.Time
	Started    time.Time
	Successful bool
	Message    string
}

func (c *cluster) history(job string) []run {
	c.t.Helper()
	var answer struct {
		Runs []run `json:"runs"`
	}
	if err := c.get(c.chrono+"/v1/scheduler/job/"+job+"/history", &answer); err != nil {
		c.t.Fatal(err)
	}
	return answer.Runs
}
