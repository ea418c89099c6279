package allocator

import (
	"slices"
	"time"

	"github.com/soukproject/souk/proto/mesos"
)

// An InverseAllocator decides who is asked, and when, to give an agent back because its machine will be worked on
// (mesos-api 24.5). A policy that implements it decides itself; for one that does not, Inverse does. Calls are made as
// those of an Allocator are.
type InverseAllocator interface {
	// Ask lists those among holders, frameworks that hold something of an agent and are not being asked, that are to be
	// asked now, in the order given. again is when to ask about the others, zero if there are none.
	Ask(now time.Time, agent mesos.AgentID, holders []mesos.FrameworkID) (ask []mesos.FrameworkID, again time.Time)
	// Answered says that a framework accepted or declined, and is not to be asked about the agent for a time.
	Answered(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, refuse time.Duration)
	// ForgetAnswers makes the answers about an agent void: it is gone, or its maintenance has changed.
	ForgetAnswers(agent mesos.AgentID)
	// ForgetAnswersOf makes the answers of a framework void: it is gone, or disconnected.
	ForgetAnswersOf(id mesos.FrameworkID)
}

// Inverse asks everybody who holds something, and again when the time that an answer bought is over. Use NewInverse.
type Inverse struct {
	interval time.Duration // shortest time between two questions
	until    map[mesos.AgentID]map[mesos.FrameworkID]time.Time
}

var _ InverseAllocator = (*Inverse)(nil)

// NewInverse makes an Inverse that asks nobody twice within an interval.
func NewInverse(interval time.Duration) *Inverse {
	return &Inverse{interval: interval, until: map[mesos.AgentID]map[mesos.FrameworkID]time.Time{}}
}

// Ask is part of InverseAllocator.
func (v *Inverse) Ask(now time.Time, agent mesos.AgentID, holders []mesos.FrameworkID) (ask []mesos.FrameworkID, again time.Time) {
	ask = slices.DeleteFunc(slices.Clone(holders), func(id mesos.FrameworkID) bool {
		until := v.until[agent][id]
		if !until.After(now) {
			return false
		}
		if again.IsZero() || until.Before(again) {
			again = until
		}
		return true
	})
	return ask, again
}

// Answered is part of InverseAllocator.
func (v *Inverse) Answered(now time.Time, id mesos.FrameworkID, agent mesos.AgentID, refuse time.Duration) {
	if v.until[agent] == nil {
		v.until[agent] = map[mesos.FrameworkID]time.Time{}
	}
	v.until[agent][id] = now.Add(max(refuse, v.interval))
}

// ForgetAnswers is part of InverseAllocator.
func (v *Inverse) ForgetAnswers(agent mesos.AgentID) { delete(v.until, agent) }

// ForgetAnswersOf is part of InverseAllocator.
func (v *Inverse) ForgetAnswersOf(id mesos.FrameworkID) {
	for agent, until := range v.until {
		if delete(until, id); len(until) == 0 {
			delete(v.until, agent)
		}
	}
}
