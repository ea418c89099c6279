package network

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// inside marks the copy of the test program that runs in namespaces of its own,
// so that a mistake cannot reach the machine's network.
const inside = "SOUK_NETWORK_TEST_INSIDE"

func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" || os.Geteuid() != 0 {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS}
	if err := cmd.Run(); err != nil {
		os.Exit(1)
	}
}

func testConfig(t *testing.T) Config {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("making networks needs root")
	}
	if err := loopbackUp("/proc/self/ns/net"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { // links of an earlier test
		left, err := linkNames("sk")
		must(t, err)
		return cmp.Diff([]string(nil), left)
	})
	return Config{
		Dir: t.TempDir(), RunDir: filepath.Join(t.TempDir(), "ns"), Log: zap.NewNop(),
		Bridge: Bridge{Device: "soukt0", Names: []string{"souk", "mesos-bridge"}},
	}
}

func open(t *testing.T, cfg Config) *Networks {
	t.Helper()
	n, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Recover(context.Background(), nil); err != nil {
			t.Error(err)
		}
	})
	return n
}

func attach(t *testing.T, n *Networks, s Spec) Attachment {
	t.Helper()
	a, err := n.Attach(t.Context(), s)
	if err != nil {
		t.Fatalf("Attach(%+v) = %v", s, err)
	}
	return a
}

// within runs f on a thread inside the namespace that file leads to.
func within[T any](t *testing.T, file string, f func() (T, error)) T {
	t.Helper()
	var value T
	err := onLostThread(func() error {
		ns, err := netns.GetFromPath(file)
		if err != nil {
			return err
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			return err
		}
		value, err = f()
		return err
	})
	if err != nil {
		t.Errorf("within %s: %v", file, err)
	}
	return value
}

// serve answers each connection to address inside a namespace with the peer's address.
func serve(t *testing.T, file, address string) (stop func() error) {
	t.Helper()
	l := within(t, file, func() (net.Listener, error) { return net.Listen("tcp4", address) })
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
			io.WriteString(c, host)
			c.Close()
		}
	}()
	return l.Close
}

// ask connects to address from within a namespace and returns what it is told.
func ask(t *testing.T, file, address string) string {
	t.Helper()
	return within(t, file, func() (string, error) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return "", err
		}
		defer unix.Close(fd)
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 5})
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})
		to := netip.MustParseAddrPort(address)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
			return "", fmt.Errorf("connect to %s: %w", address, err)
		}
		buffer := make([]byte, 100)
		size, err := unix.Read(fd, buffer)
		return string(buffer[:max(size, 0)]), err
	})
}

const machine = "/proc/self/ns/net"

// outside makes another machine at 198.51.100.2, ours being 198.51.100.1.
func outside(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "outside")
	if err := makeNamespace(file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dropNamespace(file) })
	if err := loopbackUp(file); err != nil {
		t.Fatal(err)
	}
	ns, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "world0"
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(ns.Fd()))}))
	link, err := netlink.LinkByName("world0")
	must(t, err)
	must(t, netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(netip.MustParseAddr("198.51.100.1"), 24)}))
	must(t, netlink.LinkSetUp(link))
	h, err := handleAt(ns)
	must(t, err)
	defer h.Close()
	peer, err := h.LinkByName("eth0")
	must(t, err)
	must(t, h.AddrAdd(peer, &netlink.Addr{IPNet: ipNet(netip.MustParseAddr("198.51.100.2"), 24)}))
	must(t, h.LinkSetUp(peer))
	return file
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestBridgeConnectsEveryoneToEveryone(t *testing.T) {
	n := open(t, testConfig(t))
	world := outside(t)
	a := attach(t, n, Spec{ID: "a", Interfaces: []Interface{{Network: "souk", Ports: []Port{{Host: 31000, Container: 80, Protocol: TCP}}}}})
	b := attach(t, n, Spec{ID: "b", Interfaces: []Interface{{Network: "mesos-bridge"}}})
	addressA, addressB := a.Joined[0].Addresses[0].String(), b.Joined[0].Addresses[0].String()
	gateway := n.bridge.pool.gateway().String()
	serve(t, a.Namespace, "0.0.0.0:80")
	serve(t, world, "0.0.0.0:80")
	for _, tt := range []struct {
		name, from, to string
		sees           string // whom the server takes the caller for
	}{
		{"container to container", b.Namespace, addressA + ":80", addressB},
		{"container to itself", a.Namespace, addressA + ":80", addressA},
		{"container to its own loopback", a.Namespace, "127.0.0.1:80", "127.0.0.1"},
		{"machine to container", machine, addressA + ":80", gateway},
		{"machine to mapped port by loopback", machine, "127.0.0.1:31000", gateway},
		{"machine to mapped port by address", machine, "198.51.100.1:31000", "198.51.100.1"},
		{"container to mapped port of another", b.Namespace, "198.51.100.1:31000", gateway},
		{"container to its own mapped port", a.Namespace, "198.51.100.1:31000", gateway},
		{"world to mapped port", world, "198.51.100.1:31000", "198.51.100.2"},
		{"container to the world", b.Namespace, "198.51.100.2:80", "198.51.100.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if sees := ask(t, tt.from, tt.to); sees != tt.sees {
				t.Errorf("the server saw %q, want %q", sees, tt.sees)
			}
		})
	}
}

