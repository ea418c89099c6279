package network

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containernetworking/cni/libcni"
	current "github.com/containernetworking/cni/pkg/types/100"
)

// pluginTimeout bounds one call of a chain of plugins.
const pluginTimeout = time.Minute

// plugins are the networks of the operator's files, read at each use so that a
// new file needs no restart.
type plugins struct {
	folder string
	client *libcni.CNIConfig
}

func newPlugins(cfg Config) *plugins {
	return &plugins{
		folder: cfg.CNIConfigDir,
		client: libcni.NewCNIConfigWithCacheDir(cfg.CNIPluginDirs, filepath.Join(cfg.Dir, ".cni"), nil),
	}
}

// list reads all files. One that is wrong makes its own network unknown and is
// told to whoever asks for one that is not there.
func (p *plugins) list() (networks []*libcni.NetworkConfigList, wrong []string, err error) {
	if p.folder == "" {
		return nil, nil, nil
	}
	files, err := libcni.ConfFiles(p.folder, []string{".conf", ".conflist", ".json"})
	if err != nil {
		return nil, nil, fmt.Errorf("--network_cni_config_dir: %w", err)
	}
	slices.Sort(files)
	for _, file := range files {
		l, err := readNetwork(file)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", filepath.Base(file), err))
			continue
		}
		networks = append(networks, l)
	}
	return networks, wrong, nil
}

func readNetwork(file string) (*libcni.NetworkConfigList, error) {
	if filepath.Ext(file) == ".conflist" {
		return libcni.ConfListFromFile(file)
	}
	single, err := libcni.ConfFromFile(file)
	if err != nil {
		return nil, err
	}
	return libcni.ConfListFromConf(single)
}

// find is the network called name.
func (p *plugins) find(name string) (*libcni.NetworkConfigList, error) {
	networks, wrong, err := p.list()
	if err != nil {
		return nil, err
	}
	var known []string
	for _, l := range networks {
		if l.Name == name {
			return l, nil
		}
		known = append(known, l.Name)
	}
	text := fmt.Sprintf("unknown network '%s'", name)
	if len(known) > 0 {
		text += "; this agent has " + strings.Join(known, ", ")
	}
	if len(wrong) > 0 {
		text += "; not readable: " + strings.Join(wrong, "; ")
	}
	return nil, fmt.Errorf("%s", text)
}

func runtimeConf(id, namespace, device string, i Interface) *libcni.RuntimeConf {
	rt := &libcni.RuntimeConf{ContainerID: id, NetNS: namespace, IfName: device, CapabilityArgs: make(map[string]any)}
	var ports []map[string]any
	for _, p := range i.Ports {
		ports = append(ports, map[string]any{"hostPort": p.Host, "containerPort": p.Container, "protocol": string(p.Protocol)})
	}
	if len(ports) > 0 {
		rt.CapabilityArgs["portMappings"] = ports
	}
	if i.Address.IsValid() {
		rt.CapabilityArgs["ips"] = []string{i.Address.String()}
	}
	return rt
}

// join runs ADD of a network's plugins.
func (p *plugins) join(ctx context.Context, id, namespace, device string, i Interface) (Joined, dns, error) {
	l, err := p.find(i.Network)
	if err != nil {
		return Joined{}, dns{}, err
	}
	if l, err = withInfo(l, i.Info); err != nil {
		return Joined{}, dns{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, pluginTimeout)
	defer cancel()
	raw, err := p.client.AddNetworkList(ctx, l, runtimeConf(id, namespace, device, i))
	if err != nil {
		return Joined{}, dns{}, fmt.Errorf("join network '%s': %w", i.Network, err)
	}
	result, err := current.NewResultFromResult(raw)
	if err != nil {
		return Joined{}, dns{}, fmt.Errorf("join network '%s': the plugin's answer: %w", i.Network, err)
	}
	j := Joined{Network: i.Network, Device: device}
	for _, ip := range result.IPs {
		if a, ok := netip.AddrFromSlice(ip.Address.IP); ok {
			j.Addresses = append(j.Addresses, a.Unmap())
		}
	}
	d := result.DNS
	return j, dns{servers: d.Nameservers, search: d.Search, options: d.Options, domain: d.Domain}, nil
}

// leave runs DEL with what ADD was told, also when the operator's file is gone.
func (p *plugins) leave(ctx context.Context, id, namespace, device string, i Interface) error {
	rt := runtimeConf(id, namespace, device, i)
	cached, rt2, err := p.client.GetNetworkListCachedConfig(&libcni.NetworkConfigList{Name: i.Network}, rt)
	if err != nil || cached == nil {
		return nil // ADD never came so far
	}
	l, err := libcni.ConfListFromBytes(cached)
	if err != nil {
		return fmt.Errorf("leave network '%s': %w", i.Network, err)
	}
	ctx, cancel := context.WithTimeout(ctx, pluginTimeout)
	defer cancel()
	if err := p.client.DelNetworkList(ctx, l, rt2); err != nil {
		return fmt.Errorf("leave network '%s': %w", i.Network, err)
	}
	return nil
}

// withInfo gives each plugin the task's NetworkInfo where Mesos puts it:
// args."org.apache.mesos".network_info (mesos-api 17.5).
func withInfo(l *libcni.NetworkConfigList, info json.RawMessage) (*libcni.NetworkConfigList, error) {
	if len(info) == 0 {
		return l, nil
	}
	var list map[string]any
	if err := json.Unmarshal(l.Bytes, &list); err != nil {
		return nil, err
	}
	chain, _ := list["plugins"].([]any)
	for _, one := range chain {
		plugin, ok := one.(map[string]any)
		if !ok {
			continue
		}
		args, ok := plugin["args"].(map[string]any)
		if !ok {
			args = make(map[string]any)
		}
		args["org.apache.mesos"] = map[string]any{"network_info": info}
		plugin["args"] = args
	}
	data, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	return libcni.ConfListFromBytes(data)
}
