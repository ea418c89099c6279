package local_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestTornDownFrameworksComeBack: an operator who tears down Marathon or Chronos
// ends neither the other nor the cluster; both come back as new frameworks that
// know their apps and jobs.
func TestTornDownFrameworksComeBack(t *testing.T) {
	c := newCluster(t)
	c.start()
	c.call(http.MethodPost, c.marathon+"/v2/apps", sample(t, "api-app-simple.json"), http.StatusCreated)
	c.call(http.MethodPost, c.chrono+"/v1/scheduler/iso8601", `{"name":"later","command":"true","schedule":"R/2099-01-01T00:00:00Z/P1D"}`, http.StatusNoContent)
	before := c.running("simple", 2)
	for _, name := range []string{"marathon", "chronos"} {
		old := c.framework(name)
		teardown(t, c.master, old)
		c.eventually(name+" is a new framework", func() error {
			if id, err := c.frameworkID(name); err != nil || id == old {
				return fmt.Errorf("its id is %q (%v), and was %q", id, err, old)
			}
			return nil
		})
	}
	for _, k := range c.running("simple", 2) {
		for _, old := range before {
			if k.ID == old.ID {
				t.Errorf("task %s of the framework that is gone is still listed", k.ID)
			}
		}
	}
	c.call(http.MethodGet, c.chrono+"/v1/scheduler/job/later", "", http.StatusOK)
	c.call(http.MethodDelete, c.marathon+"/v2/apps/simple", "", http.StatusOK)
	c.idle()
}

func teardown(t *testing.T, master, id string) {
	t.Helper()
	resp, err := http.Post(master+"/teardown", "application/x-www-form-urlencoded", strings.NewReader(url.Values{"frameworkId": {id}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("POST /teardown = %s, want 200", resp.Status)
	}
}

// framework is the id of the one of that name.
func (c *cluster) framework(name string) string {
	c.t.Helper()
	id, err := c.frameworkID(name)
	if err != nil {
		c.t.Fatal(err)
	}
	return id
}

func (c *cluster) frameworkID(name string) (string, error) {
	var answer struct {
		Frameworks []struct{ ID, Name string }
	}
	if err := c.get(c.master+"/frameworks", &answer); err != nil {
		return "", err
	}
	for _, f := range answer.Frameworks {
		if strings.EqualFold(f.Name, name) || strings.HasPrefix(strings.ToLower(f.Name), name) {
			return f.ID, nil
		}
	}
	return "", fmt.Errorf("no framework %s among %+v", name, answer.Frameworks)
}