func TestDetachLeavesNothing(t *testing.T) {
	n := open(t, testConfig(t))
	before := inventory(t, n)
	for range 3 {
		attach(t, n, Spec{ID: "a", Interfaces: []Interface{
			{Network: "souk", Ports: []Port{{31000, 80, TCP}, {31000, 80, UDP}}}, {Network: "souk"},
		}})
		must(t, n.Detach(t.Context(), "a"))
		must(t, n.Detach(t.Context(), "a")) // again is no error
	}
	eventually(t, func() string { return cmp.Diff(before, inventory(t, n)) })
}

func linkNames(prefix string) (names []string, err error) {
	links, err := netlink.LinkList()
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, prefix) {
			names = append(names, l.Attrs().Name)
		}
	}
	return names, err
}

// inventory is everything that containers may leave: links, mapped ports, files.
func inventory(t *testing.T, n *Networks) []string {
	t.Helper()
	list, err := linkNames("sk")
	must(t, err)
	if n.bridge != nil {
		c, err := nftables.New()
		must(t, err)
		for p, m := range n.bridge.nat.maps {
			elements, err := c.GetSetElements(m)
			must(t, err)
			for _, e := range elements {
				list = append(list, fmt.Sprintf("map %s %x → %x", p, e.Key, e.Val))
			}
		}
		for a := range n.bridge.pool.taken {
			list = append(list, "address "+a.String())
		}
	}
	for _, dir := range []string{n.cfg.Dir, n.cfg.RunDir} {
		entries, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				list = append(list, "file "+e.Name())
			}
		}
	}
	return list
}

// eventually waits for diff to return "": links go some time after their namespace.
func eventually(t *testing.T, diff func() string) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if last = diff(); last == "" {
			return
		}
	}
	t.Errorf("after ten seconds (-want +got):\n%s", last)
}

func TestRestartKeepsWhatLivesAndDropsTheRest(t *testing.T) {
	cfg := testConfig(t)
	first := open(t, cfg)
	before := inventory(t, first)
	port := []Port{{31001, 80, TCP}}
	a := attach(t, first, Spec{ID: "lives", Interfaces: []Interface{{Network: "souk", Ports: port}}})
	attach(t, first, Spec{ID: "died", Interfaces: []Interface{{Network: "souk", Ports: []Port{{31002, 80, TCP}}}}})
	stop := serve(t, a.Namespace, "0.0.0.0:80")

	second := open(t, cfg)
	must(t, second.Recover(t.Context(), []string{"lives"}))
	if sees := ask(t, machine, "127.0.0.1:31001"); sees == "" {
		t.Error("the port of the container that lives leads nowhere after a restart")
	}
	if _, err := second.Attach(t.Context(), Spec{ID: "late", Interfaces: []Interface{{Network: "souk", Ports: port}}}); err == nil ||
		!strings.Contains(err.Error(), "host port 31001 (tcp) is mapped to container lives already") {
		t.Errorf("a port taken before the restart was given again: %v", err)
	}
	if spec, joined, ok := second.Attached("lives"); !ok || spec.Interfaces[0].Network != "souk" ||
		joined[0].Addresses[0] != a.Joined[0].Addresses[0] {
		t.Errorf("Attached after a restart = %+v, %+v, %v; want %+v", spec, joined, ok, a.Joined)
	}
	b := attach(t, second, Spec{ID: "next", Interfaces: []Interface{{Network: "souk"}}})
	if cmp.Equal(a.Joined[0].Addresses, b.Joined[0].Addresses, cmp.Comparer(func(x, y netip.Addr) bool { return x == y })) {
		t.Errorf("both containers have %v", b.Joined[0].Addresses)
	}
	must(t, stop()) // a socket would keep the namespace
	must(t, second.Recover(t.Context(), nil))
	eventually(t, func() string { return cmp.Diff(before, inventory(t, second)) })
}

