package local_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// isolated says why there are no containers here, "" if there are.
func isolated() string {
	if os.Geteuid() != 0 {
		return "containers need root"
	}
	return ""
}

// TestEndToEndApps does with Marathon what a newcomer does.
func TestEndToEndApps(t *testing.T) {
	c := newCluster(t)
	c.start()
	for _, name := range []string{"app-basics-python-web.json", "app-kill-grace-period.json", "api-app-simple.json"} {
		c.call(http.MethodPost, c.marathon+"/v2/apps", sample(t, name), http.StatusCreated)
	}
	first := c.running("basic-0", 1)[0]
	c.running("foo", 2)
	c.running("simple", 2)

	t.Run("a task is a process of its own world", func(t *testing.T) {
		if why := isolated(); why != "" {
			t.Skip(why)
		}
		c.checkIsolation(first)
	})
	t.Run("a sandbox has what the task printed", func(t *testing.T) { c.checkOutput(first, "Hello Marathon") })
	t.Run("a killed task is replaced", func(t *testing.T) {
		kill(t, c.pid(first.ID))
		c.eventually("another task", func() error {
			if now := c.running("basic-0", 1)[0]; now.ID == first.ID {
				return fmt.Errorf("still %s", now.ID)
			}
			return nil
		})
	})
	t.Run("an app is scaled and deleted", func(t *testing.T) {
		before := c.running("basic-0", 1)[0]
		c.call(http.MethodPut, c.marathon+"/v2/apps/basic-0", `{"instances":3}`, http.StatusOK)
		after := c.running("basic-0", 3)
		if !slices.ContainsFunc(after, func(k task) bool { return k.ID == before.ID }) {
			t.Errorf("scaling replaced %s by %+v", before.ID, after)
		}
		c.call(http.MethodDelete, c.marathon+"/v2/apps/basic-0", "", http.StatusOK)
		c.eventually("the tasks are gone", func() error {
			for _, k := range after {
				if path := c.sandboxPID(k.ID); path != 0 {
					return fmt.Errorf("%s still runs as %d", k.ID, path)
				}
			}
			return nil
		})
	})
	for _, app := range []string{"foo", "simple"} {
		c.call(http.MethodDelete, c.marathon+"/v2/apps/"+app, "", http.StatusOK)
	}
	c.idle()
}

// TestEndToEndEnvironment: a task is told its ports and who it is.
func TestEndToEndEnvironment(t *testing.T) {
	c := newCluster(t)
	c.start()
	c.call(http.MethodPost, c.marathon+"/v2/apps",
		`{"id":"/team/env","cmd":"env; sleep 1000","cpus":0.1,"mem":32,"portDefinitions":[{"port":0,"name":"http"}],"env":{"COLOUR":"blue"}}`, http.StatusCreated)
	k := c.running("team/env", 1)[0]
	for _, want := range []string{
		"MARATHON_APP_ID=/team/env", "COLOUR=blue", "MESOS_TASK_ID=" + k.ID,
		fmt.Sprintf("PORT0=%d", k.Ports[0]), fmt.Sprintf("PORT_HTTP=%d", k.Ports[0]), "HOST=127.0.0.1",
		"MARATHON_APP_RESOURCE_MEM=32.0", "MESOS_SANDBOX=",
	} {
		c.checkOutput(k, want)
	}
	c.call(http.MethodDelete, c.marathon+"/v2/apps/team/env", "", http.StatusOK)
	c.idle()
}

