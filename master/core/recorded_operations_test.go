package core

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/hierarchical"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// TestRecordedOperations replays what a scheduler asked of a Mesos master, ACCEPT
// by ACCEPT, and compares what became of each operation. Lists of resources in
// texts are compared without their order.
func TestRecordedOperations(t *testing.T) {
	calls, want := recordedOperations(t)
	r := newRecordedCluster()
	compared := 0
	for _, call := range calls {
		r.accept(call)
		for _, op := range call.GetAccept().GetOperations() {
			id := op.GetId().GetValue()
			w, ok := want[id]
			if id == "" || !ok {
				continue
			}
			compared++
			got := r.statuses[id]
			if got.GetState() != w.GetState() || unordered(got.GetMessage()) != unordered(r.here(w.GetMessage())) {
				t.Errorf("%s: %s %q\nwant %s %q", id, got.GetState(), got.GetMessage(), w.GetState(), w.GetMessage())
			}
		}
		if err := r.m.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if compared < 40 {
		t.Errorf("%d operations were compared, want more", compared)
	}
}

// unordered sorts the resources of a text.
func unordered(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ;", r) })
	slices.Sort(words)
	return strings.Join(words, " ")
}

// recordedOperations reads the ACCEPTs of the recorded session, and the status of
// each operation by its id.
func recordedOperations(t *testing.T) (calls []*schedulerpb.Call, want map[string]*mesospb.OperationStatus) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	file, err := os.Open(filepath.Join(dir, "..", "shared", "data", "mesos-recorded", "scheduler", "operations.jsonl"))
	if err != nil {
		t.Skipf("no recorded traffic: %v", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	lines.Scan()
	var record struct {
		Response struct{ Events []struct{ Text string } }
		Calls    []struct{ Request struct{ Body string } }
	}
	if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
		t.Fatal(err)
	}
	read := protojson.UnmarshalOptions{DiscardUnknown: true, AllowPartial: true}
	for _, c := range record.Calls {
		call := &schedulerpb.Call{}
		if err := read.Unmarshal([]byte(c.Request.Body), call); err != nil {
			t.Fatal(err)
		}
		if call.GetType() == schedulerpb.Call_ACCEPT || call.GetType() == schedulerpb.Call_KILL {
			calls = append(calls, call)
		}
	}
	want = map[string]*mesospb.OperationStatus{}
	for _, e := range record.Response.Events {
		event := &schedulerpb.Event{}
		if err := read.Unmarshal([]byte(e.Text), event); err == nil && event.GetType() == schedulerpb.Event_UPDATE_OPERATION_STATUS {
			s := event.GetUpdateOperationStatus().GetStatus()
			want[s.GetOperationId().GetValue()] = s
		}
	}
	return calls, want
}

// A recordedCluster is a master with one framework and the agent of the recording,
// which does at once what it is told.
type recordedCluster struct {
	m         *Master
	now       time.Time
	offers    []*mesospb.OfferID // all there are
	agent     *mesospb.AgentID
	framework *mesospb.FrameworkID
	statuses  map[string]*mesospb.OperationStatus
	running   *mesospb.TaskID
	seq       uint64
}

func newRecordedCluster() *recordedCluster {
	r := &recordedCluster{now: time.Unix(1000, 0), statuses: map[string]*mesospb.OperationStatus{}}
	r.m = New(Config{
		MasterID: "M", RootSubmissions: true, MaxCompletedTasks: 10, MaxCompletedFrameworks: 10,
		Allocator: hierarchical.New(allocator.Config{Rand: rand.New(rand.NewPCG(1, 1))}),
	})
	scalar := func(name string, v float64) *mesospb.Resource {
		return &mesospb.Resource{Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &v}}
	}
	ports := &mesospb.Resource{Name: new("ports"), Type: mesospb.Value_RANGES.Enum(), Ranges: &mesospb.Value_Ranges{
		Range: []*mesospb.Value_Range{{Begin: new(uint64(31000)), End: new(uint64(32000))}},
	}}
	subscribe := &linkpb.Subscribe{Boot: new("b"), Version: new("1.11.0"), Agent: &mesospb.AgentInfo{
		Hostname: new("agent1.example"), Port: new(int32(5051)),
		Resources: []*mesospb.Resource{scalar("cpus", 8), scalar("mem", 8192), scalar("disk", 10000), ports},
	}}
	for n := range int32(len(mesospb.AgentInfo_Capability_Type_name)) {
		subscribe.Capabilities = append(subscribe.Capabilities, &mesospb.AgentInfo_Capability{Type: mesospb.AgentInfo_Capability_Type(n).Enum()})
	}
	r.step(Elected{})
	r.step(AgentSubscribed{Session: 1, Address: "127.0.0.1:40000", Subscribe: subscribe})
	info := &mesospb.FrameworkInfo{User: new("root"), Name: new("ops"), Roles: []string{"dev"}, Principal: new("p1")}
	for _, c := range []mesospb.FrameworkInfo_Capability_Type{
		mesospb.FrameworkInfo_Capability_PARTITION_AWARE, mesospb.FrameworkInfo_Capability_MULTI_ROLE,
		mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT, mesospb.FrameworkInfo_Capability_SHARED_RESOURCES,
	} {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: c.Enum()})
	}
	r.step(Subscribed{Stream: "s", Call: &schedulerpb.Call{
		Type: schedulerpb.Call_SUBSCRIBE.Enum(), Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: info},
	}})
	return r
}

