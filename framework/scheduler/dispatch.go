package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"

	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// Acknowledgements go out beside the events, several at a time: one after
// another, each a round trip, they would be what limits a busy framework.
// Their order does not matter, as an agent sends the next update of a task
// only after the one before is acknowledged.
const (
	ackWorkers = 4
	ackQueue   = 1024
)

// startAcks starts the workers, which end with ctx, and returns their queue.
func (r *runner) startAcks(ctx context.Context, workers *sync.WaitGroup, c *client) chan<- *schedulerpb.Call {
	acks := make(chan *schedulerpb.Call, ackQueue)
	for range ackWorkers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case call := <-acks:
					r.acknowledge(ctx, c, call)
				}
			}
		})
	}
	return acks
}

// acknowledge makes one call. If it fails the update comes again.
func (r *runner) acknowledge(ctx context.Context, c *client, call *schedulerpb.Call) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := c.Send(ctx, call); err != nil {
		r.log.Debug("acknowledgement failed", zap.Error(err))
	}
}

// dispatch hands one event to the scheduler.
func (r *runner) dispatch(ctx context.Context, e *schedulerpb.Event, acks chan<- *schedulerpb.Call) error {
	s := r.session
	switch e.GetType() {
	case schedulerpb.Event_SUBSCRIBED:
		return r.sched.Subscribed(ctx, s)
	case schedulerpb.Event_OFFERS:
		return r.sched.Offers(ctx, s, e.GetOffers().GetOffers())
	case schedulerpb.Event_UPDATE:
		return r.update(ctx, e, acks)
	case schedulerpb.Event_UPDATE_OPERATION_STATUS:
		return r.operationUpdate(ctx, e, acks)
	case schedulerpb.Event_RESCIND:
		if h, ok := r.sched.(Rescinder); ok {
			return h.Rescinded(ctx, s, e.GetRescind().GetOfferId())
		}
	case schedulerpb.Event_INVERSE_OFFERS:
		if h, ok := r.sched.(InverseOfferer); ok {
			return h.InverseOffers(ctx, s, e.GetInverseOffers().GetInverseOffers())
		}
	case schedulerpb.Event_RESCIND_INVERSE_OFFER:
		if h, ok := r.sched.(InverseOfferer); ok {
			return h.InverseOfferRescinded(ctx, s, e.GetRescindInverseOffer().GetInverseOfferId())
		}
	case schedulerpb.Event_MESSAGE:
		if h, ok := r.sched.(Messenger); ok {
			return h.Message(ctx, s, e.GetMessage())
		}
	case schedulerpb.Event_FAILURE:
		if h, ok := r.sched.(FailureWatcher); ok {
			return h.Failure(ctx, s, e.GetFailure())
		}
	case schedulerpb.Event_ERROR:
		return &MasterError{Message: e.GetError().GetMessage()}
	}
	return nil // a heartbeat, or an event of a newer master
}

// update acknowledges what the scheduler took, if that is asked for.
func (r *runner) update(ctx context.Context, e *schedulerpb.Event, acks chan<- *schedulerpb.Call) error {
	status := e.GetUpdate().GetStatus()
	err := r.sched.Update(ctx, r.session, status)
	if errors.Is(err, ErrLater) || err == nil && len(status.GetUuid()) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("update of task %s: %w", status.GetTaskId().GetValue(), err)
	}
	return r.queue(ctx, acks, acknowledge(status))
}

func (r *runner) operationUpdate(ctx context.Context, e *schedulerpb.Event, acks chan<- *schedulerpb.Call) error {
	h, ok := r.sched.(OperationWatcher)
	if !ok {
		return nil
	}
	status := e.GetUpdateOperationStatus().GetStatus()
	err := h.OperationUpdate(ctx, r.session, status)
	if errors.Is(err, ErrLater) || err == nil && len(status.GetUuid().GetValue()) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("update of operation %s: %w", status.GetOperationId().GetValue(), err)
	}
	return r.queue(ctx, acks, acknowledgeOperation(status))
}

// queue waits for room: a framework that cannot acknowledge need not read on.
func (r *runner) queue(ctx context.Context, acks chan<- *schedulerpb.Call, call *schedulerpb.Call) error {
	call.FrameworkId = r.session.frameworkID()
	select {
	case acks <- call:
		return nil
	case <-ctx.Done():
		return &connectionError{context.Cause(ctx)}
	}
}