// TestCrashWhileAttaching stops after the record and after each thing made.
func TestCrashWhileAttaching(t *testing.T) {
	cfg := testConfig(t)
	n := open(t, cfg)
	before := inventory(t, n)
	s := Spec{ID: "a", Interfaces: []Interface{{Network: "souk", Ports: []Port{{31000, 80, TCP}}}}}
	steps := []func(r record) error{
		func(r record) error { return os.MkdirAll(n.place(r.ID), 0o711) },
		func(r record) error { return makeNamespace(n.namespace("a")) },
		func(r record) error {
			return n.bridge.join(n.namespace("a"), "a", "eth0", r.Bridge["eth0"], true)
		},
		n.mapPorts,
	}
	for made := range len(steps) + 1 {
		r, err := n.reserve(s)
		must(t, err)
		for _, step := range steps[:made] {
			must(t, step(r))
		}
		n = open(t, cfg)
		must(t, n.Recover(t.Context(), nil))
		eventually(t, func() string { return cmp.Diff(before, inventory(t, n)) })
		if _, err := n.reserve(s); err != nil { // opens the bridge for the next round
			t.Fatal(err)
		}
		must(t, n.Detach(t.Context(), "a"))
	}
}

func TestBadRequests(t *testing.T) {
	cfg := testConfig(t)
	n := open(t, cfg)
	l, err := net.Listen("tcp4", ":0")
	must(t, err)
	defer l.Close()
	busy := uint16(l.Addr().(*net.TCPAddr).Port)
	before := inventory(t, n)
	for _, tt := range []struct {
		name, want string
		spec       Spec
	}{
		{"no id", "cannot name a file", Spec{}},
		{"a path for an id", "cannot name a file", Spec{ID: "../x"}},
		{"an unknown network", "unknown network 'nowhere'", Spec{ID: "x", Interfaces: []Interface{{Network: "nowhere"}}}},
		{"a network without a name", "without a name", Spec{ID: "x", Interfaces: []Interface{{}}}},
		{"a foreign address", "address 10.1.2.3 is not free in ", Spec{ID: "x", Interfaces: []Interface{{Network: "souk", Address: netip.MustParseAddr("10.1.2.3")}}}},
		{"a busy port", "taken by another program", Spec{ID: "x", Interfaces: []Interface{{Network: "souk", Ports: []Port{{busy, 80, TCP}}}}}},
		{"a port twice", "mapped twice", Spec{ID: "x", Interfaces: []Interface{{Network: "souk", Ports: []Port{{1000, 80, TCP}, {1000, 81, TCP}}}}}},
		{"port 0", "host port 0 cannot", Spec{ID: "x", Interfaces: []Interface{{Network: "souk", Ports: []Port{{0, 80, TCP}}}}}},
		{"an odd protocol", `protocol "sctp"`, Spec{ID: "x", Interfaces: []Interface{{Network: "souk", Ports: []Port{{1000, 80, "sctp"}}}}}},
		{"too many", "at most 16", Spec{ID: "x", Interfaces: make([]Interface, 17)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := n.Attach(t.Context(), tt.spec); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Attach = %v, want an error with %q", err, tt.want)
			}
		})
	}
	eventually(t, func() string { return cmp.Diff(before, inventory(t, n)) })
}

func TestFilesName(t *testing.T) {
	cfg := testConfig(t)
	cfg.DNS = []string{"192.0.2.53"}
	n := open(t, cfg)
	a := attach(t, n, Spec{ID: "a", Hostname: "web", Interfaces: []Interface{{Network: "souk"}}})
	if a.Name != "web" {
		t.Errorf("Name = %q, want web", a.Name)
	}
	for file, want := range map[string]string{
		a.Hosts: a.Joined[0].Addresses[0].String() + " web\n", a.Hostname: "web\n", a.Resolv: "nameserver 192.0.2.53\n",
	} {
		data, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s = %q, %v; want %q in it", filepath.Base(file), data, err, want)
		}
	}
}

func TestNoNetworkButLoopback(t *testing.T) {
	n := open(t, testConfig(t))
	a := attach(t, n, Spec{ID: "a"})
	names := within(t, a.Namespace, func() ([]string, error) {
		list, err := net.Interfaces()
		var names []string
		for _, i := range list {
			names = append(names, fmt.Sprint(i.Name, " ", i.Flags&net.FlagUp != 0))
		}
		return names, err
	})
	if diff := cmp.Diff([]string{"lo true"}, names); diff != "" {
		t.Errorf("interfaces (-want +got):\n%s", diff)
	}
	if n.bridge != nil {
		t.Error("a bridge was made although nobody asked for one")
	}
}

const debianPlugins = "/usr/lib/cni"

func cniConfig(t *testing.T, files map[string]string, plugins ...string) Config {
	cfg := testConfig(t)
	cfg.CNIConfigDir, cfg.CNIPluginDirs = t.TempDir(), plugins
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(cfg.CNIConfigDir, name), []byte(text), 0o644))
	}
	return cfg
}

