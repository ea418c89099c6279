package core

// A Whitelist is the host names of the agents that may be offered; nil lists all.
type Whitelist map[string]bool

// lists reports whether an agent on a host may be offered.
func (w Whitelist) lists(hostname string) bool { return w == nil || w[hostname] }

// Whitelisted replaces the whitelist. Agents that are not on it keep their tasks,
// and are offered to nobody.
type Whitelisted struct{ Hosts Whitelist }

func (Whitelisted) event() {}

// whitelisted: what was offered of agents that are off the list now is taken back.
func (m *Master) whitelisted(ev Whitelisted) {
	m.cfg.Whitelist = ev.Hosts
	for _, a := range m.agentOf {
		switch {
		case a == nil || a.recovered:
		case !m.isOfferable(a):
			m.cfg.Allocator.SetAgentActive(m.now, a.id, false)
			m.rescindAll(a)
		case m.changing[a.id] == nil: // else it may be about to go; who comes back is looked at then
			m.cfg.Allocator.SetAgentActive(m.now, a.id, true)
		}
	}
}

// isOfferable reports whether frameworks may be offered an agent.
func (m *Master) isOfferable(a *agent) bool {
	return a.session != 0 && !a.deactivated && a.condemned == "" && m.cfg.Whitelist.lists(a.hostname)
}