// here is a text as it would be with the ids of this cluster.
func (r *recordedCluster) here(text string) string {
	if at := strings.Index(text, "; on agent "); at >= 0 {
		return text[:at] + "; on agent M-S0 at slave(1)@127.0.0.1:5051 (agent1.example)"
	}
	// There, the 30 MB that a volume was shrunk by were in an offer of their own.
	return strings.Replace(text, "p1)]):450;", "p1)]):480;", 1)
}

func (r *recordedCluster) step(ev Event) {
	for _, e := range r.m.Step(r.now, ev) {
		switch e := e.(type) {
		case Persist:
			r.step(Persisted{e.Seq})
		case SendAgent:
			r.told(e.Event)
		case SendFramework:
			r.heard(e.Event)
		}
	}
}

// told is what the agent does.
func (r *recordedCluster) told(e *linkpb.Event) {
	switch e.GetType() {
	case linkpb.Event_APPLY_OPERATION:
		op := e.GetApplyOperation()
		s := &mesospb.OperationStatus{OperationId: op.GetInfo().GetId(), State: mesospb.OperationState_OPERATION_FINISHED.Enum()}
		if s.OperationId != nil {
			s.Uuid = &mesospb.UUID{Value: op.GetUuid()}
		}
		r.say(&linkpb.Message{Type: linkpb.Message_OPERATION_UPDATE.Enum(), OperationUpdate: &linkpb.OperationUpdate{
			Uuid: op.GetUuid(), FrameworkId: op.GetFrameworkId(), Status: s,
		}})
	case linkpb.Event_PING:
		r.say(&linkpb.Message{Type: linkpb.Message_PONG.Enum()})
	case linkpb.Event_RUN_TASK:
		r.running = e.GetRunTask().GetTask().GetTaskId()
	case linkpb.Event_KILL_TASK:
		r.say(&linkpb.Message{Type: linkpb.Message_STATUS_UPDATE.Enum(), StatusUpdate: &linkpb.StatusUpdate{
			FrameworkId: r.framework, Status: &mesospb.TaskStatus{
				TaskId: r.running, State: mesospb.TaskState_TASK_KILLED.Enum(), Uuid: []byte("0123456789abcdef"), AgentId: r.agent,
			},
		}})
	}
}

func (r *recordedCluster) say(m *linkpb.Message) {
	r.seq++
	m.Seq = new(r.seq)
	r.step(AgentSent{Session: 1, Messages: []*linkpb.Message{m}})
}

func (r *recordedCluster) heard(e *schedulerpb.Event) {
	switch e.GetType() {
	case schedulerpb.Event_SUBSCRIBED:
		r.framework = e.GetSubscribed().GetFrameworkId()
	case schedulerpb.Event_OFFERS:
		for _, o := range e.GetOffers().GetOffers() {
			r.offers, r.agent = append(r.offers, o.GetId()), o.GetAgentId()
		}
	case schedulerpb.Event_RESCIND:
		r.offers = slices.DeleteFunc(r.offers, func(id *mesospb.OfferID) bool { return id.GetValue() == e.GetRescind().GetOfferId().GetValue() })
	case schedulerpb.Event_UPDATE_OPERATION_STATUS:
		s := e.GetUpdateOperationStatus().GetStatus()
		r.statuses[s.GetOperationId().GetValue()] = s
		if s.Uuid != nil {
			r.call(&schedulerpb.Call{Type: schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS.Enum(),
				AcknowledgeOperationStatus: &schedulerpb.Call_AcknowledgeOperationStatus{
					AgentId: s.GetAgentId(), OperationId: s.GetOperationId(), Uuid: s.GetUuid().GetValue(),
				}})
		}
	}
}

func (r *recordedCluster) call(c *schedulerpb.Call) {
	c.FrameworkId = r.framework
	r.step(Called{Request: 1, Stream: "s", Call: c})
}

// accept makes a recorded call with the offers there are here.
func (r *recordedCluster) accept(c *schedulerpb.Call) {
	for range 10 {
		r.now = r.now.Add(2 * time.Second)
		r.step(Tick{})
	}
	if c.Accept != nil {
		c.Accept.OfferIds = r.offers
		r.offers = nil
		for _, op := range c.GetAccept().GetOperations() {
			for _, task := range op.GetLaunch().GetTaskInfos() {
				task.AgentId = r.agent
			}
		}
	}
	r.call(c)
}
