package core

import (
	"cmp"
	"maps"
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// kills are the tasks to be killed: at most a chunk of them sent and not yet
// confirmed, each sent again until it is.
type kills struct {
	waiting []string        // task ids, first come first served; some no longer wanted
	wanted  map[string]bool // those of waiting that are
	sent    map[string]bool
}

func (k *kills) want(taskID string) {
	if k.wanted == nil {
		k.wanted, k.sent = map[string]bool{}, map[string]bool{}
	}
	if !k.sent[taskID] && !k.wanted[taskID] {
		k.wanted[taskID] = true
		k.waiting = append(k.waiting, taskID)
	}
}

func (k *kills) drop(taskID string) {
	delete(k.sent, taskID)
	delete(k.wanted, taskID)
}

// next is the task to send a kill for now, if the chunk allows one.
func (k *kills) next(chunk int) (taskID string, ok bool) {
	for len(k.waiting) > 0 && len(k.sent) < chunk {
		taskID, k.waiting = k.waiting[0], k.waiting[1:]
		if k.wanted[taskID] {
			delete(k.wanted, taskID)
			k.sent[taskID] = true
			return taskID, true
		}
	}
	return "", false
}

// repeat lets a kill that was sent be sent once more.
func (k *kills) repeat(taskID string) {
	if k.sent[taskID] {
		delete(k.sent, taskID)
		k.want(taskID)
	}
}

// again lets everything that was sent be sent once more: to a new master.
func (k *kills) again() {
	sent := slices.Sorted(maps.Keys(k.sent))
	clear(k.sent)
	for _, id := range sent {
		k.want(id)
	}
}

// decommission ends an instance for good: another one takes its place only if
// the plan asks for one.
func (c *Core) decommission(in *Instance) {
	in.Goal = GoalDecommissioned
	c.kill(in)
}

// kill ends an instance's task. On an unreachable agent nothing can be killed:
// the instance is forgotten, and its task killed should it come back.
func (c *Core) kill(in *Instance) {
	if in.Condition.unreachable() {
		c.forget(in)
		return
	}
	in.Kill = true
	c.store(in)
	c.kills.want(in.TaskID)
	c.touch(in.AppID)
}

// sendKills sends what waits, as far as the chunk allows.
func (c *Core) sendKills() {
	for c.subscribed {
		id, ok := c.kills.next(c.cfg.KillChunk)
		if !ok {
			return
		}
		in := c.tasks[id]
		in.killSent = c.now
		c.do(Kill{TaskID: id, AgentID: in.AgentID})
		c.timers.set(c.now.Add(c.cfg.KillRetry), killTimer, id)
	}
}

// retryKill sends a kill again that was not confirmed in time.
func (c *Core) retryKill(taskID string) {
	in, ok := c.tasks[taskID]
	if ok && !c.now.Before(in.killSent.Add(c.cfg.KillRetry)) {
		c.kills.repeat(taskID)
	}
}

// victims chooses n of the instances: those whose end keeps GROUP_BY groups
// even first, then by state, then by age as the definition says.
func victims(a *app, from []*Instance, n int) []*Instance {
	if n <= 0 {
		return nil
	}
	def := a.current()
	rest := slices.Clone(from)
	slices.SortStableFunc(rest, func(x, y *Instance) int {
		return cmp.Or(cmp.Compare(killWeight(x), killWeight(y)), byAge(def.KillSelection, x, y))
	})
	var out []*Instance
	for len(out) < n && len(rest) > 0 {
		i := unevenest(def, rest)
		out = append(out, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return out
}

func killWeight(in *Instance) int {
	switch in.Condition {
	case Unreachable, UnreachableInactive:
		return 0
	case Provisioned, Staging:
		return 1
	case Starting:
		return 2
	}
	return 3
}

func byAge(selection string, x, y *Instance) int {
	if selection == spec.OldestFirst {
		return oldestFirst(x, y)
	}
	return oldestFirst(y, x)
}

// unevenest is the first of the instances that lies in the fullest group of the
// definition's GROUP_BY constraint; 0 when there is none.
func unevenest(def *spec.App, in []*Instance) int {
	i := slices.IndexFunc(def.Constraints, func(c spec.Constraint) bool { return c.Operator == spec.GroupBy })
	if i < 0 {
		return 0
	}
	field := def.Constraints[i].Field
	size := map[string]int{}
	fullest := 0
	for _, x := range in {
		v, _ := x.field(field)
		size[v]++
		fullest = max(fullest, size[v])
	}
	return slices.IndexFunc(in, func(x *Instance) bool {
		v, _ := x.field(field)
		return size[v] == fullest
	})
}
