package keeper

import (
	"context"
	"time"

	"github.com/soukproject/souk/agent/containerizer/shim"
)

// A watcher waits for the end of one process.
type watcher interface {
	wait() error // nil: it has ended
	Close() error
}

// watch waits for the end of the shim of dir. Where the system has no way to
// wait for a process that is not a child, its lock is tried now and then.
func watch(ctx context.Context, dir shim.Dir, p shim.Process) error {
	w, err := watchProcess(p.PID)
	if err != nil {
		return poll(ctx, dir)
	}
	defer context.AfterFunc(ctx, func() { w.Close() })()
	defer w.Close()
	if !p.Alive() {
		return nil // the pid, if it exists, is somebody else's by now
	}
	if err := w.wait(); err != nil && ctx.Err() == nil {
		return poll(ctx, dir)
	}
	return ctx.Err()
}

// poll looks at the lock ten times a second.
func poll(ctx context.Context, dir shim.Dir) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if held, err := dir.Locked(); err == nil && !held {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
