package client

import (
	"context"
	"fmt"
	"slices"
	"strings"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// find looks for a task by what a user calls it: its id, the beginning of it, or
// its name. Of several the one that has not ended is meant.
func (c *connection) find(ctx context.Context, word string) (*mesospb.Task, error) {
	answer, err := c.ask(ctx, masterpb.Call_GET_TASKS)
	if err != nil {
		return nil, err
	}
	return choose(word, current(answer), answer.GetGetTasks().GetCompletedTasks())
}

// choose prefers an exact id to other matches, and the first groups to the later.
func choose(word string, groups ...[]*mesospb.Task) (*mesospb.Task, error) {
	all := slices.Concat(groups...)
	if i := slices.IndexFunc(all, func(k *mesospb.Task) bool { return k.GetTaskId().GetValue() == word }); i >= 0 {
		return all[i], nil
	}
	for _, tasks := range groups {
		var found []*mesospb.Task
		for _, k := range tasks {
			if k.GetName() == word || strings.HasPrefix(k.GetTaskId().GetValue(), word) {
				found = append(found, k)
			}
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return nil, ambiguous(word, found)
		}
	}
	return nil, fmt.Errorf("there is no task %q: see 'souk tasks --all'", word)
}

func ambiguous(word string, found []*mesospb.Task) error {
	const shown = 5
	var ids []string
	for _, k := range found[:min(shown, len(found))] {
		ids = append(ids, printable(k.GetTaskId().GetValue()))
	}
	return fmt.Errorf("%d tasks are called %q: give the id of one, such as %s", len(found), word, strings.Join(ids, ", "))
}

// containerOf is the container that a task runs or ran in, nil before that is known.
func containerOf(k *mesospb.Task) *mesospb.ContainerID {
	for _, s := range slices.Backward(k.GetStatuses()) {
		if id := s.GetContainerStatus().GetContainerId(); id != nil {
			return id
		}
	}
	return nil
}

// sandboxOf is the virtual path of a task's sandbox at its agent. A task of a
// group has one within its executor's.
func sandboxOf(k *mesospb.Task) string {
	executor := k.GetExecutorId().GetValue()
	if executor == "" {
		executor = k.GetTaskId().GetValue()
	}
	path := "/frameworks/" + k.GetFrameworkId().GetValue() + "/executors/" + executor + "/runs/latest"
	if containerOf(k).GetParent() != nil {
		path += "/tasks/" + k.GetTaskId().GetValue()
	}
	return path
}
