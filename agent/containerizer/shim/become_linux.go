package shim

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// planFD is a third file that a shim inherits when it performs a plan.
const planFD = 5

// Become replaces the calling shim by a program that performs plan.
func Become(s Spec, plan *os.File, path string, argv []string) error {
	if fd := int(plan.Fd()); fd != planFD {
		if err := unix.Dup3(fd, planFD, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	keep := []uintptr{readyFD, lockFD, planFD}
	if s.Config.TTY != nil || s.Config.Stdin {
		keep = append(keep, inputFD, masterFD)
	}
	for _, fd := range keep {
		if err := keepOnExec(fd); err != nil {
			return err
		}
	}
	return os.NewSyscallError("execve", syscall.Exec(path, argv, Environ()))
}

// openNoLinks follows no symbolic link anywhere in path.
func openNoLinks(path string, flags int, mode os.FileMode) (*os.File, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags: uint64(flags | unix.O_CLOEXEC), Mode: uint64(mode), Resolve: unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
