package core

import (
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

type (
	// Session names one subscription of an agent; the shell mints them, never twice.
	Session uint64
	// Stream names one subscription of a scheduler: the Mesos-Stream-Id it was given.
	Stream string
	// Request names a call somebody waits for; the shell mints them. 0: nobody waits.
	Request uint64
)

// An Event is anything the master learns: a call, a message from an agent, a
// finished write, the passing of time.
type Event interface{ event() }

type (
	// Elected says that this master leads, and what the registry held.
	Elected struct{ Registry *registrypb.Registry }

	// Persisted says that the write asked for under Seq is durable.
	Persisted struct{ Seq uint64 }

	// AgentSubscribed opens a session: an agent registers or reregisters.
	AgentSubscribed struct {
		Session   Session
		Address   string // host:port the agent called from
		Subscribe *linkpb.Subscribe
	}
	// AgentSent carries what an agent had to say, in order.
	AgentSent struct {
		Session  Session
		Messages []*linkpb.Message
	}
	// AgentDisconnected ends a session.
	AgentDisconnected struct{ Session Session }

	// Subscribed opens a scheduler's stream. Call is of type SUBSCRIBE, and of sound shape.
	Subscribed struct {
		Stream    Stream
		Principal string // authenticated; "" if nobody was
		Call      *schedulerpb.Call
	}
	// Called carries any other call of a scheduler, of sound shape. Stream is the
	// header it came with, "" if it had none. Answered with a Reply.
	Called struct {
		Request   Request
		Stream    Stream
		Principal string
		Call      *schedulerpb.Call
	}
	// Disconnected says that a scheduler's stream ended.
	Disconnected struct{ Stream Stream }

	// Operated carries an operator's action call (TEARDOWN, …), of sound shape. Answered with a Reply.
	Operated struct {
		Request   Request
		Principal string
		Call      *masterpb.Call
	}

	// Tick says that a Deadline has passed.
	Tick struct{}
)

func (Elected) event()           {}
func (Persisted) event()         {}
func (AgentSubscribed) event()   {}
func (AgentSent) event()         {}
func (AgentDisconnected) event() {}
func (Subscribed) event()        {}
func (Called) event()            {}
func (Disconnected) event()      {}
func (Operated) event()          {}
func (Tick) event()              {}
