package hostinfo

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func memory() (int64, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, fmt.Errorf("read the size of memory: %w", err)
	}
	return int64(info.Totalram) * int64(info.Unit), nil
}

// Disk is the size of the file system of path, and how much of it is used, in bytes.
func Disk(path string) (size, used int64, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, 0, fmt.Errorf("read the size of the disk of %s: %w", path, err)
	}
	size = int64(fs.Blocks) * fs.Bsize
	return size, size - int64(fs.Bavail)*fs.Bsize, nil
}
