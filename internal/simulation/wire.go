package simulation

import (
	"time"

	agentcore "github.com/soukproject/souk/agent/core"
	mastercore "github.com/soukproject/souk/master/core"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
)

type session = mastercore.Session

// A pipe delivers in order, unless reordering is among the faults.
type pipe struct{ last time.Time }

// push sends do through the pipe, with the faults of the cluster if faulty.
func (p *pipe) push(c *Cluster, faulty bool, do func()) {
	if faulty && c.chance(c.faults.Lose) {
		c.result[LostMessages]++
		return
	}
	at := c.now.Add(c.delay())
	if !faulty || !c.chance(c.faults.Reorder) {
		if at.Before(p.last) {
			at = p.last
		}
		p.last = at
	} else if at.Before(p.last) {
		c.result[LateMessages]++
	}
	c.at(at, do)
	if faulty && c.chance(c.faults.Double) {
		c.result[DoubledMessages]++
		c.at(at.Add(c.delay()), do)
	}
}

// A link is the connection of one agent's session.
type link struct {
	id          session
	agent       *agentNode
	agentLife   int
	master      *masterNode
	masterLife  int
	ofAgent     agentcore.Session
	cut         bool // nothing gets through any more
	agentKnows  bool // the agent has been told that it ended
	masterKnows bool
	down, up    pipe
}

// dial opens a link that carries a's subscription to a master.
func (c *Cluster) dial(a *agentNode, m *masterNode, of agentcore.Session, subscribe *linkpb.Subscribe) {
	c.sessions++
	l := &link{id: session(c.sessions), agent: a, agentLife: a.life, master: m, masterLife: m.life, ofAgent: of}
	a.link = l
	subscribe = clone(c, subscribe)
	l.up.push(c, false, func() {
		switch {
		case l.cut:
		case !m.leads(l.masterLife):
			c.cutLink(l)
		default:
			m.links[l.id] = l
			m.step(mastercore.AgentSubscribed{Session: l.id, Address: a.address, Subscribe: subscribe})
		}
	})
}

// toAgent carries an event of a master.
func (c *Cluster) toAgent(l *link, e *linkpb.Event) {
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
		if !l.cut && !l.masterKnows && l.master.leads(l.masterLife) {
			l.master.step(mastercore.AgentSent{Session: l.id, Messages: []*linkpb.Message{m}})
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
		notice = c.upTo(pingTimeout * pingTimeouts) // half open
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
	if l.masterKnows || !l.master.leads(l.masterLife) {
		return
	}
	l.masterKnows, l.cut = true, true
	l.master.step(mastercore.AgentDisconnected{Session: l.id})
	delete(l.master.links, l.id)
}

// cutSomething breaks one connection.
func (c *Cluster) cutSomething() {
	c.result[Cuts]++
	if c.rng.IntN(2) == 0 {
		if a := c.agents[c.rng.IntN(len(c.agents))]; a.link != nil {
			c.trace("cut %s", a.name)
			c.cutLink(a.link)
		}
		return
	}
	if all := c.clients(); len(all) > 0 {
		if cl := all[c.rng.IntN(len(all))]; cl.stream != nil {
			c.trace("cut %s", cl.name)
			cl.stream.sever(c)
		}
	}
}

// isolate keeps a machine from all masters for a while: what it has goes on.
func (c *Cluster) isolate() {
	a := c.agents[c.rng.IntN(len(c.agents))]
	if a.isolated {
		return
	}
	c.trace("%s is isolated", a.name)
	c.result[Isolations]++
	a.isolated = true
	if a.link != nil {
		c.cutLink(a.link)
	}
	c.after(c.upTo(60*time.Second), func() { a.isolated = false })
}
