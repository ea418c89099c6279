package api_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/master/core"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// populated is a cluster of one agent and one framework that runs one task and
// has one behind it.
func populated(t *testing.T) *bench {
	t.Helper()
	b := leading()
	total, err := resources.Parse("cpus:7;mem:8000;disk:9232;ports:[31000-32000];cpus(ops):1;mem(ops):192;zones:{a,b}", "*")
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := resources.ParseAttributes("rack:r1;ssd:true;level:3;spare:[1-2]")
	if err != nil {
		t.Fatal(err)
	}
	agent := &mesospb.AgentInfo{Hostname: new("agent1.example"), Port: new(int32(5051)), Resources: total.Proto(resources.PostRefinement), Attributes: attributes}
	var capabilities []*mesospb.AgentInfo_Capability
	for _, c := range []mesospb.AgentInfo_Capability_Type{
		mesospb.AgentInfo_Capability_MULTI_ROLE, mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE, mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT,
	} {
		capabilities = append(capabilities, &mesospb.AgentInfo_Capability{Type: c.Enum()})
	}
	b.open(t, core.AgentSubscribed{Session: 1, Address: "127.0.0.1:40000", Subscribe: &linkpb.Subscribe{
		Agent: agent, Total: agent.Resources, Capabilities: capabilities, Version: new("1.11.0"),
	}})
	framework := &mesospb.FrameworkInfo{
		User: new("root"), Name: new("alpha"), Roles: []string{"dev", "web"}, FailoverTimeout: new(3600.0), Checkpoint: new(true),
		Hostname: new("sched1.example"), WebuiUrl: new("http://sched1.example:8080"), Principal: new("alpha-p"),
		Labels:       &mesospb.Labels{Labels: []*mesospb.Label{{Key: new("team"), Value: new("a")}, {Key: new("flag")}}},
		Capabilities: []*mesospb.FrameworkInfo_Capability{{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()}, {Type: mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT.Enum()}},
	}
	stream := b.open(t, core.Subscribed{Stream: "s1", Call: &schedulerpb.Call{
		Type: schedulerpb.Call_SUBSCRIBE.Enum(), Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: framework},
	}})
	b.step(core.Tick{})
	offers := stream.last(t, schedulerpb.Event_OFFERS).GetOffers().GetOffers()
	b.launch(t, offers[0], "web.1", "batch.1")
	b.update("web.1", offers[0].GetAgentId(), mesospb.TaskState_TASK_RUNNING, 1)
	b.update("batch.1", offers[0].GetAgentId(), mesospb.TaskState_TASK_FINISHED, 2)
	b.step(core.Called{Request: 99, Stream: "s1", Call: &schedulerpb.Call{
		Type: schedulerpb.Call_ACKNOWLEDGE.Enum(), FrameworkId: &mesospb.FrameworkID{Value: new("m1-0000")},
		Acknowledge: &schedulerpb.Call_Acknowledge{AgentId: offers[0].GetAgentId(), TaskId: &mesospb.TaskID{Value: new("batch.1")}, Uuid: bytes.Repeat([]byte{2}, 16)},
	}})
	b.step(core.Tick{})
	return b
}

// A tape is a Sink that remembers.
type tape struct {
	*callevent.Outbox
	events []*schedulerpb.Event
}

