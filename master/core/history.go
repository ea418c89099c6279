package core

import (
	"encoding/binary"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A history is the statuses of a task in bytes. Each begins with a mark that tells
// its state and which ids were left out because they are the task's own; then
// come its length and the rest of it, marshaled.

// mark is the first byte of a status in a history.
type mark uint8

const (
	markState     mark = 0x1f
	markTask      mark = 0x20 // task_id is the task's
	markAgent     mark = 0x40 // agent_id is the task's
	markExecuting mark = 0x80 // executor_id is the id of the task, as for commands
)

func (k mark) state() mesospb.TaskState { return mesospb.TaskState(k & markState) }

// entryOf splits the first status off a history.
func entryOf(history []byte) (k mark, body, rest []byte) {
	n, width := binary.Uvarint(history[1:])
	end := 1 + width + int(n)
	return mark(history[0]), history[1+width : end], history[end:]
}

// lastOf finds the last status of a history that is not empty, and where it begins.
func lastOf(history []byte) (k mark, body []byte, at int) {
	for rest := history; len(rest) > 0; {
		at = len(history) - len(rest)
		k, body, rest = entryOf(rest)
	}
	return k, body, at
}

// appendStatus adds a status to a copy of a history. Of statuses of one state in
// a row the last is kept, and data is not (mesos-api 11.3).
func appendStatus(history []byte, s *mesospb.TaskStatus, task, agent string) []byte {
	if len(history) > 0 {
		if last, _, at := lastOf(history); last.state() == s.GetState() {
			history = history[:at]
		}
	}
	k, short := shorten(s, task, agent)
	body := marshal(short)
	out := make([]byte, 0, len(history)+len(body)+1+binary.MaxVarintLen32)
	out = append(append(out, history...), byte(k))
	out = binary.AppendUvarint(out, uint64(len(body)))
	return append(out, body...)
}

// shorten leaves out what restore puts back.
func shorten(s *mesospb.TaskStatus, task, agent string) (mark, *mesospb.TaskStatus) {
	k := mark(s.GetState()) & markState
	out := &mesospb.TaskStatus{
		TaskId: s.TaskId, State: s.State, Message: s.Message, AgentId: s.AgentId, Timestamp: s.Timestamp, ExecutorId: s.ExecutorId,
		Healthy: s.Healthy, Source: s.Source, Reason: s.Reason, Uuid: s.Uuid, Labels: s.Labels, ContainerStatus: s.ContainerStatus,
		UnreachableTime: s.UnreachableTime, CheckStatus: s.CheckStatus, Limitation: s.Limitation,
	}
	if s.TaskId != nil && s.GetTaskId().GetValue() == task {
		k, out.TaskId = k|markTask, nil
	}
	if s.AgentId != nil && s.GetAgentId().GetValue() == agent {
		k, out.AgentId = k|markAgent, nil
	}
	if s.ExecutorId != nil && s.GetExecutorId().GetValue() == task {
		k, out.ExecutorId = k|markExecuting, nil
	}
	return k, out
}

func restore(k mark, body []byte, task, agent string) *mesospb.TaskStatus {
	s := unmarshal(body, &mesospb.TaskStatus{})
	if k&markTask != 0 {
		s.TaskId = taskID(task)
	}
	if k&markAgent != 0 {
		s.AgentId = &mesospb.AgentID{Value: new(agent)}
	}
	if k&markExecuting != 0 {
		s.ExecutorId = executorID(task)
	}
	return s
}

// statuses reads a whole history.
func statuses(history []byte, task, agent string) (list []*mesospb.TaskStatus) {
	for len(history) > 0 {
		k, body, rest := entryOf(history)
		list = append(list, restore(k, body, task, agent))
		history = rest
	}
	return list
}
