package scheduler_test

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/framework/scheduler"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// amounts of resources as an executor or a task asks for them.
func amounts(cpus, mem, disk float64) (list []*mesospb.Resource) {
	for name, x := range map[string]float64{"cpus": cpus, "mem": mem, "disk": disk} {
		list = append(list, &mesospb.Resource{
			Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &x},
		})
	}
	return list
}

// A web server and what fills its folder, one of which is worth nothing without the
// other. They are on one agent, in one network, and share a folder of the sandbox
// around theirs. The executor is the agent's own: it needs no program, but room.
func ExampleLaunchGroup() {
	framework, agent := &mesospb.FrameworkID{Value: proto.String("F")}, &mesospb.AgentID{Value: proto.String("A")} // of the session and the offer
	executor := &mesospb.ExecutorInfo{
		Type: mesospb.ExecutorInfo_DEFAULT.Enum(), ExecutorId: &mesospb.ExecutorID{Value: proto.String("site-1")},
		FrameworkId: framework, Resources: amounts(0.1, 32, 10),
	}
	folder := &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), Volumes: []*mesospb.Volume{{
		ContainerPath: proto.String("www"), Mode: mesospb.Volume_RW.Enum(), Source: &mesospb.Volume_Source{
			Type: mesospb.Volume_Source_SANDBOX_PATH.Enum(),
			SandboxPath: &mesospb.Volume_Source_SandboxPath{
				Type: mesospb.Volume_Source_SandboxPath_PARENT.Enum(), Path: proto.String("www"),
			},
		},
	}}}
	var tasks []*mesospb.TaskInfo
	for name, command := range map[string]string{
		"server": "cd www && exec python3 -m http.server 8000",
		"writer": "while true; do date > www/index.html; sleep 10; done",
	} {
		tasks = append(tasks, &mesospb.TaskInfo{
			Name: &name, TaskId: &mesospb.TaskID{Value: proto.String("site-1." + name)}, AgentId: agent,
			Command: &mesospb.CommandInfo{Value: &command}, Container: folder, Resources: amounts(0.1, 32, 0),
		})
	}
	op := scheduler.LaunchGroup(executor, tasks...) // for Session.Accept
	fmt.Println(op.GetType(), len(op.GetLaunchGroup().GetTaskGroup().GetTasks()))
	// Output: LAUNCH_GROUP 2
}
