package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

const (
	namedNetworks = "/run/netns" // where ip keeps them
	routerIP      = "10.77.0.1"
	firstCut      = 1000 // priority of routing rules; each cut has its own
)

// A host has an address and a cable to the router, which is this process' own
// network. The router's packets always arrive: it is the operator's way in.
type host struct{ name, ip string }

// enter is what to put before a command to run it on the host.
func (h host) enter() []string { return []string{"nsenter", "--net=" + namedNetworks + "/" + h.name} }

// A network is all hosts and what is cut between them.
type network struct {
	t  testing.TB
	mu sync.Mutex
	// rules are those of each cut that lasts.
	rules map[int][]string
	next  int
}

func newNetwork(t testing.TB, hosts []host) *network {
	t.Helper()
	n := &network{t: t, rules: make(map[int][]string), next: firstCut}
	lines := []string{
		"link set lo up",
		"addr add " + routerIP + "/32 dev lo",
		"rule add pref 100 iif lo lookup main", // what the router itself sends
	}
	for _, h := range hosts {
		lines = append(lines,
			"netns add "+h.name,
			fmt.Sprintf("link add %s type veth peer name eth0 netns %s", h.name, h.name),
			fmt.Sprintf("link set %s up", h.name),
			fmt.Sprintf("route add %s dev %s src %s", h.ip, h.name, routerIP))
	}
	n.ip(nil, lines)
	for _, h := range hosts {
		n.ip([]string{"-n", h.name}, []string{
			"link set lo up",
			fmt.Sprintf("addr add %s/32 dev eth0", h.ip),
			"link set eth0 up",
			"route add " + routerIP + " dev eth0",
			"route add default via " + routerIP + " dev eth0",
		})
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	return n
}

// ip runs one command of ip a line.
func (n *network) ip(options, lines []string) {
	n.t.Helper()
	cmd := exec.Command("ip", append(options, "-batch", "-")...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Errorf("ip %q: %v: %s", lines, err, out)
	}
}

// A path is one direction between two addresses, of which one may be "all".
type path struct{ from, to string }

// cut makes packets on these paths vanish until what it returns is called.
func (n *network) cut(paths []path) (mend func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := n.next
	n.next++
	for _, p := range paths {
		n.rules[id] = append(n.rules[id], fmt.Sprintf("pref %d from %s to %s blackhole", id, p.from, p.to))
	}
	n.ip(nil, prefixed("rule add ", n.rules[id]))
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.ip(nil, prefixed("rule del ", n.rules[id]))
		delete(n.rules, id)
	}
}

func prefixed(prefix string, lines []string) []string {
	var list []string
	for _, line := range lines {
		list = append(list, prefix+line)
	}
	return list
}
