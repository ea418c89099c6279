package frameworktest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/soukproject/souk/framework/frameworktest"
	"github.com/soukproject/souk/framework/scheduler"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// greedy accepts every offer with no task, and gives up at the first failed one.
type greedy struct{}

func (greedy) Subscribed(context.Context, *scheduler.Session) error { return nil }

func (greedy) Offers(ctx context.Context, s *scheduler.Session, offers []*mesospb.Offer) error {
	return s.Accept(ctx, scheduler.OfferIDs(offers...), nil)
}

func (greedy) Update(_ context.Context, _ *scheduler.Session, u *mesospb.TaskStatus) error {
	if u.GetState() == mesospb.TaskState_TASK_FAILED {
		return errors.New("a task failed")
	}
	return nil
}

// TestAScheduler is how a test of a scheduler looks.
func TestAScheduler(t *testing.T) {
	m := frameworktest.New(t)
	ended := make(chan error)
	go func() { ended <- scheduler.Run(t.Context(), m.Config("greedy", "web"), greedy{}) }()
	m.Expect(schedulerpb.Call_SUBSCRIBE)
	offer := m.Offer("agent-1", "web", frameworktest.Scalar("cpus", 4), frameworktest.Ports(31000, 32000))
	accept := m.Expect(schedulerpb.Call_ACCEPT).GetAccept()
	if got := accept.GetOfferIds()[0].GetValue(); got != offer.GetId().GetValue() {
		t.Errorf("accepted %s, want %s", got, offer.GetId().GetValue())
	}
	task := &mesospb.TaskInfo{TaskId: &mesospb.TaskID{Value: new("t1")}, AgentId: offer.GetAgentId()}
	running := m.Update(task, mesospb.TaskState_TASK_RUNNING)
	if got := m.Expect(schedulerpb.Call_ACKNOWLEDGE).GetAcknowledge().GetUuid(); !bytes.Equal(got, running.GetUuid()) {
		t.Errorf("acknowledged %x, want %x", got, running.GetUuid())
	}
	m.Update(task, mesospb.TaskState_TASK_FAILED)
	if err := <-ended; err == nil {
		t.Error("Run() = nil, want the task's failure")
	}
}

// TestOverSockets drives the master with plain HTTP, as a client in any language would.
func TestOverSockets(t *testing.T) {
	m := frameworktest.New(t)
	srv := httptest.NewServer(m)
	defer srv.Close()
	post := func(stream, body string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/api/v1/scheduler", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if stream != "" {
			r.Header.Set("Mesos-Stream-Id", stream)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	revive := `{"framework_id":{"value":"test-master-0000"},"type":"REVIVE"}`

	if resp := post("x", revive); resp.StatusCode != http.StatusForbidden {
		t.Errorf("call before SUBSCRIBE = %d, want 403", resp.StatusCode)
	}
	sub := post("", `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}`)
	id := sub.Header.Get("Mesos-Stream-Id")
	if sub.StatusCode != http.StatusOK || id == "" {
		t.Fatalf("SUBSCRIBE = %d with stream id %q", sub.StatusCode, id)
	}
	want := `{"type":"SUBSCRIBED","subscribed":{"framework_id":{"value":"test-master-0000"},"heartbeat_interval_seconds":15.0}}`
	got := make([]byte, len(want)+4)
	if _, err := io.ReadFull(sub.Body, got); err != nil || !bytes.HasSuffix(got, []byte(want)) {
		t.Errorf("first record = %s, %v, want %s", got, err, want)
	}
	if resp := post("other", revive); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("call with another stream's id = %d, want 400", resp.StatusCode)
	}
	if resp := post(id, revive); resp.StatusCode != http.StatusAccepted {
		t.Errorf("call = %d, want 202", resp.StatusCode)
	}
	m.Expect(schedulerpb.Call_SUBSCRIBE)
	if got := m.Next().GetType(); got != schedulerpb.Call_REVIVE {
		t.Errorf("recorded %v, want REVIVE", got)
	}
	m.Quiet()

	// A second subscription takes the place of the first.
	again := post("", `{"framework_id":{"value":"mine"},"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n","id":{"value":"mine"}}}}`)
	if again.Header.Get("Mesos-Stream-Id") == id {
		t.Error("second stream has the id of the first")
	}
	if _, err := io.ReadAll(sub.Body); err != nil {
		t.Errorf("first stream ended with %v, want its end", err)
	}
	m.Disconnect()
	rest, err := io.ReadAll(again.Body)
	if err != nil || !strings.Contains(string(rest), `{"value":"mine"}`) {
		t.Errorf("second stream = %s, %v, want SUBSCRIBED as mine and an end", rest, err)
	}
}

func TestScriptRefusesCalls(t *testing.T) {
	m := frameworktest.New(t)
	m.Script(func(c *schedulerpb.Call) error {
		return &scheduler.Error{Code: http.StatusBadRequest, Text: "not today"}
	})
	ended := make(chan error)
	go func() { ended <- scheduler.Run(t.Context(), m.Config("greedy", "web"), greedy{}) }()
	m.Expect(schedulerpb.Call_SUBSCRIBE)
	m.Offer("agent-1", "web")
	if err := <-ended; err == nil || err.Error() != "accept: not today" {
		t.Errorf("Run() = %v, want accept: not today", err)
	}
	m.Quiet()
}
