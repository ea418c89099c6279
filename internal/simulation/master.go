package simulation

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/hierarchical"
	mastercore "github.com/soukproject/souk/master/core"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Timeouts of the simulated cluster, shorter than those of real ones so that
// more happens in the same time. Their relations are what matters.
const (
	pingTimeout       = 5 * time.Second
	pingTimeouts      = 3
	reregisterTimeout = 30 * time.Second
	offerTimeout      = 40 * time.Second
)

// A masterNode is one of several processes that want to be the leading master.
type masterNode struct {
	process
	i       int
	core    *mastercore.Master // nil while it does not lead, as far as it knows
	epoch   uint64
	writer  *writer
	links   map[session]*link
	streams map[string]*stream
	waiting map[mastercore.Request]func(mastercore.Reply)
	retired map[string]bool // agents that it knows to get no work, by id
}

func newMasterNode(c *Cluster, i int) *masterNode {
	return &masterNode{process: process{c: c, name: fmt.Sprintf("master%d", i)}, i: i}
}

// start begins a life as one who wants to lead.
func (m *masterNode) start() {
	if m.up {
		return
	}
	m.begin()
	m.core = nil
	m.links, m.streams = make(map[session]*link), make(map[string]*stream)
	m.waiting = make(map[mastercore.Request]func(mastercore.Reply))
	m.c.masterElection.sit(m, m.life)
}

// elected takes over the registry and leads.
func (m *masterNode) elected(*seat) {
	m.c.trace("%s is elected", m.name)
	r := &m.c.registry
	var held *registrypb.Registry
	takeOver := func() {
		m.epoch = r.fence.takeOver()
		held = proto.CloneOf(&r.held)
	}
	r.write(&m.process, r.fence.epoch, takeOver, func(answer outcome) {
		if answer != written {
			m.die("it cannot take over the registry")
			return
		}
		m.lead(held)
	})
}

func (m *masterNode) lead(held *registrypb.Registry) {
	m.c.result[Reigns]++
	m.writer = &writer{p: &m.process, disk: &m.c.registry.disk, epoch: m.epoch, fail: m.die, mutant: forgetfulMaster}
	m.core = m.newCore(rand.New(rand.NewPCG(m.c.rng.Uint64(), 2)))
	m.retired = make(map[string]bool)
	for _, a := range held.GetAgents() {
		m.retired[a.GetInfo().GetId().GetValue()] = a.GetDeactivated()
	}
	for _, g := range held.GetGone() {
		m.retired[g.GetId().GetValue()] = true
	}
	m.step(mastercore.Elected{Registry: held})
}

// deposed ends a process that no longer leads: the next life contends again.
func (m *masterNode) deposed() { m.die("its session has expired") }

// newCore makes a master with the allocator that ships, as a process would.
func (m *masterNode) newCore(rng *rand.Rand) *mastercore.Master {
	cfg := allocator.Config{Minimum: allocator.DefaultMinimum(), Rand: rng}
	if m.c.opts.Optimistic {
		cfg.Rivals = allocator.DefaultRivals
	}
	policy := hierarchical.New(cfg)
	var optimist allocator.Optimist
	if m.c.opts.Optimistic {
		optimist = policy.(allocator.Optimist)
	}
	interval := time.Duration(0)
	if m.c.opts.Seed%5 == 0 {
		interval = 3 * time.Second
	}
	return mastercore.New(mastercore.Config{
		MasterID: m.id(), Info: m.info(), Rand: rng, RootSubmissions: true, OfferTimeout: offerTimeout,
		AgentPingTimeout: pingTimeout, MaxAgentPingTimeouts: pingTimeouts, AgentReregisterTimeout: reregisterTimeout,
		AllocatorRecoveryTimeout: reregisterTimeout, AgentRemovalInterval: interval,
		MaxCompletedFrameworks: mastercore.DefaultMaxCompletedFrameworks, MaxCompletedTasks: mastercore.DefaultMaxCompletedTasks,
		MaxUnreachableTasks: mastercore.DefaultMaxUnreachableTasks,
		RegistryMaxAgentAge: mastercore.DefaultRegistryMaxAgentAge, RegistryMaxAgentCount: mastercore.DefaultRegistryMaxAgentCount,
		Allocator: policy, Optimist: optimist,
	})
}

func (m *masterNode) info() *mesospb.MasterInfo {
	return &mesospb.MasterInfo{
		Id: new(m.id()), Ip: new(uint32(0x0100007f)), Port: new(uint32(5050 + m.i)), Hostname: new(m.name),
	}
}

