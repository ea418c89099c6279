package mesos

import (
	"slices"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// next lists, for each state of a task, what may follow it on its way through
// agent and master (Mesos 1.11). A terminal state has no row. Repeating a state
// that has a row is always allowed: it carries news of health.
// Unreachable may go back: its agent returned.
func next(s mesospb.TaskState) []mesospb.TaskState {
	terminal := []mesospb.TaskState{
		mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_FAILED, mesospb.TaskState_TASK_KILLED,
		mesospb.TaskState_TASK_ERROR, mesospb.TaskState_TASK_LOST, mesospb.TaskState_TASK_DROPPED,
		mesospb.TaskState_TASK_GONE, mesospb.TaskState_TASK_GONE_BY_OPERATOR,
	}
	lost := append(terminal, mesospb.TaskState_TASK_UNREACHABLE)
	switch s {
	case mesospb.TaskState_TASK_STAGING:
		return append(lost, mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_KILLING)
	case mesospb.TaskState_TASK_STARTING:
		return append(lost, mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_KILLING)
	case mesospb.TaskState_TASK_RUNNING:
		return append(lost, mesospb.TaskState_TASK_KILLING)
	case mesospb.TaskState_TASK_KILLING:
		return lost
	case mesospb.TaskState_TASK_UNREACHABLE:
		return append(terminal, mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_KILLING)
	}
	return nil
}

// Terminal reports whether nothing follows s. TASK_UNREACHABLE and TASK_UNKNOWN are not terminal.
func Terminal(s mesospb.TaskState) bool {
	switch s {
	case mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_FAILED, mesospb.TaskState_TASK_KILLED,
		mesospb.TaskState_TASK_ERROR, mesospb.TaskState_TASK_LOST, mesospb.TaskState_TASK_DROPPED,
		mesospb.TaskState_TASK_GONE, mesospb.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}

// MayFollow reports whether a task in state from may next be in state to.
func MayFollow(from, to mesospb.TaskState) bool {
	if from == to {
		return !Terminal(from)
	}
	return slices.Contains(next(from), to)
}
