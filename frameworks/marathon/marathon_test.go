package marathon_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/soukproject/souk/framework/frameworktest"
	"github.com/soukproject/souk/frameworks/marathon"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/memstate"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A process is a scheduler that runs for a part of a test.
type process struct {
	t    *testing.T
	url  string
	stop context.CancelFunc
	done chan error
}

// run starts a scheduler on a store, subscribed to a scripted master.
func run(t *testing.T, m *frameworktest.Master, store state.Store) *process {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := marathon.DefaultConfig()
	cfg.Master, cfg.HTTP, cfg.Store, cfg.Listener, cfg.Hostname = frameworktest.Address, m.HTTP(), store, ln, "scheduler.test"
	ctx, cancel := context.WithCancel(t.Context())
	p := &process{t: t, url: "http://" + ln.Addr().String(), stop: cancel, done: make(chan error, 1)}
	go func() {
		defer ln.Close()
		p.done <- marathon.Run(ctx, cfg)
	}()
	t.Cleanup(func() { p.end() })
	return p
}

// end stops the process and waits for it.
func (p *process) end() error {
	p.stop()
	err, running := <-p.done
	if running {
		close(p.done)
	}
	return err
}

func (p *process) request(method, path, body string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// post creates an app.
func (p *process) post(app string) {
	p.t.Helper()
	if status, body := p.request("POST", "/v2/apps", app); status != 201 {
		p.t.Fatalf("POST /v2/apps = %d %s, want 201", status, body)
	}
}

// states are those of all tasks by id.
func (p *process) states() map[string]string {
	p.t.Helper()
	_, body := p.request("GET", "/v2/tasks", "")
	var got struct {
		Tasks []struct{ ID, State string }
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		p.t.Fatal(err)
	}
	out := map[string]string{}
	for _, x := range got.Tasks {
		out[x.ID] = x.State
	}
	return out
}

// launch offers resources until a task is launched on them.
func launch(m *frameworktest.Master) *mesospb.TaskInfo {
	m.Expect(schedulerpb.Call_REVIVE)
	return accepted(m)
}

// accepted offers resources and wants a task launched on them.
func accepted(m *frameworktest.Master) *mesospb.TaskInfo {
	m.Offer("a1", "*", frameworktest.Scalar("cpus", 4), frameworktest.Scalar("mem", 1024), frameworktest.Ports(31000, 31009))
	return m.Expect(schedulerpb.Call_ACCEPT).GetAccept().GetOperations()[0].GetLaunch().GetTaskInfos()[0]
}

func TestAppRuns(t *testing.T) {
	m := frameworktest.New(t)
	p := run(t, m, memstate.New())
	info := m.Expect(schedulerpb.Call_SUBSCRIBE).GetSubscribe().GetFrameworkInfo()
	if got := fmt.Sprint(info.GetName(), " ", info.GetRoles(), info.GetCheckpoint(), info.GetFailoverTimeout()); got != "marathon [*] true 604800" {
		t.Errorf("framework = %s", got)
	}
	m.Expect(schedulerpb.Call_SUPPRESS)
	p.post(`{"id":"/dev/web","cmd":"serve $PORT0","cpus":0.5,"mem":64,"env":{"A":"1"}}`)
	task := launch(m)
	env := map[string]string{}
	for _, v := range task.GetCommand().GetEnvironment().GetVariables() {
		env[v.GetName()] = v.GetValue()
	}
	if env["A"] != "1" || env["MARATHON_APP_ID"] != "/dev/web" || env["MESOS_TASK_ID"] != task.GetTaskId().GetValue() || env["PORT0"] == "" {
		t.Errorf("environment = %v", env)
	}
	m.Update(task, mesospb.TaskState_TASK_RUNNING)
	m.Expect(schedulerpb.Call_ACKNOWLEDGE)
	if got := p.states(); got[task.GetTaskId().GetValue()] != "TASK_RUNNING" {
		t.Errorf("tasks = %v, want one running", got)
	}
	if status, body := p.request("GET", "/v2/deployments", ""); status != 200 || body != "[]" {
		t.Errorf("deployments = %d %s, want none", status, body)
	}
	if err := p.end(); err != nil {
		t.Errorf("Run = %v after its context ended, want nil", err)
	}
}

// TestRestartFindsItsTasks: another process on the same store is the same
// framework, knows the same instance and asks the master about it.
func TestRestartFindsItsTasks(t *testing.T) {
	m, store := frameworktest.New(t), memstate.New()
	p := run(t, m, store)
	m.Expect(schedulerpb.Call_SUBSCRIBE)
	p.post(`{"id":"/web","cmd":"sleep 1"}`)
	task := launch(m)
	if err := p.end(); err != nil {
		t.Fatalf("Run = %v", err)
	}
	again := run(t, m, store)
	if got := m.Expect(schedulerpb.Call_SUBSCRIBE).GetSubscribe().GetFrameworkInfo().GetId().GetValue(); got == "" {
		t.Error("the second process subscribes as a new framework")
	}
	asked := m.Expect(schedulerpb.Call_RECONCILE).GetReconcile().GetTasks()
	if len(asked) != 1 || asked[0].GetTaskId().GetValue() != task.GetTaskId().GetValue() || asked[0].GetAgentId().GetValue() != "a1" {
		t.Errorf("asked about %v, want %v", asked, task.GetTaskId())
	}
	m.Status(&mesospb.TaskStatus{TaskId: task.GetTaskId(), AgentId: task.GetAgentId(), State: mesospb.TaskState_TASK_RUNNING.Enum(), Reason: mesospb.TaskStatus_REASON_RECONCILIATION.Enum()})
	m.Offer("a1", "*", frameworktest.Scalar("cpus", 4), frameworktest.Scalar("mem", 1024), frameworktest.Ports(31000, 31009))
	m.Expect(schedulerpb.Call_DECLINE)
	if got := again.states(); len(got) != 1 || got[task.GetTaskId().GetValue()] != "TASK_RUNNING" {
		t.Errorf("tasks = %v, want the one that was launched", got)
	}
}

// broken is a store that begins to fail.
type broken struct {
	state.Store
	fails atomic.Bool
}

func (b *broken) Apply(ctx context.Context, ops ...state.Op) ([]state.Entry, error) {
	if b.fails.Load() {
		return nil, errors.New("disk full")
	}
	return b.Store.Apply(ctx, ops...)
}

// TestFailedWriteEndsTheProcess: nothing must be said that was not stored.
func TestFailedWriteEndsTheProcess(t *testing.T) {
	m, store := frameworktest.New(t), &broken{Store: memstate.New()}
	p := run(t, m, store)
	m.Expect(schedulerpb.Call_SUBSCRIBE)
	m.Expect(schedulerpb.Call_SUPPRESS)
	store.fails.Store(true)
	if status, body := p.request("POST", "/v2/apps", `{"id":"/web","cmd":"x"}`); status == 201 {
		t.Errorf("POST = %d %s, though nothing was stored", status, body)
	}
	if err := <-p.done; err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("Run = %v, want disk full", err)
	}
	close(p.done)
	m.Quiet()
}

