package master_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon/daemontest"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/leadertest"
	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/master"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// launchTask accepts offers with one task that uses a part of them.
func launchTask(t *testing.T, s *scheduler, offer *mesospb.Offer, id string) {
	t.Helper()
	task := &mesospb.TaskInfo{
		Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: offer.GetAgentId(),
		Command: &mesospb.CommandInfo{Value: new("sleep 1000")},
		Resources: []*mesospb.Resource{
			{Name: new("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(0.5)}},
			{Name: new("mem"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(128.0)}},
		},
	}
	err := s.call(&schedulerpb.Call{Type: schedulerpb.Call_ACCEPT.Enum(), Accept: &schedulerpb.Call_Accept{
		OfferIds: []*mesospb.OfferID{offer.GetId()},
		Operations: []*mesospb.Offer_Operation{{
			Type: mesospb.Offer_Operation_LAUNCH.Enum(), Launch: &mesospb.Offer_Operation_Launch{TaskInfos: []*mesospb.TaskInfo{task}},
		}},
	}})
	if err != nil {
		t.Fatalf("ACCEPT = %v", err)
	}
}

func (a *agent) update(s *scheduler, id string, state mesospb.TaskState, uuid byte) *linkpb.Message {
	return &linkpb.Message{Type: linkpb.Message_STATUS_UPDATE.Enum(), StatusUpdate: &linkpb.StatusUpdate{
		FrameworkId: s.id, LatestState: state.Enum(),
		Status: &mesospb.TaskStatus{
			TaskId: &mesospb.TaskID{Value: &id}, AgentId: a.id, State: state.Enum(), Uuid: []byte(strings.Repeat(string(rune(uuid)), 16)),
			Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(), Timestamp: new(float64(time.Now().Unix())),
		},
	}}
}

// TestTaskLife is one task from the offer to its end, seen from all sides.
func TestTaskLife(t *testing.T) {
	address := start(t)
	a := register(t, address, agentInfo(t, "agent1.example", 5051))
	s := subscribe(t, address, frameworkInfo("alpha"))
	offer := s.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0]
	if offer.GetAgentId().GetValue() != a.id.GetValue() || offer.GetHostname() != "agent1.example" {
		t.Errorf("offer = %v, want one of agent %v", offer, a.id)
	}
	launchTask(t, s, offer, "web.1")
	if got := a.await(linkpb.Event_RUN_TASK).GetRunTask().GetTask().GetTaskId().GetValue(); got != "web.1" {
		t.Errorf("agent runs %q, want web.1", got)
	}
	a.send(a.update(s, "web.1", mesospb.TaskState_TASK_RUNNING, 'a'))
	status := s.await(schedulerpb.Event_UPDATE).GetUpdate().GetStatus()
	if status.GetState() != mesospb.TaskState_TASK_RUNNING {
		t.Errorf("update = %v, want TASK_RUNNING", status)
	}
	checkViews(t, address, a, s)
	err := s.call(&schedulerpb.Call{Type: schedulerpb.Call_ACKNOWLEDGE.Enum(), Acknowledge: &schedulerpb.Call_Acknowledge{
		AgentId: status.GetAgentId(), TaskId: status.GetTaskId(), Uuid: status.GetUuid(),
	}})
	if err != nil {
		t.Fatalf("ACKNOWLEDGE = %v", err)
	}
	a.await(linkpb.Event_ACKNOWLEDGE)
	a.send(a.update(s, "web.1", mesospb.TaskState_TASK_FINISHED, 'b'))
	if got := s.await(schedulerpb.Event_UPDATE).GetUpdate().GetStatus().GetState(); got != mesospb.TaskState_TASK_FINISHED {
		t.Errorf("update = %v, want TASK_FINISHED", got)
	}
}

// checkViews looks at a running task through every endpoint that shows it.
func checkViews(t *testing.T, address string, a *agent, s *scheduler) {
	t.Helper()
	base := "http://" + address
	calls := map[string][]string{
		"GET_STATE":      {`"state":"TASK_RUNNING"`, `"framework_id":{"value":"` + s.id.GetValue() + `"}`, `"hostname":"agent1.example"`},
		"GET_AGENTS":     {`"agent_info":{"hostname":"agent1.example"`, `"allocated_resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5},"role":"*","allocation_info":{"role":"dev"}}`},
		"GET_FRAMEWORKS": {`"name":"alpha"`, `"completed_frameworks":[]`, `"connected":true`},
		"GET_TASKS":      {`"task_id":{"value":"web.1"}`, `"completed_tasks":[]`},
		"GET_EXECUTORS":  {`{"executors":[]}`},
		"GET_ROLES":      {`{"name":"dev","weight":1.0,"frameworks":[{"value":"` + s.id.GetValue() + `"}]`},
		"GET_MASTER":     {`"pid":"master@` + address + `"`, `"elected_time":`, `"start_time":`},
	}
	for call, wants := range calls {
		code, body := post(t, base+"/api/v1", "application/json", `{"type":"`+call+`"}`)
		for _, want := range wants {
			if code != 200 || !strings.Contains(body, want) {
				t.Errorf("%s = %d %s, want %s in it", call, code, body, want)
			}
		}
	}
	pages := map[string][]string{
		"/state":            {`"id":"web.1"`, `"slave_id":"` + a.id.GetValue() + `"`, `"activated_slaves":1.0`, `"leader":"master@` + address + `"`, `"cluster":"golden"`},
		"/master/state":     {`"executor_id":""`, `"role":"dev"`, `"used_resources":{"disk":0.0,"mem":128.0,"gpus":0.0,"cpus":0.5}`},
		"/state-summary":    {`"TASK_RUNNING":1`, `"framework_ids":["` + s.id.GetValue() + `"]`, `"slave_ids":["` + a.id.GetValue() + `"]`},
		"/slaves":           {`"attributes":{"rack":"r1","ssd":"true","level":3.0}`, `"ports":"[31000-32000]"`, `"used_resources_full":[{"name":"cpus"`},
		"/frameworks":       {`"roles":["dev"]`, `"failover_timeout":3600.0`, `"unregistered_frameworks":[]`},
		"/tasks":            {`"state":"TASK_RUNNING"`, `"statuses":[{"state":"TASK_RUNNING","timestamp":`},
		"/roles":            {`"name":"dev"`, `"allocated":{"cpus":0.5,"mem":128.0}`},
		"/metrics/snapshot": {`"master/tasks_running":1.0`, `"master/slaves_active":1.0`, `"master/elected":1.0`},
		"/metrics":          {"mesos_master_tasks_running 1\n", "# TYPE mesos_master_messages_kill_task counter\n"},
		"/weights":          {`[]`},
	}
	for path, wants := range pages {
		code, body := get(t, base+path)
		for _, want := range wants {
			if code != 200 || !strings.Contains(body, want) {
				t.Errorf("GET %s = %d %s, want %s in it", path, code, body, want)
			}
		}
		if strings.HasPrefix(body, "{") && !json.Valid([]byte(body)) {
			t.Errorf("GET %s is no JSON: %s", path, body)
		}
	}
}

// TestStreamBeginsAsClientsExpect: SUBSCRIBED and at once a heartbeat, each one
// record, and a stream id in the header (mesos-api 1.6, 1.7).
func TestStreamBeginsAsClientsExpect(t *testing.T) {
	address := start(t)
	body := `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"x"}}}`
	resp, err := http.Post("http://"+address+"/api/v1/scheduler", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || len(resp.Header.Get("Mesos-Stream-Id")) != 36 || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("answer = %d %v", resp.StatusCode, resp.Header)
	}
	var length int
	record := func() string {
		if _, err := fmt.Fscanf(resp.Body, "%d\n", &length); err != nil {
			t.Fatal(err)
		}
		text := make([]byte, length)
		for i := range text {
			if _, err := resp.Body.Read(text[i : i+1]); err != nil {
				t.Fatal(err)
			}
		}
		return string(text)
	}
	if got := record(); !strings.HasPrefix(got, `{"type":"SUBSCRIBED","subscribed":{"framework_id":{"value":"`) ||
		!strings.Contains(got, `"heartbeat_interval_seconds":15.0,"master_info":{"id":"`) {
		t.Errorf("first record = %s", got)
	}
	if got := record(); got != `{"type":"HEARTBEAT"}` {
		t.Errorf("second record = %s, want a heartbeat", got)
	}
}

func TestOperatorSeesWhatHappens(t *testing.T) {
	address := start(t)
	resp, err := http.Post("http://"+address+"/api/v1", "application/json", strings.NewReader(`{"type":"SUBSCRIBE"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	seen := make(chan string, 100)
	go func() {
		defer close(seen)
		buffer := make([]byte, 64<<10)
		for {
			n, err := resp.Body.Read(buffer)
			if err != nil {
				return
			}
			seen <- string(buffer[:n])
		}
	}()
	all := ""
	see := func(want string) {
		t.Helper()
		timeout := time.After(patience)
		for !strings.Contains(all, want) {
			select {
			case text := <-seen:
				all += text
			case <-timeout:
				t.Fatalf("stream = %s, want %s", all, want)
			}
		}
		_, all, _ = strings.Cut(all, want)
	}
	see(`{"type":"SUBSCRIBED","subscribed":{"get_state":{"get_tasks":{"tasks":[]`)
	see(`{"type":"HEARTBEAT"}`)
	a := register(t, address, agentInfo(t, "agent1.example", 5051))
	see(`{"type":"AGENT_ADDED"`)
	s := subscribe(t, address, frameworkInfo("alpha"))
	see(`{"type":"FRAMEWORK_ADDED"`)
	launchTask(t, s, s.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0], "t1")
	a.await(linkpb.Event_RUN_TASK)
	see(`{"type":"TASK_ADDED"`)
	a.send(a.update(s, "t1", mesospb.TaskState_TASK_RUNNING, 'a'))
	see(`{"type":"TASK_UPDATED"`)
	code, body := post(t, "http://"+address+"/master/teardown", "application/x-www-form-urlencoded", "frameworkId="+s.id.GetValue())
	if code != 200 || body != "" {
		t.Errorf("teardown = %d %q, want 200", code, body)
	}
	see(`{"type":"FRAMEWORK_REMOVED"`)
	a.await(linkpb.Event_SHUTDOWN_FRAMEWORK)
}

// TestAgentsSurviveTheMaster: what was admitted is recovered by the next master.
func TestAgentsSurviveTheMaster(t *testing.T) {
	dir := t.TempDir()
	inDir := func(c *master.Config) { c.Store, c.WorkDir = nil, filepath.Join(dir, "master") }
	p := launch(t, inDir)
	awaitLeader(t, p.address)
	a := register(t, p.address, agentInfo(t, "agent1.example", 5051))
	a.close()
	if err := p.stop(); err != nil {
		t.Fatalf("Run = %v", err)
	}
	address := start(t, inDir)
	_, body := get(t, "http://"+address+"/slaves")
	want := `{"slaves":[],"recovered_slaves":[{"id":"` + a.id.GetValue() + `","hostname":"agent1.example","port":5051,"attributes":{"rack":"r1","ssd":"true","level":3.0}}]}`
	if body != want {
		t.Errorf("/slaves = %s, want %s", body, want)
	}
	info := agentInfo(t, "agent1.example", 5051)
	info.Id = a.id
	if back := register(t, address, info); back.id.GetValue() != a.id.GetValue() {
		t.Errorf("agent came back as %v, want %v", back.id, a.id)
	}
}

func TestFailedWriteEndsTheMaster(t *testing.T) {
	store := memstate.New()
	p := launch(t, func(c *master.Config) { c.Store = store })
	awaitLeader(t, p.address)
	store.Fail(errors.New("no space left on device"))
	client := callevent.NewClient[*linkpb.Call](callevent.ClientConfig[*linkpb.Event]{
		URL: "http://" + p.address + "/api/v1/link", Codec: callevent.Protobuf, New: func() *linkpb.Event { return &linkpb.Event{} },
	})
	stream, err := client.Subscribe(t.Context(), &linkpb.Call{
		Type: linkpb.Call_SUBSCRIBE.Enum(), Subscribe: &linkpb.Subscribe{Agent: agentInfo(t, "a", 1), Version: new("1.11.0")},
	})
	if err == nil {
		if e, err := stream.Next(); err == nil {
			t.Errorf("agent heard %v, want nothing: it is not durable", e)
		}
	}
	if err := p.wait(); err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("Run = %v, want what failed", err)
	}
}

// TestOnlyTheLeaderAnswers: a standby redirects, and takes over when it leads.
func TestOnlyTheLeaderAnswers(t *testing.T) {
	election, store := leadertest.NewElection(), memstate.New()
	contend := func(c *master.Config) {
		c.Store = store
		c.Detector = election
		c.Contender = election.Contender(leader.Leader{ID: c.Listener.Addr().String(), Address: c.Listener.Addr().String()})
	}
	leading := launch(t, contend)
	first := leading.address
	awaitLeader(t, first)
	standby := launch(t, contend)
	second := standby.address
	noRedirects := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	expect := func(method, path string, code int, location string) {
		t.Helper()
		deadline := time.Now().Add(patience)
		for {
			req, err := http.NewRequestWithContext(t.Context(), method, "http://"+second+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := noRedirects.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			got := resp.Header.Get("Location")
			if resp.StatusCode == code && got == location {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s %s = %d %q, want %d %q", method, path, resp.StatusCode, got, code, location)
			}
			time.Sleep(5 * time.Millisecond) // detection takes its time
		}
	}
	expect("GET", "/state?a=b", 307, "//"+first+"/master/state?a=b")
	expect("GET", "/api/v1/scheduler", 307, "//"+first+"/master/api/v1/scheduler")
	expect("DELETE", "/api/v1", 307, "//"+first+"/master/api/v1")
	expect("GET", "/redirect", 307, "//"+first)
	expect("GET", "/health", 200, "")
	expect("GET", "/version", 200, "")
	election.Depose()
	if err := leading.wait(); !errors.Is(err, master.ErrLost) {
		t.Errorf("Run of the deposed = %v, want ErrLost", err)
	}
	awaitLeader(t, second)
	expect("GET", "/redirect", 307, "//"+second)
	if err := standby.stop(); err != nil {
		t.Errorf("Run of the second = %v, want nil", err)
	}
}

// TestFormerSelfDoesNotLead: until the session of a leader that was killed has
// ended, detectors name it. The process that took its place there redirects
// nobody to itself.
func TestFormerSelfDoesNotLead(t *testing.T) {
	election := leadertest.NewElection()
	standby := launch(t, func(c *master.Config) {
		me := c.Listener.Addr().String()
		former := election.Contender(leader.Leader{ID: "former", Address: me})
		if _, err := former.Contend(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Store, c.Detector = memstate.New(), election
		c.Contender = election.Contender(leader.Leader{ID: "present", Address: me})
	})
	for range 20 { // detection takes its time
		resp, err := http.Get("http://" + standby.address + "/state")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("GET /state = %s, want 503", resp.Status)
		}
		time.Sleep(5 * time.Millisecond)
	}
	election.Depose()
	awaitLeader(t, standby.address)
	if err := standby.stop(); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

// TestGarbageConnections: thousands of connections that never finish a request
// do not keep others from being answered.
func TestGarbageConnections(t *testing.T) {
	daemontest.Garbage(t, start(t), "/api/v1/scheduler")
}
