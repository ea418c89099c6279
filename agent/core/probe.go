package core

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/proto/mesos"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// minInterval keeps a check that asks for none from taking a CPU.
const minInterval = 100 * time.Millisecond

// maxNews is how many updates of a task may wait for its scheduler before news of
// checks is left out: the scheduler is away, and the newest will do.
const maxNews = 32

// A probe is a check or a health check of a command task: the same is tried again
// and again while the task runs (mesos-api 15).
type probe struct {
	what                     Target
	delay, interval, timeout time.Duration
	health                   *health // nil for a check, which has no consequences
	result                   *mesospb.CheckStatusInfo

	due    time.Time // of the next attempt; zero: none is due
	number uint64    // of the attempt under way; 0: none
}

// health is what a health check counts. It is durable.
type health struct {
	grace    time.Duration // from the launch: failures do not count yet
	patience uint32        // failures in a row that end the task
	failures uint32
	passed   bool // it has succeeded once, which ends the grace period
}

// deadline is when the next attempt is due.
func (p *probe) deadline() (at time.Time, ok bool) { return p.due, !p.due.IsZero() }

// newProbes are those of a command task.
func newProbes(t *mesospb.TaskInfo) (list []*probe) {
	if h := t.GetHealthCheck(); h != nil {
		list = append(list, &probe{
			what: healthTarget(h), delay: seconds(h.GetDelaySeconds()), interval: seconds(h.GetIntervalSeconds()), timeout: seconds(h.GetTimeoutSeconds()),
			health: &health{grace: seconds(h.GetGracePeriodSeconds()), patience: h.GetConsecutiveFailures()},
		})
	}
	if c := t.GetCheck(); c != nil {
		list = append(list, &probe{
			what: checkTarget(c), delay: seconds(c.GetDelaySeconds()), interval: seconds(c.GetIntervalSeconds()), timeout: seconds(c.GetTimeoutSeconds()),
			result: noResult(c.GetType()),
		})
	}
	return list
}

// seconds is a number of them, within what can be waited for.
func seconds(x float64) time.Duration { return time.Duration(clamp(x) * float64(time.Second)) }

func healthTarget(h *mesospb.HealthCheck) Target {
	switch {
	case h.GetType() == mesospb.HealthCheck_COMMAND:
		return Target{Command: h.GetCommand()}
	case h.GetType() == mesospb.HealthCheck_TCP:
		return Target{Port: h.GetTcp().GetPort(), IPv6: h.GetTcp().GetProtocol() == mesospb.NetworkInfo_IPv6}
	}
	web := h.GetHttp()
	scheme := web.GetScheme()
	if scheme == "" {
		scheme = "http"
	}
	return Target{Scheme: scheme, Port: web.GetPort(), Path: web.GetPath(), IPv6: web.GetProtocol() == mesospb.NetworkInfo_IPv6}
}

func checkTarget(c *mesospb.CheckInfo) Target {
	switch c.GetType() {
	case mesospb.CheckInfo_COMMAND:
		return Target{Command: c.GetCommand().GetCommand()}
	case mesospb.CheckInfo_TCP:
		return Target{Port: c.GetTcp().GetPort()}
	}
	return Target{Scheme: "http", Port: c.GetHttp().GetPort(), Path: c.GetHttp().GetPath()}
}

// noResult is what a check says before its first attempt, and after one that did
// not come to an end.
func noResult(kind mesospb.CheckInfo_Type) *mesospb.CheckStatusInfo {
	s := &mesospb.CheckStatusInfo{Type: kind.Enum()}
	switch kind {
	case mesospb.CheckInfo_COMMAND:
		s.Command = &mesospb.CheckStatusInfo_Command{}
	case mesospb.CheckInfo_TCP:
		s.Tcp = &mesospb.CheckStatusInfo_Tcp{}
	default:
		s.Http = &mesospb.CheckStatusInfo_Http{}
	}
	return s
}

// beginProbes schedules the first attempts of a task that runs.
func (t *task) beginProbes(now time.Time) {
	for _, p := range t.probes {
		p.due = t.container.launched.Add(p.delay)
		if p.due.Before(now) {
			p.due = now // the agent was away
		}
	}
}

// endProbes: a task that is being ended is not asked how it is.
func (t *task) endProbes() {
	for _, p := range t.probes {
		p.due, p.number = time.Time{}, 0
	}
}

// probeDue makes the attempts that are due.
func (a *Agent) probeDue(now time.Time, t *task) {
	for _, p := range t.probes {
		if at, ok := p.deadline(); !ok || now.Before(at) {
			continue
		}
		a.attempts++
		p.due, p.number = time.Time{}, a.attempts
		c := t.container
		a.emit(Probe{Run: c.run(), PID: c.pid, Number: p.number, Target: p.what, Timeout: p.timeout})
	}
}

