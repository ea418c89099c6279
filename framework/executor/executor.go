// Package executor is the SDK for executors: implement Executor, hand it to Run
// in the program that ExecutorInfo.command names, and report through the Session
// that its methods get.
//
// It owns the subscription at the agent: it reads where that is from the
// environment, subscribes again after the agent was restarted, and keeps tasks
// and updates until the agent has stored them. It speaks the v1 executor API, so
// that any Mesos-compatible agent will do. It does not own processes: how a task
// runs is the Executor's business.
//
// An Executor's methods are called one at a time from Run's goroutine. A Session
// may be used from any goroutine.
package executor

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/callevent"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// An Executor runs tasks. Its methods are called in the order the agent sent the
// events and should return soon: start the work, and report what comes of it with
// Session.Update. An error ends Run, which returns it.
type Executor interface {
	// Launch starts a task. Until an update says otherwise, it is staging.
	Launch(ctx context.Context, s *Session, task *mesospb.TaskInfo) error
	// Kill ends a task, which may be over already; policy may be nil.
	Kill(ctx context.Context, s *Session, task *mesospb.TaskID, policy *mesospb.KillPolicy) error
}

// The interfaces below are for events that not every executor cares about. An
// Executor that implements one gets its events; otherwise they are dropped.
type (
	// A Subscriber is told who it is after each subscription, the first and those
	// after the agent was away.
	Subscriber interface {
		Subscribed(ctx context.Context, s *Session, e *executorpb.Event_Subscribed) error
	}

	// A GroupLauncher starts the tasks of a group together. Without it they are
	// given to Launch one after another.
	GroupLauncher interface {
		LaunchGroup(ctx context.Context, s *Session, tasks []*mesospb.TaskInfo) error
	}

	// A Messenger gets what the scheduler sends to the executor.
	Messenger interface {
		Message(ctx context.Context, s *Session, data []byte) error
	}

	// A Stopper ends everything: the agent kills what is left when ctx ends. Run
	// returns nil when it has, and its updates are stored.
	Stopper interface {
		Shutdown(ctx context.Context, s *Session) error
	}
)

// An Error is a call's refusal by the agent: HTTP status and text.
type Error = callevent.Error

// Config says where the agent is and who the executor. FromEnvironment reads it.
type Config struct {
	Agent     string // host:port
	Framework string // id
	Executor  string // id

	// Checkpoint: the executor outlives its agent. It tries to subscribe again for
	// as long as Recovery after the connection was lost, and waits at random before
	// each attempt, up to half of Backoff: an agent that waits for executors waits
	// that long, and hears of this one in time. Without it, Run ends with the connection.
	Checkpoint bool
	Recovery   time.Duration
	Backoff    time.Duration
	Grace      time.Duration // between SHUTDOWN and the agent's patience

	Token string       // for agents that authenticate executors; "": none
	JSON  bool         // JSON on the wire instead of protobuf
	HTTP  *http.Client // nil: one of Run's own
	Log   *zap.Logger  // nil: silent
}
