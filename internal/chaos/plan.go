package chaos

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// What happens to members of a cluster.
type What string

// What can happen. Cuts lose packets silently, as a broken switch does.
const (
	Kill    What = "kill"    // SIGKILL; started again at the end
	Stop    What = "stop"    // SIGSTOP; SIGCONT at the end
	Isolate What = "isolate" // cut off from everyone in both directions
	Mute    What = "mute"    // nothing that it sends arrives
	Deafen  What = "deafen"  // nothing that it is sent arrives
	Split   What = "split"   // these can reach each other, and nobody else
	Sever   What = "sever"   // cut off from some, in both directions
	Crash   What = "crash"   // a task is killed behind the back of its agent
	Reboot  What = "reboot"  // everything on the host of an agent is killed
)

// A Role is what a member is.
type Role string

// The roles.
const (
	Master    Role = "master"
	ZooKeeper Role = "zk"
	Agent     Role = "agent"
	Marathon  Role = "marathon"
	Chronos   Role = "chronos"
)

// Leading is the index of whoever leads when a fault begins.
const Leading = -1

// A Target is a member: the one with the index, or the leading one.
type Target struct {
	Role  Role
	Index int
}

// A Fault begins at a time after the start, and ends by itself.
type Fault struct {
	At, For time.Duration
	What    What
	Who     []Target
	Whom    []Target // of Sever: whom they are cut off from
	Lot     uint64   // decides what is open until then, such as which task
}

// Round is the time between two groups of faults: some that overlap at its
// beginning, then time to recover, so that nothing is starved for good.
const Round = 25 * time.Second

const (
	latest  = 6 * time.Second // in a round
	longest = 9 * time.Second
)

// Sizes say how many members of each role there are.
type Sizes map[Role]int

// Draw plans the faults of a run, in the order of their beginning. They end
// before it does.
func Draw(seed uint64, run time.Duration, sizes Sizes) []Fault {
	d := drawing{rand.New(rand.NewPCG(seed, 0x536f756b)), sizes}
	var plan []Fault
	for round := time.Duration(0); round+latest+longest <= run; round += Round {
		for range 1 + d.IntN(3) {
			f := d.fault()
			f.At = round + time.Duration(d.Int64N(int64(latest)))
			f.For = time.Second + time.Duration(d.Int64N(int64(longest-time.Second)))
			plan = append(plan, f)
		}
	}
	slices.SortStableFunc(plan, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return plan
}

type drawing struct {
	*rand.Rand
	sizes Sizes
}

// A choice is drawn as often as its weight says.
type choice[T any] struct {
	weight int
	value  T
}

func pick[T any](d drawing, choices ...choice[T]) T {
	sum := 0
	for _, c := range choices {
		sum += c.weight
	}
	n := d.IntN(sum)
	for _, c := range choices {
		if n -= c.weight; n < 0 {
			return c.value
		}
	}
	panic("no choice has a weight")
}

func (d drawing) fault() Fault {
	what := pick(d, choice[What]{8, Kill}, choice[What]{6, Stop}, choice[What]{6, Isolate}, choice[What]{2, Mute}, choice[What]{2, Deafen},
		choice[What]{2, Split}, choice[What]{5, Sever}, choice[What]{3, Crash}, choice[What]{2, Reboot})
	f := Fault{What: what, Lot: d.Uint64()}
	switch what {
	case Crash:
	case Split:
		f.Who = d.half()
	case Sever:
		f.Who, f.Whom = d.link()
	case Reboot:
		f.Who = d.some(Agent, 1)
	default:
		f.Who = d.group()
	}
	return f
}

// link draws who cannot reach whom: a leader that has lost ZooKeeper only, or
// one that has everything but the masters.
func (d drawing) link() (who, whom []Target) {
	leading := []Target{{pick(d, choice[Role]{2, Master}, choice[Role]{1, Marathon}, choice[Role]{1, Chronos}), Leading}}
	switch {
	case leading[0].Role == Master || d.IntN(3) == 0:
		return leading, d.all(ZooKeeper)
	case d.IntN(2) == 0:
		return leading, d.all(Master)
	}
	return d.some(Agent, 2), d.all(Master)
}

// group draws who is hit together. Leaders are hit most.
func (d drawing) group() []Target {
	return pick(d,
		choice[func() []Target]{5, func() []Target { return []Target{{Master, Leading}} }},
		choice[func() []Target]{3, func() []Target { return []Target{{Marathon, Leading}} }},
		choice[func() []Target]{3, func() []Target { return []Target{{Chronos, Leading}} }},
		choice[func() []Target]{2, func() []Target { return []Target{{ZooKeeper, Leading}} }},
		choice[func() []Target]{2, func() []Target { return []Target{{Master, Leading}, {Marathon, Leading}, {Chronos, Leading}} }},
		choice[func() []Target]{4, func() []Target { return d.some(Agent, 1) }},
		choice[func() []Target]{2, func() []Target { return d.some(Agent, 2) }},
		choice[func() []Target]{1, func() []Target { return d.some(Master, 2) }},
		choice[func() []Target]{1, func() []Target { return d.some(ZooKeeper, 1) }},
		choice[func() []Target]{1, func() []Target { return d.some(ZooKeeper, 2) }},
		choice[func() []Target]{1, func() []Target { return d.all(Master) }},
		choice[func() []Target]{1, func() []Target { return d.all(ZooKeeper) }},
		choice[func() []Target]{1, func() []Target { return d.all(Agent) }},
		choice[func() []Target]{1, func() []Target { return append(d.all(Marathon), d.all(Chronos)...) }},
		choice[func() []Target]{1, d.everyone},
	)()
}

// some draws n members of a role.
func (d drawing) some(role Role, n int) []Target {
	var list []Target
	for _, i := range d.Perm(d.sizes[role])[:n] {
		list = append(list, Target{role, i})
	}
	return list
}

func (d drawing) all(role Role) []Target {
	var list []Target
	for i := range d.sizes[role] {
		list = append(list, Target{role, i})
	}
	return list
}

func (d drawing) everyone() []Target {
	var list []Target
	for _, role := range []Role{Master, ZooKeeper, Agent, Marathon, Chronos} {
		list = append(list, d.all(role)...)
	}
	return list
}

// half draws one side of a split: each member is on it or not.
func (d drawing) half() []Target {
	return slices.DeleteFunc(d.everyone(), func(Target) bool { return d.IntN(2) == 0 })
}
