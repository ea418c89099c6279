package volume

import (
	"os"
	"syscall"
)

// ownerOf is the id of the user that a folder belongs to; -1 where there is no such thing.
func ownerOf(dir string) (uid int, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return -1, err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid), nil
	}
	return -1, nil
}
