package local_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

// A daemon is one souk process of a cluster that is not in one process.
type daemon struct {
	process *exec.Cmd
	out     *bytes.Buffer
}

func startDaemon(t testing.TB, args ...string) *daemon {
	t.Helper()
	return startProgram(t, binary(t), args...)
}

func startProgram(t testing.TB, path string, args ...string) *daemon {
	t.Helper()
	d := &daemon{process: exec.Command(path, args...), out: &bytes.Buffer{}}
	d.process.Stdout, d.process.Stderr = d.out, d.out
	if err := d.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.process.Process.Kill() // unless the test has ended it
		d.process.Wait()
		if t.Failed() {
			t.Logf("souk %s\n%.20000s", strings.Join(args, " "), d.out)
		}
	})
	return d
}

// end signals and waits.
func (d *daemon) end(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := d.process.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	if err := d.process.Wait(); err != nil && sig == syscall.SIGTERM {
		t.Errorf("SIGTERM ends it with %v", err)
	}
}

func command(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(binary(t), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("souk %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// port is the last part of a URL.
func port(url string) string { return url[strings.LastIndexByte(url, ':')+1:] }

// TestEndToEndGrowth: the state of a one-machine cluster moves to ZooKeeper.
// A master there, with the same agent and frameworks, has the same task, quota
// and job.
func TestEndToEndGrowth(t *testing.T) {
	e := zookeepertest.Start(t, 1)
	zk := e.URL(t)
	c := newCluster(t)
	c.start()
	c.call(http.MethodPost, c.marathon+"/v2/apps", `{"id":"grow","cmd":"sleep 1000","cpus":0.1,"mem":32,"instances":2}`, http.StatusCreated)
	before := ids(c.running("grow", 2))
	c.call(http.MethodPost, c.chrono+"/v1/scheduler/iso8601", `{"name":"grow","command":"true","schedule":"R/2040-01-01T00:00:00Z/P1D"}`, http.StatusNoContent)
	c.call(http.MethodPut, c.master+"/weights", `[{"role":"web","weight":3}]`, http.StatusOK)
	c.stop(syscall.SIGTERM)

	file := filepath.Join(t.TempDir(), "state")
	command(t, "state", "export", "--work_dir", c.dir, "--cluster", "grown", "--file", file)
	command(t, "state", "import", "--file", file, "--master", zk, "--marathon", zk+"-marathon", "--chronos", zk+"-chronos")
	second := filepath.Join(t.TempDir(), "again")
	command(t, "state", "export", "--master", zk, "--marathon", zk+"-marathon", "--chronos", zk+"-chronos", "--file", second)
	if sample := exec.Command("cmp", file, second); sample.Run() != nil {
		t.Error("the state in ZooKeeper is not that of the files")
	}

	startDaemon(t, "master", "--zk="+zk, "--cluster=grown", "--ip=127.0.0.1", "--port="+port(c.master), "--zk_session_timeout=4secs")
	startDaemon(t, "agent", "--master="+zk, "--ip=127.0.0.1", "--hostname=127.0.0.1", "--port="+c.args[6], "--work_dir="+filepath.Join(c.dir, "agent-0"))
	startDaemon(t, "marathon", "--master="+zk, "--zk="+zk+"-marathon", "--http_address=127.0.0.1", "--http_port="+port(c.marathon), "--hostname=127.0.0.1")
	startDaemon(t, "chronos", "--master="+zk, "--zk="+zk+"-chronos", "--http_port="+port(c.chrono), "--hostname=127.0.0.1")

	c.eventually("the cluster is up again", func() error {
		var m map[string]float64
		if err := c.get(c.master+"/metrics/snapshot", &m); err != nil {
			return err
		}
		if m["master/slaves_active"] < 1 || m["master/frameworks_active"] < 2 || m["master/tasks_running"] < 2 {
			return fmt.Errorf("agents %v, frameworks %v, tasks %v", m["master/slaves_active"], m["master/frameworks_active"], m["master/tasks_running"])
		}
		return nil
	})
	if after := ids(c.running("grow", 2)); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("tasks = %v, want %v", after, before)
	}
	if weights := c.call(http.MethodGet, c.master+"/weights", "", http.StatusOK); !strings.Contains(weights, `"web"`) {
		t.Errorf("weights = %s", weights)
	}
	if jobs := c.call(http.MethodGet, c.chrono+"/v1/scheduler/jobs", "", http.StatusOK); !strings.Contains(jobs, `"grow"`) {
		t.Errorf("jobs = %s", jobs)
	}
	c.call(http.MethodDelete, c.marathon+"/v2/apps/grow", "", http.StatusOK)
	c.idle()
}
