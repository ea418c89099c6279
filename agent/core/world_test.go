package core

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/proto/mesos"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// world is everything around an agent: its disk, its containers, its master and
// the clock. It survives crashes of the agent.
type world struct {
	agent *Agent
	cfg   Config
	now   time.Time

	disk    checkpointpb.Table                     // what is durable
	pending []Checkpoint                           // what is not yet
	boxes   map[mesos.ContainerID]*box             // what the containerizer has a trace of
	names   map[mesos.ContainerID]string           // c1, c2, … in traces
	inbox   map[mesos.TaskID][]*mesospb.TaskStatus // updates that reached the scheduler, repeats included
	durable map[string]bool                        // uuids of updates that are on disk, or were
	session Session                                // the last one
	seq     uint64                                 // of the last event of the session
	acked   map[string]bool                        // uuids the scheduler acknowledged
	streams map[Stream][]*executorpb.Event         // what executors were told that are subscribed
	stream  Stream                                 // the last one
	probes  []Probe                                // attempts under way
	exit    string                                 // why the agent ended
	told    map[mesos.TaskID]mesospb.TaskState     // what the last Subscribe said
	doomed  []mesos.ContainerID                    // to be destroyed
	begun   map[mesos.TaskID]bool                  // tasks whose container was launched
	groups  map[string]int                         // how many tasks are in the group of a task
	budget  *int                                   // how many effects are still performed before a crash; nil is all
	log     func(format string, args ...any)       // tells each step; nil is silent
	fail    func(format string, args ...any)       // reports a broken rule
}

// box is a container as the containerizer knows it.
type box struct {
	task    mesos.TaskID
	asked   bool // Launch was asked for and not yet answered
	running bool
	awaited bool // somebody waits for its end
	end     End  // when neither asked nor running
}

func newWorld(t interface{ Fatalf(string, ...any) }, cfg Config) *world {
	w := &world{
		cfg: cfg, now: time.Unix(1000, 0),
		boxes: map[mesos.ContainerID]*box{}, names: map[mesos.ContainerID]string{},
		inbox: map[mesos.TaskID][]*mesospb.TaskStatus{}, durable: map[string]bool{}, begun: map[mesos.TaskID]bool{}, acked: map[string]bool{}, groups: map[string]int{}, streams: map[Stream][]*executorpb.Event{},
		fail: t.Fatalf,
	}
	w.boot(false)
	return w
}

func testConfig() Config {
	return Config{
		Info: &mesospb.AgentInfo{
			Hostname: new("host"), Port: new(int32(5051)),
			Resources: []*mesospb.Resource{scalarResource("cpus", 4), scalarResource("mem", 4096)},
		},
		Version: "1.11.0", Boot: "boot", IP: "10.0.0.1", Limited: true, Groups: true,
		Rand: rand.New(rand.NewPCG(1, 2)),
	}
}

func scalarResource(name string, x float64) *mesospb.Resource {
	return &mesospb.Resource{Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &x}}
}

// boot starts an agent on what the disk holds, as after a crash.
func (w *world) boot(rebooted bool) []Effect {
	w.pending, w.session, w.seq, w.doomed = nil, 0, 0, nil
	clear(w.streams)
	w.probes = nil
	for id, b := range w.boxes {
		b.awaited = false
		if rebooted && b.running {
			b.running, b.end = false, End{Rebooted: true}
		}
		if b.asked {
			delete(w.boxes, id) // the launch had not begun; see started
		}
	}
	w.agent = New(w.cfg)
	records := w.disk.Records()
	known := Containers(records)
	var alive []mesos.ContainerID
	for id := range w.boxes {
		w.endStrays(id)
	}
	for id, b := range w.boxes {
		switch {
		case !slices.Contains(known, id):
			delete(w.boxes, id) // an orphan
		case b.running:
			alive = append(alive, id)
		}
	}
	slices.Sort(alive)
	return w.step(Recovered{Records: records, Alive: alive, Rebooted: rebooted})
}

// endStrays ends a container that is nested in one which does not run.
func (w *world) endStrays(id mesos.ContainerID) {
	outer, _ := id.Split()
	if b := w.boxes[id]; outer != "" && b.running && (w.boxes[outer] == nil || !w.boxes[outer].running) {
		b.running, b.end = false, End{Known: true, Signal: "Killed"}
	}
}

