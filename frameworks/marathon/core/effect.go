package core

import (
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// An Effect is something the scheduler wants done.
type Effect interface{ effect() }

type (
	// Persist asks for records to be written, all or none, in the order of Seq.
	// Persisted{Seq} must follow; a failed write ends the process.
	Persist struct {
		Seq uint64
		Ops []Op
	}
	// Accept launches tasks on an offer. What is left of it may be offered again at once.
	Accept struct {
		OfferID string
		Tasks   []*mesospb.TaskInfo
	}
	// Decline turns offers away for a while.
	Decline struct {
		OfferIDs []string
		Refuse   time.Duration
	}
	// Kill asks for a task to be killed.
	Kill struct{ TaskID, AgentID string }
	// Reconcile asks for the states of tasks; of all of them when there are none.
	Reconcile struct{ Tasks []TaskRef }
	// Suppress stops offers until Revive.
	Suppress struct{}
	// Revive asks for offers, also for those declined before.
	Revive struct{}
	// Resign ends the process: the next one subscribes as a new framework.
	Resign struct{}
	// Acknowledge says that the Updated with Token is stored.
	Acknowledge struct{ Token uint64 }
	// Reply answers the Command with Token. Err is nil, *Refusal, *spec.Problems.
	Reply struct {
		Token  uint64
		Result Result
		Err    error
	}
	// Publish sends an event to those who listen on /v2/events.
	Publish struct {
		Type string
		Data any // a struct of this package, to be written as JSON
	}
	// Probe asks for one run of a health check. Probed must follow.
	Probe struct {
		TaskID  string
		Index   int
		Address string // host:port
		Check   spec.HealthCheck
	}
)

// A TaskRef names a task and where it was last seen.
type TaskRef struct{ TaskID, AgentID string }

// An Op sets a record, or deletes it.
type Op struct {
	Name   string
	Value  []byte
	Delete bool
}

// Result is the answer to a request that was granted.
type Result struct {
	Version      spec.Timestamp // of the tree of apps
	DeploymentID string         // "" when no deployment began
	Created      bool           // the one app asked for did not exist before
	App          AppInfo        // of CreateApp
	Tasks        []Task         // of KillTasks
}

func (Persist) effect()     {}
func (Accept) effect()      {}
func (Decline) effect()     {}
func (Kill) effect()        {}
func (Reconcile) effect()   {}
func (Suppress) effect()    {}
func (Revive) effect()      {}
func (Resign) effect()      {}
func (Acknowledge) effect() {}
func (Reply) effect()       {}
func (Publish) effect()     {}
func (Probe) effect()       {}
