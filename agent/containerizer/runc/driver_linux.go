package runc

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/keeper"
	"github.com/soukproject/souk/agent/containerizer/runc/cgroup"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// Config of a containerizer with isolation.
type Config struct {
	RunDir      string // where containers are recorded; survives the agent, hidden from containers
	Helper      string // path of souk-containerizer; "": beside the running program
	Level       Level  // Full or NoLimits; the machine must allow it (see Probe)
	CgroupsRoot string // parent of the containers' cgroups; "": DefaultCgroupsRoot
	PIDs        int64  // processes a container may have unless it says otherwise; 0: 4096
	NoSeccomp   bool   // run commands without a filter of system calls

	// Libcontainer launches every container with libcontainer's own code, as is done
	// for those that have something out of the ordinary: the same, but slower.
	Libcontainer bool
	Log          *zap.Logger // nil: silent
}

// defaultPIDs stops a fork bomb early enough and a large Java program not at all.
const defaultPIDs = 4096

// A Containerizer runs isolated containers.
type Containerizer struct {
	*keeper.Keeper
	driver *driver
}

// New opens the containers recorded in cfg.RunDir. It fails when cfg.Level is
// more than the machine allows. Recover must be called next, and Close at the
// end; that leaves the containers running.
func New(cfg Config) (*Containerizer, error) {
	c, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("runc containerizer: %w", err)
	}
	return c, nil
}

