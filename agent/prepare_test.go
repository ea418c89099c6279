package agent

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func TestTaskFindsItsFilesAndVolumes(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "#!/bin/sh\necho fetched > shared/out\n") }))
	defer s.Close()
	m, data := newFakeMaster(t), t.TempDir()
	start(t, testConfig(t, m))
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	task := command("t1", "./run.sh")
	task.Command.Uris = []*mesospb.CommandInfo_URI{{Value: new(s.URL + "/run.sh"), Executable: new(true)}}
	task.Container = &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), Volumes: []*mesospb.Volume{
		{ContainerPath: new("shared"), HostPath: &data, Mode: mesospb.Volume_RW.Enum()},
	}}
	m.run(task)
	eventually(t, "the end of the task", func() bool { return strings.HasSuffix(m.states("t1"), "FINISHED") })
	if got, err := os.ReadFile(filepath.Join(data, "out")); err != nil || string(got) != "fetched\n" {
		t.Errorf("file in the volume = %q, %v, want fetched", got, err)
	}
}

func TestFetchThatFails(t *testing.T) {
	m := newFakeMaster(t)
	start(t, testConfig(t, m))
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	task := command("t1", "true")
	task.Command.Uris = []*mesospb.CommandInfo_URI{{Value: new("/no/such/file")}}
	m.run(task)
	eventually(t, "the end of the task", func() bool { return m.last("t1").GetState() == mesospb.TaskState_TASK_FAILED })
	s := m.last("t1")
	if s.GetReason() != mesospb.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED ||
		!strings.HasPrefix(s.GetMessage(), "Failed to launch container: Failed to fetch all URIs for container '") ||
		!strings.HasSuffix(s.GetMessage(), "/no/such/file: no such file on the agent's machine") {
		t.Errorf("status = %v", s)
	}
}

// TestKillWhileFetching: who waits for a slow server need not wait for it to end.
func TestKillWhileFetching(t *testing.T) {
	asked := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer s.Close()
	m := newFakeMaster(t)
	start(t, testConfig(t, m))
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	task := command("t1", "true")
	task.Command.Uris = []*mesospb.CommandInfo_URI{{Value: new(s.URL + "/file")}}
	m.run(task)
	<-asked
	m.kill("t1")
	eventually(t, "the end of the task", func() bool { return m.last("t1").GetState() == mesospb.TaskState_TASK_KILLED })
	if got := m.last("t1").GetReason(); got != mesospb.TaskStatus_REASON_TASK_KILLED_DURING_LAUNCH {
		t.Errorf("reason = %v, want killed during launch", got)
	}
}

func TestVolumesStayInTheSandbox(t *testing.T) {
	sandbox := t.TempDir()
	v := volumes{sandbox: sandbox}
	for _, source := range []string{"..", "../x", "/x", "a/../../x", "."} {
		if _, err := v.sandboxPath(source); err == nil {
			t.Errorf("sandboxPath(%q) = nil, want an error", source)
		}
	}
	m, err := v.sandboxPath("a/b")
	if err != nil || m.Source != filepath.Join(sandbox, "a/b") || m.Within != sandbox {
		t.Errorf("sandboxPath(a/b) = %+v, %v", m, err)
	}
}

func TestHostPathsAreMadeWhereThatIsAllowed(t *testing.T) {
	dir := t.TempDir()
	v := volumes{create: []string{filepath.Join(dir, "may")}}
	for name, want := range map[string]bool{"may/a/b": true, "mayor/a": false, "may/../not": false} {
		_, err := v.hostPath(filepath.Join(dir, name), false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("folder %s is there: %v, want %v", name, err == nil, want)
		}
	}
}
