package network

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// Config says what networks there are. DefaultBridge has the bridge's defaults.
type Config struct {
	Dir    string // folder for records; survives the agent, not needed after a reboot
	RunDir string // folder for namespaces and what containers see; on a file system of memory
	Bridge Bridge

	CNIConfigDir  string   // *.conf, *.conflist and *.json files, one network each; "": none
	CNIPluginDirs []string // where the plugins are

	DNS []string // name servers for containers; none: the machine's
	Log *zap.Logger
}

// Bridge is the built-in network.
type Bridge struct {
	Device string       // name of the link, at most 11 characters
	Names  []string     // what tasks may call the network
	Subnet netip.Prefix // IPv4, /28 or larger; the zero value: the first of Subnets that the machine does not use
}

// Subnets are where the bridge's addresses come from unless it is told.
func Subnets() []netip.Prefix {
	var list []netip.Prefix
	for third := 0; third < 256; third += 16 {
		list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 29, byte(third), 0}), 20))
	}
	return list
}

// A Spec is what a container asks for.
type Spec struct {
	ID         string      `json:"id"`
	Hostname   string      `json:"hostname"`   // "": the first 12 characters of the id
	Interfaces []Interface `json:"interfaces"` // eth0, eth1 …; none: only the loopback
}

// An Interface is one network to join.
type Interface struct {
	Network string          `json:"network"`
	Address netip.Addr      `json:"address,omitzero"` // asked for; the zero value: any
	Ports   []Port          `json:"ports,omitempty"`
	Info    json.RawMessage `json:"info,omitempty"` // NetworkInfo as JSON, passed on to CNI plugins
}

// A Port of the machine that leads to one of a container.
type Port struct {
	Host      uint16   `json:"host"`
	Container uint16   `json:"container"`
	Protocol  Protocol `json:"protocol"`
}

// A Protocol is TCP or UDP.
type Protocol string

// The protocols whose ports can be mapped.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// An Attachment is what a container got.
type Attachment struct {
	Namespace string // file to enter the network namespace by
	Name      string // that the container calls itself by
	Joined    []Joined
	// Files to show to the container at /etc/hosts, /etc/hostname and /etc/resolv.conf.
	Hosts, Hostname, Resolv string
}

// Joined is an interface that works.
type Joined struct {
	Network   string       `json:"network"`
	Device    string       `json:"device"`
	Addresses []netip.Addr `json:"addresses"`
}

// maxInterfaces bounds what one container may join.
const maxInterfaces = 16

// Check says what is wrong with s, or nil. It looks at s alone.
func (s Spec) Check() error {
	if s.ID == "" || strings.ContainsAny(s.ID, "/\x00") || strings.Trim(s.ID, ".") == "" {
		return fmt.Errorf("container id %q cannot name a file", s.ID)
	}
	if len(s.Interfaces) > maxInterfaces {
		return fmt.Errorf("%d networks: a container joins at most %d", len(s.Interfaces), maxInterfaces)
	}
	var taken []Port
	for _, i := range s.Interfaces {
		if i.Network == "" {
			return fmt.Errorf("a network without a name")
		}
		for _, p := range i.Ports {
			if err := p.check(); err != nil {
				return err
			}
			if slices.ContainsFunc(taken, p.collides) {
				return fmt.Errorf("host port %d (%s) is mapped twice", p.Host, p.Protocol)
			}
			taken = append(taken, p)
		}
	}
	return nil
}

func (p Port) check() error {
	switch {
	case p.Protocol != TCP && p.Protocol != UDP:
		return fmt.Errorf("port mapping of protocol %q: use tcp or udp", p.Protocol)
	case p.Host == 0:
		return fmt.Errorf("host port 0 cannot be mapped")
	case p.Container == 0:
		return fmt.Errorf("container port 0 cannot be mapped to")
	}
	return nil
}

func (p Port) collides(other Port) bool {
	return p.Host == other.Host && p.Protocol == other.Protocol
}
