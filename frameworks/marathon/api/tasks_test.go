package api_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/soukproject/souk/frameworks/marathon/core"
)

func TestTasksAndKills(t *testing.T) {
	d, url := start(t)
	create(t, url, `{"id":"/dev/web","cmd":"sleep 1","instances":2,"ports":[9000,0]}`)
	d.offer("h1")
	d.run()
	tasks := call(t, "GET", url+"/v2/tasks?status=running", "").member(t, "tasks").([]any)
	if len(tasks) != 2 {
		t.Fatalf("%d tasks run, want 2", len(tasks))
	}
	first := tasks[0].(map[string]any)
	for name, want := range map[string]any{"appId": "/dev/web", "host": "h1", "slaveId": "a-h1", "state": "TASK_RUNNING", "role": "*"} {
		if first[name] != want {
			t.Errorf("%s = %v, want %v", name, first[name], want)
		}
	}
	if got := len(first["ports"].([]any)); got != 2 {
		t.Errorf("%d ports, want 2", got)
	}
	if got := first["servicePorts"].([]any)[0]; got != 9000.0 {
		t.Errorf("first service port = %v, want 9000", got)
	}
	if got := call(t, "GET", url+"/v2/tasks?status[]=staging", "").member(t, "tasks").([]any); len(got) != 0 {
		t.Errorf("%d tasks are staging, want none", len(got))
	}

	id := first["id"].(string)
	a := call(t, "DELETE", url+"/v2/apps/dev/web/tasks/"+id, "")
	if got := a.member(t, "task", "id"); got != id {
		t.Errorf("killed %v, want %s", got, id)
	}
	d.killed()
	d.offer("h1")
	d.run()
	if got := len(call(t, "GET", url+"/v2/apps/dev/web/tasks", "").member(t, "tasks").([]any)); got != 2 {
		t.Errorf("%d tasks after a kill, want a replacement", got)
	}

	a = call(t, "DELETE", url+"/v2/apps/dev/web/tasks?scale=true&host=h1", "")
	if a.status != 200 || a.member(t, "deploymentId") == nil {
		t.Errorf("kill and scale = %d %s, want a deployment", a.status, a.body)
	}
	d.killed()
	if got := call(t, "GET", url+"/v2/apps/dev/web", "").member(t, "app", "instances"); got != 0.0 {
		t.Errorf("instances = %v, want 0", got)
	}
	if got := call(t, "GET", url+"/v2/deployments", "").body; got != "[]" {
		t.Errorf("deployments = %s, want none", got)
	}
}

func TestKillByList(t *testing.T) {
	d, url := start(t)
	create(t, url, `{"id":"/a","cmd":"sleep 1"}`)
	create(t, url, `{"id":"/b","cmd":"sleep 1"}`)
	d.offer("h1")
	d.run()
	var ids []string
	for _, x := range call(t, "GET", url+"/v2/tasks", "").member(t, "tasks").([]any) {
		ids = append(ids, x.(map[string]any)["id"].(string))
	}
	body, _ := json.Marshal(map[string]any{"ids": ids})
	a := call(t, "POST", url+"/v2/tasks/delete?scale=true", string(body))
	if a.status != 200 {
		t.Fatalf("kill and scale = %d %s", a.status, a.body)
	}
	d.killed()
	for _, id := range []string{"/a", "/b"} {
		if got := call(t, "GET", url+"/v2/apps"+id, "").member(t, "app", "instances"); got != 0.0 {
			t.Errorf("instances of %s = %v, want 0", id, got)
		}
	}
}

func TestTextTasks(t *testing.T) {
	d, url := start(t)
	create(t, url, `{"id":"/dev/web","cmd":"sleep 1","ports":[9000]}`)
	create(t, url, `{"id":"/none","cmd":"sleep 1","portDefinitions":[]}`)
	d.offer("h1")
	d.run()
	a := call(t, "GET", url+"/v2/tasks", "", "Accept", "text/plain")
	lines := strings.Split(strings.TrimSuffix(a.body, "\n"), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "dev_web\t9000\th1:31") || lines[1] != "none\t \th1" {
		t.Errorf("text = %q", a.body)
	}
}

