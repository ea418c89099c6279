package core

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/hierarchical"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	maintenancepb "github.com/soukproject/souk/proto/mesos/v1/maintenance"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// TestInvariantsHoldWhateverHappens drives a master with agents and schedulers
// that come, go, lie about their past, repeat themselves and speak out of turn.
func TestInvariantsHoldWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			w.act()
			if err := w.m.Check(); err != nil {
				t.Fatal(err)
			}
		}
		w.settle()
	})
}

// TestSameEventsSameEffects: two masters that are told the same say the same.
func TestSameEventsSameEffects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.twin = New(worldConfig(w.m.cfg.Optimist != nil))
		w.twin.Step(w.now, Elected{})
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			w.act()
		}
	})
}

// A world is everything around a master, as one test sees it.
type world struct {
	t        *rapid.T
	m, twin  *Master
	now      time.Time
	agents   []*worldAgent
	streams  map[Stream]mesos.FrameworkID
	offers   map[mesos.OfferID]*mesospb.Offer
	inverse  []*mesospb.OfferID
	writes   []uint64
	sessions Session
	minted   int
	tasks    int
}

type worldAgent struct {
	info    *mesospb.AgentInfo
	session Session
	seq     uint64
	tasks   map[string]*linkpb.TaskState
	known   map[string]*mesospb.FrameworkInfo
}

func worldConfig(optimistic bool) Config {
	cfg := allocator.Config{Rand: rand.New(rand.NewPCG(3, 4))}
	if optimistic {
		cfg.Rivals = 2
	}
	policy := hierarchical.New(cfg)
	optimist := policy.(allocator.Optimist)
	if !optimistic {
		optimist = nil
	}
	return Config{
		MasterID: "M", RootSubmissions: true, OfferTimeout: 40 * time.Second, MaxCompletedTasks: 3, MaxUnreachableTasks: 2,
		MaxCompletedFrameworks: 2, AgentReregisterTimeout: time.Minute, Rand: rand.New(rand.NewPCG(1, 2)),
		Allocator: policy, Optimist: optimist, PreemptFor: []string{"a", "b"}, PreemptAfter: 5 * time.Second,
	}
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, m: New(worldConfig(rapid.Bool().Draw(t, "optimistic"))), now: time.Unix(1000, 0), streams: map[Stream]mesos.FrameworkID{}, offers: map[mesos.OfferID]*mesospb.Offer{}}
	for i := range 3 {
		total := (&traceResources{cpus: 4, mem: 1024, port: 31000, disk: 100}).proto()
		w.agents = append(w.agents, &worldAgent{
			info:  &mesospb.AgentInfo{Hostname: new(fmt.Sprintf("h%d", i)), Port: new(int32(5051 + i)), Resources: total},
			tasks: map[string]*linkpb.TaskState{}, known: map[string]*mesospb.FrameworkInfo{},
		})
	}
	w.step(Elected{&registrypb.Registry{}})
	return w
}

type traceResources struct {
	cpus, mem, disk float64
	port            uint64
}

