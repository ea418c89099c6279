package checker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Check finds every violation, the same for the same history.
func Check(h History) []Violation {
	c := &check{History: h, tasks: make(map[string]*Task)}
	for i := range h.Tasks {
		c.tasks[h.Tasks[i].ID] = &h.Tasks[i]
	}
	c.starts()
	c.jobs()
	c.truth()
	c.writes()
	c.counts()
	c.knowledge()
	c.ends()
	c.agents()
	slices.SortStableFunc(c.found, func(a, b Violation) int { return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.What, b.What)) })
	return slices.Compact(c.found)
}

type check struct {
	History
	tasks map[string]*Task
	found []Violation
}

func (c *check) violate(rule Rule, format string, args ...any) {
	c.found = append(c.found, Violation{rule, fmt.Sprintf(format, args...)})
}

// starts: whatever is launched again has another id.
func (c *check) starts() {
	for _, t := range c.Tasks {
		if len(t.Starts) > 1 {
			c.violate(StartsOnce, "task %s started %d times, at %v", t.ID, len(t.Starts), clocks(t.Starts))
		}
	}
}

// ends: what has begun runs, or has said itself that it ends, or somebody heard
// of its end.
func (c *check) ends() {
	for _, t := range c.Tasks {
		if _, live := c.Final.Master[t.ID]; !live && len(t.Ends) == 0 && !c.Ended[t.ID] {
			c.violate(KnowsEnds, "task %s started at %v; it does not run, and nobody has heard of its end", t.ID, clocks(t.Starts))
		}
	}
}

func (c *check) agents() {
	for _, id := range c.Agents {
		if !slices.Contains(c.Final.Active, id) {
			c.violate(KeepsAgents, "agent %s is not active any more", id)
		}
	}
	for _, id := range c.Final.Active {
		if !slices.Contains(c.Agents, id) {
			c.violate(KeepsAgents, "agent %s is new", id)
		}
	}
}

// knowledge compares four lists of what runs now.
func (c *check) knowledge() {
	owned := make(map[string]string)
	for app, ids := range c.Final.Instances {
		for _, id := range ids {
			owned[id] = "Marathon's app " + app
		}
	}
	for job, runs := range c.Final.Runs {
		for _, r := range runs {
			if !terminal(r.State) {
				owned[r.Task] = "Chronos' job " + job
			}
		}
	}
	all := make(map[string]bool)
	for _, ids := range []map[string]string{owned, c.Final.Master, c.Final.OnAgents} {
		for id := range ids {
			all[id] = true
		}
	}
	maps.Copy(all, c.Final.Processes)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		framework, master, agent := owned[id], c.Final.Master[id], c.Final.OnAgents[id]
		if framework == "" || master == "" || agent == "" || !c.Final.Processes[id] {
			c.violate(KnowsTasks, "task %s: framework says %q, master %q, agents %q, has processes: %v", id, framework, master, agent, c.Final.Processes[id])
		}
	}
}

// terminal names the ends of Mesos' tasks.
func terminal(state string) bool {
	return slices.Contains([]string{
		"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR", "TASK_DROPPED", "TASK_GONE", "TASK_GONE_BY_OPERATOR",
	}, state)
}
