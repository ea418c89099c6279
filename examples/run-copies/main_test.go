package main

import (
	"testing"
	"testing/synctest"

	"github.com/soukproject/souk/framework/frameworktest"
	"github.com/soukproject/souk/framework/scheduler"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

func TestRunsCopiesToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := frameworktest.New(t)
		c := &copies{command: "true", cpus: 1, mem: 32, total: 3, ended: map[string]bool{}}
		ended := make(chan error)
		go func() { ended <- scheduler.Run(t.Context(), m.Config("run-copies", "*"), c) }()
		m.Expect(schedulerpb.Call_RECONCILE)

		var tasks []*mesospb.TaskInfo
		for _, want := range []int{2, 1, 0} { // launched on each offer of room for two
			m.Offer("a1", "*", frameworktest.Scalar("cpus", 2.5), frameworktest.Scalar("mem", 1000))
			launched := m.Expect(schedulerpb.Call_ACCEPT).GetAccept().GetOperations()[0].GetLaunch().GetTaskInfos()
			if len(launched) != want {
				t.Errorf("launched %d copies, want %d", len(launched), want)
			}
			tasks = append(tasks, launched...)
		}
		m.Update(tasks[0], mesospb.TaskState_TASK_FINISHED)
		m.Update(tasks[0], mesospb.TaskState_TASK_FINISHED) // again, as updates may come
		m.Update(tasks[1], mesospb.TaskState_TASK_RUNNING)
		m.Update(tasks[1], mesospb.TaskState_TASK_FAILED)
		m.Update(tasks[2], mesospb.TaskState_TASK_FINISHED)
		m.Expect(schedulerpb.Call_TEARDOWN)
		if err := <-ended; err != nil || c.failed != 1 {
			t.Errorf("Run() = %v with %d failed, want nil with 1", err, c.failed)
		}
	})
}
