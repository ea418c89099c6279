package core

import mesospb "github.com/soukproject/souk/proto/mesos/v1"

// misplaced says why an agent may not register with the domain it has, or without one; "" if it may (mesos-api 21.6).
// It is not told to end: what runs there goes on until the flags are put right.
func (m *Master) misplaced(agent *mesospb.AgentInfo) string {
	theirs := agent.GetDomain().GetFaultDomain()
	switch {
	case theirs != nil && m.cfg.Info.GetDomain().GetFaultDomain() == nil:
		return "Agent is configured with a fault domain, but the master has none: give the master --domain"
	case theirs == nil && m.cfg.RequireAgentDomain:
		return "Agent has no fault domain, and the master runs with --require_agent_domain: give the agent --domain"
	}
	return ""
}
