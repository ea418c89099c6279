package link

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/static"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come to be", what)
		}
	}
}

// peer notes what it is told.
type peer struct {
	mu           sync.Mutex
	session      *Session
	subscribed   int
	received     []*linkpb.Event
	disconnected []error
	refuse       bool
}

func (p *peer) Subscribing(s *Session) *linkpb.Subscribe {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.subscribed++
	if p.refuse {
		return nil
	}
	p.session = s
	return &linkpb.Subscribe{Agent: &mesospb.AgentInfo{Hostname: new("h")}, Boot: new("b")}
}

func (p *peer) Received(_ *Session, e *linkpb.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.received = append(p.received, e)
}

func (p *peer) Disconnected(_ *Session, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disconnected = append(p.disconnected, why)
}

func (p *peer) events() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.received)
}

func (p *peer) ends() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.disconnected)
}

func (p *peer) current() *Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session
}

// server is a master that notes what it is sent.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	outbox  *callevent.Outbox
	calls   [][]uint64 // seqs, by call
	refuse  int        // answer of the next calls; 0: take them
	fail    int        // so many calls are cut off
	gate    chan struct{}
	headers []string
}

func newServer(t *testing.T) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		s.endSession()
		s.Close()
	})
	return s
}

func (s *server) address() string { return strings.TrimPrefix(s.URL, "http://") }

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	call := &linkpb.Call{}
	if err := callevent.ReadCall(w, r, call, callevent.ReadOptions{}); err != nil {
		callevent.WriteError(w, err)
		return
	}
	if call.GetType() == linkpb.Call_SUBSCRIBE {
		s.subscribe(w, r)
		return
	}
	s.mu.Lock()
	gate, refuse := s.gate, s.refuse
	cut := s.fail > 0
	if cut {
		s.fail--
	}
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if cut {
		panic(http.ErrAbortHandler)
	}
	if refuse != 0 {
		callevent.WriteError(w, callevent.Errorf(refuse, ""))
		return
	}
	var seqs []uint64
	for _, m := range call.GetMessages() {
		seqs = append(seqs, m.GetSeq())
	}
	s.mu.Lock()
	s.calls = append(s.calls, seqs)
	s.headers = append(s.headers, r.Header.Get(callevent.StreamIDHeader))
	s.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

func (s *server) subscribe(w http.ResponseWriter, r *http.Request) {
	outbox := callevent.NewOutbox(100)
	outbox.Send(&linkpb.Event{Type: linkpb.Event_PING.Enum(), Seq: new(uint64(1))})
	s.mu.Lock()
	s.outbox = outbox
	s.mu.Unlock()
	_ = outbox.Serve(r.Context(), w, callevent.Protobuf, callevent.StreamOptions{StreamID: "stream"})
}

func (s *server) endSession() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outbox != nil {
		s.outbox.Close()
	}
}

func (s *server) taken() [][]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func run(t *testing.T, d leader.Detector, p Peer) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, Config{Detector: d, Backoff: time.Millisecond}, p) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v, want that it was canceled", err)
		}
	})
}

func at(s *server) leader.Detector {
	return static.New(leader.Leader{ID: "m", Address: s.address()})
}

func pong(seq uint64) *linkpb.Message {
	return &linkpb.Message{Seq: &seq, Type: linkpb.Message_PONG.Enum()}
}

func TestMessagesGoTogetherWhileOneCallIsUnderWay(t *testing.T) {
	s, p := newServer(t), &peer{}
	s.gate = make(chan struct{})
	run(t, at(s), p)
	eventually(t, "subscription", func() bool { return p.events() == 1 })
	session := p.current()
	session.Send(pong(1))
	time.Sleep(50 * time.Millisecond) // the first call is under way
	for i := range 100 {
		session.Send(pong(uint64(i + 2)))
	}
	close(s.gate)
	eventually(t, "all messages", func() bool {
		n := 0
		for _, c := range s.taken() {
			n += len(c)
		}
		return n == 101
	})
	calls := s.taken()
	if len(calls) != 2 || len(calls[0]) != 1 || !slices.IsSorted(calls[1]) {
		t.Errorf("%d calls, the first with %d messages; want 2, one message and the others in order", len(calls), len(calls[0]))
	}
	if s.headers[0] != "stream" {
		t.Errorf("stream id = %q, want that of the subscription", s.headers[0])
	}
}

