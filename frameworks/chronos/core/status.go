package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// update takes news of a task.
func (c *Chronos) update(now time.Time, status *mesospb.TaskStatus) {
	id := mesos.TaskID(status.GetTaskId().GetValue())
	name, ok := c.tasks[id]
	if !ok {
		c.stray(id, status)
		return
	}
	r := c.jobs[name]
	a := r.find(id)
	a.confirmed = now
	state := status.GetState()
	switch {
	case !a.Known && neverBegan(status):
		c.relaunch(now, r, a)
	case mesos.Terminal(state) || state == mesospb.TaskState_TASK_UNKNOWN:
		c.end(now, r, a, status)
	default:
		c.underWay(now, r, a, status)
	}
}

func (r *record) find(id mesos.TaskID) *attempt {
	i := slices.IndexFunc(r.active, func(a *attempt) bool { return a.TaskID == id })
	return r.active[i] // c.tasks says that it is there
}

// stray ends a task of a deleted job, or one given up as lost that came back:
// nobody would look after it.
func (c *Chronos) stray(id mesos.TaskID, status *mesospb.TaskStatus) {
	switch state := status.GetState(); {
	case mesos.Terminal(state), state == mesospb.TaskState_TASK_UNKNOWN, state == mesospb.TaskState_TASK_UNREACHABLE, state == mesospb.TaskState_TASK_KILLING:
	default:
		c.say(Kill{TaskRef{Task: id, Agent: mesos.AgentID(status.GetAgentId().GetValue())}})
	}
}

// neverBegan reports whether a task that no news came from was never started:
// its launch was dropped, or the master that should know it does not.
func neverBegan(status *mesospb.TaskStatus) bool {
	switch status.GetState() {
	case mesospb.TaskState_TASK_DROPPED:
		return true
	case mesospb.TaskState_TASK_LOST, mesospb.TaskState_TASK_GONE, mesospb.TaskState_TASK_UNKNOWN:
		reason := status.GetReason()
		return reason == mesospb.TaskStatus_REASON_RECONCILIATION || reason == mesospb.TaskStatus_REASON_INVALID_OFFERS
	}
	return false
}

// relaunch queues a run again that never began, at once and then with growing
// pauses. It is the same attempt, with another task id, should the first launch
// turn up after all.
func (c *Chronos) relaunch(now time.Time, r *record, a *attempt) {
	if a.Killing {
		c.conclude(now, r, a, mesospb.TaskState_TASK_KILLED, "", "killed before it began")
		return
	}
	if len(r.retries) >= maxActive {
		c.conclude(now, r, a, mesospb.TaskState_TASK_LOST, "", "too many launches of the job were dropped")
		return
	}
	c.remove(r, a)
	req := a.Request
	req.At = now
	if req.Relaunches > 0 {
		req.At = now.Add(min(time.Second<<min(req.Relaunches, 10), maxDropDelay))
	}
	req.Relaunches++
	r.retries = append(slices.Clone(r.retries), req)
	c.touch(r.job.Name)
}

// underWay notes the state of a run that goes on.
func (c *Chronos) underWay(now time.Time, r *record, a *attempt, status *mesospb.TaskStatus) {
	state := status.GetState()
	if a.Known && a.state() == state {
		return
	}
	a.Known = true
	a.State = state.String()
	a.Reason, a.Message = reasonText(status), clip(status.GetMessage(), maxMessage)
	if state == mesospb.TaskState_TASK_RUNNING && a.Started.IsZero() {
		a.Started = now
	}
	if state != mesospb.TaskState_TASK_UNREACHABLE {
		a.Unreachable = time.Time{}
	} else if a.Unreachable.IsZero() {
		a.Unreachable = now
	}
	c.touch(r.job.Name)
}

// expires is when an unreachable run is given up.
func (c *Chronos) expires(a *attempt) (time.Time, bool) {
	if a.Unreachable.IsZero() || c.cfg.UnreachableTimeout <= 0 {
		return time.Time{}, false
	}
	return a.Unreachable.Add(c.cfg.UnreachableTimeout), true
}

// lose gives up an unreachable run. Should it come back it is killed.
func (c *Chronos) lose(now time.Time, r *record, a *attempt) {
	c.conclude(now, r, a, mesospb.TaskState_TASK_LOST, "", fmt.Sprintf("unreachable for longer than %v", c.cfg.UnreachableTimeout))
}

// end takes the final status of a run.
func (c *Chronos) end(now time.Time, r *record, a *attempt, status *mesospb.TaskStatus) {
	c.conclude(now, r, a, status.GetState(), reasonText(status), status.GetMessage())
}

// conclude moves a run into history and draws the consequences.
func (c *Chronos) conclude(now time.Time, r *record, a *attempt, state mesospb.TaskState, reason, message string) {
	c.remove(r, a)
	ended := a.RunRecord
	ended.State, ended.Finished, ended.Reason, ended.Message = state.String(), now, reason, clip(message, maxMessage)
	ended.Successful = state == mesospb.TaskState_TASK_FINISHED
	c.record(r, &ended)
	switch {
	case ended.Successful:
		c.succeed(now, r)
	case state == mesospb.TaskState_TASK_KILLED, a.Killing:
		// Neither success nor failure: the schedule goes on.
	default:
		c.fail(now, r, a, &ended)
	}
	c.touch(r.job.Name)
}