func (r *traceResources) proto() []*mesospb.Resource {
	list := []*mesospb.Resource{
		{Name: new("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(r.cpus)}},
		{Name: new("mem"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(r.mem)}},
	}
	if r.disk > 0 {
		list = append(list, &mesospb.Resource{Name: new("disk"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(r.disk)}})
	}
	if r.port > 0 {
		list = append(list, &mesospb.Resource{
			Name: new("ports"), Type: mesospb.Value_RANGES.Enum(),
			Ranges: &mesospb.Value_Ranges{Range: []*mesospb.Value_Range{{Begin: new(r.port), End: new(r.port + 3)}}},
		})
	}
	return list
}

// step feeds the master, and notes what those around it learn.
func (w *world) step(ev Event) {
	effects := w.m.Step(w.now, ev)
	if w.twin != nil {
		if other := w.twin.Step(w.now, ev); describeAll(other) != describeAll(effects) {
			w.t.Fatalf("%T: one master does\n%s, the other\n%s", ev, describeAll(effects), describeAll(other))
		}
	}
	for _, e := range effects {
		w.learn(e)
	}
}

func describeAll(effects []Effect) (text string) {
	marshal := proto.MarshalOptions{Deterministic: true}
	for _, e := range effects {
		switch e := e.(type) {
		case SendAgent:
			b, _ := marshal.Marshal(e.Event)
			text += fmt.Sprintf("agent %d %x\n", e.Session, b)
		case SendFramework:
			b, _ := marshal.Marshal(e.Event)
			text += fmt.Sprintf("framework %s %x\n", e.Stream, b)
		case Publish:
			b, _ := marshal.Marshal(e.Event)
			text += fmt.Sprintf("publish %x\n", b)
		case Persist:
			text += fmt.Sprintf("persist %d %v\n", e.Seq, len(e.Operations))
		default:
			text += fmt.Sprintf("%T %v\n", e, e)
		}
	}
	return text
}

func (w *world) learn(e Effect) {
	switch e := e.(type) {
	case Persist:
		w.writes = append(w.writes, e.Seq)
	case CloseAgent:
		for _, a := range w.agents {
			if a.session == e.Session {
				a.session = 0
			}
		}
	case SendAgent:
		for _, a := range w.agents {
			if a.session == e.Session {
				a.hear(e.Event)
			}
		}
	case CloseFramework:
		delete(w.streams, e.Stream)
	case SendFramework:
		w.hear(e.Stream, e.Event)
	}
}

func (a *worldAgent) hear(e *linkpb.Event) {
	switch e.GetType() {
	case linkpb.Event_REGISTERED:
		a.info = proto.CloneOf(a.info)
		a.info.Id = e.GetRegistered().GetAgentId()
	case linkpb.Event_SHUTDOWN:
		a.info = proto.CloneOf(a.info)
		a.info.Id = nil
	case linkpb.Event_RUN_TASK:
		f := e.GetRunTask().GetFramework()
		a.known[f.GetId().GetValue()] = f
		task := e.GetRunTask().GetTask()
		a.tasks[f.GetId().GetValue()+" "+task.GetTaskId().GetValue()] = &linkpb.TaskState{FrameworkId: f.GetId(), Info: task}
	case linkpb.Event_RUN_GROUP:
		f := e.GetRunGroup().GetFramework()
		a.known[f.GetId().GetValue()] = f
		for _, task := range e.GetRunGroup().GetTasks() {
			a.tasks[f.GetId().GetValue()+" "+task.GetTaskId().GetValue()] = &linkpb.TaskState{FrameworkId: f.GetId(), Info: task}
		}
	case linkpb.Event_SHUTDOWN_FRAMEWORK:
		maps.DeleteFunc(a.tasks, func(_ string, t *linkpb.TaskState) bool {
			return t.GetFrameworkId().GetValue() == e.GetShutdownFramework().GetFrameworkId().GetValue()
		})
	case linkpb.Event_ACKNOWLEDGE:
		key := e.GetAcknowledge().GetFrameworkId().GetValue() + " " + e.GetAcknowledge().GetTaskId().GetValue()
		if t := a.tasks[key]; t != nil && mesos.Terminal(t.GetStatus().GetState()) {
			delete(a.tasks, key)
		}
	}
}

func (w *world) hear(s Stream, e *schedulerpb.Event) {
	switch e.GetType() {
	case schedulerpb.Event_SUBSCRIBED:
		w.streams[s] = mesos.FrameworkID(e.GetSubscribed().GetFrameworkId().GetValue())
	case schedulerpb.Event_OFFERS:
		for _, o := range e.GetOffers().GetOffers() {
			w.offers[mesos.OfferID(o.GetId().GetValue())] = o
		}
	case schedulerpb.Event_INVERSE_OFFERS:
		for _, o := range e.GetInverseOffers().GetInverseOffers() {
			w.inverse = append(w.inverse, o.GetId())
		}
	}
}

// act lets one thing happen.
func (w *world) act() {
	acts := map[string]func(){
		"agent comes": w.agentComes, "agent goes": w.agentGoes, "agent speaks": w.agentSpeaks, "agent forgets": w.agentForgets,
		"scheduler comes": w.schedulerComes, "scheduler goes": w.schedulerGoes, "scheduler calls": w.schedulerCalls,
		"write done": w.writeDone, "time passes": w.timePasses, "launch": w.launch, "launch more": w.launch, "operator calls": w.operatorCalls, "write done too": w.writeDone,
		"whitelist": w.whitelist,
	}
	acts[rapid.SampledFrom(slices.Sorted(maps.Keys(acts))).Draw(w.t, "act")]()
}

// whitelist lists all agents or some.
func (w *world) whitelist() {
	hosts := Whitelist{}
	for _, host := range []string{"h0", "h1", "h2"} {
		if rapid.Bool().Draw(w.t, "listed") {
			hosts[host] = true
		}
	}
	if len(hosts) == 3 {
		hosts = nil
	}
	w.step(Whitelisted{hosts})
}

func (w *world) anyAgent() *worldAgent { return rapid.SampledFrom(w.agents).Draw(w.t, "agent") }

func (w *world) agentComes() {
	a := w.anyAgent()
	w.sessions++
	a.session, a.seq = w.sessions, 0
	info := proto.CloneOf(a.info)
	switch rapid.IntRange(0, 9).Draw(w.t, "how") {
	case 0:
		info.Id = nil
	case 1:
		info.Attributes = []*mesospb.Attribute{{Name: new("n"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(float64(w.sessions))}}}
	}
	sub := &linkpb.Subscribe{Agent: info, Boot: new(rapid.SampledFrom([]string{"", "b"}).Draw(w.t, "boot"))}
	for _, c := range []mesospb.AgentInfo_Capability_Type{mesospb.AgentInfo_Capability_MULTI_ROLE, mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE, mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT} {
		sub.Capabilities = append(sub.Capabilities, &mesospb.AgentInfo_Capability{Type: c.Enum()})
	}
	for _, key := range slices.Sorted(maps.Keys(a.tasks)) {
		task := a.tasks[key]
		sub.Tasks = append(sub.Tasks, task)
		if rapid.IntRange(0, 9).Draw(w.t, "twice") == 0 {
			sub.Tasks = append(sub.Tasks, task)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a.known)) {
		sub.Frameworks = append(sub.Frameworks, a.known[key])
	}
	w.step(AgentSubscribed{a.session, fmt.Sprintf("10.0.0.%d:1000", info.GetPort()-5050), sub})
}

func (w *world) agentGoes() {
	if a := w.anyAgent(); a.session != 0 {
		w.step(AgentDisconnected{a.session})
		a.session = 0
	}
}

// agentForgets loses or moves tasks behind the master's back.
func (w *world) agentForgets() {
	a, b := w.anyAgent(), w.anyAgent()
	for _, key := range slices.Sorted(maps.Keys(a.tasks)) {
		switch rapid.IntRange(0, 3).Draw(w.t, "forget") {
		case 0:
			delete(a.tasks, key)
		case 1:
			b.tasks[key] = a.tasks[key]
			maps.Copy(b.known, a.known)
		}
	}
}

func (w *world) agentSpeaks() {
	a := w.anyAgent()
	a.seq += uint64(rapid.SampledFrom([]int{1, 1, 1, 1, 1, 1, 0, 2}).Draw(w.t, "step"))
	msg := &linkpb.Message{Seq: new(a.seq), Type: linkpb.Message_PONG.Enum()}
	if keys := slices.Sorted(maps.Keys(a.tasks)); len(keys) > 0 {
		task := a.tasks[rapid.SampledFrom(keys).Draw(w.t, "task")]
		state := rapid.SampledFrom([]mesospb.TaskState{
			mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_FAILED,
			mesospb.TaskState_TASK_UNREACHABLE, mesospb.TaskState_TASK_LOST, mesospb.TaskState_TASK_KILLING,
		}).Draw(w.t, "state")
		w.minted++
		status := &mesospb.TaskStatus{TaskId: task.GetInfo().GetTaskId(), State: state.Enum(), Uuid: uuidOf(fmt.Sprint(w.minted)), Data: []byte("x")}
		a.tasks[task.GetFrameworkId().GetValue()+" "+task.GetInfo().GetTaskId().GetValue()] = &linkpb.TaskState{
			FrameworkId: task.GetFrameworkId(), Info: task.GetInfo(), Status: status,
		}
		msg.Type = linkpb.Message_STATUS_UPDATE.Enum()
		msg.StatusUpdate = &linkpb.StatusUpdate{FrameworkId: task.GetFrameworkId(), Status: status}
		if rapid.Bool().Draw(w.t, "ahead") {
			msg.StatusUpdate.LatestState = mesospb.TaskState_TASK_FINISHED.Enum()
		}
	}
	switch rapid.IntRange(0, 19).Draw(w.t, "message") {
	case 0:
		msg = &linkpb.Message{Seq: new(a.seq), Type: linkpb.Message_UNREGISTER.Enum()}
	case 1:
		r := &traceResources{cpus: float64(rapid.IntRange(0, 6).Draw(w.t, "cpus")), mem: 512, port: 31001}
		msg = &linkpb.Message{Seq: new(a.seq), Type: linkpb.Message_RESOURCES.Enum(), Resources: &linkpb.Resources{Total: r.proto()}}
	}
	w.step(AgentSent{a.session, []*linkpb.Message{msg}})
}

func (w *world) schedulerComes() {
	w.minted++
	info := &mesospb.FrameworkInfo{User: new("u"), Name: new("f"), FailoverTimeout: new(float64(rapid.IntRange(0, 200).Draw(w.t, "timeout")))}
	ids := []string{"", "f1", "f2"}
	for _, id := range w.streams {
		ids = append(ids, string(id))
	}
	slices.Sort(ids)
	if id := rapid.SampledFrom(ids).Draw(w.t, "id"); id != "" {
		info.Id = frameworkID(mesos.FrameworkID(id))
	}
	info.Checkpoint = new(rapid.Bool().Draw(w.t, "checkpoint"))
	if rapid.Bool().Draw(w.t, "aware") {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: mesospb.FrameworkInfo_Capability_PARTITION_AWARE.Enum()})
	}
	if rapid.Bool().Draw(w.t, "many roles") {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()})
		info.Roles = rapid.SampledFrom([][]string{nil, {"a"}, {"a", "a/b"}, {"*", "b"}}).Draw(w.t, "roles")
	}
	stream := Stream(fmt.Sprint("s", w.minted))
	w.step(Subscribed{stream, "", &schedulerpb.Call{Type: schedulerpb.Call_SUBSCRIBE.Enum(), FrameworkId: info.Id, Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: info}}})
}

