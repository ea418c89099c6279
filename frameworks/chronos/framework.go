package chronos

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/frameworks/chronos/core"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A framework is the subscription to the master: it turns what the master says
// into events, and effects into calls.
type framework struct {
	cfg     Config
	loop    *loop
	address string
	log     *zap.Logger
	id      string // to subscribe with; follow's alone

	session atomic.Pointer[scheduler.Session] // nil before the first subscription
}

// follow stays subscribed until ctx ends or the master will not have us. An id
// that the master has removed, because the scheduler was away for longer than
// the failover timeout, is given up for a new one; jobs stay.
func (f *framework) follow(ctx context.Context) error {
	for {
		err := scheduler.Run(ctx, f.config(), f)
		if ctx.Err() != nil {
			return nil
		}
		if f.id == "" || !removed(err) {
			return err
		}
		f.log.Warn("framework was removed by the master, subscribing as a new one", zap.String("framework_id", f.id), zap.Error(err))
		f.id = ""
		if err := f.loop.tell(ctx, core.Removed{}); err != nil {
			return err
		}
	}
}

func removed(err error) bool {
	var refused *scheduler.MasterError
	return errors.As(err, &refused) && strings.Contains(refused.Message, "has been removed")
}

func (f *framework) config() scheduler.Config {
	return scheduler.Config{
		Master:    f.cfg.Master,
		Detect:    f.cfg.Detect,
		Framework: f.info(),
		Principal: f.cfg.Principal,
		Secret:    f.cfg.Secret,
		HTTP:      f.cfg.HTTP,
		Log:       f.log,
	}
}

func (f *framework) info() *mesospb.FrameworkInfo {
	info := &mesospb.FrameworkInfo{
		Name:            new(f.cfg.FrameworkName),
		User:            new(f.cfg.User),
		Roles:           []string{f.cfg.Role},
		Checkpoint:      new(f.cfg.Checkpoint),
		FailoverTimeout: new(f.cfg.FailoverTimeout.Seconds()),
		Hostname:        new(f.cfg.Hostname),
		WebuiUrl:        new(f.cfg.WebUIURL),
	}
	if f.cfg.WebUIURL == "" {
		info.WebuiUrl = new("http://" + f.address)
	}
	if f.cfg.Principal != "" {
		info.Principal = new(f.cfg.Principal)
	}
	if f.id != "" {
		info.Id = &mesospb.FrameworkID{Value: new(f.id)}
	}
	for _, c := range []mesospb.FrameworkInfo_Capability_Type{
		mesospb.FrameworkInfo_Capability_MULTI_ROLE,
		mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT,
		mesospb.FrameworkInfo_Capability_PARTITION_AWARE,
		mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE,
	} {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: c.Enum()})
	}
	return info
}

// Subscribed implements scheduler.Scheduler.
func (f *framework) Subscribed(ctx context.Context, s *scheduler.Session) error {
	f.session.Store(s)
	f.id = s.FrameworkID()
	f.log.Info("subscribed", zap.String("framework_id", f.id))
	return f.loop.tell(ctx, core.Subscribed{Framework: mesos.FrameworkID(f.id)})
}

// Disconnected implements scheduler.Disconnecter.
func (f *framework) Disconnected(ctx context.Context, _ *scheduler.Session, why error) {
	f.log.Warn("disconnected from the master", zap.Error(why))
	_ = f.loop.tell(ctx, core.Disconnected{}) // fails only when the process ends
}

// Offers implements scheduler.Scheduler.
func (f *framework) Offers(ctx context.Context, _ *scheduler.Session, offers []*mesospb.Offer) error {
	return f.loop.tell(ctx, core.Offers{Offers: offers})
}

// Update implements scheduler.Scheduler. It is acknowledged by an effect, once
// what it changed is durable.
func (f *framework) Update(ctx context.Context, _ *scheduler.Session, status *mesospb.TaskStatus) error {
	if err := f.loop.tell(ctx, core.Update{Status: status}); err != nil {
		return err
	}
	return scheduler.ErrLater
}

// speak makes the calls that the core asks for, in its order. A call that fails
// may or may not have arrived: the core is told, and reconciles.
func (f *framework) speak(ctx context.Context, unsaid <-chan []core.Effect) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case effects := <-unsaid:
			for _, e := range effects {
				if err := f.call(ctx, e); err != nil && ctx.Err() == nil {
					f.log.Warn("call failed", zap.String("call", callName(e)), zap.Error(err))
					if f.loop.tell(ctx, core.Interrupted{}) != nil {
						return nil // the process ends
					}
				}
			}
		}
	}
}

// call makes the call of one effect.
func (f *framework) call(ctx context.Context, e core.Effect) error {
	s := f.session.Load()
	if s == nil {
		return scheduler.ErrDisconnected
	}
	switch e := e.(type) {
	case core.Accept:
		return s.Accept(ctx, []*mesospb.OfferID{offerID(e.Offer)}, refuse(e.Refuse), scheduler.Launch(e.Tasks...))
	case core.Decline:
		return s.Decline(ctx, offerIDs(e.Offers), refuse(e.Refuse))
	case core.Suppress:
		return s.Suppress(ctx)
	case core.Revive:
		return s.Revive(ctx)
	case core.Acknowledge:
		return s.Acknowledge(ctx, e.Status)
	case core.Kill:
		return s.Kill(ctx, &mesospb.TaskID{Value: new(string(e.Task))}, agentID(e.Agent), nil)
	case core.Reconcile:
		return s.Reconcile(ctx, reconcileTasks(e.Tasks)...)
	}
	return nil
}

// callName names the call of an effect for the log.
func callName(e core.Effect) string {
	switch e.(type) {
	case core.Accept:
		return "ACCEPT"
	case core.Decline:
		return "DECLINE"
	case core.Suppress:
		return "SUPPRESS"
	case core.Revive:
		return "REVIVE"
	case core.Acknowledge:
		return "ACKNOWLEDGE"
	case core.Kill:
		return "KILL"
	}
	return "RECONCILE"
}

func refuse(d time.Duration) *mesospb.Filters {
	if d <= 0 {
		return nil
	}
	return scheduler.RefuseFor(d.Seconds())
}

func offerID(id mesos.OfferID) *mesospb.OfferID {
	return &mesospb.OfferID{Value: new(string(id))}
}

func offerIDs(ids []mesos.OfferID) []*mesospb.OfferID {
	list := make([]*mesospb.OfferID, len(ids))
	for i, id := range ids {
		list[i] = offerID(id)
	}
	return list
}

func agentID(id mesos.AgentID) *mesospb.AgentID {
	if id == "" {
		return nil
	}
	return &mesospb.AgentID{Value: new(string(id))}
}

func reconcileTasks(tasks []core.TaskRef) []*schedulerpb.Call_Reconcile_Task {
	list := make([]*schedulerpb.Call_Reconcile_Task, len(tasks))
	for i, t := range tasks {
		list[i] = &schedulerpb.Call_Reconcile_Task{TaskId: &mesospb.TaskID{Value: new(string(t.Task))}, AgentId: agentID(t.Agent)}
	}
	return list
}