// end ends a container that runs, and what is nested in it.
func (w *world) end(id mesos.ContainerID, end End) {
	if b := w.boxes[id]; b != nil && b.running {
		b.running, b.end = false, end
	}
	for other := range w.boxes {
		w.endStrays(other)
	}
}

// step feeds the agent and performs what it wants, as far as that is at once.
func (w *world) step(ev Event) []Effect {
	effects := w.agent.Step(w.now, ev)
	if w.log != nil {
		w.log("%T -> %s", ev, strings.Join(showAll(effects, w.show), "; "))
	}
	for _, e := range effects {
		if w.budget != nil {
			if *w.budget == 0 {
				return effects // the agent is about to crash
			}
			*w.budget--
		}
		w.perform(e)
	}
	if err := w.agent.Check(); err != nil {
		w.fail("after %T: %v", ev, err)
	}
	if at, ok := w.agent.Deadline(); ok && ev == (Tick{}) && !at.After(w.now) {
		w.fail("after a tick at %v, %v is still due", w.now, at)
	}
	return effects
}

func (w *world) perform(e Effect) {
	switch e := e.(type) {
	case Checkpoint:
		for i, r := range e.Records {
			e.Records[i] = proto.CloneOf(r) // as it is now
		}
		w.pending = append(w.pending, e)
	case Launch:
		if w.boxes[e.Run.Container] != nil {
			w.fail("container %s is launched twice", e.Run.Container)
		}
		if !slices.Contains(Containers(w.disk.Records()), e.Run.Container) {
			w.fail("container %s is launched before that is durable", e.Run.Container)
		}
		if outer, _ := e.Run.Container.Split(); outer != "" && !w.agent.containers[outer].executor.begun() {
			w.fail("container %s is launched before what it is nested in", e.Run.Container)
		}
		task := mesos.TaskID(e.Task.GetTaskId().GetValue())
		if e.Executor != nil {
			task = mesos.TaskID("executor " + e.Run.Container)
		}
		if w.begun[task] {
			w.fail("task %s is launched a second time", task)
		}
		w.begun[task] = true
		w.boxes[e.Run.Container] = &box{task: task, asked: true}
	case Probe:
		w.probes = append(w.probes, e)
	case Reply:
		if e.Code == 200 {
			w.streams[e.Stream] = nil
		}
	case Tell:
		w.tell(e)
	case HangUp:
		delete(w.streams, e.Stream)
	case Await:
		if b := w.boxes[e.Container]; b != nil {
			b.awaited = true
		} else {
			w.boxes[e.Container] = &box{awaited: true} // no trace: its end is not known
		}
	case Destroy:
		w.destroy(e.Container)
	case Subscribe:
		w.told = map[mesos.TaskID]mesospb.TaskState{}
		for _, t := range e.Subscribe.GetTasks() {
			if s := t.GetStatus(); s != nil {
				w.mustBeDurable(s)
				w.told[mesos.TaskID(t.GetInfo().GetTaskId().GetValue())] = s.GetState()
			}
		}
	case Send:
		if u := e.Message.GetStatusUpdate(); u != nil {
			w.mustBeDurable(u.GetStatus())
			id := mesos.TaskID(u.GetStatus().GetTaskId().GetValue())
			w.inOrder(id, u.GetStatus())
			w.inbox[id] = append(w.inbox[id], u.GetStatus())
		}
	case Exit:
		w.exit = e.Why
	case Refused:
		if e.What == illegalMove {
			w.fail("task %s: %s", e.ID, e.Why)
		}
	}
}

// tell: an executor is given nothing that could be forgotten.
func (w *world) tell(e Tell) {
	if _, ok := w.streams[e.Stream]; !ok {
		w.fail("stream %d is over and is told %v", e.Stream, e.Event)
	}
	w.streams[e.Stream] = append(w.streams[e.Stream], e.Event)
	stored := func(id *mesospb.TaskID) bool {
		return slices.ContainsFunc(w.disk.Records(), func(r *checkpointpb.Record) bool {
			return r.GetTask().GetTaskId().GetValue() == id.GetValue()
		})
	}
	tasks := e.Event.GetLaunchGroup().GetTaskGroup().GetTasks()
	if t := e.Event.GetLaunch().GetTask(); t != nil {
		tasks = append(tasks, t)
	}
	for _, t := range tasks {
		if !stored(t.GetTaskId()) {
			w.fail("task %s is given to its executor before that is durable", t.GetTaskId().GetValue())
		}
		if n := max(w.groups[t.GetTaskId().GetValue()], 1); n != len(tasks) {
			w.fail("task %s is one of %d in a group, and is given to its executor with %d", t.GetTaskId().GetValue(), n, len(tasks))
		}
	}
}

