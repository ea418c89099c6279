package agent

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A task is checked in its own container, and killed when it fails too often.
func TestHealthChecks(t *testing.T) {
	m := newFakeMaster(t)
	start(t, testConfig(t, m))
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	sick := filepath.Join(t.TempDir(), "sick")
	task := command("t1", "sleep 1000")
	task.HealthCheck = &mesospb.HealthCheck{
		Type:         mesospb.HealthCheck_COMMAND.Enum(),
		Command:      &mesospb.CommandInfo{Value: new("test $MESOS_EXECUTOR_ID = t1 && test ! -e " + sick)},
		DelaySeconds: new(0.0), IntervalSeconds: new(0.1), TimeoutSeconds: new(10.0), GracePeriodSeconds: new(0.0), ConsecutiveFailures: new(uint32(2)),
	}
	task.Check = &mesospb.CheckInfo{
		Type: mesospb.CheckInfo_COMMAND.Enum(), Command: &mesospb.CheckInfo_Command{Command: &mesospb.CommandInfo{Value: new("exit 3")}},
		DelaySeconds: new(0.0), IntervalSeconds: new(0.1), TimeoutSeconds: new(10.0),
	}
	m.run(task)
	eventually(t, "health", func() bool {
		s := m.last("t1")
		return s.GetHealthy() && s.GetCheckStatus().GetCommand().GetExitCode() == 3
	})
	if err := os.WriteFile(sick, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end", func() bool { return strings.HasSuffix(m.states("t1"), "KILLED") })
	s := m.last("t1")
	if s.Healthy == nil || s.GetHealthy() || s.GetCheckStatus().GetCommand().ExitCode != nil {
		t.Errorf("last update = %v, want that it was not healthy, and no result of the check", s)
	}
	if got := m.states("t1"); !strings.HasSuffix(got, "RUNNING RUNNING KILLING KILLED") {
		t.Errorf("states = %s, want two failures before KILLING", got)
	}
}

// A check that hangs is ended with its timeout.
func TestCheckTimesOut(t *testing.T) {
	m := newFakeMaster(t)
	start(t, testConfig(t, m))
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	task := command("t1", "sleep 1000")
	task.HealthCheck = &mesospb.HealthCheck{
		Type: mesospb.HealthCheck_COMMAND.Enum(), Command: &mesospb.CommandInfo{Value: new("sleep 1000")},
		DelaySeconds: new(0.0), IntervalSeconds: new(0.1), TimeoutSeconds: new(0.2), GracePeriodSeconds: new(0.0), ConsecutiveFailures: new(uint32(1)),
	}
	m.run(task)
	eventually(t, "the end", func() bool { return strings.HasSuffix(m.states("t1"), "KILLED") })
	for _, u := range m.updates {
		if u.Healthy != nil && u.GetState() == mesospb.TaskState_TASK_RUNNING && u.GetMessage() != "no answer within 200ms" {
			t.Errorf("update = %v, want why it failed", u)
		}
	}
}

func TestAttempts(t *testing.T) {
	web := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/well?a=b", http.StatusFound)
		case "/well":
			fmt.Fprint(w, r.URL.RawQuery)
		case "/slow":
			<-r.Context().Done()
		default:
			http.Error(w, "ill", http.StatusServiceUnavailable)
		}
	}
	plain, secure := httptest.NewServer(http.HandlerFunc(web)), httptest.NewTLSServer(http.HandlerFunc(web))
	defer plain.Close()
	defer secure.Close()
	port := func(s *httptest.Server) uint32 { return uint32(s.Listener.Addr().(*net.TCPAddr).Port) }
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := uint32(free.Addr().(*net.TCPAddr).Port)
	free.Close()
	tests := []struct {
		name   string
		target core.Target
		want   core.Outcome
	}{
		{"a page", core.Target{Scheme: "http", Port: port(plain), Path: "/well"}, core.Outcome{Done: true, Status: 200}},
		{"a page that moved", core.Target{Scheme: "http", Port: port(plain), Path: "/moved"}, core.Outcome{Done: true, Status: 200}},
		{"a page in TLS", core.Target{Scheme: "https", Port: port(secure), Path: "/well"}, core.Outcome{Done: true, Status: 200}},
		{"a failure", core.Target{Scheme: "http", Port: port(plain), Path: "/"}, core.Outcome{Done: true, Status: 503, Why: "HTTP status 503"}},
		{"a port", core.Target{Port: port(plain)}, core.Outcome{Done: true, Connected: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := (&boxes{}).attempt(t.Context(), core.Probe{PID: uint32(os.Getpid()), Target: tt.target})
			if err != nil || got != tt.want {
				t.Errorf("attempt = %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
	if got, err := (&boxes{}).attempt(t.Context(), core.Probe{PID: uint32(os.Getpid()), Target: core.Target{Port: nobody}}); err != nil || !got.Done || got.Connected {
		t.Errorf("attempt at a port of nobody = %+v, %v, want no connection", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := (&boxes{}).attempt(ctx, core.Probe{PID: uint32(os.Getpid()), Target: core.Target{Scheme: "http", Port: port(plain), Path: "/slow"}}); err == nil || got.Done {
		t.Errorf("attempt at a slow page = %+v, %v, want no outcome", got, err)
	}
}
