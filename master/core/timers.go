package core

import (
	"fmt"
	"math"
	"time"
)

// A timer says what is due; subject is the row, handle or number it concerns.
type timer struct {
	kind    timerKind
	subject uint64
}

type timerKind uint8

const (
	pingTimer       timerKind = iota // an agent is to be pinged, or has missed a ping
	reregisterTimer                  // a disconnected or recovered agent has not come back
	failoverTimer                    // a scheduler has not come back
	offerTimer                       // an offer was left unanswered
	registryTimer                    // old entries of the registry are to be dropped
	resumeTimer                      // agents that are not back are no longer waited for
	preemptTimer                     // guarantees that are not met are to be looked at
	inverseTimer                     // frameworks are to be asked to give an agent back
	orphanTimer                      // that a scheduler is away is to be written
	removalTimer                     // the next agent may be marked unreachable
	recoveryTimer                    // the agents in the registry had their time to come back
)

// due is one entry of the heap. Entries of one instant keep the order they were set in.
type due struct {
	at, seq int64
	timer
}

// timers is a heap of deadlines with at most one entry per timer. It holds no
// pointers, as there is one per agent and one per offer.
type timers struct {
	heap  []due
	place map[timer]int // of a timer in heap
	seq   int64
}

func newTimers() timers { return timers{place: map[timer]int{}} }

// after is now plus d; what is too far away to count is never.
func after(now time.Time, d time.Duration) int64 {
	at := now.UnixNano()
	if d > 0 && at > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return at + int64(d)
}

// set arms a timer, or moves it.
func (t *timers) set(k timer, at int64) {
	t.seq++
	i, found := t.place[k]
	if !found {
		i = len(t.heap)
		t.heap = append(t.heap, due{})
	}
	t.put(i, due{at: at, seq: t.seq, timer: k})
	t.fix(i)
}

func (t *timers) isSet(k timer) bool { _, ok := t.place[k]; return ok }

// cancel disarms a timer, if it is armed.
func (t *timers) cancel(k timer) {
	i, found := t.place[k]
	if !found {
		return
	}
	last := len(t.heap) - 1
	moved := t.heap[last]
	t.heap = t.heap[:last]
	delete(t.place, k)
	if i < last {
		t.put(i, moved)
		t.fix(i)
	}
}

// pop takes the first timer that is due at now.
func (t *timers) pop(now time.Time) (timer, bool) {
	if len(t.heap) == 0 || t.heap[0].at > now.UnixNano() {
		return timer{}, false
	}
	first := t.heap[0].timer
	t.cancel(first)
	return first, true
}

// next is when the first timer is due.
func (t *timers) next() (time.Time, bool) {
	if len(t.heap) == 0 || t.heap[0].at == math.MaxInt64 {
		return time.Time{}, false
	}
	return time.Unix(0, t.heap[0].at), true
}

func (t *timers) put(i int, d due) {
	t.heap[i] = d
	t.place[d.timer] = i
}

func (t *timers) less(i, j int) bool {
	a, b := t.heap[i], t.heap[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (t *timers) swap(i, j int) {
	a, b := t.heap[i], t.heap[j]
	t.put(i, b)
	t.put(j, a)
}

// fix restores the order of the heap around i.
func (t *timers) fix(i int) {
	for i > 0 && t.less(i, (i-1)/2) {
		t.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		child := 2*i + 1
		if child+1 < len(t.heap) && t.less(child+1, child) {
			child++
		}
		if child >= len(t.heap) || !t.less(child, i) {
			return
		}
		t.swap(i, child)
		i = child
	}
}

// check says what is wrong with the heap.
func (t *timers) check() error {
	if len(t.heap) != len(t.place) {
		return fmt.Errorf("%d timers, %d places", len(t.heap), len(t.place))
	}
	for i := range t.heap {
		if t.place[t.heap[i].timer] != i {
			return fmt.Errorf("timer %v is not where it should be", t.heap[i].timer)
		}
		if i > 0 && t.less(i, (i-1)/2) {
			return fmt.Errorf("timer %v is due before its parent", t.heap[i].timer)
		}
	}
	return nil
}
