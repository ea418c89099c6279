package core

import (
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// containerInfo is nil for an app that needs nothing of its container.
func containerInfo(c *spec.Container) *mesospb.ContainerInfo {
	if c == nil || c.Docker == nil && len(c.Volumes) == 0 {
		return nil
	}
	out := &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), Volumes: hostVolumes(c.Volumes)}
	switch d := c.Docker; {
	case d == nil:
	case c.Type == spec.DockerContainer:
		out.Type = mesospb.ContainerInfo_DOCKER.Enum()
		out.Docker = dockerInfo(d)
	default:
		out.Mesos = &mesospb.ContainerInfo_MesosInfo{Image: &mesospb.Image{
			Type: mesospb.Image_DOCKER.Enum(), Docker: &mesospb.Image_Docker{Name: new(d.Image)}, Cached: new(!d.ForcePullImage),
		}}
	}
	return out
}

func dockerInfo(d *spec.Docker) *mesospb.ContainerInfo_DockerInfo {
	out := &mesospb.ContainerInfo_DockerInfo{
		Image: new(d.Image), Network: mesospb.ContainerInfo_DockerInfo_HOST.Enum(),
		Privileged: new(d.Privileged), ForcePullImage: new(d.ForcePullImage),
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
