// Package posix runs containers as plain processes: no isolation, no limits, no
// root, any Unix. Each has a session of its own and a shim that outlives the
// agent (see package shim). It owns starting, killing and measuring process
// trees; it refuses what it cannot promise, such as a hostname.
//
// The shim is either the helper program souk-containerizer, which costs next to
// nothing while it waits, or the agent's own program run again: its main must
// then hand "shim DIR" to Shim before it does anything else.
package posix

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/keeper"
	"github.com/soukproject/souk/agent/containerizer/posix/launcher"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// Config of a containerizer of plain processes.
type Config struct {
	RunDir string      // where containers are recorded; survives the agent
	Helper string      // path of souk-containerizer; "": the running program is its own shim
	Log    *zap.Logger // nil: silent
}

// New opens the containers recorded in cfg.RunDir. Recover must be called next,
// and Close at the end; that leaves the containers running.
func New(cfg Config) (*keeper.Keeper, error) {
	k, err := keeper.Open(keeper.Config{Root: cfg.RunDir, Driver: driver{helper: cfg.Helper}, Log: cfg.Log})
	if err != nil {
		return nil, fmt.Errorf("posix containerizer: %w", err)
	}
	return k, nil
}

// Shim is the main function of a program that was started as a shim for dir. It
// returns the exit code.
func Shim(dir string) int { return launcher.Run(shim.Dir(dir)) }

type driver struct{ helper string }

func (d driver) Prepare(s *shim.Spec) error {
	if s.Config.Hostname != "" {
		return errors.New("a hostname needs a containerizer that isolates: run the agent as root with --containerizer=runc")
	}
	if s.Config.OwnPIDs {
		return errors.New("process ids of its own need a containerizer that isolates: run the agent as root with --containerizer=runc")
	}
	if s.Config.Network != "" {
		return errors.New("a network of its own needs a containerizer that isolates: run the agent as root with --containerizer=runc")
	}
	if s.Config.Rootfs != nil {
		return errors.New("an image needs a containerizer that isolates: run the agent as root with --containerizer=runc")
	}
	if asks := s.Config.Confinement.Asks(); asks != "" {
		return fmt.Errorf("%s needs a containerizer that isolates: run the agent as root with --containerizer=runc", asks)
	}
	return link(s.Config.Sandbox, s.Config.Mounts)
}

func (d driver) Start(dir shim.Dir, _ shim.Spec, files []*os.File) (int, error) {
	if d.helper != "" {
		return keeper.Exec(d.helper, []string{"souk-containerizer", "plain", string(dir)}, files)
	}
	self, err := self()
	if err != nil {
		return 0, err
	}
	return keeper.Exec(self, []string{"souk", "shim", string(dir)}, files)
}

// Kill kills what is below the shim, which then records the end. Without a shim
// what is left of the session of the first process has to do.
func (d driver) Kill(c keeper.Container) error {
	if c.Shim.PID != 0 && c.Shim.Alive() {
		return shim.KillTree(c.Shim.PID)
	}
	if c.Init.PID != 0 && c.Init.Alive() {
		return shim.KillSession(c.Init.PID)
	}
	return nil
}

func (d driver) Signal(c keeper.Container, sig syscall.Signal) error {
	tree, err := shim.Tree(c.Shim.PID)
	if err != nil {
		return err
	}
	for _, pid := range tree {
		if err := syscall.Kill(pid, sig); errors.Is(err, syscall.EPERM) && pid == c.Init.PID {
			return fmt.Errorf("send %v to process %d: %w", sig, pid, err)
		}
	}
	return nil
}

// Update has nothing to change: limits are not enforced.
func (d driver) Update(keeper.Container, containerizer.Limits) error { return nil }

func (d driver) Stats(c keeper.Container) (containerizer.Statistics, error) {
	s, err := shim.Measure(c.Shim.PID)
	s.CPURequest, s.CPULimit = c.Spec.Config.Limits.CPURequest, c.Spec.Config.Limits.CPULimit
	s.MemSoftLimit, s.MemLimit = c.Spec.Config.Limits.MemRequest, c.Spec.Config.Limits.MemHard()
	return s, err
}

func (d driver) Collect(keeper.Container, *containerizer.Termination) {}
func (d driver) Clean(keeper.Container) error                         { return nil }
func (d driver) Leftovers() ([]string, error)                         { return nil, nil }

// self is the running program, also when its file has been replaced since.
func self() (string, error) {
	const link = "/proc/self/exe"
	if _, err := os.Stat(link); err == nil {
		return link, nil
	}
	return os.Executable()
}