// TestEndToEndJobs does with Chronos what a newcomer does.
func TestEndToEndJobs(t *testing.T) {
	c := newCluster(t)
	c.start()
	// The sample's command, CMD, does not exist: it runs, fails and says so.
	c.call(http.MethodPost, c.chrono+"/v1/scheduler/iso8601", sample(t, "job-run-once-now.json"), http.StatusNoContent)
	c.eventually("run-now ran", func() error {
		runs := c.history("run-now")
		if len(runs) == 0 || runs[0].State != "TASK_FAILED" || runs[0].Message != "Command exited with status 127" {
			return fmt.Errorf("history is %+v", runs)
		}
		return nil
	})
	due := time.Now().Add(3 * time.Second).UTC().Truncate(time.Second)
	job := strings.Replace(sample(t, "job-it-hourly-sleep1m.json"), "2016-12-05T22:00:00.000Z", due.Format("2006-01-02T15:04:05.000Z"), 1)
	job = strings.Replace(job, "sleep 1m", "sleep 1", 1)
	c.call(http.MethodPost, c.chrono+"/v1/scheduler/iso8601", job, http.StatusNoContent)
	c.eventually("the hourly job ran", func() error {
		runs := c.history("hourly-sleep1m")
		if len(runs) != 1 || runs[0].State != "TASK_FINISHED" {
			return fmt.Errorf("history is %+v", runs)
		}
		if !runs[0].Due.Equal(due) || runs[0].Started.Before(due) {
			return fmt.Errorf("due %v and started %v, want %v", runs[0].Due, runs[0].Started, due)
		}
		return nil
	})
	c.idle()
}

// TestEndToEndRestarts: neither Ctrl-C nor kill -9 of the whole cluster is noticed by a task.
func TestEndToEndRestarts(t *testing.T) {
	c := newCluster(t)
	c.start()
	c.call(http.MethodPost, c.marathon+"/v2/apps", sample(t, "app-multirole-default.json"), http.StatusCreated)
	c.call(http.MethodPost, c.chrono+"/v1/scheduler/iso8601", `{"name":"later","command":"true","schedule":"R/2099-01-01T00:00:00Z/P1D"}`, http.StatusNoContent)
	before := c.running("dev/bigbusiness", 10)
	pids := c.pids(before)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		c.stop(sig)
		for _, pid := range pids {
			if err := syscall.Kill(pid, 0); err != nil {
				t.Errorf("task's process %d after %v: %v", pid, sig, err)
			}
		}
		c.start()
		after := c.running("dev/bigbusiness", 10)
		if got, want := ids(after), ids(before); !slices.Equal(got, want) {
			t.Errorf("after %v tasks are %v, want %v", sig, got, want)
		}
		if got := c.pids(after); !slices.Equal(got, pids) {
			t.Errorf("after %v processes are %v, want %v", sig, got, pids)
		}
		c.call(http.MethodGet, c.chrono+"/v1/scheduler/job/later", "", http.StatusOK)
	}
	c.call(http.MethodDelete, c.marathon+"/v2/apps/dev/bigbusiness", "", http.StatusOK)
	c.idle()
}

// TestEndToEndSharing: a cluster full of one framework still serves the other.
func TestEndToEndSharing(t *testing.T) {
	c := newCluster(t, "--resources", "cpus:2;mem:2048;disk:4096;ports:[31000-31999]")
	c.start()
	c.call(http.MethodPost, c.marathon+"/v2/apps",
		`{"id":"hog","cmd":"sleep 2","cpus":0.5,"mem":64,"instances":40,"backoffSeconds":0,"backoffFactor":1,"maxLaunchDelaySeconds":1}`, http.StatusCreated)
	c.eventually("the cluster is full", func() error {
		var m map[string]float64
		if err := c.get(c.master+"/metrics/snapshot", &m); err != nil {
			return err
		}
		if m["master/cpus_used"] < 2 {
			return fmt.Errorf("%v CPUs are in use", m["master/cpus_used"])
		}
		return nil
	})
	for i := range 3 {
		name := fmt.Sprintf("small%d", i)
		c.call(http.MethodPost, c.chrono+"/v1/scheduler/iso8601", fmt.Sprintf(`{"name":%q,"command":"true","cpus":0.5,"mem":64,"disk":10,"schedule":"R1//P1D"}`, name), http.StatusNoContent)
		c.eventually(name+" ran in a full cluster", func() error {
			if runs := c.history(name); len(runs) == 0 || runs[0].State != "TASK_FINISHED" {
				return fmt.Errorf("history is %+v", runs)
			}
			return nil
		})
	}
	c.call(http.MethodDelete, c.marathon+"/v2/apps/hog", "", http.StatusOK)
	c.idle()
}

