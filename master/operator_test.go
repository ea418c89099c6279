package master_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/master"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// operate makes a call of the operator API that must succeed.
func operate(t *testing.T, address, body string) string {
	t.Helper()
	code, answer := post(t, "http://"+address+"/api/v1", "application/json", body)
	if code != 200 {
		t.Fatalf("%s = %d %s, want 200", body, code, answer)
	}
	return answer
}

// operateProtobuf is operate in protobuf.
func operateProtobuf(t *testing.T, address string, call *masterpb.Call) {
	t.Helper()
	body, err := proto.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	if code, answer := post(t, "http://"+address+"/api/v1", "application/x-protobuf", string(body)); code != 200 {
		t.Fatalf("%v = %d %s, want 200", call.GetType(), code, answer)
	}
}

// succession runs two masters on one store, one after the other.
func succession(t *testing.T, first, second func(address string)) {
	store := memstate.New()
	on := func(cfg *master.Config) { cfg.Store = store }
	p := launch(t, on)
	awaitLeader(t, p.address)
	first(p.address)
	if err := p.stop(); err != nil {
		t.Fatalf("Run = %v, want nil", err)
	}
	second(start(t, on))
}

func want(t *testing.T, what, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%s = %s, want %s in it", what, got, part)
		}
	}
}

func TestWeightsSurviveTheMaster(t *testing.T) {
	succession(t, func(address string) {
		operate(t, address, `{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"dev","weight":2.5}]}}`)
		operateProtobuf(t, address, &masterpb.Call{Type: masterpb.Call_UPDATE_WEIGHTS.Enum(), UpdateWeights: &masterpb.Call_UpdateWeights{
			WeightInfos: []*mesospb.WeightInfo{{Role: new("ops"), Weight: new(0.5)}},
		}})
	}, func(address string) {
		want(t, "GET_WEIGHTS", operate(t, address, `{"type":"GET_WEIGHTS"}`),
			`"weight_infos":[{"weight":2.5,"role":"dev"},{"weight":0.5,"role":"ops"}]`)
	})
}

func TestQuotaSurvivesTheMaster(t *testing.T) {
	succession(t, func(address string) {
		operateProtobuf(t, address, &masterpb.Call{Type: masterpb.Call_UPDATE_QUOTA.Enum(), UpdateQuota: &masterpb.Call_UpdateQuota{
			QuotaConfigs: []*quotapb.QuotaConfig{{Role: new("dev"), Limits: map[string]*mesospb.Value_Scalar{"cpus": {Value: new(2.5)}}}},
		}})
		operate(t, address, `{"type":"SET_QUOTA","set_quota":{"quota_request":{"force":true,"role":"old","guarantee":[{"name":"mem","type":"SCALAR","scalar":{"value":64}}]}}}`)
		operate(t, address, `{"type":"UPDATE_QUOTA","update_quota":{"force":true,"quota_configs":[{"role":"gone","limits":{"cpus":{"value":1}}}]}}`)
		operate(t, address, `{"type":"REMOVE_QUOTA","remove_quota":{"role":"gone"}}`)
	}, func(address string) {
		want(t, "GET_QUOTA", operate(t, address, `{"type":"GET_QUOTA"}`),
			`{"infos":[{"role":"dev"},{"role":"old","guarantee":[{"name":"mem","type":"SCALAR","scalar":{"value":64.0}}]}],`,
			`"configs":[{"role":"dev","limits":{"cpus":{"value":2.5}}},{"role":"old","guarantees":{"mem":{"value":64.0}},"limits":{"mem":{"value":64.0}}}]}`)
		_, roles := get(t, "http://"+address+"/roles")
		want(t, "/roles", roles, `{"name":"old","weight":1.0,"quota":{"role":"old","guarantee":{"mem":64.0},"limit":{"mem":64.0},"consumed":{}}`)
		_, metrics := get(t, "http://"+address+"/metrics/snapshot")
		want(t, "metrics", metrics, `"allocator/mesos/quota/roles/dev/resources/cpus/limit":2.5`,
			`"allocator/mesos/quota/roles/old/resources/mem/guarantee":64.0`, `"allocator/mesos/quota/roles/old/resources/mem/consumed":0.0`)
	})
}

