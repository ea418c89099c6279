package core

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Bounds of preemption: how often guarantees are looked at, and how many tasks may
// be candidates at a time, of those on loan and of the others; the youngest are.
const (
	preemptEvery    = 5 * time.Second
	maxPreemptables = 2000
)

// A preemption is what is under way so that guarantees are met.
type preemption struct {
	unmet   map[string]time.Time // since when, by role
	leaving map[taskKey]Leaving
}

// Leaving is a task that was asked to leave and has not ended.
type Leaving struct {
	Framework mesos.FrameworkID
	Agent     mesos.AgentID
	allocator.Leave
	Since time.Time

	gives resources.Quantities
}

func newPreemption() preemption {
	return preemption{unmet: map[string]time.Time{}, leaving: map[taskKey]Leaving{}}
}

// preempt looks for guarantees that others keep from being met. Only what is free
// nowhere in the cluster counts as missing, less what is leaving already. It is
// taken from offers first, then from tasks.
func (m *Master) preempt() {
	m.timers.set(timer{kind: preemptTimer}, after(m.now, preemptEvery))
	m.forgetLeft()
	policy, ok := m.cfg.Allocator.(allocator.Overseer)
	if !ok || m.paused {
		return
	}
	headroom := policy.Headroom()
	short := headroom.Short.Sub(m.givenSoon())
	unmet := map[string]time.Time{}
	for _, d := range headroom.Owed {
		need := least(d.Owed, short)
		if need.IsEmpty() || !slices.Contains(m.cfg.PreemptFor, d.Role) || !m.isWanted(d.Role) {
			continue
		}
		short = short.Sub(need)
		unmet[d.Role] = m.now
		if since, ok := m.preemption.unmet[d.Role]; ok {
			unmet[d.Role] = since
		}
		if m.now.Sub(unmet[d.Role]) >= m.cfg.PreemptAfter {
			m.preemptFor(allocator.Debt{Role: d.Role, Owed: m.rescindFor(d.Role, need)}, headroom.Capacity)
		}
	}
	m.preemption.unmet = unmet
}

// least is the smaller amount of every name.
func least(a, b resources.Quantities) resources.Quantities { return a.Sub(a.Sub(b)) }

// forgetLeft drops the tasks that have ended, or that nobody can reach.
func (m *Master) forgetLeft() {
	maps.DeleteFunc(m.preemption.leaving, func(k taskKey, _ Leaving) bool {
		f := m.frameworks[k.framework]
		if f == nil {
			return true
		}
		row, ok := m.activeTask(f, k.task)
		return !ok || !m.tasks.rows.at(row).is(holds)
	})
}

// givenSoon is what tasks will give back that were asked to leave.
func (m *Master) givenSoon() (sum resources.Quantities) {
	for _, x := range m.preemption.leaving {
		sum = sum.Add(x.gives)
	}
	return sum
}

// isWanted reports whether some framework would use what a role and those below
// it are owed.
func (m *Master) isWanted(role string) bool {
	return slices.ContainsFunc(m.order, func(f *framework) bool {
		return f.stream != "" && slices.ContainsFunc(f.roles, func(r string) bool {
			return topOf(r) == role && !slices.Contains(f.suppressed, r)
		})
	})
}

// rescindFor takes back offers of others, newest first, that have what a role
// needs, and returns what is still missing. Optimistic offers keep nothing from
// anybody.
func (m *Master) rescindFor(role string, need resources.Quantities) resources.Quantities {
	if m.cfg.Optimist != nil {
		return need
	}
	open := slices.Sorted(maps.Keys(m.offers))
	slices.Reverse(open)
	for _, number := range open {
		o := m.offers[number]
		if has := unreserved(o.resources).Quantities(); topOf(o.role) != role && !least(has, need).IsEmpty() {
			need = need.Sub(has)
			m.rescind(o)
		}
	}
	return need
}

// preemptFor asks tasks to leave so that a role gets what it is owed, if that
// would do.
func (m *Master) preemptFor(owed allocator.Debt, capacity resources.Quantities) {
	if owed.Owed.IsEmpty() {
		return
	}
	for _, leave := range allocator.Preempt(owed, m.cfg.Allocator.Roles(), m.preemptables(owed.Role), capacity) {
		row, _ := strconv.ParseUint(leave.Task, 10, 32)
		m.askToLeave(uint32(row), leave)
	}
}

