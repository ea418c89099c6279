package containerizer

import (
	"context"
	"errors"
	"syscall"
	"time"
)

var (
	// ErrUnknown says that no container has this id: it was never launched, or
	// was destroyed.
	ErrUnknown = errors.New("no such container")

	// ErrExists says that the id is taken by a container not yet destroyed.
	ErrExists = errors.New("container exists already")

	// ErrNoParent says that the container to nest another one in does not run.
	ErrNoParent = errors.New("the parent container does not run")

	// ErrNoInput says that a container was launched without the standard input or
	// terminal that is wanted, or that it was closed, or that its other end went
	// with an agent that was restarted.
	ErrNoInput = errors.New("the container has no standard input")
)

// A Containerizer runs containers on one machine. See the package comment for
// the life of a container.
type Containerizer interface {
	// Recover adopts the known containers after a start of the agent, destroys
	// all others and returns those that still run. It must be called before
	// anything else. Afterwards Wait answers for every known id.
	Recover(ctx context.Context, known []string) (alive []string, err error)

	// Launch starts a container and returns when its command runs. The error of
	// a failed launch is one sentence for the user who wrote the command, and
	// nothing of the container remains.
	Launch(ctx context.Context, c Config) (Status, error)

	// Wait blocks until the container has ended and says how. A container
	// destroyed meanwhile ends, too. Afterwards it is ErrUnknown.
	Wait(ctx context.Context, id string) (Termination, error)

	// Signal sends sig to every process of a running container, its first
	// process included. It does nothing to a container that has ended.
	Signal(ctx context.Context, id string, sig syscall.Signal) error

	// Update replaces the limits of a running container. A memory limit is
	// raised at once and never lowered below what is in force, as in Mesos.
	Update(ctx context.Context, id string, l Limits) error

	// Stats measures a running container. Of one that has ended it reports
	// what is left to be known.
	Stats(ctx context.Context, id string) (Statistics, error)

	// Input writes to the standard input of a container that was launched with
	// one. No data closes it, or is the end of a line of input to a terminal. It
	// is ErrNoInput where there is none.
	Input(ctx context.Context, id string, data []byte) error

	// Resize tells a container with a terminal the size of the user's.
	Resize(ctx context.Context, id string, w Window) error

	// Destroy kills a container, cleans up after it and forgets it, its exit
	// record included. Of one that is gone: nil.
	Destroy(ctx context.Context, id string) error
}

// Config describes a container to launch.
type Config struct {
	ID          string      `json:"id"` // letters, digits and _ + . -; at most 200 of them
	Command     Command     `json:"command"`
	Sandbox     string      `json:"sandbox"` // absolute; exists; receives stdout and stderr
	Limits      Limits      `json:"limits"`
	Hostname    string      `json:"hostname,omitempty"` // "": the machine's; needs a containerizer that isolates
	Mounts      []Mount     `json:"mounts,omitempty"`   // at most 100
	Rootfs      *Rootfs     `json:"rootfs,omitempty"`   // nil: the machine's files
	Network     string      `json:"network,omitempty"`  // file of the network namespace to enter; "": the machine's
	Confinement Confinement `json:"confinement,omitzero"`

	// Idle says that there is no Command: the container is for others to be nested
	// in, and ends when it is killed.
	Idle bool `json:"idle,omitempty"`

	// Parent is the id of a running container that this one is nested in: it
	// enters the other's namespaces and sees its files. Without Limits of its own
	// it is in the other's cgroup; with them it has a cgroup beside that. "": none.
	Parent string `json:"parent,omitempty"`

	// Apart says of a nested container that it has files, volumes and confinement
	// like one that is not; of Parent it has only the network and host name, unless
	// it has a Network, the process ids unless OwnPIDs, and with ShareIPC the IPC.
	Apart   bool `json:"apart,omitempty"`
	OwnPIDs bool `json:"own_pids,omitempty"` // only when nested: process ids of its own below those of Parent
	Inherit bool `json:"inherit,omitempty"`  // only when nested: Command.Env is added to the environment of Parent

	Stdin bool    `json:"stdin,omitempty"` // Input writes to it; it ends with the agent. Otherwise it is empty
	TTY   *Window `json:"tty,omitempty"`   // a terminal is stdin, stdout and stderr; what it shows goes to the file stdout
}

// Window is the size of a terminal, in characters.
type Window struct {
	Rows    uint16 `json:"rows"`
	Columns uint16 `json:"columns"`
}

