package core

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// TestNothingIsLost drives an agent through random events, with crashes after
// any part of what it wanted done, and then lets everything come to rest.
// world holds it to the rules on the way; at the end, each task whose record
// was ever durable must have ended with a terminal update that was acknowledged.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := testConfig()
		cfg.Rand = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		c := &chaos{world: newWorld(t, cfg), accepted: map[mesos.TaskID]bool{}, dropped: map[mesos.TaskID]bool{}}
		c.log = t.Logf
		actions := []func(*rapid.T){
			c.run, c.run, c.runGroup, c.kill, c.ackSome, c.ackSome, c.writeSome, c.writeSome, c.answerLaunch, c.answerLaunch,
			c.exit, c.exceed, c.finishDestroy, c.executorActs, c.executorActs, c.executorActs, c.answerProbe, c.answerProbe, c.reconnect, c.tick, c.crash, c.crashInside, c.shutdownFramework,
		}
		for range rapid.IntRange(5, 120).Draw(t, "steps") {
			rapid.SampledFrom(actions).Draw(t, "action")(t)
			c.note()
		}
		c.rest(t)
	})
}

// chaos is a world in which things happen at random.
type chaos struct {
	*world
	tasks    int
	said     byte                  // updates of executors
	accepted map[mesos.TaskID]bool // whose record was durable once
	dropped  map[mesos.TaskID]bool // whose framework was shut down
}

// note remembers which tasks are on disk.
func (c *chaos) note() {
	for _, r := range c.disk.Records() {
		if t := r.GetTask(); t != nil {
			c.accepted[mesos.TaskID(t.GetTaskId().GetValue())] = true
		}
	}
}

func (c *chaos) online() bool { return c.agent.session.registered && !c.agent.session.broken }

func (c *chaos) run(t *rapid.T) {
	if !c.online() {
		return
	}
	c.tasks++
	task := testTask(fmt.Sprintf("t%d", c.tasks))
	if rapid.IntRange(0, 9).Draw(t, "refusable") == 0 {
		task.Command = nil
	}
	if rapid.Bool().Draw(t, "checked") {
		task.HealthCheck = testHealthCheck(2)
		task.Check = &mesospb.CheckInfo{Type: mesospb.CheckInfo_COMMAND.Enum(), Command: &mesospb.CheckInfo_Command{Command: &mesospb.CommandInfo{}}}
	}
	if rapid.Bool().Draw(t, "limited") {
		task.MaxCompletionTime = &mesospb.DurationInfo{Nanoseconds: new(int64(20 * time.Second))}
	}
	fw := testFramework(rapid.SampledFrom([]string{"f1", "f2"}).Draw(t, "framework"),
		mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE, mesospb.FrameworkInfo_Capability_PARTITION_AWARE)
	ev := runEvent(fw, task)
	if id := rapid.SampledFrom([]string{"", "e1", "e2"}).Draw(t, "executor"); id != "" {
		task.Command, task.Executor = nil, testExecutor(fw.GetName(), id)
		ev.RunTask.LaunchExecutor = new(rapid.IntRange(0, 4).Draw(t, "known") > 0)
	}
	c.deliver(ev)
}

// runGroup runs some tasks that belong together.
func (c *chaos) runGroup(t *rapid.T) {
	if !c.online() {
		return
	}
	fw := testFramework(rapid.SampledFrom([]string{"f1", "f2"}).Draw(t, "framework"), mesospb.FrameworkInfo_Capability_PARTITION_AWARE)
	executor := testExecutor(fw.GetName(), rapid.SampledFrom([]string{"e1", "e2"}).Draw(t, "executor"))
	if rapid.IntRange(0, 2).Draw(t, "default") > 0 {
		executor = defaultExecutor(fw.GetName(), rapid.SampledFrom([]string{"d1", "d2"}).Draw(t, "executor"))
	}
	var tasks []*mesospb.TaskInfo
	for range rapid.IntRange(1, 3).Draw(t, "tasks") {
		c.tasks++
		task := testTask(fmt.Sprintf("t%d", c.tasks))
		task.Executor = executor
		if rapid.Bool().Draw(t, "checked") {
			task.HealthCheck = testHealthCheck(2)
		}
		if rapid.IntRange(0, 4).Draw(t, "limited") == 0 {
			task.MaxCompletionTime = &mesospb.DurationInfo{Nanoseconds: new(int64(20 * time.Second))}
		}
		tasks = append(tasks, task)
	}
	if rapid.IntRange(0, 9).Draw(t, "refusable") == 0 {
		tasks[len(tasks)-1].Resources = []*mesospb.Resource{scalarResource("gpus", 1)}
	}
	c.deliver(runGroupEvent(fw, tasks, rapid.IntRange(0, 4).Draw(t, "known") > 0))
}

