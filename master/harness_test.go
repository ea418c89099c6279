package master_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/master"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// patience is how long a test waits for something that should happen soon.
const patience = 20 * time.Second

// start runs a master on a port of its own for the length of a test and returns
// its address once it leads.
func start(t *testing.T, change ...func(*master.Config)) string {
	t.Helper()
	p := launch(t, change...)
	awaitLeader(t, p.address)
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
	return p.address
}

// A process is a master that runs beside the test.
type process struct {
	address string
	cancel  context.CancelFunc
	ln      net.Listener
	result  chan error
}

func launch(t *testing.T, change ...func(*master.Config)) *process {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := master.DefaultConfig()
	cfg.Listener, cfg.Store, cfg.HostnameLookup = ln, memstate.New(), false
	cfg.Cluster = "golden"
	cfg.Log = zaptest.NewLogger(t, zaptest.Level(cfg.Level))
	for _, c := range change {
		c(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{address: ln.Addr().String(), cancel: cancel, ln: ln, result: make(chan error, 1)}
	go func() { p.result <- master.Run(ctx, cfg) }()
	return p
}

// stop ends a master and returns what Run did.
func (p *process) stop() error {
	p.cancel()
	return p.wait()
}

// wait returns what Run did when it ended by itself.
func (p *process) wait() error {
	defer p.cancel()
	defer p.ln.Close()
	return <-p.result
}

func awaitLeader(t *testing.T, address string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		code, body := get(t, "http://"+address+"/state")
		if code == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("master does not lead: %d %s", code, body)
		}
		time.Sleep(5 * time.Millisecond) // a real process comes up
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func post(t *testing.T, url, contentType, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// A scheduler is a framework's side of the scheduler API.
type scheduler struct {
	t      *testing.T
	client *callevent.Client[*schedulerpb.Call, *schedulerpb.Event]
	events chan *schedulerpb.Event
	id     *mesospb.FrameworkID
	master *mesospb.MasterInfo
	stream string
	close  func()
}

func subscribe(t *testing.T, address string, info *mesospb.FrameworkInfo) *scheduler {
	t.Helper()
	return subscribeWith(t, address, &schedulerpb.Call_Subscribe{FrameworkInfo: info})
}

func subscribeWith(t *testing.T, address string, call *schedulerpb.Call_Subscribe) *scheduler {
	t.Helper()
	s := &scheduler{t: t, events: make(chan *schedulerpb.Event, 1000)}
	s.client = callevent.NewClient[*schedulerpb.Call](callevent.ClientConfig[*schedulerpb.Event]{
		URL: "http://" + address + "/api/v1/scheduler",
		New: func() *schedulerpb.Event { return &schedulerpb.Event{} },
	})
	stream, err := s.client.Subscribe(t.Context(), &schedulerpb.Call{
		Type: schedulerpb.Call_SUBSCRIBE.Enum(), FrameworkId: call.GetFrameworkInfo().GetId(), Subscribe: call,
	})
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	s.close, s.stream = stream.Close, stream.ID()
	t.Cleanup(stream.Close)
	go func() {
		defer close(s.events)
		for {
			e, err := stream.Next()
			if err != nil {
				return
			}
			s.events <- e
		}
	}()
	subscribed := s.await(schedulerpb.Event_SUBSCRIBED).GetSubscribed()
	s.id, s.master = subscribed.GetFrameworkId(), subscribed.GetMasterInfo()
	return s
}

// await returns the next event of a type; heartbeats in between are skipped.
func (s *scheduler) await(want schedulerpb.Event_Type) *schedulerpb.Event {
	s.t.Helper()
	for {
		select {
		case e, ok := <-s.events:
			switch {
			case !ok:
				s.t.Fatalf("stream ended, want %v", want)
			case e.GetType() == want:
				return e
			case e.GetType() != schedulerpb.Event_HEARTBEAT:
				s.t.Fatalf("event = %v, want %v", e, want)
			}
		case <-time.After(patience):
			s.t.Fatalf("no %v came", want)
		}
	}
}

func (s *scheduler) call(call *schedulerpb.Call) error {
	s.t.Helper()
	call.FrameworkId = s.id
	return s.client.Send(s.t.Context(), call)
}

// An agent is an agent's side of the link.
type agent struct {
	t      *testing.T
	client *callevent.Client[*linkpb.Call, *linkpb.Event]
	events chan *linkpb.Event
	id     *mesospb.AgentID
	sent   uint64
	close  func()
}

func register(t *testing.T, address string, info *mesospb.AgentInfo) *agent {
	t.Helper()
	a := &agent{t: t, events: make(chan *linkpb.Event, 1000)}
	a.client = callevent.NewClient[*linkpb.Call](callevent.ClientConfig[*linkpb.Event]{
		URL: "http://" + address + "/api/v1/link", Codec: callevent.Protobuf,
		New: func() *linkpb.Event { return &linkpb.Event{} },
	})
	stream, err := a.client.Subscribe(t.Context(), &linkpb.Call{
		Type: linkpb.Call_SUBSCRIBE.Enum(),
		Subscribe: &linkpb.Subscribe{
			Agent: info, Total: info.GetResources(), Version: new("1.11.0"), Boot: new("boot"),
			Capabilities: agentCapabilities(),
		},
	})
	if err != nil {
		t.Fatalf("register: %v", err)
	}
	a.close = stream.Close
	t.Cleanup(stream.Close)
	go func() {
		defer close(a.events)
		for {
			e, err := stream.Next()
			if err != nil {
				return
			}
			a.events <- e
		}
	}()
	a.id = a.await(linkpb.Event_REGISTERED).GetRegistered().GetAgentId()
	return a
}

func agentCapabilities() (all []*mesospb.AgentInfo_Capability) {
	for _, c := range []mesospb.AgentInfo_Capability_Type{
		mesospb.AgentInfo_Capability_MULTI_ROLE, mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE,
		mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT,
	} {
		all = append(all, &mesospb.AgentInfo_Capability{Type: c.Enum()})
	}
	return all
}

// await returns the next event of a type; pings in between are answered.
func (a *agent) await(want linkpb.Event_Type) *linkpb.Event {
	a.t.Helper()
	for {
		select {
		case e, ok := <-a.events:
			switch {
			case !ok:
				a.t.Fatalf("link ended, want %v", want)
			case e.GetType() == want:
				return e
			case e.GetType() == linkpb.Event_PING:
				a.send(&linkpb.Message{Type: linkpb.Message_PONG.Enum()})
			default:
				a.t.Fatalf("event = %v, want %v", e, want)
			}
		case <-time.After(patience):
			a.t.Fatalf("no %v came", want)
		}
	}
}

func (a *agent) send(messages ...*linkpb.Message) {
	a.t.Helper()
	for _, m := range messages {
		a.sent++
		m.Seq = new(a.sent)
	}
	if err := a.client.Send(a.t.Context(), &linkpb.Call{Type: linkpb.Call_MESSAGES.Enum(), Messages: messages}); err != nil {
		a.t.Fatalf("send messages: %v", err)
	}
}

func agentInfo(t *testing.T, hostname string, port int32) *mesospb.AgentInfo {
	t.Helper()
	r, err := resources.Parse("cpus:8;mem:8192;disk:10000;ports:[31000-32000]", "*")
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := resources.ParseAttributes("rack:r1;ssd:true;level:3")
	if err != nil {
		t.Fatal(err)
	}
	return &mesospb.AgentInfo{Hostname: &hostname, Port: &port, Resources: r.Proto(resources.PostRefinement), Attributes: attributes}
}

func frameworkInfo(name string) *mesospb.FrameworkInfo {
	info := &mesospb.FrameworkInfo{User: new("root"), Name: &name, Roles: []string{"dev"}, FailoverTimeout: new(3600.0)}
	for _, c := range []mesospb.FrameworkInfo_Capability_Type{
		mesospb.FrameworkInfo_Capability_MULTI_ROLE, mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT,
		mesospb.FrameworkInfo_Capability_PARTITION_AWARE,
	} {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: c.Enum()})
	}
	return info
}

// refusal is the answer in err, which must be one.
func refusal(t *testing.T, err error) *callevent.Error {
	t.Helper()
	var e *callevent.Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v, want an HTTP answer", err)
	}
	return e
}
