package simulation

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

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
	task    taskKey
	running bool
	end     agentcore.End
	watched int // life of the agent that waits for it; 0: none
	shy     bool
}

// A write is a checkpoint on its way to the disk.
type write struct {
	seq     uint64
	records []*checkpointpb.Record
}

// An agentNode is a machine: an agent's core, a disk and containers.
type agentNode struct {
	c       *Cluster
	name    string
	address string
	core    *agentcore.Agent
	life    int
	up      bool
	link    *link
	seq     agentcore.Session
	armed   time.Time

	disk       map[string]*checkpointpb.Record
	writes     []write
	containers []*container
	launching  []*agentcore.Launch
}

func newAgentNode(c *Cluster, i int) *agentNode {
	return &agentNode{
		c: c, name: fmt.Sprintf("agent%d", i), address: fmt.Sprintf("10.0.0.%d:5051", i+1),
		disk: make(map[string]*checkpointpb.Record),
	}
}

func (a *agentNode) alive(life int) bool { return a.up && a.life == life }

func (a *agentNode) info() *mesospb.AgentInfo {
	scalar := func(name string, v float64) *mesospb.Resource {
		return &mesospb.Resource{Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &v}}
	}
	return &mesospb.AgentInfo{
		Hostname:  new(strings.TrimSuffix(a.address, ":5051")),
		Port:      new(int32(5051)),
		Resources: []*mesospb.Resource{scalar("cpus", 4), scalar("mem", 4096)},
	}
}

// start begins a life of the agent process from what the disk holds.
func (a *agentNode) start() { a.startAfter(false) }

func (a *agentNode) startAfter(rebooted bool) {
	if a.up {
		return
	}
	a.life++
	a.up = true
	a.core = agentcore.New(agentcore.Config{
		Info: a.info(), Version: "1.11.0", Boot: fmt.Sprintf("%s-%d", a.name, a.life),
		IP: strings.TrimSuffix(a.address, ":5051"), Rand: rand.New(rand.NewPCG(a.c.rng.Uint64(), 1)), Limited: true,
	})
	a.c.trace("%s starts", a.name)
	records := a.records()
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

// records are what the disk holds, in an order of their own.
func (a *agentNode) records() []*checkpointpb.Record {
	keys := make([]string, 0, len(a.disk))
	for k := range a.disk {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var all []*checkpointpb.Record
	for _, k := range keys {
		all = append(all, proto.CloneOf(a.disk[k]))
	}
	return all
}

// key says which object a record is about.
func key(r *checkpointpb.Record) string {
	switch {
	case r.Agent != nil:
		return "0"
	case r.Framework != nil:
		return "1/" + r.GetFramework().GetId().GetValue()
	case r.Task != nil:
		return "2/" + r.GetTask().GetFrameworkId().GetValue() + "/" + r.GetTask().GetTaskId().GetValue()
	}
	return "3/" + r.GetProgress().GetFrameworkId().GetValue() + "/" + r.GetProgress().GetTaskId().GetValue()
}

func (a *agentNode) store(records []*checkpointpb.Record) {
	for _, r := range records {
		if r.GetGone() {
			delete(a.disk, key(r))
		} else {
			a.disk[key(r)] = proto.CloneOf(r)
		}
	}
}

// crash ends the process; with reboot the machine and its containers too.
func (a *agentNode) crash(reboot bool) {
	if !a.up {
		return
	}
	a.c.result.Crashes++
	a.c.trace("%s crashes, reboot=%v", a.name, reboot)
	a.up = false
	for _, w := range a.writes[:a.c.rng.IntN(len(a.writes)+1)] {
		a.store(w.records)
	}
	a.writes = nil
	for _, l := range a.launching { // helpers on their way: started, or never
		if !reboot && a.c.rng.IntN(2) == 0 {
			a.run(l)
		}
	}
	a.launching = nil
	if reboot {
		a.containers = nil
	}
	if a.link != nil {
		a.c.cutLink(a.link)
		a.link = nil
	}
	a.c.after(time.Duration(a.c.rng.IntN(20000))*time.Millisecond, func() { a.startAfter(reboot) })
}

// reconnect subscribes in a moment.
func (a *agentNode) reconnect() {
	life := a.life
	a.c.after(time.Duration(a.c.rng.IntN(2000))*time.Millisecond, func() {
		if a.alive(life) && a.link == nil {
			a.seq++
			a.step(agentcore.Connecting{Session: a.seq})
		}
	})
}

func (a *agentNode) step(ev agentcore.Event) {
	if !a.up || a.c.failed != nil {
		return
	}
	life := a.life
	effects := a.core.Step(a.c.now, ev)
	a.c.trace("%s <- %s", a.name, lazy{ev})
	if err := a.core.Check(); err != nil {
		a.c.violate("%s: %v after %s", a.name, err, lazy{ev})
		return
	}
	for _, e := range effects {
		if a.c.chance(a.c.faults.CrashAtEffect) {
			a.crash(false)
		}
		if !a.alive(life) {
			return
		}
		a.c.trace("%s    %s", a.name, lazy{e})
		a.perform(e)
	}
	a.arm()
}

// arm has the core stepped at its deadline.
func (a *agentNode) arm() {
	at, ok := a.core.Deadline()
	if !ok || !a.up || at.Equal(a.armed) && at.After(a.c.now) {
		return
	}
	if !at.After(a.c.now) {
		at = a.c.now.Add(time.Microsecond)
	}
	a.armed = at
	life := a.life
	a.c.at(at, func() {
		if a.alive(life) && a.armed.Equal(at) {
			a.armed = time.Time{}
			a.step(agentcore.Tick{})
		}
	})
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
			a.soon(agentcore.Exited{Container: e.Container})
		}
	case agentcore.SendSignal:
		a.signal(e)
	case agentcore.Destroy:
		a.destroy(e.Container)
	case agentcore.Subscribe:
		a.c.dial(a, e.Session, e.Subscribe)
	case agentcore.Send:
		if a.link != nil && a.link.ofAgent == e.Session {
			a.c.toMaster(a.link, proto.CloneOf(e.Message))
		}
	case agentcore.Disconnect:
		a.disconnect(e.Session)
	case agentcore.Exit:
		a.c.violate("%s leaves for good: %s", a.name, e.Why)
	}
}

