package core

import (
	"fmt"
	"time"

	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// status is an update of t in the name of its executor.
func (a *Agent) status(now time.Time, t *task, state mesospb.TaskState) *mesospb.TaskStatus {
	s := a.newStatus(now, t, state, mesospb.TaskStatus_SOURCE_EXECUTOR)
	if c := t.place(); c != nil {
		s.ContainerStatus = a.containerStatus(c)
	}
	if c := t.info.GetCheck(); c != nil {
		s.CheckStatus = noResult(c.GetType())
	}
	return s
}

// agentStatus is an update of t in the agent's own name; Mesos' carry no container_status.
func (a *Agent) agentStatus(now time.Time, t *task, state mesospb.TaskState, reason mesospb.TaskStatus_Reason, message string) *mesospb.TaskStatus {
	s := a.newStatus(now, t, state, mesospb.TaskStatus_SOURCE_AGENT)
	s.Reason, s.Message = reason.Enum(), &message
	return s
}

func (a *Agent) newStatus(now time.Time, t *task, state mesospb.TaskState, source mesospb.TaskStatus_Source) *mesospb.TaskStatus {
	uuid := a.uuid()
	s := &mesospb.TaskStatus{
		TaskId:    t.info.GetTaskId(),
		State:     state.Enum(),
		Source:    source.Enum(),
		AgentId:   a.info.GetId(),
		Timestamp: new(float64(now.UnixMicro()) / 1e6),
		Uuid:      uuid[:],
	}
	if t.executor != nil {
		s.ExecutorId = &mesospb.ExecutorID{Value: new(string(t.executor.id))}
	}
	return s
}

// containerStatus tells where a task runs. On the host's network its address is
// the agent's.
func (a *Agent) containerStatus(c *container) *mesospb.ContainerStatus {
	s := &mesospb.ContainerStatus{ContainerId: c.wire()}
	if networks := c.joined(); networks != nil {
		s.NetworkInfos = networks
	} else if a.cfg.IP != "" {
		address := &mesospb.NetworkInfo_IPAddress{Protocol: mesospb.NetworkInfo_IPv4.Enum(), IpAddress: &a.cfg.IP}
		s.NetworkInfos = []*mesospb.NetworkInfo{{IpAddresses: []*mesospb.NetworkInfo_IPAddress{address}}}
	}
	if c.pid != 0 {
		s.ExecutorPid = new(c.pid)
	}
	return s
}

// joined are the networks that a container is in; nil: the host's alone.
func (c *container) joined() []*mesospb.NetworkInfo {
	if c.networks == nil && c.nested() {
		return c.executor.networks
	}
	return c.networks
}

// outcome is the terminal update of a task whose container ended. launched
// tells whether it was ever seen running.
func (a *Agent) outcome(now time.Time, t *task, end End, launched bool) *mesospb.TaskStatus {
	failed := mesospb.TaskState_TASK_FAILED
	switch {
	case t.kill != nil && t.kill.cause == checkpointpb.Kill_OVERDUE:
		s := a.commandStatus(now, t, failed, end)
		s.Reason = mesospb.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED.Enum()
		return s
	case t.kill != nil && !end.Known && !launched:
		return a.unlaunchedStatus(now, t)
	case t.kill != nil:
		s := a.commandStatus(now, t, mesospb.TaskState_TASK_KILLED, end)
		if t.kill.cause == checkpointpb.Kill_UNHEALTHY {
			s.Healthy = new(false)
		}
		return s
	case t.container.limitedBy(end):
		return a.limitationStatus(now, t, t.container.beyond)
	case end.OOM:
		return a.memoryStatus(now, t, a.limitsOf(t.container).memory(), end)
	case !end.Known && !end.Rebooted && !launched:
		return a.agentStatus(now, t, t.framework.lostState(), mesospb.TaskStatus_REASON_AGENT_RESTARTED,
			"Task launched during agent restart")
	case !end.Known:
		return a.agentStatus(now, t, failed, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, "Executor terminated: "+end.message())
	case end.Signal == "" && end.Exit == 0:
		return a.commandStatus(now, t, mesospb.TaskState_TASK_FINISHED, end)
	}
	return a.commandStatus(now, t, failed, end)
}

// unlaunchedStatus says that a task was ended before anything was launched for it.
func (a *Agent) unlaunchedStatus(now time.Time, t *task) *mesospb.TaskStatus {
	message := "Killed before delivery to the executor"
	if t.group != "" {
		message = "A task within the task group was killed before delivery to the executor"
	}
	return a.agentStatus(now, t, mesospb.TaskState_TASK_KILLED, mesospb.TaskStatus_REASON_TASK_KILLED_DURING_LAUNCH, message)
}

func (a *Agent) commandStatus(now time.Time, t *task, state mesospb.TaskState, end End) *mesospb.TaskStatus {
	s := a.status(now, t, state)
	s.Message = new(end.message())
	return s
}

// message is the end in Mesos' words.
func (e End) message() string {
	switch {
	case e.Rebooted:
		return "Container was lost: host rebooted"
	case !e.Known:
		return "Container was lost: nobody saw it end"
	case e.Signal != "":
		return "Command terminated with signal " + e.Signal
	}
	return fmt.Sprintf("Command exited with status %d", e.Exit)
}

// memoryStatus says that the container of a task went beyond its memory.
func (a *Agent) memoryStatus(now time.Time, t *task, limit int64, end End) *mesospb.TaskStatus {
	message := fmt.Sprintf("Memory limit exceeded: Requested: %dMB Maximum Used: %dMB", limit>>20, max(end.MemPeak, limit)>>20)
	s := a.agentStatus(now, t, mesospb.TaskState_TASK_FAILED, mesospb.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY, message)
	s.Limitation = &mesospb.TaskResourceLimitation{Resources: []*mesospb.Resource{{
		Name:   new("mem"),
		Type:   mesospb.Value_SCALAR.Enum(),
		Scalar: &mesospb.Value_Scalar{Value: new(float64(limit) / (1 << 20))},
	}}}
	return s
}
