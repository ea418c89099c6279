package allocator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/proto/mesos/resources"
)

// Running is a task as preemption sees it.
type Running struct {
	ID        string
	Role      string
	Resources resources.Quantities
	Revocable bool
	Started   time.Time
}

// Cause is why a task is asked to leave, in the order in which tasks are asked.
type Cause uint8

// The causes.
const (
	// OnLoan: what it uses was given to be taken back at any time.
	OnLoan Cause = iota
	// OverLimit: its role consumes more than its limit.
	OverLimit
	// OverShare: its role consumes more than its guarantee, and holds more than its fair share.
	OverShare
)

// String is the cause for people and metrics.
func (c Cause) String() string {
	switch c {
	case OnLoan:
		return "on_loan"
	case OverLimit:
		return "over_limit"
	case OverShare:
		return "over_share"
	}
	return fmt.Sprintf("Cause(%d)", uint8(c))
}

// Leave proposes that a task leaves.
type Leave struct {
	Task  string
	Role  string
	Cause Cause
	For   string // the role whose guarantee needs it
}

// Preempt proposes which tasks should leave, first ones first, so that the owed guarantee of a role can be met. It
// decides nothing and changes nothing; whoever carries a proposal out gives every task its grace.
//
// Asked are first tasks on loan, then those of branches above their limit, then those of branches above their
// guarantee and their fair share, where the branch that is furthest above it comes first. Within a branch the youngest
// task comes first, because it loses least. Only tasks that hold something of what is owed are asked, no branch is
// brought below its guarantee or, for its share alone, below its fair share, and nobody is asked in vain: if all of
// that is not enough, nothing is proposed.
//
// roles are the roles of Allocator.Roles; only top-level ones matter. Tasks on loan count for what they use as well:
// what was lent comes back to where it was lent from.
func Preempt(owed Debt, roles []Role, tasks []Running, total resources.Quantities) []Leave {
	p := newPreemption(owed, roles, tasks, total)
	var out []Leave
	for left := owed.Owed; !left.IsEmpty(); {
		at, cause := p.next(left)
		if at < 0 {
			return nil
		}
		t := p.tasks[at]
		p.tasks = slices.Delete(p.tasks, at, at+1)
		p.leave(t)
		left = left.Sub(t.Resources)
		out = append(out, Leave{Task: t.ID, Role: t.Role, Cause: cause, For: owed.Role})
	}
	return out
}

// preemption is what Preempt knows while tasks leave one after another.
type preemption struct {
	tasks    []Running
	branches map[string]*branch
	total    resources.Quantities
	fair     float64 // share of a weight of one
}

// branch is a top-level role and what it consumes.
type branch struct {
	quota    Quota
	consumed resources.Quantities
	weight   float64
}

func newPreemption(owed Debt, roles []Role, tasks []Running, total resources.Quantities) *preemption {
	p := &preemption{branches: map[string]*branch{}, total: total}
	weights := 0.0
	for _, r := range roles {
		if !strings.Contains(r.Name, "/") {
			p.branches[r.Name] = &branch{quota: r.Quota, consumed: r.Consumed, weight: r.Weight}
			weights += r.Weight
		}
	}
	if weights > 0 {
		p.fair = 1 / weights
	}
	for _, t := range tasks {
		if p.of(t) != nil && branchName(t.Role) != branchName(owed.Role) {
			p.tasks = append(p.tasks, t)
		}
	}
	slices.SortFunc(p.tasks, func(a, b Running) int { return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(a.ID, b.ID)) })
	return p
}

func branchName(role string) string { name, _, _ := strings.Cut(role, "/"); return name }

func (p *preemption) of(t Running) *branch { return p.branches[branchName(t.Role)] }

// next is the place of the task to ask next, or -1.
func (p *preemption) next(left resources.Quantities) (int, Cause) {
	best, cause, excess := -1, OverShare, 0.0
	for i, t := range p.tasks {
		c, ok := p.cause(t)
		if !ok || !overlaps(t.Resources, left) {
			continue
		}
		e := p.excess(t)
		if best < 0 || c < cause || c == cause && c != OnLoan && e > excess {
			best, cause, excess = i, c, e
		}
	}
	return best, cause
}

// cause is why a task may be asked to leave, if it may.
func (p *preemption) cause(t Running) (Cause, bool) {
	b := p.of(t)
	rest := b.consumed.Sub(t.Resources)
	switch {
	case t.Revocable:
		return OnLoan, true
	case !rest.Contains(b.quota.Guarantees.Sub(b.quota.Guarantees.Sub(b.consumed))):
		return 0, false // the branch would fall below its guarantee, or further below it
	case !b.quota.Limits.Contains(b.consumed):
		return OverLimit, true
	case rest.Dominant(p.total)/b.weight >= p.fair:
		return OverShare, true
	}
	return 0, false
}

// excess is how far above its fair share the branch of a task is.
func (p *preemption) excess(t Running) float64 {
	b := p.of(t)
	return b.consumed.Dominant(p.total) / b.weight
}

func (p *preemption) leave(t Running) {
	if b := p.of(t); !t.Revocable {
		b.consumed = b.consumed.Sub(t.Resources)
	}
}

func overlaps(a, b resources.Quantities) bool {
	for name := range b.All() {
		if a.Get(name) > 0 {
			return true
		}
	}
	return false
}
