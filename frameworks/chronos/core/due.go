package core

import (
	"slices"
	"strings"
	"time"
)

// rearm finds out when a job next has something to do.
func (c *Chronos) rearm(name string) {
	var at time.Time
	if r, ok := c.jobs[name]; ok {
		at = c.nextWake(r)
	}
	c.agenda.set(name, at)
}

func (c *Chronos) nextWake(r *record) time.Time {
	var first time.Time
	consider := func(at time.Time) {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	if start, ok := r.job.Next(); ok && r.free() {
		consider(start)
	}
	if r.queued == nil {
		for _, retry := range r.retries {
			consider(retry.At)
		}
	}
	for _, a := range r.active {
		if expires, ok := c.expires(a); ok {
			consider(expires)
		}
	}
	return first
}

// free reports whether the schedule may queue a run: nothing is queued, and
// nothing runs unless runs may overlap.
func (r *record) free() bool {
	return r.queued == nil && !r.blocked() && len(r.retries) < maxActive
}

// blocked reports whether a queued run must wait for one under way.
func (r *record) blocked() bool {
	if r.job.Concurrent {
		return len(r.active) >= maxActive
	}
	return len(r.active) > 0
}

// wake does what has come due for a job: a retry, an occurrence of its
// schedule, or the end of patience with an unreachable run.
func (c *Chronos) wake(now time.Time, r *record) {
	for _, a := range slices.Clone(r.active) {
		if expires, ok := c.expires(a); ok && !expires.After(now) {
			c.lose(now, r, a)
		}
	}
	c.wakeRetry(now, r)
	if start, ok := r.job.Next(); ok && r.free() && !start.After(now) {
		c.trigger(now, r)
	}
	c.rearm(r.job.Name)
}

func (c *Chronos) wakeRetry(now time.Time, r *record) {
	i := slices.IndexFunc(r.retries, func(retry request) bool { return !retry.At.After(now) })
	if r.queued != nil || i < 0 {
		return
	}
	retry := r.retries[i]
	r.retries = slices.Delete(slices.Clone(r.retries), i, i+1)
	retry.At = time.Time{}
	c.enqueue(r, retry)
	c.touch(r.job.Name)
}

// trigger queues a run for the latest occurrence: those missed before it
// collapse into one run, as in Chronos 3. The queued run needs no write of its
// own, because the schedule only moves on when it is launched.
func (c *Chronos) trigger(now time.Time, r *record) {
	due := r.job.latest(now)
	if r.job.late(due, now) {
		c.skip(now, r)
		return
	}
	c.enqueue(r, request{Due: due, Queued: now, Trigger: BySchedule})
	c.rearm(r.job.Name)
}

// skip passes over an occurrence that is later than the job's epsilon allows.
// It counts as one of the runs left, as the run it replaces would have.
func (c *Chronos) skip(now time.Time, r *record) {
	r.job = r.job.consumed(now)
	c.counts.Skipped++
	c.notice(r, "job '"+r.job.Name+"' skipped a run", "the run was later than the epsilon "+r.job.Epsilon+" allows")
	c.exhaust(r)
	c.touch(r.job.Name)
}

// exhaust disables a scheduled job that has no runs left and none to come.
func (c *Chronos) exhaust(r *record) {
	if r.job.Dependent() || r.job.Disabled || r.job.when.Repeat != 0 || r.queued != nil || len(r.retries) > 0 {
		return
	}
	r.job = r.job.disabled()
	c.notice(r, "job '"+r.job.Name+"' disabled", "Job '"+r.job.Name+"' has exhausted all of its recurrences and has been disabled.")
}

// enqueue gives a job its queued run, unless it has one: a job is queued once.
func (c *Chronos) enqueue(r *record, req request) {
	if r.queued != nil {
		return
	}
	r.queued = &req
	c.queue.add(r.job)
	c.master.fresh = true
}

// unqueue takes a job's queued run away.
func (c *Chronos) unqueue(r *record) {
	r.queued = nil
	c.queue.remove(r.job.Name)
	c.touch(r.job.Name)
}

// dropAutomatic takes back a queued run that a schedule or parents asked for,
// because they are about to change. A run asked for by hand stays.
func (c *Chronos) dropAutomatic(r *record) {
	if q := r.queued; q != nil && q.Trigger != ByHand && q.Attempt == 0 && q.Relaunches == 0 {
		c.unqueue(r)
	}
}

// runNow queues a run by hand. If one is queued already that one will do.
func (c *Chronos) runNow(now time.Time, ev Run) error {
	r, ok := c.jobs[ev.Job]
	if !ok {
		return ErrUnknownJob
	}
	if len(ev.Arguments) > MaxArguments || strings.ContainsFunc(ev.Arguments, control) {
		return invalid("arguments", "longer than %d bytes, or with control characters", MaxArguments)
	}
	c.enqueue(r, request{Due: now, Queued: now, Trigger: ByHand, Arguments: ev.Arguments, Given: ev.Given})
	c.touch(ev.Job)
	return nil
}

func control(r rune) bool { return r < 0x20 || r == 0x7f }

// latest is the occurrence a run launched now stands for.
func (j *Job) latest(now time.Time) time.Time {
	at, _ := j.when.At(j.when.Missed(now))
	return at
}

// late reports whether a run for due may no longer start.
func (j *Job) late(due, now time.Time) bool {
	return j.epsilon > 0 && now.Sub(due) > j.epsilon
}

// consumed is a copy whose schedule has moved past now, with one run fewer. An
// interval without a length starts again a moment later, so that a job without
// pause does not stop everything else.
func (j *Job) consumed(now time.Time) *Job {
	next, ok := j.when.Advance(j.when.Missed(now) + 1)
	switch {
	case !ok:
		next.Repeat = 0
	case next.Repeat > 0:
		next.Repeat--
	}
	if next.Period.IsZero() && next.Repeat != 0 {
		next = next.Restart(now.Add(minRepeatDelay))
	}
	return j.rescheduled(next)
}