// Command is what a container runs.
type Command struct {
	Shell   bool     `json:"shell"`             // run Value with /bin/sh -c
	Value   string   `json:"value"`             // shell text, or a program: a path, or a name looked up in PATH of Env
	Args    []string `json:"args,omitempty"`    // not for a shell: argv, the program's name first; empty means just Value
	Env     []string `json:"env,omitempty"`     // KEY=value; nothing is inherited from the agent
	User    string   `json:"user,omitempty"`    // a name or number; "": the agent's own user, or when nested that of the parent
	WorkDir string   `json:"workdir,omitempty"` // absolute, or relative to the sandbox; "": the sandbox
}

// Limits bound what a container may use. Zero means none of this kind.
type Limits struct {
	CPURequest int64 `json:"cpu_request,omitempty"` // thousandths of a CPU: its weight when CPUs are scarce
	CPULimit   int64 `json:"cpu_limit,omitempty"`   // thousandths of a CPU: a hard quota
	MemRequest int64 `json:"mem_request,omitempty"` // bytes: a soft limit, and the hard one unless MemLimit is set
	MemLimit   int64 `json:"mem_limit,omitempty"`   // bytes; Unlimited lifts the hard limit
	PIDs       int64 `json:"pids,omitempty"`        // processes and threads; 0 means the containerizer's default
}

// Unlimited as a MemLimit asks for no hard limit although MemRequest is set.
const Unlimited int64 = -1

// Status describes a container that has just been launched.
type Status struct {
	PID     int       `json:"pid"` // of the container's first process, as the machine sees it
	Started time.Time `json:"started"`
	Cgroup  string    `json:"cgroup,omitempty"` // path below the hierarchy's root; "" when there is none
}

// Reasons why a Termination's status is not known.
const (
	Lost   = "lost"   // the container or its shim vanished without a record
	Reboot = "reboot" // the machine was restarted while it ran
)

// Termination says how a container ended.
type Termination struct {
	Status  int       `json:"status"` // raw wait status; see Exited and Signaled
	Known   bool      `json:"known"`  // false: Status says nothing, and Reason says why
	OOM     bool      `json:"oom,omitempty"`
	MemPeak int64     `json:"mem_peak,omitempty"` // bytes; 0 when not measured
	Reason  string    `json:"reason,omitempty"`   // Lost, Reboot, why a launch nobody waited for failed; "" when Known
	When    time.Time `json:"when"`               // when the end was recorded
}

// Exited returns the exit code of a container that ended by itself.
func (t Termination) Exited() (code int, ok bool) {
	ws := syscall.WaitStatus(t.Status)
	if !t.Known || !ws.Exited() {
		return 0, false
	}
	return ws.ExitStatus(), true
}

// Signaled returns the signal that ended a container.
func (t Termination) Signaled() (sig syscall.Signal, ok bool) {
	ws := syscall.WaitStatus(t.Status)
	if !t.Known || !ws.Signaled() {
		return 0, false
	}
	return ws.Signal(), true
}

// Statistics are measurements of one container, named after the fields of
// Mesos' ResourceStatistics. What was not measured is zero.
type Statistics struct {
	Time time.Time `json:"time"`

	Processes int64 `json:"processes,omitempty"`
	Threads   int64 `json:"threads,omitempty"`

	CPUUser          time.Duration `json:"cpu_user,omitempty"`
	CPUSystem        time.Duration `json:"cpu_system,omitempty"`
	CPURequest       int64         `json:"cpu_request,omitempty"` // thousandths; cpus_soft_limit
	CPULimit         int64         `json:"cpu_limit,omitempty"`   // thousandths; 0: none
	CPUPeriods       int64         `json:"cpu_periods,omitempty"` // of the quota
	CPUThrottled     int64         `json:"cpu_throttled,omitempty"`
	CPUThrottledTime time.Duration `json:"cpu_throttled_time,omitempty"`

	MemTotal       int64 `json:"mem_total,omitempty"` // bytes, as are all below
	MemPeak        int64 `json:"mem_peak,omitempty"`
	MemAnon        int64 `json:"mem_anon,omitempty"` // what Mesos calls rss, too
	MemFile        int64 `json:"mem_file,omitempty"` // what Mesos calls cache, too
	MemMapped      int64 `json:"mem_mapped,omitempty"`
	MemSwap        int64 `json:"mem_swap,omitempty"`
	MemUnevictable int64 `json:"mem_unevictable,omitempty"`
	MemLimit       int64 `json:"mem_limit,omitempty"`
	MemSoftLimit   int64 `json:"mem_soft_limit,omitempty"`
	MemAndSwap     int64 `json:"mem_and_swap,omitempty"`

	Traffic  *Traffic  `json:"traffic,omitempty"`
	Blocks   []BlockIO `json:"blocks,omitempty"`
	Pressure *Pressure `json:"pressure,omitempty"`
}
