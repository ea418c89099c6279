package marathon

import (
	"go.uber.org/zap"

	"github.com/soukproject/souk/frameworks/marathon/core"
)

// perform hands an effect to whoever does it. It never blocks.
func (l *loop) perform(e core.Effect) {
	switch e := e.(type) {
	case core.Persist:
		l.writer.write(e)
	case core.Reply:
		l.replies[e.Token] <- e // has room for its one answer
		delete(l.replies, e.Token)
	case core.Publish:
		l.note(e)
		l.hub.Publish(e)
	case core.Resign:
		close(l.resigned)
	case core.Probe:
		l.probes.start(e)
	case core.Acknowledge:
		status := l.updates[e.Token]
		delete(l.updates, e.Token)
		l.calls.add(call{effect: e, status: status, epoch: l.epoch})
	default:
		l.calls.add(call{effect: e, epoch: l.epoch})
	}
}

// note logs what an operator wants to find in the log.
func (l *loop) note(e core.Publish) {
	switch d := e.Data.(type) {
	case core.StatusUpdate:
		l.log.Info("task updated", zap.String("task_id", d.TaskID), zap.String("state", d.TaskStatus),
			zap.String("agent_id", d.AgentID), zap.String("host", d.Host), zap.String("message", d.Message))
	case core.DeploymentStepped:
		l.log.Info(d.EventType, zap.String("deployment_id", d.Plan.ID), zap.Any("actions", d.CurrentStep.Actions))
	case core.DeploymentEnded:
		l.log.Info(d.EventType, zap.String("deployment_id", d.ID), zap.String("reason", d.Reason))
	case core.UnhealthyKilled:
		l.log.Warn("unhealthy task killed", zap.String("task_id", d.TaskID), zap.String("reason", d.Reason))
	}
}
