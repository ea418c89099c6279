package core

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// taskInfo is what the agent is told about an instance.
func (c *Core) taskInfo(def *spec.App, in *Instance, o *offer, m match) *mesospb.TaskInfo {
	name := spec.TaskName(def.ID)
	return &mesospb.TaskInfo{
		Name:        &name,
		TaskId:      &mesospb.TaskID{Value: new(in.TaskID)},
		AgentId:     o.proto.GetAgentId(),
		Resources:   m.taken.Proto(resources.PostRefinement),
		Command:     c.commandInfo(def, in),
		Container:   c.containerInfo(def, in),
		Labels:      labels(def.Labels),
		Discovery:   c.discoveryInfo(def, in),
		KillPolicy:  killPolicy(def),
		HealthCheck: agentHealthCheck(def, in),
		Limits:      limits(def),
	}
}

func (c *Core) commandInfo(def *spec.App, in *Instance) *mesospb.CommandInfo {
	cmd := &mesospb.CommandInfo{Environment: c.environment(def, in), Uris: uris(def.Fetch)}
	if user := cmp.Or(def.User, c.cfg.User); user != "" {
		cmd.User = &user
	}
	if def.Image() != "" && def.Cmd == "" { // the image says what to run, or what the arguments are for
		cmd.Shell = new(false)
		cmd.Arguments = def.Args
		return cmd
	}
	if len(def.Args) > 0 {
		cmd.Shell = new(false)
		cmd.Value = new(def.Args[0])
		cmd.Arguments = def.Args
		return cmd
	}
	cmd.Shell = new(true)
	cmd.Value = new(def.Cmd)
	return cmd
}

func labels(m map[string]string) *mesospb.Labels {
	if len(m) == 0 {
		return nil
	}
	out := &mesospb.Labels{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out.Labels = append(out.Labels, &mesospb.Label{Key: new(k), Value: new(m[k])})
	}
	return out
}

func killPolicy(def *spec.App) *mesospb.KillPolicy {
	if def.TaskKillGracePeriodSeconds == nil {
		return nil
	}
	grace := int64(*def.TaskKillGracePeriodSeconds) * 1e9
	return &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: &grace}}
}

func limits(def *spec.App) map[string]*mesospb.Value_Scalar {
	l := def.ResourceLimits
	if l == nil {
		return nil
	}
	out := map[string]*mesospb.Value_Scalar{}
	for name, limit := range map[string]*spec.Limit{"cpus": l.CPUs, "mem": l.Mem} {
		switch {
		case limit == nil:
		case limit.Unlimited:
			out[name] = &mesospb.Value_Scalar{Value: new(math.Inf(1))}
		default:
			out[name] = &mesospb.Value_Scalar{Value: new(limit.Amount)}
		}
	}
	return out
}

// discoveryInfo tells DNS and load balancers the task's ports: one entry per
// definition and protocol.
func (c *Core) discoveryInfo(def *spec.App, in *Instance) *mesospb.DiscoveryInfo {
	info := &mesospb.DiscoveryInfo{
		Visibility: mesospb.DiscoveryInfo_FRAMEWORK.Enum(),
		Name:       new(spec.TaskName(def.ID)),
		Ports:      &mesospb.Ports{},
	}
	for _, e := range endpoints(def, in.Ports) {
		for _, protocol := range protocols(e.protocol) {
			port := &mesospb.Port{Number: new(uint32(e.port())), Protocol: new(protocol)}
			if e.name != "" {
				port.Name = new(e.name)
			}
			with := maps.Clone(e.labels)
			if with == nil {
				with = map[string]string{}
			}
			with["network-scope"] = spec.HostNetwork
			if e.host == 0 {
				with["network-scope"] = spec.ContainerNetwork
			}
			if e.network != "" {
				with["network-name"] = e.network
			}
			port.Labels = labels(with)
			info.Ports.Ports = append(info.Ports.Ports, port)
		}
	}
	return info
}

func protocols(p string) []string {
	if p == "udp,tcp" {
		return []string{"udp", "tcp"}
	}
	return []string{p}
}
