package api_test

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/api"
	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/internal/metrics"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A direct is a scheduler whose core is stepped by whoever asks, and whose
// records are durable at once.
type direct struct {
	mu    sync.Mutex
	core  *core.Core
	now   time.Time
	hub   *api.Hub
	tasks []*mesospb.TaskInfo // launched so far
	kills []string
}

func newDirect(cfg core.Config) *direct {
	cfg.Rand = rand.New(rand.NewPCG(1, 2))
	d := &direct{core: core.New(cfg), now: time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC), hub: api.NewHub(100)}
	d.step(core.Subscribed{FrameworkID: "f1", Master: "m:5050"})
	return d
}

func (d *direct) step(ev core.Event) (replies []core.Reply) {
	d.now = d.now.Add(time.Second)
	for queue := d.core.Step(d.now, ev); len(queue) > 0; queue = queue[1:] {
		switch e := queue[0].(type) {
		case core.Persist:
			queue = append(queue, d.core.Step(d.now, core.Persisted{Seq: e.Seq})...)
		case core.Reply:
			replies = append(replies, e)
		case core.Publish:
			d.hub.Publish(e)
		case core.Accept:
			d.tasks = append(d.tasks, e.Tasks...)
		case core.Kill:
			d.kills = append(d.kills, e.TaskID)
		}
	}
	return replies
}

func (d *direct) Do(_ context.Context, r core.Request) (core.Result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	reply := d.step(core.Command{Token: 1, Request: r})[0]
	return reply.Result, reply.Err
}

func (d *direct) View(_ context.Context, read func(*core.Core)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	read(d.core)
	return nil
}

// offer brings one offer of an agent that has plenty.
func (d *direct) offer(host string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	scalar := func(name string, v float64) *mesospb.Resource {
		return &mesospb.Resource{Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &v}}
	}
	ports := &mesospb.Resource{Name: new("ports"), Type: mesospb.Value_RANGES.Enum(), Ranges: &mesospb.Value_Ranges{
		Range: []*mesospb.Value_Range{{Begin: new(uint64(31000)), End: new(uint64(32000))}},
	}}
	d.step(core.Offered{Offers: []*mesospb.Offer{{
		Id: &mesospb.OfferID{Value: new("o-" + host)}, AgentId: &mesospb.AgentID{Value: new("a-" + host)},
		FrameworkId: &mesospb.FrameworkID{Value: new("f1")}, Hostname: &host,
		Resources: []*mesospb.Resource{scalar("cpus", 64), scalar("mem", 65536), scalar("disk", 65536), ports},
	}}})
}

// run reports every launched task as running.
func (d *direct) run() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.tasks {
		d.step(core.Updated{Status: &mesospb.TaskStatus{TaskId: t.TaskId, AgentId: t.AgentId, State: mesospb.TaskState_TASK_RUNNING.Enum()}})
	}
	d.tasks = nil
}

// killed reports every task that was to be killed as killed.
func (d *direct) killed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range d.kills {
		d.step(core.Updated{Status: &mesospb.TaskStatus{TaskId: &mesospb.TaskID{Value: &id}, State: mesospb.TaskState_TASK_KILLED.Enum()}})
	}
	d.kills = nil
}

// serve starts the API of d for the length of the test.
func serve(t *testing.T, d *direct) string {
	t.Helper()
	m := metrics.New()
	m.AddSource(api.MetricsOf(d, time.Now()))
	h := api.New(api.Config{Scheduler: d, Hub: d.hub, Metrics: m, Info: api.Info{Name: "marathon", Version: "1.9.0", Leader: "host:8080", URL: "http://host:8080"}})
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// member is a part of the JSON body: member("app", "id").
func (a answer) member(t *testing.T, path ...string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("body %q is no JSON: %v", a.body, err)
	}
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("body %s has no %v", a.body, path)
		}
		v = m[name]
	}
	return v
}

// call makes a request. A body is sent as JSON.
func call(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// shared is a folder of the data given with the project; the test is skipped
// where it is absent.
func shared(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(dir, "..", "shared", name)
			if _, err := os.Stat(path); err != nil {
				t.Skipf("the shared data %s is not here", name)
			}
			return path
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}
