package daemon_test

import (
	"context"
	"errors"
	"testing"

	"github.com/soukproject/souk/internal/daemon"
)

func waitForEnd(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestGroup(t *testing.T) {
	broken := errors.New("disk on fire")
	cases := []struct {
		name string
		run  func(context.Context) error
		stop bool // the group's own context ends
		want error
	}{
		{"an error ends all and is returned", func(context.Context) error { return broken }, false, broken},
		{"a clean return ends all", func(context.Context) error { return nil }, false, nil},
		{"an ended context is no error", waitForEnd, true, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			g := daemon.NewGroup(ctx)
			g.Go("waiter", waitForEnd)
			g.Go("worker", c.run)
			if c.stop {
				cancel()
			}
			err := g.Wait()
			if !errors.Is(err, c.want) {
				t.Errorf("Wait = %v, want %v", err, c.want)
			}
			if c.want != nil && err.Error() != "worker: disk on fire" {
				t.Errorf("Wait = %q, want the name of the function first", err)
			}
		})
	}
}
