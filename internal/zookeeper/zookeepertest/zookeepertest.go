// Package zookeepertest starts real ZooKeeper ensembles on loopback from the
// jars of Debian's package, for tests. It owns their processes and folders. A
// test without Java or the jars is skipped, and says why.
package zookeepertest

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Tick is the unit of time of these ensembles: sessions last two of them at
// least, and a member notices after five that another one is silent.
const Tick = 200 * time.Millisecond

// MaxTimeout is the longest session timeout that these ensembles grant.
const MaxTimeout = 20 * time.Second

const (
	jars    = "/usr/share/java"
	startup = 60 * time.Second
)

// An Ensemble is one or several servers.
type Ensemble struct {
	t       testing.TB
	servers []*server
}

// A Host is where a member runs.
type Host struct {
	IP    string
	Enter []string // what to put before a command to run it there; none: it is here
}

// A server is one member. Its folder and ports outlive its process.
type server struct {
	host   Host
	dir    string
	client string // host:port
	quorum string // host:port:port for the other members
	mu     sync.Mutex
	cmd    *exec.Cmd     // nil if it does not run
	ended  chan struct{} // closed when it has ended
}

// Start starts an ensemble of n members, which ends with the test, and waits
// until it serves.
func Start(t testing.TB, n int) *Ensemble {
	t.Helper()
	hosts := make([]Host, n)
	for i := range hosts {
		hosts[i].IP = "127.0.0.1"
	}
	return StartOn(t, hosts)
}

// StartOn is Start with one member on each host. The test must reach them all.
func StartOn(t testing.TB, hosts []Host) *Ensemble {
	t.Helper()
	if why := Absent(); why != "" {
		t.Skip(why)
	}
	e := &Ensemble{t: t}
	t.Cleanup(e.stop)
	ports := freePorts(t, 3*len(hosts))
	for i, host := range hosts {
		own := ports[3*i:]
		e.servers = append(e.servers, &server{
			host: host, dir: t.TempDir(),
			client: fmt.Sprintf("%s:%d", host.IP, own[0]),
			quorum: fmt.Sprintf("%s:%d:%d", host.IP, own[1], own[2]),
		})
	}
	for i := range hosts {
		e.configure(i)
		e.Restart(i)
	}
	for i := range hosts {
		e.Await(i)
	}
	return e
}

// Absent says why no ensemble can be started here, "" if one can.
func Absent() string {
	if _, err := exec.LookPath("java"); err != nil {
		return "no java on this machine: install default-jre-headless"
	}
	if _, err := os.Stat(filepath.Join(jars, "zookeeper.jar")); err != nil {
		return "no ZooKeeper on this machine: install libzookeeper-java"
	}
	return ""
}

// freePorts finds ports that nobody has at this moment.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (e *Ensemble) configure(i int) {
	var b strings.Builder
	s := e.servers[i]
	fmt.Fprintf(&b, "tickTime=%d\ninitLimit=25\nsyncLimit=5\nmaxSessionTimeout=%d\n", Tick.Milliseconds(), MaxTimeout.Milliseconds())
	fmt.Fprintf(&b, "dataDir=%s\nclientPort=%s\nclientPortAddress=%s\n", s.dir, s.client[len(s.host.IP)+1:], s.host.IP)
	b.WriteString("admin.enableServer=false\nmaxClientCnxns=0\nforceSync=no\n")
	for j, member := range e.servers {
		if len(e.servers) > 1 {
			fmt.Fprintf(&b, "server.%d=%s\n", j+1, member.quorum)
		}
	}
	e.write(i, "zoo.cfg", b.String())
	e.write(i, "myid", fmt.Sprintln(i+1))
}

