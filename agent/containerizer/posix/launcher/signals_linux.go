package launcher

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The C library keeps these two signals to itself. The Go runtime leaves them as
// they were inherited, and so did every process before it.
const (
	firstKept = 32
	lastKept  = 33
)

// action is the kernel's struct sigaction. Its zero value is the default action.
type action struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// resetKept gives the signals that signal.Notify does not reach their default
// action. The kernel knows both, so that it cannot fail.
func resetKept() {
	var usual action
	for sig := uintptr(firstKept); sig <= lastKept; sig++ {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&usual)), 0, unsafe.Sizeof(usual.mask), 0, 0)
	}
}