func TestQueueExplainsWhy(t *testing.T) {
	d, url := start(t)
	create(t, url, `{"id":"/big","cmd":"sleep 1","cpus":1000}`)
	d.offer("h1")
	a := call(t, "GET", url+"/v2/queue?embed=lastUnusedOffers", "")
	var got struct {
		Queue []struct {
			Count int `json:"count"`
			Delay struct {
				Overdue bool `json:"overdue"`
			} `json:"delay"`
			Summary struct {
				Unused  int                  `json:"unusedOffersCount"`
				Attempt []core.RejectSummary `json:"rejectSummaryLaunchAttempt"`
			} `json:"processedOffersSummary"`
			Offers []struct {
				Offer struct {
					Hostname string `json:"hostname"`
				} `json:"offer"`
				Reason []string `json:"reason"`
			} `json:"lastUnusedOffers"`
		} `json:"queue"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(got.Queue) != 1 {
		t.Fatalf("queue %s: %v", a.body, err)
	}
	q := got.Queue[0]
	if q.Count != 1 || !q.Delay.Overdue || q.Summary.Unused != 1 {
		t.Errorf("queue = %s", a.body)
	}
	i := slices.IndexFunc(q.Summary.Attempt, func(r core.RejectSummary) bool { return r.Reason == core.InsufficientCpus })
	if len(q.Summary.Attempt) != 10 || q.Summary.Attempt[i].Declined != 1 || q.Summary.Attempt[9].Processed != 0 {
		t.Errorf("summary = %+v, want one offer refused for its cpus", q.Summary.Attempt)
	}
	if q.Offers[0].Offer.Hostname != "h1" || q.Offers[0].Reason[0] != "InsufficientCpus" {
		t.Errorf("offers = %+v", q.Offers)
	}
}

func TestDeploymentsAreShownAndUndone(t *testing.T) {
	d, url := start(t)
	create(t, url, `{"id":"/web","cmd":"sleep 1"}`)
	a := call(t, "GET", url+"/v2/deployments", "")
	var got []core.DeploymentInfo
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(got) != 1 {
		t.Fatalf("deployments %s: %v", a.body, err)
	}
	if got[0].CurrentStep != 2 || got[0].TotalSteps != 2 || got[0].CurrentActions[0].Action.Action != "ScaleApplication" {
		t.Errorf("deployment = %s", a.body)
	}
	a = call(t, "DELETE", url+"/v2/deployments/"+got[0].ID, "")
	if a.status != 200 || a.member(t, "deploymentId") == got[0].ID {
		t.Errorf("undo = %d %s, want another deployment", a.status, a.body)
	}
	if a := call(t, "GET", url+"/v2/apps/web", ""); a.status != 404 {
		t.Errorf("the app exists after its creation was undone: %d", a.status)
	}
	create(t, url, `{"id":"/other","cmd":"sleep 1"}`)
	d.offer("h1")
	if err := json.Unmarshal([]byte(call(t, "GET", url+"/v2/deployments", "").body), &got); err != nil {
		t.Fatal(err)
	}
	if a := call(t, "DELETE", url+"/v2/deployments/"+got[0].ID+"?force=true", ""); a.status != 202 || a.body != "" {
		t.Errorf("stop = %d %q, want 202 and nothing", a.status, a.body)
	}
}

func TestGroups(t *testing.T) {
	_, url := start(t)
	create(t, url, `{"id":"/a/b/web","cmd":"sleep 1"}`)
	create(t, url, `{"id":"/a/db","cmd":"sleep 1"}`)
	create(t, url, `{"id":"/c","cmd":"sleep 1"}`)
	root := call(t, "GET", url+"/v2/groups", "")
	var got struct {
		ID     string
		Apps   []struct{ ID string }
		Groups []struct {
			ID     string
			Apps   []struct{ ID string }
			Groups []struct{ ID string }
		}
	}
	if err := json.Unmarshal([]byte(root.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != "/" || got.Apps[0].ID != "/c" || got.Groups[0].ID != "/a" || got.Groups[0].Apps[0].ID != "/a/db" || got.Groups[0].Groups[0].ID != "/a/b" {
		t.Errorf("groups = %s", root.body)
	}
	if a := call(t, "GET", url+"/v2/groups?embed=group.groups", ""); strings.Contains(a.body, `"apps"`) {
		t.Errorf("groups without apps = %s", a.body)
	}
	if a := call(t, "PUT", url+"/v2/groups/a", `{}`); a.status != 501 {
		t.Errorf("PUT = %d %s, want 501", a.status, a.body)
	}
	if a := call(t, "DELETE", url+"/v2/groups/a?force=true", ""); a.status != 200 {
		t.Errorf("DELETE = %d %s, want 200", a.status, a.body)
	}
	if a := call(t, "GET", url+"/v2/apps", ""); strings.Contains(a.body, "/a/") || !strings.Contains(a.body, `"/c"`) {
		t.Errorf("apps after the group is deleted = %s", a.body)
	}
}

func TestEventStream(t *testing.T) {
	d, url := start(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/v2/events?event_type=api_post_event&event_type=deployment_info", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type = %q", got)
	}
	create(t, url, `{"id":"/web","cmd":"sleep 1"}`)
	d.offer("h1")
	events := bufio.NewScanner(resp.Body)
	var names []string
	for len(names) < 3 && events.Scan() {
		if name, ok := strings.CutPrefix(events.Text(), "event: "); ok {
			names = append(names, name)
			events.Scan()
			data, ok := strings.CutPrefix(events.Text(), "data: ")
			var heading core.Heading
			if err := json.Unmarshal([]byte(data), &heading); !ok || err != nil || heading.EventType != name || heading.Timestamp == 0 {
				t.Errorf("data of %s = %q", name, events.Text())
			}
		}
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "api_post_event deployment_info deployment_info" {
		t.Errorf("events = %s", got)
	}
}

func TestPingAndMetrics(t *testing.T) {
	d, url := start(t)
	create(t, url, `{"id":"/web","cmd":"sleep 1"}`)
	d.offer("h1")
	d.run()
	for accept, want := range map[string]string{"*/*": "pong", "text/plain": "pong", "application/json": `"pong"`, "image/png": ""} {
		if a := call(t, "GET", url+"/ping", "", "Accept", accept); a.body != want {
			t.Errorf("ping for %s = %q, want %q", accept, a.body, want)
		}
	}
	a := call(t, "GET", url+"/metrics", "")
	if got := a.member(t, "gauges", "marathon.instances.running.gauge", "value"); got != 1.0 {
		t.Errorf("running = %v, want 1", got)
	}
	if got := a.member(t, "counters", "marathon.tasks.launched.counter", "count"); got != 1.0 {
		t.Errorf("launched = %v, want 1", got)
	}
	if a := call(t, "GET", url+"/metrics/prometheus", ""); !strings.Contains(a.body, "marathon_instances_running_gauge 1") {
		t.Errorf("prometheus = %s", a.body)
	}
}
