package link

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/soukproject/souk/internal/leader"
)

// elections detects what is sent to it.
type elections chan leader.Leader

func (e elections) Detect(ctx context.Context, _ leader.Leader) (leader.Leader, error) {
	select {
	case l := <-e:
		return l, nil
	case <-ctx.Done():
		return leader.Leader{}, ctx.Err()
	}
}

// After many failures an agent waits up to a minute, but not for a new leader.
func TestNewLeaderEndsTheWait(t *testing.T) {
	for _, next := range []struct {
		name    string
		leaders []leader.Leader
		changed bool
	}{
		{"another", []leader.Leader{{}, {ID: "b", Address: "b:1"}}, true},
		{"the same again", []leader.Leader{{}, {ID: "a", Address: "a:1"}}, false},
		{"none", nil, false},
	} {
		t.Run(next.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := make(elections)
				cfg := Config{Detector: e, Backoff: time.Second}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				const after = time.Millisecond
				go func() {
					time.Sleep(after)
					for _, l := range next.leaders {
						select {
						case e <- l:
						case <-ctx.Done():
							return
						}
					}
				}()
				began := time.Now()
				var longest time.Duration
				for range 20 { // the wait is a random part of a minute
					changed, err := pause(ctx, cfg, leader.Leader{ID: "a", Address: "a:1"}, 20)
					if err != nil {
						t.Fatal(err)
					}
					took := time.Since(began)
					if changed && (!next.changed || took > after+cfg.Backoff) {
						t.Fatalf("pause = changed after %v", took)
					}
					if changed {
						return
					}
					longest = max(longest, took)
					began = time.Now()
				}
				if next.changed {
					t.Errorf("the new leader was never heard of")
				}
				if longest < cfg.Backoff {
					t.Errorf("the longest of 20 waits took %v, want up to a minute", longest)
				}
			})
		})
	}
}
