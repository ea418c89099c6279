package core

import (
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Request names a call somebody waits for; the shell mints them. 0: nobody waits.
type Request uint64

// An Event is anything the scheduler learns: a call of a client, a message from
// the master, a finished write, the passing of time.
type Event interface{ event() }

type (
	// Tick says that time has passed.
	Tick struct{}
	// Persisted says that the write Seq, and all before it, are durable.
	Persisted struct{ Seq uint64 }

	// Put creates or replaces a job that ReadJob accepted.
	Put struct {
		Request Request
		Job     *Job
	}
	// Delete removes a job and kills its runs.
	Delete struct {
		Request Request
		Job     string
	}
	// Run queues a run now. Arguments replace the job's when Given.
	Run struct {
		Request   Request
		Job       string
		Arguments string
		Given     bool
	}
	// KillTasks kills the running tasks of a job.
	KillTasks struct {
		Request Request
		Job     string
	}
	// MarkSuccess counts a success without a run and fires the children.
	MarkSuccess struct {
		Request Request
		Job     string
	}
	// Progress adds to the elements that a run has processed.
	Progress struct {
		Request Request
		Job     string
		Task    mesos.TaskID
		Added   int64
	}

	// Subscribed says that the master accepted the subscription.
	Subscribed struct{ Framework mesos.FrameworkID }
	// Disconnected says that the subscription ended.
	Disconnected struct{}
	// Interrupted says that a call failed and may or may not have arrived.
	Interrupted struct{}
	// Offers brings resources to run tasks on.
	Offers struct{ Offers []*mesospb.Offer }
	// Update brings news of a task. An Acknowledge follows.
	Update struct{ Status *mesospb.TaskStatus }
	// Removed says that the master no longer takes the framework's id: the next
	// subscription is that of a new framework.
	Removed struct{}
)

func (Tick) event()         {}
func (Persisted) event()    {}
func (Put) event()          {}
func (Delete) event()       {}
func (Run) event()          {}
func (KillTasks) event()    {}
func (MarkSuccess) event()  {}
func (Progress) event()     {}
func (Subscribed) event()   {}
func (Disconnected) event() {}
func (Interrupted) event()  {}
func (Offers) event()       {}
func (Update) event()       {}
func (Removed) event()      {}
