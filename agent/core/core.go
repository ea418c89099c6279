package core

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Config says what an agent is. Info, Boot and Rand are required.
type Config struct {
	Info    *mesospb.AgentInfo // hostname, port, resources, attributes; no id. Must not be changed
	Version string             // told to the master
	Boot    string             // made anew each time the process starts
	IP      string             // in the container_status of updates
	Reached string             // where others reach the agent's API; empty leaves it to the master to see
	Rand    *rand.Rand         // makes the ids of containers and updates

	// Configured is what the operator said of resources and attributes,
	// whatever its form. While it stays the same, an agent that finds more or
	// less on its machine goes on with what it was admitted with.
	Configured string

	// Additive lets resources and attributes grow between two starts while
	// tasks run; otherwise they must not change.
	Additive bool

	// Limited tells that containers are held to their limits; tasks that set
	// limits of their own are refused otherwise.
	Limited bool
	Images  bool // containers can have images
	Groups  bool // containers can be nested in one that runs nothing: there is a default executor
	// HardCPU makes a task's cpus a quota and not only a weight (Mesos: --cgroups_enable_cfs).
	HardCPU bool
	// PIDs bounds the processes and threads of a container; 0: not here.
	PIDs int64

	// Registration is how long an executor that a framework brought may take to
	// subscribe after its container began; 0: 1 minute. Reregistration is the same
	// after a start of the agent; 0: 2 seconds.
	Registration, Reregistration time.Duration

	// ShutdownGrace is how long containers have after SIGTERM when their
	// framework or the agent ends; 0: 5 seconds.
	ShutdownGrace time.Duration
}

// An Agent is the state of one agent.
type Agent struct {
	cfg       Config
	info      *mesospb.AgentInfo // with id, once there is one
	recovered bool
	leaving   string // why the agent is ending, "" if it is not

	frameworks []*framework // in the order they came
	completed  []*framework // the last few that have nothing here any more
	containers map[mesos.ContainerID]*container

	holdings
	session  session
	seq      uint64    // of the last Checkpoint
	durable  uint64    // the last one that came back
	waiting  []waiting // what follows Checkpoints, in order
	effects  []Effect  // of the step under way
	counters Counters
	attempts uint64 // of probes
}

// New returns an agent that awaits Recovered.
func New(cfg Config) *Agent {
	if cfg.Info == nil || cfg.Rand == nil {
		panic("agent core: Config lacks Info or Rand")
	}
	if cfg.ShutdownGrace <= 0 {
		cfg.ShutdownGrace = 5 * time.Second
	}
	if cfg.Registration <= 0 {
		cfg.Registration = defaultRegistration
	}
	if cfg.Reregistration <= 0 {
		cfg.Reregistration = defaultReregistration
	}
	return &Agent{cfg: cfg, info: cfg.Info, containers: make(map[mesos.ContainerID]*container)}
}

// Step takes an event and returns what is to be done about it. The caller owns
// the slice.
func (a *Agent) Step(now time.Time, ev Event) []Effect {
	a.effects = nil
	if _, ok := ev.(Recovered); !ok && !a.recovered {
		panic(fmt.Sprintf("agent core: %T before Recovered", ev))
	}
	switch ev := ev.(type) {
	case Recovered:
		a.restore(now, ev)
	case Checkpointed:
		a.checkpointed(now, ev.Seq)
	case Connecting:
		a.connectLater(now, ev.Session)
	case Received:
		a.received(now, ev.Session, ev.Event)
	case Disconnected:
		a.disconnected(ev.Session)
	case Launched:
		a.launched(now, ev)
	case LaunchFailed:
		a.launchFailed(now, ev)
	case Exited:
		a.exited(now, ev)
	case Exceeded:
		a.exceeded(ev)
	case Destroyed:
		a.destroyed(now, ev.Container)
	case Probed:
		a.probed(now, ev)
	case ExecutorSubscribed:
		a.executorSubscribed(now, ev)
	case ExecutorCalled:
		a.executorCalled(now, ev)
	case ExecutorDisconnected:
		a.executorDisconnected(ev.Stream)
	case VolumesPrepared:
		a.volumesPrepared(now, ev)
	case Tick:
		a.tick(now)
	default:
		panic(fmt.Sprintf("agent core: unknown event %T", ev))
	}
	return a.effects
}

// Deadline is when Step next has something to do if nothing else happens.
func (a *Agent) Deadline() (at time.Time, ok bool) {
	var d deadline
	d.add(a.session.deadline())
	for t := range a.tasks() {
		d.add(t.resendDue())
		d.add(t.overdue())
		for _, p := range t.probes {
			d.add(p.deadline())
		}
	}
	for _, op := range a.operations {
		d.add(a.retry(op))
	}
	for _, f := range a.frameworks {
		for _, x := range f.executors {
			for c := range x.containers() {
				d.add(c.stop.deadline())
			}
			d.add(x.late())
		}
	}
	return d.at, d.ok
}

// tick does everything that is due.
func (a *Agent) tick(now time.Time) {
	a.checkSilence(now)
	a.tickOperations(now)
	for t := range a.tasks() {
		if at, ok := t.resendDue(); ok && !now.Before(at) {
			a.sendUpdate(t, t.stream.Tick(now))
		}
		if at, ok := t.overdue(); ok && !now.Before(at) {
			a.endOverdue(now, t)
		}
		a.probeDue(now, t)
	}
	for _, f := range a.frameworks {
		for _, x := range f.executors {
			if at, ok := x.late(); ok && !now.Before(at) {
				a.overslept(now, x)
			}
			for c := range x.containers() {
				a.escalate(now, c)
			}
		}
	}
}

func (a *Agent) emit(e Effect) { a.effects = append(a.effects, e) }

func (a *Agent) refuse(what, id, why string) {
	a.emit(Refused{What: what, ID: id, Why: why})
}

// id is the agent's, "" until a master has admitted it.
func (a *Agent) id() mesos.AgentID { return mesos.AgentID(a.info.GetId().GetValue()) }

// uuid makes a random UUID, version 4.
func (a *Agent) uuid() [16]byte {
	var u [16]byte
	for i := 0; i < len(u); i += 8 {
		x := a.cfg.Rand.Uint64()
		for j := range 8 {
			u[i+j] = byte(x >> (8 * j))
		}
	}
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

func (a *Agent) newContainerID() mesos.ContainerID {
	u := a.uuid()
	return mesos.ContainerID(fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]))
}

// deadline is the earliest of several.
type deadline struct {
	at time.Time
	ok bool
}

func (d *deadline) add(at time.Time, ok bool) {
	if ok && (!d.ok || at.Before(d.at)) {
		d.at, d.ok = at, true
	}
}
