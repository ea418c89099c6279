package local_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/soukproject/souk/agent/containerizer/containerizertest"
	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

// A standing is a framework with two processes, of which one leads.
type standing struct {
	t         *testing.T
	args      func(port int) []string
	leader    string // path that answers with the leader's address
	ports     []int
	processes []*daemon
}

func (s *standing) url(i int) string { return fmt.Sprintf("http://127.0.0.1:%d", s.ports[i]) }

// start starts process i.
func (s *standing) start(i int) {
	s.t.Helper()
	s.processes[i] = startDaemon(s.t, s.args(s.ports[i])...)
}

// kill ends process i as a power cut would.
func (s *standing) kill(i int) {
	s.t.Helper()
	s.processes[i].end(s.t, syscall.SIGKILL)
}

func (s *standing) signal(i int, sig syscall.Signal) {
	s.t.Helper()
	if err := s.processes[i].process.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// leads asks process i for the leader until one of the two leads, and not
// process other.
func (s *standing) leads(c *cluster, i, other int) int {
	s.t.Helper()
	found := -1
	c.eventually(s.leader+" names a leader", func() error {
		var answer struct{ Leader string }
		if err := c.get(s.url(i)+s.leader, &answer); err != nil {
			return err
		}
		found = slices.IndexFunc(s.ports, func(port int) bool { return strings.HasSuffix(answer.Leader, fmt.Sprint(":", port)) })
		if found < 0 || found == other {
			return fmt.Errorf("leader is %q", answer.Leader)
		}
		return nil
	})
	return found
}

// newStanding starts both processes.
func newStanding(t *testing.T, leader string, ports []int, args func(port int) []string) *standing {
	s := &standing{t: t, args: args, leader: leader, ports: ports, processes: make([]*daemon, len(ports))}
	for i := range ports {
		s.start(i)
	}
	return s
}

// TestFrameworksTakeOver: when the leading Marathon and Chronos are killed, the
// others have the same tasks, and jobs run on, each run once.
func TestFrameworksTakeOver(t *testing.T) {
	const session = 2 * time.Second
	binary(t)
	ensemble := zookeepertest.Start(t, 1)
	ports := freePorts(t, 6)
	dir := t.TempDir()
	c := &cluster{t: t, dir: dir, out: &bytes.Buffer{}, master: fmt.Sprintf("http://127.0.0.1:%d", ports[0])}
	containerizertest.LeaveNothing(t, dir)
	master := fmt.Sprintf("127.0.0.1:%d", ports[0])
	startDaemon(t, "master", "--ip=127.0.0.1", fmt.Sprint("--port=", ports[0]), "--registry=in_memory", "--no-hostname_lookup")
	startDaemon(t, "agent", "--master="+master, "--ip=127.0.0.1", fmt.Sprint("--port=", ports[1]), "--hostname=127.0.0.1",
		"--work_dir="+filepath.Join(dir, "agent"), "--containerizer=posix", "--resources=cpus:8;mem:4096;disk:4096;ports:[31000-31999]")
	framework := func(name, session string) func(port int) []string {
		zk := "--zk=" + ensemble.URL(t) + name
		return func(port int) []string {
			return []string{name, "--master=" + master, zk, session, "--hostname=127.0.0.1", "--http_address=127.0.0.1", fmt.Sprint("--http_port=", port)}
		}
	}
	marathon := newStanding(t, "/v2/leader", ports[2:4], framework("marathon", "--zk_session_timeout=2000"))
	chronos := newStanding(t, "/v1/scheduler/leader", ports[4:6], framework("chronos", "--zk_timeout=2000"))
	first, firstJobs := marathon.leads(c, 0, -1), chronos.leads(c, 0, -1)

	// Whoever does not lead passes everything on.
	c.marathon, c.chrono = marathon.url(1-first), chronos.url(1-firstJobs)
	c.call("POST", c.marathon+"/v2/apps", `{"id":"/web","cmd":"sleep 1000","cpus":0.1,"mem":16,"instances":3}`, 201)
	log := filepath.Join(dir, "runs")
	c.call("POST", c.chrono+"/v1/scheduler/iso8601", fmt.Sprintf(
		`{"name":"tick","command":"echo $CHRONOS_JOB_RUN_TIME >> %s","schedule":"R/%s/PT1S","retries":0,"cpus":0.1,"mem":16,"disk":1}`,
		log, time.Now().Add(time.Second).UTC().Format(time.RFC3339)), 204)
	before := ids(c.running("web", 3))
	c.eventually("the job has run twice", func() error { return ran(log, 2) })

	killed := time.Now()
	marathon.kill(first)
	chronos.kill(firstJobs)
	marathon.leads(c, 1-first, first)
	chronos.leads(c, 1-firstJobs, firstJobs)
	took := time.Since(killed)
	t.Logf("take-over took %v", took)
	if took > 2*session+5*time.Second {
		t.Errorf("take-over took %v with sessions of %v", took, session)
	}
	if after := ids(c.running("web", 3)); !slices.Equal(before, after) {
		t.Errorf("tasks after the take-over = %v, want %v", after, before)
	}
	have := len(lines(log))
	c.eventually("the job runs on", func() error { return ran(log, have+2) })

	// A leader that is asked to hands over; the task ids stay.
	marathon.start(first)
	c.eventually("the killed scheduler is back", func() error {
		var answer struct{ Leader string }
		return c.get(marathon.url(first)+"/v2/leader", &answer)
	})
	c.call("DELETE", marathon.url(first)+"/v2/leader", "", 200)
	marathon.leads(c, first, 1-first)
	c.marathon = marathon.url(first)
	c.eventually("the same two frameworks are subscribed", func() error {
		var m map[string]float64
		if err := c.get(c.master+"/metrics/snapshot", &m); err != nil || m["master/frameworks_active"] != 2 || m["master/frameworks_inactive"] != 0 {
			return fmt.Errorf("%v and %v inactive, %v", m["master/frameworks_active"], m["master/frameworks_inactive"], err)
		}
		return nil
	})
	if after := ids(c.running("web", 3)); !slices.Equal(before, after) {
		t.Errorf("tasks after the abdication = %v, want %v", after, before)
	}

	// A leader that freezes for longer than its session wakes up as a standby.
	marathon.signal(first, syscall.SIGSTOP)
	marathon.leads(c, 1-first, first)
	marathon.signal(first, syscall.SIGCONT)
	marathon.leads(c, first, first)
	if after := ids(c.running("web", 3)); !slices.Equal(before, after) {
		t.Errorf("tasks after the freeze = %v, want %v", after, before)
	}
	c.call("DELETE", chronos.url(1-firstJobs)+"/v1/scheduler/job/tick", "", 204)
	runs := lines(log)
	slices.Sort(runs)
	if once := slices.Compact(slices.Clone(runs)); len(once) != len(runs) {
		t.Errorf("runs = %v, want each once", runs)
	}
}

// lines are those that runs have written.
func lines(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil // no run has begun
	}
	return strings.Fields(string(text))
}

// ran reports fewer lines than n.
func ran(path string, n int) error {
	if have := lines(path); len(have) < n {
		return fmt.Errorf("runs are %v", have)
	}
	return nil
}
