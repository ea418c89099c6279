package local_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// TestEndToEndAgentHealth: the agent checks tasks in their containers, Marathon
// shows what it finds, and replaces a task that was killed for it.
func TestEndToEndAgentHealth(t *testing.T) {
	c := newCluster(t)
	c.start()
	dir, err := os.MkdirTemp("", "health")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	sick := filepath.Join(dir, "sick")
	timing := `"gracePeriodSeconds":1,"delaySeconds":0,"intervalSeconds":1,"timeoutSeconds":5,"maxConsecutiveFailures":2`
	c.call(http.MethodPost, c.marathon+"/v2/apps", fmt.Sprintf(`{"id":"/command","cmd":"touch ready; sleep 1000","cpus":0.1,"mem":32,"healthChecks":[
		{"protocol":"COMMAND","command":{"value":"test ! -e %s"},%s}]}`, sick, timing), http.StatusCreated)
	c.call(http.MethodPost, c.marathon+"/v2/apps", fmt.Sprintf(`{"id":"/web","cmd":"exec python3 -m http.server $PORT0","cpus":0.1,"mem":64,
		"portDefinitions":[{"port":0}],"healthChecks":[{"protocol":"MESOS_HTTP","path":"/","portIndex":0,%s}]}`, timing), http.StatusCreated)
	healthy := func(app string) {
		t.Helper()
		c.eventually(app+" is healthy", func() error {
			var answer struct {
				App struct{ TasksHealthy, TasksRunning int }
			}
			if err := c.get(c.marathon+"/v2/apps/"+app, &answer); err != nil {
				return err
			}
			if answer.App.TasksHealthy != 1 {
				return fmt.Errorf("%+v", answer.App)
			}
			return nil
		})
	}
	healthy("command")
	healthy("web")
	first := c.running("command", 1)[0]
	if err := os.WriteFile(sick, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c.eventually("the sick task is replaced", func() error {
		if now := c.running("command", 1)[0]; now.ID == first.ID {
			return fmt.Errorf("still %s", now.ID)
		}
		return nil
	})
	if err := os.Remove(sick); err != nil {
		t.Fatal(err)
	}
	healthy("command")
	for _, app := range []string{"command", "web"} {
		c.call(http.MethodDelete, c.marathon+"/v2/apps/"+app, "", http.StatusOK)
	}
	c.idle()
}
