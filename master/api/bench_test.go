package api_test

import (
	"fmt"
	"testing"

	"github.com/soukproject/souk/master/core"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// crowded is a cluster of agents that bring many running tasks each.
func crowded(b *testing.B, agents, tasks int) *bench {
	b.Helper()
	m := leading()
	total, err := resources.Parse("cpus:100;mem:100000", "*")
	if err != nil {
		b.Fatal(err)
	}
	used, err := resources.Parse("cpus:0.1;mem:32", "*")
	if err != nil {
		b.Fatal(err)
	}
	framework := &mesospb.FrameworkInfo{User: new("root"), Name: new("alpha"), Id: &mesospb.FrameworkID{Value: new("f")}, Roles: []string{"dev"},
		Capabilities: []*mesospb.FrameworkInfo_Capability{{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()}}}
	for a := range agents {
		subscribe := &linkpb.Subscribe{Agent: &mesospb.AgentInfo{
			Hostname: new(fmt.Sprint("agent", a)), Port: new(int32(a)), Resources: total.Proto(resources.PostRefinement)},
			Total: total.Proto(resources.PostRefinement), Frameworks: []*mesospb.FrameworkInfo{framework}, Version: new("1.11.0"),
		}
		for i := range tasks {
			id := fmt.Sprintf("task-%d-%d", a, i)
			subscribe.Tasks = append(subscribe.Tasks, &linkpb.TaskState{
				FrameworkId: framework.Id,
				Info: &mesospb.TaskInfo{Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: new(fmt.Sprint("m1-S", a))},
					Resources: used.Allocate("dev").Proto(resources.PostRefinement), Command: &mesospb.CommandInfo{Value: new("sleep 1000")}},
				Status: &mesospb.TaskStatus{TaskId: &mesospb.TaskID{Value: &id}, State: mesospb.TaskState_TASK_RUNNING.Enum(), Timestamp: new(1.5)},
			})
		}
		m.sinks[core.Session(a+1)] = &tape{}
		m.step(core.AgentSubscribed{Session: core.Session(a + 1), Address: fmt.Sprintf("10.0.%d.%d:1", a/250, a%250), Subscribe: subscribe})
	}
	return m
}

// BenchmarkState has the parameters of Mesos' MasterStateQuery benchmarks.
func BenchmarkState(b *testing.B) {
	m := crowded(b, 1000, 10)
	m.sinks[core.Stream("s")] = &tape{}
	m.step(core.Subscribed{Stream: "s", Call: &schedulerpb.Call{Type: schedulerpb.Call_SUBSCRIBE.Enum(), FrameworkId: &mesospb.FrameworkID{Value: new("f")},
		Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: &mesospb.FrameworkInfo{User: new("u"), Name: new("n"), Id: &mesospb.FrameworkID{Value: new("f")}}}}})
	h := handler(m)
	for _, path := range []string{"/state", "/state-summary", "/tasks", "/metrics/snapshot"} {
		b.Run(path[1:], func(b *testing.B) {
			for b.Loop() {
				if w := ask(h, "GET", path, ""); w.Code != 200 {
					b.Fatalf("GET %s = %d", path, w.Code)
				} else {
					b.SetBytes(int64(w.Body.Len()))
				}
			}
		})
	}
}
