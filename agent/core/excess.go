package core

import (
	"time"

	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// exceeded ends a container that has more than it may have. Why is stored first:
// its tasks are told, whoever sees the end.
func (a *Agent) exceeded(ev Exceeded) {
	x := a.containers[ev.Container]
	switch {
	case x == nil || x.phase != running:
		a.refuse("excess", string(ev.Container), "no such container runs")
		return
	case x.beyond != nil:
		return // it is being ended
	}
	x.beyond = &checkpointpb.Limitation{Reason: ev.Reason.Enum(), Message: &ev.Why, Resources: ev.Resources}
	record := x.recordOf()
	a.persist(func(now time.Time) { a.endLimited(now, x) }, record)
}

// recordOf is what says how a container fares.
func (x *executor) recordOf() *checkpointpb.Record {
	if x.own != nil {
		return x.record()
	}
	return x.task.progress()
}

// endLimited ends a container that is beyond a limit, without grace: it has what
// is others' by now.
func (a *Agent) endLimited(now time.Time, x *executor) {
	if x.beyond == nil || x.phase != running || x.stop.next == destroying {
		return
	}
	x.stop = stop{killing, now}
	a.escalate(now, x)
}

// limitedBy reports whether x ended because it was beyond a limit. A command that
// was done before it could be killed has ended by itself.
func (x *executor) limitedBy(end End) bool {
	return x != nil && x.beyond != nil && (!end.Known || end.Signal == killed || end.Exit == killedExit)
}

// How the end of a container looks that was killed, and of one whose shell saw
// that of its child.
const (
	killed     = "Killed"
	killedExit = 128 + 9
)

// limitationStatus says which limit the container of a task went beyond.
func (a *Agent) limitationStatus(now time.Time, t *task) *mesospb.TaskStatus {
	beyond := t.executor.beyond
	s := a.agentStatus(now, t, mesospb.TaskState_TASK_FAILED, beyond.GetReason(), beyond.GetMessage())
	s.Limitation = &mesospb.TaskResourceLimitation{Resources: beyond.GetResources()}
	return s
}
