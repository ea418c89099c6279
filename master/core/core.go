// Package core decides everything the master decides: which agents and
// frameworks there are, what is offered to whom, which tasks run, what is told
// to whom. It is a state machine: events in, effects out, time an argument. It
// does not talk, store, log, or start anything; package master does.
//
// A Master is used by one goroutine. A Snapshot may be read by many.
package core

import (
	"cmp"
	"math/rand/v2"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Defaults of Mesos 1.11 (mesos-api 20.1).
const (
	DefaultAgentPingTimeout       = 15 * time.Second
	DefaultMaxAgentPingTimeouts   = 5
	DefaultAgentReregisterTimeout = 10 * time.Minute
	DefaultAllocationInterval     = time.Second
	DefaultMaxCompletedFrameworks = 50
	DefaultMaxCompletedTasks      = 1000
	DefaultMaxUnreachableTasks    = 1000
	DefaultRegistryGCInterval     = 15 * time.Minute
	DefaultRegistryMaxAgentAge    = 14 * 24 * time.Hour
	DefaultRegistryMaxAgentCount  = 102400
	DefaultRecoveryFactor         = 0.8 // of the agents, until which nothing is offered when there is quota
	DefaultRecoveryTimeout        = 10 * time.Minute
	HeartbeatInterval             = 15 * time.Second // announced to schedulers; the shell sends the heartbeats
	maxRefusal                    = 365 * 24 * time.Hour
	defaultRefusal                = 5 * time.Second
)

// Config is what a master is told at its start. Zero values mean Mesos' defaults.
type Config struct {
	MasterID  string              // prefix of every id minted
	Info      *mesospb.MasterInfo // what schedulers are told; nil: nothing
	Allocator allocator.Allocator
	// Optimist is Allocator if it shows the same resources to several frameworks,
	// and nil if offers are exclusive.
	Optimist allocator.Optimist
	Rand     *rand.Rand // seeded by the caller; nil: a fixed seed

	OfferTimeout           time.Duration // until an unanswered offer is rescinded; 0: never
	AgentPingTimeout       time.Duration
	MaxAgentPingTimeouts   int
	AgentReregisterTimeout time.Duration
	AllocationInterval     time.Duration

	// AgentRemovalInterval is the least time between two agents that are marked
	// unreachable; 0: none.
	AgentRemovalInterval time.Duration
	// RecoveryAgentMinimum is the least part of the agents in the registry that must
	// come back to a new leader in time; if fewer do, it ends. 0: none.
	RecoveryAgentMinimum float64

	RequireAgentDomain     bool      // refuse agents that do not say where they are
	Whitelist              Whitelist // of agents; replaced by Whitelisted
	Roles                  []string  // whitelist; empty: any role
	RootSubmissions        bool      // false: frameworks of user root are refused
	MaxCompletedFrameworks int       // this and the next four: 0 keeps none
	MaxCompletedTasks      int       // per framework
	MaxUnreachableTasks    int       // per framework

	RegistryGCInterval    time.Duration
	RegistryMaxAgentAge   time.Duration
	RegistryMaxAgentCount int

	// PreemptFor are the top-level roles for whose guarantees tasks of others may be
	// asked to leave, when they have not been met for PreemptAfter; each gets its own
	// grace to end, and at least PreemptGrace.
	PreemptFor                 []string
	PreemptAfter, PreemptGrace time.Duration

	// With quota, a new leader offers nothing before this part of the agents is
	// back, or this time is over.
	AllocatorRecoveryFactor  float64
	AllocatorRecoveryTimeout time.Duration
}

func (c Config) withDefaults() Config {
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(1, 1))
	}
	c.AgentPingTimeout = cmp.Or(c.AgentPingTimeout, DefaultAgentPingTimeout)
	c.MaxAgentPingTimeouts = cmp.Or(c.MaxAgentPingTimeouts, DefaultMaxAgentPingTimeouts)
	c.AgentReregisterTimeout = cmp.Or(c.AgentReregisterTimeout, DefaultAgentReregisterTimeout)
	c.AllocationInterval = cmp.Or(c.AllocationInterval, DefaultAllocationInterval)
	c.RegistryGCInterval = cmp.Or(c.RegistryGCInterval, DefaultRegistryGCInterval)
	c.AllocatorRecoveryFactor = cmp.Or(c.AllocatorRecoveryFactor, DefaultRecoveryFactor)
	c.AllocatorRecoveryTimeout = cmp.Or(c.AllocatorRecoveryTimeout, DefaultRecoveryTimeout)
	return c
}

