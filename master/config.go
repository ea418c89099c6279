package master

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/files"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/hierarchical"
	"github.com/soukproject/souk/master/allocator/random"
	"github.com/soukproject/souk/master/api"
	"github.com/soukproject/souk/master/core"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Kinds of registry (flag --registry).
const (
	Local    = "local"     // a file in the work directory
	InMemory = "in_memory" // forgotten with the process; for tests and experiments
)

// DefaultOfferTimeout is how long a framework may sit on an offer. Mesos has no
// limit unless told, and frameworks that hoard offers starve the others; five
// minutes is far more than a scheduler that works needs to answer.
const DefaultOfferTimeout = 5 * time.Minute

// Config is everything a master is told. DefaultConfig has the defaults; fields
// named as flags mean what those mean.
type Config struct {
	IP             string
	Port           int
	Listener       net.Listener // takes the place of IP and Port if set; Run does not close it
	AdvertiseIP    string
	AdvertisePort  int
	Hostname       string
	HostnameLookup bool
	Cluster        string

	WorkDir  string
	Registry string      // Local or InMemory, unless ZK is set
	Store    state.Store // takes the place of WorkDir and Registry if set; Run does not close it

	// ZK is where masters elect their leader and the leader keeps the registry;
	// nil: there is no election.
	ZK        *zookeeper.URL
	ZKTimeout time.Duration // of sessions; 0: zookeeper.DefaultTimeout

	Contender leader.Contender // nil: as ZK says
	Detector  leader.Detector  // set if and only if Contender is

	Allocator          string
	Policies           allocator.Policies // those Allocator may name
	OfferPolicy        allocator.Offering
	OptimisticOffers   bool
	AllocationInterval time.Duration
	MinAllocatable     []resources.Quantities // an offer holds at least one of them
	NotShared          []string
	FilterGPUs         bool
	OfferTimeout       time.Duration // 0: never

	AgentPingTimeout       time.Duration
	MaxAgentPingTimeouts   int
	AgentReregisterTimeout time.Duration
	AgentRemovalInterval   time.Duration // least time between two that are marked unreachable; 0: none
	// RecoveryAgentMinimum is the least part of the agents that must come back to
	// a new leader in time; if fewer do, it ends.
	RecoveryAgentMinimum float64

	Domain             *mesospb.DomainInfo // nil: none, and agents must have none either
	RequireAgentDomain bool

	Whitelist       string   // a file of host names of agents, or * or "": all
	Roles           []string // whitelist; empty: any
	Weights         []*registrypb.Weight
	RootSubmissions bool

	FrameworkMetrics       bool // for each framework by itself
	MaxCompletedFrameworks int
	MaxCompletedTasks      int // per framework
	MaxUnreachableTasks    int // per framework
	MaxOperatorSubscribers int

	Credentials *auth.Credentials // that are let through where credentials are asked for
	// Whom to ask for credentials.
	AskReaders, AskOperators, AskSchedulers, AskAgents bool

	// Preemption is off for all roles but these; see core.Config.
	PreemptFor   []string
	PreemptAfter time.Duration
	PreemptGrace time.Duration

	// With quota, a new leader offers nothing before this part of the agents is
	// back, or this time is over.
	AllocatorRecoveryFactor  float64
	AllocatorRecoveryTimeout time.Duration

	RegistryFetchTimeout  time.Duration
	RegistryStoreTimeout  time.Duration
	RegistryGCInterval    time.Duration
	RegistryMaxAgentAge   time.Duration
	RegistryMaxAgentCount int

	Build    api.Build
	Flags    []daemon.Flag // as /flags shows them
	Warnings []string      // about flags, logged at the start
	Logging  daemon.Logging
	Log      *zap.Logger     // nil: silent
	Level    zap.AtomicLevel // of Log, for changes at run time
}

