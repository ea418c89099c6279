package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/soukproject/souk/frameworks/chronos/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A cluster is a core behind a mutex whose writes are durable at once, and the
// server of its API.
type cluster struct {
	t   *testing.T
	url string

	mu      sync.Mutex
	core    *core.Chronos
	request core.Request
	replies map[core.Request]error
	tasks   []*mesospb.TaskInfo
	kills   []string
}

func newCluster(t *testing.T, change ...func(*Config)) *cluster {
	t.Helper()
	defaults := core.Defaults{CPUs: 0.1, Mem: 128, Disk: 256, User: "root"}
	machine, err := core.New(core.Config{Zones: time.LoadLocation, Defaults: defaults, HistoryLimit: 20, FailureRetry: time.Minute}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, core: machine, replies: make(map[core.Request]error)}
	cfg := Config{
		Scheduler: c, Defaults: defaults, Zones: time.LoadLocation, StatRuns: 5, Log: zaptest.NewLogger(t),
		Leader:     "chronos.example:4400",
		Prometheus: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "# prometheus") }),
	}
	for _, f := range change {
		f(&cfg)
	}
	server := httptest.NewServer(New(cfg))
	t.Cleanup(server.Close)
	c.url = server.URL
	c.step(core.Subscribed{Framework: "f1"})
	return c
}

func (c *cluster) step(ev core.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stepLocked(ev)
}

func (c *cluster) stepLocked(ev core.Event) {
	for _, e := range c.core.Step(time.Now(), ev) {
		switch e := e.(type) {
		case core.Persist:
			c.stepLocked(core.Persisted{Seq: e.Seq})
		case core.Reply:
			c.replies[e.Request] = e.Err
		case core.Accept:
			c.tasks = append(c.tasks, e.Tasks...)
		case core.Kill:
			c.kills = append(c.kills, string(e.Task))
		}
	}
}

// Call implements Scheduler.
func (c *cluster) Call(_ context.Context, build func(core.Request) core.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.request++
	c.stepLocked(build(c.request))
	return c.replies[c.request]
}

// View implements Scheduler.
func (c *cluster) View(_ context.Context, look func(*core.Chronos)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	look(c.core)
	return nil
}

// launch offers resources and returns the ids of the tasks launched on them.
func (c *cluster) launch() []string {
	scalar := func(name string, amount float64) *mesospb.Resource {
		return &mesospb.Resource{Name: new(name), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(amount)}}
	}
	before := len(c.tasks)
	c.step(core.Offers{Offers: []*mesospb.Offer{{
		Id: &mesospb.OfferID{Value: new("o")}, AgentId: &mesospb.AgentID{Value: new("a1")}, Hostname: new("host1"),
		Resources: []*mesospb.Resource{scalar("cpus", 8), scalar("mem", 8192), scalar("disk", 65536)},
	}}})
	var ids []string
	for _, task := range c.tasks[before:] {
		ids = append(ids, task.GetTaskId().GetValue())
	}
	return ids
}

func (c *cluster) report(task string, states ...mesospb.TaskState) {
	for _, state := range states {
		c.step(core.Update{Status: &mesospb.TaskStatus{TaskId: &mesospb.TaskID{Value: new(task)}, State: state.Enum()}})
	}
}