// probed takes in the outcome of an attempt.
func (a *Agent) probed(now time.Time, ev Probed) {
	c := a.containers[ev.Container]
	if c == nil || c.task == nil {
		return // it ended meanwhile
	}
	t := c.task
	i := slices.IndexFunc(t.probes, func(p *probe) bool { return p.number == ev.Number })
	if ev.Number == 0 || i < 0 || c.phase != running || mesos.Terminal(t.state) {
		return
	}
	p := t.probes[i]
	p.number, p.due = 0, now.Add(max(p.interval, minInterval))
	if p.health != nil {
		a.healthProbed(now, t, p, ev.Outcome)
	} else {
		a.checkProbed(now, t, p, ev.Outcome)
	}
}

// healthProbed tells news of a task's health, and ends a task that has failed too
// often in a row.
func (a *Agent) healthProbed(now time.Time, t *task, p *probe, o Outcome) {
	h := p.health
	if o.healthy(p.what) {
		news := !h.passed || h.failures > 0
		h.passed, h.failures = true, 0
		if news {
			a.tellHealth(now, t, true, "")
		}
		return
	}
	if !h.passed && now.Before(t.container.launched.Add(h.grace)) {
		return
	}
	h.failures++
	a.tellHealth(now, t, false, o.Why)
	if h.failures >= h.patience {
		a.beginKill(now, t, kill{cause: checkpointpb.Kill_UNHEALTHY, since: now, grace: t.grace(nil)})
	}
}

func (a *Agent) tellHealth(now time.Time, t *task, healthy bool, why string) {
	s := a.news(now, t, mesospb.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED)
	s.Healthy = &healthy
	if why != "" {
		s.Message = &why
	}
	a.tellNews(now, t, s)
}

// checkProbed tells the result of a check when it is another than before.
func (a *Agent) checkProbed(now time.Time, t *task, p *probe, o Outcome) {
	result := o.result(p.result.GetType())
	if proto.Equal(result, p.result) {
		return
	}
	p.result = result
	s := a.news(now, t, mesospb.TaskStatus_REASON_TASK_CHECK_STATUS_UPDATED)
	s.CheckStatus = result
	a.tellNews(now, t, s)
}

// news is an update of a running task that keeps what the last one said of the
// other kind of check.
func (a *Agent) news(now time.Time, t *task, reason mesospb.TaskStatus_Reason) *mesospb.TaskStatus {
	s := a.status(now, t, mesospb.TaskState_TASK_RUNNING)
	s.Reason = reason.Enum()
	if n := len(t.statuses); n > 0 {
		last := t.statuses[n-1]
		s.Healthy = last.Healthy
		if last.CheckStatus != nil {
			s.CheckStatus = last.CheckStatus
		}
	}
	return s
}

func (a *Agent) tellNews(now time.Time, t *task, s *mesospb.TaskStatus) {
	if len(t.unstored)+len(t.stream.Pending()) >= maxNews {
		a.refuse("news of a check", string(t.id), "too many updates wait for its scheduler")
		a.persist(nil, t.progress())
		return
	}
	a.update(now, t, nil, s)
}

// healthy reports whether an attempt says that the task is well.
func (o Outcome) healthy(t Target) bool {
	switch {
	case !o.Done:
		return false
	case t.Command != nil:
		return o.Exit == 0
	case t.Scheme != "":
		return o.Status >= 200 && o.Status < 400
	}
	return o.Connected
}

// result is what a check says of an attempt.
func (o Outcome) result(kind mesospb.CheckInfo_Type) *mesospb.CheckStatusInfo {
	s := noResult(kind)
	switch {
	case !o.Done:
	case s.Command != nil:
		s.Command.ExitCode = new(o.Exit)
	case s.Http != nil:
		s.Http.StatusCode = new(o.Status)
	default:
		s.Tcp.Succeeded = new(o.Connected)
	}
	return s
}

// healthRecord adds what a health check has counted to a record.
func (t *task) healthRecord(r *checkpointpb.Progress) {
	for _, p := range t.probes {
		if h := p.health; h != nil && (h.failures > 0 || h.passed) {
			r.Failures, r.Passed = new(h.failures), new(h.passed)
		}
	}
}

// restoreProbes goes on from what was stored.
func (t *task) restoreProbes(r *checkpointpb.Progress) {
	for _, p := range t.probes {
		if p.health != nil {
			p.health.failures, p.health.passed = r.GetFailures(), r.GetPassed()
		} else if s := t.stream.Latest().GetCheckStatus(); s != nil {
			p.result = s
		}
	}
}
