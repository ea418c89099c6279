// Package frameworktest is a small scripted master for tests of schedulers. It
// speaks the real scheduler API over an in-memory network, so that a test can
// run the real SDK inside testing/synctest, or over any listener, as it is an
// http.Handler. It decides nothing: the test says which events come, and reads
// which calls were made. Its methods may be called from any goroutine.
package frameworktest

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/internal/callevent"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// Address is where a scheduler under test believes the master to be.
const Address = "master.test:5050"

const (
	apiPath  = "/api/v1/scheduler"
	queue    = 1 << 16 // events and calls nobody reads are a mistake of the test
	patience = 10 * time.Second
)

// A Master accepts one framework and does what the test says.
type Master struct {
	// Interval is the time between heartbeats; 0: 15 s. Negative sends none.
	Interval time.Duration
	// Refuse answers SUBSCRIBE; nil accepts. Set it before a scheduler runs,
	// or through Script.
	Refuse func(*schedulerpb.Call) error

	t     testing.TB
	net   *network
	calls chan *schedulerpb.Call

	mu      sync.Mutex
	box     *callevent.Outbox // nil while nobody is subscribed
	stream  string            // id of the current subscription
	streams int
	id      *mesospb.FrameworkID
	offers  int
	updates uint64
	call    func(*schedulerpb.Call) error
}

// New starts a master that ends with the test.
func New(t testing.TB) *Master {
	m := &Master{t: t, calls: make(chan *schedulerpb.Call, queue), net: newNetwork()}
	srv := &http.Server{Handler: m}
	var served sync.WaitGroup
	served.Go(func() { _ = srv.Serve(m.net) })
	t.Cleanup(func() {
		m.net.client.CloseIdleConnections()
		_ = srv.Close()
		served.Wait()
	})
	return m
}

// Config is for a scheduler of a framework with the given name and role, which
// reaches this master. Change it as the test needs.
func (m *Master) Config(name, role string) scheduler.Config {
	return scheduler.Config{
		Master: Address,
		HTTP:   m.net.client,
		Framework: &mesospb.FrameworkInfo{
			User: proto.String("nobody"), Name: proto.String(name), Roles: []string{role},
			Capabilities: []*mesospb.FrameworkInfo_Capability{{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()}},
		},
	}
}

// HTTP is a client whose every connection leads to this master.
func (m *Master) HTTP() *http.Client { return m.net.client }

// ServeHTTP is the scheduler API.
func (m *Master) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := &schedulerpb.Call{}
	if r.URL.Path != apiPath {
		callevent.WriteError(w, &callevent.Error{Code: http.StatusNotFound})
		return
	}
	if err := callevent.ReadCall(w, r, call, callevent.ReadOptions{}); err != nil {
		callevent.WriteError(w, err)
		return
	}
	if call.GetType() == schedulerpb.Call_SUBSCRIBE {
		m.subscribe(w, r, call)
		return
	}
	if err := m.take(r, call); err != nil {
		callevent.WriteError(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// subscribe takes the framework in, in the place of an earlier stream.
func (m *Master) subscribe(w http.ResponseWriter, r *http.Request, call *schedulerpb.Call) {
	codec, err := callevent.Negotiate(r)
	if err == nil && m.Refuse != nil {
		err = m.Refuse(call)
	}
	if err != nil {
		callevent.WriteError(w, err)
		return
	}
	box := callevent.NewOutbox(queue)
	o := m.begin(box, call)
	m.record(call)
	_ = box.Serve(r.Context(), w, codec, o)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.box == box {
		m.box = nil
	}
}

func (m *Master) begin(box *callevent.Outbox, call *schedulerpb.Call) callevent.StreamOptions {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.box != nil {
		m.box.Close()
	}
	if m.id == nil {
		m.id = &mesospb.FrameworkID{Value: proto.String("test-master-0000")}
	}
	if id := call.GetFrameworkId(); id != nil {
		m.id = id
	}
	m.streams++
	m.box, m.stream = box, fmt.Sprintf("stream-%d", m.streams)
	interval := m.Interval
	if interval == 0 {
		interval = 15 * time.Second
	}
	box.Send(&schedulerpb.Event{
		Type: schedulerpb.Event_SUBSCRIBED.Enum(),
		Subscribed: &schedulerpb.Event_Subscribed{
			FrameworkId: m.id, HeartbeatIntervalSeconds: proto.Float64(max(interval, 0).Seconds()),
		},
	})
	heartbeat := &schedulerpb.Event{Type: schedulerpb.Event_HEARTBEAT.Enum()}
	return callevent.StreamOptions{StreamID: m.stream, Heartbeat: heartbeat, Interval: max(interval, 0)}
}

// take checks a call as a master does, and keeps it for the test.
func (m *Master) take(r *http.Request, call *schedulerpb.Call) error {
	m.mu.Lock()
	subscribed, stream, script := m.box != nil, m.stream, m.call
	m.mu.Unlock()
	switch {
	case !subscribed:
		return callevent.Errorf(http.StatusForbidden, "Framework is not subscribed")
	case r.Header.Get(callevent.StreamIDHeader) != stream:
		return callevent.Errorf(http.StatusBadRequest, "The stream ID '%s' included in this request didn't match the stream ID currently associated with framework ID %s",
			r.Header.Get(callevent.StreamIDHeader), call.GetFrameworkId().GetValue())
	}
	if script != nil {
		if err := script(call); err != nil {
			return err
		}
	}
	m.record(call)
	if call.GetType() == schedulerpb.Call_TEARDOWN {
		m.Disconnect()
	}
	return nil
}

func (m *Master) record(call *schedulerpb.Call) {
	select {
	case m.calls <- call:
	default:
		m.t.Errorf("frameworktest: %d calls that the test did not read", queue)
	}
}

// Script answers each later call but SUBSCRIBE with f's error; nil accepts it.
// To refuse with a status and a text, return a *scheduler.Error. f may send
// events. Calls that it refuses are not recorded.
func (m *Master) Script(f func(*schedulerpb.Call) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.call = f
}
