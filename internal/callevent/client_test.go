package callevent

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

type schedulerClient = Client[*schedulerpb.Call, *schedulerpb.Event]

func newClient(url string, c Codec) *schedulerClient {
	return NewClient[*schedulerpb.Call](ClientConfig[*schedulerpb.Event]{
		URL: url, Codec: c, Header: http.Header{"Authorization": {"Basic eA=="}},
		New: func() *schedulerpb.Event { return &schedulerpb.Event{} },
	})
}

// master answers SUBSCRIBE with what box holds and records other calls' stream ids.
type master struct {
	box   *Outbox
	calls chan *http.Request
	auth  string
}

func (m *master) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.auth = r.Header.Get("Authorization")
	call := &schedulerpb.Call{}
	if err := ReadCall(w, r, call, ReadOptions{}); err != nil {
		WriteError(w, err)
		return
	}
	if call.GetType() == schedulerpb.Call_SUBSCRIBE {
		c, err := Negotiate(r)
		if err != nil {
			WriteError(w, err)
			return
		}
		_ = m.box.Serve(r.Context(), w, c, StreamOptions{StreamID: "s-7"})
		return
	}
	m.calls <- r
	w.WriteHeader(http.StatusAccepted)
}

var (
	subscribe = &schedulerpb.Call{Type: schedulerpb.Call_SUBSCRIBE.Enum()}
	revive    = &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}
)

func TestSubscribeThroughARedirect(t *testing.T) {
	for _, codec := range []Codec{JSON, Protobuf} {
		t.Run(codec.String(), func(t *testing.T) {
			m := &master{box: NewOutbox(4), calls: make(chan *http.Request, 1)}
			leader := httptest.NewServer(m)
			defer leader.Close()
			// Another host name, so that net/http by itself would drop credentials.
			away := strings.Replace(leader.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
			redirects := 0
			standby := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				redirects++
				w.Header().Set("Location", "//"+away+"/master"+r.URL.Path)
				w.WriteHeader(http.StatusTemporaryRedirect)
			}))
			defer standby.Close()

			c := newClient(standby.URL+"/api/v1/scheduler", codec)
			m.box.Send(heartbeat)
			s, err := c.Subscribe(t.Context(), subscribe)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if e, err := s.Next(); err != nil || !proto.Equal(e, heartbeat) {
				t.Errorf("Next() = %v, %v, want a heartbeat", e, err)
			}
			if s.ID() != "s-7" {
				t.Errorf("ID() = %s, want s-7", s.ID())
			}
			if err := c.Send(t.Context(), revive); err != nil {
				t.Fatalf("Send() = %v", err)
			}
			if r := <-m.calls; r.Header.Get(StreamIDHeader) != "s-7" || r.URL.Path != "/master/api/v1/scheduler" {
				t.Errorf("call went to %s with stream id %q", r.URL.Path, r.Header.Get(StreamIDHeader))
			}
			if m.auth != "Basic eA==" {
				t.Errorf("leader got Authorization %q", m.auth)
			}
			if redirects != 1 {
				t.Errorf("standby was asked %d times, want once", redirects)
			}
			m.box.Close()
			if _, err := s.Next(); err != io.EOF {
				t.Errorf("Next() at the end = %v, want io.EOF", err)
			}
		})
	}
}

func TestClientErrors(t *testing.T) {
	answer := func(code int, header, value, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if header != "" {
				w.Header().Set(header, value)
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	tests := []struct {
		name string
		h    http.HandlerFunc
		want string
	}{
		{"refused", answer(403, "", "", "Framework is not subscribed"), "subscribe: Framework is not subscribed"},
		{"refused without a text", answer(503, "", "", ""), "subscribe: 503 Service Unavailable."},
		{"other media type", answer(200, "Content-Type", "text/html", "<p>"), "subscribe: answer has Content-Type 'text/html', want 'application/json'"},
		{"redirect to nowhere", answer(307, "", "", ""), "subscribe: redirect to '': not the address of a master"},
		{"redirect to another protocol", answer(307, "Location", "file:///etc/passwd", ""), "subscribe: redirect to 'file:///etc/passwd': not the address of a master"},
		{"redirects in a circle", answer(307, "Location", "/again", ""), "subscribe: more than 10 redirects in a row"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(tt.h)
			defer srv.Close()
			_, err := newClient(srv.URL, JSON).Subscribe(t.Context(), subscribe)
			if err == nil || err.Error() != tt.want {
				t.Errorf("Subscribe() = %v, want %s", err, tt.want)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		srv := httptest.NewServer(nil)
		srv.Close()
		err := newClient(srv.URL, JSON).Send(t.Context(), revive)
		var e *Error
		if err == nil || errors.As(err, &e) {
			t.Errorf("Send() = %v, want an error of the connection", err)
		}
	})
}

func TestRefusalIsAnError(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		WriteError(w, Errorf(400, "Framework cannot be found"))
	}))
	defer srv.Close()
	err := newClient(srv.URL, JSON).Send(t.Context(), revive)
	var e *Error
	if !errors.As(err, &e) || *e != (Error{400, "Framework cannot be found"}) {
		t.Errorf("Send() = %#v, want the *Error of the answer", err)
	}
}

