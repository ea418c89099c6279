package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/network"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// dockerBridge is what the network mode BRIDGE of DOCKER containers is called here.
const dockerBridge = "bridge"

// openNetworks says what networks containers can join; nothing is made yet.
func openNetworks(cfg Config) (*network.Networks, error) {
	bridge := network.Bridge{Device: cfg.NetworkBridge, Names: []string{dockerBridge, cfg.NetworkBridgeName}, Subnet: cfg.NetworkBridgeSubnet}
	if bridge.Device == "" {
		bridge.Device = fmt.Sprintf("souk%07x", cfg.number()>>4) // agents on one machine have one each
	}
	return network.Open(network.Config{
		Dir:          filepath.Join(cfg.RuntimeDir, "networks"),
		RunDir:       fmt.Sprintf("/run/souk/networks-%08x", cfg.number()),
		Bridge:       bridge,
		CNIConfigDir: cfg.CNIConfigDir, CNIPluginDirs: cfg.CNIPluginDirs,
		DNS: cfg.DNS, Log: cfg.Log.Named("networks"),
	})
}

// ownNetwork says which networks a task's container asks for; ok is false when
// it shares the machine's (mesos-api 14.3, 17.5).
func ownNetwork(e core.Launch) (s network.Spec, ok bool, err error) {
	c := e.Container()
	s = network.Spec{ID: string(e.Run.Container), Hostname: c.GetHostname()}
	var joined []*mesospb.NetworkInfo
	if c != nil && c.GetType() == mesospb.ContainerInfo_DOCKER {
		joined, ok, err = dockerNetworks(c)
	} else {
		joined, ok, err = mesosNetworks(c)
	}
	for _, n := range joined {
		i, err := networkInterface(n)
		if err != nil {
			return s, false, err
		}
		s.Interfaces = append(s.Interfaces, i)
	}
	if err == nil {
		given := slices.Concat(e.Task.GetResources(), e.Executor.GetResources())
		for _, t := range e.Waiting {
			given = append(given, t.GetResources()...)
		}
		err = ownPorts(s, given)
	}
	return s, ok, err
}

func mesosNetworks(c *mesospb.ContainerInfo) (joined []*mesospb.NetworkInfo, ok bool, err error) {
	for _, n := range c.GetNetworkInfos() {
		switch {
		case n.GetName() != "":
			joined = append(joined, n)
		case len(n.GetPortMappings()) > 0:
			return nil, false, errors.New("'container.network_infos.port_mappings' need a network: set its 'name'")
		case len(n.GetIpAddresses()) > 0:
			return nil, false, errors.New("'container.network_infos.ip_addresses' need a network: set its 'name'")
		}
	}
	return joined, len(joined) > 0, nil
}

func dockerNetworks(c *mesospb.ContainerInfo) (joined []*mesospb.NetworkInfo, ok bool, err error) {
	d := c.GetDocker()
	mode := mesospb.ContainerInfo_DockerInfo_HOST
	if d.Network != nil {
		mode = d.GetNetwork()
	}
	if len(d.GetPortMappings()) > 0 && (mode == mesospb.ContainerInfo_DockerInfo_HOST || mode == mesospb.ContainerInfo_DockerInfo_NONE) {
		return nil, false, errors.New("Port mappings are only supported for bridge and user-defined networks") // Mesos' words
	}
	info := &mesospb.NetworkInfo{Name: new(dockerBridge)}
	switch mode {
	case mesospb.ContainerInfo_DockerInfo_HOST:
		if c.GetHostname() != "" {
			return nil, false, errors.New("Unable to set hostname with host network mode") // Mesos' words
		}
		return nil, false, nil
	case mesospb.ContainerInfo_DockerInfo_NONE:
		return nil, true, nil
	case mesospb.ContainerInfo_DockerInfo_USER:
		if len(c.GetNetworkInfos()) != 1 || c.GetNetworkInfos()[0].GetName() == "" {
			return nil, false, errors.New("network USER needs one entry in 'container.network_infos', with a 'name'")
		}
		info = c.GetNetworkInfos()[0]
	}
	info = proto.CloneOf(info)
	for _, m := range d.GetPortMappings() {
		info.PortMappings = append(info.PortMappings, &mesospb.NetworkInfo_PortMapping{
			HostPort: m.HostPort, ContainerPort: m.ContainerPort, Protocol: m.Protocol,
		})
	}
	return []*mesospb.NetworkInfo{info}, true, nil
}