func (b *bench) open(t *testing.T, ev core.Event) *tape {
	t.Helper()
	s := &tape{Outbox: callevent.NewOutbox(1000)}
	if err := b.Open(t.Context(), ev, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *tape) Send(m proto.Message) bool {
	if e, ok := m.(*schedulerpb.Event); ok {
		s.events = append(s.events, e)
	}
	return true
}

func (s *tape) last(t *testing.T, kind schedulerpb.Event_Type) *schedulerpb.Event {
	t.Helper()
	for _, e := range slices.Backward(s.events) {
		if e.GetType() == kind {
			return e
		}
	}
	t.Fatalf("events = %v, want a %v", s.events, kind)
	return nil
}

func (b *bench) launch(t *testing.T, offer *mesospb.Offer, ids ...string) {
	t.Helper()
	var tasks []*mesospb.TaskInfo
	for _, id := range ids {
		used, err := resources.Parse("cpus:0.5;mem:128;ports:[31000-31001]", "*")
		if err != nil {
			t.Fatal(err)
		}
		if len(tasks) > 0 {
			used, _ = used.Sub(used.Named("ports"))
		}
		tasks = append(tasks, &mesospb.TaskInfo{
			Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: offer.GetAgentId(), Resources: used.Proto(resources.PostRefinement),
			Command: &mesospb.CommandInfo{Value: new("true"), User: new("nobody")},
			Labels:  &mesospb.Labels{Labels: []*mesospb.Label{{Key: new("app"), Value: new("web")}}},
			Discovery: &mesospb.DiscoveryInfo{
				Visibility: mesospb.DiscoveryInfo_CLUSTER.Enum(), Name: new("web"),
			},
			HealthCheck: &mesospb.HealthCheck{Type: mesospb.HealthCheck_COMMAND.Enum(), Command: &mesospb.CommandInfo{Value: new("true")}},
		})
	}
	b.step(core.Called{Request: 50, Stream: "s1", Call: &schedulerpb.Call{
		Type: schedulerpb.Call_ACCEPT.Enum(), FrameworkId: offer.GetFrameworkId(),
		Accept: &schedulerpb.Call_Accept{OfferIds: []*mesospb.OfferID{offer.GetId()}, Operations: []*mesospb.Offer_Operation{{
			Type: mesospb.Offer_Operation_LAUNCH.Enum(), Launch: &mesospb.Offer_Operation_Launch{TaskInfos: tasks},
		}}},
	}})
}

func (b *bench) update(id string, agent *mesospb.AgentID, state mesospb.TaskState, seq uint64) {
	b.step(core.AgentSent{Session: 1, Messages: []*linkpb.Message{{
		Seq: &seq, Type: linkpb.Message_STATUS_UPDATE.Enum(), StatusUpdate: &linkpb.StatusUpdate{
			FrameworkId: &mesospb.FrameworkID{Value: new("m1-0000")}, LatestState: state.Enum(),
			Status: &mesospb.TaskStatus{
				TaskId: &mesospb.TaskID{Value: &id}, AgentId: agent, State: state.Enum(), Uuid: bytes.Repeat([]byte{byte(seq)}, 16),
				Timestamp: new(1795210331.5446668), Healthy: new(true), Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(),
				ContainerStatus: &mesospb.ContainerStatus{
					ContainerId:  &mesospb.ContainerID{Value: new("c1")},
					NetworkInfos: []*mesospb.NetworkInfo{{IpAddresses: []*mesospb.NetworkInfo_IPAddress{{IpAddress: new("127.0.0.1")}}}},
				},
			},
		},
	}}})
}

// keys lists, for each place in a JSON text, the members there in their order;
// all elements of a list count as one place.
func keys(t *testing.T, text string) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	d := json.NewDecoder(strings.NewReader(text))
	var value func(path string)
	value = func(path string) {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		switch token {
		case json.Delim('{'):
			var names []string
			for d.More() {
				name, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, name.(string))
				value(path + "." + name.(string))
			}
			if len(names) > len(all[path]) {
				all[path] = names
			}
			if _, err := d.Token(); err != nil {
				t.Fatal(err)
			}
		case json.Delim('['):
			for d.More() {
				value(path)
			}
			if _, err := d.Token(); err != nil {
				t.Fatal(err)
			}
		}
	}
	value("")
	return all
}