func (m *masterNode) id() string { return fmt.Sprintf("%s-%d", m.name, m.life) }

// crash is an accident.
func (m *masterNode) crash() { m.die("") }

// die ends the process; what was being written is written, or is not.
func (m *masterNode) die(why string) {
	if !m.up {
		return
	}
	c := m.c
	c.result[Crashes]++
	c.trace("%s dies %s", m.name, why)
	m.up, m.core = false, nil
	for _, id := range slices.Sorted(maps.Keys(m.links)) {
		l := m.links[id]
		l.cut, l.masterKnows = true, true
		c.after(c.delay(), func() { c.tellAgent(l) })
	}
	for _, id := range slices.Sorted(maps.Keys(m.streams)) {
		m.streams[id].sever(c)
	}
	for _, r := range slices.Sorted(maps.Keys(m.waiting)) {
		answer := m.waiting[r]
		c.after(c.delay(), func() { answer(mastercore.Reply{}) })
	}
	m.waiting = nil
	c.masterElection.left(m, m.life)
	c.after(time.Second+c.upTo(10*time.Second), m.start)
}

// leads reports whether it believes, in a life, that it leads.
func (m *masterNode) leads(life int) bool { return m.alive(life) && m.core != nil }

// ask steps a call that somebody waits for. Without an answer, Code is 0.
func (m *masterNode) ask(build func(mastercore.Request) mastercore.Event, answer func(mastercore.Reply)) {
	m.c.requests++
	r := mastercore.Request(m.c.requests)
	m.waiting[r] = answer
	m.step(build(r))
}

func (m *masterNode) step(ev mastercore.Event) {
	if m.core == nil || m.c.failed != nil {
		return
	}
	c, life := m.c, m.life
	c.traceEvent(m.name, ev)
	effects := m.core.Step(m.now(), ev)
	if c.examine() {
		if err := m.core.Check(); err != nil {
			c.violate("%s: %v after %s", m.name, err, describe(ev))
			return
		}
	}
	for _, e := range effects {
		if m.crashing(0.1) { // it has far more effects than others
			m.crash()
		}
		if !m.alive(life) {
			return
		}
		c.traceEffect(m.name, e)
		m.perform(e)
	}
	at, ok := m.core.Deadline()
	m.arm(at, ok, func() { m.step(mastercore.Tick{}) })
}

func (m *masterNode) perform(e mastercore.Effect) {
	switch e := e.(type) {
	case mastercore.Persist:
		m.writer.add(
			func() { m.c.registry.put(e.Operations) },
			func() {
				m.learn(e.Operations)
				m.step(mastercore.Persisted{Seq: e.Seq})
			})
	case mastercore.SendAgent:
		m.c.toAgent(m.links[e.Session], m.checked(e))
	case mastercore.CloseAgent:
		if l := m.links[e.Session]; l != nil {
			m.c.hangUp(l)
		}
	case mastercore.SendFramework:
		m.c.toScheduler(m.streams[string(e.Stream)], clone(m.c, e.Event))
	case mastercore.CloseFramework:
		m.c.closeStream(m.streams[string(e.Stream)])
	case mastercore.Exit:
		m.c.violate("%s ends: %s", m.name, e.Why)
	case mastercore.Reply:
		answer := m.waiting[e.Request]
		delete(m.waiting, e.Request)
		if answer == nil {
			m.c.violate("%s answers call %d, which nobody waits for", m.name, e.Request)
			return
		}
		m.soon(func() { answer(e) })
	}
}

// checked: an agent that is deactivated, drained or gone, as far as this master
// knows, is given no work.
func (m *masterNode) checked(e mastercore.SendAgent) *linkpb.Event {
	for _, t := range append(e.Event.GetRunGroup().GetTasks(), e.Event.GetRunTask().GetTask()) {
		if id := t.GetAgentId().GetValue(); m.retired[id] {
			m.c.violate("%s launches on agent %s, which is deactivated, drained or gone", m.name, id)
		}
	}
	return clone(m.c, e.Event)
}

// learn notes which agents get no work from here on.
func (m *masterNode) learn(ops []*registrypb.Operation) {
	for _, op := range ops {
		if a := op.GetAgent(); a != nil {
			m.retired[a.GetInfo().GetId().GetValue()] = a.GetDeactivated()
		}
		if g := op.GetGone(); g != nil {
			m.retired[g.GetId().GetValue()] = true
		}
	}
}
