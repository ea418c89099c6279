package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/containerizertest"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/disk"
	"github.com/soukproject/souk/agent/nested"
	"github.com/soukproject/souk/agent/sandbox"
	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// fakeAgent has one framework with a running task.
type fakeAgent struct {
	snapshot   core.Snapshot
	recovering bool
	executor   []*executorpb.Call // that came through
	reply      core.Reply         // to them
	ended      int                // streams
	pending    []Operation
}

func (f *fakeAgent) Recovered() bool { return !f.recovering }
func (f *fakeAgent) Master() string  { return "m1" }

func (f *fakeAgent) Pending() []Operation { return f.pending }

func (f *fakeAgent) Snapshot(context.Context) (core.Snapshot, error) { return f.snapshot, nil }

func (f *fakeAgent) Stats(_ context.Context, id string) (containerizer.Statistics, error) {
	if id != "c-1" {
		return containerizer.Statistics{}, containerizer.ErrUnknown
	}
	return containerizer.Statistics{Time: time.Unix(100, 0), CPUUser: time.Second, CPURequest: 600, MemAnon: 1 << 20,
		Traffic:  &containerizer.Traffic{Received: containerizer.Packets{Bytes: 11}, Sent: containerizer.Packets{Dropped: 12}},
		Blocks:   []containerizer.BlockIO{{Major: 8, Minor: 1, Reads: 3}},
		Pressure: &containerizer.Pressure{CPU: containerizer.Stalls{Some: containerizer.Stall{Avg10: 1.5}}},
	}, nil
}

func (f *fakeAgent) Disks(id string) []disk.Reading {
	if id != "c-1" {
		return nil
	}
	return []disk.Reading{
		{Folder: disk.Folder{Container: id, Limit: 20}, Used: 10, Whole: true},
		{Folder: disk.Folder{Container: id, Volume: "v1", Limit: 40}, Used: 30, Whole: true},
	}
}

func (f *fakeAgent) SubscribeExecutor(_ context.Context, call *executorpb.Call, outbox *callevent.Outbox) (ExecutorStream, core.Reply, error) {
	f.executor = append(f.executor, call)
	outbox.Close(&executorpb.Event{Type: executorpb.Event_SHUTDOWN.Enum()})
	return func() { f.ended++ }, f.reply, nil
}

func (f *fakeAgent) CallExecutor(_ context.Context, call *executorpb.Call) (core.Reply, error) {
	f.executor = append(f.executor, call)
	return f.reply, nil
}

func scalar(name string, x float64) *mesospb.Resource {
	return &mesospb.Resource{
		Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &x},
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: new("dev")},
	}
}

