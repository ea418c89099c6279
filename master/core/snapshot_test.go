package core

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// aCluster is a master with an agent, a framework, a finished, a running and an
// offered part.
func aCluster(t *testing.T) *scenario {
	t.Helper()
	s := newScenario()
	s.play(t, `
		elect
		agent a1 total=cpus:4;mem:1024;ports:[31000-31010]
		subscribe f1 roles=web/front caps=PARTITION_AWARE checkpoint timeout=60
		tick 1ms
		accept f1 offers=O0 on=S0 launch=t1|cpus:1;ports:[31000-31001] launch=t2|cpus:1 refuse=0
		update a1 f1 t1 STARTING uuid=1
		update a1 f1 t1 RUNNING uuid=2
		update a1 f1 t2 FINISHED uuid=3
		ack f1 t2 on=S0 uuid=3
		tick 2s`)
	return s
}

func TestGetTasks(t *testing.T) {
	got := aCluster(t).m.Snapshot().GetTasks()
	if len(got.Tasks) != 1 || len(got.CompletedTasks) != 1 || len(got.UnreachableTasks) != 0 {
		t.Fatalf("GetTasks has %d, %d and %d tasks, want 1, 1 and 0", len(got.Tasks), len(got.CompletedTasks), len(got.UnreachableTasks))
	}
	want := &mesospb.Task{
		Name: new("t1"), TaskId: taskID("t1"), FrameworkId: frameworkID("M-0000"), AgentId: agentID("M-S0"),
		State: mesospb.TaskState_TASK_RUNNING.Enum(), StatusUpdateState: mesospb.TaskState_TASK_RUNNING.Enum(), StatusUpdateUuid: uuidOf("2"),
	}
	for _, x := range []struct {
		state mesospb.TaskState
		uuid  string
	}{{mesospb.TaskState_TASK_STARTING, "1"}, {mesospb.TaskState_TASK_RUNNING, "2"}} {
		want.Statuses = append(want.Statuses, &mesospb.TaskStatus{
			TaskId: taskID("t1"), State: x.state.Enum(), Uuid: uuidOf(x.uuid), AgentId: agentID("M-S0"), Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(),
		})
	}
	if diff := cmp.Diff(want, got.Tasks[0], protocmp.Transform(), protocmp.IgnoreFields(&mesospb.Task{}, "resources")); diff != "" {
		t.Errorf("task differs (-want +got):\n%s", diff)
	}
}

// TestEndpointForm: resources of agents carry role "*", as recorded.
func TestEndpointForm(t *testing.T) {
	s := aCluster(t).m.Snapshot()
	for _, r := range s.GetAgents().Agents[0].TotalResources {
		if r.GetRole() != "*" || r.Role == nil || r.AllocationInfo != nil {
			t.Errorf("total resource %v, want role * and no allocation", r)
		}
	}
	for _, r := range s.GetFrameworks().Frameworks[0].AllocatedResources {
		if r.GetAllocationInfo().GetRole() != "web/front" {
			t.Errorf("allocated resource %v, want it allocated to web/front", r)
		}
	}
}

func TestUsedCountsPorts(t *testing.T) {
	s := aCluster(t).m.Snapshot()
	if got, want := s.Used(&s.Frameworks[0]).String(), "cpus(allocated: web/front):1; ports(allocated: web/front):[31000-31001]"; got != want {
		t.Errorf("Used = %s, want %s", got, want)
	}
}