// remove takes a run out of those under way.
func (c *Chronos) remove(r *record, a *attempt) {
	delete(c.tasks, a.TaskID)
	r.active = slices.DeleteFunc(slices.Clone(r.active), func(other *attempt) bool { return other == a })
}

func (c *Chronos) record(r *record, ended *RunRecord) {
	r.times.count(ended)
	r.history = append([]*RunRecord{ended}, r.history...)
	if len(r.history) > c.cfg.HistoryLimit {
		r.history = r.history[:c.cfg.HistoryLimit]
	}
}

// succeed counts a success and fires the children.
func (c *Chronos) succeed(now time.Time, r *record) {
	r.job = r.job.succeeded(now)
	c.counts.Succeeded++
	c.exhaust(r)
	c.fire(now, r.job.Name)
}

// fire tells the children of a job that it succeeded, and queues those whose
// parents now all have since the child last started.
func (c *Chronos) fire(now time.Time, name string) {
	for _, child := range c.children[name] {
		r := c.jobs[child]
		if r.met == nil {
			r.met = make(map[string]bool)
		}
		r.met[name] = true
		if len(r.met) == len(r.job.Parents) && !r.job.Disabled {
			c.enqueue(r, request{Due: now, Queued: now, Trigger: ByParents})
		}
		c.touch(child)
	}
}

// fail plans a retry, or counts a final failure.
func (c *Chronos) fail(now time.Time, r *record, a *attempt, ended *RunRecord) {
	c.counts.Failed++
	if r.job.mayRetry(a.Attempt) && len(r.retries) < maxActive {
		retry := a.Request
		retry.Attempt, retry.Relaunches, retry.Queued, retry.At = a.Attempt+1, 0, now, now.Add(c.cfg.FailureRetry)
		r.retries = append(slices.Clone(r.retries), retry)
		return
	}
	r.job = r.job.failed(now)
	c.notice(r, "job '"+r.job.Name+"' failed!", fmt.Sprintf("'%s'. Retries attempted: %d.\nTask id: %s\nThe scheduler provided this message:\n\n%s",
		stamp(now), a.Attempt, ended.TaskID, ended.Message))
	c.disableFailing(r)
	if r.job.SoftError {
		c.fire(now, r.job.Name)
	}
}

// mayRetry: attempts are left and no earlier failure is unrecovered, so that a
// job that keeps failing does so once per occurrence (Chronos).
func (j *Job) mayRetry(attempt int64) bool {
	success, ok := readStamp(j.LastSuccess)
	failure, bad := readStamp(j.LastError)
	return attempt < j.Retries && (!bad || ok && !success.Before(failure))
}

func (c *Chronos) disableFailing(r *record) {
	if c.cfg.DisableAfterFailures <= 0 || r.job.ErrorsInARow < c.cfg.DisableAfterFailures || r.job.Disabled {
		return
	}
	r.job = r.job.disabled()
	c.notice(r, "job '"+r.job.Name+"' disabled",
		fmt.Sprintf("Job '%s' has failed %d times in a row and has been disabled.", r.job.Name, r.job.ErrorsInARow))
}

// markSuccess counts a success that no run brought.
func (c *Chronos) markSuccess(now time.Time, name string) error {
	r, ok := c.jobs[name]
	if !ok {
		return ErrUnknownJob
	}
	r.met = nil
	c.succeed(now, r)
	c.touch(name)
	return nil
}

// killTasks ends the runs of a job; what is queued stays.
func (c *Chronos) killTasks(name string) error {
	r, ok := c.jobs[name]
	if !ok {
		return ErrUnknownJob
	}
	for _, a := range r.active {
		a.Killing = true
		c.say(Kill{a.ref()})
		c.touch(name)
	}
	return nil
}

// progress adds to what a run, also an ended one, has processed.
func (c *Chronos) progress(ev Progress) error {
	r, ok := c.jobs[ev.Job]
	if !ok {
		return ErrUnknownJob
	}
	if !r.job.DataJob {
		return invalid("dataProcessingJobType", "job %q does not process data", ev.Job)
	}
	if ev.Added < 0 {
		return invalid("numAdditionalElementsProcessed", "must not be negative")
	}
	for _, a := range r.active {
		if a.TaskID == ev.Task {
			a.Processed += ev.Added
			c.touch(ev.Job)
			return nil
		}
	}
	for i, h := range r.history {
		if h.TaskID == ev.Task {
			changed := *h
			changed.Processed += ev.Added
			r.history = slices.Clone(r.history)
			r.history[i] = &changed
			c.touch(ev.Job)
			return nil
		}
	}
	return invalid("taskId", "job %q has no run %.255q", ev.Job, string(ev.Task))
}

// reasonText names the reason of a status; the enum's zero is a reason as well.
func reasonText(status *mesospb.TaskStatus) string {
	if status.Reason == nil {
		return ""
	}
	return status.GetReason().String()
}

// clip bounds what is kept of a text from outside.
func clip(text string, most int) string {
	if len(text) > most {
		text = text[:most]
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}
