package network

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// bridge is the built-in network once somebody uses it.
type bridge struct {
	device string
	index  int
	pool   *pool
	nat    *nat
}

// openBridge makes the bridge, or finds it, and brings the port mappings in line
// with the records.
func openBridge(cfg Bridge, dir records, known []record) (*bridge, error) {
	subnet, err := keepSubnet(cfg, dir)
	if err != nil {
		return nil, err
	}
	var taken []netip.Addr
	var ports []mapping
	for _, r := range known {
		for _, a := range r.Bridge {
			taken = append(taken, a)
		}
		ports = append(ports, r.ports()...)
	}
	b := &bridge{device: cfg.Device, pool: newPool(subnet, taken)}
	if err := b.up(); err != nil {
		return nil, fmt.Errorf("bridge %s: %w", cfg.Device, err)
	}
	if b.nat, err = openNAT(cfg.Device, subnet, ports); err != nil {
		return nil, fmt.Errorf("port mappings of bridge %s: %w", cfg.Device, err)
	}
	return b, nil
}

// keepSubnet chooses once, so that addresses stay right over restarts.
func keepSubnet(cfg Bridge, dir records) (netip.Prefix, error) {
	if cfg.Subnet.IsValid() {
		return cfg.Subnet.Masked(), nil
	}
	if data, err := os.ReadFile(dir.subnet()); err == nil {
		if p, err := netip.ParsePrefix(string(data)); err == nil && p.Addr().Is4() {
			return p, nil
		}
	}
	used, err := usedSubnets()
	if err != nil {
		return netip.Prefix{}, err
	}
	p, err := chooseSubnet(Subnets(), used)
	if err != nil {
		return p, err
	}
	if err := os.MkdirAll(string(dir), 0o755); err != nil {
		return p, err
	}
	return p, os.WriteFile(dir.subnet(), []byte(p.String()), 0o644)
}

// usedSubnets are those of the machine's addresses and routes.
func usedSubnets() ([]netip.Prefix, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var list []netip.Prefix
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		ones, _ := r.Dst.Mask.Size()
		if a, ok := netip.AddrFromSlice(r.Dst.IP); ok && ones > 0 {
			list = append(list, netip.PrefixFrom(a.Unmap(), ones))
		}
	}
	return list, nil
}

// up makes the link with the gateway's address and lets packets pass.
func (b *bridge) up() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = b.device
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	link, err := netlink.LinkByName(b.device)
	if err != nil {
		return err
	}
	if link.Type() != "bridge" {
		return fmt.Errorf("it is a link of kind %s: name another with --network_bridge", link.Type())
	}
	b.index = link.Attrs().Index
	address := &netlink.Addr{IPNet: ipNet(b.pool.gateway(), b.pool.subnet.Bits())}
	if err := netlink.AddrReplace(link, address); err != nil {
		return fmt.Errorf("address %v: %w", address, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	// Packets from 127.0.0.1 to a mapped port leave through the bridge.
	for _, setting := range []string{"ip_forward", "conf/" + b.device + "/route_localnet"} {
		if err := os.WriteFile(filepath.Join("/proc/sys/net/ipv4", setting), []byte("1"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// join puts a device with address into the namespace that file leads to.
func (b *bridge) join(file, id, device string, address netip.Addr, first bool) error {
	ns, err := os.Open(file)
	if err != nil {
		return err
	}
	defer ns.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = vethName(id, device), b.index
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: device, PeerNamespace: netlink.NsFd(int(ns.Fd()))}
	err = netlink.LinkAdd(pair)
	if errors.Is(err, unix.EEXIST) { // of a namespace that is about to go
		if err = netlink.LinkDel(pair); err == nil {
			err = netlink.LinkAdd(pair)
		}
	}
	if err != nil {
		return fmt.Errorf("create link %s: %w", attrs.Name, err)
	}
	outside, err := netlink.LinkByName(attrs.Name)
	if err != nil {
		return err
	}
	// Where bridged packets pass the firewall, one to a mapped port of its own
	// sender is turned round by the bridge itself.
	if err := netlink.LinkSetHairpin(outside, true); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(outside); err != nil {
		return err
	}
	inside, err := handleAt(ns)
	if err != nil {
		return err
	}
	defer inside.Close()
	return b.configure(inside, device, address, first)
}

func (b *bridge) configure(inside *netlink.Handle, device string, address netip.Addr, first bool) error {
	link, err := inside.LinkByName(device)
	if err != nil {
		return err
	}
	if err := inside.AddrAdd(link, &netlink.Addr{IPNet: ipNet(address, b.pool.subnet.Bits())}); err != nil {
		return fmt.Errorf("address %v: %w", address, err)
	}
	if err := inside.LinkSetUp(link); err != nil {
		return err
	}
	if !first {
		return nil
	}
	gateway := net.IP(b.pool.gateway().AsSlice())
	if err := inside.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: gateway}); err != nil {
		return fmt.Errorf("default route: %w", err)
	}
	return nil
}

// loopbackUp makes 127.0.0.1 work in the namespace that file leads to.
func loopbackUp(file string) error {
	ns, err := os.Open(file)
	if err != nil {
		return err
	}
	defer ns.Close()
	inside, err := handleAt(ns)
	if err != nil {
		return err
	}
	defer inside.Close()
	lo, err := inside.LinkByName("lo")
	if err != nil {
		return err
	}
	return inside.LinkSetUp(lo)
}

// vethName is the machine's end of a pair: at most 15 characters, one per
// container and device.
func vethName(id, device string) string {
	h := fnv.New64a()
	h.Write([]byte(id + "/" + device))
	return fmt.Sprintf("sk%012x", h.Sum64()>>16)
}

func ipNet(a netip.Addr, bits int) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, 32)}
}