// idle waits until nothing runs any more, so that a test leaves nothing behind.
func (c *cluster) idle() {
	c.t.Helper()
	c.eventually("nothing runs", func() error {
		var m map[string]float64
		if err := c.get(c.master+"/metrics/snapshot", &m); err != nil {
			return err
		}
		if n := m["master/tasks_running"] + m["master/tasks_staging"] + m["master/tasks_starting"] + m["master/tasks_killing"]; n != 0 {
			return fmt.Errorf("%v tasks run", n)
		}
		return nil
	})
}

func ids(tasks []task) []string {
	var all []string
	for _, k := range tasks {
		all = append(all, k.ID)
	}
	slices.Sort(all)
	return all
}

func (c *cluster) pids(tasks []task) []int {
	var all []int
	for _, k := range tasks {
		all = append(all, c.pid(k.ID))
	}
	slices.Sort(all)
	return all
}

// pid is the host's number of the first process of a running task.
func (c *cluster) pid(id string) int {
	c.t.Helper()
	pid := c.sandboxPID(id)
	if pid == 0 {
		c.t.Fatalf("no process of task %s", id)
	}
	return pid
}

// sandboxPID finds the oldest process whose environment names the task; 0 if none does.
func (c *cluster) sandboxPID(id string) int {
	found := 0
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, path := range environs {
		text, err := os.ReadFile(path)
		if err != nil || !slices.Contains(strings.Split(string(text), "\x00"), "MESOS_TASK_ID="+id) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(path, "/")[2])
		if err == nil && (found == 0 || pid < found) {
			found = pid
		}
	}
	return found
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// checkIsolation looks at a task's process from outside.
func (c *cluster) checkIsolation(k task) {
	c.t.Helper()
	pid := c.pid(k.ID)
	for _, ns := range []string{"pid", "mnt"} {
		ours, err := os.Readlink("/proc/self/ns/" + ns)
		if err != nil {
			c.t.Fatal(err)
		}
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, ns))
		if err != nil {
			c.t.Fatal(err)
		}
		if ours == theirs {
			c.t.Errorf("task shares the %s namespace %s of the machine", ns, ours)
		}
	}
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		c.t.Fatal(err)
	}
	// The app's 10 MB and the 32 MB that Mesos adds for a command executor.
	if limit := memoryLimit(c.t, string(groups)); limit != 42<<20 {
		c.t.Errorf("memory limit is %d bytes, want 42 MB", limit)
	}
}

// memoryLimit reads the limit of the cgroup named in /proc/PID/cgroup, of either version.
func memoryLimit(t *testing.T, groups string) int64 {
	t.Helper()
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		path := filepath.Join("/sys/fs/cgroup", parts[2], "memory.max")
		if slices.Contains(strings.Split(parts[1], ","), "memory") {
			path = filepath.Join("/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes")
		}
		if text, err := os.ReadFile(path); err == nil {
			n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			return n
		}
	}
	t.Fatalf("no memory cgroup in %q", groups)
	return 0
}

// checkOutput waits until the task's stdout, read through the agent, holds text.
func (c *cluster) checkOutput(k task, text string) {
	c.t.Helper()
	agent := c.agentOf(k)
	var state struct {
		Frameworks []struct {
			Executors []struct {
				ID        string `json:"id"`
				Directory string `json:"directory"`
			} `json:"executors"`
		} `json:"frameworks"`
	}
	c.eventually("stdout of "+k.ID+" has "+text, func() error {
		if err := c.get(agent+"/state", &state); err != nil {
			return err
		}
		for _, f := range state.Frameworks {
			for _, x := range f.Executors {
				if x.ID != k.ID {
					continue
				}
				var file struct {
					Data string `json:"data"`
				}
				query := url.Values{"path": {x.Directory + "/stdout"}, "offset": {"0"}}
				if err := c.get(agent+"/files/read?"+query.Encode(), &file); err != nil {
					return err
				}
				if strings.Contains(file.Data, text) {
					return nil
				}
				return fmt.Errorf("it is %q", file.Data)
			}
		}
		return fmt.Errorf("the agent does not know the task")
	})
}

