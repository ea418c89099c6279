//go:build unix

package disk

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Bounds of what is measured. A task that makes more has something else in mind
// than keeping its data.
const (
	maxDepth   = 200       // of folders in each other; each costs a descriptor meanwhile
	maxEntries = 4_000_000 // files and folders
)

// ErrImmeasurable says that there is more in a folder than can be counted.
var ErrImmeasurable = fmt.Errorf("more than %d files, or folders more than %d deep", maxEntries, maxDepth)

// Usage is how many bytes a folder and all in it occupy, as du counts them: holes
// in files are free, several names of a file count once, and what is mounted in it
// does not count. Links are not followed, whoever changes what meanwhile. With an
// error the bytes counted so far come back.
func Usage(ctx context.Context, dir string) (int64, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return 0, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	w := &walk{ctx: ctx, device: uint64(st.Dev), linked: map[uint64]bool{}, bytes: blocks(&st)}
	err = w.folder(fd, 0)
	return w.bytes, err
}

// walk is one measurement under way.
type walk struct {
	ctx     context.Context
	device  uint64
	linked  map[uint64]bool // files with several names that were counted, by inode
	entries int
	bytes   int64
}

// blockSize is the unit of st_blocks, whatever the file system's.
const blockSize = 512

func blocks(st *unix.Stat_t) int64 { return st.Blocks * blockSize }

// folder counts what is in the folder open at fd, and closes it.
func (w *walk) folder(fd, depth int) error {
	f := os.NewFile(uintptr(fd), "folder")
	defer f.Close()
	if depth > maxDepth {
		return ErrImmeasurable
	}
	for {
		names, err := f.Readdirnames(1024)
		for _, name := range names {
			if err := w.entry(fd, name, depth); err != nil {
				return err
			}
		}
		if err != nil || len(names) == 0 {
			return nil // what cannot be read any more is gone
		}
	}
}

func (w *walk) entry(parent int, name string, depth int) error {
	if w.entries++; w.entries > maxEntries {
		return ErrImmeasurable
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	var st unix.Stat_t
	if unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || uint64(st.Dev) != w.device {
		return nil // gone meanwhile, or something else is mounted there
	}
	if !w.counted(&st) {
		w.bytes += blocks(&st)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			return err
		}
		return nil
	}
	return w.folder(fd, depth+1)
}

// counted reports whether a file was counted under another name, and remembers it.
func (w *walk) counted(st *unix.Stat_t) bool {
	if st.Nlink < 2 || st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return false
	}
	before := w.linked[st.Ino]
	w.linked[st.Ino] = true
	return before
}
