package agent

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/checkpoint"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/internal/daemon"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
)

// On a full disk a write is tried again after a wait that doubles from the one
// to the other.
const (
	firstFullWait = 100 * time.Millisecond
	lastFullWait  = 15 * time.Second
)

// A writer makes checkpoints durable. All that came while it wrote are written
// together, with one sync. On a full disk it waits for room: nothing is said or
// done before it is stored. Another failed write ends the agent: what is on disk
// is then for its successor to find out.
type writer struct {
	log      *checkpoint.Log
	pending  *queue[core.Checkpoint]
	post     func(ctx context.Context, ev core.Event) error
	makeRoom func()
	errors   *zap.Logger
	boot     string // stored after the first write; "": nothing to store
}

func newWriter(log *checkpoint.Log, post func(context.Context, core.Event) error, makeRoom func(), errors *zap.Logger) *writer {
	return &writer{log: log, pending: newQueue[core.Checkpoint](), post: post, makeRoom: makeRoom, errors: errors}
}

func (w *writer) run(ctx context.Context) error {
	for {
		list, err := w.pending.take(ctx)
		if err != nil {
			return err
		}
		batches := make([][]*checkpointpb.Record, len(list))
		for i, c := range list {
			batches[i] = c.Records
		}
		if err := w.persist(ctx, func() error { return w.log.Append(batches...) }); err != nil {
			return err
		}
		if err := w.persist(ctx, w.storeBoot); err != nil {
			return err
		}
		if err := w.post(ctx, core.Checkpointed{Seq: list[len(list)-1].Seq}); err != nil {
			return err
		}
	}
}

// persist repeats a write until there is room for it.
func (w *writer) persist(ctx context.Context, write func() error) error {
	for wait := firstFullWait; ; wait = min(2*wait, lastFullWait) {
		err := write()
		if !checkpoint.IsFull(err) {
			return err
		}
		w.errors.Error("disk full: the agent waits, and tells the master nothing new, until there is room; remove files from the disk of --work_dir",
			zap.Duration("next_try", wait), zap.Error(err))
		w.makeRoom()
		if err := daemon.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// storeBoot notes that what follows from a restart of the machine is durable.
func (w *writer) storeBoot() error {
	if w.boot == "" {
		return nil
	}
	if err := w.log.SetBoot(w.boot); err != nil {
		return err
	}
	w.boot = ""
	return nil
}
