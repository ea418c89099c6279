package simulation

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// Options say what to simulate. The zero values are filled in by Run.
type Options struct {
	Seed       uint64
	Agents     int           // 3
	Schedulers int           // 2
	Tasks      int           // that each scheduler launches; 20
	Trouble    time.Duration // virtual time with faults; 10 minutes
	Heal       time.Duration // virtual time without, before the last look; 40 minutes
	Faults     Faults        // none: those of the seed
	Trace      func(line string)
}

// Faults are probabilities per message or effect, and mean times between accidents.
type Faults struct {
	Lose, Double, Reorder float64       // of a message on the link or a call
	CrashAtEffect         float64       // of a process, between two effects
	LaunchFails           float64       // of a container
	AgentCrash            time.Duration // 0: never
	AgentReboot           time.Duration
	MasterCrash           time.Duration
	Cut                   time.Duration // of a connection
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
		Lose: some(0.05), Double: some(0.1), Reorder: some(0.1), CrashAtEffect: some(0.01), LaunchFails: some(0.1),
		AgentCrash: every(time.Minute), AgentReboot: every(4 * time.Minute), MasterCrash: every(2 * time.Minute), Cut: every(30 * time.Second),
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

// Result counts what a run went through.
type Result struct {
	Events, Launches, Crashes, Cuts, Updates int
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
	failed *Violation

	master     *masterNode
	agents     []*agentNode
	schedulers []*scheduler
	links      map[session]*link
	streams    map[string]*stream
	sessions   uint64 // minted
	requests   uint64 // minted
	launched   map[taskKey]bool
}

// Run simulates one cluster and returns the first violation, if any.
func Run(opts Options) (Result, error) {
	c := newCluster(opts)
	c.boot()
	c.run(c.start.Add(c.opts.Trouble))
	c.faults = Faults{}
	c.heal()
	end := c.start.Add(c.opts.Trouble + c.opts.Heal)
	c.at(end.Add(-5*time.Minute), c.master.buryLost)
	c.run(end)
	if c.failed == nil {
		c.checkEnd()
	}
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
	set(&opts.Agents, 3)
	set(&opts.Schedulers, 2)
	set(&opts.Tasks, 20)
	if opts.Trouble == 0 {
		opts.Trouble = 10 * time.Minute
	}
	if opts.Heal == 0 {
		opts.Heal = 40 * time.Minute
	}
	faults := opts.Faults
	if faults == (Faults{}) {
		faults = draw(rng)
	}
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	return &Cluster{
		opts: opts, faults: faults, rng: rng, start: start, now: start,
		links: make(map[session]*link), streams: make(map[string]*stream), launched: make(map[taskKey]bool),
	}
}

func (c *Cluster) boot() {
	c.master = &masterNode{c: c}
	c.master.start()
	for i := range c.opts.Agents {
		a := newAgentNode(c, i)
		c.agents = append(c.agents, a)
		c.after(c.delay(), a.start)
		c.accident(c.faults.AgentCrash, func() { a.crash(false) })
		c.accident(c.faults.AgentReboot, func() { a.crash(true) })
	}
	for i := range c.opts.Schedulers {
		s := newScheduler(c, i)
		c.schedulers = append(c.schedulers, s)
		c.after(c.delay(), s.connect)
	}
	c.accident(c.faults.MasterCrash, c.master.crash)
	c.accident(c.faults.Cut, c.cutSomething)
}

// accident repeats do at random times until the faults end.
func (c *Cluster) accident(mean time.Duration, do func()) {
	if mean == 0 {
		return
	}
	c.after(time.Duration(c.rng.ExpFloat64()*float64(mean)), func() {
		if c.now.Before(c.start.Add(c.opts.Trouble)) {
			do()
			c.accident(mean, do)
		}
	})
}

// heal brings back what is down.
func (c *Cluster) heal() {
	if !c.master.up {
		c.master.start()
	}
	for _, a := range c.agents {
		if !a.up {
			a.start()
		}
	}
}

// after runs do in d from now.
func (c *Cluster) after(d time.Duration, do func()) { c.at(c.now.Add(d), do) }

func (c *Cluster) at(t time.Time, do func()) {
	c.seq++
	heap.Push(&c.queue, delivery{t, c.seq, do})
}

// run delivers until end or the first violation.
func (c *Cluster) run(end time.Time) {
	for c.failed == nil && len(c.queue) > 0 && !c.queue[0].at.After(end) {
		d := heap.Pop(&c.queue).(delivery)
		c.now = d.at
		c.result.Events++
		d.do()
	}
	c.now = end
}

// delay is how long a message takes.
func (c *Cluster) delay() time.Duration {
	return time.Millisecond + time.Duration(c.rng.ExpFloat64()*float64(10*time.Millisecond))
}

func (c *Cluster) chance(p float64) bool { return p > 0 && c.rng.Float64() < p }

func (c *Cluster) violate(format string, args ...any) {
	if c.failed == nil {
		c.failed = &Violation{Seed: c.opts.Seed, At: c.now.Sub(c.start), What: fmt.Sprintf(format, args...)}
		c.trace("VIOLATION %s", c.failed.What)
	}
}

func (c *Cluster) trace(format string, args ...any) {
	if c.opts.Trace != nil {
		c.opts.Trace(fmt.Sprintf("%12v  ", c.now.Sub(c.start)) + fmt.Sprintf(format, args...))
	}
}

// A delivery is something that happens at a time; seq orders what happens at the same one.
type delivery struct {
	at  time.Time
	seq uint64
	do  func()
}

type queue []delivery

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(delivery)) }
func (q *queue) Pop() any {
	old := *q
	d := old[len(old)-1]
	*q = old[:len(old)-1]
	return d
}

// Add sums two results.
func (r Result) Add(o Result) Result {
	return Result{r.Events + o.Events, r.Launches + o.Launches, r.Crashes + o.Crashes, r.Cuts + o.Cuts, r.Updates + o.Updates}
}
