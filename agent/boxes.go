package agent

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/network"
	"github.com/soukproject/souk/agent/sandbox"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/proto/mesos"
)

const (
	launchTimeout  = 2 * time.Minute  // for a containerizer to start a container
	destroyTimeout = time.Minute      // for one attempt to clean up
	firstRetry     = time.Second      // after a failed destruction or wait
	lastRetry      = 30 * time.Second // it doubles up to this
)

// boxes does to containers what the core wants done, each in a goroutine of its
// own, since all of it takes time. Launches are limited in number: more at a
// time take longer each, and none is done sooner.
type boxes struct {
	agent      *agent
	containers containerizer.Containerizer
	networks   *network.Networks
	jobs       *queue[func(ctx context.Context)]
	preparing  sync.Map      // container id to the context.CancelCauseFunc that gives it up
	launches   chan struct{} // one token per launch under way
	log        *zap.Logger
	failures   *metrics.Counter // destructions that failed
	leases     *metrics.Counter // images that could not be given back
	pending    pending
	isolated   bool // containers can have files and process ids of their own
}

func newBoxes(a *agent, c containerizer.Containerizer, n *network.Networks) *boxes {
	return &boxes{
		agent: a, containers: c, networks: n, jobs: newQueue[func(context.Context)](),
		launches: make(chan struct{}, max(4, 2*runtime.NumCPU())), log: a.log.Named("containers"),
		failures: a.metrics.Counter("containerizer/mesos/container_destroy_errors"),
		leases:   a.metrics.Counter("containerizer/mesos/provisioner/remove_container_errors"),
	}
}

// run starts jobs until ctx ends, and waits for those under way. A launch under
// way is finished: the next agent takes the container up.
func (b *boxes) run(ctx context.Context) error {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	for {
		list, err := b.jobs.take(ctx)
		if err != nil {
			return err
		}
		for _, job := range list {
			jobs.Go(func() { job(ctx) })
		}
	}
}

func (b *boxes) launch(e core.Launch) {
	b.jobs.put(func(ctx context.Context) {
		done := b.pending.begin("launch", string(e.Run.Container))
		status, err := b.start(ctx, e)
		done()
		if err != nil {
			err = errors.Join(err, b.agent.images.Release(string(e.Run.Container)))
		}
		if ctx.Err() != nil && err != nil {
			return // the next agent finds that there is nothing
		}
		id := e.Run.Container
		if err != nil {
			b.log.Warn("launch failed", zap.String("container_id", string(id)), zap.String("executor_id", string(e.Run.Executor)), zap.Error(err))
			b.post(ctx, core.LaunchFailed{Container: id, Why: reason(string(id), err), Sandbox: errors.As(err, new(*sandbox.CreateError))})
			return
		}
		b.post(ctx, core.Launched{Container: id, PID: uint32(status.PID), Networks: b.networkInfos(string(id))})
		b.wait(ctx, string(id))
	})
}

// start prepares a container, makes its network and launches it.
func (b *boxes) start(ctx context.Context, e core.Launch) (containerizer.Status, error) {
	config, err := b.prepare(ctx, e)
	if err != nil {
		return containerizer.Status{}, err
	}
	select {
	case b.launches <- struct{}{}:
		defer func() { <-b.launches }()
	case <-ctx.Done():
		return containerizer.Status{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), launchTimeout)
	defer cancel()
	if config.Confinement, err = b.agent.confinement(e); err != nil {
		return containerizer.Status{}, err
	}
	if err := b.join(ctx, e, &config); err != nil {
		return containerizer.Status{}, err
	}
	status, err := b.containers.Launch(ctx, config)
	if err != nil {
		err = errors.Join(err, b.networks.Detach(ctx, config.ID))
	}
	return status, err
}

func (b *boxes) post(ctx context.Context, ev core.Event) {
	// When the loop has ended, the next agent finds out for itself.
	_ = b.agent.loop.post(ctx, ev)
}

func (b *boxes) await(id string) {
	b.jobs.put(func(ctx context.Context) { b.wait(ctx, id) })
}

// wait reports how a container ends.
func (b *boxes) wait(ctx context.Context, id string) {
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		t, err := b.containers.Wait(ctx, id)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil, errors.Is(err, containerizer.ErrUnknown):
			b.post(ctx, core.Exited{Container: mesos.ContainerID(id), End: end(t)})
			return
		}
		b.log.Error("waiting for container failed", zap.String("container_id", id), zap.Error(err))
		if daemon.Sleep(ctx, retry) != nil {
			return
		}
	}
}

func (b *boxes) signal(id string, sig syscall.Signal) {
	b.jobs.put(func(ctx context.Context) {
		err := b.containers.Signal(ctx, id, sig)
		if err != nil && !errors.Is(err, containerizer.ErrUnknown) && ctx.Err() == nil {
			b.log.Warn("signal not sent", zap.String("container_id", id), zap.Stringer("signal", sig), zap.Error(err))
		}
	})
}

// resize gives a container other limits. It keeps what it had if that fails.
func (b *boxes) resize(id string, limits containerizer.Limits) {
	b.jobs.put(func(ctx context.Context) {
		err := b.containers.Update(ctx, id, limits)
		if err != nil && !errors.Is(err, containerizer.ErrUnknown) && ctx.Err() == nil {
			b.log.Warn("limits not changed", zap.String("container_id", id), zap.Error(err))
		}
	})
}

func (b *boxes) destroy(id string) {
	b.jobs.put(func(ctx context.Context) {
		defer b.pending.begin("destroy", id)()
		for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
			err := b.destroyOnce(ctx, id)
			if err == nil {
				b.post(ctx, core.Destroyed{Container: mesos.ContainerID(id)})
				return
			}
			if ctx.Err() != nil {
				return
			}
			b.failures.Inc()
			b.log.Error("container not cleaned up", zap.String("container_id", id), zap.Error(err))
			if daemon.Sleep(ctx, retry) != nil {
				return
			}
		}
	})
}

func (b *boxes) destroyOnce(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, destroyTimeout)
	defer cancel()
	if err := b.containers.Destroy(ctx, id); err != nil {
		return err
	}
	err := b.agent.images.Release(id)
	if err != nil {
		b.leases.Inc()
	}
	return errors.Join(b.networks.Detach(ctx, id), err)
}

// end is a termination as the core knows it.
func end(t containerizer.Termination) core.End {
	e := core.End{Known: t.Known, Status: int32(t.Status), OOM: t.OOM, MemPeak: t.MemPeak, Rebooted: !t.Known && t.Reason == containerizer.Reboot}
	if code, ok := t.Exited(); ok {
		e.Exit = code
	}
	if sig, ok := t.Signaled(); ok {
		e.Signal = signalName(sig)
	}
	return e
}
