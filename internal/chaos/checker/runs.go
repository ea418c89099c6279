package checker

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// settling is how long after a deletion a run may still start that was under
// way to a machine that could not be reached.
const settling = 30 * time.Second

// jobs compares what jobs were to do with what their tasks did.
func (c *check) jobs() {
	started := make(map[string][]*Task)
	for i, t := range c.Tasks {
		if t.Job != "" {
			started[t.Job] = append(started[t.Job], &c.Tasks[i])
		}
	}
	for _, j := range c.Jobs {
		c.job(j, started[j.Name])
		delete(started, j.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(started)) {
		c.violate(RunsAsked, "job %s was never asked for, and ran as %s", name, started[name][0].ID)
	}
}

// job checks each run: the attempts that share a due time.
func (c *check) job(j Job, tasks []*Task) {
	runs := make(map[time.Time][]*Task)
	for _, t := range tasks {
		runs[t.Due] = append(runs[t.Due], t)
		if !j.Gone.IsZero() && len(t.Starts) > 0 && t.Starts[0].After(j.Gone.Add(settling)) {
			c.violate(RunsAsked, "task %s started at %v, job %s was deleted at %v", t.ID, clock(t.Starts[0]), j.Name, clock(j.Gone))
		}
	}
	_, kept := c.Final.Runs[j.Name]
	switch {
	case !kept && !j.Known.IsZero() && j.Removed.IsZero():
		c.violate(KeepsWrites, "job %s was acknowledged at %v and does not exist", j.Name, clock(j.Known))
	case kept && !j.Gone.IsZero():
		c.violate(KeepsWrites, "job %s exists, its deletion was acknowledged at %v", j.Name, clock(j.Gone))
	}
	dues := slices.SortedFunc(maps.Keys(runs), time.Time.Compare)
	for i, due := range dues {
		slices.SortStableFunc(runs[due], func(a, b *Task) int { return cmp.Or(cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.ID, b.ID)) })
		c.run(j, due, runs[due], i+1 < len(dues))
	}
	switch {
	case j.Parent != "":
		c.follows(j, dues, runs)
	case j.Period == 0:
		c.once(j, dues)
	default:
		c.repeats(j, dues, runs)
	}
}

// run checks the attempts of one run. A later run of the job supersedes what is
// left of its retries.
func (c *check) run(j Job, due time.Time, attempts []*Task, superseded bool) {
	good := 0
	for i, t := range attempts {
		if i > 0 && attempts[i-1].Attempt == t.Attempt {
			c.violate(RunsOnce, "job %s due %v: attempt %d ran as %s and as %s", j.Name, clock(due), t.Attempt, attempts[i-1].ID, t.ID)
		}
		if c.good(t) {
			good++
		}
		if i > 0 && c.good(attempts[i-1]) {
			c.violate(RetriesFailure, "job %s due %v: %s succeeded, and %s followed", j.Name, clock(due), attempts[i-1].ID, t.ID)
		}
		if t.Attempt > 0 && (i == 0 || attempts[i-1].Attempt < t.Attempt-1) && !c.failedUnseen(j, due, t.Attempt-1) {
			c.violate(RetriesFailure, "job %s due %v: attempt %d without attempt %d", j.Name, clock(due), t.Attempt, t.Attempt-1)
		}
	}
	if good > 1 {
		c.violate(RunsOnce, "job %s due %v succeeded %d times", j.Name, clock(due), good)
	}
	c.inTime(j, due, attempts[0])
	last := attempts[len(attempts)-1]
	if !slices.ContainsFunc(attempts, (*Task).succeeded) && c.expected(j, due) && !(c.failed(last) && (superseded || c.Crashed[last.ID] && last.Attempt >= j.Retries)) {
		c.violate(RunsAll, "job %s due %v never succeeded; the last attempt is %s", j.Name, clock(due), last.ID)
	}
}

// good reports whether a task succeeded, and its agent could see it: one that was
// killed may have been between its last word and its end.
func (c *check) good(t *Task) bool { return t.succeeded() && !c.Crashed[t.ID] }

func (c *check) failed(t *Task) bool {
	return c.Crashed[t.ID] || len(t.Ends) > 0 && !t.succeeded()
}

func (t *Task) succeeded() bool {
	return slices.ContainsFunc(t.Ends, func(e End) bool { return e.Code == 0 })
}

// failedUnseen reports whether Chronos tells of an attempt that failed before
// the task could write anything.
func (c *check) failedUnseen(j Job, due time.Time, attempt int) bool {
	runs, kept := c.Final.Runs[j.Name]
	return !kept || slices.ContainsFunc(runs, func(r Run) bool {
		return r.Due.Equal(due) && r.Attempt == attempt && terminal(r.State) && r.State != "TASK_FINISHED"
	})
}

// expected reports whether a run must have happened: its job was acknowledged
// in time, was not deleted, and the cluster is well since it was due.
func (c *check) expected(j Job, due time.Time) bool {
	return !j.Known.IsZero() && j.Removed.IsZero() && !due.Before(j.Known) && !due.After(c.Quiet)
}

