package core

import (
	"slices"
	"time"
)

// put creates or replaces a job. A replace keeps runs and history; everything
// else, counters included, is what the new job says.
func (c *Chronos) put(now time.Time, ev Put) error {
	r, exists := c.jobs[ev.Job.Name]
	if err := c.acceptable(ev.Job, exists); err != nil {
		return err
	}
	if !exists {
		r = &record{}
		c.jobs[ev.Job.Name] = r
		at, _ := slices.BinarySearch(c.names, ev.Job.Name)
		c.names = slices.Insert(c.names, at, ev.Job.Name)
	} else {
		c.unlink(r.job)
		c.dropAutomatic(r)
	}
	r.job = ev.Job
	c.link(r.job)
	c.keepMet(r)
	if r.queued != nil {
		c.queue.add(r.job) // its priority may have changed
	}
	c.touch(r.job.Name)
	return nil
}

// acceptable checks a job against all others.
func (c *Chronos) acceptable(job *Job, exists bool) error {
	if !exists && len(c.jobs) >= MaxJobs {
		return invalid("job", "there are %d jobs already, the most this scheduler keeps; delete some", MaxJobs)
	}
	for _, p := range job.Parents {
		if _, ok := c.jobs[p]; !ok {
			return invalid("parents", "no job is called %q: job %q does not have all parents defined; create its parents first", p, job.Name)
		}
	}
	if exists && c.descends(job.Parents, job.Name) {
		return invalid("parents", "a parent of job %q runs after it: this would be a cycle", job.Name)
	}
	return nil
}

// descends reports whether one of names is, or comes after, ancestor.
func (c *Chronos) descends(names []string, ancestor string) bool {
	seen := map[string]bool{ancestor: true}
	for next := []string{ancestor}; len(next) > 0; next = next[1:] {
		if slices.Contains(names, next[0]) {
			return true
		}
		for _, child := range c.children[next[0]] {
			if !seen[child] {
				seen[child] = true
				next = append(next, child)
			}
		}
	}
	return false
}

// link and unlink keep children in step with parents.
func (c *Chronos) link(job *Job) {
	for _, p := range job.Parents {
		at, found := slices.BinarySearch(c.children[p], job.Name)
		if !found {
			c.children[p] = slices.Insert(c.children[p], at, job.Name)
		}
	}
}

func (c *Chronos) unlink(job *Job) {
	for _, p := range job.Parents {
		c.children[p] = slices.DeleteFunc(c.children[p], func(name string) bool { return name == job.Name })
		if len(c.children[p]) == 0 {
			delete(c.children, p)
		}
	}
}

// keepMet forgets successes of jobs that are no longer parents.
func (c *Chronos) keepMet(r *record) {
	for p := range r.met {
		if !slices.Contains(r.job.Parents, p) {
			delete(r.met, p)
		}
	}
}

// delete removes a job. Its children inherit what made it run; its runs are killed.
func (c *Chronos) delete(name string) error {
	r, ok := c.jobs[name]
	if !ok {
		return ErrUnknownJob
	}
	for _, child := range slices.Clone(c.children[name]) {
		c.inherit(c.jobs[child], r.job)
	}
	for _, a := range r.active {
		delete(c.tasks, a.TaskID)
		c.say(Kill{a.ref()})
	}
	c.unlink(r.job)
	c.queue.remove(name)
	delete(c.jobs, name)
	at, _ := slices.BinarySearch(c.names, name)
	c.names = slices.Delete(c.names, at, at+1)
	c.touch(name)
	c.notice(r, "job '"+name+"' deleted", "Your job '"+name+"' was deleted!")
	return nil
}

// inherit takes gone out of child's parents. A child of a dependent job gets
// its parents instead; an only child of a scheduled one gets its schedule.
func (c *Chronos) inherit(child *record, gone *Job) {
	c.unlink(child.job)
	heir := *child.job
	heir.Parents = slices.DeleteFunc(slices.Clone(heir.Parents), func(p string) bool { return p == gone.Name })
	if gone.Dependent() {
		heir.Parents = unique(append(heir.Parents, gone.Parents...))
	}
	if len(heir.Parents) == 0 {
		heir.Parents = nil
		heir.Schedule, heir.ScheduleTimeZone, heir.when = gone.Schedule, gone.ScheduleTimeZone, gone.when
	}
	child.job = &heir
	c.link(child.job)
	c.keepMet(child)
	c.touch(heir.Name)
}
