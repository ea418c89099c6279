package agent

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// insideNetwork marks the copy of a test that runs in a network namespace of its
// own, so that bridges and firewall rules do not reach the machine's network.
const insideNetwork = "SOUK_AGENT_TEST_NETWORK"

// inOwnNetwork runs the calling test in a copy of the program that has a network
// of its own, and reports whether this is the copy.
func inOwnNetwork(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making networks needs root")
	}
	if os.Getenv(insideNetwork) != "" {
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideNetwork+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip("see the log")
	}
	return false
}

func isolated(t *testing.T, cfg Config) Config {
	t.Helper()
	helper, err := filepath.Abs("../bin/souk-containerizer")
	if err == nil {
		_, err = os.Stat(helper)
	}
	if err != nil {
		t.Skipf("isolated containers need make build: %v", err)
	}
	cfg.Containers, cfg.Containerizer, cfg.ContainerizerPath = nil, RunC, helper
	return cfg
}

// A task on the bridge has an address of its own, is reached through its port on
// the machine, also by the next agent, and leaves nothing.
func TestContainerOnTheBridge(t *testing.T) {
	if !inOwnNetwork(t) {
		return
	}
	m := newFakeMaster(t)
	cfg := isolated(t, testConfig(t, m))
	a := start(t, cfg)
	eventually(t, "subscription", func() bool { n, _ := m.sessions(); return n == 1 })
	web := command("web", "echo from $(hostname) > index.html; exec busybox httpd -f -p 80")
	web.Resources = append(web.Resources, &mesospb.Resource{
		Name: new("ports"), Type: mesospb.Value_RANGES.Enum(),
		Ranges: &mesospb.Value_Ranges{Range: []*mesospb.Value_Range{{Begin: new(uint64(31000)), End: new(uint64(31000))}}},
	})
	web.Container = &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), Hostname: new("web1"), NetworkInfos: []*mesospb.NetworkInfo{{
		Name:         new("mesos-bridge"),
		PortMappings: []*mesospb.NetworkInfo_PortMapping{{HostPort: new(uint32(31000)), ContainerPort: new(uint32(80)), Protocol: new("tcp")}},
	}}}
	m.run(web)
	eventually(t, "the task", func() bool { return m.states("web") == "STARTING RUNNING" })
	infos := m.last("web").GetContainerStatus().GetNetworkInfos()
	if len(infos) != 1 || infos[0].GetName() != "mesos-bridge" || len(infos[0].GetIpAddresses()) != 1 || len(infos[0].GetPortMappings()) != 1 {
		t.Fatalf("network_infos = %v, want one with an address and a port", infos)
	}
	for _, address := range []string{infos[0].GetIpAddresses()[0].GetIpAddress() + ":80", "127.0.0.1:31000"} {
		eventually(t, "an answer of "+address, func() bool { return fetch(address) == "from web1\n" })
	}

	if err := a.end(); err != nil {
		t.Logf("Run = %v", err)
	}
	cfg.AdvertisePort, _ = portOf(a.address)
	start(t, cfg)
	eventually(t, "the second subscription", func() bool { n, _ := m.sessions(); return n == 2 })
	if got := fetch("127.0.0.1:31000"); got != "from web1\n" {
		t.Errorf("after a restart the port answers %q", got)
	}
	greedy := command("greedy", "true")
	greedy.Container = web.Container
	m.run(greedy)
	eventually(t, "the refusal", func() bool { return strings.HasSuffix(m.states("greedy"), "FAILED") })
	if got := m.last("greedy").GetMessage(); got != "Failed to launch container: Port [31000] not included in resources" {
		t.Errorf("message = %q", got)
	}
	m.kill("web")
	eventually(t, "the end", func() bool { return strings.HasSuffix(m.states("web"), "KILLED") })
	eventually(t, "everything to go", func() bool {
		records, _ := filepath.Glob(filepath.Join(cfg.WorkDir, "run", "networks", "[^.]*"))
		c, err := net.Dial("tcp4", "127.0.0.1:31000")
		if err == nil {
			c.Close()
		}
		return len(records) == 0 && err != nil
	})
}

// fetch returns what a web server says, "" if it does not.
func fetch(address string) string {
	resp, err := http.Get("http://" + address + "/index.html")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(body)
}