// inOrder: an update comes for the first time only when the one before it was acknowledged.
func (w *world) inOrder(id mesos.TaskID, s *mesospb.TaskStatus) {
	inbox := w.inbox[id]
	for _, old := range inbox {
		if string(old.GetUuid()) == string(s.GetUuid()) {
			if last := inbox[len(inbox)-1]; string(last.GetUuid()) != string(s.GetUuid()) {
				w.fail("task %s: %v comes again after %v", id, s.GetState(), last.GetState())
			}
			return
		}
	}
	if n := len(inbox); n > 0 && !w.acked[string(inbox[n-1].GetUuid())] {
		w.fail("task %s: %v comes before %v is acknowledged", id, s.GetState(), inbox[n-1].GetState())
	}
	if n := len(inbox); n > 0 && !mesos.MayFollow(inbox[n-1].GetState(), s.GetState()) {
		w.fail("task %s: %v comes after %v", id, s.GetState(), inbox[n-1].GetState())
	}
}

func (w *world) mustBeDurable(s *mesospb.TaskStatus) {
	if !w.durable[string(s.GetUuid())] {
		w.fail("update %v of task %s is told before it is durable", s.GetState(), s.GetTaskId().GetValue())
	}
}

// destroy: a container may go only when nobody needs its exit status any more.
func (w *world) destroy(id mesos.ContainerID) {
	x := w.agent.containers[id]
	if b := w.boxes[id]; b != nil && x != nil && x.task != nil && x.phase == ended && !x.task.framework.removing && !x.task.removed {
		if s := x.task.stream.Latest(); s == nil || !mesos.Terminal(s.GetState()) {
			w.fail("container %s is destroyed before its outcome is durable", id)
		}
	}
	w.doomed = append(w.doomed, id)
}

// write makes the oldest n pending checkpoints durable.
func (w *world) write(n int) []Effect {
	if n == 0 {
		return nil
	}
	last := w.pending[n-1].Seq
	for _, c := range w.pending[:n] {
		w.disk.Put(c.Records...)
		for _, r := range c.Records {
			for _, s := range r.GetProgress().GetPending() {
				w.durable[string(s.GetUuid())] = true
			}
		}
	}
	w.pending = w.pending[n:]
	return w.step(Checkpointed{Seq: last})
}

// connect opens a session.
func (w *world) connect() []Effect {
	w.session, w.seq = w.session+1, 0
	return w.step(Connecting{Session: w.session})
}

// deliver gives the agent the master's next event.
func (w *world) deliver(e *linkpb.Event) []Effect {
	w.seq++
	e.Seq = new(w.seq)
	for _, t := range e.GetRunGroup().GetTasks() {
		w.groups[t.GetTaskId().GetValue()] = len(e.GetRunGroup().GetTasks())
	}
	return w.step(Received{Session: w.session, Event: e})
}

func registeredEvent(id string) *linkpb.Event {
	return &linkpb.Event{Type: linkpb.Event_REGISTERED.Enum(), Registered: &linkpb.Registered{
		AgentId: &mesospb.AgentID{Value: &id}, PingTimeoutSeconds: new(15.0), MaxPingTimeouts: new(uint32(5)),
	}}
}

func ackEvent(fw string, s *mesospb.TaskStatus) *linkpb.Event {
	return &linkpb.Event{Type: linkpb.Event_ACKNOWLEDGE.Enum(), Acknowledge: &linkpb.Acknowledge{
		FrameworkId: &mesospb.FrameworkID{Value: &fw}, TaskId: s.GetTaskId(), Uuid: s.GetUuid(),
	}}
}

// ack is the scheduler's acknowledgement of an update.
func (w *world) ack(fw string, s *mesospb.TaskStatus) []Effect {
	w.acked[string(s.GetUuid())] = true
	return w.deliver(ackEvent(fw, s))
}

