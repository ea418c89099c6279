package simulation

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"

	agentcore "github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// An executor is the process that a framework brought, in its container. It
// subscribes at its agent, runs tasks within itself, and tells again after each
// subscription what was not acknowledged. It does not end with its agent's
// process; some end by themselves when they have nothing to do.
type executor struct {
	a       *agentNode
	k       *container
	info    *mesospb.ExecutorInfo
	hash    uint32
	stream  agentcore.Stream // 0: it is not subscribed
	asking  agentcore.Stream // its SUBSCRIBE is under way
	life    int              // of the agent's process that it is subscribed at
	down    pipe
	up      pipe
	tasks   []*job
	unheard []*mesospb.TaskStatus // updates that were not acknowledged
	updates uint64
	ending  bool
}

// A job is a task within an executor.
type job struct {
	info *mesospb.TaskInfo
	over bool
}

// newExecutor begins one. Some are so slow to subscribe that their agent gives
// them up, and some never do.
func newExecutor(a *agentNode, k *container, info *mesospb.ExecutorInfo) *executor {
	h := fnv.New32a()
	h.Write([]byte(k.id))
	x := &executor{a: a, k: k, info: info, hash: h.Sum32()}
	switch {
	case x.hash%23 == 0:
	case x.hash%23 == 1:
		a.c.after(a.c.upTo(2*registrationTimeout), x.subscribe)
	default:
		a.c.after(a.c.delay(), x.subscribe)
	}
	return x
}

// runs reports whether the process is there.
func (x *executor) runs() bool { return x.k.running }

// connected reports whether it is subscribed at the agent's process of now.
func (x *executor) connected() bool { return x.stream != 0 && x.a.alive(x.life) }

// running lists the tasks that are under way.
func (x *executor) running() (keys []taskKey) {
	for _, j := range x.tasks {
		if !j.over {
			keys = append(keys, x.key(j))
		}
	}
	return keys
}

func (x *executor) key(j *job) taskKey {
	return taskKey{x.k.task.framework, mesos.TaskID(j.info.GetTaskId().GetValue())}
}

// subscribe asks until the agent takes it in.
func (x *executor) subscribe() {
	if !x.runs() || x.connected() {
		return
	}
	x.stream = 0
	x.a.c.after(x.a.c.upTo(3*time.Second), x.subscribe)
	if !x.a.up || x.asking != 0 && x.a.alive(x.life) {
		return
	}
	call := x.call(executorpb.Call_SUBSCRIBE)
	call.Subscribe = &executorpb.Call_Subscribe{}
	for _, j := range x.tasks {
		if !j.over || slices.ContainsFunc(x.unheard, func(s *mesospb.TaskStatus) bool { return s.GetTaskId().GetValue() == j.info.GetTaskId().GetValue() }) {
			call.Subscribe.UnacknowledgedTasks = append(call.Subscribe.UnacknowledgedTasks, j.info)
		}
	}
	for _, s := range x.unheard {
		call.Subscribe.UnacknowledgedUpdates = append(call.Subscribe.UnacknowledgedUpdates, &executorpb.Call_Update{Status: s})
	}
	x.life = x.a.life
	x.asking = x.a.mint(x)
	x.a.tell(agentcore.ExecutorSubscribed{Stream: x.asking, Call: call})
}

func (x *executor) call(t executorpb.Call_Type) *executorpb.Call {
	return &executorpb.Call{
		Type: t.Enum(), ExecutorId: x.info.GetExecutorId(), FrameworkId: &mesospb.FrameworkID{Value: new(string(x.k.task.framework))},
	}
}

// answered takes in what the agent says to a call. A refused executor has nothing to live for.
func (x *executor) answered(r agentcore.Reply) {
	switch {
	case r.Stream != x.asking:
	case r.Code == 200:
		x.stream, x.asking = r.Stream, 0
	default:
		x.asking = 0
		x.exit(agentcore.End{Known: true, Exit: 1})
	}
}

// told gets an event, after those before it.
func (x *executor) told(stream agentcore.Stream, e *executorpb.Event) {
	life := x.a.life
	x.down.push(x.a.c, false, func() {
		if x.runs() && x.stream == stream && x.a.alive(life) {
			x.heard(e)
		}
	})
}

