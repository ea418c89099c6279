package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.uber.org/zap"
)

// Networks are those of one agent.
type Networks struct {
	cfg     Config
	records records
	plugins *plugins

	mu     sync.Mutex // guards what follows, and the bridge's addresses and ports
	boot   string
	known  map[string]record
	bridge *bridge // nil until used
}

// Open reads what an earlier agent left. It changes nothing.
func Open(cfg Config) (*Networks, error) {
	n := &Networks{cfg: cfg, records: records(cfg.Dir), plugins: newPlugins(cfg), known: make(map[string]record)}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("open networks: %w", err)
	}
	n.boot = strings.TrimSpace(string(boot))
	list, err := n.records.load()
	if err != nil {
		return nil, fmt.Errorf("open networks: %w", err)
	}
	for _, r := range list {
		n.known[r.ID] = r
	}
	return n, nil
}

// Recover detaches every container that is not among alive.
func (n *Networks) Recover(ctx context.Context, alive []string) error {
	var errs []error
	for _, id := range n.ids() {
		if !slices.Contains(alive, id) {
			errs = append(errs, n.Detach(ctx, id))
		}
	}
	return errors.Join(errs...)
}

func (n *Networks) ids() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ids []string
	for id := range n.known {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Attach makes a container's namespace and joins it to its networks. The error
// is a sentence for the user who asked for them, and nothing remains then.
func (n *Networks) Attach(ctx context.Context, s Spec) (Attachment, error) {
	if err := s.Check(); err != nil {
		return Attachment{}, err
	}
	r, err := n.reserve(s)
	if err != nil {
		return Attachment{}, err
	}
	a, err := n.attach(ctx, r)
	if err == nil {
		return a, nil
	}
	if undo := n.Detach(context.WithoutCancel(ctx), s.ID); undo != nil {
		n.cfg.Log.Warn("network of a failed container remains", zap.String("container", s.ID), zap.Error(undo))
	}
	return Attachment{}, err
}

// reserve gives a container its addresses and ports, and writes that down.
func (n *Networks) reserve(s Spec) (record, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.known[s.ID]; ok {
		return record{}, fmt.Errorf("container %s has a network already", s.ID)
	}
	r := record{Spec: s, Boot: n.boot, Bridge: make(map[string]netip.Addr)}
	if err := n.reserveAddresses(&r); err != nil {
		n.release(r)
		return r, err
	}
	if err := n.records.save(r); err != nil {
		n.release(r)
		return r, fmt.Errorf("record the network: %w", err)
	}
	n.known[s.ID] = r
	return r, nil
}

func (n *Networks) reserveAddresses(r *record) error {
	for i, wanted := range r.Interfaces {
		if !n.builtIn(wanted.Network) {
			continue
		}
		if err := n.useBridge(); err != nil {
			return err
		}
		a, err := n.bridge.pool.take(wanted.Address)
		if err != nil {
			return fmt.Errorf("network '%s': %w", wanted.Network, err)
		}
		r.Bridge[deviceName(i)] = a
	}
	for _, m := range r.ports() {
		if err := n.freePort(m.Port); err != nil {
			return err
		}
	}
	return nil
}

func (n *Networks) builtIn(name string) bool { return slices.Contains(n.cfg.Bridge.Names, name) }

func (n *Networks) useBridge() (err error) {
	if n.bridge != nil {
		return nil
	}
	var living []record
	for _, r := range n.known {
		if r.Boot == n.boot {
			living = append(living, r)
		}
	}
	n.bridge, err = openBridge(n.cfg.Bridge, n.records, living)
	return err
}

// freePort refuses a port of the machine that somebody uses.
func (n *Networks) freePort(p Port) error {
	for id, r := range n.known {
		for _, m := range r.ports() {
			if m.collides(p) {
				return fmt.Errorf("host port %d (%s) is mapped to container %s already", p.Host, p.Protocol, id)
			}
		}
	}
	address := ":" + strconv.Itoa(int(p.Host))
	if p.Protocol == UDP {
		c, err := net.ListenPacket("udp4", address)
		if err != nil {
			return fmt.Errorf("host port %d (udp) is taken by another program of this machine: %w", p.Host, err)
		}
		return c.Close()
	}
	l, err := net.Listen("tcp4", address)
	if err != nil {
		return fmt.Errorf("host port %d (tcp) is taken by another program of this machine: %w", p.Host, err)
	}
	return l.Close()
}

// release gives addresses back.
func (n *Networks) release(r record) {
	if n.bridge == nil {
		return
	}
	for _, a := range r.Bridge {
		n.bridge.pool.free(a)
	}
}

// place is the folder of what a container sees or enters.
func (n *Networks) place(id string) string { return filepath.Join(n.cfg.RunDir, id) }

func (n *Networks) namespace(id string) string { return filepath.Join(n.place(id), "ns") }

func (n *Networks) attach(ctx context.Context, r record) (Attachment, error) {
	a := Attachment{Namespace: n.namespace(r.ID), Name: r.hostname()}
	if err := os.MkdirAll(n.place(r.ID), 0o711); err != nil {
		return a, err
	}
	if err := makeNamespace(a.Namespace); err != nil {
		return a, err
	}
	if err := loopbackUp(a.Namespace); err != nil {
		return a, fmt.Errorf("bring up the loopback: %w", err)
	}
	var names dns
	for i, wanted := range r.Interfaces {
		j, d, err := n.join(ctx, r, i, wanted, a.Namespace)
		if err != nil {
			return a, err
		}
		a.Joined = append(a.Joined, j)
		if len(names.servers) == 0 {
			names = d
		}
	}
	if err := n.mapPorts(r); err != nil {
		return a, err
	}
	if err := writeFiles(n.place(r.ID), r.Spec, &a, names, n.cfg.DNS); err != nil {
		return a, err
	}
	return a, n.finish(r, a)
}

// finish records what a container got, for the next agent.
func (n *Networks) finish(r record, a Attachment) error {
	r.Joined = a.Joined
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[r.ID] = r
	return n.records.save(r)
}

// Files says where the files are that a container with networks is shown, in an
// Attachment without anything else.
func (n *Networks) Files(id string) (a Attachment, ok bool) {
	if _, _, ok = n.Attached(id); ok {
		a.place(n.place(id))
	}
	return a, ok
}

// Attached says what a container asked for and got, once that is done.
func (n *Networks) Attached(id string) (s Spec, joined []Joined, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r, ok := n.known[id]
	return r.Spec, r.Joined, ok && len(r.Joined) == len(r.Interfaces)
}

func (n *Networks) join(ctx context.Context, r record, i int, wanted Interface, namespace string) (Joined, dns, error) {
	device := deviceName(i)
	address, ok := r.Bridge[device]
	if !ok {
		return n.plugins.join(ctx, r.ID, namespace, device, wanted)
	}
	if err := n.bridge.join(namespace, r.ID, device, address, i == 0); err != nil {
		return Joined{}, dns{}, fmt.Errorf("join network '%s': %w", wanted.Network, err)
	}
	return Joined{Network: wanted.Network, Device: device, Addresses: []netip.Addr{address}}, dns{}, nil
}

func (n *Networks) mapPorts(r record) error {
	ports := r.ports()
	if len(ports) == 0 {
		return nil
	}
	if err := n.bridge.nat.add(ports); err != nil {
		return fmt.Errorf("map ports: %w", err)
	}
	return nil
}

// Detach undoes Attach, however far it came. Of one that was never attached: nil.
func (n *Networks) Detach(ctx context.Context, id string) error {
	n.mu.Lock()
	r, ok := n.known[id]
	n.mu.Unlock()
	if !ok {
		return nil
	}
	if err := n.detach(ctx, r); err != nil {
		return fmt.Errorf("detach container %s from its networks: %w", id, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.release(r)
	delete(n.known, id)
	return nil
}

func (n *Networks) detach(ctx context.Context, r record) error {
	if err := n.unmapPorts(r); err != nil {
		return err
	}
	namespace := n.namespace(r.ID)
	for i, joined := range r.Interfaces {
		if _, ok := r.Bridge[deviceName(i)]; ok {
			continue // the pair goes with the namespace
		}
		if err := n.plugins.leave(ctx, r.ID, namespace, deviceName(i), joined); err != nil {
			return err
		}
	}
	if err := dropNamespace(namespace); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(n.place(r.ID)); err != nil {
		return err
	}
	return n.records.remove(r.ID)
}

// unmapPorts also opens the bridge of an earlier agent: its mappings may still
// be there.
func (n *Networks) unmapPorts(r record) error {
	ports := r.ports()
	if len(ports) == 0 || r.Boot != n.boot {
		return nil
	}
	n.mu.Lock()
	err := n.useBridge()
	n.mu.Unlock()
	if err != nil {
		return err
	}
	return n.bridge.nat.remove(ports)
}