func runEvent(fw *mesospb.FrameworkInfo, task *mesospb.TaskInfo) *linkpb.Event {
	return &linkpb.Event{Type: linkpb.Event_RUN_TASK.Enum(), RunTask: &linkpb.RunTask{Framework: fw, Task: task}}
}

func runGroupEvent(fw *mesospb.FrameworkInfo, tasks []*mesospb.TaskInfo, launch bool) *linkpb.Event {
	return &linkpb.Event{Type: linkpb.Event_RUN_GROUP.Enum(), RunGroup: &linkpb.RunGroup{Framework: fw, Tasks: tasks, LaunchExecutor: &launch}}
}

func killEvent(fw, task string, grace *time.Duration) *linkpb.Event {
	k := &linkpb.KillTask{FrameworkId: &mesospb.FrameworkID{Value: &fw}, TaskId: &mesospb.TaskID{Value: &task}}
	if grace != nil {
		k.KillPolicy = &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: new(int64(*grace))}}
	}
	return &linkpb.Event{Type: linkpb.Event_KILL_TASK.Enum(), KillTask: k}
}

func shutdownFrameworkEvent(fw string) *linkpb.Event {
	return &linkpb.Event{Type: linkpb.Event_SHUTDOWN_FRAMEWORK.Enum(), ShutdownFramework: &linkpb.ShutdownFramework{FrameworkId: &mesospb.FrameworkID{Value: &fw}}}
}

func testFramework(id string, capabilities ...mesospb.FrameworkInfo_Capability_Type) *mesospb.FrameworkInfo {
	f := &mesospb.FrameworkInfo{User: new("root"), Name: &id, Id: &mesospb.FrameworkID{Value: &id}}
	for _, c := range capabilities {
		f.Capabilities = append(f.Capabilities, &mesospb.FrameworkInfo_Capability{Type: c.Enum()})
	}
	return f
}

func testTask(id string) *mesospb.TaskInfo {
	return &mesospb.TaskInfo{
		Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: new("S0")},
		Resources: []*mesospb.Resource{scalarResource("cpus", 1), scalarResource("mem", 64)},
		Command:   &mesospb.CommandInfo{Value: new("run me")},
	}
}

// container finds the container that a task has or had.
func (w *world) container(task string) mesos.ContainerID {
	for _, id := range slices.Sorted(maps.Keys(w.agent.containers)) {
		if c := w.agent.containers[id]; c.task != nil && string(c.task.id) == task || c.task == nil && string(c.executor.id) == task {
			return id
		}
	}
	return "unknown"
}

// name calls containers c1, c2, … in the order they are met.
func (w *world) name(id mesos.ContainerID) string {
	if outer, inner := id.Split(); outer != "" {
		return w.name(outer) + "." + w.name(inner)
	}
	if w.names[id] == "" {
		w.names[id] = fmt.Sprintf("c%d", len(w.names)+1)
	}
	return w.names[id]
}

// show prints an effect as traces have it.
func (w *world) show(e Effect) string {
	switch e := e.(type) {
	case Checkpoint:
		return "checkpoint " + strings.Join(showAll(e.Records, w.showRecord), ", ")
	case Launch:
		return fmt.Sprintf("launch %s for %s %+v", w.name(e.Run.Container), e.Run.Executor, e.Limits)
	case Probe:
		text := fmt.Sprintf("probe %s with %v", w.name(e.Run.Container), e.Timeout)
		if e.Target.Command != nil {
			return text + " " + e.Target.Command.GetValue()
		}
		return fmt.Sprintf("%s %s :%d %s", text, e.Target.Scheme, e.Target.Port, e.Target.Path)
	case Resize:
		return fmt.Sprintf("resize %s %+v", w.name(e.Container), e.Limits)
	case Reply:
		return strings.TrimSpace(fmt.Sprintf("reply %d %d %s", e.Stream, e.Code, e.Text))
	case Tell:
		return fmt.Sprintf("tell %d %s", e.Stream, showEvent(e.Event))
	case HangUp:
		return fmt.Sprintf("hang up %d", e.Stream)
	case Abort:
		return "abort " + w.name(e.Container)
	case Await:
		return "await " + w.name(e.Container)
	case SendSignal:
		return fmt.Sprintf("signal %s %v", w.name(e.Container), e.Signal)
	case Destroy:
		return "destroy " + w.name(e.Container)
	case Subscribe:
		text := fmt.Sprintf("subscribe %s %s", e.Subscribe.GetAgent().GetId().GetValue(), strings.Join(showAll(e.Subscribe.GetTasks(), showTask), " "))
		for _, x := range e.Subscribe.GetExecutors() {
			text += " " + x.GetInfo().GetExecutorId().GetValue()
		}
		return text
	case Send:
		return "send " + showMessage(e.Message)
	case Disconnect:
		return "disconnect: " + e.Why
	case CollectGarbage:
		return "collect sandbox of " + w.name(e.Run.Container)
	case Exit:
		return "exit: " + e.Why
	case Refused:
		return strings.TrimSpace(fmt.Sprintf("refused %s %s", e.What, e.ID)) + ": " + e.Why
	}
	return fmt.Sprintf("%T", e)
}

