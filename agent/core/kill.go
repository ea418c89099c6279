package core

import (
	"time"

	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// defaultGrace is how long a task has after SIGTERM when nobody says (Mesos).
const defaultGrace = 3 * time.Second

// forceWait is how long a killed container may take to end before the next means.
const forceWait = 10 * time.Second

// kill says that a task is wanted to end.
type kill struct {
	cause  checkpointpb.Kill_Cause
	since  time.Time
	grace  time.Duration
	own    bool // it is for an executor that the framework brought, which is told policy
	policy *mesospb.KillPolicy
}

// stop is the forced end of a container: SIGTERM, SIGKILL, destruction.
type stop struct {
	next step
	at   time.Time // of the next step
}

type step int

const (
	none step = iota
	killing
	destroying
)

func (s *stop) deadline() (at time.Time, ok bool) { return s.at, s.next != none }

// grace is how long t has after SIGTERM: the caller's policy, or its own, or the default.
func (t *task) grace(policy *mesospb.KillPolicy) time.Duration {
	for _, p := range []*mesospb.KillPolicy{policy, t.info.GetKillPolicy()} {
		if g := p.GetGracePeriod(); g != nil {
			return max(0, time.Duration(g.GetNanoseconds()))
		}
	}
	return defaultGrace
}

func (a *Agent) killTask(now time.Time, e *linkpb.KillTask) {
	t := a.task(e.GetFrameworkId(), e.GetTaskId())
	if t == nil || t.executor == nil {
		a.refuse("kill of task", e.GetTaskId().GetValue(), "it does not run here")
		return
	}
	if t.executor.own != nil {
		a.killUnder(now, t, e.GetKillPolicy())
		return
	}
	a.endTask(now, t, t.grace(e.GetKillPolicy()))
}

// endTask ends t because its framework wants that. A second time may shorten
// the grace period, which counts from the first, and never lengthens it.
func (a *Agent) endTask(now time.Time, t *task, grace time.Duration) {
	c := t.container
	switch {
	case t.framework.removing || c.phase >= ended:
		a.refuse("kill of task", string(t.id), "it is ending already")
	case c.phase == intended:
		a.endUnlaunched(now, t)
	case t.kill == nil:
		a.beginKill(now, t, kill{cause: checkpointpb.Kill_REQUESTED, since: now, grace: grace})
	case grace < t.kill.grace:
		t.kill.grace = grace
		a.persist(nil, t.progress())
		a.hasten(now, t)
	}
}

// endUnlaunched ends a task before anything was launched for it.
func (a *Agent) endUnlaunched(now time.Time, t *task) {
	a.update(now, t, nil, a.unlaunchedStatus(now, t))
	a.dropExecutor(t.executor)
}

// endOverdue ends a task that has run for as long as it may, without grace.
func (a *Agent) endOverdue(now time.Time, t *task) {
	a.beginKill(now, t, kill{cause: checkpointpb.Kill_OVERDUE, since: now})
}

// beginKill stores that t is to end and then tells its container. One that is
// being launched is told when it runs.
func (a *Agent) beginKill(now time.Time, t *task, k kill) {
	t.kill = &k
	t.endProbes()
	if c := t.container; c.phase <= launching {
		a.persist(func(time.Time) { a.abort(c) }, t.progress())
		return
	}
	a.update(now, t, func(now time.Time) { a.terminate(now, t) }, a.killing(now, t)...)
}

// killing is the update that a framework gets which asked for such.
func (a *Agent) killing(now time.Time, t *task) []*mesospb.TaskStatus {
	if t.kill.cause == checkpointpb.Kill_OVERDUE || t.state == mesospb.TaskState_TASK_KILLING ||
		!t.framework.has(mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE) {
		return nil
	}
	return []*mesospb.TaskStatus{a.status(now, t, mesospb.TaskState_TASK_KILLING)}
}

// terminate tells the container of a task whose kill is durable to end. No
// grace is no chance to look like one that ended by itself.
func (a *Agent) terminate(now time.Time, t *task) {
	c := t.container
	if c.phase != running || c.stop.next != none {
		return
	}
	if t.kill.cause != checkpointpb.Kill_OVERDUE && t.kill.grace == 0 {
		a.force(now, c)
		return
	}
	a.stop(now, c, t.kill.since.Add(t.kill.grace))
}

// hasten applies a shortened grace period.
func (a *Agent) hasten(now time.Time, t *task) {
	c := t.container
	if c.stop.next == killing {
		c.stop.at = t.kill.since.Add(t.kill.grace)
		a.escalate(now, c)
	}
}

// stop asks a container to end and sees to it that it has by then, or soon after.
func (a *Agent) stop(now time.Time, c *container, by time.Time) {
	if c.stop.next == none {
		a.emit(SendSignal{Container: c.id, Signal: Terminate})
		c.stop = stop{killing, by}
	} else if c.stop.next == killing && by.Before(c.stop.at) {
		c.stop.at = by
	}
	a.escalate(now, c)
}

// force ends a container without asking it.
func (a *Agent) force(now time.Time, c *container) {
	if c.phase == running && c.stop.next != destroying {
		c.stop = stop{killing, now}
		a.escalate(now, c)
	}
}

// escalate takes the next step of a forced end when it is due. SIGKILL keeps
// the record of the exit; destruction is for what even that does not end.
func (a *Agent) escalate(now time.Time, c *container) {
	if at, ok := c.stop.deadline(); !ok || now.Before(at) {
		return
	}
	switch c.stop.next {
	case killing:
		a.emit(SendSignal{Container: c.id, Signal: Kill})
		c.stop = stop{destroying, now.Add(forceWait)}
	case destroying:
		a.emit(Destroy{Container: c.id})
		c.stop = stop{}
	}
}