// do sends a request; a body is JSON. It returns status and body.
func (c *cluster) do(method, path, body string) (int, string) {
	c.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		c.t.Errorf("%s %s: Access-Control-Allow-Origin = %q, want *", method, path, got)
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// want sends a request and expects a status; it returns the body.
func (c *cluster) want(status int, method, path, body string) string {
	c.t.Helper()
	got, answer := c.do(method, path, body)
	if got != status {
		c.t.Fatalf("%s %s %s = %d %s, want %d", method, path, body, got, answer, status)
	}
	return answer
}

func decode[T any](t *testing.T, body string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
	return v
}

func bases() []string { return []string{"/scheduler", "/v1/scheduler"} }

func TestJobRunsAndLeavesHistory(t *testing.T) {
	for _, base := range bases() {
		t.Run(base, func(t *testing.T) {
			c := newCluster(t)
			if body := c.want(204, "POST", base+"/iso8601", `{"name":"j","command":"true","schedule":"R1//P1D"}`); body != "" {
				t.Errorf("body of 204 = %q, want none", body)
			}
			ids := c.launch()
			if len(ids) != 1 {
				t.Fatalf("launched %v, want one task", ids)
			}
			c.report(ids[0], mesospb.TaskState_TASK_RUNNING)
			summary := c.want(200, "GET", base+"/jobs/summary", "")
			if !strings.Contains(summary, `"name":"j","status":"fresh","state":"1 running"`) {
				t.Errorf("summary = %s, want j fresh and running", summary)
			}
			c.report(ids[0], mesospb.TaskState_TASK_FINISHED)
			history := decode[struct{ Runs []core.RunRecord }](t, c.want(200, "GET", base+"/job/j/history", ""))
			if len(history.Runs) != 1 || history.Runs[0].State != "TASK_FINISHED" || string(history.Runs[0].TaskID) != ids[0] {
				t.Errorf("history = %+v, want the finished run", history)
			}
			stat := decode[struct {
				Histogram       struct{ Count int }
				TaskStatHistory []struct{ TaskID, Status, SlaveID string }
			}](t, c.want(200, "GET", base+"/job/stat/j", ""))
			if stat.Histogram.Count != 1 || len(stat.TaskStatHistory) != 1 || stat.TaskStatHistory[0].Status != "Success" {
				t.Errorf("stat = %+v, want one success", stat)
			}
			if csv := c.want(200, "GET", base+"/graph/csv", ""); csv != "node,j,success,idle\n" {
				t.Errorf("csv = %q, want node,j,success,idle", csv)
			}
		})
	}
}

func TestJobForm(t *testing.T) {
	c := newCluster(t)
	c.want(204, "POST", "/v1/scheduler/iso8601", `{"name":"j","command":"a <b> && c","schedule":"R/2030-01-01T00:00:00Z/P1D","cpus":"0.5","disk":0,"extra":1,"owner":null}`)
	c.want(204, "POST", "/v1/scheduler/dependency", `{"name":"k","command":"x","parents":["j"]}`)
	got := c.want(200, "GET", "/v1/scheduler/jobs", "")
	common := `"shell":true,"executor":"","executorFlags":"","taskInfoData":"","retries":2,"owner":"","ownerName":"","description":"","successCount":0,"errorCount":0,"lastSuccess":"","lastError":"",`
	rest := `"mem":128,"disabled":false,"softError":false,"dataProcessingJobType":false,"errorsSinceLastSuccess":0,"fetch":[],"uris":[],"environmentVariables":[],"arguments":[],"highPriority":false,"runAsUser":"root","concurrent":false,"maxCompletionTime":0,"constraints":[],`
	want := `[{"name":"j","command":"a <b> && c",` + common + `"cpus":0.5,"disk":256,` + rest + `"schedule":"R/2030-01-01T00:00:00Z/P1D","scheduleTimeZone":""},` +
		`{"name":"k","command":"x",` + common + `"cpus":0.1,"disk":256,` + rest + `"parents":["j"]}]`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("jobs differ (-want +got):\n%s", diff)
	}
	if one := c.want(200, "GET", "/v1/scheduler/job/j", ""); !strings.HasPrefix(want, "["+one) {
		t.Errorf("job = %s, want as in the list", one)
	}
}