func snapshot() core.Snapshot {
	task := &mesospb.TaskInfo{
		Name: new("web"), TaskId: &mesospb.TaskID{Value: new("web.1")}, AgentId: &mesospb.AgentID{Value: new("S0")},
		Resources: []*mesospb.Resource{scalar("cpus", 0.5), scalar("mem", 128)},
		Command:   &mesospb.CommandInfo{Value: new("sleep 1000"), User: new("nobody")},
		Labels:    &mesospb.Labels{Labels: []*mesospb.Label{{Key: new("app"), Value: new("<web>")}}},
	}
	status := &mesospb.TaskStatus{TaskId: task.TaskId, State: mesospb.TaskState_TASK_RUNNING.Enum(), Timestamp: new(12.0), Uuid: []byte("u")}
	info := &mesospb.ExecutorInfo{
		ExecutorId: &mesospb.ExecutorID{Value: new("web.1")}, Name: new("Command Executor (Task: web.1)"),
		Resources: []*mesospb.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
	}
	return core.Snapshot{
		Total: resources.Of(resources.Resource{Name: "cpus", Scalar: resources.Whole(8)}),
		Info: &mesospb.AgentInfo{
			Id: &mesospb.AgentID{Value: new("S0")}, Hostname: new("agent1"), Port: new(int32(5051)),
			Resources: []*mesospb.Resource{{Name: new("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(8.0)}}},
		},
		Frameworks: []core.Framework{{
			Info: &mesospb.FrameworkInfo{User: new("root"), Name: new("alpha"), Id: &mesospb.FrameworkID{Value: new("F0")}},
			Executors: []core.Executor{{
				Run:  core.Run{Agent: "S0", Framework: "F0", Executor: "web.1", Container: "c-1"},
				Info: info, BuiltIn: true, PID: 42, Running: true, Launched: time.Unix(10, 0),
				Tasks: []core.Task{{Info: task, State: mesospb.TaskState_TASK_RUNNING, Statuses: []*mesospb.TaskStatus{status}}},
			}},
		}},
	}
}

type fixture struct {
	agent   *fakeAgent
	config  Config
	handler http.Handler
	dir     string // the sandbox

	pruned     []string // what was to be kept
	pruneError error
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	work := t.TempDir()
	store, err := sandbox.Open(work)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	dir, err := store.Create(sandbox.Run{Agent: "S0", Framework: "F0", Executor: "web.1", Container: "c-1"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"stdout": "out\n", "bin.dat": "a\xff\"\n", "page.html": "<p>x</p>", "big": strings.Repeat("x", 70000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	containers := containerizertest.NewFake()
	if _, err := containers.Launch(t.Context(), containerizer.Config{ID: "c-1", Sandbox: dir, Command: containerizer.Command{Value: "sleep"}}); err != nil {
		t.Fatal(err)
	}
	registry, err := nested.Open(nested.Config{Containers: containers, WorkDir: work})
	if err != nil {
		t.Fatal(err)
	}
	files := sandbox.NewFiles(store, nil)
	files.SetAgent("S0")
	agent := &fakeAgent{snapshot: snapshot()}
	f := &fixture{agent: agent, dir: dir}
	f.config = Config{
		Agent: agent, Files: files, Store: store, Nested: registry, Metrics: metrics.New(), Address: "10.0.0.1:5051", Started: time.Unix(1, 0),
		Flags: []daemon.Flag{{Name: "port", Value: "5051", Set: true}, {Name: "hostname"}},
		Build: Build{Version: "0.1.0"},
		Prune: func(keep []string) error { f.pruned = keep; return f.pruneError },
	}
	f.handler = New(f.config)
	return f
}

func (f *fixture) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://agent"+target, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// TestRecordedRouting asks what Mesos' agent was asked and wants its answers.
func TestRecordedRouting(t *testing.T) {
	f := newFixture(t)
	own := map[string]bool{ // what we answer in another way, and say so
		"/containerizer/debug": true, "/version": true, "/metrics/snapshot?timeout=abc": true, "/slave(1)/flags": true,
	}
	for _, rec := range recorded(t, "http/routing-agent.jsonl") {
		if own[rec.Request.Path] {
			continue
		}
		w := f.do(rec.Request.Method, rec.Request.Path, rec.Request.Body)
		if w.Code != rec.Response.Status || rec.Response.Status != 200 && w.Body.String() != rec.Response.Body {
			t.Errorf("%s %s = %d %q, want %d %q", rec.Request.Method, rec.Request.Path, w.Code, w.Body, rec.Response.Status, rec.Response.Body)
		}
	}
}

type recording struct {
	Request  struct{ Method, Path, Body string }
	Response struct {
		Status int
		Body   string
	}
}

// recorded reads traffic of a real agent from the data shared by all components.
func recorded(t *testing.T, name string) []recording {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Dir(root)
	}
	file, err := os.Open(filepath.Join(root, "../shared/data/mesos-recorded", name))
	if err != nil {
		t.Skipf("no recorded traffic: %v", err)
	}
	defer file.Close()
	var list []recording
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var rec recording
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			t.Fatal(err)
		}
		list = append(list, rec)
	}
	if len(list) == 0 || lines.Err() != nil {
		t.Fatalf("%d records in %s, %v", len(list), name, lines.Err())
	}
	return list
}

func TestState(t *testing.T) {
	f := newFixture(t)
	w := f.do("GET", "/slave%281%29/state", "")
	var got struct {
		Version, ID, PID, Hostname string
		Resources                  map[string]any
		Frameworks                 []struct {
			ID        string
			Executors []struct {
				ID, Container, Directory, Role string
				Resources                      map[string]float64
				Tasks                          []struct {
					ID          string
					ExecutorID  *string `json:"executor_id"`
					AgentID     string  `json:"slave_id"`
					State, User string
					Labels      []map[string]string
				}
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("/state = %v in %s", err, w.Body)
	}
	if got.Version != MesosVersion || got.ID != "S0" || got.PID != "slave(1)@10.0.0.1:5051" || len(got.Frameworks) != 1 {
		t.Errorf("/state = %+v", got)
	}
	x := got.Frameworks[0].Executors[0]
	if x.Container != "c-1" || x.Directory != f.dir || x.Role != "dev" || x.Resources["cpus"] != 0.6 || x.Resources["mem"] != 160 {
		t.Errorf("executor = %+v, want the sandbox and the resources with the overhead", x)
	}
	task := x.Tasks[0]
	if task.ExecutorID == nil || *task.ExecutorID != "" || task.AgentID != "S0" || task.State != "TASK_RUNNING" || task.User != "nobody" {
		t.Errorf("task = %+v, want a command task as Mesos shows it", task)
	}
	if task.Labels[0]["value"] != "<web>" || !strings.Contains(w.Body.String(), "<web>") {
		t.Errorf("labels = %v, want them unescaped", task.Labels)
	}
	for _, want := range []string{`"cpus":8.0`, `"gpus":0.0`, `"completed_frameworks":[]`, `"queued_tasks":[]`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("/state lacks %s: %s", want, w.Body)
		}
	}
	if w := f.do("GET", "/state?jsonp=cb", ""); !strings.HasPrefix(w.Body.String(), "cb({") || w.Header().Get("Content-Type") != "text/javascript" {
		t.Errorf("with jsonp: %s %.20s", w.Header().Get("Content-Type"), w.Body)
	}
}

func TestContainers(t *testing.T) {
	f := newFixture(t)
	for path, want := range map[string]string{
		"/containers":                    `"container_id":"c-1"`,
		"/containers?container_id=c-1":   `"executor_pid":42`,
		"/slave(1)/monitor/statistics":   `"cpus_soft_limit":0.6`,
		"/monitor/statistics?":           `"disk_limit_bytes":20,"disk_used_bytes":10,`,
		"/monitor/statistics?volumes":    `"disk_statistics":[{"limit_bytes":20,"used_bytes":10},{"persistence":{"id":"v1"},"limit_bytes":40,"used_bytes":30}]`,
		"/monitor/statistics?traffic":    `"net_rx_bytes":11,`,
		"/monitor/statistics?dropped":    `"net_tx_dropped":12`,
		"/monitor/statistics?blocks":     `"throttling":[{"device":{"major_number":8,"minor_number":1},"io_serviced":[{"op":"READ","value":3}`,
		"/monitor/statistics?pressure":   `"pressure":{"cpu":{"some":{"avg10":1.5,"avg60":0,`,
		"/monitor/statistics":            `"mem_rss_bytes":1048576`,
		"/containers?container_id=other": `[]`,
	} {
		if w := f.do("GET", path, ""); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("GET %s = %d %s, want %s", path, w.Code, w.Body, want)
		}
	}
}

func TestFiles(t *testing.T) {
	f := newFixture(t)
	at := func(endpoint, path, rest string) string {
		return "/files/" + endpoint + "?path=" + url.QueryEscape(path) + rest
	}
	alias := "/frameworks/F0/executors/web.1/runs/latest"
	tests := []struct {
		target string
		code   int
		want   string
	}{
		{"/files/browse", 400, "Expecting 'path=value' in query.\n"},
		{"/files/browse?path=", 400, "Expecting 'path=value' in query.\n"},
		{at("browse", "/", ""), 404, ""},
		{at("browse", f.dir+"/nope", ""), 404, ""},
		{at("browse", f.dir+"/stdout", ""), 200, "[]"},
		{at("browse", f.dir+"/..", ""), 400, "'" + f.dir + "/..' is inaccessible.\n"},
		{at("read", f.dir+"/stdout", ""), 200, `{"data":"","offset":4}`},
		{at("read", f.dir+"/stdout", "&offset=-1"), 200, `{"data":"","offset":4}`},
		{at("read", f.dir+"/stdout", "&offset=0"), 200, `{"data":"out\n","offset":0}`},
		{at("read", alias+"/stdout", "&offset=1&length=2"), 200, `{"data":"ut","offset":1}`},
		{at("read", f.dir+"/stdout", "&offset=99"), 200, `{"data":"","offset":99}`},
		{at("read", f.dir+"/bin.dat", "&offset=0"), 200, "{\"data\":\"a\xff\\\"\\n\",\"offset\":0}"},
		{at("read", f.dir+"/stdout", "&offset=-2"), 400, "Negative offset provided: -2.\n"},
		{at("read", f.dir+"/stdout", "&offset=abc"), 400, "Failed to parse offset: Failed to convert 'abc' to number.\n"},
		{at("read", f.dir+"/stdout", "&offset=0&length=abc"), 400, "Failed to parse length: Failed to convert 'abc' to number.\n"},
		{at("read", f.dir, ""), 400, "Cannot read a directory.\n"},
		{at("download", f.dir+"/stdout", ""), 200, "out\n"},
		{at("download", f.dir, ""), 400, "Cannot download a directory.\n"},
		{at("download", f.dir+"/nope", ""), 404, "404 Not Found."},
		{"/slave(1)" + at("browse", f.dir, ""), 404, "404 Not Found."},
	}
	for _, tt := range tests {
		if w := f.do("GET", tt.target, ""); w.Code != tt.code || w.Body.String() != tt.want {
			t.Errorf("GET %s = %d %q, want %d %q", tt.target, w.Code, w.Body, tt.code, tt.want)
		}
	}
	w := f.do("GET", at("read", f.dir+"/big", "&offset=0&length=90000"), "")
	if got := strings.Count(w.Body.String(), "x"); got != 65536 {
		t.Errorf("a read returns %d bytes, want 64 KiB", got)
	}
	w = f.do("GET", at("download", f.dir+"/page.html", ""), "")
	if w.Header().Get("Content-Type") != "text/html" || w.Header().Get("Content-Disposition") != "attachment; filename=page.html" {
		t.Errorf("download has headers %v", w.Header())
	}
	w = f.do("GET", at("browse", alias, ""), "")
	if body := w.Body.String(); !strings.Contains(body, `"mode":"-rw-r--r--"`) || !strings.Contains(body, `"path":"`+alias+`/stdout","size":4`) {
		t.Errorf("browse = %s, want stdout by the path asked for", body)
	}
	w = f.do("GET", "/files/debug", "")
	if !strings.Contains(w.Body.String(), `"`+alias+`":"`+f.dir+`"`) {
		t.Errorf("/files/debug = %s, want the alias", w.Body)
	}
}

func TestOperatorCalls(t *testing.T) {
	f := newFixture(t)
	tests := []struct {
		body string
		code int
		want string // part of the answer
	}{
		{`{"type":"GET_HEALTH"}`, 200, `{"type":"GET_HEALTH","get_health":{"healthy":true}}`},
		{`{"type":"GET_VERSION"}`, 200, `"version":"1.11.0"`},
		{`{"type":"GET_FLAGS"}`, 200, `"get_flags":{"flags":[{"name":"port","value":"5051"}]}`},
		{`{"type":"GET_METRICS","get_metrics":{}}`, 200, `"get_metrics"`},
		{`{"type":"GET_STATE"}`, 200, `"launched_tasks":[{"name":"web"`},
		{`{"type":"GET_AGENT"}`, 200, `"agent_info":{"hostname":"agent1"`},
		{`{"type":"GET_CONTAINERS"}`, 200, `"container_status":{"executor_pid":42`},
		{`{"type":"GET_TASKS"}`, 200, `"pending_tasks":[]`},
		{`{"type":"GET_EXECUTORS"}`, 200, `"executor_info":{"executor_id":{"value":"web.1"}`},
		{`{"type":"GET_FRAMEWORKS"}`, 200, `"framework_info":{"user":"root","name":"alpha"`},
		{`{"type":"LIST_FILES","list_files":{"path":"` + f.dir + `"}}`, 200, `"mode":33188`},
		{`{"type":"LIST_FILES","list_files":{"path":"` + f.dir + `/zz"}}`, 404, ""},
		{`{"type":"READ_FILE","read_file":{"path":"` + f.dir + `/stdout","offset":0,"length":20}}`, 200, `{"size":4,"data":"b3V0Cg=="}`},
		{`{"type":"READ_FILE","read_file":{"path":"` + f.dir + `","offset":0}}`, 400, "Cannot read a directory.\n"},
		{`{"type":"READ_FILE"}`, 400, "Failed to validate agent::Call: Expecting 'read_file' to be present"},
		{`{"type":"NOPE"}`, 400, "Failed to validate agent::Call: Expecting 'type' to be present"},
		{`{"type":"UNKNOWN"}`, 501, "501 Not Implemented."},
		{`{"type":"GET_OPERATIONS"}`, 200, `"type":"GET_OPERATIONS"`},
		{`{"type":"GET_RESOURCE_PROVIDERS"}`, 200, `"type":"GET_RESOURCE_PROVIDERS"`},
		{`{"type":"MARK_RESOURCE_PROVIDER_GONE"}`, 400, "Expecting 'mark_resource_provider_gone' to be present"},
		{`{"type":"MARK_RESOURCE_PROVIDER_GONE","mark_resource_provider_gone":{"resource_provider_id":{"value":"rp"}}}`, 200, ""},
		{`{"type":"ADD_RESOURCE_PROVIDER_CONFIG","add_resource_provider_config":{"info":{"type":"t","name":"n"}}}`, 400, "Unknown local resource provider type 't'"},
		{`{"type":"UPDATE_RESOURCE_PROVIDER_CONFIG","update_resource_provider_config":{"info":{"type":"org.apache.mesos.rp.local.storage","name":"n","storage":{"plugin":{"type":"p","name":"q"}}}}}`, 500, "--resource_provider_config_dir"},
		{`{"type":"LAUNCH_CONTAINER"}`, 400, "Expecting 'launch_container' to be present"},
		{`{"type":"WAIT_NESTED_CONTAINER","wait_nested_container":{"container_id":{"value":"zz"}}}`, 400, "Expecting 'wait_nested_container.container_id.parent' to be present"},
		{`{"type":"LAUNCH_NESTED_CONTAINER","launch_nested_container":{"container_id":{"value":"a.b","parent":{"value":"p"}}}}`, 400, "'a.b' contains invalid characters"},
		{`{"type":"LAUNCH_NESTED_CONTAINER","launch_nested_container":{"container_id":{"value":"","parent":{"value":"p"}}}}`, 400, "ID must not be empty"},
		{`{"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{"container_id":{"value":"s","parent":{"value":"p"}},"container":{"type":"MESOS","linux_info":{"share_cgroups":false}}}}`, 400, "cannot be set to 'false' for nested container sessions"},
		{`{"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"s"},"container":{"type":"MESOS","linux_info":{"share_cgroups":true}}}}`, 400, "cannot set 'share_cgroups' to 'true'"},
		{`{"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"g","parent":{"value":"n","parent":{"value":"p"}}},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}}`, 400, "second level or greater cannot specify resources"},
		{`{"type":"ATTACH_CONTAINER_INPUT"}`, 400, "Expecting 'attach_container_input' to be present"},
		{`{"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{}}`, 415, "Expecting 'Content-Type' to be application/recordio for ATTACH_CONTAINER_INPUT call"},
		{`{"type":`, 400, "Failed to parse body into JSON"},
	}
	for _, tt := range tests {
		if w := f.do("POST", "/slave(1)/api/v1", tt.body); w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s = %d %s, want %d %s", tt.body, w.Code, w.Body, tt.code, tt.want)
		}
	}
	if w := f.do("POST", "/api/v1", `{"type":"GET_HEALTH"}`, "Accept", "text/html"); w.Code != 406 {
		t.Errorf("with an Accept nobody can satisfy: %d, want 406", w.Code)
	}
}

func TestAskingForAStreamOfWhatIsNone(t *testing.T) {
	w := newFixture(t).do("POST", "/api/v1", `{"type":"GET_HEALTH"}`, "Accept", "application/recordio", "Message-Accept", "application/json")
	if want := "Streaming response is not supported for GET_HEALTH call"; w.Code != 406 || w.Body.String() != want {
		t.Errorf("GET_HEALTH as a stream = %d %s, want 406 %s", w.Code, w.Body, want)
	}
}

func TestLoggingLevel(t *testing.T) {
	f := newFixture(t)
	ask := func() string {
		return f.do("GET", "/logging/toggle", "").Body.String() + f.do("POST", "/api/v1", `{"type":"GET_LOGGING_LEVEL"}`).Body.String()
	}
	shown := func(level string) string {
		return level + "\n" + `{"type":"GET_LOGGING_LEVEL","get_logging_level":{"level":` + level + `}}`
	}
	if got := ask(); got != shown("0") {
		t.Errorf("at first the level is %s", got)
	}
	set := f.do("POST", "/api/v1", `{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":3,"duration":{"nanoseconds":3600000000000}}}`)
	if got := ask(); set.Code != 200 || set.Body.Len() > 0 || got != shown("3") {
		t.Errorf("SET_LOGGING_LEVEL to 3 = %d %s; then the level is %s", set.Code, set.Body, got)
	}
	if w := f.do("GET", "/logging/toggle?level=0&duration=1hrs", ""); w.Code != 200 || ask() != shown("0") {
		t.Errorf("toggled to 0: %d %s; then the level is %s", w.Code, w.Body, ask())
	}
}

func TestPruneImages(t *testing.T) {
	f := newFixture(t)
	for body, want := range map[string]string{
		`{"type":"PRUNE_IMAGES"}`: "[]",
		`{"type":"PRUNE_IMAGES","prune_images":{"excluded_images":[{"type":"DOCKER","docker":{"name":"alpine"}},{"type":"APPC","appc":{"name":"x"}}]}}`: "[alpine]",
	} {
		f.pruned = nil
		if w := f.do("POST", "/api/v1", body); w.Code != 200 || w.Body.Len() > 0 || fmt.Sprint(f.pruned) != want {
			t.Errorf("%s = %d %s, and all were pruned but %v; want 200 and %s", body, w.Code, w.Body, f.pruned, want)
		}
	}
	f.pruneError = errors.New("disk is broken")
	if w := f.do("POST", "/api/v1", `{"type":"PRUNE_IMAGES"}`); w.Code != 500 || w.Body.String() != "disk is broken" {
		t.Errorf("PRUNE_IMAGES that fails = %d %s", w.Code, w.Body)
	}
}

func TestContainerizerDebug(t *testing.T) {
	f := newFixture(t)
	if w := f.do("GET", "/containerizer/debug", ""); w.Body.String() != `{"pending":[]}` {
		t.Errorf("/containerizer/debug of an idle agent = %d %s", w.Code, w.Body)
	}
	f.agent.pending = []Operation{{Name: "launch", Container: "c-2", Since: time.Unix(20, 0)}}
	if w := f.do("GET", "/containerizer/debug", ""); w.Body.String() != `{"pending":[{"operation":"launch","args":{"containerId":"c-2"},"since":20.0}]}` {
		t.Errorf("/containerizer/debug = %d %s", w.Code, w.Body)
	}
}

// TestWhoIsAskedForCredentials: the answers that a real agent gave.
func TestWhoIsAskedForCredentials(t *testing.T) {
	f := newFixture(t)
	f.config.Gate = auth.Gate{Known: auth.NewCredentials(auth.Credential{Principal: "op", Secret: "s3cret"}), Realms: []string{ReadOnly, ReadWrite}}
	f.handler = New(f.config)
	for _, tt := range []struct{ target, realm string }{
		{"/state", ReadOnly}, {"/containers", ReadOnly}, {"/files/debug", ReadOnly}, {"/flags", ReadOnly}, {"/metrics/snapshot", ReadOnly},
		{"/containerizer/debug", ReadOnly}, {"/api/v1", ReadWrite}, {"/logging/toggle", ReadWrite},
		{"/health", ""}, {"/version", ""}, {"/api/v1/executor", ""},
	} {
		w := f.do("GET", tt.target, "")
		challenge := ""
		if tt.realm != "" {
			challenge = `Basic realm="` + tt.realm + `"`
		}
		if w.Header().Get("WWW-Authenticate") != challenge || (w.Code == 401) != (challenge != "") {
			t.Errorf("GET %s of a stranger = %d %s, want the challenge %s", tt.target, w.Code, w.Header().Get("WWW-Authenticate"), challenge)
		}
		if w := f.do("GET", tt.target, "", "Authorization", "Basic b3A6czNjcmV0"); w.Code == 401 {
			t.Errorf("GET %s of op = 401", tt.target)
		}
	}
}

func TestWhileRecovering(t *testing.T) {
	f := newFixture(t)
	f.agent.recovering = true
	for target, want := range map[string]int{"/state": 503, "/containers": 503, "/health": 200, "/version": 200, "/flags": 200, "/metrics": 200} {
		w := f.do("GET", target, "")
		if w.Code != want || want == 503 && w.Body.String() != "Agent has not finished recovery" {
			t.Errorf("GET %s = %d %s, want %d", target, w.Code, w.Body, want)
		}
	}
	if w := f.do("POST", "/api/v1", `{"type":"GET_HEALTH"}`); w.Code != 503 {
		t.Errorf("POST /api/v1 = %d, want 503", w.Code)
	}
}
