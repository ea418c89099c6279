package simulation

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	agentcore "github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/proto/mesos"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

type taskKey struct {
	framework mesos.FrameworkID
	task      mesos.TaskID
}

// A container is what the machine runs; it does not notice its agent's crashes.
type container struct {
	id      mesos.ContainerID
	agent   string // id of the one it was launched by
	task    taskKey
	running bool
	end     agentcore.End
	watched int // life of the agent that waits for it; 0: none
	shy     bool
	process *executor // nil: its one task
}

// tasks lists what runs in it.
func (k *container) tasks() []taskKey {
	switch {
	case !k.running:
		return nil
	case k.process != nil:
		return k.process.running()
	}
	return []taskKey{k.task}
}

// A write is a checkpoint on its way to the disk.
type write struct {
	seq     uint64
	records []*checkpointpb.Record
}

// An agentNode is a machine: an agent's core, a disk and containers.
type agentNode struct {
	process
	address  string
	core     *agentcore.Agent
	leader   *masterNode // as far as it has heard
	link     *link
	seq      agentcore.Session
	isolated bool // no master can be reached
	full     bool // its disk takes nothing
	rebooted bool // this life began with the machine's

	disk       checkpointpb.Table
	writes     []write
	containers []*container
	launching  []*agentcore.Launch
	folders    []string                       // of persistent volumes, sorted
	callers    map[agentcore.Stream]*executor // of this life
}

func newAgentNode(c *Cluster, i int) *agentNode {
	return &agentNode{process: process{c: c, name: fmt.Sprintf("agent%d", i)}, address: fmt.Sprintf("10.0.0.%d:5051", i+1)}
}

// host is the name of the machine.
func (a *agentNode) host() string { return strings.TrimSuffix(a.address, ":5051") }

// id is the one its disk holds, "" if it has none.
func (a *agentNode) id() string {
	for _, r := range a.disk.Records() {
		if r.Agent != nil {
			return r.GetAgent().GetInfo().GetId().GetValue()
		}
	}
	return ""
}

func (a *agentNode) info() *mesospb.AgentInfo {
	scalar := func(name string, v float64) *mesospb.Resource {
		return &mesospb.Resource{Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &v}}
	}
	return &mesospb.AgentInfo{
		Hostname: new(a.host()),
		Port:     new(int32(5051)),
		Resources: []*mesospb.Resource{
			scalar("cpus", 4), scalar("mem", 4096), scalar("disk", 10000),
			{
				Name: new("ports"), Type: mesospb.Value_RANGES.Enum(),
				Ranges: &mesospb.Value_Ranges{Range: []*mesospb.Value_Range{{Begin: new(uint64(31000)), End: new(uint64(31099))}}},
			},
		},
	}
}

// How long executors have to subscribe.
const (
	registrationTimeout   = 20 * time.Second
	reregistrationTimeout = 5 * time.Second
)

// start begins a life of the agent process from what the disk holds.
func (a *agentNode) start() { a.startAfter(false) }

func (a *agentNode) startAfter(rebooted bool) {
	if a.up {
		return
	}
	a.begin()
	a.rebooted = rebooted
	a.core = agentcore.New(agentcore.Config{
		Info: a.info(), Version: "1.11.0", Boot: fmt.Sprintf("%s-%d", a.name, a.life),
		IP: a.host(), Rand: rand.New(rand.NewPCG(a.c.rng.Uint64(), 1)), Limited: true,
		Registration: registrationTimeout, Reregistration: reregistrationTimeout,
	})
	a.callers = make(map[agentcore.Stream]*executor)
	records := a.disk.Records()
	for i, r := range records {
		records[i] = clone(a.c, r)
	}
	known := make(map[mesos.ContainerID]bool)
	for _, id := range agentcore.Containers(records) {
		known[id] = true
	}
	var alive []mesos.ContainerID
	for _, k := range slices.Clone(a.containers) {
		switch {
		case !known[k.id]: // an orphan: destroyed by the containerizer's recovery
			a.remove(k)
		case k.running:
			alive = append(alive, k.id)
		}
	}
	a.step(agentcore.Recovered{Records: records, Alive: alive, Rebooted: rebooted})
	a.reconnect()
}