func TestRoles(t *testing.T) {
	s := aCluster(t)
	var got []string
	for _, r := range s.m.Snapshot().Roles() {
		got = append(got, r.Name+" allocated "+r.Allocated.String()+" offered "+r.Offered.String())
	}
	want := []string{"web allocated {} offered {}", "web/front allocated cpus:1; ports:2 offered cpus:3; mem:1024; ports:9"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("roles differ (-want +got):\n%s", diff)
	}
	s.m.cfg.Roles = []string{"web/front", "db"}
	got = nil
	for _, r := range s.m.Snapshot().Roles() {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff([]string{"*", "db", "web/front"}, got); diff != "" {
		t.Errorf("roles with a whitelist differ (-want +got):\n%s", diff)
	}
}

func TestMetrics(t *testing.T) {
	got := aCluster(t).m.Snapshot().Metrics()
	for name, want := range map[string]float64{
		"master/slaves_active": 1, "master/slaves_connected": 1, "master/slaves_inactive": 0, "master/slave_registrations": 1,
		"master/frameworks_active": 1, "master/outstanding_offers": 1,
		"master/tasks_running": 1, "master/tasks_staging": 0, "master/tasks_finished": 1, "master/tasks_lost": 0,
		"master/cpus_total": 4, "master/cpus_used": 1, "master/cpus_percent": 0.25, "master/gpus_total": 0, "master/gpus_percent": 0,
		"master/messages_status_update": 3, "master/messages_launch_tasks": 1, "master/valid_status_updates": 3, "master/invalid_status_updates": 0,
		"master/frameworks/f1/M-0000/calls/accept": 1, "master/frameworks/f1/M-0000/calls/subscribe": 1, "master/frameworks/f1/M-0000/events/update": 3,
		"master/frameworks/f1/M-0000/operations/launch": 1, "master/frameworks/f1/M-0000/offers/accepted": 1, "master/frameworks/f1/M-0000/offers/sent": 2,
		"master/frameworks/f1/M-0000/tasks/active/task_running": 1, "master/frameworks/f1/M-0000/tasks/terminal/task_finished": 1,
		"allocator/mesos/resources/cpus/total": 4, "allocator/mesos/resources/cpus/offered_or_allocated": 4,
		"master/frameworks/f1/M-0000/subscribed": 1, "master/frameworks/f1/M-0000/roles/web%2Ffront/suppressed": 0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s = %v (there: %t), want %v", name, value, ok, want)
		}
	}
}

// TestCausesKeepOldWords: dashboards know slaves.
func TestQuotaMetrics(t *testing.T) {
	s := aCluster(t)
	s.play(t, `operate UPDATE_QUOTA {"update_quota":{"force":true,"quota_configs":[{"role":"*","limits":{"cpus":{"value":8}}},{"role":"bell\u0007","limits":{"cpus":{"value":1}}},{"role":"web","guarantees":{"mem":{"value":64}},"limits":{"cpus":{"value":2},"mem":{"value":128}}}]}}
		tick 2s`)
	got := map[string]float64{}
	for name, v := range s.m.Snapshot().Metrics() {
		if rest, ok := strings.CutPrefix(name, "allocator/mesos/quota/roles/"); ok {
			got[rest] = v
		}
	}
	want := map[string]float64{
		"*/resources/cpus/limit": 8, "*/resources/cpus/consumed": 0, "*/resources/cpus/offered_or_allocated": 0,
		"bell%07/resources/cpus/limit": 1, "bell%07/resources/cpus/consumed": 0, "bell%07/resources/cpus/offered_or_allocated": 0,
		"web/resources/cpus/limit": 2, "web/resources/cpus/consumed": 1, "web/resources/cpus/offered_or_allocated": 2,
		"web/resources/mem/limit": 128, "web/resources/mem/guarantee": 64, "web/resources/mem/consumed": 0, "web/resources/mem/offered_or_allocated": 128,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics differ (-want +got):\n%s", diff)
	}
}

func TestCausesKeepOldWords(t *testing.T) {
	s := aCluster(t)
	s.play(t, `say a1 {"type":"UNREGISTER"}`)
	if got := s.m.Snapshot().Metrics()["master/task_lost/source_master/reason_slave_removed"]; got != 1 {
		t.Errorf("reason_slave_removed = %v, want 1", got)
	}
}

