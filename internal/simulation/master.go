package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/hierarchical"
	mastercore "github.com/soukproject/souk/master/core"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// A masterNode is a master's core and the store that outlives it.
type masterNode struct {
	c        *Cluster
	core     *mastercore.Master
	life     int
	up       bool
	armed    time.Time
	registry registrypb.Registry
	writes   []mastercore.Persist
	open     int // calls without a Reply
}

func (m *masterNode) alive(life int) bool { return m.up && m.life == life }

// start elects a new master, which recovers what the store holds.
func (m *masterNode) start() {
	if m.up {
		return
	}
	m.life++
	m.up, m.open, m.armed = true, 0, time.Time{}
	m.c.trace("master starts")
	m.core = m.newCore(rand.New(rand.NewPCG(m.c.rng.Uint64(), 2)))
	m.step(mastercore.Elected{Registry: proto.CloneOf(&m.registry)})
}

// newCore makes a master with the allocator that ships, as a process would.
func (m *masterNode) newCore(rng *rand.Rand) *mastercore.Master {
	return mastercore.New(mastercore.Config{
		MasterID: m.id(), Info: m.info(), Rand: rng, RootSubmissions: true, OfferTimeout: 5 * time.Minute,
		MaxCompletedFrameworks: mastercore.DefaultMaxCompletedFrameworks, MaxCompletedTasks: mastercore.DefaultMaxCompletedTasks,
		MaxUnreachableTasks: mastercore.DefaultMaxUnreachableTasks,
		RegistryMaxAgentAge: mastercore.DefaultRegistryMaxAgentAge, RegistryMaxAgentCount: mastercore.DefaultRegistryMaxAgentCount,
		Allocator: hierarchical.New(allocator.Config{Minimum: allocator.DefaultMinimum(), Rand: rng}),
	})
}

func (m *masterNode) info() *mesospb.MasterInfo {
	return &mesospb.MasterInfo{
		Id: new(m.id()), Ip: new(uint32(0x0100007f)), Port: new(uint32(5050)), Hostname: new("master"),
	}
}

func (m *masterNode) id() string { return fmt.Sprintf("master%d", m.life) }

// crash ends the process; what was being written is written, or is not.
func (m *masterNode) crash() {
	if !m.up {
		return
	}
	c := m.c
	c.result.Crashes++
	c.trace("master crashes")
	m.up = false
	for _, w := range m.writes[:c.rng.IntN(len(m.writes)+1)] {
		apply(&m.registry, w.Operations)
	}
	m.writes = nil
	for _, l := range c.sortedLinks() {
		l.cut, l.masterKnows = true, true
		delete(c.links, l.id)
		c.after(c.delay(), func() { c.tellAgent(l) })
	}
	for _, s := range c.schedulers {
		if st := s.stream; st != nil {
			st.cut = true
			delete(c.streams, st.id)
			c.after(c.delay(), func() { s.disconnected(st) })
		}
	}
	c.after(time.Second+time.Duration(c.rng.IntN(20000))*time.Millisecond, m.start)
}

func (c *Cluster) sortedLinks() []*link {
	var all []*link
	for _, l := range c.links {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *link) int { return int(a.id) - int(b.id) })
	return all
}

func (m *masterNode) step(ev mastercore.Event) {
	if !m.up || m.c.failed != nil {
		return
	}
	life := m.life
	m.c.trace("master <- %s", lazy{ev})
	effects := m.core.Step(m.c.now, ev)
	if err := m.core.Check(); err != nil {
		m.c.violate("master: %v after %s", err, lazy{ev})
		return
	}
	for _, e := range effects {
		if m.c.chance(m.c.faults.CrashAtEffect / 10) { // it has far more effects than others
			m.crash()
		}
		if !m.alive(life) {
			return
		}
		m.c.trace("master    %s", lazy{e})
		m.perform(e)
	}
	m.arm()
}

