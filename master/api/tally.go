package api

import (
	"iter"
	"slices"

	"github.com/soukproject/souk/master/core"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A tally counts the tasks of an agent or a framework by state, and names its
// counterparts.
type tally struct {
	counts map[mesospb.TaskState]int
	ids    []string
}

// counted are the states that /state-summary shows.
func counted() []mesospb.TaskState {
	return []mesospb.TaskState{
		mesospb.TaskState_TASK_STAGING, mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING,
		mesospb.TaskState_TASK_KILLING, mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_KILLED,
		mesospb.TaskState_TASK_FAILED, mesospb.TaskState_TASK_LOST, mesospb.TaskState_TASK_ERROR,
		mesospb.TaskState_TASK_UNREACHABLE,
	}
}

func (t tally) write(d *doc, idsName string) {
	for _, state := range counted() {
		d.integerAt(state.String(), t.counts[state])
	}
	d.textsAt(idsName, t.ids)
}

// tallyAgents counts the tasks of all frameworks by their agents.
func tallyAgents(v *core.Snapshot) map[mesos.AgentID]tally {
	tallies := make(map[mesos.AgentID]tally)
	for f := range everyFramework(v) {
		for task := range everyTask(v, f) {
			id := mesos.AgentID(task.GetAgentId().GetValue())
			t, ok := tallies[id]
			if !ok {
				t.counts = make(map[mesospb.TaskState]int)
			}
			t.counts[task.GetState()]++
			if len(t.ids) == 0 || t.ids[len(t.ids)-1] != string(f.ID) {
				t.ids = append(t.ids, string(f.ID))
			}
			tallies[id] = t
		}
	}
	return tallies
}

// everyFramework yields those that are and those that were.
func everyFramework(v *core.Snapshot) iter.Seq[*core.Framework] {
	return func(yield func(*core.Framework) bool) {
		for _, list := range [][]core.Framework{v.Frameworks, v.CompletedFrameworks} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// everyTask yields the tasks of a framework, whatever became of them.
func everyTask(v *core.Snapshot, f *core.Framework) iter.Seq[*mesospb.Task] {
	return func(yield func(*mesospb.Task) bool) {
		for _, tasks := range []iter.Seq[*mesospb.Task]{v.ActiveTasks(f), v.UnreachableTasks(f), v.CompletedTasks(f)} {
			for t := range tasks {
				if !yield(t) {
					return
				}
			}
		}
	}
}

func texts[ID ~string](ids []ID) []string {
	all := make([]string, 0, len(ids))
	for _, id := range ids {
		all = append(all, string(id))
	}
	return slices.Clip(all)
}
