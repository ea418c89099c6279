package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/soukproject/souk/agent/containerizer/containerizertest"
	"github.com/soukproject/souk/agent/containerizer/posix"
	"github.com/soukproject/souk/agent/isolation"
	"github.com/soukproject/souk/internal/daemon/daemontest"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "shim" {
		os.Exit(posix.Shim(os.Args[2]))
	}
	os.Exit(m.Run())
}

// eventually waits for something that takes real time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come to be", what)
		}
	}
}

// running is an agent under test.
type running struct {
	t       *testing.T
	address string
	stop    context.CancelFunc
	done    chan error
}

func start(t *testing.T, cfg Config) *running {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listener = ln
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{t: t, address: ln.Addr().String(), stop: cancel, done: make(chan error, 1)}
	go func() {
		defer ln.Close()
		r.done <- Run(ctx, cfg)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.done
	})
	return r
}

// end stops the agent and returns what Run returned.
func (r *running) end() error {
	r.stop()
	err := <-r.done
	r.done <- err // for Cleanup
	return err
}

func (r *running) get(path string) (int, string) {
	r.t.Helper()
	resp, err := http.Get("http://" + r.address + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (r *running) call(body string) string {
	r.t.Helper()
	resp, err := http.Post("http://"+r.address+"/api/v1", "application/json", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, answer)
}

func testConfig(t *testing.T, m *fakeMaster) Config {
	cfg := DefaultConfig()
	cfg.Master = m.address()
	cfg.WorkDir = t.TempDir()
	containerizertest.LeaveNothing(t, cfg.WorkDir)
	cfg.Hostname = "agent1.example"
	cfg.Resources = "cpus:4;mem:1024;disk:1000;ports:[31000-31999]"
	cfg.Attributes = "rack:r1"
	cfg.Domain = &mesospb.DomainInfo{FaultDomain: &mesospb.DomainInfo_FaultDomain{
		Region: &mesospb.DomainInfo_FaultDomain_RegionInfo{Name: new("r")}, Zone: &mesospb.DomainInfo_FaultDomain_ZoneInfo{Name: new("z")},
	}}
	cfg.Containerizer = Posix
	cfg.ContainerizerPath = "/none"
	cfg.SwitchUser = false
	cfg.Backoff = 20 * time.Millisecond
	cfg.Log = zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	return cfg
}

// TestGarbageConnections: thousands of connections that never finish a request
// do not keep others from being answered.
func TestGarbageConnections(t *testing.T) {
	daemontest.Garbage(t, start(t, testConfig(t, newFakeMaster(t))).address, "/api/v1/executor")
}

func TestTasksRunAsProcesses(t *testing.T) {
	m := newFakeMaster(t)
	a := start(t, testConfig(t, m))
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	if _, s := m.sessions(); s.GetAgent().GetDomain().GetFaultDomain().GetRegion().GetName() != "r" {
		t.Errorf("subscription = %v, want the domain of the agent", s)
	}
	m.run(command("good", "echo out; echo err >&2; env > env"), command("bad", "exit 3"), command("shot", "kill -9 $$"))
	eventually(t, "end of the tasks", func() bool {
		return strings.HasSuffix(m.states("good"), "FINISHED") && strings.HasSuffix(m.states("bad"), "FAILED") && strings.HasSuffix(m.states("shot"), "FAILED")
	})
	for task, want := range map[string]string{
		"good": "Command exited with status 0", "bad": "Command exited with status 3", "shot": "Command terminated with signal Killed",
	} {
		if got := m.last(task).GetMessage(); got != want {
			t.Errorf("message of %s = %q, want %q", task, got, want)
		}
	}
	if got := m.states("good"); got != "STARTING RUNNING FINISHED" {
		t.Errorf("states = %s, want STARTING RUNNING FINISHED", got)
	}
	read := func(file string) string {
		_, body := a.get("/files/read?path=" + url.QueryEscape("/frameworks/F0/executors/good/runs/latest/"+file) + "&offset=0")
		var answer struct{ Data string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatalf("read %s: %v in %s", file, err, body)
		}
		return answer.Data
	}
	if out, errs := read("stdout"), read("stderr"); out != "out\n" || errs != "err\n" {
		t.Errorf("stdout, stderr = %q, %q, want out and err", out, errs)
	}
	env := read("env")
	for _, want := range []string{
		"MESOS_SLAVE_ID=S0\n", "MESOS_FRAMEWORK_ID=F0\n", "MESOS_EXECUTOR_ID=good\n", "MESOS_AGENT_ENDPOINT=" + a.address + "\n",
		"MESOS_ALLOCATION_ROLE=web\n", "PATH=" + defaultPath + "\n", "MESOS_SANDBOX=/",
	} {
		if !strings.Contains(env, want) {
			t.Errorf("environment lacks %q:\n%s", want, env)
		}
	}
}

func TestKillAndEndpoints(t *testing.T) {
	m := newFakeMaster(t)
	a := start(t, testConfig(t, m))
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	m.run(command("web.1", "sleep 1000"))
	eventually(t, "run", func() bool { return strings.HasSuffix(m.states("web.1"), "RUNNING") })

	_, body := a.get("/slave%281%29/state")
	for _, want := range []string{
		`"id":"S0"`, `"hostname":"agent1.example"`, `"ports":"[31000-31999]"`, `"attributes":{"isolation":"posix","rack":"r1"}`,
		`"name":"Command Executor (Task: web.1) (Command: sh -c 'sleep 1000')"`, `"state":"TASK_RUNNING"`, `"executor_id":""`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/state lacks %s:\n%s", want, body)
		}
	}
	_, body = a.get("/monitor/statistics")
	if !strings.Contains(body, `"executor_id":"web.1"`) || !strings.Contains(body, `"cpus_soft_limit":0.2`) {
		t.Errorf("/monitor/statistics = %s, want web.1 with its limits", body)
	}
	_, body = a.get("/metrics/snapshot")
	if !strings.Contains(body, `"slave/tasks_running":1.0`) || !strings.Contains(body, `"slave/registered":1.0`) {
		t.Errorf("/metrics/snapshot = %s, want a running task and a registered agent", body)
	}
	if got := a.call(`{"type":"GET_TASKS"}`); !strings.HasPrefix(got, "200") || !strings.Contains(got, `"launched_tasks":[{"name":"web.1"`) {
		t.Errorf("GET_TASKS = %s, want web.1 launched", got)
	}

	m.kill("web.1")
	eventually(t, "kill", func() bool { return strings.HasSuffix(m.states("web.1"), "KILLED") })
	if got := m.states("web.1"); got != "STARTING RUNNING KILLING KILLED" {
		t.Errorf("states = %s, want KILLING before KILLED", got)
	}
	eventually(t, "completion", func() bool {
		return strings.Contains(a.call(`{"type":"GET_TASKS"}`), `"completed_tasks":[{"name":"web.1"`)
	})
}

// Tasks go on without their agent, and the next one takes them up.
func TestRestart(t *testing.T) {
	m := newFakeMaster(t)
	cfg := testConfig(t, m)
	a := start(t, cfg)
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	gate := filepath.Join(t.TempDir(), "gate")
	waits := "while [ ! -e " + gate + " ]; do sleep 0.05; done; exit 7"
	m.run(command("survivor", "sleep 1000"), command("ended", waits))
	eventually(t, "run", func() bool {
		return strings.HasSuffix(m.states("survivor")+m.states("ended"), "RUNNING") && m.states("survivor") == m.states("ended")
	})
	if err := a.end(); !errors.Is(err, context.Canceled) && err != nil {
		t.Fatalf("Run = %v, want that it was canceled", err)
	}
	if err := os.WriteFile(gate, nil, 0o644); err != nil { // it ends while nobody looks
		t.Fatal(err)
	}
	cfg.AdvertisePort, _ = portOf(a.address) // the port was the system's choice; it must not change
	time.Sleep(200 * time.Millisecond)

	start(t, cfg)
	eventually(t, "resubscription", func() bool { n, _ := m.sessions(); return n == 2 })
	_, s := m.sessions()
	if got := s.GetAgent().GetId().GetValue(); got != "S0" || len(s.GetTasks()) != 2 {
		t.Errorf("resubscribed as %q with %d tasks, want S0 with 2", got, len(s.GetTasks()))
	}
	eventually(t, "end", func() bool { return strings.HasSuffix(m.states("ended"), "FAILED") })
	if got := m.last("ended").GetMessage(); got != "Command exited with status 7" {
		t.Errorf("message = %q, want status 7", got)
	}
	if got := m.states("survivor"); got != "STARTING RUNNING" {
		t.Errorf("states of the survivor = %s, want that it still runs", got)
	}
	m.kill("survivor")
	eventually(t, "kill", func() bool { return strings.HasSuffix(m.states("survivor"), "KILLED") })
}

func portOf(address string) (int, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	var n int
	_, err = fmt.Sscan(port, &n)
	return n, err
}

// What was not acknowledged before the link broke comes again after it.
func TestReconnect(t *testing.T) {
	m := newFakeMaster(t)
	m.setMute(true)
	cfg := testConfig(t, m)
	cfg.Containers = containerizertest.NewFake()
	start(t, cfg)
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	m.run(command("t1", "exit 0"))
	eventually(t, "first update", func() bool { return m.states("t1") == "STARTING" })
	m.setMute(false)
	m.hangUp()
	eventually(t, "the rest", func() bool { return m.states("t1") == "STARTING RUNNING FINISHED" })
	if n, s := m.sessions(); n < 2 || len(s.GetTasks()) != 1 || s.GetTasks()[0].GetStatus().GetState() != mesospb.TaskState_TASK_FINISHED {
		t.Errorf("%d sessions, the last with %v; want two and the task FINISHED", n, s.GetTasks())
	}
}

// Many tasks at once: each is launched, and all end.
func TestManyTasks(t *testing.T) {
	const n = 200
	m := newFakeMaster(t)
	cfg := testConfig(t, m)
	cfg.Containers = containerizertest.NewFake()
	start(t, cfg)
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	var tasks []*mesospb.TaskInfo
	for i := range n {
		tasks = append(tasks, command(fmt.Sprintf("t%d", i), "exit 0"))
	}
	began := time.Now()
	m.run(tasks...)
	eventually(t, "end of all", func() bool {
		for i := range n {
			if !strings.HasSuffix(m.states(fmt.Sprintf("t%d", i)), "FINISHED") {
				return false
			}
		}
		return true
	})
	if took := time.Since(began); took > n*time.Second/30 {
		t.Errorf("%d tasks took %v, want at least 30 a second", n, took)
	}
}

func TestLaunchFailureIsTold(t *testing.T) {
	m := newFakeMaster(t)
	start(t, testConfig(t, m))
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	task := command("t1", "true")
	task.Command = &mesospb.CommandInfo{Shell: new(false), Value: new("/no/such/program")}
	m.run(task)
	eventually(t, "failure", func() bool { return m.states("t1") == "FAILED" })
	s := m.last("t1")
	if s.GetReason() != mesospb.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(s.GetMessage(), "/no/such/program") {
		t.Errorf("update = %v, want a failed launch that names the program", s)
	}
}

// The words are those of Mesos' agent (mesos-api 10.1), without a path.
func TestUnknownUser(t *testing.T) {
	m := newFakeMaster(t)
	cfg := testConfig(t, m)
	cfg.SwitchUser = true
	cfg.Log = zap.NewNop()
	start(t, cfg)
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	task := command("t1", "true")
	task.Command.User = new("no-such-user")
	m.run(task)
	eventually(t, "an end", func() bool { return m.states("t1") == "DROPPED" })
	s := m.last("t1")
	if s.GetReason() != mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED || s.GetSource() != mesospb.TaskStatus_SOURCE_AGENT ||
		s.GetMessage() != "Failed to create executor directory: No such user 'no-such-user'" {
		t.Errorf("update = %v, want that there is no such user", s)
	}
}

func TestRunRefuses(t *testing.T) {
	m := newFakeMaster(t)
	tests := []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"no master", func(c *Config) { c.Master = "" }, "--master"},
		{"an ensemble without a path", func(c *Config) { c.Master = "zk://a:2181" }, "path"},
		{"no work directory", func(c *Config) { c.WorkDir = "" }, "--work_dir"},
		{"bad resources", func(c *Config) { c.Resources = "cpus" }, "resources"},
		{"an unknown containerizer", func(c *Config) { c.Containerizer = "docker" }, "--containerizer"},
		{"runc without its helper", func(c *Config) { c.Containerizer = RunC }, "runc"},
		{"an isolator that plain processes do not have", func(c *Config) { c.Isolation = isolation.Set{"cgroups/mem"} }, "isolator cgroups/mem needs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig(t, m)
			tt.edit(&cfg)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			cfg.Listener = ln
			err = Run(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Run = %v, want one line about %s", err, tt.want)
			}
		})
	}
}

