package containerizertest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
)

// Hooks let a test take part in what a Fake does. They may be nil, are called
// without a lock held and must not be changed after the first call.
type Hooks struct {
	Launch func(ctx context.Context, c containerizer.Config) error // an error refuses the launch
	Signal func(id string, sig syscall.Signal) (ignored bool)      // true: the container survives sig
}

// A Fake is a containerizer without processes. It understands four shell
// commands, "exit N", "true", "sleep SECONDS" and "kill -N $$", and does what
// they say; any other command runs until the test ends it. It works inside
// synctest bubbles.
type Fake struct {
	Hooks   Hooks
	machine *machine
}

// machine is what survives the agent.
type machine struct {
	mu         sync.Mutex
	containers map[string]*fakeContainer
	launched   int
}

type fakeContainer struct {
	config  containerizer.Config
	status  containerizer.Status
	signals []syscall.Signal
	input   []byte
	ended   chan struct{} // closed once term is set
	term    containerizer.Termination
}

var _ containerizer.Containerizer = (*Fake)(nil)

// NewFake returns a fake on a machine of its own.
func NewFake() *Fake {
	return &Fake{machine: &machine{containers: map[string]*fakeContainer{}}}
}

// Restart returns what a restarted agent would open: another Fake on the same
// machine, with the same hooks.
func (f *Fake) Restart() *Fake {
	return &Fake{Hooks: f.Hooks, machine: f.machine}
}

// Exit ends a running container with an exit code.
func (f *Fake) Exit(id string, code int) error {
	return f.End(id, containerizer.Termination{Known: true, Status: code << 8})
}

// End ends a running container as t says; a zero When means now. A container
// that has ended keeps its first termination.
func (f *Fake) End(id string, t containerizer.Termination) error {
	c, err := f.get(id)
	if err != nil {
		return err
	}
	f.machine.end(c, t)
	return nil
}

// Config returns what a container was launched or updated with.
func (f *Fake) Config(id string) (containerizer.Config, bool) {
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	c, ok := f.machine.containers[id]
	if !ok {
		return containerizer.Config{}, false
	}
	return c.config, true
}

// Signals returns the signals a container was sent, in order.
func (f *Fake) Signals(id string) []syscall.Signal {
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	if c, ok := f.machine.containers[id]; ok {
		return slices.Clone(c.signals)
	}
	return nil
}

// Running returns the ids of the containers that run, sorted.
func (f *Fake) Running() []string {
	return f.machine.list((*fakeContainer).running)
}

// Recorded returns the ids of all containers not yet destroyed, sorted.
func (f *Fake) Recorded() []string {
	return f.machine.list(func(*fakeContainer) bool { return true })
}

// Recover implements containerizer.Containerizer.
func (f *Fake) Recover(ctx context.Context, known []string) ([]string, error) {
	for _, id := range f.Recorded() {
		if !slices.Contains(known, id) {
			if err := f.Destroy(ctx, id); err != nil {
				return nil, err
			}
		}
	}
	for _, id := range known {
		f.machine.remember(id)
	}
	return f.Running(), nil
}

// Launch implements containerizer.Containerizer.
func (f *Fake) Launch(ctx context.Context, c containerizer.Config) (containerizer.Status, error) {
	status, err := f.launch(ctx, c)
	if err != nil {
		return containerizer.Status{}, fmt.Errorf("launch container %s: %w", c.ID, err)
	}
	return status, nil
}

func (f *Fake) launch(ctx context.Context, c containerizer.Config) (containerizer.Status, error) {
	if err := c.Check(); err != nil {
		return containerizer.Status{}, err
	}
	if err := ctx.Err(); err != nil {
		return containerizer.Status{}, err
	}
	if f.Hooks.Launch != nil {
		if err := f.Hooks.Launch(ctx, c); err != nil {
			return containerizer.Status{}, err
		}
	}
	fc, err := f.machine.add(c)
	if err != nil {
		return containerizer.Status{}, err
	}
	f.machine.interpret(fc)
	return fc.status, nil
}

// Wait implements containerizer.Containerizer.
func (f *Fake) Wait(ctx context.Context, id string) (containerizer.Termination, error) {
	c, err := f.get(id)
	if err != nil {
		return containerizer.Termination{}, fmt.Errorf("wait for container %s: %w", id, err)
	}
	if !c.running() {
		return c.term, nil
	}
	select {
	case <-c.ended:
		return c.term, nil
	case <-ctx.Done():
		return containerizer.Termination{}, fmt.Errorf("wait for container %s: %w", id, ctx.Err())
	}
}

// Signal implements containerizer.Containerizer.
func (f *Fake) Signal(ctx context.Context, id string, sig syscall.Signal) error {
	if err := containerizer.CheckSignal(sig); err != nil {
		return fmt.Errorf("signal container %s: %w", id, err)
	}
	c, err := f.get(id)
	if err != nil {
		return fmt.Errorf("signal container %s: %w", id, err)
	}
	if !c.running() {
		return nil
	}
	f.machine.mu.Lock()
	c.signals = append(c.signals, sig)
	f.machine.mu.Unlock()
	if f.Hooks.Signal != nil && f.Hooks.Signal(id, sig) && sig != syscall.SIGKILL {
		return nil
	}
	if fatal(sig) {
		f.machine.end(c, containerizer.Termination{Known: true, Status: int(sig)})
	}
	return nil
}

// Update implements containerizer.Containerizer.
func (f *Fake) Update(ctx context.Context, id string, l containerizer.Limits) error {
	if err := l.Check(); err != nil {
		return fmt.Errorf("update container %s: %w", id, err)
	}
	c, err := f.get(id)
	if err != nil {
		return fmt.Errorf("update container %s: %w", id, err)
	}
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	c.config.Limits = l
	return nil
}

