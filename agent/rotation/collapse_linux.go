package rotation

import (
	"os"

	"golang.org/x/sys/unix"
)

// collapse takes the first n bytes of a file away, where the file system can.
func collapse(f *os.File, n int64) error {
	return os.NewSyscallError("fallocate", unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0, n))
}