// TestWhatWasReadIsWrittenBack: posting an answer changes nothing.
func TestWhatWasReadIsWrittenBack(t *testing.T) {
	c := newCluster(t)
	c.want(204, "POST", "/scheduler/iso8601", `{"name":"j","command":"x","epsilon":"PT30M","schedule":"R5/2030-01-01T00:00:00Z/P1D","scheduleTimeZone":"PST","constraints":[["rack","LIKE","r[1-3]"]],"environmentVariables":[{"name":"A","value":"B"}],"arguments":["a"],"successCount":7,"lastSuccess":"TODAY"}`)
	first := c.want(200, "GET", "/scheduler/job/j", "")
	c.want(204, "PUT", "/scheduler/iso8601", first)
	if diff := cmp.Diff(first, c.want(200, "GET", "/scheduler/job/j", "")); diff != "" {
		t.Errorf("job changed (-first +second):\n%s", diff)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		status                   int
		text                     string
	}{
		{"unknown job", "GET", "/job/x", "", 400, "Job 'x' not found"},
		{"run unknown job", "PUT", "/job/x", "", 400, "Job 'x' not found"},
		{"delete unknown job", "DELETE", "/job/x", "", 400, "JobSchedule 'x' not found"},
		{"kill unknown job", "DELETE", "/task/kill/x", "", 400, "JobSchedule 'x' not found"},
		{"stat of unknown job", "GET", "/job/stat/x", "", 400, "Job 'x' not found"},
		{"history of unknown job", "GET", "/job/x/history", "", 400, "Job 'x' not found"},
		{"no JSON", "POST", "/iso8601", "{", 400, "body"},
		{"not an object", "POST", "/iso8601", "[1]", 400, "body"},
		{"null", "POST", "/iso8601", "null", 400, "body"},
		{"no name", "POST", "/iso8601", `{"command":"x"}`, 400, `[\w\.-]+`},
		{"bad schedule", "POST", "/iso8601", `{"name":"a","schedule":"FOO/BAR/BAM"}`, 400, "Cannot parse schedule 'FOO/BAR/BAM'"},
		{"bad zone", "POST", "/iso8601", `{"name":"a","schedule":"R//P1D","scheduleTimeZone":"Mars/Base"}`, 400, "scheduleTimeZone"},
		{"missing parent", "POST", "/dependency", `{"name":"a","parents":["nobody"]}`, 400, "does not have all parents defined"},
		{"own parent", "POST", "/dependency", `{"name":"a","parents":["a"]}`, 400, "own parent"},
		{"parents at the wrong door", "POST", "/iso8601", `{"name":"a","parents":["b"]}`, 400, "/scheduler/dependency"},
		{"schedule at the wrong door", "POST", "/dependency", `{"name":"a","schedule":"R//P1D"}`, 400, "/scheduler/iso8601"},
		{"wrong shape", "POST", "/iso8601", `{"name":"a","constraints":[["x"]],"schedule":"R//P1D"}`, 400, "constraints"},
		{"nothing like Java's regex", "POST", "/iso8601", `{"name":"a","constraints":[["x","LIKE","(?=a)"]],"schedule":"R//P1D"}`, 400, "constraints"},
		{"container", "POST", "/iso8601", `{"name":"a","schedule":"R//P1D","container":{"image":"x","type":"APPC"}}`, 400, "container"},
		{"uris", "POST", "/iso8601", `{"name":"a","schedule":"R//P1D","uris":["http://x"],"fetch":[{"uri":"http://y"}]}`, 400, "uris"},
		{"fetched command", "POST", "/iso8601", `{"name":"a","schedule":"R//P1D","command":"http://x/y.sh"}`, 400, "command"},
		{"huge amounts", "POST", "/iso8601", `{"name":"a","schedule":"R//P1D","cpus":1e300}`, 400, "cpus"},
		{"bad environment", "POST", "/iso8601", `{"name":"a","schedule":"R//P1D","environmentVariables":[{"name":"","value":"x"}]}`, 400, "environmentVariables"},
		{"too large", "POST", "/iso8601", `{"name":"a","schedule":"R//P1D","command":"` + strings.Repeat("x", maxBody) + `"}`, 413, "too large"},
		{"progress without a number", "POST", "/job/x/task/ct:1:0:x:/progress", `{}`, 400, "numAdditionalElementsProcessed"},
		{"no such path", "GET", "/nothing", "", 404, "no such path"},
		{"wrong method", "DELETE", "/iso8601", "", 405, "not allowed"},
		{"Chronos 2 asynchronous end", "PUT", "/task/ct:1:0:x:", `{"statusCode":0}`, 501, "not supported"},
	}
	c := newCluster(t)
	for _, tt := range tests {
		for _, base := range bases() {
			t.Run(tt.name+base, func(t *testing.T) {
				status, body := c.do(tt.method, base+tt.path, tt.body)
				got := decode[struct{ Status, Message string }](t, body)
				if status != tt.status || got.Status != http.StatusText(tt.status) || !strings.Contains(got.Message, tt.text) {
					t.Errorf("%s %s = %d %s, want %d with %q", tt.method, tt.path, status, body, tt.status, tt.text)
				}
			})
		}
	}
}