// TestStateLooksLikeMesos compares members and their order with a recorded /state.
func TestStateLooksLikeMesos(t *testing.T) {
	want := keys(t, recordedBody(t, "GET /state"))
	got := keys(t, ask(handler(populated(t)), "GET", "/state", "").Body.String())
	cases := []struct {
		place        string
		ours, theirs []string // members that only one of the two has
	}{
		{place: "", ours: []string{"souk_version"}, theirs: []string{"git_branch", "log_dir"}},
		{place: ".leader_info"},
		{place: ".slaves"},
		{place: ".slaves.resources", ours: []string{"zones"}},
		{place: ".slaves.attributes", ours: []string{"spare"}},
		{place: ".frameworks"},
		{place: ".frameworks.tasks"},
		{place: ".frameworks.completed_tasks", ours: []string{"user", "labels", "discovery", "health_check"}},
		{place: ".frameworks.tasks.statuses"},
		{place: ".frameworks.tasks.statuses.container_status"},
		{place: ".frameworks.offers"},
		{place: ".frameworks.offers.allocation_info"},
	}
	for _, c := range cases {
		ours := slices.DeleteFunc(slices.Clone(got[c.place]), func(s string) bool { return slices.Contains(c.ours, s) })
		theirs := slices.DeleteFunc(slices.Clone(want[c.place]), func(s string) bool { return slices.Contains(c.theirs, s) })
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("members at %q (-recorded +ours):\n%s", c.place, diff)
		}
	}
}