// A Master is the state of a master and the rules it changes by. See New.
type Master struct {
	cfg     Config
	now     time.Time // of the step being taken
	out     []Effect  // of the step being taken
	elected time.Time // zero until this master leads
	timers  timers
	count   counters

	writes uint64           // registry writes asked for
	wanted map[uint64]Event // what follows a write, by its number

	agents        map[mesos.AgentID]*agent // admitted ones: registered or recovered
	agentOf       []*agent                 // by handle, which is the order they came in; nil if gone
	byPID         map[string]*agent        // registered ones, the newest of each address
	sessions      map[Session]*session
	changing      map[mesos.AgentID]*change // agents whose registry entry is being written
	admitting     map[string]mesos.AgentID  // new agents that have not registered yet, by address
	unreachable   map[mesos.AgentID]*lostAgent
	gone          map[mesos.AgentID]time.Time
	removedAgents map[mesos.AgentID]bool // by this master
	removedOrder  []mesos.AgentID        // of those, the first removed first
	settling      []*agent               // draining ones that may be done; empty between steps
	recovering    int                    // agents that are recovered and not back
	inherited     int                    // agents that the registry held; theirs are the first handles
	agentIDs      uint64                 // minted

	frameworks       map[mesos.FrameworkID]*framework // completed ones too
	frameworkOf      map[uint32]*framework
	order            []*framework // those not completed, oldest first
	strays           int          // those of which only agents have told
	completed        []*framework // oldest first
	streams          map[Stream]*framework
	frameworkIDs     uint64
	frameworkHandles uint32

	operations  map[operationID]*operation
	operationOf map[operationName]*operation // those whose status is wanted

	offers   map[uint64]*offer
	offerIDs uint64
	tasks    *taskTable
	weights  []Weight // by role

	maintenance       *maintenance // in force
	wantedMaintenance *maintenance // with what is being written
	maintenanceWrite  uint64       // that brought what is in force
	inverse           allocator.InverseAllocator
	inverseOffers     map[uint64]*inverseOffer

	quotas       quotas // those that count
	wantedQuotas quotas // with those being written
	paused       bool   // nothing is offered yet
	quorum       int    // registered agents that end the pause
	preemption   preemption

	orphans   map[mesos.FrameworkID]orphan // frameworks whose schedulers are away, with those being written
	welcoming map[Stream]bool              // of schedulers that are back, while that is written

	condemned []*agent  // to be marked unreachable, oldest first, when the rate allows
	removed   time.Time // when the last one was marked
	failed    string    // why this master must end, "" if it must not
}

// New makes a master that knows nothing and serves nobody until it is Elected.
func New(cfg Config) *Master {
	cfg = cfg.withDefaults()
	return &Master{
		cfg:           cfg,
		timers:        newTimers(),
		count:         newCounters(),
		wanted:        map[uint64]Event{},
		agents:        map[mesos.AgentID]*agent{},
		agentOf:       make([]*agent, 1),
		byPID:         map[string]*agent{},
		sessions:      map[Session]*session{},
		changing:      map[mesos.AgentID]*change{},
		admitting:     map[string]mesos.AgentID{},
		unreachable:   map[mesos.AgentID]*lostAgent{},
		gone:          map[mesos.AgentID]time.Time{},
		removedAgents: map[mesos.AgentID]bool{},
		frameworks:    map[mesos.FrameworkID]*framework{},
		frameworkOf:   map[uint32]*framework{},
		streams:       map[Stream]*framework{},
		operations:    map[operationID]*operation{},
		operationOf:   map[operationName]*operation{},
		offers:        map[uint64]*offer{},
		maintenance:   newMaintenance(nil), wantedMaintenance: newMaintenance(nil),
		inverse: inverseAllocator(cfg), inverseOffers: map[uint64]*inverseOffer{},
		quotas: quotas{}, wantedQuotas: quotas{}, preemption: newPreemption(),
		orphans: map[mesos.FrameworkID]orphan{}, welcoming: map[Stream]bool{},
		tasks: newTaskTable(cfg.Rand.Uint64()),
	}
}