func TestRealPlugins(t *testing.T) {
	if _, err := os.Stat(filepath.Join(debianPlugins, "bridge")); err != nil {
		t.Skip("the CNI plugins are not installed (package containernetworking-plugins)")
	}
	leases := t.TempDir()
	cfg := cniConfig(t, map[string]string{"blue.conf": fmt.Sprintf(`{"cniVersion": "0.4.0", "name": "blue", "type": "bridge",
		"bridge": "soukt1", "isGateway": true, "ipam": {"type": "host-local", "subnet": "10.99.0.0/24", "dataDir": %q}}`, leases)}, debianPlugins)
	n := open(t, cfg)
	a := attach(t, n, Spec{ID: "a", Interfaces: []Interface{{Network: "souk"}, {Network: "blue"}}})
	b := attach(t, n, Spec{ID: "b", Interfaces: []Interface{{Network: "blue"}}})
	serve(t, a.Namespace, "0.0.0.0:80")
	if sees := ask(t, b.Namespace, a.Joined[1].Addresses[0].String()+":80"); sees != b.Joined[0].Addresses[0].String() {
		t.Errorf("b was taken for %q, its address is %v", sees, b.Joined[0].Addresses)
	}
	must(t, os.Remove(filepath.Join(cfg.CNIConfigDir, "blue.conf"))) // DEL must not need it
	n = open(t, cfg)
	must(t, n.Recover(t.Context(), nil))
	left, err := filepath.Glob(filepath.Join(leases, "blue", "10.*"))
	if err != nil || len(left) > 0 {
		t.Errorf("leases remain: %v %v", left, err)
	}
}

// spy is a plugin that writes down what it was told.
const spy = `#!/bin/sh
cat > "$(dirname "$0")/$CNI_COMMAND.json"
[ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "192.0.2.7/24"}], "dns": {"nameservers": ["192.0.2.1"], "search": ["example.org"]}}'
exit 0
`

func TestPluginsGetTheNetworkInfo(t *testing.T) {
	bin := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "spy"), []byte(spy), 0o755))
	cfg := cniConfig(t, map[string]string{
		"red.conflist": `{"cniVersion": "0.4.0", "name": "red", "plugins": [{"type": "spy", "capabilities": {"portMappings": true}}]}`,
		"bad.conf":     `{`,
	}, bin)
	n := open(t, cfg)
	a := attach(t, n, Spec{ID: "a", Interfaces: []Interface{{
		Network: "red", Ports: []Port{{31000, 80, TCP}}, Info: json.RawMessage(`{"name":"red","labels":{}}`),
	}}})
	if got := a.Joined[0].Addresses; len(got) != 1 || got[0].String() != "192.0.2.7" {
		t.Errorf("addresses = %v", got)
	}
	data, err := os.ReadFile(filepath.Join(bin, "ADD.json"))
	must(t, err)
	var told struct {
		Args          map[string]any
		RuntimeConfig map[string]any
	}
	must(t, json.Unmarshal(data, &told))
	want := map[string]any{"org.apache.mesos": map[string]any{"network_info": map[string]any{"name": "red", "labels": map[string]any{}}}}
	if diff := cmp.Diff(want, told.Args); diff != "" {
		t.Errorf("args (-want +got):\n%s", diff)
	}
	ports := map[string]any{"portMappings": []any{map[string]any{"hostPort": 31000., "containerPort": 80., "protocol": "tcp"}}}
	if diff := cmp.Diff(ports, told.RuntimeConfig); diff != "" {
		t.Errorf("runtimeConfig (-want +got):\n%s", diff)
	}
	if data, _ := os.ReadFile(a.Resolv); string(data) != "search example.org\nnameserver 192.0.2.1\n" {
		t.Errorf("resolv.conf = %q", data)
	}
	must(t, n.Detach(t.Context(), "a"))
	if _, err := os.Stat(filepath.Join(bin, "DEL.json")); err != nil {
		t.Error("DEL was not run:", err)
	}
	if _, err := n.Attach(t.Context(), Spec{ID: "b", Interfaces: []Interface{{Network: "green"}}}); err == nil ||
		!strings.Contains(err.Error(), "unknown network 'green'; this agent has red; not readable: bad.conf") {
		t.Errorf("Attach to an unknown network = %v", err)
	}
}

func BenchmarkAttach(b *testing.B) {
	if os.Getenv(inside) == "" {
		b.Skip("making networks needs root")
	}
	n, err := Open(Config{Dir: b.TempDir(), RunDir: filepath.Join(b.TempDir(), "ns"), Log: zap.NewNop(), Bridge: Bridge{Device: "soukt0", Names: []string{"souk"}}})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Recover(context.Background(), nil)
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprint("bench", i)
		if _, err := n.Attach(b.Context(), Spec{ID: id, Interfaces: []Interface{{Network: "souk", Ports: []Port{{31000, 80, TCP}}}}}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := n.Detach(b.Context(), id); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
