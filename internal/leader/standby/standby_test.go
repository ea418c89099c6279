package standby_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/leadertest"
	"github.com/soukproject/souk/internal/leader/standby"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/internal/state/zkstate"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

const patience = 20 * time.Second

var shared zookeepertest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Close()
	os.Exit(code)
}

// A process is one of a service whose handler says who answers and what came.
type process struct {
	t       *testing.T
	address string
	cfg     standby.Config
	ln      net.Listener
	ended   chan error
	stop    func()
	term    chan standby.Term
}

func style() standby.Style {
	return standby.Style{
		Via:       "X-Test-Via",
		Redirects: func(r *http.Request) bool { return r.URL.Path == "/stream" },
		Refuse: func(w http.ResponseWriter, status int, message string) {
			w.WriteHeader(status)
			fmt.Fprint(w, message)
		},
		Unavailable: http.StatusBadGateway, Failed: http.StatusInternalServerError,
	}
}

// listen prepares a process that is not yet there.
func listen(t *testing.T) *process {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, address: ln.Addr().String(), ln: ln, ended: make(chan error, 1), term: make(chan standby.Term, 1)}
	p.cfg = standby.Config{
		Self: p.address, Style: style(), Limit: standby.DefaultLimits(), Log: zap.NewNop(),
		Open:  func(context.Context) (state.Store, error) { return memstate.New(), nil },
		Reign: p.reign,
	}
	return p
}

func (p *process) reign(ctx context.Context, t standby.Term) error {
	t.Serve(http.HandlerFunc(p.answer))
	p.term <- t
	<-ctx.Done()
	return nil
}

func (p *process) answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/wait" {
		<-r.Context().Done()
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, context.Cause(r.Context()))
		return
	}
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Leader", p.address)
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "%s %s %s %s via=%q for=%q", r.Method, r.RequestURI, body, r.Header.Get("Authorization"),
		r.Header.Values("X-Test-Via"), r.Header.Get("X-Forwarded-For"))
}

// join starts the process in an election.
func (p *process) join(e *leadertest.Election) *process {
	p.cfg.Contender, p.cfg.Detector = e.Contender(leader.Leader{ID: p.address, Address: p.address}), e
	return p.run()
}

func (p *process) run() *process {
	ctx, cancel := context.WithCancel(p.t.Context())
	p.stop = cancel
	go func() { p.ended <- standby.Run(ctx, p.cfg, p.ln) }()
	p.t.Cleanup(func() {
		cancel()
		p.ln.Close()
	})
	return p
}

// leads waits until the process does.
func (p *process) leads() standby.Term {
	p.t.Helper()
	select {
	case t := <-p.term:
		return t
	case <-time.After(patience):
		p.t.Fatalf("%s does not lead", p.address)
		return standby.Term{}
	}
}

func (p *process) end() error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.address)
		return nil
	}
}

func (p *process) ask(method, path, body string, headers ...string) (*http.Response, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.address+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	c := http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp, string(b)
}