func (w *world) anyStream() (Stream, bool) {
	if len(w.streams) == 0 {
		return "", false
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(w.streams))).Draw(w.t, "stream"), true
}

func (w *world) schedulerGoes() {
	if s, ok := w.anyStream(); ok {
		delete(w.streams, s)
		w.step(Disconnected{s})
	}
}

func (w *world) send(s Stream, c *schedulerpb.Call) {
	c.FrameworkId = frameworkID(w.streams[s])
	w.step(Called{1, s, "", c})
}

// launch accepts an offer that may be used, rescinded or somebody else's.
func (w *world) launch() {
	s, ok := w.anyStream()
	if !ok || len(w.offers) == 0 {
		return
	}
	o := w.offers[rapid.SampledFrom(slices.Sorted(maps.Keys(w.offers))).Draw(w.t, "offer")]
	launch := &mesospb.Offer_Operation_Launch{}
	for range rapid.IntRange(0, 3).Draw(w.t, "tasks") {
		w.tasks++
		used := &traceResources{cpus: float64(rapid.IntRange(0, 2).Draw(w.t, "cpus")), mem: 100}
		if rapid.Bool().Draw(w.t, "ports") {
			used.port = rapid.Uint64Range(30999, 31001).Draw(w.t, "port")
		}
		launch.TaskInfos = append(launch.TaskInfos, &mesospb.TaskInfo{
			Name: new("t"), TaskId: taskID(fmt.Sprint("t", w.tasks%7)), AgentId: o.GetAgentId(), Resources: used.proto(), Command: &mesospb.CommandInfo{Value: new("x")},
		})
	}
	op := &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_LAUNCH.Enum(), Launch: launch}
	if rapid.Bool().Draw(w.t, "as a group") {
		op = groupOf(w.streams[s], launch.TaskInfos)
	}
	w.send(s, &schedulerpb.Call{Type: schedulerpb.Call_ACCEPT.Enum(), Accept: &schedulerpb.Call_Accept{
		OfferIds:   []*mesospb.OfferID{o.GetId()},
		Operations: []*mesospb.Offer_Operation{op},
		Filters:    &mesospb.Filters{RefuseSeconds: new(float64(rapid.IntRange(-1, 3).Draw(w.t, "refuse")))},
	}})
}