// TestSnapshotIsReadWhileTheMasterGoesOn: run with -race.
func TestSnapshotIsReadWhileTheMasterGoesOn(t *testing.T) {
	m := filled(t, 3000, 3)
	f := m.order[0]
	before := m.Snapshot()
	want := before.GetTasks()
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for range 3 {
				if diff := cmp.Diff(len(want.Tasks), len(before.GetTasks().Tasks)); diff != "" {
					t.Error(diff)
				}
				before.Metrics()
			}
		})
	}
	for row := range m.tasks.walk(f.active, byFramework) {
		id, a := m.tasks.id(row), m.agentOf[m.tasks.rows.at(row).agent]
		status := statusLike(id, a.id, mesospb.TaskState_TASK_FINISHED)
		m.Step(m.now, AgentSent{a.session, []*linkpb.Message{{
			Seq: new(m.sessions[a.session].heard + 1), Type: linkpb.Message_STATUS_UPDATE.Enum(),
			StatusUpdate: &linkpb.StatusUpdate{FrameworkId: frameworkID(f.id), Status: status},
		}}})
		m.Step(m.now, Called{1, f.stream, "", &schedulerpb.Call{FrameworkId: frameworkID(f.id), Type: schedulerpb.Call_ACKNOWLEDGE.Enum(),
			Acknowledge: &schedulerpb.Call_Acknowledge{AgentId: agentID(a.id), TaskId: taskID(id), Uuid: status.GetUuid()}}})
		m.Snapshot()
	}
	readers.Wait()
	if diff := cmp.Diff(want, before.GetTasks(), protocmp.Transform()); diff != "" {
		t.Errorf("the snapshot changed (-then +now):\n%.2000s", diff)
	}
	if got := len(m.Snapshot().GetTasks().Tasks); got != 0 {
		t.Errorf("%d tasks are left, want 0", got)
	}
}

// TestRegistryIsPruned: unreachable and gone agents that are too old or too many go.
func TestRegistryIsPruned(t *testing.T) {
	cfg := worldConfig(false)
	cfg.RegistryMaxAgentCount, cfg.RegistryMaxAgentAge, cfg.RegistryGCInterval = 2, time.Hour, time.Minute
	m := New(cfg)
	now := time.Unix(100_000, 0)
	r := &registrypb.Registry{Weights: []*registrypb.Weight{{Role: new("b"), Weight: new(2.0)}, {Role: new("a"), Weight: new(3.0)}, {Role: new("c"), Weight: new(-1.0)}}}
	for i, id := range []string{"u1", "u2", "u3"} {
		r.Unreachable = append(r.Unreachable, &registrypb.Unreachable{
			Info: &mesospb.AgentInfo{Hostname: new("h"), Id: agentID(mesos.AgentID(id))}, Since: timeInfo(now.Add(time.Duration(i-100) * time.Second)),
		})
	}
	r.Gone = []*registrypb.Gone{{Id: agentID("g1"), Since: timeInfo(now.Add(-2 * time.Hour))}, {Id: agentID("g2"), Since: timeInfo(now)}}
	m.Step(now, Elected{r})
	at := now.Add(cfg.RegistryGCInterval)
	var got []string
	for _, e := range m.Step(at, Tick{}) {
		if p, ok := e.(Persist); ok {
			for _, id := range p.Operations[0].GetAgentIds() {
				got = append(got, id.GetValue())
			}
			m.Step(at, Persisted{p.Seq})
		}
	}
	if diff := cmp.Diff([]string{"u1", "g1"}, got); diff != "" {
		t.Errorf("pruned agents differ (-want +got):\n%s", diff)
	}
	left := append(slices.Sorted(maps.Keys(m.unreachable)), slices.Sorted(maps.Keys(m.gone))...)
	if diff := cmp.Diff([]mesos.AgentID{"u2", "u3", "g2"}, left); diff != "" {
		t.Errorf("remaining agents differ (-want +got):\n%s", diff)
	}
	want := []Weight{{"a", 3}, {"b", 2}}
	if diff := cmp.Diff(want, m.Snapshot().Weights); diff != "" {
		t.Errorf("weights differ (-want +got):\n%s", diff)
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		10 * time.Minute: "10mins", 15 * time.Second: "15secs", 90 * time.Second: "1.5mins", 14 * 24 * time.Hour: "2weeks", time.Millisecond: "1ms", 3: "3ns",
	} {
		if got := durationText(d); got != want {
			t.Errorf("durationText(%d) = %s, want %s", d, got, want)
		}
	}
}
