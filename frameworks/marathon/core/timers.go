package core

import (
	"container/heap"
	"time"
)

// A timer is a reason to look at something again. Looking is harmless: who set
// it need not take it back.
type timer struct {
	at   time.Time
	seq  uint64
	kind timerKind
	key  string // of an app or a task
	i    int    // of a health check of the task
}

type timerKind int

const (
	delayTimer       timerKind = iota // an app's launch delay has passed, or can be forgotten
	overdueTimer                      // a task should have been heard of, or run, by now
	unreachableTimer                  // an unreachable instance is replaced or forgotten
	killTimer                         // a kill should have been confirmed
	reconcileTimer                    // ask the master again
	tokenTimer                        // launch tokens are refilled
	reviveTimer                       // offers may be asked for again
	healthTimer                       // a health check is due
)

// timers is a heap by time, then by the order in which they were set.
type timers struct {
	heap []timer
	seq  uint64
}

func (t *timers) set(at time.Time, kind timerKind, key string) { t.setIndexed(at, kind, key, 0) }

func (t *timers) setIndexed(at time.Time, kind timerKind, key string, i int) {
	t.seq++
	heap.Push(t, timer{at, t.seq, kind, key, i})
}

func (t *timers) next() (time.Time, bool) {
	if len(t.heap) == 0 {
		return time.Time{}, false
	}
	return t.heap[0].at, true
}

// due takes out one timer whose time has come.
func (t *timers) due(now time.Time) (timer, bool) {
	if len(t.heap) == 0 || t.heap[0].at.After(now) {
		return timer{}, false
	}
	return heap.Pop(t).(timer), true
}

func (t *timers) Len() int { return len(t.heap) }

func (t *timers) Less(i, j int) bool {
	a, b := t.heap[i], t.heap[j]
	if a.at.Equal(b.at) {
		return a.seq < b.seq
	}
	return a.at.Before(b.at)
}

func (t *timers) Swap(i, j int) { t.heap[i], t.heap[j] = t.heap[j], t.heap[i] }
func (t *timers) Push(x any)    { t.heap = append(t.heap, x.(timer)) }
func (t *timers) Pop() any {
	last := len(t.heap) - 1
	x := t.heap[last]
	t.heap = t.heap[:last]
	return x
}

// runTimers looks at everything whose time has come. Timers set meanwhile lie
// in the future, or are run too.
func (c *Core) runTimers() {
	for {
		t, ok := c.timers.due(c.now)
		if !ok {
			return
		}
		switch t.kind {
		case delayTimer:
			c.delayPassed(t.key)
		case overdueTimer:
			c.checkOverdue(t.key)
		case unreachableTimer:
			c.checkUnreachable(t.key)
		case killTimer:
			c.retryKill(t.key)
		case reconcileTimer:
			c.reconcilePeriodically()
		case tokenTimer:
			c.refillTokens()
		case reviveTimer:
			// adjustDemand follows every step.
		case healthTimer:
			c.probe(t.key, t.i)
		}
	}
}
