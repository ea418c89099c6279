package core

import (
	"math"
	"strings"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// agentCheck is the index of the health check that the agent runs; -1 if there is none.
func agentCheck(def *spec.App) int {
	for i, h := range def.HealthChecks {
		if !h.ByScheduler() {
			return i
		}
	}
	return -1
}

// agentHealthCheck is what the agent is told of it; nil if there is nothing to tell.
func agentHealthCheck(def *spec.App, in *Instance) *mesospb.HealthCheck {
	i := agentCheck(def)
	if i < 0 {
		return nil
	}
	h := def.HealthChecks[i]
	out := &mesospb.HealthCheck{
		DelaySeconds: new(float64(h.DelaySeconds)), IntervalSeconds: new(float64(h.IntervalSeconds)), TimeoutSeconds: new(float64(h.TimeoutSeconds)),
		GracePeriodSeconds: new(float64(h.GracePeriodSeconds)), ConsecutiveFailures: new(patience(h)),
	}
	var protocol *mesospb.NetworkInfo_Protocol
	if h.IPProtocol == "IPv6" {
		protocol = mesospb.NetworkInfo_IPv6.Enum()
	}
	port := new(uint32(innerPort(def, in, h)))
	switch h.Protocol {
	case "COMMAND":
		out.Type = mesospb.HealthCheck_COMMAND.Enum()
		out.Command = &mesospb.CommandInfo{Shell: new(true), Value: new(h.Command.Value)}
	case "MESOS_TCP":
		out.Type = mesospb.HealthCheck_TCP.Enum()
		out.Tcp = &mesospb.HealthCheck_TCPCheckInfo{Port: port, Protocol: protocol}
	default:
		out.Type = mesospb.HealthCheck_HTTP.Enum()
		out.Http = &mesospb.HealthCheck_HTTPCheckInfo{
			Port: port, Protocol: protocol, Path: new("/" + strings.TrimPrefix(h.Path, "/")),
			Scheme: new(strings.ToLower(strings.TrimPrefix(h.Protocol, "MESOS_"))),
		}
	}
	return out
}

// patience is how many failures end a task: in an app, 0 says that none do.
func patience(h spec.HealthCheck) uint32 {
	if h.MaxConsecutiveFailures == 0 {
		return math.MaxUint32
	}
	return uint32(h.MaxConsecutiveFailures)
}

// heardOfHealth takes in what the agent says of a task's health. What follows
// from failures is the agent's business.
func (c *Core) heardOfHealth(in *Instance, s *mesospb.TaskStatus) {
	def := c.apps[in.AppID].definition(in.Version)
	if def == nil || s.Healthy == nil || in.Condition != Running {
		return
	}
	i := agentCheck(def)
	if i < 0 || i >= len(in.health) {
		return
	}
	before := verdictOf(in)
	state := &in.health[i]
	if s.GetHealthy() {
		state.succeed(spec.TimestampOf(c.now))
	} else {
		state.fail(spec.TimestampOf(c.now), cut(s.GetMessage()))
		c.publishHealthFailure(in, def.HealthChecks[i])
	}
	c.publishVerdict(in, before)
}
