package conformance_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/agent"
	"github.com/soukproject/souk/agent/containerizer/containerizertest"
	"github.com/soukproject/souk/agent/containerizer/posix"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/master"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

var (
	masterURL = flag.String("master", "", "URL of the master to ask; default: one that is started for the purpose")
	strict    = flag.Bool("strict", false, "fail if a row holds that is said not to")
	agentURL  = flag.String("agent", "", "URL of an agent of that master")
)

// patience is how long something may take that should happen soon.
const patience = 30 * time.Second

// TestMain is the shim of a container, too: an agent in a test starts its own program for it.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "shim" {
		os.Exit(posix.Shim(os.Args[2]))
	}
	os.Exit(m.Run())
}

// A cluster is what is asked: a master, an agent, and a framework that is
// subscribed while the rows are asked.
type cluster struct {
	master, agent string // URLs without a slash at the end
	foreign       bool   // not started by us
	agentID       string
	agentHostname string
	http          *http.Client
	scheduler     *scheduler
	words         *strings.Replacer
}

// start finds or starts what is to be asked.
func start(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{
		master: strings.TrimSuffix(*masterURL, "/"), agent: strings.TrimSuffix(*agentURL, "/"), foreign: *masterURL != "",
		http: &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	switch {
	case !c.foreign:
		c.startOwn(t)
	case c.agent == "":
		t.Fatal("flag -agent: name an agent of the master, too")
	}
	c.awaitAgent(t)
	c.scheduler = c.subscribe(t, callevent.JSON, frameworkInfo("conformance"))
	if c.scheduler.id == "" {
		t.Fatalf("the framework of the rows is not subscribed: %v", c.scheduler.first)
	}
	go c.scheduler.declineAll()
	c.words = strings.NewReplacer("$FRAMEWORK", c.scheduler.id, "$STREAM", c.scheduler.stream.ID(), "$UPPERSTREAM", strings.ToUpper(c.scheduler.stream.ID()),
		"$AGENTHOST", strings.TrimPrefix(c.agent, "http://"), "$AGENT", c.agentID, "$MASTERHOST", strings.TrimPrefix(c.master, "http://"), "$HOSTNAME", c.agentHostname)
	return c
}

// fill puts this cluster's words into a text.
func (c *cluster) fill(text string) string { return c.words.Replace(text) }

// startOwn runs a master and an agent in this process; its containers are plain processes.
func (c *cluster) startOwn(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	listen := func() (net.Listener, string) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return ln, "http://" + ln.Addr().String()
	}
	masterLn, agentLn := net.Listener(nil), net.Listener(nil)
	masterLn, c.master = listen()
	agentLn, c.agent = listen()

	m := master.DefaultConfig()
	m.Listener, m.Store, m.HostnameLookup, m.Cluster, m.AllocationInterval = masterLn, memstate.New(), false, "golden", 50*time.Millisecond
	go func() { ended <- master.Run(ctx, m) }()

	a := agent.DefaultConfig()
	a.Listener, a.Master, a.WorkDir = agentLn, masterLn.Addr().String(), t.TempDir()
	a.Hostname, a.Containerizer, a.Backoff = "agent1.example", "posix", 50*time.Millisecond
	a.Resources, a.Attributes = "cpus:8;mem:8192;disk:10000;ports:[31000-32000]", "rack:r1;ssd:true;level:3"
	containerizertest.LeaveNothing(t, a.WorkDir)
	go func() { ended <- agent.Run(ctx, a) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("Run = %v", err)
			}
		}
	})
}

// awaitAgent waits until the agent is registered.
func (c *cluster) awaitAgent(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		resp, err := c.http.Get(c.master + "/slaves")
		if err == nil {
			var list struct {
				Slaves []struct {
					ID       string
					Hostname string
					Active   bool
				}
			}
			err = json.NewDecoder(resp.Body).Decode(&list)
			resp.Body.Close()
			if err == nil && len(list.Slaves) > 0 && list.Slaves[0].Active {
				c.agentID, c.agentHostname = list.Slaves[0].ID, list.Slaves[0].Hostname
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no agent of %s is registered: %v", c.master, err)
		}
	}
}