// groupOf makes tasks a group under an executor.
func groupOf(f mesos.FrameworkID, tasks []*mesospb.TaskInfo) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: &mesospb.Offer_Operation_LaunchGroup{
		Executor: &mesospb.ExecutorInfo{
			Type: mesospb.ExecutorInfo_CUSTOM.Enum(), ExecutorId: executorID("e"), FrameworkId: frameworkID(f), Command: &mesospb.CommandInfo{},
			Resources: (&traceResources{cpus: 0.5, mem: 32, disk: 1}).proto(),
		},
		TaskGroup: &mesospb.TaskGroupInfo{Tasks: tasks},
	}}
}

func (w *world) schedulerCalls() {
	s, ok := w.anyStream()
	if !ok {
		return
	}
	id := fmt.Sprint("t", rapid.IntRange(0, 6).Draw(w.t, "task"))
	agent := agentID(mesos.AgentID(fmt.Sprint("M-S", rapid.IntRange(0, 4).Draw(w.t, "on"))))
	calls := []*schedulerpb.Call{
		{Type: schedulerpb.Call_REVIVE.Enum()},
		{Type: schedulerpb.Call_SUPPRESS.Enum(), Suppress: &schedulerpb.Call_Suppress{Roles: []string{"a"}}},
		{Type: schedulerpb.Call_KILL.Enum(), Kill: &schedulerpb.Call_Kill{TaskId: taskID(id)}},
		{Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: &schedulerpb.Call_Reconcile{}},
		{Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: &schedulerpb.Call_Reconcile{Tasks: []*schedulerpb.Call_Reconcile_Task{{TaskId: taskID(id), AgentId: agent}}}},
		{Type: schedulerpb.Call_ACKNOWLEDGE.Enum(), Acknowledge: &schedulerpb.Call_Acknowledge{TaskId: taskID(id), AgentId: agent, Uuid: uuidOf(fmt.Sprint(w.minted))}},
		{Type: schedulerpb.Call_ACKNOWLEDGE.Enum(), Acknowledge: &schedulerpb.Call_Acknowledge{TaskId: taskID(id), AgentId: agent, Uuid: uuidOf(fmt.Sprint(w.minted - 1))}},
		{Type: schedulerpb.Call_TEARDOWN.Enum()},
	}
	if len(w.inverse) > 0 {
		ids := []*mesospb.OfferID{rapid.SampledFrom(w.inverse).Draw(w.t, "inverse offer")}
		calls = append([]*schedulerpb.Call{
			{Type: schedulerpb.Call_ACCEPT_INVERSE_OFFERS.Enum(), AcceptInverseOffers: &schedulerpb.Call_AcceptInverseOffers{InverseOfferIds: ids}},
			{Type: schedulerpb.Call_DECLINE_INVERSE_OFFERS.Enum(), DeclineInverseOffers: &schedulerpb.Call_DeclineInverseOffers{InverseOfferIds: ids}},
		}, calls...)
	}
	w.send(s, calls[min(rapid.IntRange(0, 3*len(calls)).Draw(w.t, "call")/3, len(calls)-1)])
}

