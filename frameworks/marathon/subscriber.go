package marathon

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/frameworks/marathon/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A subscriber turns what the master says into events for the loop.
type subscriber struct {
	loop  *loop
	calls *calls
}

var (
	_ scheduler.Scheduler    = (*subscriber)(nil)
	_ scheduler.Messenger    = (*subscriber)(nil)
	_ scheduler.Disconnecter = (*subscriber)(nil)
)

// Subscribed implements scheduler.Scheduler.
func (s *subscriber) Subscribed(ctx context.Context, session *scheduler.Session) error {
	s.calls.subscribed(session)
	master := session.Master()
	return s.loop.send(ctx, input{event: core.Subscribed{
		FrameworkID: session.FrameworkID(),
		Master:      masterAddress(master),
		Region:      master.GetDomain().GetFaultDomain().GetRegion().GetName(),
	}})
}

func masterAddress(m *mesospb.MasterInfo) string {
	if pid := m.GetPid(); pid != "" {
		return pid
	}
	return m.GetId()
}

// mourn looks at why the subscription ended. A framework that the master has
// removed never comes back: that is stored before it is told.
func (s *subscriber) mourn(ctx context.Context, err error) error {
	var refused *scheduler.MasterError
	if !errors.As(err, &refused) || !strings.Contains(refused.Message, "has been removed") {
		return err
	}
	if err := s.loop.send(ctx, input{event: core.Removed{}}); err != nil {
		return err
	}
	select {
	case <-s.loop.resigned:
		return fmt.Errorf("%w by the master, and its tasks with it: start again to run the apps as a new framework", refused)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Offers implements scheduler.Scheduler.
func (s *subscriber) Offers(ctx context.Context, _ *scheduler.Session, offers []*mesospb.Offer) error {
	return s.loop.send(ctx, input{event: core.Offered{Offers: offers}})
}

// Update implements scheduler.Scheduler. It is acknowledged when what follows
// from it is stored.
func (s *subscriber) Update(ctx context.Context, _ *scheduler.Session, status *mesospb.TaskStatus) error {
	if err := s.loop.send(ctx, input{event: core.Updated{Status: status}, status: status}); err != nil {
		return err
	}
	return scheduler.ErrLater
}

// Message implements scheduler.Messenger.
func (s *subscriber) Message(ctx context.Context, _ *scheduler.Session, m *schedulerpb.Event_Message) error {
	return s.loop.send(ctx, input{event: core.Messaged{
		AgentID: m.GetAgentId().GetValue(), ExecutorID: m.GetExecutorId().GetValue(), Data: m.GetData(),
	}})
}

// Disconnected implements scheduler.Disconnecter.
func (s *subscriber) Disconnected(ctx context.Context, _ *scheduler.Session, _ error) {
	if err := s.loop.send(ctx, input{event: core.Disconnected{}}); err != nil {
		return // the process is ending
	}
}
