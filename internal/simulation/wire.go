package simulation

import (
	"time"

	agentcore "github.com/soukproject/souk/agent/core"
	mastercore "github.com/soukproject/souk/master/core"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

type session = mastercore.Session

// A pipe delivers in order, unless reordering is among the faults.
type pipe struct{ last time.Time }

// push sends do through the pipe, with the faults of the cluster if faulty.
func (p *pipe) push(c *Cluster, faulty bool, do func()) {
	if faulty && c.chance(c.faults.Lose) {
		return
	}
	at := c.now.Add(c.delay())
	if !faulty || !c.chance(c.faults.Reorder) {
		if at.Before(p.last) {
			at = p.last
		}
		p.last = at
	}
	c.at(at, do)
	if faulty && c.chance(c.faults.Double) {
		c.at(at.Add(c.delay()), do)
	}
}

// A link is the connection of one agent's session.
type link struct {
	id          session
	agent       *agentNode
	agentLife   int
	masterLife  int
	ofAgent     agentcore.Session
	cut         bool // nothing gets through any more
	agentKnows  bool // the agent has been told that it ended
	masterKnows bool
	down, up    pipe
}

// dial opens a link that carries a's subscription to the master.
func (c *Cluster) dial(a *agentNode, of agentcore.Session, subscribe *linkpb.Subscribe) {
	c.sessions++
	l := &link{id: session(c.sessions), agent: a, agentLife: a.life, masterLife: c.master.life, ofAgent: of}
	c.links[l.id] = l
	a.link = l
	l.up.push(c, false, func() {
		if !c.master.up || c.master.life != l.masterLife {
			c.cutLink(l)
			return
		}
		if !l.cut {
			c.master.step(mastercore.AgentSubscribed{Session: l.id, Address: a.address, Subscribe: subscribe})
		}
	})
}

// toAgent carries an event of the master.
func (c *Cluster) toAgent(id session, e *linkpb.Event) {
	l := c.links[id]
	if l == nil || l.cut {
		return
	}
	l.down.push(c, true, func() {
		if !l.cut && !l.agentKnows && l.agent.alive(l.agentLife) {
			l.agent.step(agentcore.Received{Session: l.ofAgent, Event: e})
		}
	})
}

// toMaster carries messages of an agent.
func (c *Cluster) toMaster(l *link, m *linkpb.Message) {
	if l.cut {
		return
	}
	l.up.push(c, true, func() {
		if !l.cut && !l.masterKnows && c.master.alive(l.masterLife) {
			c.master.step(mastercore.AgentSent{Session: l.id, Messages: []*linkpb.Message{m}})
		}
	})
}

// hangUp ends a link from one side: what was sent before still arrives.
func (c *Cluster) hangUp(l *link) {
	l.down.push(c, false, func() { c.tellAgent(l) })
	l.up.push(c, false, func() { c.tellMaster(l) })
}

// cutLink breaks a link at once; each side notices in its own time.
func (c *Cluster) cutLink(l *link) {
	l.cut = true
	c.after(c.delay(), func() { c.tellAgent(l) })
	notice := c.delay()
	if c.rng.IntN(4) == 0 {
		notice = time.Duration(c.rng.IntN(60)) * time.Second // half open
	}
	c.after(notice, func() { c.tellMaster(l) })
}

func (c *Cluster) tellAgent(l *link) {
	if l.agentKnows || !l.agent.alive(l.agentLife) {
		return
	}
	l.agentKnows, l.cut = true, true
	if l.agent.link == l {
		l.agent.link = nil
	}
	l.agent.step(agentcore.Disconnected{Session: l.ofAgent})
	l.agent.reconnect()
}

func (c *Cluster) tellMaster(l *link) {
	if l.masterKnows || !c.master.alive(l.masterLife) {
		return
	}
	l.masterKnows, l.cut = true, true
	c.master.step(mastercore.AgentDisconnected{Session: l.id})
	delete(c.links, l.id)
}

// A stream is the connection of one scheduler's subscription.
type stream struct {
	id         string
	of         *scheduler
	masterLife int
	cut        bool
	down       pipe
}

// toScheduler carries an event of the master; a stream loses nothing but its end.
func (c *Cluster) toScheduler(id string, e *schedulerpb.Event) {
	st := c.streams[id]
	if st == nil || st.cut {
		return
	}
	st.down.push(c, false, func() {
		if !st.cut && st.of.stream == st {
			st.of.received(e)
		}
	})
}

// closeStream ends a stream after what was sent on it.
func (c *Cluster) closeStream(id string) {
	if st := c.streams[id]; st != nil {
		delete(c.streams, id)
		st.down.push(c, false, func() { st.cut = true; st.of.disconnected(st) })
	}
}

// cutStream breaks a stream at once.
func (c *Cluster) cutStream(st *stream) {
	if st.cut {
		return
	}
	st.cut = true
	delete(c.streams, st.id)
	c.after(c.delay(), func() { st.of.disconnected(st) })
	c.after(c.delay(), func() {
		if c.master.alive(st.masterLife) {
			c.master.step(mastercore.Disconnected{Stream: mastercore.Stream(st.id)})
		}
	})
}

// cutSomething breaks one connection.
func (c *Cluster) cutSomething() {
	c.result.Cuts++
	if c.rng.IntN(2) == 0 {
		if a := c.agents[c.rng.IntN(len(c.agents))]; a.link != nil {
			c.trace("cut %s", a.name)
			c.cutLink(a.link)
		}
		return
	}
	if s := c.schedulers[c.rng.IntN(len(c.schedulers))]; s.stream != nil {
		c.trace("cut %s", s.name)
		c.cutStream(s.stream)
	}
}

// call carries a scheduler's call to the master; calls overtake each other.
func (c *Cluster) call(st *stream, call *schedulerpb.Call) {
	life := c.master.life
	deliver := func() {
		if c.master.alive(life) {
			c.requests++
			c.master.open++
			c.master.step(mastercore.Called{Request: mastercore.Request(c.requests), Stream: mastercore.Stream(st.id), Call: call})
		}
	}
	if c.chance(c.faults.Lose) {
		return
	}
	c.after(c.delay(), deliver)
	if c.chance(c.faults.Double) {
		c.after(c.delay(), deliver)
	}
}
