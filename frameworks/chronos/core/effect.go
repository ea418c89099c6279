package core

import (
	"errors"
	"fmt"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// An Effect is anything the scheduler wants done.
type Effect interface{ effect() }

// A Write sets one record, or removes it when Value is nil.
type Write struct {
	Key   string
	Value []byte
}

// A TaskRef names a task and the agent it was launched on.
type TaskRef struct {
	Task  mesos.TaskID
	Agent mesos.AgentID // "" if unknown
}

type (
	// Persist makes writes durable; Persisted follows. They are performed in the
	// order of Seq and, if they do not fit into one transaction, in their own
	// order: what was caused comes before its cause, so that after a crash in
	// between the cause comes again and nothing is lost.
	Persist struct {
		Seq    uint64
		Writes []Write
	}
	// Reply answers a call; Err is nil, an *Invalid, ErrUnknownJob or ErrNoParents.
	Reply struct {
		Request Request
		Err     error
	}

	// Accept launches tasks on an offer.
	Accept struct {
		Offer  mesos.OfferID
		Tasks  []*mesospb.TaskInfo
		Refuse time.Duration // for what is left of the offer; 0: the master's default
	}
	// Decline returns offers.
	Decline struct {
		Offers []mesos.OfferID
		Refuse time.Duration // 0: the master's default
	}
	// Suppress asks for no more offers; Revive asks for them again.
	Suppress struct{}
	// Revive asks for offers and lifts all filters.
	Revive struct{}
	// Acknowledge confirms an update that needs it.
	Acknowledge struct{ Status *mesospb.TaskStatus }
	// Kill asks the master to end a task.
	Kill struct{ TaskRef }
	// Reconcile asks for the state of tasks; of all that the master knows if there are none.
	Reconcile struct{ Tasks []TaskRef }

	// Notice tells the owner of a job what happened to it, in Chronos' words.
	Notice struct{ Job, Owner, Subject, Message string }
)

func (Persist) effect()     {}
func (Reply) effect()       {}
func (Accept) effect()      {}
func (Decline) effect()     {}
func (Suppress) effect()    {}
func (Revive) effect()      {}
func (Acknowledge) effect() {}
func (Kill) effect()        {}
func (Reconcile) effect()   {}
func (Notice) effect()      {}

var (
	// ErrUnknownJob says that no job has the name asked for.
	ErrUnknownJob = errors.New("no such job")
	// ErrNoParents says that a new dependent job names no parents.
	ErrNoParents = errors.New("parents: a dependent job must name at least one parent")
)

// Invalid is an error the caller can fix by changing the call.
type Invalid struct{ Field, Reason string }

func (e *Invalid) Error() string { return e.Field + ": " + e.Reason }

func invalid(field, format string, args ...any) *Invalid {
	return &Invalid{Field: field, Reason: fmt.Sprintf(format, args...)}
}
