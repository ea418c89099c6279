package executor

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/callevent"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// agent is the other end of the executor API.
type agent struct {
	t      *testing.T
	server *httptest.Server
	calls  chan *executorpb.Call
	refuse int // status of all answers, if not 0

	mu     sync.Mutex
	outbox *callevent.Outbox
}

func newAgent(t *testing.T) *agent {
	a := &agent{t: t, calls: make(chan *executorpb.Call, 100)}
	a.server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.hangUp()
		a.server.Close()
	})
	return a
}

func (a *agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := &executorpb.Call{}
	err := callevent.ReadCall(w, r, call, callevent.ReadOptions{})
	if err == nil && a.refuse != 0 {
		err = callevent.Errorf(a.refuse, "not now")
	}
	if err != nil {
		callevent.WriteError(w, err)
		return
	}
	a.calls <- call
	if call.GetType() != executorpb.Call_SUBSCRIBE {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	outbox := callevent.NewOutbox(100)
	a.mu.Lock()
	a.outbox = outbox
	a.mu.Unlock()
	codec, _ := callevent.Negotiate(r)
	outbox.Send(&executorpb.Event{Type: executorpb.Event_SUBSCRIBED.Enum(), Subscribed: &executorpb.Event_Subscribed{
		ExecutorInfo:  &mesospb.ExecutorInfo{ExecutorId: &mesospb.ExecutorID{Value: new("e1")}},
		FrameworkInfo: &mesospb.FrameworkInfo{User: new("u"), Name: new("n")},
		AgentInfo:     &mesospb.AgentInfo{Hostname: new("h")},
	}})
	_ = outbox.Serve(r.Context(), w, codec, callevent.StreamOptions{})
}

func (a *agent) send(e *executorpb.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.outbox.Send(e)
}

func (a *agent) hangUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.outbox != nil {
		a.outbox.Close()
	}
}

// expect is the next call, which must be of a type.
func (a *agent) expect(kind executorpb.Call_Type) *executorpb.Call {
	a.t.Helper()
	select {
	case c := <-a.calls:
		if c.GetType() != kind {
			a.t.Fatalf("call = %v, want %v", c, kind)
		}
		return c
	case <-time.After(20 * time.Second):
		a.t.Fatalf("no call came, want %v", kind)
		return nil
	}
}

func (a *agent) launch(id string) {
	a.send(&executorpb.Event{Type: executorpb.Event_LAUNCH.Enum(), Launch: &executorpb.Event_Launch{Task: &mesospb.TaskInfo{
		Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: new("S0")},
	}}})
}

func (a *agent) acknowledge(s *mesospb.TaskStatus) {
	a.send(&executorpb.Event{Type: executorpb.Event_ACKNOWLEDGED.Enum(), Acknowledged: &executorpb.Event_Acknowledged{
		TaskId: s.GetTaskId(), Uuid: s.GetUuid(),
	}})
}

func (a *agent) config() Config {
	return Config{
		Agent: strings.TrimPrefix(a.server.URL, "http://"), Framework: "f1", Executor: "e1",
		Checkpoint: true, Recovery: time.Minute, Backoff: 10 * time.Millisecond, Grace: time.Second,
	}
}

// tasks says RUNNING of each task, and KILLED when it is to end.
type tasks struct{ fail error }

func (x *tasks) Launch(_ context.Context, s *Session, t *mesospb.TaskInfo) error {
	s.Update(&mesospb.TaskStatus{TaskId: t.GetTaskId(), State: mesospb.TaskState_TASK_RUNNING.Enum()})
	return x.fail
}

func (x *tasks) Kill(_ context.Context, s *Session, id *mesospb.TaskID, _ *mesospb.KillPolicy) error {
	s.Update(&mesospb.TaskStatus{TaskId: id, State: mesospb.TaskState_TASK_KILLED.Enum()})
	return nil
}

func (x *tasks) Message(ctx context.Context, s *Session, data []byte) error {
	return s.Message(ctx, data)
}

func run(t *testing.T, cfg Config, x Executor) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), cfg, x) }()
	return ended
}

func end(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("Run does not end")
		return nil
	}
}

func TestRun(t *testing.T) {
	for name, json := range map[string]bool{"protobuf": false, "json": true} {
		t.Run(name, func(t *testing.T) {
			a := newAgent(t)
			cfg := a.config()
			cfg.JSON = json
			ended := run(t, cfg, &tasks{})
			first := a.expect(executorpb.Call_SUBSCRIBE)
			if first.GetExecutorId().GetValue() != "e1" || first.GetFrameworkId().GetValue() != "f1" || len(first.GetSubscribe().GetUnacknowledgedTasks()) != 0 {
				t.Errorf("SUBSCRIBE = %v, want e1 of f1 with nothing", first)
			}
			a.launch("t1")
			running := a.expect(executorpb.Call_UPDATE).GetUpdate().GetStatus()
			if running.GetState() != mesospb.TaskState_TASK_RUNNING || len(running.GetUuid()) != 16 ||
				running.GetSource() != mesospb.TaskStatus_SOURCE_EXECUTOR || running.GetTimestamp() == 0 {
				t.Errorf("update = %v, want RUNNING in full", running)
			}
			a.send(&executorpb.Event{Type: executorpb.Event_MESSAGE.Enum(), Message: &executorpb.Event_Message{Data: []byte("hi")}})
			if got := a.expect(executorpb.Call_MESSAGE).GetMessage().GetData(); string(got) != "hi" {
				t.Errorf("message = %q, want the echo of hi", got)
			}
			a.acknowledge(running)
			a.send(&executorpb.Event{Type: executorpb.Event_KILL.Enum(), Kill: &executorpb.Event_Kill{TaskId: running.GetTaskId()}})
			killed := a.expect(executorpb.Call_UPDATE).GetUpdate().GetStatus()
			a.send(&executorpb.Event{Type: executorpb.Event_SHUTDOWN.Enum()})
			select {
			case err := <-ended:
				t.Fatalf("Run = %v before its last update is stored", err)
			case <-time.After(50 * time.Millisecond):
			}
			a.acknowledge(killed)
			if err := end(t, ended); err != nil {
				t.Errorf("Run = %v, want nil after SHUTDOWN", err)
			}
		})
	}
}