// DefaultConfig is a master as it runs without flags, but for the work
// directory, which must be chosen.
func DefaultConfig() Config {
	return Config{
		IP:             "0.0.0.0",
		Port:           5050,
		HostnameLookup: true,
		Registry:       Local,

		Allocator:          "hierarchical",
		Policies:           allocator.Policies{"hierarchical": hierarchical.New, "random": random.New},
		AllocationInterval: core.DefaultAllocationInterval,
		MinAllocatable:     allocator.DefaultMinimum(),
		FilterGPUs:         true,
		OfferTimeout:       DefaultOfferTimeout,

		AgentPingTimeout:       core.DefaultAgentPingTimeout,
		MaxAgentPingTimeouts:   core.DefaultMaxAgentPingTimeouts,
		AgentReregisterTimeout: core.DefaultAgentReregisterTimeout,

		RootSubmissions: true,

		PreemptAfter: time.Minute,
		PreemptGrace: 30 * time.Second,

		FrameworkMetrics:       true,
		MaxCompletedFrameworks: core.DefaultMaxCompletedFrameworks,
		MaxCompletedTasks:      core.DefaultMaxCompletedTasks,
		MaxUnreachableTasks:    core.DefaultMaxUnreachableTasks,
		MaxOperatorSubscribers: 1000,

		AllocatorRecoveryFactor:  core.DefaultRecoveryFactor,
		AllocatorRecoveryTimeout: core.DefaultRecoveryTimeout,

		RegistryFetchTimeout:  time.Minute,
		RegistryStoreTimeout:  20 * time.Second,
		RegistryGCInterval:    core.DefaultRegistryGCInterval,
		RegistryMaxAgentAge:   core.DefaultRegistryMaxAgentAge,
		RegistryMaxAgentCount: core.DefaultRegistryMaxAgentCount,

		Build: api.Build{Version: "0.1.0"},
		Log:   zap.NewNop(),
		Level: zap.NewAtomicLevel(),
	}
}

// LogName is the name of a master's log, and of its file when --log_dir is given.
const LogName = "souk-master"

// files are those that /files shows.
func (c *Config) files() files.Named {
	if c.Logging.Dir == "" {
		return nil
	}
	return files.Named{"/master/log": filepath.Join(c.Logging.Dir, LogName+".log")}
}

// gate asks for credentials where it is wanted.
func (c *Config) gate() auth.Gate {
	g := auth.Gate{Known: c.Credentials}
	g.Ask(c.AskReaders, api.ReadOnly)
	g.Ask(c.AskOperators, api.ReadWrite)
	g.Ask(c.AskSchedulers, api.Schedulers)
	g.Ask(c.AskAgents, api.Agents)
	return g
}

// check refuses what Run cannot work with, in one line that says what to do.
func (c *Config) check() error {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	switch {
	case (c.Contender == nil) != (c.Detector == nil):
		return errors.New("master: Contender and Detector go together")
	case c.ZK != nil && c.Contender != nil:
		return errors.New("master: ZK and Contender exclude each other")
	case c.Policies[c.Allocator] == nil:
		names := slices.Sorted(maps.Keys(c.Policies))
		return fmt.Errorf("flag --allocator: there is no %q: choose one of %s", c.Allocator, strings.Join(names, ", "))
	case len(c.gate().Realms) > 0 && c.Credentials == nil:
		return errors.New("flag --credentials: nobody could prove who they are, which other flags ask for: name the file of credentials")
	case c.RequireAgentDomain && c.Domain == nil:
		return errors.New("flag --require_agent_domain: no agent could register, since a master without --domain refuses agents that have one: give --domain, too")
	case c.Store != nil || c.ZK != nil || c.Registry == InMemory:
		return nil
	case c.Registry != Local:
		return fmt.Errorf("flag --registry: %q is neither %s nor %s", c.Registry, Local, InMemory)
	case c.WorkDir == "":
		return errors.New("flag --work_dir is required: name a folder that survives a restart, such as /var/lib/souk/master, or give --zk, or --registry=in_memory")
	}
	return nil
}
