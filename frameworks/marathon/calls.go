package marathon

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/frameworks/marathon/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

const (
	callsQueued = 1 << 16
	retryAfter  = time.Second
)

// calls makes the core's calls to the master one after another, in the order
// the core wants them: a kill must not overtake the launch. Calls that were
// meant for an earlier subscription are void. Almost any call may be lost
// without harm, because the core asks again or reconciles.
type calls struct {
	log     *zap.Logger
	queue   chan call
	session atomic.Pointer[scheduler.Session]
	epoch   atomic.Int64 // subscriptions so far
}

type call struct {
	effect core.Effect
	status *mesospb.TaskStatus // of an Acknowledge
	epoch  int64               // it belongs to
}

// add never blocks. With the queue full the master has been out of reach for
// long; what is dropped now is made good at the next subscription.
func (c *calls) add(next call) {
	select {
	case c.queue <- next:
	default:
		c.log.Warn("call dropped", zap.Int("queued", callsQueued))
	}
}

// subscribed makes calls go to s, and those queued before void.
func (c *calls) subscribed(s *scheduler.Session) {
	c.session.Store(s)
	c.epoch.Add(1)
}

func (c *calls) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case next := <-c.queue:
			c.attempt(ctx, next)
		}
	}
}

func (c *calls) attempt(ctx context.Context, next call) {
	s := c.session.Load()
	if s == nil || next.epoch != c.epoch.Load() {
		return
	}
	err := perform(ctx, s, next)
	for err != nil && mustSucceed(next.effect) && c.wait(ctx, next.epoch) {
		err = perform(ctx, s, next)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	c.log.Warn("call failed", zap.Error(err))
	if a, ok := next.effect.(core.Accept); ok {
		c.inquire(ctx, s, a)
	}
}

// mustSucceed: nothing else would notice the loss of these while the
// subscription lasts.
func mustSucceed(e core.Effect) bool {
	switch e.(type) {
	case core.Suppress, core.Revive:
		return true
	}
	return false
}

// wait is false when there is no point in another attempt.
func (c *calls) wait(ctx context.Context, epoch int64) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(retryAfter):
		return epoch == c.epoch.Load()
	}
}

// inquire asks what became of tasks whose launch may or may not have arrived.
// To launch them again could end those that run.
func (c *calls) inquire(ctx context.Context, s *scheduler.Session, a core.Accept) {
	var refs []core.TaskRef
	for _, t := range a.Tasks {
		refs = append(refs, core.TaskRef{TaskID: t.GetTaskId().GetValue(), AgentID: t.GetAgentId().GetValue()})
	}
	if err := perform(ctx, s, call{effect: core.Reconcile{Tasks: refs}}); err != nil && ctx.Err() == nil {
		c.log.Warn("call failed", zap.Error(err))
	}
}

// perform makes one call of the scheduler API.
func perform(ctx context.Context, s *scheduler.Session, next call) error {
	switch e := next.effect.(type) {
	case core.Accept:
		return s.Accept(ctx, offerIDs(e.OfferID), scheduler.RefuseFor(0), scheduler.Launch(e.Tasks...))
	case core.Decline:
		return s.Decline(ctx, offerIDs(e.OfferIDs...), scheduler.RefuseFor(e.Refuse.Seconds()))
	case core.Kill:
		return s.Kill(ctx, taskID(e.TaskID), agentID(e.AgentID), nil)
	case core.Reconcile:
		var tasks []*schedulerpb.Call_Reconcile_Task
		for _, t := range e.Tasks {
			tasks = append(tasks, &schedulerpb.Call_Reconcile_Task{TaskId: taskID(t.TaskID), AgentId: agentID(t.AgentID)})
		}
		return s.Reconcile(ctx, tasks...)
	case core.Suppress:
		return s.Suppress(ctx)
	case core.Revive:
		return s.Revive(ctx)
	case core.Acknowledge:
		return s.Acknowledge(ctx, next.status)
	}
	return nil
}

func offerIDs(ids ...string) []*mesospb.OfferID {
	out := make([]*mesospb.OfferID, len(ids))
	for i, id := range ids {
		out[i] = &mesospb.OfferID{Value: &id}
	}
	return out
}

func taskID(id string) *mesospb.TaskID { return &mesospb.TaskID{Value: &id} }

// agentID is nil for an unknown agent.
func agentID(id string) *mesospb.AgentID {
	if id == "" {
		return nil
	}
	return &mesospb.AgentID{Value: &id}
}
