package core

import (
	"time"

	"github.com/soukproject/souk/proto/mesos"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	executorpb "github.com/soukproject/souk/proto/mesos/v1/executor"
)

// An Effect is anything the agent wants done. The shell begins effects in the
// order given; none of them blocks.
type Effect interface{ effect() }

// A Run is one life of an executor, or of a task of the default executor, whose
// container is nested in that one's; its sandbox bears these names.
type Run struct {
	Agent     mesos.AgentID
	Framework mesos.FrameworkID
	Executor  mesos.ExecutorID
	Container mesos.ContainerID
}

// A Signal is what a container can be told.
type Signal int

// The signals: Terminate asks a task to end, Kill ends it.
const (
	Terminate Signal = iota
	Kill
)

// String names the signal as kernels do.
func (s Signal) String() string {
	if s == Kill {
		return "SIGKILL"
	}
	return "SIGTERM"
}

type (
	// Checkpoint asks for records to be made durable, in this order and all or
	// none; Checkpointed{Seq} comes back, or the process ends.
	Checkpoint struct {
		Seq     uint64
		Records []*checkpointpb.Record
	}

	// Launch starts a container for a task or for an executor that a framework
	// brought: one of Task and Executor is set. Of a default executor (see Idle) it
	// runs nothing, and those of its tasks are launched in it. Launched or
	// LaunchFailed comes back, and after Launched, once, Exited. The messages must not
	// be changed.
	Launch struct {
		Run       Run
		Framework *mesospb.FrameworkInfo
		Task      *mesospb.TaskInfo
		Executor  *mesospb.ExecutorInfo
		Waiting   []*mesospb.TaskInfo // tasks that the executor is launched for
		Role      string              // that its resources are allocated to
		Limits    Limits
	}
	// Probe asks a running task how it is. Probed comes back, in any case and within
	// the timeout or little more.
	Probe struct {
		Run     Run
		PID     uint32 // of the task, as the host sees it
		Number  uint64
		Target  Target
		Timeout time.Duration // 0: none
	}
	// Resize replaces the limits of a running container.
	Resize struct {
		Container mesos.ContainerID
		Limits    Limits
	}
	// Abort says that nobody wants a container any more for which Launch was asked.
	// It is launched nevertheless if it is late for that; otherwise LaunchFailed
	// comes back sooner.
	Abort struct{ Container mesos.ContainerID }
	// Await asks for Exited of a container that an earlier agent launched.
	Await struct{ Container mesos.ContainerID }
	// SendSignal sends a signal to all processes of a container.
	SendSignal struct {
		Container mesos.ContainerID
		Signal    Signal
	}
	// Destroy kills a container if it runs, cleans up after it and forgets it,
	// exit record included. Destroyed comes back.
	Destroy struct{ Container mesos.ContainerID }

	// PrepareVolumes asks for the folders of volumes, which are made empty or
	// removed with all they hold; VolumesPrepared comes back. It may ask again for
	// what was done already.
	PrepareVolumes struct {
		Operation      string // its uuid
		Create, Remove resources.Resources
	}

	// Subscribe opens a session at the leading master.
	Subscribe struct {
		Session   Session
		Subscribe *linkpb.Subscribe
	}
	// Send tells the master something; its Seq is set.
	Send struct {
		Session Session
		Message *linkpb.Message
	}
	// Disconnect ends a session; Disconnected comes back.
	Disconnect struct {
		Session Session
		Why     string
	}

	// Reply answers a call of an executor, or its wish to subscribe: an HTTP
	// status, and the text that goes with a refusal.
	Reply struct {
		Stream Stream
		Code   int
		Text   string
	}
	// Tell sends an event to an executor.
	Tell struct {
		Stream Stream
		Event  *executorpb.Event
	}
	// HangUp ends the stream of an executor.
	HangUp struct{ Stream Stream }

	// CollectGarbage says that a sandbox is of use to nobody but readers of its files.
	CollectGarbage struct{ Run Run }

	// Exit ends the agent for good. Restarting it does not help unless Why says so.
	Exit struct{ Why string }

	// Refused records something the agent met and did not do: a task it knows
	// already, a message of a session gone by.
	Refused struct{ What, ID, Why string }
)

func (Checkpoint) effect()     {}
func (Launch) effect()         {}
func (Probe) effect()          {}
func (Resize) effect()         {}
func (Reply) effect()          {}
func (Tell) effect()           {}
func (HangUp) effect()         {}
func (Abort) effect()          {}
func (Await) effect()          {}
func (SendSignal) effect()     {}
func (Destroy) effect()        {}
func (PrepareVolumes) effect() {}
func (Subscribe) effect()      {}
func (Send) effect()           {}
func (Disconnect) effect()     {}
func (CollectGarbage) effect() {}
func (Exit) effect()           {}
func (Refused) effect()        {}

// A Target is what a Probe tries: a command in the task's container if there is
// one, an URL if there is a scheme, or else whether a port takes connections.
type Target struct {
	Command *mesospb.CommandInfo
	Scheme  string // http or https
	Port    uint32 // of the task's own loopback
	Path    string
	IPv6    bool
}

// Idle reports whether a container runs nothing: it is what others are nested in.
func (l Launch) Idle() bool { return l.Executor.GetType() == mesospb.ExecutorInfo_DEFAULT }

// Command is what the container runs.
func (l Launch) Command() *mesospb.CommandInfo {
	if l.Executor != nil {
		return l.Executor.GetCommand()
	}
	return l.Task.GetCommand()
}

// Container is what was said of the container; nil if nothing was.
func (l Launch) Container() *mesospb.ContainerInfo {
	if l.Executor != nil {
		return l.Executor.GetContainer()
	}
	return l.Task.GetContainer()
}