// What the agent has not stored comes again after it was away.
func TestReconnect(t *testing.T) {
	a := newAgent(t)
	run(t, a.config(), &tasks{})
	a.expect(executorpb.Call_SUBSCRIBE)
	a.launch("t1")
	stored := a.expect(executorpb.Call_UPDATE).GetUpdate().GetStatus()
	a.acknowledge(stored)
	a.launch("t2")
	lost := a.expect(executorpb.Call_UPDATE).GetUpdate().GetStatus()
	a.hangUp()
	again := a.expect(executorpb.Call_SUBSCRIBE).GetSubscribe()
	if n := len(again.GetUnacknowledgedTasks()); n != 1 || again.GetUnacknowledgedTasks()[0].GetTaskId().GetValue() != "t2" {
		t.Errorf("unacknowledged tasks = %v, want t2", again.GetUnacknowledgedTasks())
	}
	if n := len(again.GetUnacknowledgedUpdates()); n != 1 || !slices.Equal(again.GetUnacknowledgedUpdates()[0].GetStatus().GetUuid(), lost.GetUuid()) {
		t.Errorf("unacknowledged updates = %v, want that of t2", again.GetUnacknowledgedUpdates())
	}
	a.acknowledge(lost)
	a.launch("t3") // the next update is its, not one of before
	if got := a.expect(executorpb.Call_UPDATE).GetUpdate().GetStatus().GetTaskId().GetValue(); got != "t3" {
		t.Errorf("update of %s, want t3", got)
	}
}

func TestRunEnds(t *testing.T) {
	t.Run("without checkpoints, with its agent", func(t *testing.T) {
		a := newAgent(t)
		cfg := a.config()
		cfg.Checkpoint = false
		ended := run(t, cfg, &tasks{})
		a.expect(executorpb.Call_SUBSCRIBE)
		a.hangUp()
		if err := end(t, ended); !errors.Is(err, errClosed) {
			t.Errorf("Run = %v, want that the connection is gone", err)
		}
	})
	t.Run("when the agent stays away", func(t *testing.T) {
		a := newAgent(t)
		a.refuse = http.StatusServiceUnavailable
		cfg := a.config()
		cfg.Recovery = 50 * time.Millisecond
		if err := end(t, run(t, cfg, &tasks{})); err == nil || !strings.Contains(err.Error(), "no agent for 50ms") {
			t.Errorf("Run = %v, want that there was no agent", err)
		}
	})
	t.Run("when it is refused", func(t *testing.T) {
		a := newAgent(t)
		a.refuse = http.StatusBadRequest
		var refused *Error
		if err := end(t, run(t, a.config(), &tasks{})); !errors.As(err, &refused) || refused.Code != 400 {
			t.Errorf("Run = %v, want the refusal", err)
		}
	})
	t.Run("when a method fails", func(t *testing.T) {
		a := newAgent(t)
		fail := errors.New("no room")
		ended := run(t, a.config(), &tasks{fail: fail})
		a.expect(executorpb.Call_SUBSCRIBE)
		a.launch("t1")
		if err := end(t, ended); !errors.Is(err, fail) {
			t.Errorf("Run = %v, want %v", err, fail)
		}
	})
	t.Run("on an ERROR", func(t *testing.T) {
		a := newAgent(t)
		ended := run(t, a.config(), &tasks{})
		a.expect(executorpb.Call_SUBSCRIBE)
		a.send(&executorpb.Event{Type: executorpb.Event_ERROR.Enum(), Error: &executorpb.Event_Error{Message: new("go away")}})
		if err := end(t, ended); err == nil || !strings.Contains(err.Error(), "go away") {
			t.Errorf("Run = %v, want the agent's words", err)
		}
	})
}

func TestFromEnvironment(t *testing.T) {
	env := map[string]string{
		"MESOS_AGENT_ENDPOINT": "10.0.0.1:5051", "MESOS_FRAMEWORK_ID": "f", "MESOS_EXECUTOR_ID": "e", "MESOS_CHECKPOINT": "1",
		"MESOS_RECOVERY_TIMEOUT": "10mins", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2.5secs", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "500ms",
		"MESOS_EXECUTOR_AUTHENTICATION_TOKEN": "token",
	}
	lookup := func(name string) (string, bool) { text, ok := env[name]; return text, ok }
	got, err := FromEnvironment(lookup)
	want := Config{
		Agent: "10.0.0.1:5051", Framework: "f", Executor: "e", Checkpoint: true,
		Recovery: 10 * time.Minute, Backoff: 2500 * time.Millisecond, Grace: 500 * time.Millisecond, Token: "token",
	}
	if err != nil || got != want {
		t.Errorf("FromEnvironment = %+v, %v, want %+v", got, err, want)
	}
	for name, text := range map[string]string{"MESOS_RECOVERY_TIMEOUT": "soon", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "-1secs", "MESOS_EXECUTOR_ID": ""} {
		before := env[name]
		env[name] = text
		if _, err := FromEnvironment(lookup); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("FromEnvironment with %s=%q = %v, want an error that names it", name, text, err)
		}
		env[name] = before
	}
}
