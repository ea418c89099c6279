package core

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTimersComeInOrder: a heap of timers is a sorted list of the last time each was set to.
func TestTimersComeInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timers := newTimers()
		at := map[timer]int64{}
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			k := timer{offerTimer, rapid.Uint64Range(0, 9).Draw(t, "timer")}
			switch rapid.SampledFrom([]string{"set", "cancel", "pop"}).Draw(t, "op") {
			case "set":
				at[k] = rapid.Int64Range(0, 100).Draw(t, "at")
				timers.set(k, at[k])
			case "cancel":
				timers.cancel(k)
				delete(at, k)
			case "pop":
				now := rapid.Int64Range(0, 100).Draw(t, "now")
				got, ok := timers.pop(time.Unix(0, now))
				for other, due := range at {
					if due <= now && (!ok || due < at[got]) {
						t.Fatalf("pop(%d) = %v, %t, but %v was due at %d", now, got, ok, other, due)
					}
				}
				if ok {
					delete(at, got)
				}
			}
			if err := timers.check(); err != nil || len(timers.heap) != len(at) {
				t.Fatalf("%d timers, want %d: %v", len(timers.heap), len(at), err)
			}
		}
	})
}

func TestAfterDoesNotWrapAround(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := after(now, math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("after(now, 292 years) = %d, want never", got)
	}
	timers := newTimers()
	timers.set(timer{}, math.MaxInt64)
	if at, ok := timers.next(); ok {
		t.Errorf("next() = %v, want none", at)
	}
}
