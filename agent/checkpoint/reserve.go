package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// reserveSize is the room, in bytes, that is kept for a disk that others fill:
// enough for the updates of thousands of tasks.
const reserveSize = 2 << 20

// ErrNoSpace says that the disk is full: nothing was stored, and the same may
// be tried again.
var ErrNoSpace = errors.New("the disk is full: make room on it")

// IsFull reports whether err says that there is no room on a disk.
func IsFull(err error) bool {
	return errors.Is(err, ErrNoSpace) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func (l *Log) reservePath() string { return filepath.Join(l.dir, "reserve") }

// withReserve does what needs room, and gives the reserve up for it if necessary.
func (l *Log) withReserve(do func() error) error {
	err := do()
	if IsFull(err) && os.Remove(l.reservePath()) == nil {
		l.reserved = false
		err = do()
	}
	return err
}

// restock makes the reserve where there is plenty of room. It is no matter of
// correctness, so that it may fail.
func (l *Log) restock() {
	if l.reserved || free(l.dir) < 2*reserveSize {
		return
	}
	path := l.reservePath()
	if info, err := os.Stat(path); err == nil && info.Size() == reserveSize {
		l.reserved = true
		return
	}
	if err := occupy(path, reserveSize); err != nil {
		os.Remove(path)
		return
	}
	l.reserved = true
}

// occupy makes a file of a size whose room is really taken.
func occupy(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := allocate(f, size); err == nil || IsFull(err) {
		return err
	}
	_, err = f.Write(make([]byte, size))
	return err
}

// free is the room on dir's disk in bytes, 0 when that is not known.
func free(dir string) uint64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0
	}
	return uint64(fs.Bavail) * uint64(fs.Bsize)
}
