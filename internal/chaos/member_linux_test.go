package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

// A victim is a member as faults see it. At most one fault has it at a time.
type victim interface {
	label() string
	address() string // its IP
	kill()
	restart()
	stop()
	resume()
	claim() bool // false: another fault has it
	release()
}

// claimed is whether a fault has a member.
type claimed struct{ mutex sync.Mutex }

func (c *claimed) claim() bool { return c.mutex.TryLock() }
func (c *claimed) release()    { c.mutex.Unlock() }

// A member is a souk process on a host, started again when it ends by itself,
// as a supervisor would.
type member struct {
	claimed
	host host
	url  string // of its HTTP server
	args []string
	log  string
	tell *trace

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil: it does not run
	ended  chan struct{} // closed when cmd has ended
	wanted bool          // to run
	ends   []string      // how it ended by itself
}

func newMember(dir string, h host, port int, tell *trace, args ...string) *member {
	return &member{host: h, url: fmt.Sprintf("http://%s:%d", h.ip, port), args: args, log: filepath.Join(dir, h.name+".log"), tell: tell}
}

func (m *member) label() string   { return m.host.name }
func (m *member) address() string { return m.host.ip }

func (m *member) restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wanted = true
	m.start()
}

// start starts the process; m.mu is held.
func (m *member) start() {
	line := append(m.host.enter(), append([]string{binary("souk")}, m.args...)...)
	cmd := exec.Command(line[0], line[1:]...)
	log, err := os.OpenFile(m.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		m.ends = append(m.ends, err.Error())
		return
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		m.ends = append(m.ends, err.Error())
		return
	}
	m.cmd, m.ended = cmd, make(chan struct{})
	go m.watch(cmd, m.ended)
}

// watch waits for the end of a process, and notes it if nobody wanted it.
func (m *member) watch(cmd *exec.Cmd, ended chan struct{}) {
	err := cmd.Wait()
	close(ended)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd != cmd || !m.wanted {
		return
	}
	m.cmd = nil
	end := fmt.Sprintf("%s ended by itself: %v: %s", m.host.name, err, m.lastWords())
	m.ends = append(m.ends, end)
	m.tell.say("%s", end)
	time.AfterFunc(time.Second, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.wanted && m.cmd == nil {
			m.start()
		}
	})
}

// lastWords is the last line of the log.
func (m *member) lastWords() string {
	text, err := os.ReadFile(m.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

func (m *member) kill() {
	m.mu.Lock()
	cmd, ended := m.cmd, m.ended
	m.wanted, m.cmd = false, nil
	m.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Kill() // it may have ended by itself
		<-ended
	}
}

func (m *member) stop()   { m.signal(syscall.SIGSTOP) }
func (m *member) resume() { m.signal(syscall.SIGCONT) }

func (m *member) signal(sig syscall.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd != nil {
		_ = m.cmd.Process.Signal(sig) // it may have ended by itself
	}
}

// faltered lists how the process ended by itself.
func (m *member) faltered() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ends
}

// A keeper is a member of the ZooKeeper ensemble.
type keeper struct {
	claimed
	ensemble *zookeepertest.Ensemble
	index    int
	host     host
}

func (k *keeper) label() string   { return k.host.name }
func (k *keeper) address() string { return k.host.ip }
func (k *keeper) kill()           { k.ensemble.Kill(k.index) }
func (k *keeper) restart()        { k.ensemble.Restart(k.index) }
func (k *keeper) stop()           { k.ensemble.Freeze(k.index) }
func (k *keeper) resume()         { k.ensemble.Thaw(k.index) }