// agentOf is the URL of the agent that runs k.
func (c *cluster) agentOf(k task) string {
	c.t.Helper()
	var answer struct {
		Slaves []struct {
			ID       string `json:"id"`
			Hostname string `json:"hostname"`
			Port     int    `json:"port"`
		} `json:"slaves"`
	}
	if err := c.get(c.master+"/slaves", &answer); err != nil {
		c.t.Fatal(err)
	}
	for _, s := range answer.Slaves {
		if s.ID == k.Agent {
			return fmt.Sprintf("http://%s:%d", s.Hostname, s.Port)
		}
	}
	c.t.Fatalf("no agent %s among %+v", k.Agent, answer.Slaves)
	return ""
}

// TestEndToEndPlainProcesses: without root and without the containerizer, souk
// alone runs tasks, and they survive it, too.
func TestEndToEndPlainProcesses(t *testing.T) {
	c := newCluster(t, "--containerizer", "posix", "--containerizer-path", filepath.Join(t.TempDir(), "none"))
	c.start()
	c.call(http.MethodPost, c.marathon+"/v2/apps", sample(t, "app-basics-python-web.json"), http.StatusCreated)
	before := c.running("basic-0", 1)
	c.stop(syscall.SIGKILL)
	c.start()
	if after := c.running("basic-0", 1); after[0].ID != before[0].ID {
		t.Errorf("after a crash the task is %s, want %s", after[0].ID, before[0].ID)
	}
	c.call(http.MethodDelete, c.marathon+"/v2/apps/basic-0", "", http.StatusOK)
	c.idle()
}

// TestEndToEndTwoClusters on one machine leave each other alone.
func TestEndToEndTwoClusters(t *testing.T) {
	one, two := newCluster(t), newCluster(t)
	one.start()
	one.call(http.MethodPost, one.marathon+"/v2/apps", sample(t, "app-kill-grace-period.json"), http.StatusCreated)
	before := ids(one.running("foo", 2))
	two.start()
	two.call(http.MethodPost, two.marathon+"/v2/apps", sample(t, "api-app-simple.json"), http.StatusCreated)
	two.running("simple", 2)
	if after := ids(one.running("foo", 2)); !slices.Equal(after, before) {
		t.Errorf("starting another cluster replaced %v by %v", before, after)
	}
	one.call(http.MethodDelete, one.marathon+"/v2/apps/foo", "", http.StatusOK)
	two.call(http.MethodDelete, two.marathon+"/v2/apps/simple", "", http.StatusOK)
	one.idle()
	two.idle()
}

// TestEndToEndAgentGone: an agent that an operator gave up comes back as a new
// one, and what it ran is started again.
func TestEndToEndAgentGone(t *testing.T) {
	c := newCluster(t)
	c.start()
	c.call(http.MethodPost, c.marathon+"/v2/apps", sample(t, "app-basics-python-web.json"), http.StatusCreated)
	before := c.running("basic-0", 1)[0]
	c.call(http.MethodPost, c.master+"/api/v1", fmt.Sprintf(`{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":%q}}}`, before.Agent), http.StatusOK)
	c.eventually("another agent runs another task", func() error {
		if now := c.running("basic-0", 1)[0]; now.ID == before.ID || now.Agent == before.Agent {
			return fmt.Errorf("still %+v", now)
		}
		return nil
	})
	c.call(http.MethodDelete, c.marathon+"/v2/apps/basic-0", "", http.StatusOK)
	c.idle()
}