func TestStandbyPassesOn(t *testing.T) {
	e := leadertest.NewElection()
	first := listen(t).join(e)
	first.leads()
	second := listen(t).join(e)
	resp, body := second.ask("PUT", "/v2/apps//web?force=true&a;b", "{}", "Authorization", "Basic x", "X-Forwarded-For", "10.0.0.1", "X-Test-Via", "1.1 other:1")
	want := fmt.Sprintf(`PUT /v2/apps//web?force=true&a;b {} Basic x via=["1.1 other:1" "1.1 %s"] for="10.0.0.1, 127.0.0.1"`, second.address)
	if resp.StatusCode != http.StatusCreated || resp.Header.Get("X-Leader") != first.address || body != want {
		t.Errorf("PUT = %d %s\n%s, want\n%s", resp.StatusCode, resp.Header, body, want)
	}
	if resp, _ := second.ask("GET", "/stream?x=1", ""); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "http://"+first.address+"/stream?x=1" {
		t.Errorf("stream = %d %s, want 302 to the leader", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp, body := second.ask("GET", "/x", "", "X-Test-Via", "1.1 a:1, 1.1 "+second.address); resp.StatusCode != http.StatusBadGateway || body != "Detected proxying loop." {
		t.Errorf("loop = %d %s", resp.StatusCode, body)
	}
	if resp, _ := first.ask("GET", "/x", "", "X-Test-Via", "1.1 "+first.address); resp.StatusCode != http.StatusCreated {
		t.Errorf("the leader answered %d to a request that has been there before, want 201", resp.StatusCode)
	}
}

func TestStandbyWithoutALeaderThatAnswers(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	gone := listen(t)
	gone.ln.Close()
	for _, c := range []struct {
		name, leader string // "": the process itself, which does not know it
		status       int
		text         string
	}{
		{"refuses connections", gone.address, http.StatusBadGateway, "connection refused"},
		{"is silent", silent.Addr().String(), http.StatusInternalServerError, "timeout"},
		{"is named as the one that asks", "", http.StatusBadGateway, "Could not determine the current leader"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := listen(t)
			p.cfg.Limit.Answer = 100 * time.Millisecond
			if c.leader == "" {
				c.leader = p.address
			}
			e := leadertest.NewElection()
			if _, err := e.Contender(leader.Leader{ID: c.leader, Address: c.leader}).Contend(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.join(e)
			if resp, body := p.ask("GET", "/ping", ""); resp.StatusCode != c.status || !strings.Contains(body, c.text) {
				t.Errorf("GET = %d %s, want %d with %q", resp.StatusCode, body, c.status, c.text)
			}
		})
	}
}

// TestDeposedLeaderStops: its work, its answers under way and its process end.
func TestDeposedLeaderStops(t *testing.T) {
	e := leadertest.NewElection()
	first := listen(t).join(e)
	first.leads()
	second := listen(t).join(e)
	second.ask("GET", "/x", "") // it stands in line
	answered := make(chan string, 1)
	go func() {
		_, body := first.ask("GET", "/wait", "")
		answered <- body
	}()
	time.Sleep(50 * time.Millisecond) // let the request arrive
	e.Depose()
	if body := <-answered; body != leader.ErrLost.Error() {
		t.Errorf("the request under way was answered %q, want %q", body, leader.ErrLost)
	}
	if err := first.end(); !errors.Is(err, leader.ErrLost) {
		t.Errorf("Run = %v, want ErrLost", err)
	}
	second.leads()
	if resp, _ := second.ask("GET", "/x", ""); resp.Header.Get("X-Leader") != second.address {
		t.Errorf("leader = %q, want %s", resp.Header.Get("X-Leader"), second.address)
	}
}

// zooKeeper makes a process one of an election in ZooKeeper.
func (p *process) zooKeeper(url string) *process {
	p.t.Helper()
	u, err := zookeeper.ParseURL(url)
	if err != nil {
		p.t.Fatal(err)
	}
	place := standby.Place{Election: u.Below("latch"), State: u.Below("state"), Timeout: 2 * time.Second, Owner: "test", OwnerFlag: "--name"}
	var leave func()
	if p.cfg.Contender, p.cfg.Detector, leave, err = place.Join(p.t.Context(), p.address, zap.NewNop()); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(leave)
	p.cfg.Open = func(ctx context.Context) (state.Store, error) { return place.Open(ctx, zap.NewNop()) }
	return p.run()
}

// TestAbdicate: the next one leads, with what the first has written, and the
// first can write no more.
func TestAbdicate(t *testing.T) {
	url := shared.Get(t).URL(t)
	first := listen(t).zooKeeper(url)
	term := first.leads()
	if _, err := term.Store.Apply(t.Context(), state.Op{Entry: state.Entry{Name: "a", Value: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	second := listen(t).zooKeeper(url)
	if resp, _ := second.ask("GET", "/x", ""); resp.Header.Get("X-Leader") != first.address {
		t.Errorf("leader = %q, want the first", resp.Header.Get("X-Leader"))
	}
	term.Abdicate()
	if err := first.end(); !errors.Is(err, leader.ErrLost) {
		t.Errorf("Run = %v, want ErrLost", err)
	}
	next := second.leads()
	if e, err := next.Store.Get(t.Context(), "a"); err != nil || string(e.Value) != "1" {
		t.Errorf("a = %v, %v, want what the first wrote", e, err)
	}
	if _, err := term.Store.Apply(t.Context(), state.Op{Entry: state.Entry{Name: "b"}}); err == nil {
		t.Error("the former leader has written")
	}
}

// TestSupersededIsLost: who cannot write because another one took the state
// over does not end as if the store had failed.
func TestSupersededIsLost(t *testing.T) {
	p := listen(t)
	p.cfg.Reign = func(context.Context, standby.Term) error { return fmt.Errorf("write: %w", zkstate.ErrSuperseded) }
	p.join(leadertest.NewElection())
	if err := p.end(); !errors.Is(err, leader.ErrLost) {
		t.Errorf("Run = %v, want ErrLost", err)
	}
}

func TestAloneCannotAbdicate(t *testing.T) {
	p := listen(t).run()
	if p.leads().Abdicate != nil {
		t.Error("Abdicate is there, want nil: nobody could take over")
	}
	if resp, _ := p.ask("GET", "/x", ""); resp.Header.Get("X-Leader") != p.address {
		t.Errorf("leader = %q, want %s", resp.Header.Get("X-Leader"), p.address)
	}
	p.stop()
	if err := p.end(); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}
