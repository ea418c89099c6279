package master_test

import (
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/master"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// launchAll uses an offer for as many tasks as there are ids, of some cpus each; the rest may be offered at once.
func (s *scheduler) launchAll(o *mesospb.Offer, cpus float64, ids ...string) {
	s.t.Helper()
	var tasks []*mesospb.TaskInfo
	for _, id := range ids {
		tasks = append(tasks, &mesospb.TaskInfo{
			Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: o.GetAgentId(), Command: &mesospb.CommandInfo{Value: new("sleep 1000")},
			Resources: []*mesospb.Resource{{
				Name: new("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &cpus}, AllocationInfo: o.GetAllocationInfo(),
			}},
		})
	}
	if err := s.call(&schedulerpb.Call{Type: schedulerpb.Call_ACCEPT.Enum(), Accept: &schedulerpb.Call_Accept{
		OfferIds: []*mesospb.OfferID{o.GetId()}, Filters: &mesospb.Filters{RefuseSeconds: new(1000.0)},
		Operations: []*mesospb.Offer_Operation{{
			Type: mesospb.Offer_Operation_LAUNCH.Enum(), Launch: &mesospb.Offer_Operation_Launch{TaskInfos: tasks},
		}},
	}}); err != nil {
		s.t.Fatal(err)
	}
}

// TestPreemption: of eight CPUs a role is guaranteed four, others use six; two tasks of one CPU are asked to leave, and
// what they give back is offered to the role.
func TestPreemption(t *testing.T) {
	address := start(t, func(cfg *master.Config) {
		cfg.PreemptFor, cfg.PreemptAfter, cfg.PreemptGrace = []string{"prod"}, 0, 42*time.Second
	})
	dev := subscribe(t, address, frameworkInfo("dev"))
	a := register(t, address, agentInfo(t, "h", 5051))
	dev.launchAll(dev.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0], 1, "t1", "t2", "t3", "t4", "t5", "t6")
	for range 6 {
		a.await(linkpb.Event_RUN_TASK)
	}
	operate(t, address, `{"type":"UPDATE_QUOTA","update_quota":{"quota_configs":[{"role":"prod","guarantees":{"cpus":{"value":4}}}]}}`)
	info := frameworkInfo("prod")
	info.Roles = []string{"prod"}
	prod := subscribe(t, address, info)
	prod.launchAll(prod.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0], 2, "p1")
	a.await(linkpb.Event_RUN_TASK)

	var killed []string
	for range 2 {
		kill := a.await(linkpb.Event_KILL_TASK).GetKillTask()
		if grace := kill.GetKillPolicy().GetGracePeriod().GetNanoseconds(); grace != int64(42*time.Second) {
			t.Errorf("grace = %d, want 42 s", grace)
		}
		killed = append(killed, kill.GetTaskId().GetValue())
	}
	out, err := explain(t, "--master="+address)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "souk explain", strings.Join(strings.Fields(out), " "),
		"asked to leave for prod "+killed[0]+" in dev (over_share)", "asked to leave for prod "+killed[1])
	for i, id := range killed {
		a.send(&linkpb.Message{Type: linkpb.Message_STATUS_UPDATE.Enum(), StatusUpdate: &linkpb.StatusUpdate{
			FrameworkId: dev.id, Status: &mesospb.TaskStatus{
				TaskId: &mesospb.TaskID{Value: &id}, AgentId: a.id, State: mesospb.TaskState_TASK_KILLED.Enum(), Uuid: []byte{15: byte(i + 1)},
			},
		}})
		if s := dev.await(schedulerpb.Event_UPDATE).GetUpdate().GetStatus(); s.GetState() != mesospb.TaskState_TASK_KILLED {
			t.Errorf("update = %v, want TASK_KILLED", s)
		}
	}
	if err := prod.call(&schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}); err != nil {
		t.Fatal(err)
	}
	for cpus := 0.0; cpus < 2; { // in one offer or, as they come back, in two
		for _, o := range prod.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers() {
			for _, r := range o.GetResources() {
				if r.GetName() == "cpus" {
					cpus += r.GetScalar().GetValue()
				}
			}
		}
		if cpus > 2 {
			t.Errorf("prod is offered %v cpus, want the two that were given back", cpus)
		}
	}
}