// answerProbe tells the outcome of an attempt, perhaps of one that nobody waits for any more.
func (c *chaos) answerProbe(t *rapid.T) {
	if len(c.probes) == 0 {
		return
	}
	p := c.probes[0]
	c.probes = c.probes[1:]
	c.step(Probed{Container: p.Run.Container, Number: p.Number, Outcome: Outcome{
		Done: rapid.Bool().Draw(t, "done"), Exit: int32(rapid.IntRange(0, 1).Draw(t, "exit")),
	}})
}

// executorActs lets a framework's own executor do one of the things that it may.
func (c *chaos) executorActs(t *rapid.T) {
	var own []*executor
	for _, id := range slices.Sorted(maps.Keys(c.agent.containers)) {
		if x, b := c.agent.containers[id].executor, c.boxes[id]; x.own != nil && !x.own.builtIn() && b != nil && b.running {
			own = append(own, x)
		}
	}
	if len(own) == 0 {
		return
	}
	x := rapid.SampledFrom(own).Draw(t, "own executor")
	fw, id := string(x.framework.id), string(x.id)
	var has []string
	for _, task := range x.live() {
		if task.sent {
			has = append(has, string(task.id))
		}
	}
	c.said++
	switch rapid.IntRange(0, 4).Draw(t, "act") {
	case 0:
		c.subscribe(fw, id, has[:rapid.IntRange(0, len(has)).Draw(t, "has")])
	case 1:
		if x.own.stream != 0 {
			delete(c.streams, x.own.stream)
			c.step(ExecutorDisconnected{Stream: x.own.stream})
		}
	default:
		if len(has) == 0 || x.own.stream == 0 {
			return
		}
		state := rapid.SampledFrom([]mesospb.TaskState{
			mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_LOST,
		}).Draw(t, "state")
		c.says(fw, id, rapid.SampledFrom(has).Draw(t, "of"), state, c.said)
	}
}

func (c *chaos) kill(t *rapid.T) {
	if x := c.anyTask(t); x != nil && c.online() {
		grace := time.Duration(rapid.IntRange(0, 5).Draw(t, "grace")) * time.Second
		c.deliver(killEvent(string(x.framework.id), string(x.id), &grace))
	}
}

func (c *chaos) anyTask(t *rapid.T) *task {
	all := slices.Collect(c.agent.tasks())
	if len(all) == 0 {
		return nil
	}
	return rapid.SampledFrom(all).Draw(t, "task")
}

func (c *chaos) ackSome(t *rapid.T) {
	if x := c.anyTask(t); x != nil && c.online() {
		if inbox := c.inbox[x.id]; len(inbox) > 0 {
			c.ack(string(x.framework.id), rapid.SampledFrom(inbox).Draw(t, "update"))
		}
	}
}

func (c *chaos) writeSome(t *rapid.T) {
	c.write(rapid.IntRange(0, len(c.pending)).Draw(t, "written"))
}

func (c *chaos) anyBox(t *rapid.T, want func(*box) bool) mesos.ContainerID {
	var ids []mesos.ContainerID
	for _, id := range slices.Sorted(maps.Keys(c.boxes)) {
		if want(c.boxes[id]) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return rapid.SampledFrom(ids).Draw(t, "container")
}

func (c *chaos) answerLaunch(t *rapid.T) {
	id := c.anyBox(t, func(b *box) bool { return b.asked })
	if id == "" {
		return
	}
	outer, _ := id.Split()
	if rapid.IntRange(0, 4).Draw(t, "fails") == 0 || outer != "" && (c.boxes[outer] == nil || !c.boxes[outer].running) {
		delete(c.boxes, id)
		c.step(LaunchFailed{Container: id, Why: "it does"})
		return
	}
	c.boxes[id].asked, c.boxes[id].running, c.boxes[id].awaited = false, true, true
	c.step(Launched{Container: id, PID: 7})
}

// exit ends a running container, or tells the end of one that is awaited.
func (c *chaos) exit(t *rapid.T) {
	id := c.anyBox(t, func(b *box) bool { return b.awaited })
	if id == "" {
		return
	}
	b := c.boxes[id]
	if b.running {
		c.end(id, End{Known: true, Exit: rapid.IntRange(0, 1).Draw(t, "status"), OOM: rapid.IntRange(0, 9).Draw(t, "greedy") == 0})
	}
	b.awaited = false
	c.step(Exited{Container: id, End: b.end})
}

// exceed finds a container beyond its disk.
func (c *chaos) exceed(t *rapid.T) {
	if id := c.anyBox(t, func(b *box) bool { return b.running }); id != "" {
		c.step(Exceeded{Container: id, Reason: mesospb.TaskStatus_REASON_CONTAINER_LIMITATION_DISK, Why: "too much"})
	}
}

func (c *chaos) finishDestroy(t *rapid.T) {
	if len(c.doomed) == 0 {
		return
	}
	id := c.doomed[0]
	c.doomed = c.doomed[1:]
	switch b := c.boxes[id]; {
	case b != nil && b.running: // by force
		c.end(id, End{Known: true, Signal: "Killed"})
	case b != nil && b.awaited: // its end is still to be told
	default:
		delete(c.boxes, id)
	}
	c.step(Destroyed{Container: id})
}

func (c *chaos) reconnect(t *rapid.T) {
	if rapid.Bool().Draw(t, "lost first") && c.agent.session.id != 0 {
		c.step(Disconnected{Session: c.session})
		return
	}
	c.connect()
	c.deliver(registeredEvent("S0"))
}

func (c *chaos) tick(t *rapid.T) {
	if at, ok := c.agent.Deadline(); ok && rapid.Bool().Draw(t, "just in time") {
		if at.After(c.now) {
			c.now = at
		}
		if effects := c.step(Tick{}); len(effects) == 0 {
			t.Fatalf("a tick at the deadline %v does nothing", at)
		}
		return
	}
	c.now = c.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "seconds")) * time.Second)
	c.step(Tick{})
}

