package api_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/soukproject/souk/frameworks/marathon/api"
	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/internal/metrics"
)

func start(t *testing.T) (*direct, string) {
	t.Helper()
	d := newDirect(core.DefaultConfig("*"))
	return d, serve(t, d)
}

func TestCreateApp(t *testing.T) {
	_, url := start(t)
	a := create(t, url, `{"id":"dev/web","cmd":"sleep 1","labels":{"tier":"front"}}`)
	if got := a.header.Get("Location"); got != "/dev/web" {
		t.Errorf("Location = %q, want /dev/web", got)
	}
	deployments := a.member(t, "deployments").([]any)
	id := deployments[0].(map[string]any)["id"]
	if got := a.header.Get("Marathon-Deployment-Id"); got == "" || got != id {
		t.Errorf("Marathon-Deployment-Id = %q, want %v", got, id)
	}
	want := map[string]any{
		"id": "/dev/web", "backoffFactor": 1.15, "backoffSeconds": 1.0, "cpus": 1.0, "mem": 128.0, "disk": 0.0, "gpus": 0.0,
		"executor": "", "instances": 1.0, "killSelection": "YOUNGEST_FIRST", "maxLaunchDelaySeconds": 300.0, "requirePorts": false,
		"role": "*", "tasksRunning": 0.0, "tasksStaged": 0.0, "tasksHealthy": 0.0, "tasksUnhealthy": 0.0,
	}
	for name, v := range want {
		if got := a.member(t, name); got != v {
			t.Errorf("%s = %v, want %v", name, got, v)
		}
	}
	for _, name := range []string{"ports", "uris", "ipAddress", "args", "env", "constraints", "healthChecks", "fetch", "user"} {
		if got := a.member(t, name); got != nil {
			t.Errorf("%s = %v, want it left out", name, got)
		}
	}
}

func TestErrorShapes(t *testing.T) {
	_, url := start(t)
	create(t, url, `{"id":"/web","cmd":"sleep 1"}`)
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		contains                 string
	}{
		{"malformed", "POST", "/v2/apps", `{"id":`, 400, `"message":"Invalid JSON","details":"`},
		{"empty", "POST", "/v2/apps", ` `, 400, `"message":"Please specify data in JSON format"`},
		{"wrong type", "POST", "/v2/apps", `{"id":12}`, 422, `{"message":"Invalid JSON","details":[{"path":"/id","errors":["error.expected.jsstring"]}]}`},
		{"no object", "POST", "/v2/apps", `[]`, 422, `error.expected.jsobject`},
		{"no list", "PUT", "/v2/apps", `{}`, 422, `error.expected.jsarray`},
		{"no id", "POST", "/v2/apps", `{"cmd":"x"}`, 422, `{"path":"/id","errors":["error.path.missing"]}`},
		{"rule", "POST", "/v2/apps", `{"id":"/a","cmd":"x","cpus":-1}`, 422, `{"message":"Object is not valid","details":[{"path":"/cpus","errors":["got -1, expected 0 or more"]}]}`},
		{"exists", "POST", "/v2/apps", `{"id":"/web","cmd":"x"}`, 409, `{"message":"An app with id [/web] already exists."}`},
		{"locked", "PUT", "/v2/apps/web", `{"cmd":"x"}`, 409, `"deployments":[{"id":"`},
		{"unknown app", "GET", "/v2/apps/none", ``, 404, `{"message":"App '/none' does not exist"}`},
		{"unknown version", "GET", "/v2/apps/web/versions/2020-01-01T00:00:00.000Z", ``, 404, `App '/web' does not exist in version 2020-01-01T00:00:00.000Z`},
		{"no version", "GET", "/v2/apps/web/versions/yesterday", ``, 400, `is not a timestamp`},
		{"unknown task", "DELETE", "/v2/apps/web/tasks/web.instance-1._app.1", ``, 404, `Task 'web.instance-1._app.1' does not exist`},
		{"bad task id", "POST", "/v2/tasks/delete", `{"ids":["x"]}`, 400, `Invalid task id 'x'.`},
		{"scale and wipe", "DELETE", "/v2/apps/web/tasks?scale=true&wipe=true", ``, 400, `You cannot use scale and wipe at the same time.`},
		{"unknown deployment", "DELETE", "/v2/deployments/none", ``, 404, `DeploymentPlan none does not exist`},
		{"unknown group", "GET", "/v2/groups/none", ``, 404, `Group '/none' does not exist`},
		{"not queued", "DELETE", "/v2/queue/none/delay", ``, 404, `Application /none not found in tasks queue.`},
		{"selector", "GET", "/v2/apps?label=a%3D%3D", ``, 422, `label selector`},
		{"boolean", "DELETE", "/v2/apps/web?force=maybe", ``, 400, `parameter force is \"maybe\"`},
		{"method", "PUT", "/v2/deployments", `{}`, 405, `PUT is not allowed on /v2/deployments`},
		{"route", "GET", "/v2/nothing", ``, 404, `URI not found`},
		{"pods", "GET", "/v2/pods", ``, 501, `not supported by this version of Souk: pods`},
		{"removed", "GET", "/v2/artifacts/x", ``, 404, `URI not found`},
		{"events", "GET", "/v2/events", ``, 405, `text/event-stream`},
		{"version among others", "PUT", "/v2/apps/web?force=true", `{"cmd":"x","version":"2020-01-01T00:00:00.000Z"}`, 422, `The 'version' field may only be combined with the 'id' field.`},
		{"patch of none", "PATCH", "/v2/apps/none", `{"cmd":"x"}`, 404, `App '/none' does not exist`},
		{"twice", "PUT", "/v2/apps", `[{"id":"/a","cmd":"x"},{"id":"a","cmd":"y"}]`, 422, `/a is given twice`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, tt.method, url+tt.path, tt.body)
			if a.status != tt.status || !strings.Contains(a.body, tt.contains) {
				t.Errorf("%s %s = %d %s, want %d with %s", tt.method, tt.path, a.status, a.body, tt.status, tt.contains)
			}
			var shape struct {
				Message string `json:"message"`
			}
			if err := json.Unmarshal([]byte(a.body), &shape); err != nil || shape.Message == "" {
				t.Errorf("body %s has no message: %v", a.body, err)
			}
		})
	}
}

