package core

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/hierarchical"
	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// TestTraces plays the scenarios in testdata. A file is a list of blocks:
// commands, a line of dashes, and what the master does about them. The verbs are
// the methods of scenario below; M-S0 is written S0, M-O3 is written O3.
func TestTraces(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := newScenario()
	var got strings.Builder
	for i, block := range strings.Split(strings.TrimRight(string(text), "\n"), "\n\n") {
		input, want, found := strings.Cut(block, "\n----")
		if !found {
			got.WriteString(block + "\n\n") // prose
			continue
		}
		output := s.play(t, input)
		if !*update && output != strings.TrimPrefix(want, "\n") {
			t.Errorf("%s, block %d:\n%s\n---- got\n%s\n---- want%s", file, i+1, input, output, want)
		}
		got.WriteString(strings.TrimRight(input+"\n----\n"+output, "\n") + "\n\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimRight(got.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A scenario is a master and the names that a trace gives to those around it.
type scenario struct {
	cfg      Config
	m        *Master
	now      time.Time
	rivals   int  // who see the same resources at a time; 0: offers are exclusive
	manual   bool // writes wait for the verb persisted
	sessions map[string]*traceAgent
	streams  map[string]*traceFramework
	minted   int
	out      []string
}

type traceAgent struct {
	session Session
	host    string
	id      string
	seq     uint64
	sub     *linkpb.Subscribe
}

type traceFramework struct {
	stream Stream
	id     string
	info   *mesospb.FrameworkInfo
}

func newScenario() *scenario {
	s := &scenario{
		now:      time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		sessions: map[string]*traceAgent{}, streams: map[string]*traceFramework{},
	}
	s.cfg = Config{
		MasterID: "M", RootSubmissions: true,
		MaxCompletedFrameworks: DefaultMaxCompletedFrameworks, MaxCompletedTasks: DefaultMaxCompletedTasks, MaxUnreachableTasks: DefaultMaxUnreachableTasks,
		RegistryMaxAgentAge: DefaultRegistryMaxAgentAge, RegistryMaxAgentCount: DefaultRegistryMaxAgentCount,
	}
	s.restart("M")
	return s
}

func (s *scenario) restart(id string) {
	s.cfg.MasterID = id
	s.cfg.Rand = rand.New(rand.NewPCG(7, 7))
	s.cfg.Allocator = hierarchical.New(allocator.Config{
		Rand: rand.New(rand.NewPCG(8, 8)), Minimum: allocator.DefaultMinimum(), Rivals: s.rivals,
	})
	if s.cfg.Optimist = nil; s.rivals > 0 {
		s.cfg.Optimist = s.cfg.Allocator.(allocator.Optimist)
	}
	s.m = New(s.cfg)
}

// play carries out the commands of a block and returns what they led to.
func (s *scenario) play(t *testing.T, input string) string {
	t.Helper()
	s.out = nil
	for line := range strings.SplitSeq(input, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		run, ok := s.verbs()[verb]
		if !ok {
			t.Fatalf("unknown verb in %q", line)
		}
		run(t, parseArgs(rest))
		if err := s.m.Check(); err != nil {
			t.Errorf("after %q: %v", line, err)
		}
	}
	return strings.Join(s.out, "\n")
}

// args are words, some of them with a value: name=value.
type args struct {
	words []string
	named map[string][]string
	rest  string
}

func parseArgs(text string) args {
	a := args{named: map[string][]string{}, rest: text}
	for word := range strings.FieldsSeq(text) {
		if name, value, ok := strings.Cut(word, "="); ok && !strings.HasPrefix(word, "{") {
			a.named[name] = append(a.named[name], value)
			continue
		}
		a.words = append(a.words, word)
	}
	return a
}

func (a args) get(name string) string {
	if len(a.named[name]) == 0 {
		return ""
	}
	return a.named[name][0]
}

func (a args) has(name string) bool { return len(a.named[name]) > 0 }

func (a args) list(name string) []string {
	if a.get(name) == "" {
		return nil
	}
	return strings.Split(a.get(name), ",")
}

func (s *scenario) verbs() map[string]func(*testing.T, args) {
	return map[string]func(*testing.T, args){
		"config": s.config, "elect": s.elect, "master": s.newMaster, "manual": func(*testing.T, args) { s.manual = true },
		"persisted": s.persisted, "agent": s.agent, "subscribe": s.subscribe, "tick": s.tick,
		"accept": s.accept, "decline": s.decline, "kill": s.kill, "update": s.update, "ack": s.ack,
		"reconcile": s.reconcile, "disconnect": s.disconnect, "pong": s.pong, "say": s.say,
		"executor": s.executor, "call": s.call, "operate": s.operate, "state": s.state, "metrics": s.metrics, "whitelist": s.whitelist,
	}
}

// config changes the master's configuration; only before elect.
func (s *scenario) config(t *testing.T, a args) {
	seconds := func(name string) time.Duration {
		d, err := time.ParseDuration(a.get(name))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for name := range a.named {
		switch name {
		case "offer_timeout":
			s.cfg.OfferTimeout = seconds(name)
		case "reregister":
			s.cfg.AgentReregisterTimeout = seconds(name)
		case "recovery":
			s.cfg.AllocatorRecoveryTimeout = seconds(name)
		case "preempt_for":
			s.cfg.PreemptFor = a.list(name)
		case "preempt_after":
			s.cfg.PreemptAfter = seconds(name)
		case "preempt_grace":
			s.cfg.PreemptGrace = seconds(name)
		case "rivals":
			s.rivals, _ = strconv.Atoi(a.get(name))
		case "roles":
			s.cfg.Roles = a.list(name)
		case "completed":
			s.cfg.MaxCompletedTasks, _ = strconv.Atoi(a.get(name))
		case "removal_interval":
			s.cfg.AgentRemovalInterval = seconds(name)
		case "minimum":
			s.cfg.RecoveryAgentMinimum, _ = strconv.ParseFloat(a.get(name), 64)
		case "noroot":
			s.cfg.RootSubmissions = false
		default:
			t.Fatalf("unknown setting %q", name)
		}
	}
	s.restart("M")
}

// newMaster replaces the master by one that leads next.
func (s *scenario) newMaster(t *testing.T, a args) {
	s.restart(a.words[0])
	for _, x := range s.sessions {
		x.session = 0
	}
	for _, f := range s.streams {
		f.stream = ""
	}
}

func (s *scenario) elect(t *testing.T, a args) {
	r := &registrypb.Registry{}
	for _, x := range a.named["agent"] {
		x, standing, _ := strings.Cut(x, ":")
		r.Agents = append(r.Agents, &registrypb.Agent{Info: s.sessions[x].sub.Agent})
		if standing != "" {
			r.Agents[len(r.Agents)-1].Deactivated = new(true)
		}
		if state, ok := mesospb.DrainState_value[standing]; ok {
			r.Agents[len(r.Agents)-1].DrainInfo = &mesospb.DrainInfo{
				State: mesospb.DrainState(state).Enum(), Config: &mesospb.DrainConfig{MaxGracePeriod: &mesospb.DurationInfo{Nanoseconds: new(int64(7e9))}},
			}
		}
		s.sessions[x].sub.Agent.Id = agentID(mesos.AgentID(s.sessions[x].id))
	}
	for _, x := range a.named["unreachable"] {
		s.sessions[x].sub.Agent.Id = agentID(mesos.AgentID(s.sessions[x].id))
		r.Unreachable = append(r.Unreachable, &registrypb.Unreachable{Info: s.sessions[x].sub.Agent, Since: timeInfo(s.now)})
	}
	for _, x := range a.named["gone"] {
		r.Gone = append(r.Gone, &registrypb.Gone{Id: agentID(mesos.AgentID(x)), Since: timeInfo(s.now)})
	}
	for _, x := range a.named["down"] {
		r.Maintenance = &registrypb.Maintenance{Windows: []*registrypb.Maintenance_Window{{
			Machines:       []*registrypb.Maintenance_Machine{{Id: &mesospb.MachineID{Hostname: new(x + ".example"), Ip: new("10.0.0." + x[1:])}, Down: new(true)}},
			Unavailability: &mesospb.Unavailability{Start: &mesospb.TimeInfo{Nanoseconds: new(int64(1))}},
		}}}
	}
	for _, x := range a.named["limit"] {
		role, cpus, _ := strings.Cut(x, ":")
		value, err := strconv.ParseFloat(cpus, 64)
		if err != nil {
			t.Fatal(err)
		}
		r.Quotas = append(r.Quotas, &quotapb.QuotaConfig{Role: new(role), Limits: map[string]*mesospb.Value_Scalar{"cpus": {Value: new(value)}}})
	}
	for _, x := range a.named["removed"] {
		r.Orphans = append(r.Orphans, &registrypb.Orphan{Id: frameworkID(mesos.FrameworkID(s.streams[x].id)), Since: timeInfo(s.now), Removed: new(true)})
	}
	for _, x := range a.named["orphan"] {
		name, ago, _ := strings.Cut(x, ":")
		d, err := time.ParseDuration(ago)
		if err != nil {
			t.Fatal(err)
		}
		r.Orphans = append(r.Orphans, &registrypb.Orphan{
			Id: frameworkID(mesos.FrameworkID(s.streams[name].id)), Since: timeInfo(s.now.Add(-d)),
			Timeout: &mesospb.DurationInfo{Nanoseconds: new(int64(s.streams[name].info.GetFailoverTimeout() * 1e9))},
		})
	}
	for _, x := range a.named["weight"] {
		role, weight, _ := strings.Cut(x, ":")
		value, err := strconv.ParseFloat(weight, 64)
		if err != nil {
			t.Fatal(err)
		}
		r.Weights = append(r.Weights, &registrypb.Weight{Role: new(role), Weight: new(value)})
	}
	s.step(Elected{r})
}

func (s *scenario) persisted(t *testing.T, a args) {
	seq, err := strconv.ParseUint(a.words[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	s.step(Persisted{seq})
}

// agent NAME opens a session: host=, total=, boot=, checkpoint tasks as
// task=FRAMEWORK/ID:RESOURCES:STATE[:ACKED], port=. It has the id it was given
// before unless fresh is said.
func (s *scenario) agent(t *testing.T, a args) {
	name := a.words[0]
	x := s.sessions[name]
	if x == nil {
		x = &traceAgent{host: name + ".example"}
		s.sessions[name] = x
	}
	if slices.Contains(a.words, "fresh") {
		x.id = ""
	}
	if a.has("id") {
		x.id = a.get("id")
	}
	if a.has("host") {
		x.host = a.get("host")
	}
	s.minted++
	x.session, x.seq = Session(s.minted), 0
	if a.has("session") {
		n, _ := strconv.Atoi(a.get("session"))
		x.session = Session(n)
	}
	total := "cpus:4;mem:1024"
	if a.has("total") {
		total = a.get("total")
	}
	x.sub = &linkpb.Subscribe{
		Agent: &mesospb.AgentInfo{Hostname: new(x.host), Port: new(int32(5051)), Resources: parse(t, total)},
		Total: parse(t, total), Version: new("1"), Boot: new(a.get("boot")),
	}
	for _, c := range []mesospb.AgentInfo_Capability_Type{
		mesospb.AgentInfo_Capability_MULTI_ROLE, mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE,
		mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT, mesospb.AgentInfo_Capability_TASK_RESOURCE_LIMITS,
	} {
		x.sub.Capabilities = append(x.sub.Capabilities, &mesospb.AgentInfo_Capability{Type: c.Enum()})
	}
	if x.id != "" {
		x.sub.Agent.Id = agentID(mesos.AgentID(x.id))
	}
	for _, spec := range a.named["task"] {
		s.bring(t, x, spec)
	}
	address := "10.0.0." + strings.TrimLeft(name, "a") + ":40000"
	if a.has("ip") {
		address = a.get("ip") + ":40000"
	}
	s.step(AgentSubscribed{x.session, address, x.sub})
}

// executor AGENT FRAMEWORK ID RESOURCES lets an agent come back with an executor.
func (s *scenario) executor(t *testing.T, a args) {
	x, f := s.sessions[a.words[0]], s.streams[a.words[1]]
	s.minted++
	x.session, x.seq = Session(s.minted), 0
	x.sub = proto.CloneOf(x.sub)
	x.sub.Agent.Id = agentID(mesos.AgentID(x.id))
	x.sub.Executors = []*linkpb.Executor{{FrameworkId: frameworkID(mesos.FrameworkID(f.id)), Info: &mesospb.ExecutorInfo{
		ExecutorId: executorID(a.words[2]), Resources: parse(t, a.words[3]),
	}}}
	s.step(AgentSubscribed{x.session, "10.0.0." + strings.TrimLeft(a.words[0], "a") + ":40000", x.sub})
}

// bring adds a task to what an agent reports.
func (s *scenario) bring(t *testing.T, x *traceAgent, spec string) {
	name, rest, _ := strings.Cut(spec, "/")
	parts := strings.Split(rest, "|")
	f := s.streams[name]
	task := &linkpb.TaskState{
		FrameworkId: frameworkID(mesos.FrameworkID(f.id)),
		Info: &mesospb.TaskInfo{
			Name: new(parts[0]), TaskId: taskID(parts[0]), AgentId: agentID(mesos.AgentID(x.id)),
			Command: &mesospb.CommandInfo{Value: new("sleep 1")}, Resources: parse(t, parts[1]),
		},
	}
	if parts[2] != "STAGING" {
		task.Status = &mesospb.TaskStatus{
			TaskId: taskID(parts[0]), State: stateOf(t, parts[2]), Uuid: uuidOf("9"), Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(),
		}
	}
	if len(parts) > 3 {
		task.AcknowledgedState = stateOf(t, parts[3])
	}
	x.sub.Tasks = append(x.sub.Tasks, task)
	if f.info.Id == nil {
		f.info.Id = frameworkID(mesos.FrameworkID(f.id))
	}
	if !slices.ContainsFunc(x.sub.Frameworks, func(i *mesospb.FrameworkInfo) bool { return i.GetId().GetValue() == f.id }) {
		x.sub.Frameworks = append(x.sub.Frameworks, f.info)
	}
}

func parse(t *testing.T, text string) []*mesospb.Resource {
	t.Helper()
	r, err := resources.Parse(text, "*")
	if err != nil {
		t.Fatal(err)
	}
	return r.Proto(resources.PostRefinement)
}

func stateOf(t *testing.T, name string) *mesospb.TaskState {
	n, ok := mesospb.TaskState_value["TASK_"+name]
	if !ok {
		t.Fatalf("unknown state %q", name)
	}
	return mesospb.TaskState(n).Enum()
}

func uuidOf(s string) []byte { return []byte((s + strings.Repeat("u", uuidLength))[:uuidLength]) }

// subscribe NAME opens a stream: roles= (MULTI_ROLE) or role=, caps=, id=,
// timeout= seconds, checkpoint, user=, suppressed=, principal=.
func (s *scenario) subscribe(t *testing.T, a args) {
	name := a.words[0]
	f := s.streams[name]
	if f == nil {
		f = &traceFramework{}
		s.streams[name] = f
	}
	if a.has("id") {
		f.id = a.get("id")
	}
	user := "alice"
	if a.has("user") {
		user = a.get("user")
	}
	info := &mesospb.FrameworkInfo{User: new(user), Name: new(name)}
	if f.id != "" {
		info.Id = frameworkID(mesos.FrameworkID(f.id))
	}
	if a.has("roles") {
		info.Roles = a.list("roles")
		a.named["caps"] = []string{strings.Join(append(a.list("caps"), "MULTI_ROLE"), ",")}
	}
	if a.has("role") {
		info.Role = new(a.get("role"))
	}
	for _, c := range a.list("caps") {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{
			Type: mesospb.FrameworkInfo_Capability_Type(mesospb.FrameworkInfo_Capability_Type_value[c]).Enum(),
		})
	}
	if a.has("timeout") {
		seconds, err := strconv.ParseFloat(a.get("timeout"), 64)
		if err != nil {
			t.Fatal(err)
		}
		info.FailoverTimeout = new(seconds)
	}
	if slices.Contains(a.words, "checkpoint") {
		info.Checkpoint = new(true)
	}
	if a.has("principal") {
		info.Principal = new(a.get("principal"))
	}
	s.minted++
	f.stream, f.info = Stream(fmt.Sprintf("%s#%d", name, s.minted)), info
	s.step(Subscribed{f.stream, a.get("authenticated"), &schedulerpb.Call{
		Type: schedulerpb.Call_SUBSCRIBE.Enum(), FrameworkId: info.Id,
		Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: info, SuppressedRoles: a.list("suppressed")},
	}})
}

// tick lets time pass; everything that is due happens when it is.
func (s *scenario) tick(t *testing.T, a args) {
	d, err := time.ParseDuration(a.words[0])
	if err != nil {
		t.Fatal(err)
	}
	end := s.now.Add(d)
	for range 100000 {
		at, ok := s.m.Deadline()
		if !ok || at.After(end) {
			s.now = end
			return
		}
		if at.After(s.now) {
			s.now = at
		}
		s.step(Tick{})
	}
	t.Fatal("the deadline does not move")
}

// accept F offers=O0,O1 launch=ID:RESOURCES … refuse=SECONDS op=TYPE:ID
func (s *scenario) accept(t *testing.T, a args) {
	accept := &schedulerpb.Call_Accept{Filters: filters(t, a)}
	for _, o := range a.list("offers") {
		accept.OfferIds = append(accept.OfferIds, offerID(mesos.OfferID(s.long(o))))
	}
	if specs := a.named["launch"]; len(specs) > 0 {
		launch := &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_LAUNCH.Enum(), Launch: &mesospb.Offer_Operation_Launch{}}
		for _, spec := range specs {
			id, amount, _ := strings.Cut(spec, "|")
			amount, under, own := strings.Cut(amount, "|") // t1|cpus:1|e1|cpus:0.5 runs under an executor
			task := &mesospb.TaskInfo{
				Name: new(id), TaskId: taskID(id), AgentId: agentID(mesos.AgentID(s.long(a.get("on")))),
				Command: &mesospb.CommandInfo{Value: new("sleep 1")}, Resources: parse(t, amount),
			}
			if own {
				name, amount, _ := strings.Cut(under, "|")
				task.Executor = &mesospb.ExecutorInfo{ExecutorId: executorID(name), Command: task.Command, Resources: parse(t, amount)}
				task.Command = nil
			}
			launch.Launch.TaskInfos = append(launch.Launch.TaskInfos, task)
		}
		accept.Operations = append(accept.Operations, launch)
	}
	for _, spec := range a.named["group"] {
		accept.Operations = append(accept.Operations, s.group(t, a, spec))
	}
	for _, spec := range a.named["op"] {
		kind, id, _ := strings.Cut(spec, ":")
		accept.Operations = append(accept.Operations, &mesospb.Offer_Operation{
			Type: mesospb.Offer_Operation_Type(mesospb.Offer_Operation_Type_value[kind]).Enum(), Id: &mesospb.OperationID{Value: new(id)},
		})
	}
	s.send(a.words[0], &schedulerpb.Call{Type: schedulerpb.Call_ACCEPT.Enum(), Accept: accept})
}

// group is a LAUNCH_GROUP: e1|cpus:0.5;mem:32;disk:1|t1|cpus:1|t2|cpus:1
func (s *scenario) group(t *testing.T, a args, spec string) *mesospb.Offer_Operation {
	words := strings.Split(spec, "|")
	launch := &mesospb.Offer_Operation_LaunchGroup{TaskGroup: &mesospb.TaskGroupInfo{}, Executor: &mesospb.ExecutorInfo{
		Type: mesospb.ExecutorInfo_CUSTOM.Enum(), ExecutorId: executorID(words[0]), Resources: parse(t, words[1]),
		FrameworkId: frameworkID(mesos.FrameworkID(s.streams[a.words[0]].id)), Command: &mesospb.CommandInfo{Value: new("run")},
	}}
	for i := 2; i < len(words); i += 2 {
		launch.TaskGroup.Tasks = append(launch.TaskGroup.Tasks, &mesospb.TaskInfo{
			Name: new(words[i]), TaskId: taskID(words[i]), AgentId: agentID(mesos.AgentID(s.long(a.get("on")))), Resources: parse(t, words[i+1]),
		})
	}
	return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: launch}
}

func filters(t *testing.T, a args) *mesospb.Filters {
	if !a.has("refuse") {
		return nil
	}
	seconds, err := strconv.ParseFloat(a.get("refuse"), 64)
	if err != nil {
		t.Fatal(err)
	}
	return &mesospb.Filters{RefuseSeconds: new(seconds)}
}

func (s *scenario) decline(t *testing.T, a args) {
	call := &schedulerpb.Call_Decline{Filters: filters(t, a)}
	for _, o := range a.words[1:] {
		call.OfferIds = append(call.OfferIds, offerID(mesos.OfferID(s.long(o))))
	}
	s.send(a.words[0], &schedulerpb.Call{Type: schedulerpb.Call_DECLINE.Enum(), Decline: call})
}

func (s *scenario) kill(t *testing.T, a args) {
	call := &schedulerpb.Call_Kill{TaskId: taskID(a.words[1])}
	if a.has("on") {
		call.AgentId = agentID(mesos.AgentID(s.long(a.get("on"))))
	}
	s.send(a.words[0], &schedulerpb.Call{Type: schedulerpb.Call_KILL.Enum(), Kill: call})
}

// update AGENT FRAMEWORK TASK STATE uuid= latest=
func (s *scenario) update(t *testing.T, a args) {
	x, f := s.sessions[a.words[0]], s.streams[a.words[1]]
	u := &linkpb.StatusUpdate{FrameworkId: frameworkID(mesos.FrameworkID(f.id)), Status: &mesospb.TaskStatus{
		TaskId: taskID(a.words[2]), State: stateOf(t, a.words[3]), Uuid: uuidOf(a.get("uuid")),
		Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(), AgentId: agentID(mesos.AgentID(x.id)),
	}}
	if a.has("latest") {
		u.LatestState = stateOf(t, a.get("latest"))
	}
	s.tell(x, &linkpb.Message{Type: linkpb.Message_STATUS_UPDATE.Enum(), StatusUpdate: u})
}

func (s *scenario) tell(x *traceAgent, msg *linkpb.Message) {
	x.seq++
	msg.Seq = new(x.seq)
	s.step(AgentSent{x.session, []*linkpb.Message{msg}})
}

func (s *scenario) pong(t *testing.T, a args) {
	for _, name := range a.words {
		s.tell(s.sessions[name], &linkpb.Message{Type: linkpb.Message_PONG.Enum()})
	}
}

// say AGENT JSON sends any message; its seq counts on unless it says one.
func (s *scenario) say(t *testing.T, a args) {
	x := s.sessions[a.words[0]]
	msg := &linkpb.Message{}
	if err := protojson.Unmarshal([]byte(strings.TrimPrefix(a.rest, a.words[0])), msg); err != nil {
		t.Fatal(err)
	}
	if msg.Seq == nil {
		s.tell(x, msg)
		return
	}
	s.step(AgentSent{x.session, []*linkpb.Message{msg}})
}

func (s *scenario) ack(t *testing.T, a args) {
	s.send(a.words[0], &schedulerpb.Call{Type: schedulerpb.Call_ACKNOWLEDGE.Enum(), Acknowledge: &schedulerpb.Call_Acknowledge{
		TaskId: taskID(a.words[1]), AgentId: agentID(mesos.AgentID(s.long(a.get("on")))), Uuid: uuidOf(a.get("uuid")),
	}})
}

func (s *scenario) reconcile(t *testing.T, a args) {
	call := &schedulerpb.Call_Reconcile{}
	for _, word := range a.words[1:] {
		id, on, found := strings.Cut(word, "@")
		task := &schedulerpb.Call_Reconcile_Task{TaskId: taskID(id)}
		if found {
			task.AgentId = agentID(mesos.AgentID(s.long(on)))
		}
		call.Tasks = append(call.Tasks, task)
	}
	s.send(a.words[0], &schedulerpb.Call{Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: call})
}

func (s *scenario) disconnect(t *testing.T, a args) {
	for _, name := range a.words {
		if x := s.sessions[name]; x != nil {
			s.step(AgentDisconnected{x.session})
			continue
		}
		s.step(Disconnected{s.streams[name].stream})
	}
}

// call F TYPE [JSON] makes any call.
func (s *scenario) call(t *testing.T, a args) {
	c := &schedulerpb.Call{}
	text := strings.TrimSpace(strings.TrimPrefix(a.rest, a.words[0]))
	kind, body, _ := strings.Cut(text, " ")
	if body != "" {
		if err := protojson.Unmarshal([]byte(body), c); err != nil {
			t.Fatal(err)
		}
	}
	c.Type = schedulerpb.Call_Type(schedulerpb.Call_Type_value[kind]).Enum()
	s.send(a.words[0], c)
}

// operate TYPE [JSON] makes any action call; TEARDOWN takes the id of a framework.
func (s *scenario) operate(t *testing.T, a args) {
	c := &masterpb.Call{}
	kind, body, _ := strings.Cut(a.rest, " ")
	switch {
	case strings.HasPrefix(body, "{"):
		if err := protojson.Unmarshal([]byte(body), c); err != nil {
			t.Fatal(err)
		}
	case body != "":
		c.Teardown = &masterpb.Call_Teardown{FrameworkId: frameworkID(mesos.FrameworkID(s.long(body)))}
	}
	c.Type = masterpb.Call_Type(masterpb.Call_Type_value[kind]).Enum()
	s.step(Operated{1, "", c})
}

func (s *scenario) send(name string, c *schedulerpb.Call) {
	f := s.streams[name]
	c.FrameworkId = frameworkID(mesos.FrameworkID(f.id))
	s.step(Called{Request: 1, Stream: f.stream, Call: c})
}

// state prints what a snapshot shows.
// whitelist lists host names; * is all.
func (s *scenario) whitelist(_ *testing.T, a args) {
	var hosts Whitelist
	if a.rest != "*" {
		hosts = Whitelist{}
		for _, host := range a.words {
			hosts[host] = true
		}
	}
	s.step(Whitelisted{hosts})
}

// metrics prints those that begin with a prefix and are not zero.
func (s *scenario) metrics(_ *testing.T, a args) {
	all := s.m.Snapshot().Metrics()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(name, a.words[0]) && all[name] != 0 {
			s.print("%s = %v", name, all[name])
		}
	}
}

func (s *scenario) state(t *testing.T, a args) {
	snap := s.m.Snapshot()
	for i := range snap.Agents {
		x := &snap.Agents[i]
		s.print("agent %s connected=%t total=%s used=%s offered=%s%s", x.ID, x.Connected, x.Total, x.Used, x.Offered, textOfStanding(x.Deactivated, x.Drain))
	}
	for i := range snap.Recovered {
		s.print("agent %s recovered%s", snap.Recovered[i].ID, textOfStanding(snap.Recovered[i].Deactivated, snap.Recovered[i].Drain))
	}
	for _, list := range [][]Framework{snap.Frameworks, snap.CompletedFrameworks} {
		for i := range list {
			f := &list[i]
			s.print("framework %s connected=%t recovered=%t completed=%t roles=%v", f.ID, f.Connected, f.Recovered, !f.Unregistered.IsZero(), f.Roles)
			if used := snap.Used(f); !used.IsEmpty() {
				s.print("  uses %s", used)
			}
			for task := range snap.ActiveTasks(f) {
				s.print("  task %s %s on %s", task.GetTaskId().GetValue(), task.GetState(), task.GetAgentId().GetValue())
			}
			for task := range snap.UnreachableTasks(f) {
				s.print("  unreachable task %s %s", task.GetTaskId().GetValue(), task.GetState())
			}
			for task := range snap.CompletedTasks(f) {
				s.print("  completed task %s %s", task.GetTaskId().GetValue(), task.GetState())
			}
		}
	}
	for x := range snap.Executors() {
		s.print("executor %s of %s on %s", x.Info.GetExecutorId().GetValue(), x.Framework, x.Agent)
	}
	for _, w := range snap.Weights {
		s.print("weight of %s: %g", w.Role, w.Weight)
	}
	for _, q := range snap.GetQuota().GetConfigs() {
		s.print("quota of %s%s", q.GetRole(), textOfQuota(q))
	}
	for _, x := range snap.MaintenanceStatus().GetDrainingMachines() {
		s.print("machine %s is to go down", validation.MachineText(x.GetId()))
		for _, answer := range x.GetStatuses() {
			s.print("  %s says %s", answer.GetFrameworkId().GetValue(), answer.GetStatus())
		}
	}
	for _, id := range snap.MaintenanceStatus().GetDownMachines() {
		s.print("machine %s is down", validation.MachineText(id))
	}
	s.print("unreachable agents: %d", snap.Unreachable)
}

func (s *scenario) print(format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	for _, id := range []string{"M", "N"} {
		for _, kind := range []string{"-S", "-O", "-0"} {
			text = strings.ReplaceAll(text, id+kind, strings.TrimPrefix(kind, "-"))
		}
	}
	s.out = append(s.out, text)
}

// long is an id in full: S0 is M-S0. Ids of an earlier master are written in full.
func (s *scenario) long(id string) string {
	if len(id) > 1 && (id[0] == 'S' || id[0] == 'O' || id[0] == '0') && id[1] >= '0' && id[1] <= '9' {
		return s.cfg.MasterID + "-" + id
	}
	return id
}

// step feeds the master, prints what it does, and makes writes durable at once.
func (s *scenario) step(ev Event) {
	for _, e := range s.m.Step(s.now, ev) {
		s.show(e)
		if p, ok := e.(Persist); ok && !s.manual {
			s.step(Persisted{p.Seq})
		}
	}
}

func (s *scenario) show(e Effect) {
	switch e := e.(type) {
	case Persist:
		for _, op := range e.Operations {
			s.print("persist %d: %s %s", e.Seq, op.GetType(), describeOp(op))
		}
	case SendAgent:
		name := s.agentName(e.Session)
		if e.Event.Registered != nil {
			s.sessions[name].id = e.Event.GetRegistered().GetAgentId().GetValue()
		}
		s.print("%s <- %s", name, describeLink(e.Event))
	case CloseAgent:
		s.print("%s closed", s.agentName(e.Session))
	case SendFramework:
		if e.Event.Subscribed != nil {
			name, _, _ := strings.Cut(string(e.Stream), "#")
			s.streams[name].id = e.Event.GetSubscribed().GetFrameworkId().GetValue()
		}
		s.print("%s <- %s", s.streamName(e.Stream), describeEvent(e.Event))
	case CloseFramework:
		s.print("%s closed", s.streamName(e.Stream))
	case Reply:
		if e.Code != 202 {
			s.print("reply %d %s", e.Code, e.Text)
		}
	case Publish:
		s.print("operators <- %s", describePublished(e.Event))
	case Preempted:
		s.print("asked to leave: %s of %s in %s, %s, for %s", e.Task, e.Framework, e.Role, e.Cause, e.For)
	case Exit:
		s.print("exit: %s", e.Why)
	case Refused:
		s.print("refused: %s %s: %s", e.What, e.ID, e.Why)
	}
}

func (s *scenario) agentName(id Session) string {
	for _, name := range slices.Sorted(maps.Keys(s.sessions)) {
		if s.sessions[name].session == id {
			return name
		}
	}
	return fmt.Sprintf("session %d", id)
}

func (s *scenario) streamName(id Stream) string {
	name, _, _ := strings.Cut(string(id), "#")
	if s.streams[name] != nil && s.streams[name].stream == id {
		return name
	}
	return string(id)
}

func describeOp(op *registrypb.Operation) string {
	switch {
	case op.Agent != nil:
		return op.GetAgent().GetInfo().GetId().GetValue() + textOfStanding(op.GetAgent().GetDeactivated(), op.GetAgent().GetDrainInfo())
	case op.Unreachable != nil:
		return op.GetUnreachable().GetInfo().GetId().GetValue() + textOfStanding(op.GetUnreachable().GetDeactivated(), op.GetUnreachable().GetDrainInfo())
	case op.Gone != nil:
		return op.GetGone().GetId().GetValue()
	}
	var ids []string
	for _, w := range op.GetMaintenance().GetWindows() {
		for _, x := range w.GetMachines() {
			ids = append(ids, fmt.Sprintf("%s down=%t", validation.MachineText(x.GetId()), x.GetDown()))
		}
	}
	for _, w := range op.GetWeights() {
		ids = append(ids, fmt.Sprintf("%s=%g", w.GetRole(), w.GetWeight()))
	}
	for _, q := range op.GetQuotas() {
		ids = append(ids, q.GetRole()+textOfQuota(q))
	}
	for _, o := range op.GetOrphans() {
		text := o.GetId().GetValue() + " is back"
		if o.Since != nil {
			text = fmt.Sprintf("%s since %s", o.GetId().GetValue(), time.Unix(0, o.GetSince().GetNanoseconds()).UTC().Format("15:04:05"))
		}
		ids = append(ids, text)
	}
	for _, id := range op.GetAgentIds() {
		ids = append(ids, id.GetValue())
	}
	return op.GetAgentId().GetValue() + strings.Join(ids, " ")
}

func textOfStanding(deactivated bool, drain *mesospb.DrainInfo) (text string) {
	if deactivated {
		text = " deactivated"
	}
	if drain != nil {
		text += " " + drain.GetState().String()
	}
	return text
}

func textOfUnavailability(u *mesospb.Unavailability) string {
	if u == nil {
		return ""
	}
	return fmt.Sprintf(" from %d", u.GetStart().GetNanoseconds())
}

// textOfQuota is ":<guarantees>|<limits>".
func textOfQuota(q *quotapb.QuotaConfig) string {
	list, err := validation.Quotas([]*quotapb.QuotaConfig{q}, nil)
	if err != nil {
		return ":" + err.Error()
	}
	return fmt.Sprintf(":%s|%s", list[0].Guarantees, list[0].Limits)
}

func describeLink(e *linkpb.Event) string {
	text := fmt.Sprintf("%d %s", e.GetSeq(), e.GetType())
	switch e.GetType() {
	case linkpb.Event_REGISTERED:
		text += " " + e.GetRegistered().GetAgentId().GetValue()
	case linkpb.Event_SHUTDOWN:
		text += " " + e.GetShutdown().GetMessage()
	case linkpb.Event_RUN_TASK:
		r, _ := resources.FromProto(e.GetRunTask().GetTask().GetResources())
		text += " " + e.GetRunTask().GetTask().GetTaskId().GetValue() + " " + r.String()
	case linkpb.Event_RUN_GROUP:
		for _, t := range e.GetRunGroup().GetTasks() {
			text += " " + t.GetTaskId().GetValue()
		}
		if e.GetRunGroup().GetLaunchExecutor() {
			text += " and launch " + e.GetRunGroup().GetTasks()[0].GetExecutor().GetExecutorId().GetValue()
		}
	case linkpb.Event_KILL_TASK:
		text += " " + e.GetKillTask().GetTaskId().GetValue()
		if p := e.GetKillTask().GetKillPolicy(); p != nil {
			text += " in " + time.Duration(p.GetGracePeriod().GetNanoseconds()).String()
		}
	case linkpb.Event_SHUTDOWN_EXECUTOR:
		text += " " + e.GetShutdownExecutor().GetExecutorId().GetValue()
	case linkpb.Event_ACKNOWLEDGE:
		text += " " + e.GetAcknowledge().GetTaskId().GetValue() + " " + strings.TrimRight(string(e.GetAcknowledge().GetUuid()), "u")
	case linkpb.Event_SHUTDOWN_FRAMEWORK:
		text += " " + e.GetShutdownFramework().GetFrameworkId().GetValue()
	case linkpb.Event_UPDATE_FRAMEWORK:
		text += " " + e.GetUpdateFramework().GetFramework().GetName() + " of user " + e.GetUpdateFramework().GetFramework().GetUser()
	}
	return text
}

func describeEvent(e *schedulerpb.Event) string {
	switch e.GetType() {
	case schedulerpb.Event_SUBSCRIBED:
		return "SUBSCRIBED " + e.GetSubscribed().GetFrameworkId().GetValue()
	case schedulerpb.Event_OFFERS:
		var list []string
		for _, o := range e.GetOffers().GetOffers() {
			r, _ := resources.FromProto(o.GetResources())
			text := fmt.Sprintf("%s(%s %s)", o.GetId().GetValue(), o.GetAgentId().GetValue(), r)
			list = append(list, text+textOfUnavailability(o.GetUnavailability()))
		}
		return "OFFERS " + strings.Join(list, " ")
	case schedulerpb.Event_RESCIND:
		return "RESCIND " + e.GetRescind().GetOfferId().GetValue()
	case schedulerpb.Event_INVERSE_OFFERS:
		var list []string
		for _, o := range e.GetInverseOffers().GetInverseOffers() {
			list = append(list, fmt.Sprintf("%s(%s)%s", o.GetId().GetValue(), o.GetAgentId().GetValue(), textOfUnavailability(o.GetUnavailability())))
		}
		return "INVERSE_OFFERS " + strings.Join(list, " ")
	case schedulerpb.Event_RESCIND_INVERSE_OFFER:
		return "RESCIND_INVERSE_OFFER " + e.GetRescindInverseOffer().GetInverseOfferId().GetValue()
	case schedulerpb.Event_UPDATE:
		return "UPDATE " + describeStatus(e.GetUpdate().GetStatus())
	case schedulerpb.Event_ERROR:
		return "ERROR " + e.GetError().GetMessage()
	case schedulerpb.Event_FAILURE:
		return "FAILURE " + e.GetFailure().GetAgentId().GetValue() + e.GetFailure().GetExecutorId().GetValue()
	case schedulerpb.Event_UPDATE_OPERATION_STATUS:
		st := e.GetUpdateOperationStatus().GetStatus()
		return fmt.Sprintf("UPDATE_OPERATION_STATUS %s %s %q", st.GetOperationId().GetValue(), st.GetState(), st.GetMessage())
	}
	return e.GetType().String()
}

func describeStatus(st *mesospb.TaskStatus) string {
	text := fmt.Sprintf("%s %s", st.GetTaskId().GetValue(), st.GetState())
	if st.AgentId != nil {
		text += " on " + st.GetAgentId().GetValue()
	}
	if len(st.GetUuid()) > 0 {
		text += " uuid " + strings.TrimRight(string(st.GetUuid()), "u")
	}
	if st.Reason != nil {
		text += " " + st.GetReason().String()
	}
	if st.Message != nil {
		text += fmt.Sprintf(" %q", st.GetMessage())
	}
	if st.UnreachableTime != nil {
		text += " +unreachable_time"
	}
	return text
}

func describePublished(e *masterpb.Event) string {
	text := e.GetType().String()
	switch e.GetType() {
	case masterpb.Event_TASK_ADDED:
		return text + " " + e.GetTaskAdded().GetTask().GetTaskId().GetValue() + " " + e.GetTaskAdded().GetTask().GetState().String()
	case masterpb.Event_TASK_UPDATED:
		u := e.GetTaskUpdated()
		return text + " " + u.GetStatus().GetTaskId().GetValue() + " " + u.GetStatus().GetState().String() + ", now " + u.GetState().String()
	case masterpb.Event_AGENT_ADDED:
		return text + " " + e.GetAgentAdded().GetAgent().GetAgentInfo().GetId().GetValue()
	case masterpb.Event_AGENT_REMOVED:
		return text + " " + e.GetAgentRemoved().GetAgentId().GetValue()
	case masterpb.Event_FRAMEWORK_ADDED:
		return text + " " + e.GetFrameworkAdded().GetFramework().GetFrameworkInfo().GetName()
	case masterpb.Event_FRAMEWORK_UPDATED:
		return text + " " + e.GetFrameworkUpdated().GetFramework().GetFrameworkInfo().GetName()
	case masterpb.Event_FRAMEWORK_REMOVED:
		return text + " " + e.GetFrameworkRemoved().GetFrameworkInfo().GetName()
	}
	return text
}