// store keeps records as they are now.
func (a *agentNode) store(records []*checkpointpb.Record) {
	if a.c.forgets(forgetfulAgent) {
		return
	}
	for _, r := range records {
		a.disk.Put(clone(a.c, r))
	}
}

// crash ends the process; with reboot the machine and its containers too.
func (a *agentNode) crash(reboot bool) {
	if !a.up {
		return
	}
	a.c.trace("%s crashes, reboot=%v", a.name, reboot)
	if reboot {
		a.c.result[Reboots]++
	}
	for _, w := range a.writes[:a.c.rng.IntN(len(a.writes)+1)] {
		if a.full {
			break
		}
		a.store(w.records)
	}
	a.end(reboot)
	a.c.after(a.c.upTo(15*time.Second), func() { a.startAfter(reboot) })
}

// end is the end of a life; only what was durable remains.
func (a *agentNode) end(reboot bool) {
	a.c.result[Crashes]++
	a.up = false
	a.writes = nil
	for _, l := range a.launching { // helpers on their way: started, or never
		if !reboot && a.c.rng.IntN(2) == 0 {
			a.run(l)
		}
	}
	a.launching = nil
	for _, k := range a.containers {
		if x := k.process; x != nil {
			a.c.after(a.c.delay(), x.subscribe)
		}
	}
	if reboot {
		for _, k := range a.containers {
			k.running = false
		}
		a.containers = nil
	}
	if a.link != nil {
		a.c.cutLink(a.link)
		a.link = nil
	}
}

// follow leaves a master that leads no longer.
func (a *agentNode) follow(leader contender) {
	a.leader = masterOf(leader)
	switch l := a.link; {
	case l == nil:
		a.reconnect()
	case l.master != a.leader:
		a.c.hangUp(l)
	}
}

// reconnect subscribes in a moment.
func (a *agentNode) reconnect() {
	a.later(a.c.upTo(2*time.Second), func() {
		switch {
		case a.link != nil || a.leader == nil:
		case a.isolated:
			a.reconnect()
		default:
			a.seq++
			a.step(agentcore.Connecting{Session: a.seq})
		}
	})
}

func (a *agentNode) step(ev agentcore.Event) {
	if !a.up || a.c.failed != nil {
		return
	}
	c, life := a.c, a.life
	c.traceEvent(a.name, ev)
	effects := a.core.Step(a.now(), ev)
	if c.examine() {
		if err := a.core.Check(); err != nil {
			c.violate("%s: %v after %s", a.name, err, describe(ev))
			return
		}
	}
	for _, e := range effects {
		if a.crashing(1) {
			a.crash(false)
		}
		if !a.alive(life) {
			return
		}
		c.traceEffect(a.name, e)
		a.perform(e)
	}
	at, ok := a.core.Deadline()
	a.arm(at, ok, func() { a.step(agentcore.Tick{}) })
}

func (a *agentNode) perform(e agentcore.Effect) {
	switch e := e.(type) {
	case agentcore.Checkpoint:
		a.checkpoint(e)
	case agentcore.Launch:
		a.launch(&e)
	case agentcore.Await:
		if k := a.find(e.Container); k != nil {
			a.watch(k)
		} else {
			a.tell(agentcore.Exited{Container: e.Container, End: agentcore.End{Rebooted: a.rebooted}})
		}
	case agentcore.SendSignal:
		a.signal(e)
	case agentcore.Destroy:
		a.destroy(e.Container)
	case agentcore.Abort:
		a.abort(e.Container)
	case agentcore.PrepareVolumes:
		a.prepare(e)
	case agentcore.Reply:
		a.callers[e.Stream].answered(e)
	case agentcore.Tell:
		a.callers[e.Stream].told(e.Stream, e.Event)
	case agentcore.HangUp:
		a.callers[e.Stream].hungUp(e.Stream)
	case agentcore.Subscribe:
		a.subscribe(e)
	case agentcore.Send:
		if a.link != nil && a.link.ofAgent == e.Session {
			a.c.toMaster(a.link, clone(a.c, e.Message))
		}
	case agentcore.Disconnect:
		a.disconnect(e.Session)
	case agentcore.Exit:
		a.leave(e.Why)
	}
}

