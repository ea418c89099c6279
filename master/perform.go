package master

import (
	"context"
	"errors"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/master/core"
	"github.com/soukproject/souk/master/registrar"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// perform does one effect. Nothing here blocks: a subscriber who is too slow is
// cut off by its outbox, and its handler reports that it went.
func (l *loop) perform(effect core.Effect) {
	switch e := effect.(type) {
	case core.Persist:
		l.persist(e)
	case core.SendAgent:
		if sink := l.agents[e.Session]; sink != nil {
			sink.Send(e.Event)
		}
	case core.CloseAgent:
		if sink := l.agents[e.Session]; sink != nil {
			sink.Close()
		}
	case core.SendFramework:
		l.sendFramework(e)
	case core.CloseFramework:
		if sink := l.frameworks[e.Stream]; sink != nil {
			sink.Close()
		}
	case core.Reply:
		if waiting := l.waiting[e.Request]; waiting != nil {
			waiting <- e // has room for the one reply there is
			delete(l.waiting, e.Request)
		}
	case core.Publish:
		l.publish(e.Event)
	case core.Preempted:
		l.log.Info("task asked to leave", zap.String("task_id", e.Task), zap.String("framework_id", string(e.Framework)),
			zap.String("agent_id", string(e.Agent)), zap.String("role", e.Role), zap.String("for_role", e.For), zap.Stringer("cause", e.Cause))
	case core.Exit:
		l.failed = errors.New(e.Why)
	case core.Refused:
		l.refused.Inc()
		l.log.Log(severity(e), "refused", zap.String("what", e.What), zap.String("id", e.ID), zap.String("why", e.Why))
	}
}

// severity: an operator wants to know of agents turned away; the rest is between
// the master and whoever sent it.
func severity(e core.Refused) zapcore.Level {
	if e.What == core.RefusedSession {
		return zap.WarnLevel
	}
	return zap.DebugLevel
}

// persist hands operations to the registrar, and its word that they are durable
// back to the core.
func (l *loop) persist(e core.Persist) {
	l.registrar.Submit(registrar.Write{Operations: e.Operations, Done: func() {
		// Only a loop that has ended refuses, and then nobody waits for it.
		_ = l.put(context.Background(), input{event: core.Persisted{Seq: e.Seq}})
	}})
}

// sendFramework sends a scheduler's event. SUBSCRIBED is followed by the first
// heartbeat at once, as clients expect (mesos-api 1.7).
func (l *loop) sendFramework(e core.SendFramework) {
	sink := l.frameworks[e.Stream]
	if sink == nil {
		return
	}
	sink.Send(e.Event)
	if e.Event.GetType() == schedulerpb.Event_SUBSCRIBED {
		sink.Send(&schedulerpb.Event{Type: schedulerpb.Event_HEARTBEAT.Enum()})
	}
}

// publish tells operators, and the log when membership changed.
func (l *loop) publish(ev *masterpb.Event) {
	for _, sink := range l.operators {
		sink.Send(ev)
	}
	switch ev.GetType() {
	case masterpb.Event_AGENT_ADDED:
		info := ev.GetAgentAdded().GetAgent().GetAgentInfo()
		l.log.Info("agent added", zap.String("agent_id", info.GetId().GetValue()), zap.String("hostname", info.GetHostname()))
	case masterpb.Event_AGENT_REMOVED:
		l.log.Info("agent removed", zap.String("agent_id", ev.GetAgentRemoved().GetAgentId().GetValue()))
	case masterpb.Event_FRAMEWORK_ADDED:
		info := ev.GetFrameworkAdded().GetFramework().GetFrameworkInfo()
		l.log.Info("framework added", zap.String("framework_id", info.GetId().GetValue()), zap.String("name", info.GetName()))
	case masterpb.Event_FRAMEWORK_UPDATED:
		info := ev.GetFrameworkUpdated().GetFramework().GetFrameworkInfo()
		l.log.Info("framework updated", zap.String("framework_id", info.GetId().GetValue()), zap.String("name", info.GetName()))
	case masterpb.Event_FRAMEWORK_REMOVED:
		l.log.Info("framework removed", zap.String("framework_id", ev.GetFrameworkRemoved().GetFrameworkInfo().GetId().GetValue()))
	}
}

// measure is the source of what the loop itself knows.
func (l *loop) measure(_ context.Context, emit func(metrics.Value)) {
	emit(metrics.Value{Name: "master/event_queue_messages", Kind: metrics.GaugeKind, Value: float64(len(l.inbox))})
}