// inverseAllocator is the policy itself, if it has an opinion on maintenance.
func inverseAllocator(cfg Config) allocator.InverseAllocator {
	if policy, ok := cfg.Allocator.(allocator.InverseAllocator); ok {
		return policy
	}
	return allocator.NewInverse(cfg.AllocationInterval)
}

// Step takes in one event and returns what is to be done about it, in order.
// The event and all it refers to belong to the master afterwards and are not
// changed by it; the effects belong to the caller, who must not change the
// messages in them. A time before that of an earlier step counts as that one.
func (m *Master) Step(now time.Time, ev Event) []Effect {
	m.out = nil
	if now.After(m.now) {
		m.now = now
	}
	switch {
	case m.failed != "":
		return nil
	case m.elected.IsZero():
		m.beforeElection(ev)
		return m.out
	}
	switch ev := ev.(type) {
	case Persisted:
		m.persisted(ev)
	case AgentSubscribed:
		m.agentSubscribed(ev)
	case AgentSent:
		m.agentSent(ev)
	case AgentDisconnected:
		m.agentDisconnected(ev)
	case Subscribed:
		m.subscribed(ev)
	case Called:
		m.called(ev)
	case Disconnected:
		m.disconnected(ev)
	case Operated:
		m.operated(ev)
	case Whitelisted:
		m.whitelisted(ev)
	case Tick:
		m.tick()
	}
	if m.failed == "" {
		m.finishDrains()
		m.rescindStale()
		m.allocate()
	}
	return m.out
}

// Deadline reports when Step next has something to do if nothing else happens.
func (m *Master) Deadline() (at time.Time, ok bool) {
	if m.elected.IsZero() || m.failed != "" {
		return time.Time{}, false
	}
	at, ok = m.timers.next()
	if next, some := m.cfg.Allocator.Deadline(); some && !m.paused && (!ok || next.Before(at)) {
		return next, true
	}
	return at, ok
}

// do adds to what is to be done.
func (m *Master) do(e ...Effect) { m.out = append(m.out, e...) }

// refuse records something that was not done.
func (m *Master) refuse(what, id, why string) { m.do(Refused{What: what, ID: id, Why: why}) }

// tick does what is due.
func (m *Master) tick() {
	questions := map[*framework][]*mesospb.InverseOffer{}
	defer func() { m.sendQuestions(questions) }()
	for m.failed == "" {
		due, ok := m.timers.pop(m.now)
		if !ok {
			return
		}
		switch due.kind {
		case pingTimer:
			m.ping(m.agentOf[uint32(due.subject)])
		case reregisterTimer:
			m.neverBack(m.agentOf[uint32(due.subject)])
		case failoverTimer:
			m.failoverTimedOut(m.frameworkOf[uint32(due.subject)])
		case offerTimer:
			m.offerTimedOut(due.subject)
		case registryTimer:
			m.pruneRegistry()
		case preemptTimer:
			m.preempt()
		case resumeTimer:
			m.resume()
		case inverseTimer:
			m.ask(m.agentOf[uint32(due.subject)], questions)
		case orphanTimer:
			m.orphanTimedOut(m.frameworkOf[uint32(due.subject)])
		case removalTimer:
			m.removeCondemned()
		case recoveryTimer:
			m.recoveryOver()
		}
	}
}
