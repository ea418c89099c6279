package chronos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/soukproject/souk/framework/frameworktest"
	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/memstate"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A wire is a listener without sockets, so that synctest sees its users wait.
type wire struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newWire() *wire { return &wire{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error   { w.once.Do(func() { close(w.closed) }); return nil }
func (w *wire) Addr() net.Addr { return &net.TCPAddr{Port: 4400} }

func (w *wire) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case w.conns <- there:
		return here, nil
	case <-w.closed:
		return nil, errors.New("connection refused")
	}
}

// A process is a running Chronos with a client of its API.
type process struct {
	t      *testing.T
	client *http.Client
	kill   func()
}

func start(t *testing.T, master *frameworktest.Master, store state.Store) *process {
	t.Helper()
	w := newWire()
	cfg := DefaultConfig()
	cfg.Master, cfg.HTTP, cfg.Store, cfg.Listener, cfg.Hostname = frameworktest.Address, master.HTTP(), store, w, "chronos.test"
	cfg.User, cfg.Log = "nobody", zaptest.NewLogger(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg) }()
	p := &process{t: t, client: &http.Client{Transport: &http.Transport{DialContext: w.dial}}}
	var once sync.Once
	p.kill = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
			p.client.CloseIdleConnections()
		})
	}
	t.Cleanup(p.kill)
	return p
}

func (p *process) want(status int, method, path, body string) string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://chronos.test"+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if resp.StatusCode != status {
		p.t.Fatalf("%s %s = %d %s, want %d", method, path, resp.StatusCode, answer, status)
	}
	return string(answer)
}

// states is the states of a job's runs, newest first.
func (p *process) states(job string) []string {
	p.t.Helper()
	var history struct{ Runs []struct{ State string } }
	if err := json.Unmarshal([]byte(p.want(200, "GET", "/v1/scheduler/job/"+job+"/history", "")), &history); err != nil {
		p.t.Fatal(err)
	}
	var states []string
	for _, r := range history.Runs {
		states = append(states, r.State)
	}
	return states
}

func offer(master *frameworktest.Master) {
	master.Offer("agent-1", "*", frameworktest.Scalar("cpus", 4), frameworktest.Scalar("mem", 4096), frameworktest.Scalar("disk", 8192))
}

func accepted(t *testing.T, call *schedulerpb.Call) *mesospb.TaskInfo {
	t.Helper()
	ops := call.GetAccept().GetOperations()
	if len(ops) != 1 || len(ops[0].GetLaunch().GetTaskInfos()) != 1 {
		t.Fatalf("ACCEPT = %v, want one task launched", call)
	}
	return ops[0].GetLaunch().GetTaskInfos()[0]
}

const once = `{"name":"once","command":"true","schedule":"R1//P1D"}`

func TestJobRunsAndLeavesHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		master := frameworktest.New(t)
		store := memstate.New()
		p := start(t, master, store)
		info := master.Expect(schedulerpb.Call_SUBSCRIBE).GetSubscribe().GetFrameworkInfo()
		if info.GetName() != "chronos" || !info.GetCheckpoint() || info.GetFailoverTimeout() != 604800 || info.GetWebuiUrl() != "http://chronos.test:4400" {
			t.Errorf("FrameworkInfo = %v, want Chronos' name, checkpoint, a week of failover and its address", info)
		}
		master.Expect(schedulerpb.Call_SUPPRESS)
		if got := p.want(200, "GET", "/ping", ""); got != "pong" {
			t.Errorf("ping = %q, want pong", got)
		}
		p.want(204, "POST", "/scheduler/iso8601", once)
		master.Expect(schedulerpb.Call_REVIVE)

		stored := ""
		master.Script(func(call *schedulerpb.Call) error {
			if call.GetType() == schedulerpb.Call_ACCEPT {
				entry, err := store.Get(t.Context(), "chronos/job/once")
				stored = fmt.Sprint(string(entry.Value), err)
			}
			return nil
		})
		offer(master)
		task := accepted(t, master.Expect(schedulerpb.Call_ACCEPT))
		if !strings.Contains(stored, task.GetTaskId().GetValue()) {
			t.Errorf("at the time of ACCEPT the store held %s, want the run %s", stored, task.GetTaskId().GetValue())
		}
		for _, state := range []mesospb.TaskState{mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_FINISHED} {
			status := master.Update(task, state)
			ack := master.Expect(schedulerpb.Call_ACKNOWLEDGE).GetAcknowledge()
			if string(ack.GetUuid()) != string(status.GetUuid()) {
				t.Errorf("acknowledged %x, want %x", ack.GetUuid(), status.GetUuid())
			}
		}
		if diff := cmp.Diff([]string{"TASK_FINISHED"}, p.states("once")); diff != "" {
			t.Errorf("history differs (-want +got):\n%s", diff)
		}
		if got := p.want(200, "GET", "/leader", ""); got != `{"leader":"chronos.test:4400"}` {
			t.Errorf("leader = %s", got)
		}
	})
}

func TestRestartNeitherLosesNorDoublesARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		master := frameworktest.New(t)
		store := memstate.New()
		p := start(t, master, store)
		master.Expect(schedulerpb.Call_SUPPRESS)
		p.want(204, "POST", "/scheduler/iso8601", once)
		master.Expect(schedulerpb.Call_REVIVE)
		offer(master)
		task := accepted(t, master.Expect(schedulerpb.Call_ACCEPT))
		p.kill()
		master.Disconnect()

		p = start(t, master, store)
		subscribe := master.Expect(schedulerpb.Call_SUBSCRIBE)
		if got := subscribe.GetFrameworkId().GetValue(); got != "test-master-0000" {
			t.Errorf("SUBSCRIBE with framework id %q, want the one of before", got)
		}
		asked := master.Expect(schedulerpb.Call_RECONCILE).GetReconcile().GetTasks()
		if len(asked) != 1 || asked[0].GetTaskId().GetValue() != task.GetTaskId().GetValue() || asked[0].GetAgentId().GetValue() != "agent-1" {
			t.Fatalf("RECONCILE of %v, want the launched task on its agent", asked)
		}
		master.Status(&mesospb.TaskStatus{TaskId: task.GetTaskId(), State: mesospb.TaskState_TASK_RUNNING.Enum(), Reason: mesospb.TaskStatus_REASON_RECONCILIATION.Enum()})
		offer(master)
		master.Expect(schedulerpb.Call_DECLINE)
		master.Update(task, mesospb.TaskState_TASK_FINISHED)
		master.Expect(schedulerpb.Call_ACKNOWLEDGE)
		if diff := cmp.Diff([]string{"TASK_FINISHED"}, p.states("once")); diff != "" {
			t.Errorf("history differs (-want +got):\n%s", diff)
		}
	})
}

func TestALaunchThatNeverArrivedIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		master := frameworktest.New(t)
		store := memstate.New()
		p := start(t, master, store)
		master.Expect(schedulerpb.Call_SUPPRESS)
		p.want(204, "POST", "/scheduler/iso8601", once)
		master.Expect(schedulerpb.Call_REVIVE)
		master.Script(func(call *schedulerpb.Call) error {
			if call.GetType() == schedulerpb.Call_ACCEPT {
				return &scheduler.Error{Code: 503, Text: "lost on the way"}
			}
			return nil
		})
		offer(master)
		synctest.Wait()
		p.kill()
		master.Disconnect()
		master.Script(nil)

		p = start(t, master, store)
		asked := master.Expect(schedulerpb.Call_RECONCILE).GetReconcile().GetTasks()
		if len(asked) != 1 {
			t.Fatalf("RECONCILE of %v, want the run that was written down", asked)
		}
		master.Status(&mesospb.TaskStatus{TaskId: asked[0].GetTaskId(), State: mesospb.TaskState_TASK_GONE.Enum(), Reason: mesospb.TaskStatus_REASON_RECONCILIATION.Enum()})
		master.Expect(schedulerpb.Call_REVIVE)
		offer(master)
		task := accepted(t, master.Expect(schedulerpb.Call_ACCEPT))
		if task.GetTaskId().GetValue() == asked[0].GetTaskId().GetValue() {
			t.Errorf("the second launch has the first one's id %s, want another", task.GetTaskId().GetValue())
		}
		master.Update(task, mesospb.TaskState_TASK_FINISHED)
		master.Expect(schedulerpb.Call_ACKNOWLEDGE)
		if diff := cmp.Diff([]string{"TASK_FINISHED"}, p.states("once")); diff != "" {
			t.Errorf("history differs (-want +got):\n%s", diff)
		}
	})
}

func TestARemovedFrameworkComesBackAsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		master := frameworktest.New(t)
		store := memstate.New()
		p := start(t, master, store)
		master.Expect(schedulerpb.Call_SUPPRESS)
		p.want(204, "POST", "/scheduler/iso8601", `{"name":"j","command":"true","schedule":"R/2100-01-01T00:00:00Z/P1D"}`)
		master.Error("Framework has been removed")
		if id := master.Expect(schedulerpb.Call_SUBSCRIBE).GetFrameworkId(); id != nil {
			t.Errorf("SUBSCRIBE with id %v, want none", id)
		}
		master.Expect(schedulerpb.Call_SUPPRESS)
		p.want(200, "GET", "/scheduler/job/j", "")
	})
}

func TestAFailedWriteEndsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		master := frameworktest.New(t)
		store := memstate.New()
		w := newWire()
		cfg := DefaultConfig()
		cfg.Master, cfg.HTTP, cfg.Store, cfg.Listener, cfg.Hostname = frameworktest.Address, master.HTTP(), store, w, "chronos.test"
		cfg.User, cfg.Log = "nobody", zaptest.NewLogger(t)
		ended := make(chan error, 1)
		go func() { ended <- Run(t.Context(), cfg) }()
		master.Expect(schedulerpb.Call_SUPPRESS)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{DialContext: w.dial, DisableKeepAlives: true}}
		resp, err := client.Post("http://chronos.test/scheduler/iso8601", "application/json", strings.NewReader(once))
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == 204 {
				t.Errorf("POST = 204 although the job was not written")
			}
		}
		if err := <-ended; !errors.Is(err, state.ErrClosed) {
			t.Errorf("Run = %v, want ErrClosed", err)
		}
	})
}

func TestFlags(t *testing.T) {
	cfg, err := ParseFlags([]string{
		"--master=m1:5050,m2:5050", "--work_dir=/tmp/x", "--http-port", "4401", "--mesos_framework_name=jobs", "--mesos_role", "batch",
		"--mesos_task_cpu=0.5", "--mesos_task_mem=64", "--mesos_task_disk=32", "--failover_timeout=60", "--failure_retry=500",
		"--reconciliation_interval=1mins", "--user=nobody", "--cluster_name=c", "--hostname=h", "--no-mesos_checkpoint", "--schedule_horizon=60",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(cfg.Master, cfg.HTTPPort, cfg.FrameworkName, cfg.Role, cfg.TaskCPUs, cfg.TaskMem, cfg.TaskDisk,
		cfg.FailoverTimeout, cfg.FailureRetry, cfg.ReconcileInterval, cfg.User, cfg.ClusterName, cfg.Hostname, cfg.Checkpoint, len(cfg.Warnings))
	if want := "m1:5050,m2:5050 4401 jobs batch 0.5 64 32 1m0s 500ms 1m0s nobody c h false 1\n"; got != want {
		t.Errorf("flags = %s, want %s", got, want)
	}
}

func TestPlaceInZooKeeper(t *testing.T) {
	for flags, want := range map[string]string{
		"--work_dir=/x":                                   "",
		"--zk=zk://u:p@h1,h2:1/jobs":                      "zk://h1:2181,h2:1/jobs u p",
		"--zk_hosts=h1:2181,h2:2181":                      "zk://h1:2181,h2:2181/chronos/state",
		"--zk_hosts=zk://h1/a --zk_auth=u:p":              "zk://h1:2181/a u p",
		"--zk_hosts=zk://h1/a --zk_path=/b --work_dir=/x": "zk://h1:2181/b",
	} {
		cfg, err := ParseFlags(append(strings.Fields(flags), "--master=m:1"), nil)
		if err != nil {
			t.Errorf("%s: %v", flags, err)
			continue
		}
		got := ""
		if cfg.ZK != nil {
			got = strings.TrimSpace(fmt.Sprint(cfg.ZK, " ", cfg.ZK.User, " ", cfg.ZK.Password))
		}
		if got != want {
			t.Errorf("%s = %q, want %q", flags, got, want)
		}
	}
}

func TestFlagsRefuse(t *testing.T) {
	for flags, text := range map[string]string{
		"--work_dir=/x":                                 "--master is missing",
		"--master=m:5050":                               "--work_dir is missing",
		"--master=zk://h --work_dir=/x":                 "no path",
		"--master=m:1 --zk=zk://h":                      "no path",
		"--master=m:1 --zk=zk://h/p --zk_hosts=h:2181":  "exclude each other",
		"--master=m:1 --zk_path=/p":                     "--zk_hosts is missing",
		"--master=m:1 --zk_hosts=h:0":                   "not host:port",
		"--master=m:1 --zk=zk://h/p --zk_timeout=5":     "--zk_timeout",
		"--master=m:1 --slack_url=http://x":             "notifications",
		"--master=m:1 --work_dir=/x --failure_retry":    "failure_retry",
		"--master=m:1 --work_dir=/x --mesos_task_cpu=0": "mesos_task_cpu",
		"--master=m:1 --nonsense=1":                     "nonsense",
	} {
		if _, err := ParseFlags(strings.Fields(flags), nil); err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("ParseFlags(%s) = %v, want one line with %q", flags, err, text)
		}
	}
}
