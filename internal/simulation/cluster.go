package simulation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	marathoncore "github.com/soukproject/souk/frameworks/marathon/core"
)

// Options say what to simulate. The zero values are filled in by Run.
type Options struct {
	Seed       uint64
	Masters    int           // 1 to 3, by the seed
	Agents     int           // 3
	Schedulers int           // 2
	Tasks      int           // that each scheduler launches; 10
	Frameworks Frameworks    // Marathon and Chronos: by the seed
	Optimistic bool          // the same is offered to several; every fifth seed, too
	Trouble    time.Duration // virtual time with faults; 2 minutes
	Heal       time.Duration // most virtual time until all is well again; 30 minutes
	Faults     Faults        // none: those of the seed
	Trace      func(line string)

	mutant mutant
}

// Frameworks says which of the frameworks that ship take part.
type Frameworks int

// The choices.
const (
	BySeed Frameworks = iota
	Neither
	Both
)

// Faults are probabilities per message, write or effect, and mean times between
// accidents (0: never).
type Faults struct {
	Lose, Double, Reorder float64 // of a message on the link or a call
	CrashAtEffect         float64 // of a process, between two effects
	LaunchFails           float64 // of a container
	VolumeFails           float64 // to be made or removed
	AnswerLost            float64 // of a write to the store that was done
	AgentCrash            time.Duration
	AgentReboot           time.Duration
	ExecutorCrash         time.Duration
	FullDisk              time.Duration // of an agent
	MasterCrash           time.Duration
	InstanceCrash         time.Duration // of a framework's process
	Expiry                time.Duration // of a session with the election
	StoreAway             time.Duration
	FullStore             time.Duration
	Cut                   time.Duration // of a connection
	Isolate               time.Duration // of an agent's machine from all masters
	Jump                  time.Duration // of a clock on the wall
	Operate               time.Duration // what operators and users do; not a fault
	Maintenance           time.Duration // of a machine; not a fault
}

// draw makes faults from a seed: some runs are calm, some are awful.
func draw(rng *rand.Rand) Faults {
	some := func(most float64) float64 {
		if rng.IntN(3) == 0 {
			return 0
		}
		return most * rng.Float64() * rng.Float64()
	}
	every := func(least time.Duration) time.Duration {
		if rng.IntN(3) == 0 {
			return 0
		}
		return least + time.Duration(rng.ExpFloat64()*float64(least))
	}
	return Faults{
		Lose: some(0.05), Double: some(0.1), Reorder: some(0.1), CrashAtEffect: some(0.02), LaunchFails: some(0.1), VolumeFails: some(0.2), AnswerLost: some(0.1),
		ExecutorCrash: every(15 * time.Second), AgentCrash: every(20 * time.Second), AgentReboot: every(60 * time.Second), FullDisk: every(60 * time.Second),
		MasterCrash: every(25 * time.Second), InstanceCrash: every(20 * time.Second),
		Expiry: every(20 * time.Second), StoreAway: every(40 * time.Second), FullStore: every(60 * time.Second),
		Cut: every(8 * time.Second), Isolate: every(30 * time.Second), Jump: every(40 * time.Second), Operate: every(5 * time.Second),
		Maintenance: every(20 * time.Second),
	}
}

// A Violation is an invariant that did not hold.
type Violation struct {
	Seed uint64
	At   time.Duration // since the beginning of the run
	What string
}

// Error names what was violated, and the line that replays it.
func (v *Violation) Error() string {
	return fmt.Sprintf("after %v: %s\nreplay: go run ./internal/simulation/simulate -seed %d -trace", v.At, v.What, v.Seed)
}

// A Cluster is everything that is simulated.
type Cluster struct {
	opts   Options
	faults Faults
	rng    *rand.Rand
	start  time.Time
	now    time.Time
	seq    uint64
	queue  queue
	result Result
	shared bool       // messages are not copied on the way
	failed *Violation // the first
	left   *Violation // what was not yet as it must become, when last looked at

	masterElection election
	registry       registry
	masters        []*masterNode
	agents         []*agentNode
	schedulers     []*scheduler
	services       []*service
	marathon       *marathonUser // nil if it takes no part
	chronos        *chronosUser  // nil if it takes no part
	operator       *operator
	janitor        *janitor

	sessions uint64 // minted
	requests uint64 // minted
	launched map[taskKey]bool
}

// Run simulates one cluster and returns the first violation, if any.
func Run(opts Options) (Result, error) {
	c := newCluster(opts)
	c.boot()
	c.run(c.start.Add(c.opts.Trouble))
	c.heal()
	if c.converge(c.now.Add(c.opts.Heal)) {
		c.stayCalm()
	}
	c.result[Seconds] = int(c.now.Sub(c.start).Seconds())
	if c.failed != nil {
		return c.result, c.failed
	}
	return c.result, nil
}

