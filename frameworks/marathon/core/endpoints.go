package core

import (
	"slices"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// An endpoint is a port of an instance: of the machine, of a container with a
// network of its own, or one that leads to the other (marathon-api 5.5).
type endpoint struct {
	name, protocol string
	labels         map[string]string
	declared       int    // what the definition says, 0 for any
	host           int    // of the machine; 0 for none
	container      int    // 0 on the machine's network
	network        string // that the port is in; "" for the machine's or the bridge
}

// port is what the instance is reached by: the machine's port if there is one.
func (e endpoint) port() int {
	if e.host != 0 {
		return e.host
	}
	return e.container
}

// A wish is a port of the machine that an instance needs.
type wish struct {
	port int  // 0: any
	must bool // exactly that one
}

// wishes are the ports of the machine that def needs, in port order.
func wishes(def *spec.App) []wish {
	var list []wish
	for _, p := range def.PortDefinitions {
		list = append(list, wish{port: p.Port, must: def.RequirePorts})
	}
	for _, m := range mappings(def) {
		if m.HostPort != nil {
			list = append(list, wish{port: *m.HostPort, must: *m.HostPort != 0})
		}
	}
	return list
}

func mappings(def *spec.App) []spec.PortMapping {
	if def.Container == nil || def.HostNetworking() {
		return nil
	}
	return def.Container.PortMappings
}

// firstGenerated is the lowest port that is given to a container which says neither port.
const firstGenerated = 1025

// endpoints are the ports of an instance that was given host ports, in port order.
func endpoints(def *spec.App, host []int) []endpoint {
	var list []endpoint
	for i, p := range def.PortDefinitions {
		list = append(list, endpoint{name: p.Name, protocol: p.Protocol, labels: p.Labels, declared: p.Port, host: host[i]})
	}
	taken := func(port int) bool {
		return slices.ContainsFunc(mappings(def), func(m spec.PortMapping) bool { return m.ContainerPort == port })
	}
	generated := firstGenerated
	for _, m := range mappings(def) {
		e := endpoint{name: m.Name, protocol: m.Protocol, labels: m.Labels, declared: m.ContainerPort, container: m.ContainerPort}
		if m.HostPort != nil {
			e.host, host = host[0], host[1:]
		}
		switch {
		case e.container == 0 && e.host != 0:
			e.container = e.host
		case e.container == 0:
			for taken(generated) {
				generated++
			}
			e.container = generated
			generated++
		}
		e.network = networkOf(def, m)
		list = append(list, e)
	}
	return list
}

// networkOf is the container network that a mapping is in; the first, unless it says.
func networkOf(def *spec.App, m spec.PortMapping) string {
	if len(m.NetworkNames) > 0 {
		return m.NetworkNames[0]
	}
	return def.Networks[0].Name
}
