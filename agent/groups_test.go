package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/soukproject/souk/agent/containerizer"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// group sends tasks as one, for the default executor x.
func (m *fakeMaster) group(x *mesospb.ExecutorInfo, tasks ...*mesospb.TaskInfo) {
	for _, t := range tasks {
		t.Executor = x
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.send(&linkpb.Event{Type: linkpb.Event_RUN_GROUP.Enum(), RunGroup: &linkpb.RunGroup{
		Framework: framework(), Tasks: tasks, LaunchExecutor: new(true),
	}})
}

func defaultExecutor(id string) *mesospb.ExecutorInfo {
	return &mesospb.ExecutorInfo{
		Type: mesospb.ExecutorInfo_DEFAULT.Enum(), ExecutorId: &mesospb.ExecutorID{Value: &id}, FrameworkId: framework().GetId(),
	}
}

// sharing is a container with a folder of its executor's sandbox.
func sharing(path string) *mesospb.ContainerInfo {
	return &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), Volumes: []*mesospb.Volume{{
		ContainerPath: new("mine"), Mode: mesospb.Volume_RW.Enum(), Source: &mesospb.Volume_Source{
			Type:        mesospb.Volume_Source_SANDBOX_PATH.Enum(),
			SandboxPath: &mesospb.Volume_Source_SandboxPath{Type: mesospb.Volume_Source_SandboxPath_PARENT.Enum(), Path: &path},
		},
	}}}
}

// TestGroupRunsAndOutlivesTheAgent: tasks of the default executor have sandboxes in
// that of their executor, share a folder of it, are found again by the next agent,
// and end with each other.
func TestGroupRunsAndOutlivesTheAgent(t *testing.T) {
	m := newFakeMaster(t)
	cfg := testConfig(t, m)
	a := start(t, cfg)
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	writer := command("writer", "echo hello > mine/part && mv mine/part mine/file; env > env; exec sleep 1000")
	reader := command("reader", "while ! cat mine/file; do sleep 0.05; done; exec sleep 1000")
	writer.Container, reader.Container = sharing("shared"), sharing("shared")
	m.group(defaultExecutor("pod"), writer, reader)
	eventually(t, "both tasks", func() bool {
		return strings.HasSuffix(m.states("reader"), "RUNNING") && strings.HasSuffix(m.states("writer"), "RUNNING")
	})
	id := m.last("reader").GetContainerStatus().GetContainerId()
	sandboxes, err := filepath.Glob(filepath.Join(cfg.WorkDir, "slaves/*/frameworks/*/executors/pod/runs", id.GetParent().GetValue()))
	if err != nil || len(sandboxes) != 1 {
		t.Fatalf("sandbox of the executor: %v, %v, want one", sandboxes, err)
	}
	file := func(name string) string {
		data, _ := os.ReadFile(filepath.Join(sandboxes[0], name))
		return string(data)
	}
	eventually(t, "what one writes and the other reads", func() bool { return file("tasks/reader/stdout") == "hello\n" })
	if link, err := os.Readlink(filepath.Join(sandboxes[0], "tasks/reader")); link != "../containers/"+id.GetValue() {
		t.Errorf("link = %s, %v, want the sandbox in containers", link, err)
	}
	eventually(t, "the environment", func() bool { return strings.Contains(file("tasks/writer/env"), "MESOS_CONTAINER_IP=127.0.0.1\n") })
	if answer := a.call(`{"type": "GET_CONTAINERS", "get_containers": {"show_nested": true}}`); strings.Count(answer, id.GetValue()) != 2 {
		t.Errorf("GET_CONTAINERS = %s, want the task's container", answer)
	}
	if err := a.end(); err != nil {
		t.Logf("Run() = %v", err)
	}
	cfg.AdvertisePort, _ = portOf(a.address) // the port was the system's choice; it must not change
	a = start(t, cfg)
	eventually(t, "the second subscription", func() bool { n, s := m.sessions(); return n == 2 && len(s.GetExecutors()) == 1 })
	m.kill("writer")
	eventually(t, "the end of both", func() bool {
		return strings.HasSuffix(m.states("reader"), "KILLED") && strings.HasSuffix(m.states("writer"), "KILLED")
	})
	eventually(t, "the end of the executor", func() bool {
		_, body := a.get("/containers")
		return strings.TrimSpace(body) == "[]"
	})
}

