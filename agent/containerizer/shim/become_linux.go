package shim

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// planFD is a third file that a shim inherits when it performs a plan.
const planFD = 5

// Become replaces the calling shim by a program that performs plan.
func Become(plan *os.File, path string, argv []string) error {
	if fd := int(plan.Fd()); fd != planFD {
		if err := unix.Dup3(fd, planFD, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	for _, fd := range []uintptr{readyFD, lockFD, planFD} {
		if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_SETFD, 0); errno != 0 {
			return errno
		}
	}
	return os.NewSyscallError("execve", syscall.Exec(path, argv, Environ()))
}