func TestParseFlags(t *testing.T) {
	c, err := ParseFlags([]string{
		"--master=m1", "--work_dir=/tmp/w", "--resources=cpus:2", "--gc-delay=2days", "--isolation=cgroups/cpu,cgroups/mem",
		`--executor_environment_variables={"A":"b"}`, "--no-switch_user",
		`--domain={"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}`,
	}, []string{"MESOS_PORT=6000"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Master != "m1:5050" || c.Port != 6000 || c.GCDelay != 48*time.Hour || c.Environment["A"] != "b" || c.SwitchUser ||
		c.Domain.GetFaultDomain().GetZone().GetName() != "z" {
		t.Errorf("ParseFlags = %+v", c)
	}
	for _, bad := range []string{"--isolation=docker/volume", "--isolation=cgroups/mem,cgroups", "--docker=docker", "--domain={}", "--acls={}", "--containerizers=appc", "--default_role=a b", "--registration_backoff_factor=2mins"} {
		if _, err := ParseFlags([]string{"--master=m", "--work_dir=/w", bad}, nil); err == nil || !strings.Contains(err.Error(), "flag --") {
			t.Errorf("ParseFlags(%s) = %v, want an error that names the flag", bad, err)
		}
	}
	if !strings.Contains(Usage(), "--work_dir") {
		t.Error("Usage does not name --work_dir")
	}
}
