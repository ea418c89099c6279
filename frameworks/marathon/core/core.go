// Package core decides everything the service scheduler decides: which
// definitions hold, what a deployment does next, which offer runs which
// instance, what is killed, retried or forgotten. It is a state machine:
// events in, effects out, no clock, no goroutine, no I/O of its own; equal
// events give equal effects.
//
// What must be durable first is written before anything that depends on it is
// said: effects wait in an outbox until every Persist before them is done. In
// particular an instance is stored before the offer it uses is accepted, so a
// crash at any point neither loses nor doubles one.
//
// It does not parse requests, keep connections or know where records live.
package core

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// Config holds the settings of a scheduler. DefaultConfig has Marathon's values.
type Config struct {
	Rules spec.Rules
	// Rand is the source of ids and of every other choice left to chance. Required.
	Rand *rand.Rand
	// ResourceRoles is the default of acceptedResourceRoles: any, unreserved or reserved.
	ResourceRoles string
	// EnvVarsPrefix precedes HOST and the PORT variables.
	EnvVarsPrefix string
	// User runs tasks whose definition names none; "" leaves it to the framework's.
	User string
	// ScarceGPUs keeps apps that want no GPU off agents that have some.
	ScarceGPUs bool
	// SuppressOffers stops offers while nothing waits for one.
	SuppressOffers bool

	MaxApps               int // 0: no limit
	MaxRunningDeployments int
	MaxVersions           int // stored definitions per app
	MaxInstancesPerOffer  int
	LaunchTokens          int // launches per LaunchTokenRefresh
	KillChunk             int // kills sent and not yet confirmed
	ServicePortMin        int
	ServicePortMax        int

	DeclineFor             time.Duration // unused offers are not offered again this long
	MinReviveInterval      time.Duration
	LaunchTokenRefresh     time.Duration
	LaunchConfirmTimeout   time.Duration // until the first status of a task
	LaunchTimeout          time.Duration // until a task runs
	KillRetry              time.Duration
	ReconciliationInterval time.Duration
}

// DefaultConfig is Marathon's configuration for role, without Rand.
func DefaultConfig(role string) Config {
	return Config{
		Rules:                  spec.Rules{Role: role, BridgeName: "mesos-bridge"},
		ResourceRoles:          "any",
		ScarceGPUs:             true,
		SuppressOffers:         true,
		MaxRunningDeployments:  100,
		MaxVersions:            50,
		MaxInstancesPerOffer:   5,
		LaunchTokens:           100,
		KillChunk:              100,
		ServicePortMin:         10000,
		ServicePortMax:         20000,
		DeclineFor:             120 * time.Second,
		MinReviveInterval:      5 * time.Second,
		LaunchTokenRefresh:     30 * time.Second,
		LaunchConfirmTimeout:   300 * time.Second,
		LaunchTimeout:          300 * time.Second,
		KillRetry:              30 * time.Second,
		ReconciliationInterval: 600 * time.Second,
	}
}

// A Core is the scheduler's state. It belongs to one goroutine.
type Core struct {
	cfg Config
	now time.Time // of the step under way

	frameworkID string
	subscribed  bool
	homeRegion  string // of the master; "" when it has none

	reconcileAt   time.Time
	reconcileWait time.Duration   // before reconcileAt
	unanswered    map[string]bool // tasks not heard of since the subscription

	apps        map[string]*app
	order       []string             // ids of apps, sorted
	tasks       map[string]*Instance // by task id
	deployments []*deployment        // in the order they began
	lastVersion spec.Timestamp
	uuids       uuids

	kills  kills
	demand demand
	timers timers
	out    outbox
	dirty  map[string]bool // apps to plan again before the step ends
	stats  Counters
}

// New returns the core of a scheduler that has no apps.
func New(cfg Config) *Core {
	return &Core{
		cfg:   cfg,
		apps:  map[string]*app{},
		tasks: map[string]*Instance{},
		dirty: map[string]bool{},

		unanswered: map[string]bool{},
		demand:     demand{tokens: cfg.LaunchTokens, suppressed: true},
	}
}

// Step takes in one event and returns what is to be done, in order. It never fails.
func (c *Core) Step(now time.Time, ev Event) []Effect {
	c.now = now
	switch ev := ev.(type) {
	case Subscribed:
		c.subscribe(ev)
	case Disconnected:
		c.disconnect()
	case Removed:
		c.remove()
	case Offered:
		c.offered(ev)
	case Updated:
		c.updated(ev)
	case Messaged:
		c.messaged(ev)
	case Probed:
		c.probed(ev)
	case Persisted:
		c.out.persisted(ev.Seq)
	case Tick:
		c.runTimers()
	case Command:
		c.command(ev)
	}
	c.settle()
	return c.out.take()
}

// Deadline is when Step wants a Tick if nothing else happens.
func (c *Core) Deadline() (at time.Time, ok bool) { return c.timers.next() }

// settle plans what the event touched until nothing moves any more, then asks
// for offers or turns them away.
func (c *Core) settle() {
	c.advanceDeployments()
	for len(c.dirty) > 0 {
		ids := slices.Sorted(maps.Keys(c.dirty))
		clear(c.dirty)
		for _, id := range ids {
			c.pursue(id)
		}
		c.advanceDeployments()
	}
	c.sendKills()
	c.adjustDemand()
}
