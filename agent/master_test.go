package agent

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/soukproject/souk/internal/callevent"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// fakeMaster is the other end of the link: it admits every agent and
// acknowledges every update at once.
type fakeMaster struct {
	t      *testing.T
	server *httptest.Server

	mu         sync.Mutex
	outbox     *callevent.Outbox // of the session, nil if there is none
	stream     string
	sent       uint64 // seq of the last event
	received   uint64 // seq of the last message
	subscribes []*linkpb.Subscribe
	updates    []*mesospb.TaskStatus // each once
	mute       bool                  // acknowledge nothing
}

func newFakeMaster(t *testing.T) *fakeMaster {
	m := &fakeMaster{t: t}
	m.server = httptest.NewServer(m)
	t.Cleanup(func() {
		m.hangUp()
		m.server.Close()
	})
	return m
}

func (m *fakeMaster) address() string { return strings.TrimPrefix(m.server.URL, "http://") }

func (m *fakeMaster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := &linkpb.Call{}
	if err := callevent.ReadCall(w, r, call, callevent.ReadOptions{}); err != nil {
		callevent.WriteError(w, err)
		return
	}
	if call.GetType() == linkpb.Call_SUBSCRIBE {
		m.subscribed(w, r, call.GetSubscribe())
		return
	}
	m.take(r.Header.Get(callevent.StreamIDHeader), call.GetMessages())
	w.WriteHeader(http.StatusAccepted)
}

func (m *fakeMaster) subscribed(w http.ResponseWriter, r *http.Request, s *linkpb.Subscribe) {
	m.mu.Lock()
	outbox := callevent.NewOutbox(1000)
	m.outbox, m.stream, m.sent, m.received = outbox, uuid.NewString(), 0, 0
	m.subscribes = append(m.subscribes, s)
	stream := m.stream
	m.send(&linkpb.Event{Type: linkpb.Event_REGISTERED.Enum(), Registered: &linkpb.Registered{
		AgentId: &mesospb.AgentID{Value: new("S0")}, PingTimeoutSeconds: new(15.0), MaxPingTimeouts: new(uint32(5)),
	}})
	m.mu.Unlock()
	_ = outbox.Serve(r.Context(), w, callevent.Protobuf, callevent.StreamOptions{StreamID: stream})
}

// send puts an event on the stream; the caller holds mu.
func (m *fakeMaster) send(e *linkpb.Event) {
	m.sent++
	e.Seq = new(m.sent)
	if m.outbox != nil {
		m.outbox.Send(e)
	}
}

func (m *fakeMaster) take(stream string, messages []*linkpb.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if stream != m.stream {
		return
	}
	for _, msg := range messages {
		if msg.GetSeq() <= m.received {
			continue
		}
		if msg.GetSeq() != m.received+1 {
			m.t.Errorf("message %d follows message %d", msg.GetSeq(), m.received)
		}
		m.received = msg.GetSeq()
		if u := msg.GetStatusUpdate(); u != nil {
			m.update(u)
		}
	}
}

func (m *fakeMaster) update(u *linkpb.StatusUpdate) {
	known := false
	for _, old := range m.updates {
		known = known || string(old.GetUuid()) == string(u.GetStatus().GetUuid())
	}
	if !known {
		m.updates = append(m.updates, u.GetStatus())
	}
	if !m.mute {
		m.send(&linkpb.Event{Type: linkpb.Event_ACKNOWLEDGE.Enum(), Acknowledge: &linkpb.Acknowledge{
			FrameworkId: u.GetFrameworkId(), TaskId: u.GetStatus().GetTaskId(), Uuid: u.GetStatus().GetUuid(),
		}})
	}
}

// hangUp ends the session.
func (m *fakeMaster) hangUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.outbox != nil {
		m.outbox.Close()
		m.outbox = nil
	}
}

func (m *fakeMaster) setMute(mute bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mute = mute
}

// run sends tasks of framework F0.
func (m *fakeMaster) run(tasks ...*mesospb.TaskInfo) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, task := range tasks {
		m.send(&linkpb.Event{Type: linkpb.Event_RUN_TASK.Enum(), RunTask: &linkpb.RunTask{Framework: framework(), Task: task}})
	}
}

func (m *fakeMaster) kill(task string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.send(&linkpb.Event{Type: linkpb.Event_KILL_TASK.Enum(), KillTask: &linkpb.KillTask{
		FrameworkId: framework().GetId(), TaskId: &mesospb.TaskID{Value: &task},
	}})
}

// states lists the states that were reported of a task, in order.
func (m *fakeMaster) states(task string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var states []string
	for _, u := range m.updates {
		if u.GetTaskId().GetValue() == task {
			states = append(states, strings.TrimPrefix(u.GetState().String(), "TASK_"))
		}
	}
	return strings.Join(states, " ")
}

// last is the newest update of a task.
func (m *fakeMaster) last(task string) *mesospb.TaskStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	var last *mesospb.TaskStatus
	for _, u := range m.updates {
		if u.GetTaskId().GetValue() == task {
			last = u
		}
	}
	return last
}

// sessions is how often an agent subscribed, and what it said last.
func (m *fakeMaster) sessions() (n int, last *linkpb.Subscribe) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n = len(m.subscribes); n > 0 {
		last = m.subscribes[n-1]
	}
	return n, last
}

func framework() *mesospb.FrameworkInfo {
	return &mesospb.FrameworkInfo{
		User: new("nobody"), Name: new("test"), Id: &mesospb.FrameworkID{Value: new("F0")},
		Capabilities: []*mesospb.FrameworkInfo_Capability{
			{Type: mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE.Enum()},
			{Type: mesospb.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
		},
	}
}

func command(id, text string) *mesospb.TaskInfo {
	scalar := func(name string, x float64) *mesospb.Resource {
		return &mesospb.Resource{
			Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &x},
			AllocationInfo: &mesospb.Resource_AllocationInfo{Role: new("web")},
		}
	}
	return &mesospb.TaskInfo{
		Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: new("S0")},
		Resources: []*mesospb.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
		Command:   &mesospb.CommandInfo{Value: &text},
	}
}