func TestACallIsRepeatedWhenTheConnectionFails(t *testing.T) {
	s, p := newServer(t), &peer{}
	s.fail = 2
	run(t, at(s), p)
	eventually(t, "subscription", func() bool { return p.events() == 1 })
	p.current().Send(pong(1))
	eventually(t, "the message", func() bool { return len(s.taken()) == 1 })
	if ends := p.ends(); len(ends) != 0 {
		t.Errorf("session ended: %v", ends)
	}
}

func TestARefusedCallEndsTheSession(t *testing.T) {
	s, p := newServer(t), &peer{}
	s.refuse = http.StatusForbidden
	run(t, at(s), p)
	eventually(t, "subscription", func() bool { return p.events() == 1 })
	p.current().Send(pong(1))
	eventually(t, "reconnection", func() bool { return p.events() >= 2 })
	var refused *callevent.Error
	if ends := p.ends(); !errors.As(ends[0], &refused) || refused.Code != http.StatusForbidden {
		t.Errorf("ends = %v, want the refusal", ends)
	}
}

// The reason that a master gives is what the peer and the log hear, not only
// that the stream is over.
func TestTheMastersReasonIsTold(t *testing.T) {
	s, p := newServer(t), &peer{}
	run(t, at(s), p)
	eventually(t, "subscription", func() bool { return p.events() == 1 })
	s.mu.Lock()
	s.outbox.Send(&linkpb.Event{Type: linkpb.Event_SHUTDOWN.Enum(), Shutdown: &linkpb.Shutdown{Message: new("agent S0 was removed")}})
	s.mu.Unlock()
	s.endSession()
	eventually(t, "end", func() bool { return len(p.ends()) > 0 })
	if why := p.ends()[0]; !strings.Contains(why.Error(), "agent S0 was removed") {
		t.Errorf("session ended: %v, want the master's reason", why)
	}
}

// A master that asks for credentials lets in who has one.
func TestTheCredentialIsSent(t *testing.T) {
	known := auth.Credential{Principal: "agent", Secret: "hush"}
	gate := auth.Gate{Known: auth.NewCredentials(known), Realms: []string{"agents"}}
	s := &server{}
	s.Server = httptest.NewServer(gate.Wrap("agents", s.serve))
	t.Cleanup(func() {
		s.endSession()
		s.Close()
	})
	with := func(c auth.Credential) *peer {
		p := &peer{}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = Run(ctx, Config{Detector: at(s), Header: c.Header(), Backoff: time.Millisecond}, p)
		}()
		t.Cleanup(func() { cancel(); <-ended })
		return p
	}
	stranger := with(auth.Credential{})
	eventually(t, "refusal", func() bool { return len(stranger.ends()) > 0 })
	if why := stranger.ends()[0]; !strings.Contains(why.Error(), "401") {
		t.Errorf("session without a credential ended: %v, want 401", why)
	}
	friend := with(known)
	eventually(t, "subscription", func() bool { return friend.events() == 1 })
	friend.current().Send(&linkpb.Message{})
	eventually(t, "call", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.calls) == 1 })
}

func TestItConnectsAnew(t *testing.T) {
	s, p := newServer(t), &peer{}
	run(t, at(s), p)
	eventually(t, "subscription", func() bool { return p.events() == 1 })
	s.endSession()
	eventually(t, "second session", func() bool { return p.events() == 2 })
	why := errors.New("had enough")
	p.current().Close(why)
	eventually(t, "third session", func() bool { return p.events() == 3 })
	if ends := p.ends(); len(ends) != 2 || !errors.Is(ends[1], why) {
		t.Errorf("ends = %v, want two, the second because we closed it", ends)
	}
}

