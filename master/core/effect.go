package core

import (
	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// RefusedSession is the What of a Refused that ended an agent's session.
const RefusedSession = "agent session"

// An Effect is anything the master wants done. The shell performs effects in
// the order given; none of them blocks.
type Effect interface{ effect() }

type (
	// Persist asks for operations to be made durable, all or none; Persisted{Seq}
	// comes back, or the process ends.
	Persist struct {
		Seq        uint64
		Operations []*registrypb.Operation
	}

	// SendAgent puts an event on an agent's stream; its Seq is set.
	SendAgent struct {
		Session Session
		Event   *linkpb.Event
	}
	// CloseAgent ends a session after what was sent on it.
	CloseAgent struct{ Session Session }

	// SendFramework puts an event on a scheduler's stream.
	SendFramework struct {
		Stream Stream
		Event  *schedulerpb.Event
	}
	// CloseFramework ends a scheduler's stream after what was sent on it.
	CloseFramework struct{ Stream Stream }

	// Reply answers a call: an HTTP status, and a text or a response when there is one.
	Reply struct {
		Request  Request
		Code     int
		Text     string
		Response *schedulerpb.Response
	}

	// Publish tells all operator subscribers.
	Publish struct{ Event *masterpb.Event }

	// Preempted records that a task is asked to leave for the guarantee of a role.
	Preempted struct {
		Framework mesos.FrameworkID
		Agent     mesos.AgentID
		allocator.Leave
	}
	// Exit ends this master for good; the next leader begins anew. Nothing follows.
	Exit struct{ Why string }

	// Refused records something the master met and did not do: a move of a task
	// that the state table forbids, a message of a session gone by, a dropped call.
	Refused struct{ What, ID, Why string }
)

func (Persist) effect()        {}
func (SendAgent) effect()      {}
func (CloseAgent) effect()     {}
func (SendFramework) effect()  {}
func (CloseFramework) effect() {}
func (Reply) effect()          {}
func (Publish) effect()        {}
func (Preempted) effect()      {}
func (Exit) effect()           {}
func (Refused) effect()        {}