// operatorCalls makes a call whose answer comes at once or after a write.
func (w *world) operatorCalls() {
	amount := func(label string) map[string]*mesospb.Value_Scalar {
		return map[string]*mesospb.Value_Scalar{"cpus": {Value: new(float64(rapid.IntRange(0, 9).Draw(w.t, label)))}}
	}
	agent := agentID(mesos.AgentID(fmt.Sprint("M-S", rapid.IntRange(0, 4).Draw(w.t, "agent"))))
	role := rapid.SampledFrom([]string{"*", "a", "b"}).Draw(w.t, "role")
	calls := []*masterpb.Call{
		{Type: masterpb.Call_UPDATE_WEIGHTS.Enum(), UpdateWeights: &masterpb.Call_UpdateWeights{
			WeightInfos: []*mesospb.WeightInfo{{Role: &role, Weight: new(float64(rapid.IntRange(0, 3).Draw(w.t, "weight")))}},
		}},
		{Type: masterpb.Call_UPDATE_QUOTA.Enum(), UpdateQuota: &masterpb.Call_UpdateQuota{
			Force: new(rapid.Bool().Draw(w.t, "force")), QuotaConfigs: []*quotapb.QuotaConfig{
				{Role: &role, Limits: amount("limit")}, {Role: new("c"), Guarantees: amount("guarantee")},
			},
		}},
		{Type: masterpb.Call_REMOVE_QUOTA.Enum(), RemoveQuota: &masterpb.Call_RemoveQuota{Role: &role}},
		{Type: masterpb.Call_DEACTIVATE_AGENT.Enum(), DeactivateAgent: &masterpb.Call_DeactivateAgent{AgentId: agent}},
		{Type: masterpb.Call_REACTIVATE_AGENT.Enum(), ReactivateAgent: &masterpb.Call_ReactivateAgent{AgentId: agent}},
		{Type: masterpb.Call_REACTIVATE_AGENT.Enum(), ReactivateAgent: &masterpb.Call_ReactivateAgent{AgentId: agent}},
		{Type: masterpb.Call_DRAIN_AGENT.Enum(), DrainAgent: &masterpb.Call_DrainAgent{
			AgentId: agent, MaxGracePeriod: &durationpb.Duration{Seconds: 2}, MarkGone: new(rapid.IntRange(0, 3).Draw(w.t, "gone") == 0),
		}},
		{Type: masterpb.Call_MARK_AGENT_GONE.Enum(), MarkAgentGone: &masterpb.Call_MarkAgentGone{AgentId: agent}},
		{Type: masterpb.Call_START_MAINTENANCE.Enum(), StartMaintenance: &masterpb.Call_StartMaintenance{Machines: []*mesospb.MachineID{w.machine()}}},
		{Type: masterpb.Call_STOP_MAINTENANCE.Enum(), StopMaintenance: &masterpb.Call_StopMaintenance{Machines: []*mesospb.MachineID{w.machine()}}},
		w.schedule(), w.schedule(),
	}
	w.step(Operated{2, "", rapid.SampledFrom(calls).Draw(w.t, "call")})
}