func TestItFollowsTheLeader(t *testing.T) {
	first, second, p := newServer(t), newServer(t), &peer{}
	d := &moving{now: leader.Leader{ID: "1", Address: first.address()}, changed: make(chan struct{})}
	run(t, d, p)
	eventually(t, "subscription", func() bool { return p.events() == 1 })
	d.move(leader.Leader{ID: "2", Address: second.address()})
	eventually(t, "session at the second", func() bool { return p.events() == 2 })
	if got := p.current().Master(); got != second.address() {
		t.Errorf("Master = %s, want the second, %s", got, second.address())
	}
	if ends := p.ends(); !errors.Is(ends[0], errChanged) {
		t.Errorf("ends = %v, want that another master leads", ends)
	}
}

// moving is a Detector whose leader changes.
type moving struct {
	mu      sync.Mutex
	now     leader.Leader
	changed chan struct{} // closed with each change
}

func (d *moving) move(l leader.Leader) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = l
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *moving) Detect(ctx context.Context, previous leader.Leader) (leader.Leader, error) {
	for {
		d.mu.Lock()
		now, changed := d.now, d.changed
		d.mu.Unlock()
		if !now.Equal(previous) {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return leader.Leader{}, ctx.Err()
		case <-changed:
		}
	}
}

func TestRedirects(t *testing.T) {
	s, p := newServer(t), &peer{}
	standby := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "//"+s.address()+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	defer standby.Close()
	run(t, static.New(leader.Leader{ID: "m", Address: strings.TrimPrefix(standby.URL, "http://")}), p)
	eventually(t, "subscription at the leader", func() bool { return p.events() == 1 })
	p.current().Send(pong(1))
	eventually(t, "a message at the leader", func() bool { return len(s.taken()) == 1 })
}

func TestAPeerMayWait(t *testing.T) {
	s, p := newServer(t), &peer{refuse: true}
	run(t, at(s), p)
	eventually(t, "several attempts", func() bool { return len(p.ends()) >= 3 })
	if p.events() != 0 {
		t.Errorf("%d events without a subscription", p.events())
	}
}

func TestTakeSplitsLargeBatches(t *testing.T) {
	s := newSession("m", func(error) {})
	big := func(seq uint64, n int) *linkpb.Message {
		return &linkpb.Message{Seq: &seq, ExecutorMessage: &linkpb.ExecutorMessage{
			FrameworkId: &mesospb.FrameworkID{Value: new("f")}, ExecutorId: &mesospb.ExecutorID{Value: new("e")}, Data: make([]byte, n),
		}}
	}
	s.Send(big(1, maxCallBytes*2), big(2, 10), big(3, 10), big(4, maxCallBytes), big(5, 10))
	var got []string
	for batch := s.take(); len(batch) > 0; batch = s.take() {
		var seqs []uint64
		for _, m := range batch {
			seqs = append(seqs, m.GetSeq())
		}
		got = append(got, fmt.Sprint(seqs))
	}
	if want := []string{"[1]", "[2 3]", "[4]", "[5]"}; !slices.Equal(got, want) {
		t.Errorf("batches = %v, want %v", got, want)
	}
}

func TestJitterGrowsAndIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backoff := time.Duration(rapid.Int64Min(1).Draw(t, "backoff"))
		failures := rapid.IntRange(0, 1000).Draw(t, "failures")
		most := min(backoff, MaxBackoff)
		for range failures {
			most = min(2*most, MaxBackoff)
		}
		if got := jitter(backoff, failures); got < 0 || got >= most {
			t.Fatalf("jitter(%v, %d) = %v, want less than %v", backoff, failures, got, most)
		}
	})
}