func (a *agentNode) disconnect(id agentcore.Session) {
	if a.link != nil && a.link.ofAgent == id {
		a.c.hangUp(a.link)
		return
	}
	a.tell(agentcore.Disconnected{Session: id})
	a.reconnect()
}

func (a *agentNode) subscribe(e agentcore.Subscribe) {
	if a.leader == nil || a.isolated {
		a.tell(agentcore.Disconnected{Session: e.Session})
		a.reconnect()
		return
	}
	a.c.dial(a, a.leader, e.Session, e.Subscribe)
}

// leave ends an agent whose id is worth nothing any more; its machine is set up
// again later. That is for an operator to ask.
func (a *agentNode) leave(why string) {
	if !strings.Contains(why, "marked gone") && !strings.Contains(why, "Machine is DOWN") {
		a.c.violate("%s leaves for good: %s", a.name, why)
		return
	}
	for _, k := range a.containers {
		if k.running {
			a.c.violate("%s leaves container %s behind", a.name, k.id)
		}
	}
	a.c.trace("%s leaves: %s", a.name, why)
	a.end(false)
	a.c.after(a.c.upTo(15*time.Second), a.start)
}

// tell steps ev in a moment, in this life only.
func (a *agentNode) tell(ev agentcore.Event) { a.soon(func() { a.step(ev) }) }

// checkpoint writes in order.
func (a *agentNode) checkpoint(e agentcore.Checkpoint) {
	a.writes = append(a.writes, write{e.Seq, e.Records})
	a.soon(func() {
		if len(a.writes) == 0 {
			return
		}
		if a.full {
			a.c.result[FullDisks]++
			a.crash(false)
			return
		}
		w := a.writes[0]
		a.writes = a.writes[1:]
		a.store(w.records)
		a.step(agentcore.Checkpointed{Seq: w.seq})
	})
}

func (a *agentNode) launch(e *agentcore.Launch) {
	a.launching = append(a.launching, e)
	life := a.life
	a.c.after(a.c.delay(), func() {
		if !a.alive(life) || !slices.Contains(a.launching, e) {
			return
		}
		a.launching = slices.DeleteFunc(a.launching, func(l *agentcore.Launch) bool { return l == e })
		if a.c.chance(a.c.faults.LaunchFails) {
			a.c.result[FailedLaunches]++
			a.step(agentcore.LaunchFailed{Container: e.Run.Container, Why: "the simulation says so"})
			return
		}
		k := a.run(e)
		a.step(agentcore.Launched{Container: k.id, PID: 42})
		a.watch(k)
	})
}

// run starts a container.
func (a *agentNode) run(e *agentcore.Launch) *container {
	a.c.result[Launches]++
	k := &container{id: e.Run.Container, agent: string(e.Run.Agent), task: taskKey{framework: e.Run.Framework}, running: true}
	a.containers = append(a.containers, k)
	if e.Executor != nil {
		a.c.result[Executors]++
		k.process = newExecutor(a, k, e.Executor)
		return k
	}
	k.task.task = mesos.TaskID(e.Task.GetTaskId().GetValue())
	a.c.launch(k.task)
	h := fnv.New32a()
	h.Write([]byte(k.task.task))
	k.shy = h.Sum32()%5 == 0
	life, exit := a.c.lifeOf(k.task, h.Sum32())
	if life > 0 {
		a.c.after(life, func() { a.exit(k, agentcore.End{Known: true, Exit: exit}) })
	}
	a.c.begun(k)
	return k
}

// launch notes the moment that must not come twice for a task.
func (c *Cluster) launch(key taskKey) {
	if c.launched[key] {
		c.violate("task %v was launched twice", key)
	}
	c.launched[key] = true
}