func TestMediaTypes(t *testing.T) {
	_, url := start(t)
	for _, tt := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"none", []string{"Content-Type", ""}, 201},
		{"charset", []string{"Content-Type", "application/json; charset=utf-8"}, 201},
		{"curl -d", []string{"Content-Type", "application/x-www-form-urlencoded"}, 201},
		{"text", []string{"Content-Type", "text/plain"}, 415},
		{"accepts xml", []string{"Accept", "application/xml"}, 406},
		{"accepts json", []string{"Accept", "text/html, application/json;q=0.9"}, 201},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := fmt.Sprintf(`{"id":"/%s","cmd":"x"}`, strings.ReplaceAll(tt.name, " ", "-"))
			if a := call(t, "POST", url+"/v2/apps", body, tt.headers...); a.status != tt.status {
				t.Errorf("POST = %d %s, want %d", a.status, a.body, tt.status)
			}
		})
	}
}

// TestPaths: what clients send must arrive without a redirect.
func TestPaths(t *testing.T) {
	d, url := start(t)
	create(t, url, `{"id":"/a/b","cmd":"sleep 1"}`)
	d.offer("h1")
	d.run()
	for _, path := range []string{
		"/v2/apps/a/b", "/v2/apps//a/b", "/v2/apps/a//b", "/v2/apps/a/b/", "/v2/apps/%2Fa%2Fb", "/v2/apps//a/b/versions",
		"/v2/apps//a/b/tasks/", "/v2/apps/", "/v2/apps/?embed=apps.tasks", "/v2/apps/a/*", "/v2/apps/*", "/v2/apps/a/*/tasks",
		"/v2/groups//", "/v2/groups/a", "/v2/groups//a/", "/v2/groups/a/apps", "/v2/tasks/", "/v2/deployments/", "/v2/queue/", "/v2/info/", "/v2/leader/",
		"/v2/plugins", "/ping", "/ping/", "/metrics", "/metrics/prometheus",
	} {
		if a := call(t, "GET", url+path, ""); a.status != 200 {
			t.Errorf("GET %s = %d %s, want 200", path, a.status, a.body)
		}
	}
	if a := call(t, "PUT", url+"/v2/apps//a/b?force=True", `{"instances":2}`); a.status != 200 {
		t.Errorf("PUT = %d %s, want 200", a.status, a.body)
	}
	if a := call(t, "GET", url+"/v2/groups", `""`); a.status != 200 {
		t.Errorf("GET with a body = %d %s, want 200", a.status, a.body)
	}
}