func TestUnreadableStoreIsRefused(t *testing.T) {
	store := memstate.New()
	if _, err := store.Apply(t.Context(), state.Op{Entry: state.Entry{Name: "marathon/app/web/x", Value: []byte("{")}}); err != nil {
		t.Fatal(err)
	}
	p := run(t, frameworktest.New(t), store)
	if err := <-p.done; err == nil || !strings.Contains(err.Error(), "load record marathon/app/web/x") {
		t.Errorf("Run = %v, want the record named", err)
	}
	close(p.done)
}

// TestRemovedFrameworkStartsAnew: a framework that an operator tore down ends
// and says why; the next process is a new framework, and runs the apps again.
func TestRemovedFrameworkStartsAnew(t *testing.T) {
	m, store := frameworktest.New(t), memstate.New()
	p := run(t, m, store)
	m.Expect(schedulerpb.Call_SUBSCRIBE)
	p.post(`{"id":"/web","cmd":"sleep 1"}`)
	old := launch(m)
	m.Update(old, mesospb.TaskState_TASK_RUNNING)
	m.Expect(schedulerpb.Call_ACKNOWLEDGE)
	m.Error("Framework has been removed")
	if err := <-p.done; err == nil || !strings.Contains(err.Error(), "Framework has been removed by the master") {
		t.Errorf("Run = %v, want it to say that the framework has been removed", err)
	}
	close(p.done)

	next := run(t, m, store)
	if id := m.Expect(schedulerpb.Call_SUBSCRIBE).GetFrameworkId(); id != nil {
		t.Errorf("SUBSCRIBE with id %v, want none", id)
	}
	m.Expect(schedulerpb.Call_RECONCILE)
	if got := accepted(m).GetTaskId().GetValue(); got == old.GetTaskId().GetValue() {
		t.Errorf("task %s is launched again, want another", got)
	}
	if got := next.states(); len(got) != 1 {
		t.Errorf("tasks = %v, want the new one alone", got)
	}
}