func (a *agentNode) disconnect(id agentcore.Session) {
	if a.link != nil && a.link.ofAgent == id {
		a.c.hangUp(a.link)
		return
	}
	a.soon(agentcore.Disconnected{Session: id})
	a.reconnect()
}

// soon steps ev in a moment, in this life only.
func (a *agentNode) soon(ev agentcore.Event) {
	life := a.life
	a.c.after(a.c.delay(), func() {
		if a.alive(life) {
			a.step(ev)
		}
	})
}

// checkpoint writes in order.
func (a *agentNode) checkpoint(e agentcore.Checkpoint) {
	a.writes = append(a.writes, write{e.Seq, e.Records})
	life := a.life
	a.c.after(a.c.delay(), func() {
		if !a.alive(life) || len(a.writes) == 0 {
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
			a.step(agentcore.LaunchFailed{Container: e.Run.Container, Why: "the simulation says so"})
			return
		}
		k := a.run(e)
		a.step(agentcore.Launched{Container: k.id, PID: 42})
		a.watch(k)
	})
}

// run starts a container: the moment that must not come twice for a task.
func (a *agentNode) run(e *agentcore.Launch) *container {
	key := taskKey{e.Run.Framework, mesos.TaskID(e.Task.GetTaskId().GetValue())}
	if a.c.launched[key] {
		a.c.violate("task %v was launched twice", key)
	}
	a.c.launched[key] = true
	a.c.result.Launches++
	h := fnv.New32a()
	h.Write([]byte(key.task))
	k := &container{id: e.Run.Container, task: key, running: true, shy: h.Sum32()%5 == 0}
	a.containers = append(a.containers, k)
	if h.Sum32()%10 != 0 { // the others run until they are killed, and leave room for all
		life := time.Duration(h.Sum32()%120000) * time.Millisecond
		a.c.after(life, func() { a.exit(k, agentcore.End{Known: true, Exit: int(h.Sum32() % 2)}) })
	}
	return k
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
		a.soon(agentcore.Exited{Container: k.id, End: k.end})
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
		a.soon(agentcore.Destroyed{Container: id})
	})
}

// lazy prints a value as a trace shows it, if anybody looks.
type lazy struct{ v any }

// String is the value on one line, cut to a length that can be read.
func (l lazy) String() string {
	text := strings.Join(strings.Fields(fmt.Sprintf("%T%+v", l.v, l.v)), " ")
	text = strings.TrimPrefix(text, "core.")
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return text
}