func TestMethods(t *testing.T) {
	_, url := start(t)
	create(t, url, `{"id":"/web","cmd":"sleep 1"}`)
	if a := call(t, "HEAD", url+"/v2/apps/web", ""); a.status != 200 || a.body != "" {
		t.Errorf("HEAD = %d %q, want 200 and nothing", a.status, a.body)
	}
	for path, want := range map[string]string{"/v2/apps": "GET, POST, PUT, PATCH, OPTIONS", "/v2/deployments": "GET, OPTIONS", "/v2/apps/web/restart": "GET, POST, PUT, PATCH, DELETE, OPTIONS"} {
		if a := call(t, "OPTIONS", url+path, ""); a.status != 200 || a.header.Get("Allow") != want {
			t.Errorf("OPTIONS %s = %d with Allow %q, want %q", path, a.status, a.header.Get("Allow"), want)
		}
	}
	if a := call(t, "POST", url+"/v2/deployments", "{}"); a.status != 405 || a.header.Get("Allow") != "GET, OPTIONS" {
		t.Errorf("POST = %d with Allow %q, want 405", a.status, a.header.Get("Allow"))
	}
}

func TestCredentials(t *testing.T) {
	d := newDirect(core.DefaultConfig("*"))
	s := httptest.NewServer(api.New(api.Config{Scheduler: d, Hub: d.hub, Metrics: metrics.New(), Credentials: "me:secret", Realm: "Mesosphere"}))
	t.Cleanup(s.Close)
	for header, want := range map[string]int{"": 401, "Basic bWU6d3Jvbmc=": 401, "Basic bWU6c2VjcmV0": 200} {
		a := call(t, "GET", s.URL+"/v2/apps", "", "Authorization", header)
		if a.status != want || want == 401 && a.header.Get("WWW-Authenticate") != `Basic realm="Mesosphere"` {
			t.Errorf("with %q: %d %v, want %d", header, a.status, a.header, want)
		}
	}
}

func TestEmbed(t *testing.T) {
	d, url := start(t)
	create(t, url, `{"id":"/web","cmd":"sleep 1"}`)
	d.offer("h1")
	d.run()
	members := func(path string) map[string]bool {
		t.Helper()
		a := call(t, "GET", url+path, "")
		app, _ := a.member(t).(map[string]any)
		if list, ok := app["apps"].([]any); ok {
			app, _ = list[0].(map[string]any)
		} else {
			app, _ = app["app"].(map[string]any)
		}
		out := map[string]bool{}
		for name := range app {
			out[name] = true
		}
		return out
	}
	for _, tt := range []struct {
		path     string
		has, not []string
	}{
		{"/v2/apps", []string{"tasksRunning", "deployments"}, []string{"tasks", "taskStats", "lastTaskFailure"}},
		{"/v2/apps?embed=apps.tasks", []string{"tasks", "deployments", "tasksRunning"}, []string{"tasksStats"}},
		{"/v2/apps?embed=app.tasks&embed=apps.taskStats", []string{"tasks", "tasksStats", "taskStats"}, nil},
		{"/v2/apps?embed=unknown", []string{"tasksRunning"}, []string{"tasks"}},
		{"/v2/apps/web", []string{"tasks", "tasksRunning", "deployments"}, []string{"tasksStats"}},
		{"/v2/apps/web?embed=group.apps.taskStats", []string{"tasks", "taskStats"}, nil},
	} {
		got := members(tt.path)
		for _, name := range tt.has {
			if !got[name] {
				t.Errorf("GET %s has no %s", tt.path, name)
			}
		}
		for _, name := range tt.not {
			if got[name] {
				t.Errorf("GET %s has %s, want it left out", tt.path, name)
			}
		}
	}
}

