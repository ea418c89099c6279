package keeper

import (
	"os"

	"golang.org/x/sys/unix"
)

// watchProcess waits without a thread or a timer: the runtime's poller tells
// when the pidfd becomes readable, which is when the process has ended.
func watchProcess(pid int) (watcher, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return pidfd{os.NewFile(uintptr(fd), "pidfd")}, nil
}

type pidfd struct{ *os.File }

func (p pidfd) wait() error {
	conn, err := p.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Read(func(fd uintptr) bool {
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(set, 0)
		if err != nil && err != unix.EINTR {
			failed = err
			return true
		}
		return n > 0
	})
	if err != nil {
		return err
	}
	return failed
}
