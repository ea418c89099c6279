package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/disk"
	"github.com/soukproject/souk/agent/sandbox"
	"github.com/soukproject/souk/agent/volume"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// withDisk gives a task room on the disk, in megabytes.
func withDisk(t *mesospb.TaskInfo, mb float64) *mesospb.TaskInfo {
	t.Resources = append(t.Resources, &mesospb.Resource{
		Name: new("disk"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &mb},
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: new("web")},
	})
	return t
}

func TestTaskThatKeepsTooMuchOnDiskIsEnded(t *testing.T) {
	m := newFakeMaster(t)
	cfg := testConfig(t, m)
	cfg.EnforceDiskQuota, cfg.ContainerDiskWatchInterval = true, 20*time.Millisecond
	a := start(t, cfg)
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	const fill = "dd if=/dev/zero of=file bs=1M count=3 2>/dev/null; sleep 1000"
	m.run(withDisk(command("big", fill), 2), withDisk(command("small", fill), 4), command("free", fill))
	eventually(t, "end of the task that keeps too much", func() bool { return strings.HasSuffix(m.states("big"), "FAILED") })
	s := m.last("big")
	if s.GetReason() != mesospb.TaskStatus_REASON_CONTAINER_LIMITATION_DISK || s.GetSource() != mesospb.TaskStatus_SOURCE_AGENT ||
		!strings.HasPrefix(s.GetMessage(), "Disk usage (") || !strings.HasSuffix(s.GetMessage(), "exceeds quota (2MB)") ||
		s.GetLimitation().GetResources()[0].GetScalar().GetValue() != 2 {
		t.Errorf("update = %v, want the limit that was exceeded, with its numbers", s)
	}
	var body string
	eventually(t, "statistics of the others", func() bool {
		_, body = a.get("/monitor/statistics")
		return strings.Contains(body, `"disk_limit_bytes":4194304,"disk_used_bytes":3`)
	})
	if strings.Count(body, `"disk_statistics":[{"limit_bytes":4194304`) != 1 {
		t.Errorf("/monitor/statistics = %s, want the disk of one task", body)
	}
	for _, task := range []string{"small", "free"} {
		if got := m.states(task); !strings.HasSuffix(got, "RUNNING") {
			t.Errorf("states of %s = %s, want that it runs", task, got)
		}
		m.kill(task)
	}
	eventually(t, "end of all", func() bool { return strings.HasSuffix(m.states("small")+m.states("free"), "KILLED") })
}

func TestDiskIsMeasuredAndNobodyEndedByDefault(t *testing.T) {
	m := newFakeMaster(t)
	cfg := testConfig(t, m)
	cfg.ContainerDiskWatchInterval = 20 * time.Millisecond
	a := start(t, cfg)
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	m.run(withDisk(command("big", "dd if=/dev/zero of=file bs=1M count=3 2>/dev/null; sleep 1000"), 2))
	eventually(t, "the task runs", func() bool { return strings.HasSuffix(m.states("big"), "RUNNING") })
	eventually(t, "statistics", func() bool {
		_, body := a.get("/monitor/statistics")
		return strings.Contains(body, `"disk_limit_bytes":2097152,"disk_used_bytes":3`)
	})
	if got := m.states("big"); !strings.HasSuffix(got, "RUNNING") {
		t.Errorf("states = %s, want that it still runs", got)
	}
	m.kill("big")
	eventually(t, "end", func() bool { return strings.HasSuffix(m.states("big"), "KILLED") })
}

func TestFoldersOfAContainer(t *testing.T) {
	dir := t.TempDir()
	store, err := sandbox.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	d := &disks{
		agent:   &agent{store: store, persistence: &persistence{store: volume.NewStore(dir)}},
		changes: func(id string) string { return "/changes/of/" + id },
	}
	run := core.Run{Agent: "S0", Framework: "F0", Executor: "e1", Container: "c1"}
	kept := withDisk(command("t1", "true"), 3)
	last := kept.Resources[len(kept.Resources)-1]
	last.Reservations = []*mesospb.Resource_ReservationInfo{{Type: mesospb.Resource_ReservationInfo_STATIC.Enum(), Role: new("web")}}
	last.Disk = &mesospb.Resource_DiskInfo{Persistence: &mesospb.Resource_DiskInfo_Persistence{Id: new("v1")}, Volume: &mesospb.Volume{
		ContainerPath: new("data"), Mode: mesospb.Volume_RW.Enum(),
	}}
	over := withDisk(command("t2", "true"), 100)
	x := core.Executor{
		Run: run, Running: true, Info: &mesospb.ExecutorInfo{Resources: withDisk(command("e1", ""), 2).Resources},
		Tasks: []core.Task{
			{Info: withDisk(kept, 4), State: mesospb.TaskState_TASK_RUNNING}, {Info: over, State: mesospb.TaskState_TASK_FINISHED},
		},
	}
	want := []disk.Folder{
		{Container: "c1", Path: dir + "/volumes/roles/web/v1", Volume: "v1", Limit: 3 << 20},
		{Container: "c1", Path: store.Path(sandboxRun(run)), Also: "/changes/of/c1", Limit: 6 << 20},
	}
	if diff := cmp.Diff(want, d.foldersOf(x)); diff != "" {
		t.Errorf("foldersOf() (-want +got):\n%s", diff)
	}
	if got := overDisk(disk.Reading{Folder: want[0], Used: 4 << 20, Whole: true}); got != "Disk usage of volume v1 (4MB) exceeds quota (3MB)" {
		t.Errorf("overDisk() = %q", got)
	}
	if got := overDisk(disk.Reading{Folder: want[1]}); got != "Disk usage (more than can be counted) exceeds quota (6MB)" {
		t.Errorf("overDisk() = %q", got)
	}
}
