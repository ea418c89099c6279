package agent

import (
	"context"

	"github.com/soukproject/souk/agent/checkpoint"
	"github.com/soukproject/souk/agent/core"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
)

// A writer makes checkpoints durable. All that came while it wrote are written
// together, with one sync. A failed write ends the agent: what is on disk is
// then for its successor to find out.
type writer struct {
	log     *checkpoint.Log
	pending *queue[core.Checkpoint]
	post    func(ctx context.Context, ev core.Event) error
	boot    string // stored after the first write; "": nothing to store
}

func newWriter(log *checkpoint.Log, post func(context.Context, core.Event) error) *writer {
	return &writer{log: log, pending: newQueue[core.Checkpoint](), post: post}
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
		if err := w.log.Append(batches...); err != nil {
			return err
		}
		if err := w.storeBoot(); err != nil {
			return err
		}
		if err := w.post(ctx, core.Checkpointed{Seq: list[len(list)-1].Seq}); err != nil {
			return err
		}
	}
}

// storeBoot notes that what follows from a restart of the machine is durable.
func (w *writer) storeBoot() error {
	if w.boot == "" {
		return nil
	}
	id := w.boot
	w.boot = ""
	return w.log.SetBoot(id)
}
