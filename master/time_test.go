package master_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/master"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A pipeListener accepts what its Dial connects, in memory: a synctest bubble
// does not wait for sockets.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5050}
}

func (l *pipeListener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestTimePasses runs the real master through two virtual minutes: heartbeats
// come, an offer nobody answers is rescinded, an agent that stops answering is
// lost.
func TestTimePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipeListener()
		cfg := master.DefaultConfig()
		cfg.Listener, cfg.Store, cfg.HostnameLookup = ln, memstate.New(), false
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- master.Run(ctx, cfg) }()
		synctest.Wait()

		transport := &http.Transport{DialContext: ln.Dial}
		web := &http.Client{Transport: transport}
		info := agentInfo(t, "agent1.example", 5051)
		agents := callevent.NewClient[*linkpb.Call](callevent.ClientConfig[*linkpb.Event]{
			URL: "http://master/api/v1/link", Codec: callevent.Protobuf, HTTP: web, New: func() *linkpb.Event { return &linkpb.Event{} },
		})
		link, err := agents.Subscribe(ctx, &linkpb.Call{Type: linkpb.Call_SUBSCRIBE.Enum(), Subscribe: &linkpb.Subscribe{
			Agent: info, Total: info.GetResources(), Version: new("1.11.0"), Capabilities: agentCapabilities(),
		}})
		if err != nil {
			t.Fatal(err)
		}
		pings := count(link, func(e *linkpb.Event) bool { return e.GetType() == linkpb.Event_PING })
		schedulers := callevent.NewClient[*schedulerpb.Call](callevent.ClientConfig[*schedulerpb.Event]{
			URL: "http://master/api/v1/scheduler", HTTP: web, New: func() *schedulerpb.Event { return &schedulerpb.Event{} },
		})
		stream, err := schedulers.Subscribe(ctx, &schedulerpb.Call{
			Type: schedulerpb.Call_SUBSCRIBE.Enum(), Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: frameworkInfo("alpha")},
		})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		seen := make(map[schedulerpb.Event_Type]int)
		go func() {
			for {
				e, err := stream.Next()
				if err != nil {
					return
				}
				mu.Lock()
				seen[e.GetType()]++
				mu.Unlock()
			}
		}()
		expect := func(after time.Duration, kind schedulerpb.Event_Type, want int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if seen[kind] != want {
				t.Errorf("%v after %v more: %d, want %d; all: %v", kind, after, seen[kind], want, seen)
			}
		}
		expect(time.Second, schedulerpb.Event_OFFERS, 1)
		expect(0, schedulerpb.Event_HEARTBEAT, 1) // right after SUBSCRIBED
		expect(15*time.Second, schedulerpb.Event_HEARTBEAT, 2)
		expect(45*time.Second, schedulerpb.Event_HEARTBEAT, 5)
		expect(60*time.Second, schedulerpb.Event_RESCIND, 1) // the agent answered no ping for 75 s
		expect(0, schedulerpb.Event_FAILURE, 1)
		if n := pings(); n != 5 {
			t.Errorf("%d pings, want 5", n)
		}
		stream.Close()
		link.Close()
		cancel()
		transport.CloseIdleConnections()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

// count reads a stream to its end and counts what matches.
func count(stream *callevent.Stream[*linkpb.Event], match func(*linkpb.Event) bool) func() int {
	var mu sync.Mutex
	n := 0
	go func() {
		for {
			e, err := stream.Next()
			if err != nil {
				return
			}
			if match(e) {
				mu.Lock()
				n++
				mu.Unlock()
			}
		}
	}()
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// TestUnansweredOfferIsRescinded: hoarding ends after --offer_timeout.
func TestUnansweredOfferIsRescinded(t *testing.T) {
	address := start(t, func(c *master.Config) { c.OfferTimeout = 200 * time.Millisecond })
	register(t, address, agentInfo(t, "agent1.example", 5051))
	s := subscribe(t, address, frameworkInfo("alpha"))
	offer := s.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0]
	if got := s.await(schedulerpb.Event_RESCIND).GetRescind().GetOfferId(); got.GetValue() != offer.GetId().GetValue() {
		t.Errorf("rescinded %v, want %v", got, offer.GetId())
	}
	again := s.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0]
	if again.GetId().GetValue() == offer.GetId().GetValue() {
		t.Errorf("the rescinded offer %v came back", again.GetId())
	}
	launchTask(t, s, offer, "late")
	if got := s.await(schedulerpb.Event_UPDATE).GetUpdate().GetStatus(); got.GetReason() != mesospb.TaskStatus_REASON_INVALID_OFFERS {
		t.Errorf("launch on the rescinded offer = %v, want REASON_INVALID_OFFERS", got)
	}
}
