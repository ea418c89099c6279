//go:build unix

package rotation

import (
	"io"
	"io/fs"
	"os"
	"syscall"
)

// shorten moves the content of src to t, or drops it without one. What does not
// fill a block stays, if the beginning of the file can be taken away; if not, what
// was copied before the file is emptied is all there is.
func shorten(src *os.File, t *target) error {
	info, err := src.Stat()
	if err != nil {
		return err
	}
	whole := wholeBlocks(info)
	if err := t.take(io.LimitReader(src, whole)); err != nil {
		return err
	}
	if t != nil {
		if err := t.done(); err != nil {
			return err
		}
	}
	if collapse(src, whole) == nil {
		return nil
	}
	if err := t.take(src); err != nil {
		return err
	}
	return src.Truncate(0)
}

// take adds to what readers see, or will.
func (t *target) take(r io.Reader) error {
	if t == nil {
		return nil
	}
	_, err := io.Copy(t.File, r)
	return err
}

// wholeBlocks is how much of a file can be taken away from its beginning: blocks,
// and not all of the file.
func wholeBlocks(info fs.FileInfo) int64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Blksize <= 0 {
		return 0
	}
	size := int64(st.Blksize)
	return max(0, (info.Size()-1)/size*size)
}

// links counts the names of a file.
func links(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 0
}

// giveTo makes f the property of who owns like.
func giveTo(f, like *os.File) error {
	info, err := like.Stat()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return nil
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}