// Stats implements containerizer.Containerizer.
func (f *Fake) Stats(ctx context.Context, id string) (containerizer.Statistics, error) {
	c, err := f.get(id)
	if err != nil {
		return containerizer.Statistics{}, fmt.Errorf("measure container %s: %w", id, err)
	}
	s := containerizer.Statistics{Time: time.Now()}
	if c.running() {
		s.Processes, s.Threads = 1, 1
		s.CPUUser, s.MemTotal, s.MemAnon = time.Millisecond, 1<<20, 1<<20
	}
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	l := c.config.Limits
	s.CPURequest, s.CPULimit = l.CPURequest, l.CPULimit
	s.MemSoftLimit, s.MemLimit = l.MemRequest, l.MemHard()
	return s, nil
}

// Input implements containerizer.Containerizer; see Inputs.
func (f *Fake) Input(ctx context.Context, id string, data []byte) error {
	c, err := f.get(id)
	if err == nil && (!c.running() || !c.config.Stdin && c.config.TTY == nil) {
		err = containerizer.ErrNoInput
	}
	if err != nil {
		return fmt.Errorf("write to container %s: %w", id, err)
	}
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	c.input = append(c.input, data...)
	return nil
}

// Inputs returns what was written to a container.
func (f *Fake) Inputs(id string) string {
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	if c, ok := f.machine.containers[id]; ok {
		return string(c.input)
	}
	return ""
}

// Resize implements containerizer.Containerizer; the size is that of Config.
func (f *Fake) Resize(ctx context.Context, id string, w containerizer.Window) error {
	c, err := f.get(id)
	if err == nil && c.config.TTY == nil {
		err = containerizer.ErrNoInput
	}
	if err != nil {
		return fmt.Errorf("resize terminal of container %s: %w", id, err)
	}
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	c.config.TTY = &w
	return nil
}

// Destroy implements containerizer.Containerizer.
func (f *Fake) Destroy(ctx context.Context, id string) error {
	c, err := f.get(id)
	if err != nil {
		return nil
	}
	f.machine.end(c, containerizer.Termination{Known: true, Status: int(syscall.SIGKILL)})
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	if f.machine.containers[id] == c {
		f.machine.forget(c)
	}
	return nil
}

func (f *Fake) get(id string) (*fakeContainer, error) {
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	c, ok := f.machine.containers[id]
	if !ok {
		return nil, containerizer.ErrUnknown
	}
	return c, nil
}

func (m *machine) add(c containerizer.Config) (*fakeContainer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.containers[c.ID]; ok {
		return nil, containerizer.ErrExists
	}
	if parent, ok := m.containers[c.Parent]; c.Parent != "" && (!ok || !parent.running()) {
		return nil, containerizer.ErrNoParent
	}
	m.launched++
	fc := &fakeContainer{
		config: c,
		status: containerizer.Status{PID: 100000 + m.launched, Started: time.Now()},
		ended:  make(chan struct{}),
	}
	m.containers[c.ID] = fc
	return fc, nil
}

// remember makes an entry for a container that left no trace.
func (m *machine) remember(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.containers[id]; ok {
		return
	}
	c := &fakeContainer{
		config: containerizer.Config{ID: id},
		ended:  make(chan struct{}),
		term:   containerizer.Termination{Reason: containerizer.Lost, When: time.Now()},
	}
	close(c.ended)
	m.containers[id] = c
}

func (m *machine) end(c *fakeContainer, t containerizer.Termination) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endLocked(c, t)
}

// endLocked ends a container and what is nested in it.
func (m *machine) endLocked(c *fakeContainer, t containerizer.Termination) {
	if !c.running() {
		return
	}
	for _, nested := range m.nested(c) {
		m.endLocked(nested, containerizer.Termination{Known: true, Status: int(syscall.SIGKILL)})
	}
	if t.When.IsZero() {
		t.When = time.Now()
	}
	c.term = t
	close(c.ended)
}

func (m *machine) nested(c *fakeContainer) (list []*fakeContainer) {
	for _, other := range m.containers {
		if other.config.Parent == c.config.ID {
			list = append(list, other)
		}
	}
	return list
}

// forget removes a container and what is nested in it.
func (m *machine) forget(c *fakeContainer) {
	for _, nested := range m.nested(c) {
		m.forget(nested)
	}
	delete(m.containers, c.config.ID)
}

func (m *machine) list(which func(*fakeContainer) bool) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id, c := range m.containers {
		if which(c) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// interpret does what the few commands that a Fake knows would do.
func (m *machine) interpret(c *fakeContainer) {
	words := strings.Fields(c.config.Command.Value)
	if !c.config.Command.Shell || len(words) == 0 {
		return
	}
	number := 0
	if len(words) > 1 {
		number, _ = strconv.Atoi(strings.TrimPrefix(words[1], "-"))
	}
	switch words[0] {
	case "true":
		m.end(c, containerizer.Termination{Known: true})
	case "exit":
		m.end(c, containerizer.Termination{Known: true, Status: number << 8})
	case "kill":
		m.end(c, containerizer.Termination{Known: true, Status: number})
	case "sleep":
		time.AfterFunc(time.Duration(number)*time.Second, func() {
			m.end(c, containerizer.Termination{Known: true})
		})
	}
}

func (c *fakeContainer) running() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// fatal reports whether sig ends a process that has no handler for it.
func fatal(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGURG, syscall.SIGWINCH,
		syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU:
		return false
	}
	return true
}
