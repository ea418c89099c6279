package spec

// deprecated holds the members of old definitions that have a modern form.
// Answers never show them.
type deprecated struct {
	ports         []int // nil when absent
	uris          []string
	ip            *ipAddress
	dockerNetwork string
	dockerPorts   []PortMapping
	credential    bool
}

// ipAddress asked for a network of the container's own.
type ipAddress struct {
	networkName string
	labels      map[string]string
	ports       []PortMapping
}

func (r reader) deprecated() deprecated {
	old := deprecated{uris: r.strings("uris")}
	if list := r.array("ports"); list != nil {
		old.ports = r.integers("ports", list)
	}
	if ip := r.object("ipAddress"); ip != nil {
		old.ip = ip.ipAddress()
	}
	c := r.object("container")
	if c == nil {
		return old
	}
	if d := c.object("docker"); d != nil {
		old.credential = d.has("credential")
		old.dockerNetwork = d.enum("network", "DockerNetwork", "", "BRIDGE", "HOST", "NONE", "USER")
		old.dockerPorts = d.portMappings()
	}
	return old
}

func (r reader) ipAddress() *ipAddress {
	ip := &ipAddress{networkName: r.str("networkName"), labels: r.stringMap("labels")}
	d := r.object("discovery")
	if d == nil {
		return ip
	}
	ip.ports = []PortMapping{}
	d.objects("ports", func(r reader) {
		ip.ports = append(ip.ports, PortMapping{
			ContainerPort: r.integer("number", 0),
			Name:          r.required("name"),
			Protocol:      r.protocol(),
		})
	})
	return ip
}

// checkMixedForms refuses old and new forms of one thing side by side.
func checkMixedForms(rep *report, a *App, old deprecated) {
	if old.ports != nil && a.PortDefinitions != nil && !samePorts(old.ports, a.PortDefinitions) {
		rep.add("/ports", "cannot specify both ports and port definitions")
	}
	if len(old.uris) > 0 && len(a.Fetch) > 0 {
		rep.add("/uris", "cannot specify both uris and fetch")
	}
	if a.Container != nil && a.Container.PortMappings != nil && old.dockerPorts != nil {
		rep.add("/container", "must not specify both container.docker.portMappings and container.portMappings")
	}
	if a.Networks != nil && old.dockerNetwork != "" {
		rep.add("/networks", "must not specify both container.docker.network and networks")
	}
	if a.Networks != nil && old.ip != nil {
		rep.add("/networks", "must not specify both ipAddress and networks")
	}
	checkMixedAddress(rep, a, old)
	checkDockerLeftovers(rep, a, old)
}

func checkMixedAddress(rep *report, a *App, old deprecated) {
	if old.ip == nil {
		return
	}
	if len(old.ports) > 0 {
		rep.add("/ports", "must be empty when ipAddress is given")
	}
	switch old.dockerNetwork {
	case "BRIDGE", "HOST":
		rep.add("/ipAddress", "ipAddress is not allowed with container.docker.network %s", old.dockerNetwork)
	}
	if old.ip.ports != nil && a.Container != nil && a.Container.Type == DockerContainer {
		rep.add("/ipAddress/discovery", "discovery is not allowed with a DOCKER container")
	}
}

func checkDockerLeftovers(rep *report, a *App, old deprecated) {
	if old.credential {
		rep.add("/container/docker/credential", "must be empty")
	}
	if old.dockerNetwork == "NONE" {
		rep.add("/container/docker/network", "NONE is not supported")
	}
	if a.Container == nil || a.Container.Type != MesosContainer {
		return
	}
	if old.dockerNetwork != "" {
		rep.add("/container/docker/network", "must be empty")
	}
	if old.dockerPorts != nil {
		rep.add("/container/docker/portMappings", "must be empty")
	}
	if a.Container.Docker != nil && len(a.Container.Docker.Parameters) > 0 {
		rep.add("/container/docker/parameters", "must be empty")
	}
}

func samePorts(ports []int, defs []PortDefinition) bool {
	if len(ports) != len(defs) {
		return false
	}
	for i, p := range ports {
		if defs[i].Port != p {
			return false
		}
	}
	return true
}

// translate gives old members their modern form.
func translate(a *App, old deprecated, rules Rules) {
	if old.ports != nil && a.PortDefinitions == nil {
		a.PortDefinitions = definitions(old.ports)
	}
	if len(a.Fetch) == 0 {
		for _, uri := range old.uris {
			a.Fetch = append(a.Fetch, Fetch{URI: uri, Extract: isArchive(uri)})
		}
	}
	if a.Networks == nil {
		a.Networks = networksOf(old, rules)
	}
	if a.Container != nil && a.Container.PortMappings == nil {
		a.Container.PortMappings = old.dockerPorts
	}
	if old.ip != nil && old.ip.ports != nil {
		if a.Container == nil {
			a.Container = &Container{Type: MesosContainer, Volumes: []Object{}}
		}
		a.Container.PortMappings = old.ip.ports
	}
}

func definitions(ports []int) []PortDefinition {
	defs := make([]PortDefinition, len(ports))
	for i, p := range ports {
		defs[i] = PortDefinition{Port: p, Protocol: "tcp"}
	}
	return defs
}

// networksOf is nil when nothing old says which network is wanted.
func networksOf(old deprecated, rules Rules) []Network {
	switch {
	case old.dockerNetwork == "BRIDGE":
		return []Network{{Mode: BridgeNetwork}}
	case old.dockerNetwork == "HOST":
		return []Network{{Mode: HostNetwork}}
	case old.ip != nil && old.ip.networkName != "" && old.ip.networkName == rules.BridgeName:
		return []Network{{Mode: BridgeNetwork, Labels: old.ip.labels}}
	case old.ip != nil:
		return []Network{{Mode: ContainerNetwork, Name: old.ip.networkName, Labels: old.ip.labels}}
	case old.dockerNetwork == "USER":
		return []Network{{Mode: ContainerNetwork}}
	}
	return nil
}
