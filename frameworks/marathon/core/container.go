package core

import (
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// containerInfo is nil for an app that needs nothing of its container.
func (c *Core) containerInfo(def *spec.App, in *Instance) *mesospb.ContainerInfo {
	box := def.Container
	if def.HostNetworking() && (box == nil || box.Docker == nil && len(box.Volumes) == 0) {
		return nil
	}
	out := &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum()}
	if box == nil {
		box = &spec.Container{}
	}
	out.Volumes = hostVolumes(box.Volumes)
	switch d := box.Docker; {
	case d != nil && box.Type == spec.DockerContainer:
		out.Type = mesospb.ContainerInfo_DOCKER.Enum()
		out.Docker = dockerInfo(d)
		dockerNetwork(out, def, endpoints(def, in.Ports))
		return out
	case d != nil:
		out.Mesos = &mesospb.ContainerInfo_MesosInfo{Image: &mesospb.Image{
			Type: mesospb.Image_DOCKER.Enum(), Docker: &mesospb.Image_Docker{Name: new(d.Image)}, Cached: new(!d.ForcePullImage),
		}}
	}
	out.NetworkInfos = c.networkInfos(def, endpoints(def, in.Ports))
	return out
}

// networkInfos are the networks that a container joins by name, each with the
// ports that lead into it.
func (c *Core) networkInfos(def *spec.App, ports []endpoint) []*mesospb.NetworkInfo {
	var list []*mesospb.NetworkInfo
	for _, n := range def.Networks {
		name := n.Name
		switch n.Mode {
		case spec.HostNetwork:
			continue
		case spec.BridgeNetwork:
			name = c.cfg.Rules.BridgeName
		}
		info := &mesospb.NetworkInfo{Name: &name, Labels: labels(n.Labels)}
		for _, e := range ports {
			if e.host == 0 || e.network != n.Name {
				continue
			}
			for _, protocol := range protocols(e.protocol) {
				info.PortMappings = append(info.PortMappings, &mesospb.NetworkInfo_PortMapping{
					HostPort: new(uint32(e.host)), ContainerPort: new(uint32(e.container)), Protocol: new(protocol),
				})
			}
		}
		list = append(list, info)
	}
	return list
}

// dockerNetwork says the same in the form of DOCKER containers.
func dockerNetwork(out *mesospb.ContainerInfo, def *spec.App, ports []endpoint) {
	switch n := def.Networks[0]; n.Mode {
	case spec.HostNetwork:
		out.Docker.Network = mesospb.ContainerInfo_DockerInfo_HOST.Enum()
	case spec.BridgeNetwork:
		out.Docker.Network = mesospb.ContainerInfo_DockerInfo_BRIDGE.Enum()
	default:
		out.Docker.Network = mesospb.ContainerInfo_DockerInfo_USER.Enum()
		out.NetworkInfos = []*mesospb.NetworkInfo{{Name: new(n.Name), Labels: labels(n.Labels)}}
	}
	for _, e := range ports {
		if e.host == 0 || e.container == 0 {
			continue
		}
		for _, protocol := range protocols(e.protocol) {
			out.Docker.PortMappings = append(out.Docker.PortMappings, &mesospb.ContainerInfo_DockerInfo_PortMapping{
				HostPort: new(uint32(e.host)), ContainerPort: new(uint32(e.container)), Protocol: new(protocol),
			})
		}
	}
}

func dockerInfo(d *spec.Docker) *mesospb.ContainerInfo_DockerInfo {
	out := &mesospb.ContainerInfo_DockerInfo{
		Image: new(d.Image), Privileged: new(d.Privileged), ForcePullImage: new(d.ForcePullImage),
	}
	for _, p := range d.Parameters {
		key, _ := p["key"].(string) // both are strings: the definition was checked
		value, _ := p["value"].(string)
		out.Parameters = append(out.Parameters, &mesospb.Parameter{Key: &key, Value: &value})
	}
	return out
}

func hostVolumes(list []spec.Object) []*mesospb.Volume {
	var out []*mesospb.Volume
	for _, v := range list {
		host, _ := v["hostPath"].(string)
		target, _ := v["containerPath"].(string)
		mode := mesospb.Volume_RW
		if v["mode"] == "RO" {
			mode = mesospb.Volume_RO
		}
		out = append(out, &mesospb.Volume{HostPath: &host, ContainerPath: &target, Mode: &mode})
	}
	return out
}

func uris(list []spec.Fetch) []*mesospb.CommandInfo_URI {
	var out []*mesospb.CommandInfo_URI
	for _, f := range list {
		u := &mesospb.CommandInfo_URI{Value: new(f.URI), Extract: new(f.Extract), Executable: new(f.Executable), Cache: new(f.Cache)}
		if f.DestPath != "" {
			u.OutputFile = new(f.DestPath)
		}
		out = append(out, u)
	}
	return out
}