// recordedBody is what a real master answered, from ../shared.
func recordedBody(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	file, err := os.Open(filepath.Join(dir, "..", "shared", "data", "mesos-recorded", "legacy", "master-state.jsonl"))
	if err != nil {
		t.Skipf("no recorded traffic: %v", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r struct {
			Name     string
			Response struct {
				Body         string
				BodyGunziped string `json:"body_gunzipped"`
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Name == name {
			return r.Response.Body + r.Response.BodyGunziped
		}
	}
	t.Fatalf("nothing recorded for %s", name)
	return ""
}

// TestLegacyValues pins how single values are written.
func TestLegacyValues(t *testing.T) {
	h := handler(populated(t))
	cases := []struct {
		path string
		want []string
	}{
		{"/state", []string{
			`"attributes":{"rack":"r1","ssd":"true","level":3.0,"spare":"[1-2]"}`,
			`"resources":{"disk":9232.0,"mem":8192.0,"gpus":0.0,"cpus":8.0,"ports":"[31000-32000]","zones":"{a, b}"}`,
			`"used_resources":{"disk":0.0,"mem":128.0,"gpus":0.0,"cpus":0.5,"ports":"[31000-31001]"}`,
			`"reserved_resources":{"ops":{"disk":0.0,"mem":192.0,"gpus":0.0,"cpus":1.0}}`,
			`"unreserved_resources":{"disk":9232.0,"mem":8000.0,"gpus":0.0,"cpus":7.0,"ports":"[31000-32000]","zones":"{a, b}"}`,
			`"pid":"slave(1)@127.0.0.1:5051"`,
			`"activated_slaves":1.0,"deactivated_slaves":0.0,"unreachable_slaves":0.0,"leader":"master@127.0.0.1:5050"`,
			`"id":"web.1","name":"web.1","framework_id":"m1-0000","executor_id":"","slave_id":"m1-S0","state":"TASK_RUNNING"`,
			`"timestamp":1795210331.5446668`,
			`"labels":[{"key":"team","value":"a"},{"key":"flag"}],"offer_constraints":{}`,
			`"failover_timeout":3600.0,"checkpoint":true`,
		}},
		{"/slaves?slave_id=m1-S0", []string{
			`"reserved_resources_full":{"ops":[{"name":"cpus","type":"SCALAR","scalar":{"value":1.0},"role":"ops"`,
			`"unreserved_resources_full":[{"name":"cpus","type":"SCALAR","scalar":{"value":7.0},"role":"*"}`,
			`"allocation_info":{"role":"`,
		}},
		{"/slaves?slave_id=nope", []string{`{"slaves":[],"recovered_slaves":[]}`}},
		{"/frameworks?framework_id=nope", []string{`{"frameworks":[],"completed_frameworks":[],"unregistered_frameworks":[]}`}},
		{"/state-summary", []string{
			`"TASK_STAGING":0,"TASK_STARTING":0,"TASK_RUNNING":1,"TASK_KILLING":0,"TASK_FINISHED":1,"TASK_KILLED":0,"TASK_FAILED":0,"TASK_LOST":0,"TASK_ERROR":0,"TASK_UNREACHABLE":0,"framework_ids":["m1-0000"]`,
			`"TASK_UNREACHABLE":0,"slave_ids":["m1-S0"]`,
		}},
		{"/roles", []string{
			`{"name":"ops","weight":1.5,"quota":{"role":"ops","guarantee":{},"limit":{},"consumed":{"cpus":1.0,"mem":192.0}},"resources":{},"allocated":{},"offered":{},"reserved":{"cpus":1.0,"mem":192.0},"frameworks":[]}`,
			`"ports":2.0`,
		}},
		{"/weights", []string{`[{"role":"ops","weight":1.5}]`}},
		{"/weights?jsonp=cb", []string{`cb([{"role":"ops","weight":1.5}])`}},
	}
	for _, c := range cases {
		w := ask(h, "GET", c.path, "")
		for _, want := range c.want {
			if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
				t.Errorf("GET %s = %d %s, want %s in it", c.path, w.Code, w.Body, want)
			}
		}
	}
}

func TestTasksPage(t *testing.T) {
	h := handler(populated(t))
	cases := map[string][]string{
		"":                         {"batch.1", "web.1"},
		"?order=asc":               {"web.1", "batch.1"},
		"?order=xyz":               {"batch.1", "web.1"},
		"?limit=1":                 {"batch.1"},
		"?limit=0":                 {},
		"?limit=-1":                {"batch.1", "web.1"},
		"?limit=abc":               {"batch.1", "web.1"},
		"?offset=1":                {"web.1"},
		"?offset=100":              {},
		"?order=desc&offset=1":     {"web.1"},
		"?task_id=web.1":           {"web.1"},
		"?task_id=nope":            {},
		"?framework_id=m1-0000":    {"batch.1", "web.1"},
		"?framework_id=nope":       {},
		"?offset=9999999999999999": {},
	}
	for query, want := range cases {
		var got struct{ Tasks []struct{ ID string } }
		if err := json.Unmarshal(ask(h, "GET", "/tasks"+query, "").Body.Bytes(), &got); err != nil {
			t.Fatalf("/tasks%s: %v", query, err)
		}
		ids := []string{}
		for _, task := range got.Tasks {
			ids = append(ids, task.ID)
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("/tasks%s (-want +got):\n%s", query, diff)
		}
	}
}

func TestStringsAreEscaped(t *testing.T) {
	b := leading()
	name := "a\"b\\c\n\t\r\x01\x7f</é\xff"
	b.open(t, core.Subscribed{Stream: "s1", Call: &schedulerpb.Call{Type: schedulerpb.Call_SUBSCRIBE.Enum(), Subscribe: &schedulerpb.Call_Subscribe{
		FrameworkInfo: &mesospb.FrameworkInfo{User: new("u"), Name: &name},
	}}})
	var got struct{ Frameworks []struct{ Name string } }
	body := ask(handler(b), "GET", "/frameworks", "").Body.String()
	if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Frameworks) != 1 {
		t.Fatalf("/frameworks = %s: %v", body, err)
	}
	if want := strings.ToValidUTF8(name, "\ufffd"); got.Frameworks[0].Name != want {
		t.Errorf("name = %q, want %q", got.Frameworks[0].Name, want)
	}
	if !strings.Contains(body, fmt.Sprintf(`\u%04x`, 1)) {
		t.Errorf("/frameworks = %s, want the control character escaped", body)
	}
}
