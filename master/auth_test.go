package master_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	sdk "github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/master"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func guarded(c *master.Config) {
	c.Credentials = auth.NewCredentials(auth.Credential{Principal: "op", Secret: "s3cret"}, auth.Credential{Principal: "fw", Secret: "fwpw"})
	c.AskReaders, c.AskOperators, c.AskSchedulers, c.AskAgents = true, true, true, true
}

// startGuarded runs a master that asks everybody for credentials.
func startGuarded(t *testing.T) string {
	t.Helper()
	p := launch(t, guarded)
	deadline := time.Now().Add(patience)
	for code := 0; code != http.StatusOK; time.Sleep(5 * time.Millisecond) { // a real process comes up
		if code, _ = askAs(t, "op:s3cret", "GET", "http://"+p.address+"/state", ""); time.Now().After(deadline) {
			t.Fatalf("master does not lead: %d", code)
		}
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
	return p.address
}

func askAs(t *testing.T, who, method, url, body string) (code int, answer string) {
	t.Helper()
	code, _, answer = askWithHeaders(t, who, method, url, body)
	return code, answer
}

func askWithHeaders(t *testing.T, who, method, url, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if principal, secret, ok := strings.Cut(who, ":"); ok {
		req.SetBasicAuth(principal, secret)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(answer)
}

// reporter tells of a subscription, and wants nothing more.
type reporter struct{ subscribed chan<- string }

func (r reporter) Subscribed(_ context.Context, s *sdk.Session) error {
	r.subscribed <- s.FrameworkID()
	return nil
}

func (reporter) Offers(context.Context, *sdk.Session, []*mesospb.Offer) error { return nil }

func (reporter) Update(context.Context, *sdk.Session, *mesospb.TaskStatus) error { return nil }

// TestWhoIsAskedForCredentials: the answers that a real master gave.
func TestWhoIsAskedForCredentials(t *testing.T) {
	address := startGuarded(t)
	const getHealth, revive = `{"type":"GET_HEALTH"}`, `{"framework_id":{"value":"F"},"type":"REVIVE"}`
	for _, tt := range []struct {
		who, method, path, body string
		code                    int
		realm                   string // of the challenge
	}{
		{"", "GET", "/state", "", 401, "mesos-master-readonly"},
		{"", "GET", "/flags", "", 401, "mesos-master-readonly"},
		{"", "GET", "/metrics/snapshot", "", 401, "mesos-master-readonly"},
		{"", "GET", "/metrics", "", 401, "mesos-master-readonly"},
		{"", "GET", "/files/debug", "", 401, "mesos-master-readonly"},
		{"", "GET", "/files/browse?path=/x", "", 401, "mesos-master-readonly"},
		{"", "GET", "/registrar(1)/registry", "", 401, "mesos-master-readonly"},
		{"", "GET", "/", "", 401, "mesos-master-readonly"},
		{"", "GET", "/logging/toggle", "", 401, "mesos-master-readwrite"},
		{"", "GET", "/weights", "", 401, "mesos-master-readwrite"},
		{"", "GET", "/quota", "", 401, "mesos-master-readwrite"},
		{"", "GET", "/api/v1", "", 401, "mesos-master-readwrite"},
		{"", "POST", "/api/v1", getHealth, 401, "mesos-master-readwrite"},
		{"", "POST", "/api/v1/scheduler", "{}", 401, "mesos-master-scheduler"},
		{"", "POST", "/api/v1/link", "{}", 401, "souk-master-agent"},
		{"op:x", "POST", "/api/v1", getHealth, 401, "mesos-master-readwrite"},
		{"zz:s3cret", "POST", "/api/v1", getHealth, 401, "mesos-master-readwrite"},
		{"", "GET", "/health", "", 200, ""},
		{"", "GET", "/version", "", 200, ""},
		{"", "GET", "/redirect", "", 307, ""},
		{"", "GET", "/help", "", 200, ""},
		{"op:s3cret", "POST", "/api/v1", getHealth, 200, ""},
		{"op:s3cret", "GET", "/state", "", 200, ""},
		{"op:s3cret", "GET", "/api/v1", "", 405, ""},
		{"op:s3cret", "POST", "/api/v1/scheduler", revive, 400, ""},
	} {
		code, header, answer := askWithHeaders(t, tt.who, tt.method, "http://"+address+tt.path, tt.body)
		challenge := ""
		if tt.realm != "" {
			challenge = `Basic realm="` + tt.realm + `"`
		}
		if code != tt.code || header.Get("WWW-Authenticate") != challenge {
			t.Errorf("%s %s as %q = %d %s %.100q, want %d %s", tt.method, tt.path, tt.who, code, header.Get("WWW-Authenticate"), answer, tt.code, challenge)
		}
	}
}

// TestFrameworksSpeakForThemselves: who subscribed in whose name, and who may go on.
func TestFrameworksSpeakForThemselves(t *testing.T) {
	address := startGuarded(t)
	const other = `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"f","roles":["ok"],"capabilities":[{"type":"MULTI_ROLE"}],"principal":"zz"}}}`
	code, answer := askAs(t, "fw:fwpw", "POST", "http://"+address+"/api/v1/scheduler", other)
	if want := "Failed to validate scheduler::Call: Authenticated principal 'fw' does not match principal 'zz' set in `FrameworkInfo`"; code != 400 || answer != want {
		t.Errorf("SUBSCRIBE for another = %d %s, want 400 %s", code, answer, want)
	}
	subscribed := make(chan string, 1)
	ended := make(chan error, 1)
	cfg := sdk.Config{Master: address, Principal: "fw", Secret: "fwpw", Framework: &mesospb.FrameworkInfo{User: new("root"), Name: new("f")}}
	go func() { ended <- sdk.Run(t.Context(), cfg, reporter{subscribed}) }()
	var id string
	select {
	case id = <-subscribed:
	case err := <-ended:
		t.Fatalf("the scheduler ended: %v", err)
	case <-time.After(patience):
		t.Fatal("the scheduler did not subscribe")
	}
	if _, frameworks := askAs(t, "op:s3cret", "GET", "http://"+address+"/frameworks", ""); !strings.Contains(frameworks, `"principal":"fw"`) {
		t.Errorf("/frameworks shows no principal: %s", frameworks)
	}
	code, answer = askAs(t, "op:s3cret", "POST", "http://"+address+"/api/v1/scheduler", `{"framework_id":{"value":"`+id+`"},"type":"REVIVE"}`)
	if want := "Authenticated principal 'op' does not match principal 'fw' set in `FrameworkInfo`"; code != 400 || answer != want {
		t.Errorf("a call by another = %d %s, want 400 %s", code, answer, want)
	}

	cfg.Secret = "wrong"
	if err := sdk.Run(t.Context(), cfg, reporter{subscribed}); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a wrong secret Run = %v, want an error that says 401", err)
	}
}
