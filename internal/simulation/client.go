package simulation

import (
	"fmt"
	"time"

	mastercore "github.com/soukproject/souk/master/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A client is a scheduler's side of the connection to the leading master: what
// the SDK is to a real one. It ends with its scheduler's life.
type client struct {
	c      *Cluster
	name   string
	of     subscriber
	leader *masterNode // as far as it has heard
	stream *stream     // nil while it is not connected
	conns  int
	closed bool
	up     pipe
	watch  *watcher
}

// A subscriber is a scheduler that a client serves.
type subscriber interface {
	info() *mesospb.FrameworkInfo // to subscribe with
	heard(*schedulerpb.Event)
	hungUp()
}

// A stream is the connection of one subscription.
type stream struct {
	id         string
	of         *client
	master     *masterNode
	masterLife int
	cut        bool
	down       pipe
}

// connect finds the leading master and stays with it.
func (c *Cluster) connect(name string, of subscriber) *client {
	cl := &client{c: c, name: name, of: of}
	cl.watch = c.masterElection.watch(cl.follow)
	return cl
}

// close ends a client with the process it is in.
func (cl *client) close() {
	cl.closed, cl.watch.ended = true, true
	if cl.stream != nil {
		cl.stream.sever(cl.c)
		cl.stream = nil
	}
}

// follow leaves a master that leads no longer.
func (cl *client) follow(leader contender) {
	cl.leader = masterOf(leader)
	switch st := cl.stream; {
	case cl.closed:
	case st == nil:
		cl.dial()
	case st.master != cl.leader:
		st.sever(cl.c)
	}
}

// masterOf is the master that was elected, nil if nobody was.
func masterOf(leader contender) *masterNode {
	m, _ := leader.(*masterNode)
	return m
}

// dial subscribes on a stream of its own.
func (cl *client) dial() {
	if cl.closed || cl.stream != nil || cl.leader == nil {
		return
	}
	m := cl.leader
	cl.conns++
	st := &stream{id: fmt.Sprintf("%s-%d", cl.name, cl.conns), of: cl, master: m, masterLife: m.life}
	cl.stream = st
	info := cl.of.info()
	call := &schedulerpb.Call{
		Type: schedulerpb.Call_SUBSCRIBE.Enum(), FrameworkId: info.GetId(),
		Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: info},
	}
	cl.c.after(cl.c.delay(), func() {
		switch {
		case st.cut:
		case !m.leads(st.masterLife):
			st.sever(cl.c)
		default:
			m.streams[st.id] = st
			m.step(mastercore.Subscribed{Stream: mastercore.Stream(st.id), Call: call})
		}
	})
}

// lost is the end of a stream as the client sees it.
func (cl *client) lost(st *stream) {
	if cl.stream != st || cl.closed {
		return
	}
	cl.stream = nil
	cl.of.hungUp()
	cl.c.after(cl.c.upTo(2*time.Second), cl.dial)
}

// call makes a call on a stream; failed, which may be nil, is told when it may
// not have arrived. Ordered calls arrive in the order they are made.
func (cl *client) call(call *schedulerpb.Call, ordered bool, failed func()) {
	st, c := cl.stream, cl.c
	fail := func() {
		if failed != nil && !cl.closed {
			failed()
		}
	}
	if st == nil {
		c.after(c.delay(), fail)
		return
	}
	c.trace("%s -> %v", cl.name, call.GetType())
	if c.chance(c.faults.Lose) {
		c.result[LostMessages]++
		c.after(c.upTo(2*time.Second), fail)
		return
	}
	deliver := func() {
		if st.cut || !st.master.leads(st.masterLife) {
			c.after(c.delay(), fail)
			return
		}
		st.master.ask(
			func(r mastercore.Request) mastercore.Event {
				return mastercore.Called{Request: r, Stream: mastercore.Stream(st.id), Call: call}
			},
			func(r mastercore.Reply) {
				if r.Code/100 != 2 || c.chance(c.faults.Lose) {
					fail()
				}
			})
	}
	if ordered {
		cl.up.push(c, false, deliver)
		return
	}
	c.after(c.delay(), deliver)
	if c.chance(c.faults.Double) {
		c.result[DoubledMessages]++
		c.after(c.delay(), deliver)
	}
}

// toScheduler carries an event of a master; a stream loses nothing but its end.
func (c *Cluster) toScheduler(st *stream, e *schedulerpb.Event) {
	if st == nil || st.cut {
		return
	}
	st.down.push(c, false, func() {
		if !st.cut && st.of.stream == st && !st.of.closed {
			if c.opts.Trace != nil {
				c.trace("%s <- %s", st.of.name, describe(e))
			}
			st.of.of.heard(e)
		}
	})
}

// closeStream ends a stream after what was sent on it.
func (c *Cluster) closeStream(st *stream) {
	if st == nil {
		return
	}
	delete(st.master.streams, st.id)
	st.down.push(c, false, func() {
		st.cut = true
		st.of.lost(st)
	})
}

// sever breaks a stream at once; each side notices in its own time.
func (st *stream) sever(c *Cluster) {
	if st.cut {
		return
	}
	st.cut = true
	c.after(c.delay(), func() { st.of.lost(st) })
	c.after(c.delay(), func() {
		if m := st.master; m.leads(st.masterLife) && m.streams[st.id] == st {
			delete(m.streams, st.id)
			m.step(mastercore.Disconnected{Stream: mastercore.Stream(st.id)})
		}
	})
}