// mint names a call of an executor, or its subscription.
func (a *agentNode) mint(x *executor) agentcore.Stream {
	a.c.requests++
	s := agentcore.Stream(a.c.requests)
	a.callers[s] = x
	return s
}

// exit ends a container, once.
func (a *agentNode) exit(k *container, end agentcore.End) {
	if !k.running || !slices.Contains(a.containers, k) {
		return
	}
	k.running, k.end = false, end
	a.report(k)
}

func (a *agentNode) watch(k *container) {
	if k.watched == a.life {
		return
	}
	k.watched = a.life
	if !k.running {
		a.report(k)
	}
}

func (a *agentNode) report(k *container) {
	if a.alive(k.watched) {
		a.tell(agentcore.Exited{Container: k.id, End: k.end})
	}
}

func (a *agentNode) find(id mesos.ContainerID) *container {
	for _, k := range a.containers {
		if k.id == id {
			return k
		}
	}
	return nil
}

func (a *agentNode) remove(k *container) {
	a.containers = slices.DeleteFunc(a.containers, func(other *container) bool { return other == k })
}

func (a *agentNode) signal(e agentcore.SendSignal) {
	k := a.find(e.Container)
	if k == nil || e.Signal == agentcore.Terminate && k.shy {
		return
	}
	word := map[agentcore.Signal]string{agentcore.Terminate: "Terminated", agentcore.Kill: "Killed"}[e.Signal]
	a.c.after(a.c.delay(), func() { a.exit(k, agentcore.End{Known: true, Signal: word}) })
}

// abort comes too late for some.
func (a *agentNode) abort(id mesos.ContainerID) {
	i := slices.IndexFunc(a.launching, func(l *agentcore.Launch) bool { return l.Run.Container == id })
	if i < 0 || a.c.rng.IntN(2) == 0 {
		return
	}
	a.launching = slices.Delete(slices.Clone(a.launching), i, i+1)
	a.c.result[Aborts]++
	a.tell(agentcore.LaunchFailed{Container: id, Why: "nobody wants it any more"})
}

// prepare makes or removes folders, all or none. Who dies meanwhile may have done
// it; then the next life finds nothing left to do, and nothing that could fail.
func (a *agentNode) prepare(e agentcore.PrepareVolumes) {
	life := a.life
	a.c.after(a.c.delay(), func() {
		if !a.alive(life) && a.c.rng.IntN(2) == 0 {
			return
		}
		why := ""
		if !a.arranged(e) && a.c.chance(a.c.faults.VolumeFails) {
			why = "the simulation says so"
			a.c.result[FailedVolumes]++
		} else {
			a.arrange(e)
		}
		if a.alive(life) {
			a.step(agentcore.VolumesPrepared{Operation: e.Operation, Why: why})
		}
	})
}

// arranged says whether all folders are as e wants them.
func (a *agentNode) arranged(e agentcore.PrepareVolumes) bool {
	for _, v := range e.Create {
		if !slices.Contains(a.folders, v.Disk.Persistence) {
			return false
		}
	}
	for _, v := range e.Remove {
		if slices.Contains(a.folders, v.Disk.Persistence) {
			return false
		}
	}
	return true
}

func (a *agentNode) arrange(e agentcore.PrepareVolumes) {
	a.c.result[Volumes]++
	for _, v := range e.Create {
		if i, found := slices.BinarySearch(a.folders, v.Disk.Persistence); !found {
			a.folders = slices.Insert(a.folders, i, v.Disk.Persistence)
		}
	}
	for _, v := range e.Remove {
		if i, found := slices.BinarySearch(a.folders, v.Disk.Persistence); found {
			a.folders = slices.Delete(a.folders, i, i+1)
		}
	}
}

func (a *agentNode) destroy(id mesos.ContainerID) {
	life := a.life
	a.c.after(a.c.delay(), func() {
		if !a.alive(life) {
			return
		}
		if k := a.find(id); k != nil {
			a.exit(k, agentcore.End{Known: true, Signal: "Killed"})
			a.remove(k)
		}
		a.tell(agentcore.Destroyed{Container: id})
	})
}