// crash starts the agent anew: some of what was being written may be on disk,
// and some of the launches under way may have come to be.
func (c *chaos) crash(t *rapid.T) {
	written := rapid.IntRange(0, len(c.pending)).Draw(t, "written")
	for _, p := range c.pending[:written] {
		c.disk.Put(p.Records...)
		for _, r := range p.Records {
			for _, s := range r.GetProgress().GetPending() {
				c.durable[string(s.GetUuid())] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.boxes)) {
		if b := c.boxes[id]; b.asked && rapid.Bool().Draw(t, "started") {
			b.asked, b.running = false, true
		}
	}
	c.note()
	c.boot(rapid.IntRange(0, 4).Draw(t, "rebooted") == 0)
}

// crashInside crashes after the first few effects of an event.
func (c *chaos) crashInside(t *rapid.T) {
	c.budget = new(rapid.IntRange(0, 3).Draw(t, "effects"))
	rapid.SampledFrom([]func(*rapid.T){c.run, c.runGroup, c.kill, c.ackSome, c.writeSome, c.answerLaunch, c.exit, c.tick}).Draw(t, "interrupted")(t)
	c.budget = nil
	c.crash(t)
}

func (c *chaos) shutdownFramework(t *rapid.T) {
	if !c.online() || rapid.IntRange(0, 3).Draw(t, "really") != 0 {
		return
	}
	id := rapid.SampledFrom([]string{"f1", "f2"}).Draw(t, "framework")
	if f := c.agent.framework(mesos.FrameworkID(id)); f != nil {
		for _, x := range f.tasks {
			c.dropped[x.id] = true
		}
		c.deliver(shutdownFrameworkEvent(id))
	}
}

// rest lets everything under way come to its end, and then looks at what is left.
func (c *chaos) rest(t *rapid.T) {
	for round := 0; ; round++ {
		if round > 200 {
			t.Fatalf("the agent does not come to rest: %d frameworks, %d containers, %d checkpoints under way",
				len(c.agent.frameworks), len(c.agent.containers), len(c.pending))
		}
		if !c.online() {
			c.connect()
			c.deliver(registeredEvent("S0"))
		}
		c.write(len(c.pending))
		c.answerLaunch(t)
		c.exit(t)
		c.finishDestroy(t)
		for _, x := range slices.Collect(c.agent.tasks()) {
			if inbox := c.inbox[x.id]; len(inbox) > 0 {
				c.ack(string(x.framework.id), inbox[len(inbox)-1])
			}
		}
		c.note()
		if len(c.agent.frameworks) == 0 && len(c.pending) == 0 {
			break
		}
	}
	for id := range c.accepted {
		inbox := c.inbox[id]
		switch {
		case c.dropped[id]:
		case len(inbox) == 0:
			t.Errorf("task %s was accepted and nothing was ever heard of it", id)
		case !mesos.Terminal(inbox[len(inbox)-1].GetState()):
			t.Errorf("task %s was last heard of as %v", id, inbox[len(inbox)-1].GetState())
		}
	}
	if n := c.disk.Len(); n > 1 {
		t.Errorf("%d records are left: %v", n, c.disk.Records())
	}
}
