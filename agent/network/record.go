package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A record is what a container may have. It is on disk before the first thing
// is made and until the last is gone, so that whatever a crash leaves is found.
type record struct {
	Spec
	Boot   string                `json:"boot"`   // of the machine: after a reboot nothing remains but the record
	Bridge map[string]netip.Addr `json:"bridge"` // by device: addresses taken on the built-in bridge
	Joined []Joined              `json:"joined"` // once all is done
}

func (r record) ports() []mapping {
	var list []mapping
	for n, i := range r.Interfaces {
		address, ok := r.Bridge[deviceName(n)]
		if !ok {
			continue
		}
		for _, p := range i.Ports {
			list = append(list, mapping{Port: p, to: address})
		}
	}
	return list
}

// A mapping is a port of the machine and where it leads to.
type mapping struct {
	Port
	to netip.Addr
}

func deviceName(n int) string { return fmt.Sprintf("eth%d", n) }

// records are those of one agent, in one folder.
type records string

func (d records) folder(id string) string { return filepath.Join(string(d), id) }

func (d records) file(id string) string { return filepath.Join(d.folder(id), "record.json") }

// save replaces the record of a container. What it describes dies with the
// machine, so that it need not survive a crash of the machine.
func (d records) save(r record) error {
	if err := os.MkdirAll(d.folder(r.ID), 0o755); err != nil {
		return err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	temporary := d.file(r.ID) + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, d.file(r.ID))
}

// load reads all records. One that cannot be read still has its id: what goes by
// that can be cleaned up.
func (d records) load() ([]record, error) {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []record
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		r := record{}
		data, err := os.ReadFile(d.file(e.Name()))
		if err != nil || json.Unmarshal(data, &r) != nil || r.ID != e.Name() {
			r = record{Spec: Spec{ID: e.Name()}}
		}
		list = append(list, r)
	}
	return list, err
}

func (d records) remove(id string) error { return os.RemoveAll(d.folder(id)) }

// subnet is the one that the bridge was given once; "" before.
func (d records) subnet() string { return filepath.Join(string(d), ".subnet") }

// pool hands out the addresses of a subnet in turn, so that one just freed is not
// taken again at once by somebody whom others mistake for its last owner.
type pool struct {
	subnet netip.Prefix
	taken  map[netip.Addr]bool
	last   netip.Addr
}

func newPool(subnet netip.Prefix, taken []netip.Addr) *pool {
	p := &pool{subnet: subnet.Masked(), taken: make(map[netip.Addr]bool)}
	p.last = p.gateway()
	for _, a := range taken {
		p.taken[a] = true
		if p.last.Less(a) {
			p.last = a
		}
	}
	return p
}

// gateway is the machine's own address in the subnet, the first.
func (p *pool) gateway() netip.Addr { return p.subnet.Addr().Next() }

func (p *pool) usable(a netip.Addr) bool {
	return p.subnet.Contains(a) && a != p.subnet.Addr() && a != p.gateway() && p.subnet.Contains(a.Next()) && !p.taken[a]
}

// take reserves want, or any address if want is the zero value.
func (p *pool) take(want netip.Addr) (netip.Addr, error) {
	if want.IsValid() {
		if !p.usable(want) {
			return netip.Addr{}, fmt.Errorf("address %v is not free in %v", want, p.subnet)
		}
		p.taken[want] = true
		return want, nil
	}
	size := 1 << (32 - p.subnet.Bits())
	a := p.last
	for range size {
		if a = a.Next(); !p.subnet.Contains(a) {
			a = p.subnet.Addr()
		}
		if p.usable(a) {
			p.taken[a], p.last = true, a
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("all addresses of %v are taken", p.subnet)
}

func (p *pool) free(a netip.Addr) { delete(p.taken, a) }

// chooseSubnet is the first of ours that meets none of used.
func chooseSubnet(ours, used []netip.Prefix) (netip.Prefix, error) {
	for _, p := range ours {
		if !slices.ContainsFunc(used, p.Overlaps) {
			return p, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("the machine uses addresses of all subnets that the bridge could have: name another with --network_bridge_subnet")
}
