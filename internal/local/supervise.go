package local

import (
	"context"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/internal/daemon"
)

// Pauses before a part that ended is started again. They grow while it fails at
// once, and begin anew when it has run for longer than the longest.
const (
	minPause = time.Second
	maxPause = 30 * time.Second
)

// supervise is run for a part that serves on first, started again whenever it
// ends, because the others can do without it for a while: a framework that an
// operator tore down, an agent marked gone, or a store without room. Before the cluster
// is up the user is still looking, and an error ends everything.
func (c *cluster) supervise(name string, first net.Listener, run func(context.Context, net.Listener) error) func(context.Context) error {
	return func(ctx context.Context) error {
		again := first.Addr().(*net.TCPAddr).Port
		started, pause := time.Now(), minPause
		err := run(ctx, first)
		for ctx.Err() == nil && c.up.Load() {
			if time.Since(started) > maxPause {
				pause = minPause
			}
			c.log.Error("part ended, starting it again", zap.String("part", name), zap.Duration("after", pause), zap.Error(err))
			if wait(ctx, pause) != nil {
				return nil
			}
			pause = min(2*pause, maxPause)
			started = time.Now()
			err = c.rerun(ctx, again, run)
		}
		return err
	}
}

// rerun runs a part on the port it had, which it has closed.
func (c *cluster) rerun(ctx context.Context, port int, run func(context.Context, net.Listener) error) error {
	ln, err := daemon.Listen(ctx, c.cfg.IP, port)
	if err != nil {
		return err
	}
	defer ln.Close()
	return run(ctx, ln)
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