// TestDeadLeaderIsForgotten: a client stays with the leader it was sent to, and
// asks anew where it was told to once that one fails.
func TestDeadLeaderIsForgotten(t *testing.T) {
	for name, die := range map[string]func(*httptest.Server, *bool){
		"gone":    func(s *httptest.Server, _ *bool) { s.Close() },
		"deposed": func(_ *httptest.Server, deposed *bool) { *deposed = true },
	} {
		t.Run(name, func(t *testing.T) {
			deposed := false
			first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if deposed {
					WriteError(w, &Error{Code: http.StatusServiceUnavailable})
					return
				}
				w.WriteHeader(http.StatusAccepted)
			}))
			defer first.Close()
			second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusAccepted) }))
			defer second.Close()
			leads := first
			standby := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "//"+leads.Listener.Addr().String()+r.URL.Path)
				w.WriteHeader(http.StatusTemporaryRedirect)
			}))
			defer standby.Close()
			c := newClient(standby.URL+"/api", JSON)
			if err := c.Send(t.Context(), revive); err != nil || c.Leader() != first.URL+"/api" {
				t.Fatalf("Send() = %v, leader %s, want %s/api", err, c.Leader(), first.URL)
			}
			die(first, &deposed)
			leads = second
			if err := c.Send(t.Context(), revive); err == nil {
				t.Error("Send() to a failed leader = nil, want an error")
			}
			if err := c.Send(t.Context(), revive); err != nil || c.Leader() != second.URL+"/api" {
				t.Errorf("Send() afterwards = %v, leader %s, want %s/api", err, c.Leader(), second.URL)
			}
		})
	}
}

func TestHTTPSIsNotLeft(t *testing.T) {
	if _, err := redirected("https://a/x", "http://b/x"); err == nil {
		t.Error("redirected(https to http) = nil, want an error")
	}
	if got, err := redirected("https://a:1/api", "//b:2/master/api?x=1"); err != nil || got != "https://b:2/master/api?x=1" {
		t.Errorf("redirected() = %s, %v, want the same scheme", got, err)
	}
}

func TestBrokenStreams(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"framing", "x\n", "read event: Failed to decode length 'x': Failed to convert 'x' to number"},
		{"size", "2000\n", "read event: record of 2000 bytes exceeds the limit of 1000 bytes"},
		{"event", "2\n{]", "decode event: syntax error at line 1 near: ]"},
		{"cut", "20\n{", "read event: unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, tt.body)
			}))
			defer srv.Close()
			c := NewClient[*schedulerpb.Call](ClientConfig[*schedulerpb.Event]{
				URL: srv.URL, MaxRecord: 1000, New: func() *schedulerpb.Event { return &schedulerpb.Event{} },
			})
			s, err := c.Subscribe(t.Context(), subscribe)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := s.Next(); err == nil || err.Error() != tt.want {
				t.Errorf("Next() = %v, want %s", err, tt.want)
			}
		})
	}
}

func TestCloseEndsNext(t *testing.T) {
	m := &master{box: NewOutbox(1)}
	srv := httptest.NewServer(m)
	defer srv.Close()
	s, err := newClient(srv.URL, JSON).Subscribe(context.Background(), subscribe)
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, err := s.Next()
		failed <- err
	}()
	s.Close()
	if err := <-failed; err == nil || err == io.EOF {
		t.Errorf("Next() after Close = %v, want an error", err)
	}
}