func TestGroupWithWhatPlainProcessesCannotHave(t *testing.T) {
	m := newFakeMaster(t)
	start(t, testConfig(t, m))
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	imaged := command("imaged", "true")
	imaged.Container = &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), Mesos: &mesospb.ContainerInfo_MesosInfo{
		Image: &mesospb.Image{Type: mesospb.Image_DOCKER.Enum(), Docker: &mesospb.Image_Docker{Name: new("busybox")}},
	}}
	m.group(defaultExecutor("pod"), imaged, command("other", "true"))
	eventually(t, "the end of both", func() bool { return m.last("other").GetState() == mesospb.TaskState_TASK_FAILED })
	if got := m.last("imaged").GetMessage(); !strings.Contains(got, "--containerizer=runc") {
		t.Errorf("message = %q, want what to do", got)
	}
}

// What an executor has mounted is mounted in its own container only.
func TestVolumesOfTheParent(t *testing.T) {
	base := t.TempDir()
	v := volumes{sandbox: filepath.Join(base, "containers/1"), parent: &parent{volumes: volumes{sandbox: base}, mounts: []containerizer.Mount{
		{Kind: containerizer.Bind, Source: "/volumes/db", Target: "db", ReadOnly: true},
		{Kind: containerizer.Bind, Source: "/elsewhere", Target: "/abs"},
	}}}
	for source, want := range map[string]containerizer.Mount{
		"db":     {Kind: containerizer.Bind, Source: "/volumes/db", Target: "db", ReadOnly: true},
		"db/sub": {Kind: containerizer.Bind, Source: "/volumes/db/sub", Within: "/volumes/db", Target: "db", ReadOnly: true},
		"db2":    {Kind: containerizer.Bind, Source: filepath.Join(base, "db2"), Within: base},
	} {
		got, err := v.parentPath(source)
		if err != nil || got.Source != want.Source || got.Within != want.Within || got.ReadOnly != want.ReadOnly {
			t.Errorf("parentPath(%s) = %+v, %v, want %+v", source, got, err, want)
		}
	}
	for _, source := range []string{"..", "/abs", "a/../.."} {
		if m, err := v.parentPath(source); err == nil {
			t.Errorf("parentPath(%s) = %+v, want an error", source, m)
		}
	}
}

// An operator's signal ends a task like any other accident.
func TestOperatorKillsATaskOfAGroup(t *testing.T) {
	m := newFakeMaster(t)
	a := start(t, testConfig(t, m))
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	m.group(defaultExecutor("pod"), command("one", "exec sleep 1000"), command("two", "exec sleep 1000"))
	eventually(t, "both tasks", func() bool {
		return strings.HasSuffix(m.states("one"), "RUNNING") && strings.HasSuffix(m.states("two"), "RUNNING")
	})
	id := m.last("one").GetContainerStatus().GetContainerId()
	name := `{"value": "` + id.GetValue() + `", "parent": {"value": "` + id.GetParent().GetValue() + `"}}`
	if answer := a.call(`{"type": "KILL_CONTAINER", "kill_container": {"container_id": ` + name + `, "signal": 9}}`); !strings.HasPrefix(answer, "200") {
		t.Errorf("KILL_CONTAINER = %s, want 200", answer)
	}
	eventually(t, "the end of both", func() bool {
		return strings.HasSuffix(m.states("one"), "FAILED") && strings.HasSuffix(m.states("two"), "KILLED")
	})
}
