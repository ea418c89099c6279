package allocatortest_test

import (
	"slices"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
)

// warmup is a policy that lets new agents rest before it offers them: those that come and go again at once, as in a
// restart of a rack, then bother nobody. What it does not say itself another policy decides.
type warmup struct {
	allocator.Allocator
	rest      time.Duration
	newcomers []newcomer // the first to be ready first
}

type newcomer struct {
	id     mesos.AgentID
	ready  time.Time
	active bool // what the master last said of it
}

func newWarmup(rest time.Duration, next allocator.New) allocator.New {
	return func(cfg allocator.Config) allocator.Allocator {
		return &warmup{Allocator: next(cfg), rest: rest}
	}
}

func (w *warmup) AddAgent(now time.Time, a allocator.Agent, held []allocator.Holding) {
	w.Allocator.AddAgent(now, a, held)
	w.Allocator.SetAgentActive(now, a.ID, false)
	w.newcomers = append(w.newcomers, newcomer{a.ID, now.Add(w.rest), true})
}

func (w *warmup) RemoveAgent(now time.Time, id mesos.AgentID) {
	w.newcomers = slices.DeleteFunc(w.newcomers, func(n newcomer) bool { return n.id == id })
	w.Allocator.RemoveAgent(now, id)
}

func (w *warmup) SetAgentActive(now time.Time, id mesos.AgentID, active bool) {
	if at := slices.IndexFunc(w.newcomers, func(n newcomer) bool { return n.id == id }); at >= 0 {
		w.newcomers[at].active = active
		return
	}
	w.Allocator.SetAgentActive(now, id, active)
}

func (w *warmup) Allocate(now time.Time) []allocator.Allocation {
	for len(w.newcomers) > 0 && !w.newcomers[0].ready.After(now) {
		w.Allocator.SetAgentActive(now, w.newcomers[0].id, w.newcomers[0].active)
		w.newcomers = w.newcomers[1:]
	}
	return w.Allocator.Allocate(now)
}

func (w *warmup) Deadline() (time.Time, bool) {
	at, ok := w.Allocator.Deadline()
	if len(w.newcomers) > 0 && (!ok || w.newcomers[0].ready.Before(at)) {
		return w.newcomers[0].ready, true
	}
	return at, ok
}