func networkInterface(n *mesospb.NetworkInfo) (network.Interface, error) {
	i := network.Interface{Network: n.GetName()}
	for _, m := range n.GetPortMappings() {
		if m.GetHostPort() > 65535 || m.GetContainerPort() > 65535 {
			return i, fmt.Errorf("port mapping %d to %d: ports end at 65535", m.GetHostPort(), m.GetContainerPort())
		}
		protocol := network.Protocol(strings.ToLower(m.GetProtocol()))
		if protocol == "" {
			protocol = network.TCP
		}
		i.Ports = append(i.Ports, network.Port{Host: uint16(m.GetHostPort()), Container: uint16(m.GetContainerPort()), Protocol: protocol})
	}
	for _, a := range n.GetIpAddresses() {
		if a.GetIpAddress() == "" {
			continue
		}
		address, err := netip.ParseAddr(a.GetIpAddress())
		if err != nil {
			return i, fmt.Errorf("'container.network_infos.ip_addresses': %w", err)
		}
		i.Address = address
	}
	var err error
	i.Info, err = callevent.Marshal(callevent.JSON, n)
	return i, err
}

// ownPorts refuses to map a port of the machine that the container was not given.
func ownPorts(s network.Spec, given []*mesospb.Resource) error {
	list, err := resources.FromProto(given)
	if err != nil {
		return err
	}
	ports := list.RangesOf("ports")
	for _, i := range s.Interfaces {
		for _, p := range i.Ports {
			if !ports.Contains(resources.Ranges{{Begin: uint64(p.Host), End: uint64(p.Host)}}) {
				return fmt.Errorf("Port [%d] not included in resources", p.Host) // Mesos' words
			}
		}
	}
	return nil
}

// join gives the container of cfg its own network, if it asks for one.
func (b *boxes) join(ctx context.Context, e core.Launch, cfg *containerizer.Config) error {
	s, ok, err := ownNetwork(e)
	if err != nil {
		return err
	}
	if !ok {
		if a, ok := b.networks.Files(cfg.Parent); ok {
			showFiles(a, cfg) // it is in the network of what it is nested in
		}
		return nil
	}
	a, err := b.networks.Attach(ctx, s)
	if err != nil {
		return err
	}
	cfg.Network, cfg.Hostname = a.Namespace, a.Name
	showFiles(a, cfg)
	return nil
}

// showFiles shows a container the files by which it finds names in its network.
func showFiles(a network.Attachment, cfg *containerizer.Config) {
	for target, source := range map[string]string{"/etc/hosts": a.Hosts, "/etc/hostname": a.Hostname, "/etc/resolv.conf": a.Resolv} {
		if _, err := os.Stat(target); err == nil { // a place to mount it to
			cfg.Mounts = append(cfg.Mounts, containerizer.Mount{Kind: containerizer.Bind, Source: source, Target: target})
		}
	}
}

// networkInfos are the networks of a container as a task's status shows them;
// nil if it shares the machine's.
func (b *boxes) networkInfos(id string) []*mesospb.NetworkInfo {
	s, joined, ok := b.networks.Attached(id)
	if !ok {
		return nil
	}
	infos := make([]*mesospb.NetworkInfo, 0, len(joined))
	for n, j := range joined {
		info := &mesospb.NetworkInfo{}
		if callevent.Unmarshal(callevent.JSON, s.Interfaces[n].Info, info) != nil {
			info = &mesospb.NetworkInfo{Name: &j.Network}
		}
		info.IpAddresses = nil
		for _, a := range j.Addresses {
			protocol := mesospb.NetworkInfo_IPv4
			if a.Is6() {
				protocol = mesospb.NetworkInfo_IPv6
			}
			info.IpAddresses = append(info.IpAddresses, &mesospb.NetworkInfo_IPAddress{Protocol: &protocol, IpAddress: new(a.String())})
		}
		infos = append(infos, info)
	}
	return infos
}
