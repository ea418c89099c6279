package scheduler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A Session makes a framework's calls. There is one per Run; it stays the same
// through lost connections, during which calls fail with ErrDisconnected. A
// call returns once the master has accepted it; what comes of it arrives as
// events. It may be used from any goroutine.
type Session struct {
	log *zap.Logger

	mu      sync.Mutex
	client  *client // nil while not subscribed
	id      string
	master  *mesospb.MasterInfo
	update  *schedulerpb.Call_UpdateFramework // the latest that the master took
	tearing chan struct{}                     // closed when the latest Teardown is over; nil before the first

	torn atomic.Bool // the master took a Teardown
}

// FrameworkID is the id that the master gave the framework, "" before the first subscription.
func (s *Session) FrameworkID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// Master describes the master of the latest subscription; nil before the first.
func (s *Session) Master() *mesospb.MasterInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.master
}

// Accept uses the resources of offers, all of one agent and role, for the
// operations. What is left goes back, and is not offered again for as long as
// filters say; nil: five seconds.
func (s *Session) Accept(ctx context.Context, offers []*mesospb.OfferID, filters *mesospb.Filters, ops ...*mesospb.Offer_Operation) error {
	return s.Call(ctx, &schedulerpb.Call{
		Type:   schedulerpb.Call_ACCEPT.Enum(),
		Accept: &schedulerpb.Call_Accept{OfferIds: offers, Operations: ops, Filters: filters},
	})
}

// Decline gives offers back, not to be offered again for as long as filters say; nil: five seconds.
func (s *Session) Decline(ctx context.Context, offers []*mesospb.OfferID, filters *mesospb.Filters) error {
	return s.Call(ctx, &schedulerpb.Call{
		Type:    schedulerpb.Call_DECLINE.Enum(),
		Decline: &schedulerpb.Call_Decline{OfferIds: offers, Filters: filters},
	})
}

// AcceptInverseOffers agrees to free the resources by the time asked for.
func (s *Session) AcceptInverseOffers(ctx context.Context, offers []*mesospb.OfferID, filters *mesospb.Filters) error {
	return s.Call(ctx, &schedulerpb.Call{
		Type:                schedulerpb.Call_ACCEPT_INVERSE_OFFERS.Enum(),
		AcceptInverseOffers: &schedulerpb.Call_AcceptInverseOffers{InverseOfferIds: offers, Filters: filters},
	})
}

// DeclineInverseOffers says that the resources cannot be freed.
func (s *Session) DeclineInverseOffers(ctx context.Context, offers []*mesospb.OfferID, filters *mesospb.Filters) error {
	return s.Call(ctx, &schedulerpb.Call{
		Type:                 schedulerpb.Call_DECLINE_INVERSE_OFFERS.Enum(),
		DeclineInverseOffers: &schedulerpb.Call_DeclineInverseOffers{InverseOfferIds: offers, Filters: filters},
	})
}

// Kill asks for a task to end. agent and policy may be nil. A task that the
// master does not know is answered with an update, as in Reconcile.
func (s *Session) Kill(ctx context.Context, task *mesospb.TaskID, agent *mesospb.AgentID, policy *mesospb.KillPolicy) error {
	return s.Call(ctx, &schedulerpb.Call{
		Type: schedulerpb.Call_KILL.Enum(),
		Kill: &schedulerpb.Call_Kill{TaskId: task, AgentId: agent, KillPolicy: policy},
	})
}

// Shutdown asks for one of the framework's own executors to end, with its tasks.
func (s *Session) Shutdown(ctx context.Context, executor *mesospb.ExecutorID, agent *mesospb.AgentID) error {
	return s.Call(ctx, &schedulerpb.Call{
		Type:     schedulerpb.Call_SHUTDOWN.Enum(),
		Shutdown: &schedulerpb.Call_Shutdown{ExecutorId: executor, AgentId: agent},
	})
}

// Suppress stops offers for the roles, or for all of the framework's, until Revive.
func (s *Session) Suppress(ctx context.Context, roles ...string) error {
	return s.Call(ctx, &schedulerpb.Call{
		Type:     schedulerpb.Call_SUPPRESS.Enum(),
		Suppress: &schedulerpb.Call_Suppress{Roles: roles},
	})
}

// Revive asks for offers for the roles, or for all of the framework's, and
// forgets the filters of earlier calls.
func (s *Session) Revive(ctx context.Context, roles ...string) error {
	return s.Call(ctx, &schedulerpb.Call{
		Type:   schedulerpb.Call_REVIVE.Enum(),
		Revive: &schedulerpb.Call_Revive{Roles: roles},
	})
}

// Reconcile asks for the state of tasks, or of all that the master knows. The
// answers come as updates.
func (s *Session) Reconcile(ctx context.Context, tasks ...*schedulerpb.Call_Reconcile_Task) error {
	return s.Call(ctx, &schedulerpb.Call{
		Type:      schedulerpb.Call_RECONCILE.Enum(),
		Reconcile: &schedulerpb.Call_Reconcile{Tasks: tasks},
	})
}

// Acknowledge confirms an update for which Update returned ErrLater. One that
// needs no acknowledgement is none.
func (s *Session) Acknowledge(ctx context.Context, status *mesospb.TaskStatus) error {
	if len(status.GetUuid()) == 0 {
		return nil
	}
	return s.Call(ctx, acknowledge(status))
}

// AcknowledgeOperation confirms an update for which OperationUpdate returned ErrLater.
func (s *Session) AcknowledgeOperation(ctx context.Context, status *mesospb.OperationStatus) error {
	if len(status.GetUuid().GetValue()) == 0 {
		return nil
	}
	return s.Call(ctx, acknowledgeOperation(status))
}

