package core

import (
	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// fullExecutor is an executor that says in full whose it is and what it uses;
// nil stays nil. Its resources have been read already (mesos-api 9.2).
func fullExecutor(f *framework, x *mesospb.ExecutorInfo, role string) *mesospb.ExecutorInfo {
	full := allocatedExecutor(x, role)
	if full != nil && full.FrameworkId == nil {
		full.FrameworkId = frameworkID(f.id)
	}
	return full
}

// allocatedExecutor is an executor that says in full what it uses; nil stays nil.
func allocatedExecutor(x *mesospb.ExecutorInfo, role string) *mesospb.ExecutorInfo {
	if x == nil {
		return nil
	}
	full := proto.CloneOf(x)
	used, _ := resources.FromProto(x.GetResources())
	full.Resources = allocateRest(used, role).Proto(resources.PostRefinement)
	return full
}

// runningExecutor is the executor of a framework that an agent has under an id;
// nil if there is none.
func (a *agent) runningExecutor(f *framework, id mesos.ExecutorID) *mesospb.ExecutorInfo {
	i := a.executor(f, id)
	if i < 0 {
		return nil
	}
	return unmarshal(a.executors[i].info, &mesospb.ExecutorInfo{})
}

// bringExecutor charges an executor that a task brings to an agent. It is false
// when the agent has it already, or when there is none.
func (m *Master) bringExecutor(acc *acceptance, x *mesospb.ExecutorInfo) bool {
	id := mesos.ExecutorID(x.GetExecutorId().GetValue())
	a, f := acc.agent, acc.framework
	if x == nil || a.executor(f, id) >= 0 {
		return false
	}
	used, _ := resources.FromProto(x.GetResources())
	m.consume(acc, used)
	m.chargeExecutor(a, f, x, used)
	return true
}

// chargeExecutor adds an executor to those of an agent.
func (m *Master) chargeExecutor(a *agent, f *framework, x *mesospb.ExecutorInfo, used resources.Resources) {
	a.used, f.used = a.used.Add(used), f.used.Add(scalars(used))
	a.executors = append(a.executors, executor{
		framework: f.handle, id: mesos.ExecutorID(x.GetExecutorId().GetValue()), info: marshal(x), used: used,
	})
}

// runTaskEvent tells an agent to run a task, and whether its executor is to be
// started for it: one that is believed to run and does not is not started again
// behind the master's back.
func runTaskEvent(f *framework, t *mesospb.TaskInfo, launchExecutor bool) *linkpb.Event {
	run := &linkpb.RunTask{Framework: f.info, Task: t}
	if t.GetExecutor() != nil {
		run.LaunchExecutor = new(launchExecutor)
	}
	return &linkpb.Event{Type: linkpb.Event_RUN_TASK.Enum(), RunTask: run}
}
