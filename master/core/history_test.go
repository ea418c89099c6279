package core

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// TestHistoryKeepsStatuses: what goes in comes out, but for data and for all but
// the last of statuses of one state in a row.
func TestHistoryKeepsStatuses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SampledFrom([]string{"", "t", "a", "other"})
		var history []byte
		var want []*mesospb.TaskStatus
		for range rapid.IntRange(0, 12).Draw(t, "n") {
			s := &mesospb.TaskStatus{
				State: mesospb.TaskState(rapid.Int32Range(0, 13).Draw(t, "state")).Enum(), TaskId: taskID(ids.Draw(t, "task")),
				Message: new(rapid.String().Draw(t, "message")), Data: []byte("data"),
			}
			if rapid.Bool().Draw(t, "more") {
				s.AgentId = &mesospb.AgentID{Value: new(ids.Draw(t, "agent"))}
				s.ExecutorId = executorID(ids.Draw(t, "executor"))
				s.ContainerStatus = &mesospb.ContainerStatus{ExecutorPid: new(uint32(7))}
			}
			history = appendStatus(history, s, "t", "a")
			s = proto.CloneOf(s)
			s.Data = nil
			if n := len(want); n > 0 && want[n-1].GetState() == s.GetState() {
				want = want[:n-1]
			}
			want = append(want, s)
		}
		if diff := cmp.Diff(want, statuses(history, "t", "a"), protocmp.Transform()); diff != "" {
			t.Fatalf("statuses differ (-want +got):\n%s", diff)
		}
	})
}