func (e *Ensemble) write(i int, name, text string) {
	e.t.Helper()
	if err := os.WriteFile(filepath.Join(e.servers[i].dir, name), []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// Restart starts member i if it does not run.
func (e *Ensemble) Restart(i int) {
	e.t.Helper()
	s := e.servers[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer log.Close()
	// Servers keep the last 500 writes in their heap, however large: what the
	// registry of 50,000 agents writes at once leaves no room in 256 MB.
	line := append(slices.Clone(s.host.Enter), "java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Dorg.slf4j.simpleLogger.showThreadName=false", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", filepath.Join(jars, "zookeeper.jar")+":"+filepath.Join(jars, "slf4j-simple.jar"),
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(s.dir, "zoo.cfg"))
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.run(cmd); err != nil {
		e.t.Fatal(err)
	}
}

// run starts a process that ends with this one at the latest. Its death is tied
// to the thread that starts it, so that is kept until the process has ended.
func (s *server) run(cmd *exec.Cmd) error {
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is always killed
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.cmd, s.ended = cmd, ended
	return nil
}

// Await waits until member i serves clients.
func (e *Ensemble) Await(i int) {
	e.t.Helper()
	deadline := time.Now().Add(startup)
	for !serves(e.servers[i].client) {
		if time.Now().After(deadline) {
			e.t.Fatalf("ZooKeeper server %d does not serve after %v:\n%s", i, startup, e.Log(i))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// serves reports whether a server takes clients.
func serves(address string) bool { return strings.Contains(srvr(address), "Mode:") }

// srvr is the answer to the one word that servers answer by default.
func srvr(address string) string {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second)) // then the read fails
	if _, err := conn.Write([]byte("srvr")); err != nil {
		return ""
	}
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// Leader is the member that leads the ensemble.
func (e *Ensemble) Leader() int {
	e.t.Helper()
	deadline := time.Now().Add(startup)
	for time.Now().Before(deadline) {
		if i := e.Leading(); i >= 0 {
			return i
		}
		time.Sleep(20 * time.Millisecond)
	}
	e.t.Fatalf("no ZooKeeper server leads after %v", startup)
	return 0
}

// Leading is the member that leads at this moment, -1 if none says that it does.
func (e *Ensemble) Leading() int {
	return slices.IndexFunc(e.servers, func(s *server) bool {
		answer := srvr(s.client)
		return strings.Contains(answer, "Mode: leader") || strings.Contains(answer, "Mode: standalone")
	})
}

// Index is the member that serves at address, -1 if none does.
func (e *Ensemble) Index(address string) int {
	return slices.IndexFunc(e.servers, func(s *server) bool { return s.client == address })
}

// Kill ends member i as a crash would.
func (e *Ensemble) Kill(i int) {
	s := e.servers[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended by itself
	<-s.ended
	s.cmd = nil
}

// Freeze stops member i without ending it: its connections stay open.
func (e *Ensemble) Freeze(i int) { e.signal(i, syscall.SIGSTOP) }

// Thaw lets a frozen member go on.
func (e *Ensemble) Thaw(i int) { e.signal(i, syscall.SIGCONT) }

func (e *Ensemble) signal(i int, sig syscall.Signal) {
	e.t.Helper()
	s := e.servers[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		e.t.Errorf("signal ZooKeeper server %d: %v", i, err)
	}
}

// Log is what member i wrote.
func (e *Ensemble) Log(i int) string {
	log, err := os.ReadFile(filepath.Join(e.servers[i].dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// Len is the number of members.
func (e *Ensemble) Len() int { return len(e.servers) }

// Server is the host:port of member i.
func (e *Ensemble) Server(i int) string { return e.servers[i].client }

// Servers is host:port of all members, separated by commas.
func (e *Ensemble) Servers() string {
	var all []string
	for _, s := range e.servers {
		all = append(all, s.client)
	}
	return strings.Join(all, ",")
}

// URL is a zk:// address of this ensemble with a path of its own.
func (e *Ensemble) URL(t testing.TB) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, t.Name())
	return fmt.Sprintf("zk://%s/%s_%d", e.Servers(), name, time.Now().UnixNano())
}

func (e *Ensemble) stop() {
	for i := range e.servers {
		e.Kill(i)
	}
}

// A Shared ensemble is started by the first test of a package that needs it
// and lives until Close, which TestMain calls.
type Shared struct {
	once     sync.Once
	ensemble *Ensemble
	fatal    *keeper
}

// A keeper stands in for the test that an ensemble of a whole package has not.
type keeper struct {
	testing.TB
	cleanups []func()
	dirs     []string
}

func (k *keeper) Cleanup(f func()) { k.cleanups = append(k.cleanups, f) }

// TempDir implements testing.TB for longer than a test.
func (k *keeper) TempDir() string {
	dir, err := os.MkdirTemp("", "zookeepertest")
	if err != nil {
		k.Fatal(err)
	}
	k.dirs = append(k.dirs, dir)
	return dir
}

// Get returns the ensemble of one member.
func (s *Shared) Get(t testing.TB) *Ensemble {
	t.Helper()
	if why := Absent(); why != "" {
		t.Skip(why)
	}
	s.once.Do(func() {
		s.fatal = &keeper{TB: t}
		s.ensemble = Start(s.fatal, 1)
	})
	if s.ensemble == nil {
		t.Fatal("the shared ZooKeeper did not start")
	}
	return s.ensemble
}

// Close ends the ensemble, if it was started.
func (s *Shared) Close() {
	if s.fatal == nil {
		return
	}
	for _, f := range s.fatal.cleanups {
		f()
	}
	for _, dir := range s.fatal.dirs {
		_ = os.RemoveAll(dir) // it is in the folder for such things
	}
}
