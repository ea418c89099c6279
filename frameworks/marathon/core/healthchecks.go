package core

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// firstProbe is the longest an instance runs before it is checked.
const firstProbe = 5 * time.Second

// watchHealth begins the health checks of an instance that runs.
func (c *Core) watchHealth(in *Instance) {
	def := c.apps[in.AppID].definition(in.Version)
	if def == nil {
		return
	}
	for i, h := range def.HealthChecks {
		if !h.ByScheduler() {
			continue // the agent tells
		}
		first := min(time.Duration(h.IntervalSeconds)*time.Second, firstProbe)
		c.scheduleProbe(in, i, first)
	}
}

func (c *Core) scheduleProbe(in *Instance, i int, after time.Duration) {
	in.health[i].due = c.now.Add(after)
	c.timers.setIndexed(in.health[i].due, healthTimer, in.TaskID, i)
}

// probe runs one check once. The next run is set when the result is in; should
// it never come, for a time when it no longer can.
func (c *Core) probe(taskID string, i int) {
	in, h, ok := c.healthCheck(taskID, i)
	if !ok {
		return
	}
	def := c.apps[in.AppID].definition(in.Version)
	if in.Condition != Running || c.now.Before(in.health[i].due) {
		return
	}
	c.scheduleProbe(in, i, time.Duration(h.TimeoutSeconds+h.IntervalSeconds)*time.Second)
	c.do(Probe{TaskID: taskID, Index: i, Address: probeAddress(def, in, h), Check: h})
}

// healthCheck is the i-th check of a known task.
func (c *Core) healthCheck(taskID string, i int) (*Instance, spec.HealthCheck, bool) {
	in, ok := c.tasks[taskID]
	if !ok || i >= len(in.health) {
		return nil, spec.HealthCheck{}, false
	}
	def := c.apps[in.AppID].definition(in.Version)
	if def == nil || i >= len(def.HealthChecks) {
		return nil, spec.HealthCheck{}, false
	}
	return in, def.HealthChecks[i], true
}

// probeAddress is where a check of the scheduler goes: to the machine's port, or
// to a container's own address if no port of the machine leads there.
func probeAddress(def *spec.App, in *Instance, h spec.HealthCheck) string {
	host, port := in.Host, 0
	if e, ok := checkedEndpoint(def, in, h); ok {
		port = e.port()
		if e.host == 0 && len(in.Addresses) > 0 {
			host = in.Addresses[0]
		}
	}
	if h.Port != nil {
		port = *h.Port
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(port)
}

func checkedEndpoint(def *spec.App, in *Instance, h spec.HealthCheck) (e endpoint, ok bool) {
	list := endpoints(def, in.Ports)
	if h.PortIndex == nil || *h.PortIndex >= len(list) {
		return endpoint{}, false
	}
	return list[*h.PortIndex], true
}

// innerPort is the port that a check is of, as the task itself sees it; 0 if
// there is none.
func innerPort(def *spec.App, in *Instance, h spec.HealthCheck) int {
	if h.Port != nil {
		return *h.Port
	}
	e, ok := checkedEndpoint(def, in, h)
	switch {
	case !ok:
		return 0
	case e.container != 0:
		return e.container
	}
	return e.host
}

// probed counts a result, and kills an instance that failed too often.
func (c *Core) probed(ev Probed) {
	in, h, ok := c.healthCheck(ev.TaskID, ev.Index)
	if !ok {
		return
	}
	if in.Condition != Running {
		return // watched anew when it runs again
	}
	c.scheduleProbe(in, ev.Index, time.Duration(h.IntervalSeconds)*time.Second)
	if ev.Result.Ignored {
		return
	}
	before := verdictOf(in)
	state := &in.health[ev.Index]
	if ev.Result.Healthy {
		state.succeed(spec.TimestampOf(c.now))
	} else if c.forgiven(in, h, state) {
		return
	} else {
		state.fail(spec.TimestampOf(c.now), ev.Result.Cause)
		c.publishHealthFailure(in, h)
	}
	c.judge(in, h, state, before)
}

// forgiven: failures between the start and the first success may be start-up.
func (c *Core) forgiven(in *Instance, h spec.HealthCheck, state *health) bool {
	grace := time.Duration(h.GracePeriodSeconds) * time.Second
	return state.firstSuccess == 0 && c.now.Before(in.StartedAt.Time().Add(grace))
}

func (s *health) succeed(now spec.Timestamp) {
	s.known, s.alive, s.failures, s.lastSuccess = true, true, 0, now
	if s.firstSuccess == 0 {
		s.firstSuccess = now
	}
}

func (s *health) fail(now spec.Timestamp, cause string) {
	s.known, s.alive, s.lastFailure, s.cause = true, false, now, cause
	s.failures++
}

// judge acts on what a check has found.
func (c *Core) judge(in *Instance, h spec.HealthCheck, state *health, before verdict) {
	c.publishVerdict(in, before)
	if h.MaxConsecutiveFailures > 0 && state.failures >= h.MaxConsecutiveFailures && !in.Kill {
		c.publishUnhealthyKill(in, state.cause)
		c.noteFailure(c.apps[in.AppID], in, "TASK_KILLED", "Task was killed since health check failed. Reason: "+state.cause)
		c.kill(in)
	}
}

// publishVerdict tells and uses what is known of an instance's health by now.
func (c *Core) publishVerdict(in *Instance, before verdict) {
	after := verdictOf(in)
	if after == before {
		return
	}
	c.touch(in.AppID)
	if after != unknown {
		c.publishHealth(in, after == healthy)
	}
	if after == healthy {
		c.returnToken()
	}
}

func healthResults(in *Instance) []HealthResult {
	var out []HealthResult
	for _, h := range in.health {
		if !h.known {
			continue
		}
		r := HealthResult{Alive: h.alive, ConsecutiveFailures: h.failures, InstanceID: in.ID,
			FirstSuccess: moment(h.firstSuccess), LastFailure: moment(h.lastFailure), LastSuccess: moment(h.lastSuccess)}
		if h.cause != "" {
			r.LastFailureCause = new(h.cause)
		}
		out = append(out, r)
	}
	return out
}

func moment(t spec.Timestamp) *spec.Timestamp {
	if t == 0 {
		return nil
	}
	return &t
}

func (c *Core) publishHealthChecks(def *spec.App) {
	for _, h := range def.HealthChecks {
		hd := c.heading("add_health_check_event")
		c.publish(hd, HealthCheckAdded{hd, def.ID, def.Version, h})
	}
}

func (c *Core) publishHealthFailure(in *Instance, h spec.HealthCheck) {
	hd := c.heading("failed_health_check_event")
	c.publish(hd, HealthCheckFailed{hd, in.AppID, in.ID, h})
}

func (c *Core) publishHealth(in *Instance, alive bool) {
	h := c.heading("health_status_changed_event")
	c.publish(h, HealthStatusChanged{h, in.AppID, in.ID, in.Version, alive})
}

func (c *Core) publishUnhealthyKill(in *Instance, reason string) {
	h := c.heading("unhealthy_instance_kill_event")
	c.publish(h, UnhealthyKilled{h, in.AppID, in.TaskID, in.ID, in.Version, reason, in.Host, in.AgentID})
}

// instanceOfTask is the instance part of a task id.
func instanceOfTask(taskID string) string {
	if i := strings.Index(taskID, "._app"); i >= 0 {
		return taskID[:i]
	}
	return taskID
}