func showAll[T any](list []T, show func(T) string) []string {
	var out []string
	for _, x := range list {
		out = append(out, show(x))
	}
	return out
}

func (w *world) showRecord(r *checkpointpb.Record) string {
	text := r.Key()
	switch {
	case r.GetGone() && r.GetExecutor() != nil:
		return "executor in " + w.name(mesos.ContainerID(r.GetExecutor().GetContainerId().GetValue())) + " gone"
	case r.GetGone():
		return text + " gone"
	case r.GetTask() != nil && r.GetTask().ContainerId != nil:
		text += " in " + w.name(containerID(r.GetTask().GetContainerId()))
	case r.GetProgress() != nil:
		p := r.GetProgress()
		text += "(" + strings.Join(showAll(p.GetPending(), func(s *mesospb.TaskStatus) string { return short(s.GetState()) }), " ")
		if p.Acknowledged != nil {
			text += " after " + short(p.GetAcknowledged().GetState())
		}
		if p.Kill != nil {
			text += fmt.Sprintf(" kill %v in %v", p.GetKill().GetCause(), time.Duration(p.GetKill().GetGrace()))
		}
		if p.Limitation != nil {
			text += " beyond"
		}
		text += ")"
	case r.GetExecutor() != nil:
		x := r.GetExecutor()
		text = "executor/" + x.GetFrameworkId().GetValue() + "/" + x.GetInfo().GetExecutorId().GetValue() + " in " + w.name(mesos.ContainerID(x.GetContainerId().GetValue()))
		if x.Launched != nil {
			text += " launched"
		}
		if x.GetSubscribed() {
			text += " subscribed"
		}
		if x.GetEnding() {
			text += " ending"
		}
		if x.Limitation != nil {
			text += " beyond"
		}
	case r.GetFramework().GetRemoving():
		text += " removing"
	}
	return text
}

func showEvent(e *executorpb.Event) string {
	text := e.GetType().String()
	switch {
	case e.LaunchGroup != nil:
		text += " " + strings.Join(showAll(e.GetLaunchGroup().GetTaskGroup().GetTasks(), func(t *mesospb.TaskInfo) string { return t.GetTaskId().GetValue() }), " ")
	case e.Launch != nil:
		text += " " + e.GetLaunch().GetTask().GetTaskId().GetValue()
	case e.Kill != nil:
		text += " " + e.GetKill().GetTaskId().GetValue()
		if p := e.GetKill().GetKillPolicy(); p != nil {
			text += fmt.Sprintf(" in %v", time.Duration(p.GetGracePeriod().GetNanoseconds()))
		}
	case e.Acknowledged != nil:
		text += " " + e.GetAcknowledged().GetTaskId().GetValue()
	case e.Message != nil:
		text += " " + string(e.GetMessage().GetData())
	}
	return text
}

func showTask(t *linkpb.TaskState) string {
	text := t.GetInfo().GetTaskId().GetValue() + "="
	if t.Status == nil {
		return text + "STAGING"
	}
	return text + short(t.GetStatus().GetState())
}