func (c *check) inTime(j Job, due time.Time, first *Task) {
	if len(first.Starts) == 0 || first.Attempt > 0 || j.Known.IsZero() {
		return
	}
	switch late := first.Starts[0].Sub(due); {
	case late < 0:
		c.violate(RunsInTime, "job %s due %v started %v too early, as %s", j.Name, clock(due), -late, first.ID)
	case late > c.Epsilon && !due.Before(j.Known):
		c.violate(RunsInTime, "job %s due %v started %v later, as %s", j.Name, clock(due), late, first.ID)
	}
}

// once: a job without repetitions runs at its time and at no other.
func (c *check) once(j Job, dues []time.Time) {
	for _, due := range dues {
		if !due.Equal(j.Due) {
			c.violate(RunsAsked, "job %s ran for %v, want %v only", j.Name, clock(due), clock(j.Due))
		}
	}
	if len(dues) == 0 && c.expected(j, j.Due) {
		c.violate(RunsAll, "job %s due %v never ran", j.Name, clock(j.Due))
	}
}

// repeats: each occurrence has its run, unless the next one was due before
// trouble let it start: those that were missed collapse into the latest.
func (c *check) repeats(j Job, dues []time.Time, runs map[time.Time][]*Task) {
	for _, due := range dues {
		if due.Before(j.Due) || due.Sub(j.Due)%j.Period != 0 {
			c.violate(RunsAsked, "job %s ran for %v, which is no time of its schedule", j.Name, clock(due))
		}
	}
	for due := j.Due; !due.After(c.Quiet); due = due.Add(j.Period) {
		if _, ran := runs[due]; !ran && c.expected(j, due) && !c.collapsed(due, due.Add(j.Period), runs) {
			c.violate(RunsAll, "job %s due %v never ran", j.Name, clock(due))
		}
	}
}

// collapsed reports whether nothing could start between due and next: there was
// trouble until then, or an earlier run went on until then.
func (c *check) collapsed(due, next time.Time, runs map[time.Time][]*Task) bool {
	if slices.ContainsFunc(c.Troubles, func(w Window) bool { return w.From.Before(next) && !w.To.Before(due) }) {
		return true
	}
	for _, attempts := range runs {
		for _, t := range attempts {
			if t.Due.Before(due) && (len(t.Ends) == 0 || !t.Ends[0].At.Before(next)) {
				return true
			}
		}
	}
	return false
}

// follows: a job with a parent runs once for each success of it.
func (c *check) follows(j Job, dues []time.Time, runs map[time.Time][]*Task) {
	var good []End
	var parent Job
	for _, t := range c.Tasks {
		if t.Job == j.Parent && t.succeeded() {
			good = append(good, t.Ends[0])
		}
	}
	for _, p := range c.Jobs {
		if p.Name == j.Parent {
			parent = p
		}
	}
	if len(dues) > len(good) {
		c.violate(RunsOnce, "job %s ran %d times, its parent %s succeeded %d times", j.Name, len(dues), j.Parent, len(good))
	}
	known := !j.Known.IsZero() && j.Known.Before(parent.Due) && j.Removed.IsZero()
	if known && len(good) > 0 && len(dues) == 0 {
		c.violate(RunsAll, "job %s never ran, its parent %s succeeded at %v", j.Name, j.Parent, clock(good[0].At))
	}
	for _, due := range dues {
		if first := runs[due][0]; len(good) > 0 && len(first.Starts) > 0 && first.Starts[0].Before(good[0].At) {
			c.violate(RunsAsked, "task %s started at %v, before its parent %s ended at %v", first.ID, clock(first.Starts[0]), j.Parent, clock(good[0].At))
		}
	}
}

// truth compares Chronos' history with the tasks' own logs.
func (c *check) truth() {
	told := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(c.Final.Runs)) {
		for _, r := range c.Final.Runs[name] {
			told[r.Task] = r.State
			if t := c.tasks[r.Task]; r.State == "TASK_FINISHED" && (t == nil || !t.succeeded()) {
				c.violate(TellsTruth, "job %s: history says that %s finished, its log does not", name, r.Task)
			}
		}
	}
	for _, t := range c.Tasks {
		if _, kept := c.Final.Runs[t.Job]; t.Job == "" || !kept {
			continue
		}
		state, ok := told[t.ID]
		switch {
		case !ok:
			c.violate(TellsTruth, "job %s: %s ran, history does not tell of it", t.Job, t.ID)
		case t.succeeded() && terminal(state) && state != "TASK_FINISHED" && !c.Crashed[t.ID]:
			c.violate(TellsTruth, "job %s: %s succeeded, history says %s", t.Job, t.ID, state)
		}
	}
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

func clocks(all []time.Time) []string {
	var list []string
	for _, t := range all {
		list = append(list, clock(t))
	}
	return list
}
