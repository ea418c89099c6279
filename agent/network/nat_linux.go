package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// nat is an nftables table of ours alone: who connects to a mapped port of the
// machine reaches the container, and containers reach the world under the
// machine's address. Mappings are elements of two sets, so that a thousand cost a
// packet no more than one.
//
//	prerouting, output   daddr is local → dnat to tcp/udp map[dport]
//	postrouting          from the subnet to elsewhere, from 127.0.0.0/8 into the
//	                     bridge, from the subnet to a mapped port of its own → masquerade
type nat struct {
	mu    sync.Mutex
	table *nftables.Table
	maps  map[Protocol]*nftables.Set
}

// Registers: a looked-up pair of address and port lies in the first two words.
const (
	reg1     = 1 // NFT_REG_1, 16 bytes
	regPort  = 9 // NFT_REG32_01, its second word
	isLocal  = unix.RTN_LOCAL
	ctDNATed = 1 << 5 // IPS_DST_NAT
)

// openNAT makes the table anew in one transaction: whatever an earlier agent
// left in it is gone, and what ports says is there.
func openNAT(device string, subnet netip.Prefix, ports []mapping) (*nat, error) {
	c, err := nftables.New()
	if err != nil {
		return nil, err
	}
	table := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "souk-" + device}
	c.AddTable(table) // so that there is one to delete
	c.DelTable(table)
	n := &nat{table: c.AddTable(table), maps: make(map[Protocol]*nftables.Set)}
	for _, p := range []Protocol{TCP, UDP} {
		n.maps[p] = &nftables.Set{
			Table: table, Name: string(p), IsMap: true, KeyType: nftables.TypeInetService,
			DataType: nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService),
		}
		if err := c.AddSet(n.maps[p], elements(ports, p)); err != nil {
			return nil, err
		}
	}
	n.rules(c, device, subnet)
	if err := c.Flush(); err != nil {
		return nil, fmt.Errorf("nftables: %w", err)
	}
	return n, nil
}

func (n *nat) rules(c *nftables.Conn, device string, subnet netip.Prefix) {
	for name, hook := range map[string]*nftables.ChainHook{"prerouting": nftables.ChainHookPrerouting, "output": nftables.ChainHookOutput} {
		chain := c.AddChain(&nftables.Chain{Table: n.table, Name: name, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: nftables.ChainPriorityNATDest})
		for _, p := range []Protocol{TCP, UDP} {
			c.AddRule(&nftables.Rule{Table: n.table, Chain: chain, Exprs: toContainer(n.maps[p], p)})
		}
	}
	post := c.AddChain(&nftables.Chain{
		Table: n.table, Name: "postrouting", Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	local := netip.MustParsePrefix("127.0.0.0/8")
	for _, exprs := range [][]expr.Any{
		concat(source(subnet), outward(device, expr.CmpOpNeq)),
		concat(source(local), outward(device, expr.CmpOpEq)),
		concat(source(subnet), outward(device, expr.CmpOpEq), redirected()),
	} {
		c.AddRule(&nftables.Rule{Table: n.table, Chain: post, Exprs: append(exprs, &expr.Masq{})})
	}
}

func concat(parts ...[]expr.Any) []expr.Any {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// toContainer: fib daddr type local, protocol p, dnat to map[dport].
func toContainer(m *nftables.Set, p Protocol) []expr.Any {
	number := byte(unix.IPPROTO_TCP)
	if p == UDP {
		number = unix.IPPROTO_UDP
	}
	return []expr.Any{
		&expr.Fib{Register: reg1, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: binaryutil.NativeEndian.PutUint32(isLocal)},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: []byte{number}},
		&expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, // destination port
		&expr.Lookup{SourceRegister: reg1, DestRegister: reg1, IsDestRegSet: true, SetName: m.Name, SetID: m.ID},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg1, RegProtoMin: regPort, Specified: true},
	}
}

// source: ip saddr within p.
func source(p netip.Prefix) []expr.Any {
	mask := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-p.Bits()))
	return []expr.Any{
		&expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4},
		&expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: p.Masked().Addr().AsSlice()},
	}
}

// outward: the packet leaves through device, or does not.
func outward(device string, op expr.CmpOp) []expr.Any {
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, device)
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: reg1},
		&expr.Cmp{Op: op, Register: reg1, Data: name},
	}
}

// redirected: the connection went to a mapped port.
func redirected() []expr.Any {
	bit := binaryutil.NativeEndian.PutUint32(ctDNATed)
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATUS, Register: reg1},
		&expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: 4, Mask: bit, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg1, Data: make([]byte, 4)},
	}
}

// elements are what a map holds for ports of protocol p. Each part of a pair
// takes a word.
func elements(ports []mapping, p Protocol) []nftables.SetElement {
	var list []nftables.SetElement
	for _, m := range ports {
		if m.Protocol != p {
			continue
		}
		to := append(m.to.AsSlice(), binary.BigEndian.AppendUint16(nil, m.Container)...)
		list = append(list, nftables.SetElement{Key: binary.BigEndian.AppendUint16(nil, m.Host), Val: append(to, 0, 0)})
	}
	return list
}

func (n *nat) add(ports []mapping) error {
	return n.change(ports, (*nftables.Conn).SetAddElements)
}

// remove ends mappings. Those that are not there are no error.
func (n *nat) remove(ports []mapping) error {
	for _, m := range ports { // one at a time: one that is missing fails all of its transaction
		if err := n.change([]mapping{m}, (*nftables.Conn).SetDeleteElements); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

func (n *nat) change(ports []mapping, apply func(*nftables.Conn, *nftables.Set, []nftables.SetElement) error) error {
	if len(ports) == 0 {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	c, err := nftables.New()
	if err != nil {
		return err
	}
	for _, p := range []Protocol{TCP, UDP} {
		if list := elements(ports, p); len(list) > 0 {
			if err := apply(c, n.maps[p], list); err != nil {
				return err
			}
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	return nil
}
