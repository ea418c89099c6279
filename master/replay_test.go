package master_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A record is one request to a real master, and what it answered.
type record struct {
	Name    string
	Request struct {
		Method, Path, Body string
		Headers            [][2]string
		Base64             string `json:"body_base64"`
		Raw                string
	}
	Response struct {
		Status  int
		Body    string
		Headers [][2]string
	}
}

// recorded reads a file of ../shared/data/mesos-recorded, or skips the test.
func recorded(t *testing.T, name string) []record {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for !exists(filepath.Join(dir, "go.mod")) {
		dir = filepath.Dir(dir)
	}
	file, err := os.Open(filepath.Join(dir, "..", "shared", "data", "mesos-recorded", name+".jsonl"))
	if err != nil {
		t.Skipf("no recorded traffic: %v", err)
	}
	defer file.Close()
	var all []record
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// send repeats a recorded request, with words replaced.
func (r record) send(t *testing.T, address string, words *strings.Replacer) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.Request.Method, "http://"+address+r.Request.Path, strings.NewReader(words.Replace(r.Request.Body)))
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	for _, h := range r.Request.Headers {
		if h[0] != "Host" && h[0] != "Content-Length" {
			req.Header.Add(h[0], words.Replace(h[1]))
		}
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	defer resp.Body.Close()
	if strings.Contains(r.Request.Body, `"SUBSCRIBE"`) && resp.StatusCode == http.StatusOK {
		return resp.StatusCode, "" // a stream
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	return resp.StatusCode, string(body)
}

// replay is play for a good number of records.
func replay(t *testing.T, address string, all []record, words *strings.Replacer, skip func(record) bool) {
	t.Helper()
	played := play(t, address, all, words, skip)
	if played < 10 {
		t.Errorf("%d records were played, want more", played)
	}
	t.Logf("%d records played", played)
}

// play compares answers with the recorded ones: the status always, the body if it
// is an error's. It returns how many there were.
func play(t *testing.T, address string, all []record, words *strings.Replacer, skip func(record) bool) (played int) {
	t.Helper()
	for _, r := range all {
		if r.Response.Status == 0 || r.Request.Method == "" || skip(r) {
			continue
		}
		played++
		code, body := r.send(t, address, words)
		want := words.Replace(r.Response.Body)
		if code != r.Response.Status {
			t.Errorf("%s: %s %s %s = %d %s, recorded %d %s", r.Name, r.Request.Method, r.Request.Path, r.Request.Body, code, body, r.Response.Status, want)
		} else if code >= 400 && body != want && r.Request.Method != http.MethodHead && !sameKind(body, want) {
			t.Errorf("%s: %s = %q, recorded %q", r.Name, r.Request.Path, body, want)
		}
	}
	return played
}

// sameKind: where a JSON text breaks off is told in other words than Mesos'.
func sameKind(got, want string) bool {
	const prefix = "Failed to parse body into JSON: "
	return strings.HasPrefix(got, prefix) && strings.HasPrefix(want, prefix)
}

// later are paths of parts that this version answers with 501.
func later(path string) bool {
	return slices.ContainsFunc([]string{"/reserve", "/unreserve", "/create-volumes", "/destroy-volumes"},
		func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

func TestReplayHTTP(t *testing.T) {
	address := start(t)
	asIs := strings.NewReplacer()
	differs := func(names ...string) func(record) bool {
		return func(r record) bool {
			return strings.HasPrefix(r.Name, "agent") || strings.HasPrefix(r.Name, "executor") ||
				later(r.Request.Path) || r.Request.Base64 != "" || slices.Contains(names, r.Name)
		}
	}
	cases := []struct {
		file string
		skip func(record) bool
	}{
		{"http/routing-master", differs(
			"root",                                         // no web pages yet
			"metrics-bad-timeout",                          // our text names the units
			"no-leading-slash", "absolute-uri", "asterisk", // no such request leaves this client
		)},
		{"http/methods", differs()},
		{"http/content-types", differs()},
		{"http/accept", differs()},
	}
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) { replay(t, address, recorded(t, c.file), asIs, c.skip) })
	}
}

// TestReplaySchedulerCalls repeats what a subscribed framework did wrong.
func TestReplaySchedulerCalls(t *testing.T) {
	all := recorded(t, "scheduler/call-status-codes")
	address := start(t)
	info := frameworkInfo("rules")
	info.Roles = []string{"*"}
	info.FailoverTimeout = nil
	for _, c := range []mesospb.FrameworkInfo_Capability_Type{mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE} {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: c.Enum()})
	}
	s := subscribe(t, address, info)
	words := strings.NewReplacer(
		"56905e7a-1953-4f34-b7b8-7ec7b823a427-0000", s.id.GetValue(),
		"fc562020-4271-44e3-bc1b-a6a169e1c262", s.stream,
		"FC562020-4271-44E3-BC1B-A6A169E1C262", strings.ToUpper(s.stream),
	)
	replay(t, address, all, words, func(r record) bool {
		return r.Name == "stream during all calls above" || r.Name == "call after teardown"
	})
}

// TestReplayOperatorErrors repeats operators' calls that need no cluster.
func TestReplayOperatorErrors(t *testing.T) {
	address := start(t)
	replay(t, address, recorded(t, "operator-master/queries"), strings.NewReplacer(), func(r record) bool {
		for _, call := range []string{"LIST_FILES", "READ_FILE", "GET_MAINTENANCE"} {
			if strings.HasPrefix(r.Name, call) {
				return r.Response.Status != 400
			}
		}
		return false
	})
}

