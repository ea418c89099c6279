// Package leadertest checks that contenders and detectors keep their promises,
// and has an Election in memory, the working fake for tests of components that
// change leaders. It owns no production implementation.
package leadertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/leader"
)

// patience bounds how long a real implementation may take for one change.
const patience = 10 * time.Second

// A Group is one election: contenders that compete and a view of who leads.
type Group struct {
	Join     func(leader.Leader) leader.Contender
	Detector leader.Detector
}

// Harness is what the suite needs of an implementation.
type Harness struct {
	Open  func(*testing.T) Group // a fresh election
	Known leader.Leader          // set if the leader is configured, not elected
}

// Run runs the suite; what needs rivals is left out if the leader is configured.
func Run(t *testing.T, h Harness) {
	t.Run("a lone contender leads until it gives up", func(t *testing.T) { testAlone(t, h) })
	t.Run("contending ends with its context", func(t *testing.T) { testContendEnds(t, h) })
	t.Run("the leader is detected", func(t *testing.T) { testDetect(t, h) })
	t.Run("detecting ends with its context", func(t *testing.T) { testDetectEnds(t, h) })
	if h.Known.None() {
		t.Run("nobody leads at first", func(t *testing.T) { testNobody(t, h) })
		t.Run("one of two leads and the other follows", func(t *testing.T) { testSuccession(t, h) })
		t.Run("a contender that gave up contends again", func(t *testing.T) { testAgain(t, h) })
	}
}

func (h Harness) me() leader.Leader {
	if !h.Known.None() {
		return h.Known
	}
	return leader.Leader{ID: "one", Address: "127.0.0.1:1", Info: []byte("one")}
}

// win contends and fails the test if leadership does not come.
func win(t *testing.T, c leader.Contender) (lost <-chan struct{}, resign func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(patience, cancel)
	lost, err := c.Contend(ctx)
	if err != nil {
		t.Fatalf("Contend = %v, want leadership", err)
	}
	timer.Stop()
	return lost, cancel
}

func closes(t *testing.T, lost <-chan struct{}) {
	t.Helper()
	select {
	case <-lost:
	case <-time.After(patience):
		t.Fatal("leadership was not lost")
	}
}

func detect(t *testing.T, d leader.Detector, previous leader.Leader) leader.Leader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := d.Detect(ctx, previous)
	if err != nil {
		t.Fatalf("Detect(%v) = %v", previous, err)
	}
	return l
}

func testAlone(t *testing.T, h Harness) {
	lost, resign := win(t, h.Open(t).Join(h.me()))
	select {
	case <-lost:
		t.Fatal("leadership was lost at once")
	default:
	}
	resign()
	closes(t, lost)
}

func testContendEnds(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Open(t).Join(h.me()).Contend(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Contend = %v, want Canceled", err)
	}
}

func testDetect(t *testing.T, h Harness) {
	g := h.Open(t)
	_, resign := win(t, g.Join(h.me()))
	defer resign()
	if got := detect(t, g.Detector, leader.Leader{}); !got.Equal(h.me()) {
		t.Errorf("Detect = %v, want %v", got, h.me())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got, err := g.Detector.Detect(ctx, h.me()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Detect(the leader itself) = %v, %v, want it to block", got, err)
	}
}

func testDetectEnds(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Open(t).Detector.Detect(ctx, leader.Leader{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Detect = %v, want Canceled", err)
	}
}

func testNobody(t *testing.T, h Harness) {
	stale := leader.Leader{ID: "gone", Address: "127.0.0.1:9"}
	if got := detect(t, h.Open(t).Detector, stale); !got.None() {
		t.Errorf("Detect = %v, want none", got)
	}
}

func testSuccession(t *testing.T, h Harness) {
	g := h.Open(t)
	one, two := h.me(), leader.Leader{ID: "two", Address: "127.0.0.1:2", Info: []byte("two")}
	lost, resign := win(t, g.Join(one))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	second := make(chan error, 1)
	go func() {
		_, err := g.Join(two).Contend(ctx)
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("the second contender returned %v while the first led", err)
	case <-time.After(20 * time.Millisecond):
	}
	resign()
	closes(t, lost)
	if err := <-second; err != nil {
		t.Fatalf("Contend of the second = %v", err)
	}
	for seen := one; !seen.Equal(two); { // none may be seen in between
		seen = detect(t, g.Detector, seen)
	}
}

func testAgain(t *testing.T, h Harness) {
	c := h.Open(t).Join(h.me())
	lost, resign := win(t, c)
	resign()
	closes(t, lost)
	_, resign = win(t, c)
	resign()
}