func TestCyclesAreRefused(t *testing.T) {
	c := newCluster(t)
	c.want(204, "POST", "/scheduler/iso8601", `{"name":"a","command":"x","schedule":"R/2030-01-01T00:00:00Z/P1D"}`)
	c.want(204, "POST", "/scheduler/dependency", `{"name":"b","command":"x","parents":["a"]}`)
	c.want(204, "POST", "/scheduler/dependency", `{"name":"c","command":"x","parents":["b"]}`)
	if body := c.want(400, "POST", "/scheduler/dependency", `{"name":"a","command":"x","parents":["c"]}`); !strings.Contains(body, "cycle") {
		t.Errorf("answer = %s, want one that speaks of a cycle", body)
	}
	if got := c.want(200, "GET", "/scheduler/graph/csv", ""); got != "node,a,fresh,idle\nnode,b,fresh,idle\nnode,c,fresh,idle\nlink,a,b\nlink,b,c\n" {
		t.Errorf("csv = %q", got)
	}
	dot := c.want(200, "GET", "/scheduler/graph/dot", "")
	if !strings.HasPrefix(dot, "digraph") || !strings.Contains(dot, `"a" -> "b"`) {
		t.Errorf("dot = %q, want a digraph with a -> b", dot)
	}
}

func TestContentType(t *testing.T) {
	c := newCluster(t)
	body := `{"name":"a","command":"x","schedule":"R/2030-01-01T00:00:00Z/P1D"}`
	for contentType, want := range map[string]int{
		"": 204, "application/json": 204, "application/json; charset=UTF-8": 204, "application/x-www-form-urlencoded": 204, "text/plain": 415,
	} {
		req, err := http.NewRequest("POST", c.url+"/scheduler/iso8601", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("POST with Content-Type %q = %d, want %d", contentType, resp.StatusCode, want)
		}
	}
}

func TestTrailingSlashesAreNotRedirected(t *testing.T) {
	c := newCluster(t)
	c.want(204, "POST", "/scheduler/iso8601/", `{"name":"a","command":"x","schedule":"R/2030-01-01T00:00:00Z/P1D"}`)
	c.want(200, "GET", "/scheduler/jobs/", "")
	c.want(200, "GET", "/v1/scheduler/jobs/search/?name=a", "")
	c.want(204, "PUT", "/v1/scheduler/job/a/", "")
}

func TestSearch(t *testing.T) {
	c := newCluster(t)
	for _, job := range []string{`"name":"Backup-db","command":"dump"`, `"name":"report","command":"BACKUP report"`, `"name":"mail","command":"send"`} {
		c.want(204, "POST", "/scheduler/iso8601", `{`+job+`,"schedule":"R/2030-01-01T00:00:00Z/P1D"}`)
	}
	tests := []struct {
		query string
		want  []string
	}{
		{"name=backup", []string{"Backup-db"}},
		{"command=backup", []string{"report"}},
		{"name=backup&command=send", nil},
		{"name=nothing&any=backup", []string{"Backup-db", "report"}},
		{"any=backup", []string{"Backup-db", "mail", "report"}},
		{"limit=1&offset=1", []string{"mail"}},
		{"offset=9", nil},
	}
	for _, tt := range tests {
		var got []string
		for _, j := range decode[[]struct{ Name string }](t, c.want(200, "GET", "/scheduler/jobs/search?"+tt.query, "")) {
			got = append(got, j.Name)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("search?%s differs (-want +got):\n%s", tt.query, diff)
		}
	}
	c.want(400, "GET", "/scheduler/jobs/search?limit=x", "")
}