func (m *masterNode) arm() {
	at, ok := m.core.Deadline()
	if !ok || !m.up || at.Equal(m.armed) && at.After(m.c.now) {
		return
	}
	if !at.After(m.c.now) {
		at = m.c.now.Add(time.Microsecond)
	}
	m.armed = at
	life := m.life
	m.c.at(at, func() {
		if m.alive(life) && m.armed.Equal(at) {
			m.armed = time.Time{}
			m.step(mastercore.Tick{})
		}
	})
}

func (m *masterNode) perform(e mastercore.Effect) {
	switch e := e.(type) {
	case mastercore.Persist:
		m.persist(e)
	case mastercore.SendAgent:
		m.c.toAgent(e.Session, proto.CloneOf(e.Event))
	case mastercore.CloseAgent:
		if l := m.c.links[e.Session]; l != nil {
			m.c.hangUp(l)
		}
	case mastercore.SendFramework:
		m.c.toScheduler(string(e.Stream), proto.CloneOf(e.Event))
	case mastercore.CloseFramework:
		m.c.closeStream(string(e.Stream))
	case mastercore.Reply:
		m.open--
	}
}

// buryLost is the operator, long after the network has healed: an agent that is
// still unreachable is one whose machine lost its id and has another by now.
// Nobody but an operator can say that it will never be back.
func (m *masterNode) buryLost() {
	for _, u := range slices.Clone(m.registry.GetUnreachable()) {
		m.c.requests++
		m.open++
		m.step(mastercore.Operated{Request: mastercore.Request(m.c.requests), Call: &masterpb.Call{
			Type:          masterpb.Call_MARK_AGENT_GONE.Enum(),
			MarkAgentGone: &masterpb.Call_MarkAgentGone{AgentId: u.GetInfo().GetId()},
		}})
	}
}

// persist writes in order.
func (m *masterNode) persist(e mastercore.Persist) {
	m.writes = append(m.writes, e)
	life := m.life
	m.c.after(m.c.delay(), func() {
		if !m.alive(life) || len(m.writes) == 0 {
			return
		}
		w := m.writes[0]
		m.writes = m.writes[1:]
		apply(&m.registry, w.Operations)
		m.step(mastercore.Persisted{Seq: w.Seq})
	})
}

// apply is what the registrar does, as simply as can be.
func apply(r *registrypb.Registry, ops []*registrypb.Operation) {
	for _, op := range ops {
		op = proto.CloneOf(op)
		switch op.GetType() {
		case registrypb.Operation_ADMIT_AGENT, registrypb.Operation_MARK_REACHABLE:
			forget(r, op.GetAgent().GetInfo().GetId().GetValue())
			r.Agents = append(r.Agents, op.GetAgent())
		case registrypb.Operation_REMOVE_AGENT:
			forget(r, op.GetAgentId().GetValue())
		case registrypb.Operation_MARK_UNREACHABLE:
			forget(r, op.GetUnreachable().GetInfo().GetId().GetValue())
			r.Unreachable = append(r.Unreachable, op.GetUnreachable())
		case registrypb.Operation_MARK_GONE:
			forget(r, op.GetGone().GetId().GetValue())
			r.Gone = append(r.Gone, op.GetGone())
		case registrypb.Operation_PRUNE:
			for _, id := range op.GetAgentIds() {
				forget(r, id.GetValue())
			}
		}
	}
}

// forget takes an agent off every list.
func forget(r *registrypb.Registry, id string) {
	r.Agents = slices.DeleteFunc(r.Agents, func(a *registrypb.Agent) bool { return a.GetInfo().GetId().GetValue() == id })
	r.Unreachable = slices.DeleteFunc(r.Unreachable, func(u *registrypb.Unreachable) bool { return u.GetInfo().GetId().GetValue() == id })
	r.Gone = slices.DeleteFunc(r.Gone, func(g *registrypb.Gone) bool { return g.GetId().GetValue() == id })
}
