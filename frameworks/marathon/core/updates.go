package core

import (
	"slices"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// maxMessage cuts the texts of statuses, which executors write at any length.
const maxMessage = 10000

// updated takes in a status. It is acknowledged when what follows is stored.
func (c *Core) updated(ev Updated) {
	s := ev.Status
	c.stats.countState(s.GetState())
	in, known := c.tasks[s.GetTaskId().GetValue()]
	delete(c.unanswered, s.GetTaskId().GetValue())
	switch condition := conditionOf(s); {
	case !known:
		c.strayed(s, condition)
	case condition.Terminal():
		c.ended(in, s, condition)
	case condition == Unreachable:
		c.lostSight(in, s)
	default:
		c.observed(in, s, condition)
	}
	c.do(Acknowledge{ev.Token})
}

// conditionOf reads Mesos' state. A lost task is only out of sight when the
// reason speaks of its agent.
func conditionOf(s *mesospb.TaskStatus) Condition {
	switch s.GetState() {
	case mesospb.TaskState_TASK_STAGING:
		return Staging
	case mesospb.TaskState_TASK_STARTING:
		return Starting
	case mesospb.TaskState_TASK_RUNNING:
		return Running
	case mesospb.TaskState_TASK_KILLING:
		return Killing
	case mesospb.TaskState_TASK_UNREACHABLE:
		return Unreachable
	case mesospb.TaskState_TASK_FINISHED:
		return Finished
	case mesospb.TaskState_TASK_FAILED:
		return Failed
	case mesospb.TaskState_TASK_KILLED:
		return Killed
	case mesospb.TaskState_TASK_ERROR:
		return Error
	case mesospb.TaskState_TASK_DROPPED:
		return Dropped
	case mesospb.TaskState_TASK_GONE, mesospb.TaskState_TASK_GONE_BY_OPERATOR:
		return Gone
	case mesospb.TaskState_TASK_LOST:
		return lostBecause(s.GetReason())
	}
	return Unknown
}

func lostBecause(r mesospb.TaskStatus_Reason) Condition {
	switch r {
	case mesospb.TaskStatus_REASON_RECONCILIATION,
		mesospb.TaskStatus_REASON_AGENT_DISCONNECTED,
		mesospb.TaskStatus_REASON_AGENT_REMOVED:
		return Unreachable
	}
	return Gone
}

// strayed is a task we know nothing of: replaced, forgotten or someone else's.
// It must not run.
func (c *Core) strayed(s *mesospb.TaskStatus, condition Condition) {
	switch {
	case condition.Terminal():
		c.publishStray(s, condition)
	case !condition.unreachable():
		c.do(Kill{TaskID: s.GetTaskId().GetValue(), AgentID: s.GetAgentId().GetValue()})
	}
}

// observed notes a status of a task that goes on.
func (c *Core) observed(in *Instance, s *mesospb.TaskStatus, condition Condition) {
	if in.Kill && condition != Killing {
		c.kills.repeat(in.TaskID) // it goes on: the kill was lost, or is on its way
	}
	if in.Condition == condition { // news of health, or the answer to a question
		c.heardOfHealth(in, s)
		return
	}
	if !in.Condition.unreachable() && progress(condition) < progress(in.Condition) {
		return // an answer that was overtaken
	}
	c.move(in, s, condition)
	if condition == Running && in.StartedAt == 0 {
		in.StartedAt = in.Since
	}
	in.Addresses = addresses(s)
	c.store(in)
	c.publishStatus(in, s)
	if a := c.apps[in.AppID]; a.current() != nil && in.Version >= a.current().VersionInfo.LastConfigChangeAt {
		c.stillStarting(a)
	}
	c.watch(in)
	c.heardOfHealth(in, s)
	if verdictOf(in) == healthy {
		c.returnToken()
	}
}

// progress: tasks do not go back, but for those that come back into sight.
func progress(c Condition) int {
	return slices.Index([]Condition{Provisioned, Staging, Starting, Running, Killing}, c)
}

// move takes an instance to another condition.
func (c *Core) move(in *Instance, s *mesospb.TaskStatus, condition Condition) {
	in.Condition, in.Since = condition, c.timeOf(s)
	in.State = s.GetState().String()
	c.touch(in.AppID)
	c.publishInstance(in)
}

// timeOf is when the executor says it happened, if it says.
func (c *Core) timeOf(s *mesospb.TaskStatus) spec.Timestamp {
	if t := s.GetTimestamp(); t > 0 {
		return min(spec.Timestamp(t*1000), spec.TimestampOf(c.now))
	}
	return spec.TimestampOf(c.now)
}

func addresses(s *mesospb.TaskStatus) []string {
	var out []string
	for _, n := range s.GetContainerStatus().GetNetworkInfos() {
		for _, a := range n.GetIpAddresses() {
			out = append(out, a.GetIpAddress())
		}
	}
	return out
}

// ended forgets an instance whose task is over. What the app lacks then is
// launched anew.
func (c *Core) ended(in *Instance, s *mesospb.TaskStatus, condition Condition) {
	c.move(in, s, condition)
	c.publishStatus(in, s)
	a := c.apps[in.AppID]
	if condition == Killed && s.Healthy != nil && !s.GetHealthy() && !in.Kill {
		c.publishUnhealthyKill(in, cut(s.GetMessage()))
		c.noteFailure(a, in, s.GetState().String(), "Task was killed since health check failed. Reason: "+s.GetMessage())
	}
	if failure(condition) && condition != Finished {
		c.noteFailure(a, in, s.GetState().String(), s.GetMessage())
	}
	if failure(condition) && a.current() != nil && in.Goal == GoalRunning && in.Version >= a.current().VersionInfo.LastConfigChangeAt {
		c.backOff(a)
	}
	c.forget(in)
}

// failure reports whether an end asks for caution before the next launch. A
// service that ends by itself has failed, whatever it says.
func failure(condition Condition) bool {
	switch condition {
	case Dropped, Error, Failed, Gone, Finished:
		return true
	}
	return false
}

// lostSight: the agent is unreachable. How long to wait is the app's choice.
func (c *Core) lostSight(in *Instance, s *mesospb.TaskStatus) {
	if in.Condition.unreachable() {
		return
	}
	c.move(in, s, Unreachable)
	if t := s.GetUnreachableTime(); t != nil {
		in.Since = min(in.Since, spec.TimestampOf(time.Unix(0, t.GetNanoseconds())))
	}
	c.store(in)
	c.publishStatus(in, s)
	if in.Kill || in.Goal == GoalDecommissioned {
		c.forget(in)
		return
	}
	c.checkUnreachable(in.TaskID)
}

// checkUnreachable replaces and forgets an instance when its time has come.
func (c *Core) checkUnreachable(taskID string) {
	in, ok := c.tasks[taskID]
	if !ok || !in.Condition.unreachable() {
		return
	}
	strategy, ok := c.unreachableStrategy(in)
	if !ok {
		return
	}
	inactive := in.Since.Time().Add(time.Duration(strategy.InactiveAfter) * time.Second)
	expunge := in.Since.Time().Add(time.Duration(strategy.ExpungeAfter) * time.Second)
	switch {
	case !c.now.Before(expunge):
		c.forget(in)
	case !c.now.Before(inactive):
		if in.Condition == Unreachable {
			in.Condition = UnreachableInactive
			c.store(in)
			c.touch(in.AppID)
			c.publishInstance(in)
		}
		c.timers.set(expunge, unreachableTimer, taskID)
	default:
		c.timers.set(inactive, unreachableTimer, taskID)
	}
}

// unreachableStrategy is that of the definition the instance was launched from;
// an instance of an app that is gone is not waited for. ok is false for those
// that are waited for without end.
func (c *Core) unreachableStrategy(in *Instance) (u spec.Unreachable, ok bool) {
	if def := c.apps[in.AppID].definition(in.Version); def != nil {
		u = def.UnreachableStrategy
	}
	return u, !u.Disabled
}

// patience is how long an instance may stay in its condition.
func (c *Core) patience(in *Instance) time.Duration {
	if in.Condition == Provisioned {
		return c.cfg.LaunchConfirmTimeout
	}
	return c.cfg.LaunchTimeout
}

// checkOverdue kills a task that nobody has heard of, or that does not start.
// It is not simply replaced: it may run all the same, and the answer to the
// kill tells.
func (c *Core) checkOverdue(taskID string) {
	in, ok := c.tasks[taskID]
	if !ok || in.Kill {
		return
	}
	switch in.Condition {
	case Provisioned, Staging, Starting:
		if due := in.Since.Time().Add(c.patience(in)); c.now.Before(due) {
			c.timers.set(due, overdueTimer, taskID)
			return
		}
		c.stats.LaunchesOverdue++
		c.kill(in)
	}
}
