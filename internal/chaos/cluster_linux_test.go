package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

// session is how long ZooKeeper keeps a silent client.
const session = 4 * time.Second

// A cluster is one of every role, on hosts of their own.
type cluster struct {
	t        testing.TB
	dir      string
	tell     *trace
	network  *network
	ensemble *zookeepertest.Ensemble
	keepers  []*keeper
	members  map[Role][]*member
	client   *http.Client
}

// hosts of all roles; their addresses tell them apart.
func hosts(sizes Sizes) map[Role][]host {
	all := make(map[Role][]host)
	for i, role := range []Role{Master, ZooKeeper, Agent, Marathon, Chronos} {
		for j := range sizes[role] {
			all[role] = append(all[role], host{fmt.Sprintf("%s%d", role, j), fmt.Sprintf("10.77.%d.%d", i+1, j+1)})
		}
	}
	return all
}

// startCluster starts everything, and waits until it works.
func startCluster(t testing.TB, dir string, tell *trace, sizes Sizes) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: dir, tell: tell, members: make(map[Role][]*member)}
	c.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	all := hosts(sizes)
	c.network = newNetwork(t, slices.Concat(all[Master], all[ZooKeeper], all[Agent], all[Marathon], all[Chronos]))
	var where []zookeepertest.Host
	for _, h := range all[ZooKeeper] {
		where = append(where, zookeepertest.Host{IP: h.ip, Enter: h.enter()})
	}
	c.ensemble = zookeepertest.StartOn(t, where)
	for i, h := range all[ZooKeeper] {
		c.keepers = append(c.keepers, &keeper{ensemble: c.ensemble, index: i, host: h})
	}
	for _, role := range []Role{Master, Agent, Marathon, Chronos} {
		for _, h := range all[role] {
			c.members[role] = append(c.members[role], c.newMember(role, h))
		}
	}
	for _, m := range c.all() {
		m.restart()
		t.Cleanup(m.kill)
	}
	return c
}

func (c *cluster) newMember(role Role, h host) *member {
	zk := "zk://" + c.ensemble.Servers()
	master := "--master=" + zk + "/mesos"
	switch role {
	case Master:
		return newMember(c.dir, h, 5050, c.tell, "master", "--zk="+zk+"/mesos", fmt.Sprint("--zk_session_timeout=", session), "--cluster=chaos",
			"--ip="+h.ip, "--port=5050", "--hostname="+h.ip, "--agent_ping_timeout=2secs", "--max_agent_ping_timeouts=3")
	case Agent:
		return newMember(c.dir, h, 5051, c.tell, "agent", master, fmt.Sprint("--zk_session_timeout=", session),
			"--ip="+h.ip, "--port=5051", "--hostname="+h.ip, "--work_dir="+filepath.Join(c.dir, h.name), "--containerizer=posix",
			"--resources=cpus:1.5;mem:2048;disk:8192;ports:[31000-31999]")
	case Marathon:
		return newMember(c.dir, h, 8080, c.tell, "marathon", master, "--zk="+zk+"/marathon", millis("--zk_session_timeout=", session),
			"--hostname="+h.ip, "--http_address="+h.ip, "--http_port=8080", millis("--min_revive_offers_interval=", time.Second),
			millis("--decline_offer_duration=", 5*time.Second), millis("--kill_retry_timeout=", 5*time.Second),
			millis("--task_launch_confirm_timeout=", 20*time.Second), millis("--task_launch_timeout=", 20*time.Second),
			millis("--reconciliation_interval=", 20*time.Second), "--launch_tokens=1000")
	default:
		return newMember(c.dir, h, 4400, c.tell, "chronos", master, "--zk="+zk+"/chronos", millis("--zk_timeout=", session),
			"--hostname="+h.ip, "--http_address="+h.ip, "--http_port=4400", millis("--min_revive_offers_interval=", time.Second),
			millis("--failure_retry=", 2*time.Second), "--reconciliation_interval=20", "--unreachable_timeout=0", "--job_history_kept=200")
	}
}

func millis(flag string, d time.Duration) string { return fmt.Sprint(flag, d.Milliseconds()) }

// all members that are souk processes.
func (c *cluster) all() []*member {
	return slices.Concat(c.members[Master], c.members[Agent], c.members[Marathon], c.members[Chronos])
}

// victim is the member that a fault is about, nil if none leads that should.
func (c *cluster) victim(who Target) victim {
	if who.Index == Leading {
		who.Index = c.leading(who.Role)
	}
	switch {
	case who.Index < 0:
		return nil
	case who.Role == ZooKeeper:
		return c.keepers[who.Index]
	}
	return c.members[who.Role][who.Index]
}

// leading is the index of the member of a role that leads, -1 if none is known to.
func (c *cluster) leading(role Role) int {
	if role == ZooKeeper {
		return c.ensemble.Leading()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, asked := range c.members[role] {
		address := c.leader(ctx, role, asked)
		if i := slices.IndexFunc(c.members[role], func(m *member) bool { return "http://"+address == m.url }); i >= 0 {
			return i
		}
	}
	return -1
}

// leader is the host:port of the leader as a member names it.
func (c *cluster) leader(ctx context.Context, role Role, asked *member) string {
	path := map[Role]string{Master: "/redirect", Marathon: "/v2/leader", Chronos: "/v1/scheduler/leader"}[role]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, asked.url+path, nil)
	if err != nil {
		return ""
	}
	resp, err := c.client.Transport.RoundTrip(req) // which follows no redirect
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	if role == Master {
		location, err := url.Parse(resp.Header.Get("Location"))
		if err != nil {
			return ""
		}
		return location.Host
	}
	var answer struct{ Leader string }
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&answer) != nil {
		return ""
	}
	return answer.Leader
}

// get reads JSON from the leader of a role.
func (c *cluster) get(role Role, path string, out any) error {
	i := c.leading(role)
	if i < 0 {
		return fmt.Errorf("no %s leads", role)
	}
	return c.read(c.members[role][i].url+path, out)
}

func (c *cluster) read(url string, out any) error {
	status, body, err := c.ask(http.MethodGet, url, "")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("get %s: %d: %.200s", url, status, body)
	}
	return json.Unmarshal(body, out)
}

// ask makes a request once.
func (c *cluster) ask(method, url, body string) (status int, answer []byte, err error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// eventually polls until check is content; it reports whether that was in time.
func eventually(patience time.Duration, check func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// whole reports what is missing for the cluster to work.
func (c *cluster) whole() error {
	var m map[string]float64
	if err := c.get(Master, "/metrics/snapshot", &m); err != nil {
		return err
	}
	if agents, frameworks := m["master/slaves_active"], m["master/frameworks_active"]; int(agents) != len(c.members[Agent]) || frameworks != 2 {
		return fmt.Errorf("%v agents and %v frameworks are active", agents, frameworks)
	}
	return nil
}

// panics lists the members in whose logs one is.
func (c *cluster) panics() []string {
	var list []string
	for _, m := range c.all() {
		text, err := os.ReadFile(m.log)
		for _, sign := range []string{"\npanic: ", "\nfatal error: ", "WARNING: DATA RACE"} {
			if err == nil && strings.Contains("\n"+string(text), sign) {
				list = append(list, fmt.Sprintf("%s: its log has %q", m.host.name, strings.TrimSpace(sign)))
			}
		}
	}
	return list
}