func newCluster(opts Options) *Cluster {
	rng := rand.New(rand.NewPCG(opts.Seed, 0x50756b))
	set := func(n *int, fallback int) {
		if *n == 0 {
			*n = fallback
		}
	}
	set(&opts.Masters, 1+rng.IntN(3))
	set(&opts.Agents, 3)
	set(&opts.Schedulers, 2)
	set(&opts.Tasks, 10)
	if opts.Trouble == 0 {
		opts.Trouble = 2 * time.Minute
	}
	if opts.Heal == 0 {
		opts.Heal = 30 * time.Minute
	}
	opts.Optimistic = opts.Optimistic || opts.Seed%5 == 0
	faults := opts.Faults
	if faults == (Faults{}) {
		faults = draw(rng)
	}
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	c := &Cluster{
		opts: opts, faults: faults, rng: rng, start: start, now: start,
		shared: opts.Seed%4 > 0, launched: make(map[taskKey]bool),
	}
	c.masterElection.c, c.registry.c = c, c
	c.operator = newOperator(c)
	c.janitor = &janitor{c: c}
	return c
}

func (c *Cluster) boot() {
	for i := range c.opts.Masters {
		m := newMasterNode(c, i)
		c.masters = append(c.masters, m)
		c.after(c.delay(), m.start)
	}
	for i := range c.opts.Agents {
		a := newAgentNode(c, i)
		c.agents = append(c.agents, a)
		c.masterElection.watch(a.follow)
		c.after(c.delay(), a.start)
	}
	for i := range c.opts.Schedulers {
		s := newScheduler(c, i)
		ends := i > 0 && c.opts.Faults == Faults{}
		s.brief = ends && c.opts.Seed%4 == 0
		c.schedulers = append(c.schedulers, s)
		c.after(c.delay(), s.start)
		end := 10*time.Second + c.upTo(c.opts.Trouble-10*time.Second)
		switch {
		case s.brief:
			c.after(end, func() { s.leave(Departures) })
		case ends && c.opts.Seed%4 == 2:
			c.after(end, s.doom)
		}
	}
	some := c.rng.IntN(4)
	if c.opts.Frameworks != Neither && (some != 1 || c.opts.Frameworks == Both) {
		c.marathon = &marathonUser{c: c, of: c.serve("marathon", wakeMarathon), apps: map[string]counts{"/web": {none: true}, "/db": {none: true}}, asked: make(map[string]int)}
	}
	if c.opts.Frameworks != Neither && (some != 2 || c.opts.Frameworks == Both) {
		c.chronos = newChronosUser(c, c.serve("chronos", wakeChronos))
	}
	c.plan()
}

func (c *Cluster) serve(name string, wake func(*instance, []entry) brain) *service {
	s := newService(c, name, wake)
	c.services = append(c.services, s)
	for _, in := range s.instances {
		c.after(c.delay(), in.start)
	}
	return s
}

// clients are those of all schedulers that run.
func (c *Cluster) clients() []*client {
	var all []*client
	for _, s := range c.schedulers {
		if s.link != nil && !s.left {
			all = append(all, s.link)
		}
	}
	for _, s := range c.services {
		for _, in := range s.instances {
			if in.client != nil {
				all = append(all, in.client)
			}
		}
	}
	return all
}

// begun is told of each container that starts.
func (c *Cluster) begun(k *container) {
	if c.chronos != nil && ofChronos(k.task) {
		c.chronos.begun(k)
	}
}

func ofChronos(key taskKey) bool { return strings.HasPrefix(string(key.task), "ct:") }

// lifeOf is how long a task runs by itself, 0 for ever, and how it exits. It
// follows from the task's id, that is from hash.
func (c *Cluster) lifeOf(key taskKey, hash uint32) (life time.Duration, exit int) {
	switch {
	case ofChronos(key):
		return time.Second + time.Duration(hash%4000)*time.Millisecond, 0
	case marathoncore.AppOfTask(string(key.task)) != "":
		if hash%4 == 0 && c.now.Before(c.start.Add(c.opts.Trouble)) {
			return time.Duration(hash%60000) * time.Millisecond, 1
		}
		return 0, 0
	case hash%10 == 0: // the others leave room for all
		return 0, 0
	}
	return time.Duration(hash%60000) * time.Millisecond, int(hash % 2)
}

func (c *Cluster) violate(format string, args ...any) {
	if c.failed == nil {
		c.failed = &Violation{Seed: c.opts.Seed, At: c.now.Sub(c.start), What: fmt.Sprintf(format, args...)}
		c.trace("VIOLATION %s", c.failed.What)
	}
}
