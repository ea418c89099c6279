package spec

// normalize fills in what depends on other members.
func normalize(a *App, rules Rules) {
	if len(a.Networks) == 0 {
		a.Networks = []Network{{Mode: HostNetwork}}
	}
	for i, n := range a.Networks {
		if n.Mode == ContainerNetwork && n.Name == "" {
			a.Networks[i].Name = rules.NetworkName
		}
	}
	if a.HostNetworking() {
		normalizeHostPorts(a)
	} else {
		normalizeMappings(a)
	}
	for i, h := range a.HealthChecks {
		if h.Port == nil && h.PortIndex == nil && h.Protocol != "COMMAND" {
			a.HealthChecks[i].PortIndex = new(0)
		}
	}
	if a.Role == "" {
		a.Role = rules.Role
	}
}

// normalizeHostPorts: an absent list becomes one port; an explicit [] stays empty.
func normalizeHostPorts(a *App) {
	if a.PortDefinitions == nil {
		a.PortDefinitions = []PortDefinition{{Name: "default", Protocol: "tcp"}}
	}
	if a.Container != nil && len(a.Container.PortMappings) == 0 {
		a.Container.PortMappings = nil
	}
}

// normalizeMappings moves ports into the container, whose network they are in.
func normalizeMappings(a *App) {
	a.RequirePorts = false
	if a.Container == nil {
		a.Container = &Container{Type: MesosContainer, Volumes: []Object{}}
	}
	c := a.Container
	if c.PortMappings == nil && a.PortDefinitions != nil {
		c.PortMappings = mappingsOf(a.PortDefinitions)
	}
	a.PortDefinitions = nil
	if c.PortMappings == nil {
		c.PortMappings = []PortMapping{{Name: "default", Protocol: "tcp"}}
	}
	for i, m := range c.PortMappings {
		if a.Networks[0].Mode == BridgeNetwork && m.HostPort == nil {
			c.PortMappings[i].HostPort = new(0)
		}
	}
}

func mappingsOf(defs []PortDefinition) []PortMapping {
	out := make([]PortMapping, len(defs))
	for i, d := range defs {
		out[i] = PortMapping{ContainerPort: d.Port, Labels: d.Labels, Name: d.Name, Protocol: d.Protocol}
	}
	return out
}