func TestFilters(t *testing.T) {
	_, url := start(t)
	create(t, url, `{"id":"/a/web","cmd":"Sleep 1","labels":{"tier":"front","a.b":"x y"}}`)
	create(t, url, `{"id":"/b/web","cmd":"run","labels":{"tier":"back"}}`)
	create(t, url, `{"id":"/c","cmd":"run"}`)
	for _, tt := range []struct{ query, want string }{
		{"", "/a/web /b/web /c"},
		{"cmd=sleep", "/a/web"},
		{"id=WEB", "/a/web /b/web"},
		{"label=tier", "/a/web /b/web"},
		{"label=tier%3D%3Dfront", "/a/web"},
		{"label=tier!%3Dfront", "/b/web"},
		{"label=tier+in+(front,back)", "/a/web /b/web"},
		{"label=tier+notin+(front)", "/b/web"},
		{"label=tier,a.b%3D%3Dx%5C+y", "/a/web"},
		{"label=none", ""},
		{"cmd=run&id=b", "/b/web"},
	} {
		a := call(t, "GET", url+"/v2/apps?"+tt.query, "")
		var ids []string
		for _, app := range a.member(t, "apps").([]any) {
			ids = append(ids, app.(map[string]any)["id"].(string))
		}
		if got := strings.Join(ids, " "); got != tt.want {
			t.Errorf("GET /v2/apps?%s = %q, want %q", tt.query, got, tt.want)
		}
	}
}

func TestUpdates(t *testing.T) {
	_, url := start(t)
	first := create(t, url, `{"id":"/web","cmd":"sleep 1","labels":{"a":"1"},"mem":64}`).member(t, "version").(string)
	put := func(path, body string, status int) answer {
		t.Helper()
		a := call(t, "PUT", url+path, body)
		if a.status != status {
			t.Fatalf("PUT %s %s = %d %s, want %d", path, body, a.status, a.body, status)
		}
		return a
	}
	show := func(name string) any { return call(t, "GET", url+"/v2/apps/web", "").member(t, "app", name) }

	put("/v2/apps/web?force=true", `{"labels":{"b":"2"},"env":null}`, 200)
	if got := fmt.Sprint(show("labels"), show("mem"), show("cmd")); got != "map[b:2] 64sleep 1" {
		t.Errorf("after a partial update: %s", got)
	}
	put("/v2/apps/web?force=true", `{"args":["sleep","2"]}`, 200)
	if got := fmt.Sprint(show("cmd"), show("args")); got != "<nil> [sleep 2]" {
		t.Errorf("args given: %s", got)
	}
	put("/v2/apps/web?force=true&partialUpdate=false", `{"cmd":"sleep 3"}`, 200)
	if got := fmt.Sprint(show("mem"), show("labels")); got != "128 map[]" {
		t.Errorf("after a full update: %s", got)
	}
	put("/v2/apps/web?force=true", `{"version":"`+first+`"}`, 200)
	if got := fmt.Sprint(show("mem"), show("cmd")); got != "64sleep 1" {
		t.Errorf("after going back: %s", got)
	}
	if got := put("/v2/apps/new", `{"cmd":"sleep 1"}`, 201).header.Get("Location"); got != "/new" {
		t.Errorf("Location = %q, want /new", got)
	}
	before := show("version")
	body, _ := json.Marshal(call(t, "GET", url+"/v2/apps/web", "").member(t, "app"))
	put("/v2/apps/web?force=true", string(body), 200)
	if got := show("version"); got != before {
		t.Errorf("version = %v after sending back the answer, want %v", got, before)
	}
	versions := call(t, "GET", url+"/v2/apps/web/versions", "").member(t, "versions").([]any)
	if len(versions) != 5 {
		t.Errorf("%d versions, want 5: %v", len(versions), versions)
	}
	if got := call(t, "GET", url+"/v2/apps/web/versions/"+first, "").member(t, "mem"); got != 64.0 {
		t.Errorf("mem of the first version = %v, want 64", got)
	}
}

func TestServicePortsStayAndAreUnique(t *testing.T) {
	_, url := start(t)
	ports := func(id string) string {
		return fmt.Sprint(call(t, "GET", url+"/v2/apps"+id, "").member(t, "app", "portDefinitions"))
	}
	create(t, url, `{"id":"/a","cmd":"x","ports":[0,0]}`)
	create(t, url, `{"id":"/b","cmd":"x","ports":[0,9000]}`)
	before := ports("/a")
	if before == ports("/b") || strings.Contains(before, "port:0 ") {
		t.Errorf("ports of /a %s and /b %s, want them assigned and different", before, ports("/b"))
	}
	call(t, "PUT", url+"/v2/apps/a?force=true", `{"cmd":"y","ports":[0,0]}`)
	if got := ports("/a"); got != before {
		t.Errorf("ports after an update = %s, want %s", got, before)
	}
}
