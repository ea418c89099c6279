package keeper

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

const noFollow = syscall.O_NOFOLLOW

// openTerminal makes a pseudo terminal that belongs to the user of p.
func openTerminal(w containerizer.Window, p shim.Program) (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	slave, err = openSlave(master)
	if err == nil {
		err = errors.Join(slave.Chown(p.UID, p.GID), resize(master, w))
	}
	if err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	return master, slave, nil
}

func openSlave(master *os.File) (slave *os.File, err error) {
	err = control(master, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
		if errno != 0 {
			return errno
		}
		slave = os.NewFile(peer, "terminal")
		return nil
	})
	return slave, err
}

func resize(f *os.File, w containerizer.Window) error {
	return control(f, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: w.Rows, Col: w.Columns})
	})
}

// duplicate returns another descriptor of the same open file.
func duplicate(f *os.File) (dup *os.File, err error) {
	err = control(f, func(fd int) error {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		dup = rawFile(n)
		return err
	})
	return dup, err
}

// rawFile does not change how the file blocks: its other descriptor would, too.
func rawFile(fd int) *os.File { return os.NewFile(uintptr(fd), "terminal") }

// reopenInput fetches the terminal of a running container from its shim. A pipe
// has gone with the agent that had the other end.
func (k *Keeper) reopenInput(e *entry) {
	c := e.container()
	if c.Spec.Config.TTY == nil {
		return
	}
	fd, err := fetch(c.Shim.PID, shim.TerminalFD)
	if err != nil {
		k.log.Error("terminal lost", zap.String("container_id", c.ID), zap.Error(err))
		return
	}
	e.mu.Lock()
	e.input = os.NewFile(uintptr(fd), "terminal")
	e.mu.Unlock()
	k.showOutput(e)
}

func fetch(pid, fd int) (int, error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(process)
	return unix.PidfdGetfd(process, fd, 0)
}