// ReconcileOperations asks for the status of operations; of none: of all that are
// known. The answers come to the OperationWatcher.
func (s *Session) ReconcileOperations(ctx context.Context, ops ...*schedulerpb.Call_ReconcileOperations_Operation) error {
	return s.Call(ctx, &schedulerpb.Call{
		Type:                schedulerpb.Call_RECONCILE_OPERATIONS.Enum(),
		ReconcileOperations: &schedulerpb.Call_ReconcileOperations{Operations: ops},
	})
}

// Message sends data to one of the framework's own executors, without any promise of delivery.
func (s *Session) Message(ctx context.Context, executor *mesospb.ExecutorID, agent *mesospb.AgentID, data []byte) error {
	return s.Call(ctx, &schedulerpb.Call{
		Type:    schedulerpb.Call_MESSAGE.Enum(),
		Message: &schedulerpb.Call_Message{ExecutorId: executor, AgentId: agent, Data: data},
	})
}

// UpdateFramework changes what the master knows of the framework: its info,
// suppressed roles and offer constraints, each as a whole. Later subscriptions
// keep them.
func (s *Session) UpdateFramework(ctx context.Context, u *schedulerpb.Call_UpdateFramework) error {
	u = proto.CloneOf(u)
	if u.FrameworkInfo != nil {
		u.FrameworkInfo.Id = s.frameworkID()
	}
	call := &schedulerpb.Call{Type: schedulerpb.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: u}
	if err := s.Call(ctx, call); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.update = u
	return nil
}

// Teardown ends the framework: the master kills its tasks and forgets it. Run
// then returns nil. Doing it again does nothing.
func (s *Session) Teardown(ctx context.Context) error {
	answered := make(chan struct{})
	defer close(answered)
	s.mu.Lock()
	earlier := s.tearing
	s.tearing = answered
	s.mu.Unlock()
	if earlier != nil {
		<-earlier
	}
	if s.torn.Load() {
		return nil
	}
	err := s.Call(ctx, &schedulerpb.Call{Type: schedulerpb.Call_TEARDOWN.Enum()})
	if err == nil {
		s.torn.Store(true)
	}
	return err
}

// Call makes any call of the scheduler API but SUBSCRIBE. It sets the call's
// framework id.
func (s *Session) Call(ctx context.Context, call *schedulerpb.Call) error {
	s.mu.Lock()
	c := s.client
	call.FrameworkId = &mesospb.FrameworkID{Value: proto.String(s.id)}
	s.mu.Unlock()
	err := proto.CheckInitialized(call)
	if err == nil {
		err = send(ctx, c, call)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", strings.ToLower(call.GetType().String()), err)
	}
	return nil
}

func send(ctx context.Context, c *client, call *schedulerpb.Call) error {
	if c == nil {
		return &brokenCall{ErrDisconnected}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := c.Send(ctx, call)
	if err != nil && broken(err) {
		err = &brokenCall{err}
	}
	return err
}

// A brokenCall failed with the subscription, and would not have otherwise.
type brokenCall struct{ error }

func (e *brokenCall) Unwrap() error { return e.error }

// broken tells whether a call failed for want of a subscription rather than for
// what it said.
func broken(err error) bool {
	var refused *callevent.Error
	if !errors.As(err, &refused) {
		return true
	}
	switch refused.Code {
	case http.StatusBadRequest: // a new master, or a new stream
		return refused.Text == "Framework cannot be found" || strings.Contains(refused.Text, "stream ID")
	case http.StatusForbidden:
		return refused.Text == "Framework is not subscribed"
	}
	return passing(refused.Code)
}

// begin makes calls go to a new subscription's master.
func (s *Session) begin(c *client, e *schedulerpb.Event_Subscribed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = c
	s.id = e.GetFrameworkId().GetValue()
	s.master = e.GetMasterInfo()
}

// end makes calls fail, and reports whether they went anywhere before.
func (s *Session) end() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.client != nil
	s.client = nil
	return was
}

// tornDown tells whether the framework has ended. The stream of one that has
// often breaks before the call that ended it is answered.
func (s *Session) tornDown() bool {
	s.mu.Lock()
	answered := s.tearing
	s.mu.Unlock()
	if answered != nil {
		<-answered
	}
	return s.torn.Load()
}

// updated is a subscription with what UpdateFramework set last; nil if nothing.
func (s *Session) updated() *schedulerpb.Call_Subscribe {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.update == nil {
		return nil
	}
	return &schedulerpb.Call_Subscribe{
		FrameworkInfo:    proto.CloneOf(s.update.GetFrameworkInfo()),
		SuppressedRoles:  s.update.GetSuppressedRoles(),
		OfferConstraints: s.update.GetOfferConstraints(),
	}
}

func (s *Session) frameworkID() *mesospb.FrameworkID {
	return &mesospb.FrameworkID{Value: proto.String(s.FrameworkID())}
}

func acknowledge(status *mesospb.TaskStatus) *schedulerpb.Call {
	return &schedulerpb.Call{
		Type: schedulerpb.Call_ACKNOWLEDGE.Enum(),
		Acknowledge: &schedulerpb.Call_Acknowledge{
			AgentId: status.GetAgentId(), TaskId: status.GetTaskId(), Uuid: status.GetUuid(),
		},
	}
}

func acknowledgeOperation(status *mesospb.OperationStatus) *schedulerpb.Call {
	return &schedulerpb.Call{
		Type: schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS.Enum(),
		AcknowledgeOperationStatus: &schedulerpb.Call_AcknowledgeOperationStatus{
			AgentId: status.GetAgentId(), ResourceProviderId: status.GetResourceProviderId(),
			OperationId: status.GetOperationId(), Uuid: status.GetUuid().GetValue(),
		},
	}
}
