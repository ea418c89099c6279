//go:build !linux

package launcher

// resetKept has nothing to do where no signals are kept by the C library.
func resetKept() {}
