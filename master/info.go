package master

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/master/api"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// lookupTimeout bounds the search for the host name of an address.
const lookupTimeout = 2 * time.Second

// masterInfo describes this master as agents, schedulers and tools are told
// (mesos-api 7.1).
func masterInfo(ctx context.Context, cfg Config, bound net.Addr) (*mesospb.MasterInfo, error) {
	ip, port, err := advertised(cfg, bound)
	if err != nil {
		return nil, err
	}
	hostname := cfg.Hostname
	if hostname == "" {
		hostname = lookup(ctx, ip, cfg.HostnameLookup)
	}
	return &mesospb.MasterInfo{
		Id:       proto.String(newID()),
		Ip:       proto.Uint32(legacyIP(ip)),
		Port:     proto.Uint32(uint32(port)),
		Pid:      proto.String("master@" + netip.AddrPortFrom(ip, uint16(port)).String()),
		Hostname: proto.String(hostname),
		Version:  proto.String(api.MesosVersion),
		Address:  &mesospb.Address{Hostname: proto.String(hostname), Ip: proto.String(ip.String()), Port: proto.Int32(int32(port))},
		Domain:   cfg.Domain,
		// The last is QUOTA_V2, which Mesos 1.11 announces although v1 has no name for it.
		Capabilities: []*mesospb.MasterInfo_Capability{
			{Type: mesospb.MasterInfo_Capability_AGENT_UPDATE.Enum()}, {Type: mesospb.MasterInfo_Capability_AGENT_DRAINING.Enum()}, {},
		},
	}, nil
}

// advertised is where others reach this master: the flags' words, else what is
// listened on, else an address of this machine.
func advertised(cfg Config, bound net.Addr) (netip.Addr, int, error) {
	tcp, ok := bound.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, 0, fmt.Errorf("listener address %s is not TCP", bound)
	}
	ip, port := tcp.AddrPort().Addr().Unmap(), tcp.Port
	if cfg.AdvertiseIP != "" {
		var err error
		if ip, err = netip.ParseAddr(cfg.AdvertiseIP); err != nil {
			return netip.Addr{}, 0, fmt.Errorf("flag --advertise_ip: %w", err)
		}
	}
	if cfg.AdvertisePort != 0 {
		port = cfg.AdvertisePort
	}
	if ip.IsUnspecified() {
		ip = machineIP()
	}
	return ip, port, nil
}

// machineIP is the first IPv4 address of this machine that others may reach,
// else the loopback one.
func machineIP() netip.Addr {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		addrs = nil // as good as a machine without a network
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().Is4() && prefix.Addr().IsGlobalUnicast() {
			return prefix.Addr()
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// lookup is the host name of an address, or the address if it has none.
func lookup(ctx context.Context, ip netip.Addr, allowed bool) string {
	if !allowed {
		return ip.String()
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, ip.String())
	if err != nil || len(names) == 0 {
		return ip.String()
	}
	return strings.TrimSuffix(names[0], ".")
}

// legacyIP is the address as old clients read it: the four bytes of the network
// order, taken as a little-endian number; 0 for IPv6.
func legacyIP(ip netip.Addr) uint32 {
	if !ip.Is4() {
		return 0
	}
	b := ip.As4()
	return binary.LittleEndian.Uint32(b[:])
}

// encodeInfo is what a leader publishes about itself: JSON on one line with its
// keys sorted, as Mesos writes it.
func encodeInfo(info *mesospb.MasterInfo) ([]byte, error) {
	text, err := callevent.Marshal(callevent.JSON, info)
	if err != nil {
		return nil, err
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}
