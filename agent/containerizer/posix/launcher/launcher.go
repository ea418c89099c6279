// Package launcher is the shim's side of the containerizer posix: it starts one
// command, waits for its end, writes that down and kills what the command left.
// The agent's side is package posix.
package launcher

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/soukproject/souk/agent/containerizer/shim"
)

// Run is the whole of a shim. It returns the exit code of the process.
func Run(dir shim.Dir) int {
	_, pid, err := Start(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Nobody but the agent's SIGKILL ends a shim before its command.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	if err := hold(dir, pid); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Start is the first half of a shim: it starts the command recorded in dir and
// reports to the agent. The caller becomes its parent and waits for it.
func Start(dir shim.Dir) (spec shim.Spec, pid int, err error) {
	spec, report, err := shim.Begin(dir)
	if report == nil {
		return spec, 0, err
	}
	if err == nil {
		err = shim.Adopt()
	}
	if err == nil {
		pid, err = start(spec)
	}
	if err != nil {
		report.Failed(err)
		return spec, 0, err
	}
	init := shim.Identify(pid)
	if err := dir.WriteInit(init); err != nil {
		shim.KillTree(os.Getpid())
		report.Failed(err)
		return spec, 0, err
	}
	return spec, pid, report.Running(init)
}

func start(s shim.Spec) (int, error) {
	stdin, err := s.Input()
	if err != nil {
		return 0, err
	}
	defer stdin.Close()
	stdout, stderr, err := s.Output()
	if err != nil {
		return 0, err
	}
	defer stdout.Close()
	defer stderr.Close()
	handleSignals()
	resetKept()
	terminal := s.Config.TTY != nil
	if terminal {
		stdout, stderr = stdin, stdin
	}
	p, err := os.StartProcess(s.Program.Path, s.Program.Argv, &os.ProcAttr{
		Dir:   s.Program.Dir,
		Env:   s.Program.Environ(),
		Files: []*os.File{stdin, stdout, stderr},
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: terminal, Credential: credential(s.Program)},
	})
	if err != nil {
		return 0, explain(s.Program, err)
	}
	pid := p.Pid
	return pid, p.Release()
}

// handleSignals has this process handle, and drop, what an agent under nohup made
// it ignore: the command would inherit that it is ignored, not that it is handled.
func handleSignals() { signal.Notify(make(chan os.Signal, 1)) }

// credential is nil when the command runs as the agent does: setting groups
// needs root even then.
func credential(p shim.Program) *syscall.Credential {
	if p.UID == os.Getuid() {
		return nil
	}
	c := &syscall.Credential{Uid: uint32(p.UID), Gid: uint32(p.GID)}
	for _, g := range p.Groups {
		c.Groups = append(c.Groups, uint32(g))
	}
	return c
}

func explain(p shim.Program, err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return shim.ExecError(p, err)
}

// hold waits for pid and everything that was left to this process.
func hold(dir shim.Dir, pid int) error {
	for ended := false; ; {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.ECHILD) && ended:
			return nil
		case err != nil:
			return fmt.Errorf("wait for process %d: %w", pid, err)
		}
		if got == pid {
			if err := dir.WriteExit(int(ws)); err != nil {
				return err
			}
			ended = true
			go keepKilling()
		}
	}
}

// keepKilling kills what the command left until the process exits.
func keepKilling() {
	for {
		shim.KillTree(os.Getpid())
		time.Sleep(10 * time.Millisecond)
	}
}
