package core

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/hierarchical"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// BenchmarkTasks fills a master with running tasks and reports what one costs:
// bytes of heap, and the time of a garbage collection for all of them.
func BenchmarkTasks(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				before := heap()
				m := filled(b, n, 100)
				b.ReportMetric(float64(heap()-before)/float64(n), "B/task")
				start := time.Now()
				runtime.GC()
				b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/GC")
				start = time.Now()
				s := m.Snapshot()
				b.ReportMetric(float64(time.Since(start).Microseconds()), "µs/snapshot")
				runtime.KeepAlive(s)
				runtime.KeepAlive(m)
			}
		})
	}
}

// BenchmarkTaskLife is one task from ACCEPT to its last acknowledgement, in a
// master that runs many.
func BenchmarkTaskLife(b *testing.B) {
	m := filled(b, 100_000, 100)
	now := time.Unix(2000, 0)
	f := m.order[0]
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		id := fmt.Sprint("life-", i)
		m.launchDirectly(f, m.agentOf[1+i%100], taskLike(id))
		for _, state := range []mesospb.TaskState{mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_FINISHED} {
			a := m.agentOf[1+i%100]
			s := statusLike(id, a.id, state)
			m.Step(now, AgentSent{a.session, []*linkpb.Message{{
				Seq: new(m.sessions[a.session].heard + 1), Type: linkpb.Message_STATUS_UPDATE.Enum(),
				StatusUpdate: &linkpb.StatusUpdate{FrameworkId: frameworkID(f.id), Status: s},
			}}})
			m.Step(now, Called{1, f.stream, "", &schedulerpb.Call{
				FrameworkId: frameworkID(f.id), Type: schedulerpb.Call_ACKNOWLEDGE.Enum(),
				Acknowledge: &schedulerpb.Call_Acknowledge{AgentId: agentID(a.id), TaskId: taskID(id), Uuid: s.GetUuid()},
			}})
		}
	}
}

// BenchmarkReconcile answers an implicit reconciliation of 100,000 tasks.
func BenchmarkReconcile(b *testing.B) {
	m := filled(b, 100_000, 100)
	f := m.order[0]
	b.ResetTimer()
	for range b.N {
		m.Step(m.now, Called{1, f.stream, "", &schedulerpb.Call{
			FrameworkId: frameworkID(f.id), Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: &schedulerpb.Call_Reconcile{},
		}})
	}
}

// BenchmarkGetState builds GET_STATE of 100,000 tasks from a snapshot.
func BenchmarkGetState(b *testing.B) {
	s := filled(b, 100_000, 100).Snapshot()
	b.ResetTimer()
	for range b.N {
		s.GetState()
	}
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// filled is a master with n running tasks of one framework.
func filled(tb testing.TB, n, agents int) *Master {
	tb.Helper()
	now := time.Unix(1000, 0)
	m := New(Config{
		MasterID: "8b0e1a5c-6c0e-4a2e-9c39-1f6a2d1f0c11", RootSubmissions: true, Rand: rand.New(rand.NewPCG(1, 1)),
		Allocator: hierarchical.New(allocator.Config{Rand: rand.New(rand.NewPCG(1, 1))}),
	})
	m.Step(now, Elected{})
	total, _ := resources.Parse("cpus:100000;mem:100000000", "*")
	for i := range agents {
		m.Step(now, AgentSubscribed{Session(i + 1), fmt.Sprintf("10.0.%d.%d:1", i/250, i%250), &linkpb.Subscribe{
			Agent: &mesospb.AgentInfo{Hostname: new(fmt.Sprint("host", i)), Resources: total.Proto(resources.PostRefinement)},
		}})
		m.Step(now, Persisted{uint64(i + 1)})
	}
	m.Step(now, Subscribed{"stream", "", &schedulerpb.Call{Type: schedulerpb.Call_SUBSCRIBE.Enum(), Subscribe: &schedulerpb.Call_Subscribe{
		FrameworkInfo: &mesospb.FrameworkInfo{User: new("root"), Name: new("bench"), Checkpoint: new(true), FailoverTimeout: new(1e6)},
	}}})
	f := m.order[0]
	for i := range n {
		a := m.agentOf[1+i%agents]
		id := fmt.Sprintf("app.web.frontend.instance-%08d", i)
		m.launchDirectly(f, a, taskLike(id))
		for _, state := range []mesospb.TaskState{mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING} {
			m.Step(now, AgentSent{a.session, []*linkpb.Message{{
				Seq: new(m.sessions[a.session].heard + 1), Type: linkpb.Message_STATUS_UPDATE.Enum(),
				StatusUpdate: &linkpb.StatusUpdate{FrameworkId: frameworkID(f.id), Status: statusLike(id, a.id, state)},
			}}})
		}
	}
	return m
}

// launchDirectly runs a task as an ACCEPT would, without the offer.
func (m *Master) launchDirectly(f *framework, a *agent, t *mesospb.TaskInfo) {
	t.AgentId = agentID(a.id)
	used, _ := resources.FromProto(t.GetResources())
	used = used.Allocate("*")
	m.cfg.Allocator.Hold(m.now, allocator.Holding{Framework: f.id, Resources: used}, a.id)
	m.out = nil
	m.run(&acceptance{framework: f, agent: a, role: "*", left: used}, withResources(t, used), used)
}

// taskLike is a task as people launch them: a command, a few variables and labels.
func taskLike(id string) *mesospb.TaskInfo {
	used, _ := resources.Parse("cpus:0.1;mem:128", "*")
	return &mesospb.TaskInfo{
		Name: new("frontend.web.app"), TaskId: taskID(id), Resources: used.Proto(resources.PostRefinement),
		Command: &mesospb.CommandInfo{
			Value: new("./bin/server --port $PORT0 --config /etc/server/config.yml"),
			Environment: &mesospb.Environment{Variables: []*mesospb.Environment_Variable{
				{Name: new("APP_ID"), Value: new("/app/web/frontend")}, {Name: new("STAGE"), Value: new("production")},
			}},
		},
		Labels: &mesospb.Labels{Labels: []*mesospb.Label{{Key: new("team"), Value: new("web")}}},
	}
}

func statusLike(id string, agent mesos.AgentID, state mesospb.TaskState) *mesospb.TaskStatus {
	return &mesospb.TaskStatus{
		TaskId: taskID(id), State: state.Enum(), AgentId: agentID(agent), ExecutorId: executorID(id),
		Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(), Timestamp: new(1795211086.332138), Uuid: uuidOf(state.String()[5:9] + id[max(0, len(id)-8):]),
		ContainerStatus: &mesospb.ContainerStatus{
			ContainerId: &mesospb.ContainerID{Value: new("d0adbd02-579e-43c3-8627-17bb72375d13")}, ExecutorPid: new(uint32(14976)),
			NetworkInfos: []*mesospb.NetworkInfo{{IpAddresses: []*mesospb.NetworkInfo_IPAddress{{
				Protocol: mesospb.NetworkInfo_IPv4.Enum(), IpAddress: new("10.0.0.1"),
			}}}},
		},
	}
}