func (w *world) machine() *mesospb.MachineID {
	i := rapid.IntRange(0, 2).Draw(w.t, "machine")
	return &mesospb.MachineID{Hostname: new(fmt.Sprint("H", i)), Ip: new(fmt.Sprint("10.0.0.", i+1))}
}

// schedule plans for all machines, or for one.
func (w *world) schedule() *masterpb.Call {
	window := &maintenancepb.Window{
		MachineIds:     []*mesospb.MachineID{w.machine()},
		Unavailability: &mesospb.Unavailability{Start: &mesospb.TimeInfo{Nanoseconds: new(rapid.Int64Range(1, 2).Draw(w.t, "start"))}},
	}
	if rapid.Bool().Draw(w.t, "all") {
		window.MachineIds = nil
		for i := range 3 {
			window.MachineIds = append(window.MachineIds, &mesospb.MachineID{Hostname: new(fmt.Sprint("h", i)), Ip: new(fmt.Sprint("10.0.0.", i+1))})
		}
	}
	return &masterpb.Call{Type: masterpb.Call_UPDATE_MAINTENANCE_SCHEDULE.Enum(), UpdateMaintenanceSchedule: &masterpb.Call_UpdateMaintenanceSchedule{
		Schedule: &maintenancepb.Schedule{Windows: []*maintenancepb.Window{window}},
	}}
}

func (w *world) writeDone() {
	if len(w.writes) > 0 {
		i := rapid.IntRange(0, len(w.writes)-1).Draw(w.t, "write")
		seq := w.writes[i]
		w.writes = slices.Delete(w.writes, i, i+1)
		w.step(Persisted{seq})
	}
}

func (w *world) timePasses() {
	w.advance(time.Duration(rapid.SampledFrom([]int{1, 10, 1000, 20_000, 100_000}).Draw(w.t, "ms")) * time.Millisecond)
}

func (w *world) advance(d time.Duration) {
	end := w.now.Add(d)
	for range 10000 {
		at, ok := w.m.Deadline()
		if !ok || at.After(end) {
			w.now = end
			return
		}
		if at.After(w.now) {
			w.now = at
		}
		w.step(Tick{})
	}
	w.t.Fatal("the deadline does not move")
}

// settle ends all faults: writes are done, nobody comes any more. Then all agents
// are unreachable, and nothing is offered or used.
func (w *world) settle() {
	for range 4 {
		for len(w.writes) > 0 {
			seq := w.writes[0]
			w.writes = w.writes[1:]
			w.step(Persisted{seq})
		}
		w.advance(5 * time.Minute)
	}
	if err := w.m.Check(); err != nil {
		w.t.Fatal(err)
	}
	s := w.m.Snapshot()
	if len(s.Agents) > 0 || len(s.Recovered) > 0 || len(w.m.offers) > 0 || len(w.m.sessions) > 0 {
		w.t.Fatalf("in the end there are %d agents, %d recovered ones, %d offers, %d sessions; want none",
			len(s.Agents), len(s.Recovered), len(w.m.offers), len(w.m.sessions))
	}
	for _, f := range w.m.order {
		if f.active.n > 0 || !f.used.IsEmpty() {
			w.t.Fatalf("in the end framework %s has %d tasks and uses %s", f.id, f.active.n, f.used)
		}
	}
}