// preemptables are the youngest tasks of other branches. They are named by their
// rows.
func (m *Master) preemptables(role string) (list []allocator.Running) {
	var own, onLoan []uint32
	for _, f := range m.order {
		if !slices.ContainsFunc(f.roles, func(r string) bool { return topOf(r) != role }) {
			continue
		}
		for row := range m.tasks.walk(f.active, byFramework) {
			switch t := m.tasks.rows.at(row); {
			case !m.mayLeave(f, row):
			case t.is(lent):
				onLoan = m.keepYoungest(onLoan, row)
			default:
				own = m.keepYoungest(own, row)
			}
		}
	}
	for _, row := range slices.Concat(onLoan, own) {
		if r, ok := m.running(row); ok && topOf(r.Role) != role {
			list = append(list, r)
		}
	}
	return list
}

// mayLeave: a task that is over, or ends already, or whose agent is away, frees
// nothing when it is asked to leave.
func (m *Master) mayLeave(f *framework, row uint32) bool {
	t := m.tasks.rows.at(row)
	if !t.is(holds) || t.current() == mesospb.TaskState_TASK_KILLING {
		return false
	}
	a := m.agentOf[t.agent]
	_, leaves := m.preemption.leaving[taskKey{f.id, mesos.TaskID(m.tasks.id(row))}]
	return !leaves && a.session != 0 && !a.deactivated
}

// keepYoungest adds a row to those that are kept, youngest first.
func (m *Master) keepYoungest(rows []uint32, row uint32) []uint32 {
	at, _ := slices.BinarySearchFunc(rows, row, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(m.tasks.rows.at(b).known, m.tasks.rows.at(a).known), cmp.Compare(a, b))
	})
	if at == maxPreemptables {
		return rows
	}
	rows = slices.Insert(rows, at, row)
	return rows[:min(len(rows), maxPreemptables)]
}

// running is a task as preemption sees it: what it would give back to all.
func (m *Master) running(row uint32) (allocator.Running, bool) {
	t := m.tasks.rows.at(row)
	used := resourcesOf(m.tasks.info(row))
	if used.IsEmpty() {
		return allocator.Running{}, false
	}
	return allocator.Running{
		ID: strconv.FormatUint(uint64(row), 10), Role: used[0].Allocation, Resources: used.Unreserved().Quantities(),
		Revocable: t.is(lent), Started: time.Unix(int64(t.known), 0),
	}, true
}

// askToLeave has a task killed in the usual way.
func (m *Master) askToLeave(row uint32, leave allocator.Leave) {
	t := m.tasks.rows.at(row)
	a, f := m.agentOf[t.agent], m.frameworkOf[t.framework]
	r, _ := m.running(row)
	leave.Task = m.tasks.id(row)
	x := Leaving{Framework: f.id, Agent: a.id, Leave: leave, Since: m.now, gives: r.Resources}
	m.preemption.leaving[taskKey{f.id, mesos.TaskID(leave.Task)}] = x
	m.count.preempted[leave.Cause]++
	m.do(Preempted{f.id, a.id, leave})
	m.sendKill(a, f, leave.Task, m.leavePolicy(row))
}

// leavePolicy is how a task is killed that is asked to leave: with its own grace,
// and at least the configured one.
func (m *Master) leavePolicy(row uint32) *mesospb.KillPolicy {
	own := unmarshal(m.tasks.info(row), &mesospb.TaskInfo{}).GetKillPolicy().GetGracePeriod().GetNanoseconds()
	return &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: new(max(own, int64(m.cfg.PreemptGrace)))}}
}

// A Preempting is what an operator can see of preemption.
type Preempting struct {
	Roles   []string // it is on for
	Unmet   []Unmet  // guarantees that others keep from being met, by role
	Leaving []Leaving
}

// Unmet is a guarantee that is not met because of others.
type Unmet struct {
	Role  string
	Since time.Time
}

// preempting describes what is under way; the tasks in the order they were asked.
func (m *Master) preempting() Preempting {
	out := Preempting{Roles: m.cfg.PreemptFor}
	for _, role := range slices.Sorted(maps.Keys(m.preemption.unmet)) {
		out.Unmet = append(out.Unmet, Unmet{role, m.preemption.unmet[role]})
	}
	out.Leaving = slices.SortedFunc(maps.Values(m.preemption.leaving), func(a, b Leaving) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Framework, b.Framework), cmp.Compare(a.Task, b.Task))
	})
	return out
}