func (x *executor) heard(e *executorpb.Event) {
	x.a.c.trace("executor %s <- %v", x.k.id, e.GetType())
	switch e.GetType() {
	case executorpb.Event_LAUNCH:
		x.launch(e.GetLaunch().GetTask())
	case executorpb.Event_LAUNCH_GROUP:
		x.launchGroup(e.GetLaunchGroup().GetTaskGroup().GetTasks())
	case executorpb.Event_KILL:
		x.end(e.GetKill().GetTaskId().GetValue(), mesospb.TaskState_TASK_KILLED)
	case executorpb.Event_ACKNOWLEDGED:
		x.unheard = slices.DeleteFunc(x.unheard, func(s *mesospb.TaskStatus) bool { return string(s.GetUuid()) == string(e.GetAcknowledged().GetUuid()) })
	case executorpb.Event_SHUTDOWN:
		x.shutDown()
	}
}

// hungUp is the end of its stream.
func (x *executor) hungUp(stream agentcore.Stream) {
	if x.stream == stream {
		x.stream = 0
		x.a.c.after(x.a.c.delay(), x.subscribe)
	}
}

// launchGroup gets all that are left of a group at once.
func (x *executor) launchGroup(tasks []*mesospb.TaskInfo) {
	x.a.c.result[Groups]++
	for _, t := range tasks {
		x.launch(t)
	}
}

// launch is the moment that must not come twice for a task.
func (x *executor) launch(t *mesospb.TaskInfo) {
	j := &job{info: t}
	x.a.c.launch(x.key(j))
	x.tasks = append(x.tasks, j)
	x.update(t.GetTaskId().GetValue(), mesospb.TaskState_TASK_RUNNING)
	h := fnv.New32a()
	h.Write([]byte(t.GetTaskId().GetValue()))
	life, exit := x.a.c.lifeOf(x.key(j), h.Sum32())
	if life == 0 {
		return
	}
	state := mesospb.TaskState_TASK_FINISHED
	if exit != 0 {
		state = mesospb.TaskState_TASK_FAILED
	}
	x.a.c.after(life, func() { x.end(t.GetTaskId().GetValue(), state) })
}

// end ends a task, once.
func (x *executor) end(task string, state mesospb.TaskState) {
	for _, j := range x.tasks {
		if x.runs() && !j.over && j.info.GetTaskId().GetValue() == task {
			j.over = true
			x.update(task, state)
		}
	}
	if x.hash%3 == 0 && len(x.running()) == 0 {
		x.a.c.after(x.a.c.upTo(20*time.Second), x.retire)
	}
}

// retire ends an executor that has nothing to do, and that everything is known of.
func (x *executor) retire() {
	if x.runs() && len(x.running()) == 0 && len(x.unheard) == 0 {
		x.exit(agentcore.End{Known: true})
	}
}

// shutDown ends its tasks, says so, and is gone a moment later.
func (x *executor) shutDown() {
	if x.ending {
		return
	}
	x.ending = true
	for _, key := range x.running() {
		x.end(string(key.task), mesospb.TaskState_TASK_KILLED)
	}
	x.a.c.after(x.a.c.upTo(time.Second), func() { x.exit(agentcore.End{Known: true}) })
}

func (x *executor) exit(end agentcore.End) { x.a.exit(x.k, end) }

// update tells the agent, and keeps what it told until that is acknowledged.
func (x *executor) update(task string, state mesospb.TaskState) {
	x.updates++
	s := &mesospb.TaskStatus{
		TaskId: &mesospb.TaskID{Value: &task}, State: state.Enum(), Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(), Uuid: x.uuid(),
	}
	x.unheard = append(x.unheard, s)
	if !x.connected() {
		return
	}
	call := x.call(executorpb.Call_UPDATE)
	call.Update = &executorpb.Call_Update{Status: s}
	life, request := x.a.life, x.a.mint(x)
	x.up.push(x.a.c, false, func() {
		if x.a.alive(life) {
			x.a.step(agentcore.ExecutorCalled{Request: request, Call: call})
		}
	})
}

// uuid is made of the container's id and a number.
func (x *executor) uuid() []byte {
	u := make([]byte, 16)
	copy(u, x.k.id)
	binary.BigEndian.PutUint64(u[8:], x.updates)
	return u
}