func frameworkInfo(name string) *mesospb.FrameworkInfo {
	info := &mesospb.FrameworkInfo{User: new("root"), Name: &name, Roles: []string{"*"}}
	for _, x := range []mesospb.FrameworkInfo_Capability_Type{
		mesospb.FrameworkInfo_Capability_MULTI_ROLE, mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT,
		mesospb.FrameworkInfo_Capability_PARTITION_AWARE, mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE,
	} {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: x.Enum()})
	}
	return info
}

// A scheduler is a subscribed framework, and all that it has heard.
type scheduler struct {
	t      *testing.T
	client *callevent.Client[*schedulerpb.Call, *schedulerpb.Event]
	stream *callevent.Stream[*schedulerpb.Event]
	id     string // "" if it was refused
	first  *schedulerpb.Event
	events chan *schedulerpb.Event
}

// subscribe opens a stream for the length of the test and reads its first event.
func (c *cluster) subscribe(t *testing.T, codec callevent.Codec, info *mesospb.FrameworkInfo, suppressed ...string) *scheduler {
	t.Helper()
	s, err := c.open(t, codec, &schedulerpb.Call{
		Type: schedulerpb.Call_SUBSCRIBE.Enum(), FrameworkId: info.Id,
		Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: info, SuppressedRoles: suppressed},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// open is subscribe with any call.
func (c *cluster) open(t *testing.T, codec callevent.Codec, call *schedulerpb.Call) (*scheduler, error) {
	s := &scheduler{t: t, events: make(chan *schedulerpb.Event, 10000)}
	s.client = callevent.NewClient[*schedulerpb.Call](callevent.ClientConfig[*schedulerpb.Event]{
		URL: c.master + "/api/v1/scheduler", Codec: codec, New: func() *schedulerpb.Event { return &schedulerpb.Event{} },
	})
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var err error
	if s.stream, err = s.client.Subscribe(ctx, call); err != nil {
		return nil, err
	}
	if s.first, err = s.stream.Next(); err != nil {
		return nil, err
	}
	s.id = s.first.GetSubscribed().GetFrameworkId().GetValue()
	go func() {
		defer close(s.events)
		for {
			e, err := s.stream.Next()
			if err != nil {
				return
			}
			s.events <- e
		}
	}()
	return s, nil
}

// call makes a call of the framework.
func (s *scheduler) call(call *schedulerpb.Call) error {
	call.FrameworkId = &mesospb.FrameworkID{Value: &s.id}
	return s.client.Send(s.t.Context(), call)
}

// await returns the next event that want accepts; others are dropped.
func (s *scheduler) await(want func(*schedulerpb.Event) bool) (*schedulerpb.Event, error) {
	for deadline := time.After(patience); ; {
		select {
		case e, open := <-s.events:
			switch {
			case !open:
				return nil, io.EOF
			case want(e):
				return e, nil
			}
		case <-deadline:
			return nil, fmt.Errorf("no such event within %v", patience)
		}
	}
}

func ofType(want schedulerpb.Event_Type) func(*schedulerpb.Event) bool {
	return func(e *schedulerpb.Event) bool { return e.GetType() == want }
}

// offer waits for an offer.
func (s *scheduler) offer() (*mesospb.Offer, error) {
	e, err := s.await(ofType(schedulerpb.Event_OFFERS))
	if err != nil {
		return nil, fmt.Errorf("offers: %w", err)
	}
	return e.GetOffers().GetOffers()[0], nil
}

// declineAll leaves all offers to others.
func (s *scheduler) declineAll() {
	for e := range s.events {
		for _, o := range e.GetOffers().GetOffers() {
			_ = s.call(&schedulerpb.Call{Type: schedulerpb.Call_DECLINE.Enum(), Decline: &schedulerpb.Call_Decline{
				OfferIds: []*mesospb.OfferID{o.GetId()}, Filters: &mesospb.Filters{RefuseSeconds: new(3600.0)},
			}})
		}
	}
}

// teardown ends the framework.
func (s *scheduler) teardown() { _ = s.call(&schedulerpb.Call{Type: schedulerpb.Call_TEARDOWN.Enum()}) }
