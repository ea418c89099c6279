// Package hierarchical is Souk's allocation policy: dominant resource fairness over the tree of roles with weights,
// quota guarantees and limits, reservations, filters and constraints, as Mesos' hierarchical allocator has it
// (mesos-api 24). Where it differs it does so on purpose:
//
//   - What becomes free is allocated at once, not at the next turn of a clock; a run looks only at agents about which
//     there is news.
//   - A limit or guarantee counts for the whole subtree of its role. Mesos' allocator ignores limits for roles below.
//   - Ties go to whoever was served longest ago, so newcomers do not win them all.
//   - A framework that declines with a filter of zero waits for the next turn of the clock, all others do not.
//
// Everything lies in flat tables and is named by its place there; names of strangers are looked up once, at the door.
package hierarchical

import (
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/sorter"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// Defaults for what Config leaves out.
const (
	defaultInterval = time.Second
	defaultWindow   = time.Millisecond
)

// Allocator is the policy. Make one with New.
type Allocator struct {
	cfg    allocator.Config
	totals *sorter.Totals
	order  *sorter.Sorter // of roles
	// newOrder makes the order of the frameworks of a role.
	newOrder func(*sorter.Totals) *sorter.Sorter

	shapes     shapes
	slots      slots
	agents     table[agent]
	agentIDs   map[mesos.AgentID]int32
	frameworks table[framework]
	names      map[mesos.FrameworkID]int32
	clients    table[client]
	roles      table[role]
	roleNames  map[string]int32
	roleOf     []int32 // by sorter.Client of order

	quotas     []int32              // roles that have quota
	owing      int                  // those of them whose guarantee is not covered
	required   resources.Quantities // what must stay free for guarantees that are not covered (mesos-api 24.3)
	free       resources.Quantities // what quota can count, of all active agents
	capacity   resources.Quantities // of all agents, without what is revocable
	exceptions int                  // frameworks with minima of their own

	news
	promised []holding // of the run under way; see show
	suspects []int32   // agents of which something shown may be stale
	stamp    uint64    // of the agent a run looks at; see run
	granted  int       // allocations of the last run
	scratch  scratch
}

var (
	_ allocator.Allocator = (*Allocator)(nil)
	_ allocator.Explainer = (*Allocator)(nil)
	_ allocator.Overseer  = (*Allocator)(nil)
	_ allocator.Optimist  = (*Allocator)(nil)
)

// New is an allocator.New.
func New(cfg allocator.Config) allocator.Allocator { return build(cfg, sorter.New) }

// NewDrawing is an allocator.New of the same policy in all but one thing: whose turn it is among siblings is drawn by
// lot, with chances in proportion to weights, whatever they hold. Config.Rand is needed.
func NewDrawing(cfg allocator.Config) allocator.Allocator {
	return build(cfg, func(totals *sorter.Totals) *sorter.Sorter { return sorter.NewDrawing(totals, cfg.Rand) })
}

func build(cfg allocator.Config, order func(*sorter.Totals) *sorter.Sorter) *Allocator {
	if cfg.Interval <= 0 {
		cfg.Interval = defaultInterval
	}
	if cfg.Window <= 0 {
		cfg.Window = defaultWindow
	}
	totals := sorter.NewTotals(cfg.NotShared...)
	return &Allocator{
		cfg:       cfg,
		totals:    totals,
		order:     order(totals),
		newOrder:  order,
		shapes:    newShapes(cfg.Minimum),
		agentIDs:  map[mesos.AgentID]int32{},
		names:     map[mesos.FrameworkID]int32{},
		roleNames: map[string]int32{},
	}
}

// table is a list of rows that keep their places; places of removed rows are used again.
type table[T any] struct {
	rows   []T
	unused []int32
}

func (t *table[T]) add(row T) int32 {
	if last := len(t.unused) - 1; last >= 0 {
		at := t.unused[last]
		t.unused = t.unused[:last]
		t.rows[at] = row
		return at
	}
	t.rows = append(t.rows, row)
	return int32(len(t.rows) - 1)
}

func (t *table[T]) remove(at int32) {
	var zero T
	t.rows[at] = zero
	t.unused = append(t.unused, at)
}

func (t *table[T]) at(i int32) *T { return &t.rows[i] }