func open(cfg Config) (*Containerizer, error) {
	if cfg.CgroupsRoot == "" {
		cfg.CgroupsRoot = DefaultCgroupsRoot
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.PIDs == 0 {
		cfg.PIDs = defaultPIDs
	}
	if level, reason := Probe(cfg.Helper, cfg.CgroupsRoot); level < max(cfg.Level, NoLimits) {
		return nil, fmt.Errorf("level %v cannot be had on this machine: %s", cfg.Level, reason)
	}
	d, err := newDriver(cfg)
	if err != nil {
		return nil, err
	}
	k, err := keeper.Open(keeper.Config{Root: cfg.RunDir, Driver: d, Log: cfg.Log})
	if err != nil {
		d.helper.Close()
		return nil, err
	}
	return &Containerizer{Keeper: k, driver: d}, nil
}

// Close stops following the containers and leaves them running. Without any,
// nothing of the containerizer stays on the machine but its empty run directory.
func (c *Containerizer) Close() error {
	if c.driver.limits {
		c.driver.tree.Group(c.driver.root).Prune()
	}
	c.driver.plans.close()
	c.driver.forks.close()
	return errors.Join(c.Keeper.Close(), c.driver.helper.Close())
}

type driver struct {
	plans        *plans
	forks        *forks
	helper       *os.File // sealed
	runDir       string
	limits       bool
	tree         cgroup.Tree
	root         string // parent cgroup
	pids         int64
	filter       bool // seccomp
	libcontainer bool
	memory       int64
}

func newDriver(cfg Config) (*driver, error) {
	runDir, err := filepath.Abs(cfg.RunDir)
	if err != nil {
		return nil, err
	}
	d := &driver{
		runDir: runDir, limits: cfg.Level == Full, pids: cfg.PIDs, filter: !cfg.NoSeccomp, libcontainer: cfg.Libcontainer,
		root: path.Clean("/" + cfg.CgroupsRoot), memory: totalMemory(),
	}
	if d.limits {
		if d.tree, err = limits(d.root); err != nil {
			return nil, err
		}
	}
	found, err := FindHelper(cfg.Helper)
	if err != nil {
		return nil, err
	}
	if d.helper, err = seal(found); err != nil {
		return nil, err
	}
	d.plans = &plans{program: d.program(), log: cfg.Log}
	d.forks = &forks{program: d.program(), log: cfg.Log}
	return d, nil
}

func totalMemory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// Prepare decides where the container lives and what it must not see: the
// records of containers, its own included.
func (d *driver) Prepare(s *shim.Spec) error {
	if containerizer.Inside(d.runDir, s.Config.Sandbox) {
		return fmt.Errorf("sandbox %s lies in the directory of the containers' records", s.Config.Sandbox)
	}
	s.Isolation = shim.Isolation{Seccomp: d.filter, Libcontainer: d.libcontainer, Mask: []string{d.runDir}}
	if !d.limits {
		return nil
	}
	if s.Parent != nil && s.Config.Limits == (containerizer.Limits{}) {
		s.Isolation.Cgroup, s.Isolation.Shared = s.Parent.Cgroup, true
		return nil
	}
	s.Isolation.Cgroup = d.group(s.Config.ID)
	if s.Config.Limits.PIDs == 0 {
		s.Config.Limits.PIDs = d.pids
	}
	if adj, ok := cgroup.OOMScoreAdj(s.Config.Limits, d.memory); ok {
		s.Isolation.OOMScoreAdj = &adj
	}
	return nil
}

func (d *driver) group(id string) string { return path.Join(d.root, id) }

// Start forks a shim that has a plan from a process that is ready for it. One
// without, or for which there is nobody, is a program of its own.
func (d *driver) Start(dir shim.Dir, s shim.Spec, files []*os.File) (int, error) {
	plan, err := d.plans.of(dir)
	if err != nil {
		return 0, err
	}
	stage := "shim"
	switch {
	case plan != nil:
		defer plan.Close()
		stage = "perform"
		files = slices.Concat(files[:keeper.PlanPlace], []*os.File{plan}, files[min(keeper.PlanPlace+1, len(files)):])
		if pid, err := d.forks.fork(dir, files); !errors.Is(err, errNobody) {
			return pid, err
		}
	case s.Parent != nil && !s.Config.Apart:
		stage = "nest"
	}
	return keeper.Exec(d.program(), []string{HelperName, stage, string(dir)}, files)
}

func (d *driver) program() string { return fmt.Sprintf("/proc/self/fd/%d", d.helper.Fd()) }

// grouped reports whether a container has a cgroup of its own.
func (d *driver) grouped(c keeper.Container) bool {
	return d.limits && !c.Spec.Isolation.Shared
}

// Kill kills process 1 of the container, with which the kernel kills all others,
// and what is in the cgroup: between the two stages of a launch there may be
// processes in the one that are not below the other.
//
// One nested in another's process ids and cgroup is known by its parent: the shim,
// or, if that is gone, its first process, to which all that loses its parent comes.
func (d *driver) Kill(c keeper.Container) error {
	if c.Spec.Parent != nil && !c.Spec.Config.OwnPIDs && !d.grouped(c) {
		return killNested(c)
	}
	if c.Init.PID == 0 {
		c.Init = d.started(c.ID)
	}
	if c.Init.PID != 0 && c.Init.Alive() {
		if err := syscall.Kill(c.Init.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	if d.grouped(c) {
		return d.tree.Group(d.group(c.ID)).Kill()
	}
	return nil
}

// started is the first process that libcontainer noted before it let it go on;
// one not yet noted ends by itself when its shim is gone.
func (d *driver) started(id string) shim.Process {
	var state struct {
		PID   int    `json:"init_process_pid"`
		Start uint64 `json:"init_process_start"`
	}
	data, err := os.ReadFile(filepath.Join(keeper.Dir(d.runDir, id).State(), id, "state.json"))
	if err != nil || json.Unmarshal(data, &state) != nil {
		return shim.Process{}
	}
	return shim.Process{PID: state.PID, Start: state.Start}
}

func killNested(c keeper.Container) error {
	if c.Shim.PID != 0 && c.Shim.Alive() {
		return shim.KillTree(c.Shim.PID)
	}
	if c.Init.PID == 0 || !c.Init.Alive() {
		return nil
	}
	if err := shim.KillTree(c.Init.PID); err != nil {
		return err
	}
	return syscall.Kill(c.Init.PID, syscall.SIGKILL)
}

// Signal leaves process 1 out: it ignores most signals, and must not stop or
// report an end while others live. What is nested in the container is not below
// process 1 and has signals of its own.
func (d *driver) Signal(c keeper.Container, sig syscall.Signal) error {
	if sig == syscall.SIGKILL {
		return d.Kill(c)
	}
	pids, err := shim.Tree(c.Init.PID)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("send %v to process %d: %w", sig, pid, err)
		}
	}
	return nil
}

func (d *driver) Update(c keeper.Container, l containerizer.Limits) error {
	if !d.grouped(c) {
		return nil
	}
	return d.tree.Group(d.group(c.ID)).Update(l)
}

// Stats leaves process 1 out of the count: it is ours.
func (d *driver) Stats(c keeper.Container) (s containerizer.Statistics, err error) {
	l := c.Spec.Config.Limits
	if d.grouped(c) {
		s = d.tree.Group(d.group(c.ID)).Stats()
		s.Processes, s.Threads = max(s.Processes-1, 0), max(s.Threads-1, 0)
	} else {
		s, err = shim.Measure(c.Init.PID)
		s.MemSoftLimit, s.MemLimit = l.MemRequest, l.MemHard()
	}
	s.CPURequest, s.CPULimit = l.CPURequest, l.CPULimit
	if c.Spec.Config.Network != "" {
		s.Traffic = traffic(c.Init.PID)
	}
	return s, err
}

// Collect reads what goes with the cgroup. A process killed for lack of memory
// need not be the command: it counts if the command died of it, or exited with
// the status by which a shell says that of its child.
func (d *driver) Collect(c keeper.Container, t *containerizer.Termination) {
	if !d.grouped(c) && !(d.limits && c.Spec.Config.Apart) {
		return
	}
	g := d.tree.Group(c.Spec.Isolation.Cgroup)
	t.MemPeak = g.MemPeak()
	sig, _ := t.Signaled()
	code, _ := t.Exited()
	t.OOM = g.OOMKills() > 0 && (sig == syscall.SIGKILL || code == 128+int(syscall.SIGKILL))
}

func (d *driver) Clean(c keeper.Container) error {
	if !d.grouped(c) {
		return nil
	}
	return d.tree.Group(d.group(c.ID)).Remove()
}

// Leftovers are cgroups of containers whose record is gone.
func (d *driver) Leftovers() ([]string, error) {
	if !d.limits {
		return nil, nil
	}
	names, err := d.tree.Children(d.root)
	return slices.DeleteFunc(names, func(name string) bool { return containerizer.CheckID(name) != nil }), err
}