// TestReplayAgents repeats what operators did to an agent, while a task runs there.
func TestReplayAgents(t *testing.T) {
	actions := recorded(t, "operator-master/actions")
	address := start(t)
	a := register(t, address, agentInfo(t, "agent1.example", 5051))
	s := subscribe(t, address, frameworkInfo("alpha"))
	offer := s.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0]
	used, err := resources.Parse("cpus:0.5;mem:128", "*")
	if err != nil {
		t.Fatal(err)
	}
	launch := &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_LAUNCH.Enum(), Launch: &mesospb.Offer_Operation_Launch{
		TaskInfos: []*mesospb.TaskInfo{{
			Name: new("t"), TaskId: &mesospb.TaskID{Value: new("t")}, AgentId: offer.GetAgentId(),
			Resources: used.Proto(resources.PostRefinement), Command: &mesospb.CommandInfo{Value: new("true")},
		}},
	}}
	if err := s.call(&schedulerpb.Call{Type: schedulerpb.Call_ACCEPT.Enum(), Accept: &schedulerpb.Call_Accept{
		OfferIds: []*mesospb.OfferID{offer.GetId()}, Operations: []*mesospb.Offer_Operation{launch},
		Filters: &mesospb.Filters{RefuseSeconds: new(3600.0)},
	}}); err != nil {
		t.Fatal(err)
	}
	a.await(linkpb.Event_RUN_TASK)
	words := strings.NewReplacer("f53a0fbe-2af9-46cf-8101-ae6f262d6a44-S0", a.id.GetValue())
	replay := func(all []record) int {
		return play(t, address, all, words, func(r record) bool {
			return !called(r, "DEACTIVATE_AGENT", "REACTIVATE_AGENT", "DRAIN_AGENT", "MARK_AGENT_GONE")
		})
	}
	after := slices.IndexFunc(actions, func(r record) bool { return r.Name == "REACTIVATE_AGENT after drain" })
	n := replay(actions[:after])
	if policy := a.await(linkpb.Event_KILL_TASK).GetKillTask().GetKillPolicy(); policy.GetGracePeriod().GetNanoseconds() != 2e9 {
		t.Errorf("kill policy = %v, want a grace of 2 seconds", policy)
	}
	want(t, "GET_AGENTS", operate(t, address, `{"type":"GET_AGENTS"}`), `"active":false`, `"deactivated":true`,
		`"drain_info":{"state":"DRAINING","config":{"max_grace_period":{"nanoseconds":2000000000},"mark_gone":false}},"estimated_drain_start_time":{"nanoseconds":`)
	_, slaves := get(t, "http://"+address+"/slaves")
	want(t, "/slaves", slaves, `"deactivated":true`, `"drain_info":{"state":"DRAINING",`, `"estimated_drain_start_time_seconds":`)

	a.send(&linkpb.Message{Type: linkpb.Message_STATUS_UPDATE.Enum(), StatusUpdate: &linkpb.StatusUpdate{FrameworkId: s.id, Status: &mesospb.TaskStatus{
		TaskId: &mesospb.TaskID{Value: new("t")}, State: mesospb.TaskState_TASK_KILLED.Enum(), Uuid: []byte("0123456789abcdef"),
		AgentId: a.id, Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(),
	}}})
	status := s.await(schedulerpb.Event_UPDATE).GetUpdate().GetStatus()
	if status.GetState() != mesospb.TaskState_TASK_KILLED || status.GetReason() != mesospb.TaskStatus_REASON_AGENT_DRAINING {
		t.Errorf("update = %v, want TASK_KILLED, REASON_AGENT_DRAINING", status)
	}
	if err := s.call(&schedulerpb.Call{Type: schedulerpb.Call_ACKNOWLEDGE.Enum(), Acknowledge: &schedulerpb.Call_Acknowledge{
		TaskId: status.GetTaskId(), AgentId: a.id, Uuid: status.GetUuid(),
	}}); err != nil {
		t.Fatal(err)
	}
	a.await(linkpb.Event_ACKNOWLEDGE)
	for deadline := time.Now().Add(patience); !strings.Contains(operate(t, address, `{"type":"GET_AGENTS"}`), `"state":"DRAINED"`); {
		if time.Now().After(deadline) {
			t.Fatal("the agent is not drained")
		}
	}
	last := slices.IndexFunc(actions, func(r record) bool { return r.Name == "MARK_AGENT_GONE, already gone" })
	n += replay(actions[after:last])
	if text := a.await(linkpb.Event_SHUTDOWN).GetShutdown().GetMessage(); text != "Agent has been marked gone" {
		t.Errorf("the agent was told %q", text)
	}
	n += replay(actions[last:])
	want(t, "GET_AGENTS", operate(t, address, `{"type":"GET_AGENTS"}`), `{"agents":[],"recovered_agents":[]}`)
	if n < 15 {
		t.Errorf("%d records were played, want more", n)
	}
}

func TestMarkedAgentsStayMarked(t *testing.T) {
	var ids []string
	succession(t, func(address string) {
		for i := range 3 {
			ids = append(ids, register(t, address, agentInfo(t, "agent.example", 5051+int32(i))).id.GetValue())
		}
		call := func(kind, id, more string) {
			operate(t, address, `{"type":"`+kind+`","`+strings.ToLower(kind)+`":{"agent_id":{"value":"`+id+`"}`+more+`}}`)
		}
		call("DEACTIVATE_AGENT", ids[0], "")
		call("DRAIN_AGENT", ids[1], `,"max_grace_period":{"seconds":1}`)
		call("MARK_AGENT_GONE", ids[2], "")
		call("MARK_AGENT_GONE", ids[2], "")
	}, func(address string) {
		info := agentInfo(t, "agent.example", 5051)
		for i := range 2 {
			info.Id, info.Port = &mesospb.AgentID{Value: &ids[i]}, new(5051+int32(i))
			if got := register(t, address, info).id.GetValue(); got != ids[i] {
				t.Errorf("agent %s is %s now", ids[i], got)
			}
		}
		agents := operate(t, address, `{"type":"GET_AGENTS"}`)
		if n := strings.Count(agents, `"active":false`); n != 2 {
			t.Errorf("%d agents are not active, want 2: %s", n, agents)
		}
		want(t, "GET_AGENTS", agents, `"drain_info":{"state":"DRAINED","config":{"max_grace_period":{"nanoseconds":1000000000},"mark_gone":false}}`)
		code, body := post(t, "http://"+address+"/api/v1", "application/json", `{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"`+ids[2]+`"}}}`)
		if code != 200 || body != "" {
			t.Errorf("marking it again = %d %s, want 200", code, body)
		}
	})
}
