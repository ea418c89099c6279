package core

import (
	"time"

	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// exceeded ends a container that has more than it may have. Why is stored first:
// its tasks are told, whoever sees the end.
func (a *Agent) exceeded(ev Exceeded) {
	c := a.containers[ev.Container]
	switch {
	case c == nil || c.phase != running:
		a.refuse("excess", string(ev.Container), "no such container runs")
		return
	case c.beyond != nil:
		return // it is being ended
	}
	c.beyond = &checkpointpb.Limitation{Reason: ev.Reason.Enum(), Message: &ev.Why, Resources: ev.Resources}
	record := c.recordOf()
	a.persist(func(now time.Time) { a.endLimited(now, c) }, record)
}

// recordOf is what says how a container fares.
func (c *container) recordOf() *checkpointpb.Record {
	if c.task == nil {
		return c.executor.record()
	}
	return c.task.progress()
}

// endLimited ends a container that is beyond a limit, without grace: it has what
// is others' by now.
func (a *Agent) endLimited(now time.Time, c *container) {
	if c.beyond == nil {
		return
	}
	if own := c.executor.own; own != nil && c.task == nil {
		own.due = time.Time{} // it need not subscribe any more
	}
	a.force(now, c)
}

// limitedBy reports whether c ended because it was beyond a limit. A command that
// was done before it could be killed has ended by itself.
func (c *container) limitedBy(end End) bool {
	return c != nil && c.beyond != nil && (!end.Known || end.Signal == killed || end.Exit == killedExit)
}

// How the end of a container looks that was killed, and of one whose shell saw
// that of its child.
const (
	killed     = "Killed"
	killedExit = 128 + 9
)

// limitationStatus says which limit the container of a task went beyond.
func (a *Agent) limitationStatus(now time.Time, t *task, beyond *checkpointpb.Limitation) *mesospb.TaskStatus {
	s := a.agentStatus(now, t, mesospb.TaskState_TASK_FAILED, beyond.GetReason(), beyond.GetMessage())
	s.Limitation = &mesospb.TaskResourceLimitation{Resources: beyond.GetResources()}
	return s
}