func TestRunNowKillAndMark(t *testing.T) {
	c := newCluster(t)
	c.want(204, "POST", "/scheduler/iso8601", `{"name":"a","command":"echo","schedule":"R/2030-01-01T00:00:00Z/P1D","dataProcessingJobType":true}`)
	c.want(204, "POST", "/scheduler/dependency", `{"name":"b","command":"x","parents":["a"]}`)
	c.want(204, "PUT", "/scheduler/job/a?arguments="+url.QueryEscape("one two"), "")
	ids := c.launch()
	if len(ids) != 1 || !strings.HasSuffix(ids[0], ":0:a:one two") {
		t.Fatalf("launched %q, want one task of a with its arguments", ids)
	}
	c.report(ids[0], mesospb.TaskState_TASK_RUNNING)
	for _, body := range []string{`{"numAdditionalElementsProcessed":5}`, `{"numAdditionalElementsProcessed":0}`} {
		c.want(204, "POST", "/scheduler/job/a/task/"+url.PathEscape(ids[0])+"/progress", body)
	}
	c.want(400, "POST", "/scheduler/job/a/task/"+url.PathEscape(ids[0])+"/progress", `{"numAdditionalElementsProcessed":-1}`)
	c.want(400, "POST", "/scheduler/job/b/task/ct:1:0:b:/progress", `{"numAdditionalElementsProcessed":1}`)
	if stat := c.want(200, "GET", "/scheduler/job/stat/a", ""); !strings.Contains(stat, `"numElementsProcessed":5`) || !strings.Contains(stat, `"status":"Running"`) {
		t.Errorf("stat = %s, want 5 elements and Running", stat)
	}
	c.want(204, "DELETE", "/scheduler/task/kill/a", "")
	if diff := cmp.Diff(ids, c.kills); diff != "" {
		t.Errorf("kills differ (-want +got):\n%s", diff)
	}
	c.report(ids[0], mesospb.TaskState_TASK_KILLED)
	if got := c.want(200, "PUT", "/scheduler/job/success/a", ""); got != "marked job a as successful: true" {
		t.Errorf("mark = %q", got)
	}
	if got := c.want(200, "PUT", "/scheduler/job/success/nobody", ""); got != "marked job nobody as successful: false" {
		t.Errorf("mark of nobody = %q", got)
	}
	if ids := c.launch(); len(ids) != 1 || !strings.Contains(ids[0], ":b:") {
		t.Errorf("launched %q, want the child", ids)
	}
	c.want(204, "DELETE", "/scheduler/job/a", "")
	if job := c.want(200, "GET", "/scheduler/job/b", ""); !strings.Contains(job, `"schedule":"R/2030-01-01T00:00:00Z/P1D"`) {
		t.Errorf("child = %s, want the schedule of its deleted parent", job)
	}
}

func TestStats(t *testing.T) {
	c := newCluster(t)
	for _, name := range []string{"a", "b"} {
		c.want(204, "POST", "/scheduler/iso8601", `{"name":"`+name+`","command":"x","schedule":"R1//P1D"}`)
	}
	for _, id := range c.launch() {
		if strings.Contains(id, ":a:") {
			c.report(id, mesospb.TaskState_TASK_FINISHED)
		}
	}
	for _, name := range []string{"99thPercentile", "98thPercentile", "95thPercentile", "75thPercentile", "median", "mean"} {
		got := decode[[]struct {
			JobNameLabel string
			Time         float64
		}](t, c.want(200, "GET", "/scheduler/stats/"+name, ""))
		if len(got) != 1 || got[0].JobNameLabel != "a" || got[0].Time < 1 || got[0].Time > 60 {
			t.Errorf("stats/%s = %+v, want a few seconds of a", name, got)
		}
	}
	if got := c.want(200, "GET", "/scheduler/stats/12thPercentile", ""); got != "[]" {
		t.Errorf("unknown statistic = %s, want []", got)
	}
}

