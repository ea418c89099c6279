package leader_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/leadertest"
)

var (
	one = leader.Leader{ID: "one", Address: "a:1"}
	two = leader.Leader{ID: "two", Address: "b:2"}
)

// untilItEnds is a reign that lasts as long as it may, and takes a while to end.
func untilItEnds(ctx context.Context) error {
	<-ctx.Done()
	time.Sleep(time.Second)
	return nil
}

func TestHold(t *testing.T) {
	failure := errors.New("disk full")
	cases := []struct {
		name  string
		reign func(context.Context) error
		end   func(e *leadertest.Election, cancel func())
		want  error
	}{
		{"ends with its context", untilItEnds, func(_ *leadertest.Election, cancel func()) { cancel() }, nil},
		{"is lost", untilItEnds, func(e *leadertest.Election, _ func()) { e.Depose() }, leader.ErrLost},
		{"is lost while a write fails", func(ctx context.Context) error {
			<-ctx.Done()
			return failure
		}, func(e *leadertest.Election, _ func()) { e.Depose() }, leader.ErrLost},
		{"fails", func(context.Context) error { return failure }, func(*leadertest.Election, func()) {}, failure},
		{"is over", func(context.Context) error { return nil }, func(*leadertest.Election, func()) {}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := leadertest.NewElection()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				reigning := false
				held := make(chan error, 1)
				go func() {
					held <- leader.Hold(ctx, e.Contender(one), func(ctx context.Context) error {
						reigning = true
						err := c.reign(ctx)
						reigning = false
						return err
					})
				}()
				synctest.Wait()
				c.end(e, cancel)
				if err := <-held; !errors.Is(err, c.want) {
					t.Errorf("Hold = %v, want %v", err, c.want)
				}
				if reigning {
					t.Error("Hold returned before the reign had ended")
				}
			})
		})
	}
}

// TestHoldGivesUpAfterTheReign: nobody begins while the former leader's work is
// still ending.
func TestHoldGivesUpAfterTheReign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := leadertest.NewElection()
		ctx, cancel := context.WithCancel(t.Context())
		var ended, began time.Time
		done := make(chan error, 2)
		go func() {
			done <- leader.Hold(ctx, e.Contender(one), func(ctx context.Context) error {
				err := untilItEnds(ctx)
				ended = time.Now()
				return err
			})
		}()
		synctest.Wait()
		go func() {
			done <- leader.Hold(t.Context(), e.Contender(two), func(context.Context) error {
				began = time.Now()
				return nil
			})
		}()
		synctest.Wait()
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("Hold = %v", err)
			}
		}
		if ended.IsZero() || began.Before(ended) {
			t.Errorf("the second began at %v, the first ended at %v", began, ended)
		}
	})
}

func TestHoldEndsWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := leadertest.NewElection()
		if _, err := e.Contender(two).Contend(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := leader.Hold(ctx, e.Contender(one), func(context.Context) error {
			t.Error("it reigned")
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			t.Errorf("Hold = %v, want the context's error", err)
		}
	})
}

func TestAgain(t *testing.T) {
	failure := errors.New("port taken")
	lost := errors.Join(errors.New("lead"), leader.ErrLost)
	cases := []struct {
		name    string
		results []error
		want    error
	}{
		{"is lost twice, then fails", []error{lost, lost, failure}, failure},
		{"ends", []error{nil}, nil},
		{"fails at once", []error{failure}, failure},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				turns := 0
				err := leader.Again(t.Context(), zap.NewNop(), func(context.Context) error {
					turns++
					return c.results[turns-1]
				})
				if !errors.Is(err, c.want) || turns != len(c.results) {
					t.Errorf("Again = %v after %d turns, want %v after %d", err, turns, c.want, len(c.results))
				}
			})
		})
	}
}

// TestAgainEnds: its context ends it, whatever run says, and also between two turns.
func TestAgainEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		turns := 0
		err := leader.Again(ctx, zap.NewNop(), func(context.Context) error {
			turns++
			time.AfterFunc(time.Nanosecond, cancel) // while it pauses
			return leader.ErrLost
		})
		if err != nil || turns != 1 {
			t.Errorf("Again = %v after %d turns, want nil after one", err, turns)
		}
	})
}
