//go:build !linux

package checkpoint

import (
	"os"
	"syscall"
)

func allocate(*os.File, int64) error { return syscall.ENOTSUP }