func TestOutsideTheBasePath(t *testing.T) {
	c := newCluster(t)
	if got := c.want(200, "GET", "/ping", ""); got != "pong" {
		t.Errorf("ping = %q, want pong", got)
	}
	for _, path := range []string{"/leader", "/scheduler/leader", "/v1/scheduler/leader"} {
		if got := c.want(200, "GET", path, ""); got != `{"leader":"chronos.example:4400"}` {
			t.Errorf("%s = %s", path, got)
		}
	}
	c.want(204, "POST", "/scheduler/iso8601", `{"name":"a","command":"x","schedule":"R1//P1D","successCount":3}`)
	metrics := c.want(200, "GET", "/metrics", "")
	if !strings.Contains(metrics, `"jobs.run.success.a":{"count":3}`) || !strings.Contains(metrics, `TaskManager.queueSize":{"value":1}`) {
		t.Errorf("metrics = %s", metrics)
	}
	for _, path := range []string{"/v1/jobs", "/v1/jobs/x/runs", "/v0/scheduled-jobs", "/v1/queue"} {
		if got := c.want(501, "GET", path, ""); !strings.Contains(got, "Metronome") {
			t.Errorf("%s = %s, want a sentence about Metronome", path, got)
		}
	}
}

func TestCredentials(t *testing.T) {
	c := newCluster(t, func(cfg *Config) { cfg.Username, cfg.Password, cfg.Realm = "u", "p", "Chronos" })
	c.want(401, "GET", "/scheduler/jobs", "")
	req, err := http.NewRequest("GET", c.url+"/scheduler/jobs", nil)
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]int{"p": 200, "q": 401} {
		req.SetBasicAuth("u", password)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("password %q = %d, want %d", password, resp.StatusCode, want)
		}
	}
}

func TestStatDuration(t *testing.T) {
	for text, d := range map[string]time.Duration{
		"0s": 0, "59s": 59 * time.Second, "1m0s": time.Minute, "1d2h3m4s": 26*time.Hour + 3*time.Minute + 4*time.Second, "1d0s": 24 * time.Hour,
	} {
		if got := statDuration(d); got != text {
			t.Errorf("statDuration(%v) = %q, want %q", d, got, text)
		}
	}
}

func FuzzJobBodies(f *testing.F) {
	f.Add(`{"name":"j","command":"true","schedule":"R1//P1D","cpus":"0.5","constraints":[["a","LIKE","b"]]}`)
	f.Add(`{"name":"j","parents":["k"],"retries":-1,"environmentVariables":[{"name":"A","value":1}]}`)
	f.Add(`{"name":"j","schedule":"R/2030-01-01T00:00:00Z/P1D","scheduleTimeZone":"PST","epsilon":"PT5M"}`)
	defaults := core.Defaults{CPUs: 0.1, Mem: 128, Disk: 256, User: "root"}
	f.Fuzz(func(t *testing.T, body string) {
		job, err := core.ReadJob([]byte(body), defaults, time.LoadLocation, time.Unix(1e9, 0))
		if err != nil {
			return
		}
		written, err := json.Marshal(job)
		if err != nil {
			t.Fatalf("Marshal(%s) = %v", body, err)
		}
		again, err := core.ReadJob(written, defaults, time.LoadLocation, time.Unix(2e9, 0))
		if err != nil {
			t.Fatalf("ReadJob(%s) = %v, want what was written to be accepted", written, err)
		}
		if second, err := json.Marshal(again); err != nil || string(second) != string(written) {
			t.Fatalf("written %s, read and written again %s, %v", written, second, err)
		}
	})
}
