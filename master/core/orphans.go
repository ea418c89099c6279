package core

import (
	"cmp"
	"slices"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// orphanGrace is how long a scheduler may be away before that is written down.
// Most are back by then, so that a change of masters costs no writes.
const orphanGrace = 10 * time.Second

// An orphan is a framework whose scheduler is away, as the registry has it. It
// outlives masters, so that the failover timeout runs on when they change. It
// outlives the framework as well: an agent that brings tasks of it later does
// not give it another life.
type orphan struct {
	since   time.Time
	timeout time.Duration
	removed bool // it was torn down: neither its scheduler nor its tasks are taken in
}

func (o orphan) over() time.Time { return o.since.Add(o.timeout) }

// Events that follow a write.
type (
	orphaned struct{} // only for the order of writes
	// tornDown: somebody who wants to know has ended a framework.
	tornDown struct {
		id      mesos.FrameworkID
		request Request
		code    int
	}
	// welcomed: the scheduler of an orphan is back.
	welcomed struct {
		id mesos.FrameworkID
		ev Subscribed
	}
)

func (orphaned) event() {}
func (tornDown) event() {}
func (welcomed) event() {}

// recoverOrphans takes in what earlier masters wrote, whose clocks may have been
// ahead: a time that is still to come would keep an orphan until then.
func (m *Master) recoverOrphans(list []*registrypb.Orphan) {
	for _, x := range list {
		since := time.Unix(0, x.GetSince().GetNanoseconds())
		if since.After(m.now) {
			since = m.now
		}
		m.orphans[mesos.FrameworkID(x.GetId().GetValue())] = orphan{
			since: since, timeout: time.Duration(x.GetTimeout().GetNanoseconds()), removed: x.GetRemoved(),
		}
	}
}

// awaitScheduler begins the time that a scheduler has to come back. since is when
// it went, at is when it is given up.
func (m *Master) awaitScheduler(f *framework, since, at time.Time) {
	f.away = since
	m.timers.set(timer{failoverTimer, uint64(f.handle)}, after(m.now, at.Sub(m.now)))
	if _, known := m.orphans[f.id]; !known {
		m.timers.set(timer{orphanTimer, uint64(f.handle)}, after(m.now, orphanGrace))
	}
}

// forgetAway ends it.
func (m *Master) forgetAway(f *framework) {
	f.away = time.Time{}
	m.timers.cancel(timer{failoverTimer, uint64(f.handle)})
	m.timers.cancel(timer{orphanTimer, uint64(f.handle)})
}

// recoveredUntil is when a framework is given up that agents told of. One that
// nobody wrote down may have been connected to the last; it gets its timeout,
// and as long as an agent at least. One that was gets what is left, or time to
// find the new leader.
func (m *Master) recoveredUntil(f *framework) (since, until time.Time) {
	if o, known := m.orphans[f.id]; known {
		until = o.since.Add(failoverTimeout(f.info))
		if least := m.elected.Add(m.cfg.AgentReregisterTimeout); until.Before(least) {
			until = least
		}
		return o.since, until
	}
	return m.now, m.now.Add(max(failoverTimeout(f.info), m.cfg.AgentReregisterTimeout))
}

// orphanTimedOut writes down that a scheduler is away.
func (m *Master) orphanTimedOut(f *framework) {
	o := orphan{since: f.away, timeout: failoverTimeout(f.info)}
	m.orphans[f.id] = o
	m.persistThen(orphaned{}, orphanOp(f.id, &o))
}

// tearDown ends a framework once that is written down: whoever leads next must not
// take it in again from an agent that was away.
func (m *Master) tearDown(f *framework, request Request, code int) {
	m.persistThen(tornDown{f.id, request, code}, orphanOp(f.id, &orphan{since: m.now, removed: true}))
}

func (m *Master) tornDown(ev tornDown) {
	m.orphans[ev.id] = orphan{since: m.now, removed: true}
	if f := m.frameworks[ev.id]; f != nil && !f.completed {
		m.removeFramework(f)
	}
	m.reply(ev.request, ev.code, "")
}

// over reports whether a framework was removed, by this master or torn down at
// another one.
func (m *Master) over(id mesos.FrameworkID) bool {
	if f := m.frameworks[id]; f != nil {
		return f.completed
	}
	return m.orphans[id].removed
}

// welcome strikes an orphan off before its scheduler hears that it is subscribed.
// It reports false for a framework that is none.
func (m *Master) welcome(id mesos.FrameworkID, ev Subscribed) bool {
	if _, known := m.orphans[id]; !known {
		return false
	}
	m.welcoming[ev.Stream] = true
	m.persistThen(welcomed{id, ev}, orphanOp(id, nil))
	return true
}

func (m *Master) welcomed(ev welcomed) {
	delete(m.orphans, ev.id)
	if m.welcoming[ev.ev.Stream] {
		delete(m.welcoming, ev.ev.Stream)
		m.subscribed(ev.ev)
	}
}

// oldOrphans lists those that no agent is waited for any more, and those beyond
// the number that the registry keeps.
func (m *Master) oldOrphans() []mesos.FrameworkID {
	var ids []mesos.FrameworkID
	for id := range m.orphans {
		if f := m.frameworks[id]; f == nil || f.completed {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b mesos.FrameworkID) int {
		return cmp.Or(m.orphans[a].over().Compare(m.orphans[b].over()), cmp.Compare(a, b))
	})
	n := max(0, len(ids)-m.cfg.RegistryMaxAgentCount)
	for n < len(ids) && m.now.Sub(m.orphans[ids[n]].over()) > m.cfg.RegistryMaxAgentAge {
		n++
	}
	return ids[:n]
}

// pruneOrphans drops the old ones.
func (m *Master) pruneOrphans() {
	old := m.oldOrphans()
	if len(old) == 0 {
		return
	}
	op := &registrypb.Operation{Type: registrypb.Operation_SET_ORPHANS.Enum()}
	for _, id := range old {
		delete(m.orphans, id)
		op.Orphans = append(op.Orphans, &registrypb.Orphan{Id: frameworkID(id)})
	}
	m.persistThen(orphaned{}, op)
}

// orphanOp writes an orphan, or strikes it off if it is nil.
func orphanOp(id mesos.FrameworkID, o *orphan) *registrypb.Operation {
	x := &registrypb.Orphan{Id: frameworkID(id)}
	if o != nil {
		x.Since, x.Timeout = timeInfo(o.since), &mesospb.DurationInfo{Nanoseconds: new(int64(o.timeout))}
		if o.removed {
			x.Removed = new(true)
		}
	}
	return &registrypb.Operation{Type: registrypb.Operation_SET_ORPHANS.Enum(), Orphans: []*registrypb.Orphan{x}}
}