func showMessage(m *linkpb.Message) string {
	u := m.GetStatusUpdate()
	if x := m.GetExecutorExited(); x != nil {
		return fmt.Sprintf("%d executor %s exited %d", m.GetSeq(), x.GetExecutorId().GetValue(), x.GetStatus())
	}
	if u == nil {
		return fmt.Sprintf("%d %v", m.GetSeq(), m.GetType())
	}
	s := u.GetStatus()
	text := fmt.Sprintf("%d %s %s", m.GetSeq(), s.GetTaskId().GetValue(), short(s.GetState()))
	if u.GetLatestState() != s.GetState() {
		text += " latest " + short(u.GetLatestState())
	}
	if s.Reason != nil {
		text += " " + s.GetReason().String()
	}
	if s.Healthy != nil {
		text += fmt.Sprintf(" healthy=%v", s.GetHealthy())
	}
	if c := s.GetCheckStatus(); c != nil {
		text += " check="
		if h := c.GetHttp(); h != nil && h.StatusCode != nil {
			text += fmt.Sprint(c.GetHttp().GetStatusCode())
		}
	}
	if s.Message != nil {
		text += fmt.Sprintf(" %q", s.GetMessage())
	}
	return text
}

// begun reports whether the container of x was seen running.
func (x *executor) begun() bool { return x.phase >= running }

func short(s mesospb.TaskState) string { return strings.TrimPrefix(s.String(), "TASK_") }

func must[T any](t *testing.T, x T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// testExecutor is one that framework fw brings.
func testExecutor(fw, id string) *mesospb.ExecutorInfo {
	return &mesospb.ExecutorInfo{
		ExecutorId: &mesospb.ExecutorID{Value: &id}, FrameworkId: &mesospb.FrameworkID{Value: &fw},
		Command: &mesospb.CommandInfo{Value: new("serve")}, Resources: []*mesospb.Resource{scalarResource("cpus", 0.5), scalarResource("mem", 64)},
	}
}

// defaultExecutor is the built-in one for groups.
func defaultExecutor(fw, id string) *mesospb.ExecutorInfo {
	x := testExecutor(fw, id)
	x.Type, x.Command = mesospb.ExecutorInfo_DEFAULT.Enum(), nil
	return x
}

func executorCall(fw, id string, kind executorpb.Call_Type) *executorpb.Call {
	return &executorpb.Call{
		FrameworkId: &mesospb.FrameworkID{Value: &fw}, ExecutorId: &mesospb.ExecutorID{Value: &id}, Type: kind.Enum(),
	}
}

// subscribe is an executor's SUBSCRIBE that has tasks and updates which nobody acknowledged.
func (w *world) subscribe(fw, id string, tasks []string, updates ...*mesospb.TaskStatus) []Effect {
	w.stream++
	call := executorCall(fw, id, executorpb.Call_SUBSCRIBE)
	call.Subscribe = &executorpb.Call_Subscribe{}
	for _, t := range tasks {
		call.Subscribe.UnacknowledgedTasks = append(call.Subscribe.UnacknowledgedTasks, testTask(t))
	}
	for _, u := range updates {
		call.Subscribe.UnacknowledgedUpdates = append(call.Subscribe.UnacknowledgedUpdates, &executorpb.Call_Update{Status: u})
	}
	return w.step(ExecutorSubscribed{Stream: w.stream, Call: call})
}

// says is an executor's update; the uuid is made of n.
func (w *world) says(fw, id, task string, state mesospb.TaskState, n byte) []Effect {
	w.stream++
	call := executorCall(fw, id, executorpb.Call_UPDATE)
	call.Update = &executorpb.Call_Update{Status: ownStatus(task, state, n)}
	return w.step(ExecutorCalled{Request: w.stream, Call: call})
}

func ownStatus(task string, state mesospb.TaskState, n byte) *mesospb.TaskStatus {
	return &mesospb.TaskStatus{
		TaskId: &mesospb.TaskID{Value: &task}, State: state.Enum(), Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(),
		Uuid: bytes.Repeat([]byte{n}, 16),
	}
}

// testHealthCheck runs a command every 2 seconds, from the first on.
func testHealthCheck(patience uint32) *mesospb.HealthCheck {
	return &mesospb.HealthCheck{
		Type: mesospb.HealthCheck_COMMAND.Enum(), Command: &mesospb.CommandInfo{Value: new("well?")},
		DelaySeconds: new(1.0), IntervalSeconds: new(2.0), TimeoutSeconds: new(5.0), GracePeriodSeconds: new(4.0), ConsecutiveFailures: &patience,
	}
}