// called reports whether a record is of one of these calls or paths.
func called(r record, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return strings.Contains(r.Request.Body, `"type":"`+name+`"`) || name[0] == '/' && strings.HasPrefix(r.Request.Path, name)
	})
}

// TestReplayWeights repeats what operators did to weights.
func TestReplayWeights(t *testing.T) {
	address := start(t)
	all := slices.Concat(recorded(t, "operator-master/actions"), recorded(t, "legacy/actions"))
	replay(t, address, all, strings.NewReplacer(), func(r record) bool { return !called(r, "UPDATE_WEIGHTS", "/weights") })
	if code, body := get(t, "http://"+address+"/weights"); code != 200 || body != `[{"role":"dev","weight":2.0},{"role":"ops","weight":1.5},{"role":"web","weight":0.5}]` {
		t.Errorf("weights = %d %s", code, body)
	}
}

// TestReplayQuota repeats what operators did to quota, in the order of the recording.
func TestReplayQuota(t *testing.T) {
	actions, legacy := recorded(t, "operator-master/actions"), recorded(t, "legacy/actions")
	address := start(t)
	info := agentInfo(t, "agent1.example", 5051)
	r, err := resources.Parse("cpus:8;mem:8192;disk:9744;disk(dev):256;ports:[31000-32000]", "*")
	if err != nil {
		t.Fatal(err)
	}
	info.Resources = r.Proto(resources.PostRefinement)
	register(t, address, info)
	s := subscribe(t, address, frameworkInfo("alpha"))
	offer := s.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0]
	used, err := resources.Parse("cpus:0.5;mem:128;ports:[31000-31001]", "*")
	if err != nil {
		t.Fatal(err)
	}
	launch := &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_LAUNCH.Enum(), Launch: &mesospb.Offer_Operation_Launch{
		TaskInfos: []*mesospb.TaskInfo{{
			Name: new("t"), TaskId: &mesospb.TaskID{Value: new("t")}, AgentId: offer.GetAgentId(),
			Resources: used.Proto(resources.PostRefinement), Command: &mesospb.CommandInfo{Value: new("true")},
		}},
	}}
	if err := s.call(&schedulerpb.Call{Type: schedulerpb.Call_ACCEPT.Enum(), Accept: &schedulerpb.Call_Accept{
		OfferIds: []*mesospb.OfferID{offer.GetId()}, Operations: []*mesospb.Offer_Operation{launch},
	}}); err != nil {
		t.Fatal(err)
	}
	played := 0
	part := func(all []record) {
		played += play(t, address, all, strings.NewReplacer(), func(r record) bool {
			return !called(r, "UPDATE_QUOTA", "SET_QUOTA", "REMOVE_QUOTA", "GET_QUOTA", "/quota")
		})
	}
	later := slices.IndexFunc(actions, func(r record) bool { return r.Name == "UPDATE_QUOTA, below consumption" })
	deleted := slices.IndexFunc(legacy, func(r record) bool { return r.Name == "DELETE /quota/leg" })
	part(actions[:later])
	part(legacy[:deleted])
	code, body := get(t, "http://"+address+"/quota")
	shown := slices.IndexFunc(legacy, func(r record) bool { return r.Name == "GET /quota" })
	if diff := cmp.Diff(byRole(t, legacy[shown].Response.Body), byRole(t, body)); code != 200 || diff != "" {
		t.Errorf("GET /quota = %d (-recorded +got):\n%s", code, diff)
	}
	part(slices.Concat(legacy[deleted:], actions[later:], recorded(t, "operator-master/aborts"), recorded(t, "http/methods")))
	if played < 40 {
		t.Errorf("%d records were played, want more", played)
	}
}

// TestReplayMaintenance repeats what operators did to machines, in the order of the recording.
func TestReplayMaintenance(t *testing.T) {
	address := start(t)
	played := 0
	for _, file := range []string{"legacy/actions", "operator-master/actions"} {
		played += play(t, address, recorded(t, file), strings.NewReplacer(), func(r record) bool {
			return !called(r, "UPDATE_MAINTENANCE_SCHEDULE", "START_MAINTENANCE", "STOP_MAINTENANCE", "/maintenance", "/machine")
		})
	}
	if played < 30 {
		t.Errorf("%d records were played, want more", played)
	}
	for _, r := range recorded(t, "operator-master/queries") {
		if !called(r, "GET_MAINTENANCE_STATUS", "GET_MAINTENANCE_SCHEDULE") || r.Response.Status != http.StatusOK {
			continue
		}
		if code, body := r.send(t, address, strings.NewReplacer()); code != http.StatusOK || body != r.Response.Body {
			t.Errorf("%s = %d %s, recorded %s", r.Name, code, body, r.Response.Body)
		}
	}
}

// byRole takes a quota status apart; roles are recorded in no order.
func byRole(t *testing.T, body string) map[string]map[string]any {
	t.Helper()
	var status map[string][]map[string]any
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	all := map[string]map[string]any{}
	for kind, list := range status {
		all[kind] = map[string]any{}
		for _, x := range list {
			all[kind][x["role"].(string)] = x
		}
	}
	return all
}
