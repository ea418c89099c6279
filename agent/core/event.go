package core

import (
	"time"

	"github.com/soukproject/souk/proto/mesos"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// Session names one attempt to subscribe at a master and what follows from it;
// the shell mints them, never twice. 0 is none.
type Session uint64

// An Event is anything the agent learns: a message of the master, a container
// that ended, a finished write, the passing of time.
type Event interface{ event() }

type (
	// Recovered comes first and once: what was stored, and which of the
	// containers named there still run. See Containers.
	Recovered struct {
		Records  []*checkpointpb.Record // the last one of each object, none gone
		Alive    []mesos.ContainerID
		Networks map[mesos.ContainerID][]*mesospb.NetworkInfo // of those that have their own
		Rebooted bool                                         // the machine was restarted since the records were written
	}

	// Checkpointed says that all Checkpoints up to Seq are durable.
	Checkpointed struct{ Seq uint64 }

	// Connecting asks what to subscribe with; answered with Subscribe.
	Connecting struct{ Session Session }
	// Received carries the next event of the master, which may have come before.
	Received struct {
		Session Session
		Event   *linkpb.Event
	}
	// Disconnected ends a session, or an attempt that did not come to be one.
	Disconnected struct{ Session Session }

	// Launched says that a container's command runs.
	Launched struct {
		Container mesos.ContainerID
		PID       uint32                 // as the host sees it
		Networks  []*mesospb.NetworkInfo // nil: the host's
	}
	// LaunchFailed says that nothing of a container remains, and why in a sentence.
	LaunchFailed struct {
		Container mesos.ContainerID
		Why       string
		Sandbox   bool // it was the sandbox that could not be made; nothing was tried beyond
	}
	// Exited says how a container ended.
	Exited struct {
		Container mesos.ContainerID
		End       End
	}
	// Exceeded says that a running container has more than it may have, of what the
	// kernel does not hold it to. It may be said again until the container has ended.
	Exceeded struct {
		Container mesos.ContainerID
		Reason    mesospb.TaskStatus_Reason
		Why       string              // in a sentence, with the numbers
		Resources []*mesospb.Resource // those it had too little of; must not be changed
	}
	// Destroyed says that a container is cleaned up and forgotten.
	Destroyed struct{ Container mesos.ContainerID }

	// Probed is the outcome of a Probe.
	Probed struct {
		Container mesos.ContainerID
		Number    uint64
		Outcome   Outcome
	}

	// ExecutorSubscribed asks to begin an executor's stream; answered with a Reply,
	// and after 200 with what is told on it.
	ExecutorSubscribed struct {
		Stream Stream
		Call   *executorpb.Call
	}
	// ExecutorCalled is any other call of an executor; answered with a Reply.
	// Request is minted like a Stream.
	ExecutorCalled struct {
		Request Stream
		Call    *executorpb.Call
	}
	// ExecutorDisconnected is the end of a stream, whoever ended it.
	ExecutorDisconnected struct{ Stream Stream }

	// VolumesPrepared says that the folders of an operation are as it wants them,
	// or why not; then they are as they were.
	VolumesPrepared struct{ Operation, Why string }

	// Tick says that a Deadline has passed.
	Tick struct{}
)

// An Outcome is what came of a Probe.
type Outcome struct {
	Done      bool   // it came to an end in time
	Exit      int32  // exit status of a command
	Status    uint32 // HTTP status
	Connected bool   // a port took the connection
	Why       string // what went wrong, in a sentence; "" if nothing did
}

// An End says how a container ended.
type End struct {
	Known    bool   // whether anybody saw it end
	Exit     int    // exit status, when Signal is ""
	Signal   string // what terminated it, in words: "Killed"
	Status   int32  // the raw wait status
	OOM      bool   // it went beyond its memory limit
	MemPeak  int64  // bytes; 0 when not measured
	Rebooted bool   // not Known because the machine was restarted
}

func (Recovered) event()       {}
func (Checkpointed) event()    {}
func (Connecting) event()      {}
func (Received) event()        {}
func (Disconnected) event()    {}
func (Launched) event()        {}
func (LaunchFailed) event()    {}
func (Exited) event()          {}
func (Exceeded) event()        {}
func (Destroyed) event()       {}
func (VolumesPrepared) event() {}
func (Tick) event()            {}

func (Probed) event()               {}
func (ExecutorSubscribed) event()   {}
func (ExecutorCalled) event()       {}
func (ExecutorDisconnected) event() {}

// stamp is t as records have it.
func stamp(t time.Time) int64 { return t.UnixNano() }

// unstamp is the reverse.
func unstamp(ns int64) time.Time { return time.Unix(0, ns) }
