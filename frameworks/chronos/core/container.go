package core

import (
	"encoding/json"
	"strconv"
	"strings"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A Container is what a job's runs are in (chronos-api 4.1).
type Container struct {
	Type           string      `json:"type"` // DOCKER or MESOS
	Image          string      `json:"image"`
	Network        string      `json:"network"` // HOST, BRIDGE or USER
	NetworkInfos   []Network   `json:"networkInfos"`
	Volumes        []Volume    `json:"volumes"`
	ForcePullImage bool        `json:"forcePullImage"`
	Parameters     []Parameter `json:"parameters"`
}

// A Network is one that a container joins.
type Network struct {
	Name         string        `json:"name"`
	Protocol     string        `json:"protocol,omitempty"` // IPv4 or IPv6
	Labels       []Parameter   `json:"labels"`
	PortMappings []PortMapping `json:"portMappings"`
}

// A PortMapping is shown, and as in Chronos no more: runs have no ports of the machine.
type PortMapping struct {
	HostPort      string `json:"hostPort"`
	ContainerPort string `json:"containerPort"`
	Protocol      string `json:"protocol,omitempty"`
}

// A Volume is a folder of the agent's machine.
type Volume struct {
	HostPath      string `json:"hostPath,omitempty"`
	ContainerPath string `json:"containerPath"`
	Mode          string `json:"mode,omitempty"` // RO or RW
}

// A Parameter is an option of Docker's, or a label.
type Parameter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// container reads what a run is to be in; nil if there is none. Without an image
// there is none, as in Chronos.
func (f *fields) container() *Container {
	raw, ok := f.members["container"]
	if !ok {
		return nil
	}
	v, err := readFields(raw)
	if err != nil {
		f.fail("container", "must be an object")
		return nil
	}
	c := &Container{
		Type: strings.ToUpper(v.text("type", "DOCKER")), Image: v.text("image", ""), Network: strings.ToUpper(v.text("network", "HOST")),
		NetworkInfos: v.networks(), Volumes: v.volumes(), ForcePullImage: v.flag("forcePullImage", false), Parameters: v.pairs("parameters"),
	}
	if v.err != nil {
		f.fail("container", v.err.Error())
	}
	if c.Image == "" {
		return nil
	}
	if why := c.wrong(); why != "" {
		f.fail("container", why)
	}
	return c
}

// wrong says what no agent could make of c, "" if nothing.
func (c *Container) wrong() string {
	switch {
	case c.Type != "DOCKER" && c.Type != "MESOS":
		return "type must be DOCKER or MESOS"
	case c.Network != "HOST" && c.Network != "BRIDGE" && c.Network != "USER":
		return "network must be HOST, BRIDGE or USER"
	case c.Type == "DOCKER" && c.Network == "USER" && len(c.NetworkInfos) != 1:
		return "network USER needs one entry in networkInfos"
	case c.Type == "MESOS" && len(c.Parameters) > 0:
		return "parameters are options of Docker: type must be DOCKER"
	}
	for _, n := range c.NetworkInfos {
		if n.Name == "" {
			return "an entry of networkInfos has no name"
		}
	}
	for _, v := range c.Volumes {
		switch {
		case v.ContainerPath == "":
			return "a volume has no containerPath"
		case v.HostPath == "":
			return "volumes are folders of the agent's machine; give hostPath"
		case v.Mode != "RO" && v.Mode != "RW":
			return "the mode of a volume must be RO or RW"
		}
	}
	return ""
}

// each reads an array of objects.
func (f *fields) each(name string, read func(v *fields)) {
	for _, raw := range f.list(name) {
		v, err := readFields(raw)
		if err == nil {
			read(v)
			err = v.err
		}
		if err != nil {
			f.fail(name, err.Error())
			return
		}
	}
}

func (f *fields) pairs(name string) []Parameter {
	list := []Parameter{}
	f.each(name, func(v *fields) { list = append(list, Parameter{v.text("key", ""), v.text("value", "")}) })
	return list
}

func (f *fields) networks() []Network {
	list := []Network{}
	if name := f.text("networkName", ""); name != "" { // its older form
		list = append(list, Network{Name: name, Labels: []Parameter{}, PortMappings: []PortMapping{}})
	}
	f.each("networkInfos", func(v *fields) {
		n := Network{Name: v.text("name", ""), Protocol: v.text("protocol", ""), Labels: v.pairs("labels"), PortMappings: []PortMapping{}}
		v.each("portMappings", func(p *fields) {
			n.PortMappings = append(n.PortMappings, PortMapping{
				HostPort:      strconv.FormatInt(p.integer("hostPort", 0), 10),
				ContainerPort: strconv.FormatInt(p.integer("containerPort", 0), 10), Protocol: p.text("protocol", ""),
			})
		})
		list = append(list, n)
	})
	return list
}

func (f *fields) volumes() []Volume {
	list := []Volume{}
	f.each("volumes", func(v *fields) {
		if external, ok := v.members["external"]; ok && json.Valid(external) {
			v.fail("external", "volumes of drivers are not supported; use hostPath")
		}
		list = append(list, Volume{HostPath: v.text("hostPath", ""), ContainerPath: v.text("containerPath", ""), Mode: strings.ToUpper(v.text("mode", "RW"))})
	})
	return list
}

// info is what an agent is told of c; nil for nil.
func (c *Container) info() *mesospb.ContainerInfo {
	if c == nil {
		return nil
	}
	out := &mesospb.ContainerInfo{Volumes: c.volumeInfos(), NetworkInfos: c.networkInfos()}
	if c.Type == "MESOS" {
		out.Type = mesospb.ContainerInfo_MESOS.Enum()
		out.Mesos = &mesospb.ContainerInfo_MesosInfo{Image: &mesospb.Image{
			Type: mesospb.Image_DOCKER.Enum(), Docker: &mesospb.Image_Docker{Name: new(c.Image)}, Cached: new(!c.ForcePullImage),
		}}
		return out
	}
	network := mesospb.ContainerInfo_DockerInfo_Network(mesospb.ContainerInfo_DockerInfo_Network_value[c.Network])
	out.Type = mesospb.ContainerInfo_DOCKER.Enum()
	out.Docker = &mesospb.ContainerInfo_DockerInfo{Image: new(c.Image), Network: &network, ForcePullImage: new(c.ForcePullImage)}
	for _, p := range c.Parameters {
		out.Docker.Parameters = append(out.Docker.Parameters, &mesospb.Parameter{Key: new(p.Key), Value: new(p.Value)})
	}
	return out
}

func (c *Container) volumeInfos() []*mesospb.Volume {
	var list []*mesospb.Volume
	for _, v := range c.Volumes {
		mode := mesospb.Volume_Mode(mesospb.Volume_Mode_value[v.Mode])
		list = append(list, &mesospb.Volume{HostPath: new(v.HostPath), ContainerPath: new(v.ContainerPath), Mode: &mode})
	}
	return list
}

func (c *Container) networkInfos() []*mesospb.NetworkInfo {
	var list []*mesospb.NetworkInfo
	for _, n := range c.NetworkInfos {
		info := &mesospb.NetworkInfo{Name: new(n.Name)}
		for _, l := range n.Labels {
			if info.Labels == nil {
				info.Labels = &mesospb.Labels{}
			}
			info.Labels.Labels = append(info.Labels.Labels, &mesospb.Label{Key: new(l.Key), Value: new(l.Value)})
		}
		list = append(list, info)
	}
	return list
}
