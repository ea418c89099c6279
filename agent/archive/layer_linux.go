package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Names in layers that begin so delete what is below (image-spec, layer.md).
const (
	whiteoutPrefix = ".wh."
	opaqueMark     = ".wh..wh..opq"
)

// whiteout marks what the layer deletes in the way that overlayfs reads: a
// device 0,0 in its place, or an attribute of the folder whose content goes.
func (t *target) whiteout(name string) (done bool, err error) {
	base := path.Base(name)
	gone, ok := strings.CutPrefix(base, whiteoutPrefix)
	switch {
	case !ok:
		return false, nil
	case base == opaqueMark:
		return true, t.opaque(path.Dir(name))
	case strings.HasPrefix(gone, whiteoutPrefix):
		return true, nil // bookkeeping of aufs
	case gone == "" || gone == "." || gone == "..":
		return true, errors.New("it deletes what is not in the layer's folder")
	}
	victim := path.Join(path.Dir(name), gone)
	if err := t.clear(victim); err != nil {
		return true, err
	}
	return true, t.mknod(victim, unix.S_IFCHR, 0)
}

func (t *target) opaque(dir string) error {
	if dir != "." {
		if err := t.parent(path.Join(dir, "x")); err != nil {
			return err
		}
	}
	f, err := t.dir.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return setXattr(f, "trusted.overlay.opaque", "y")
}

// device makes a device or pipe; whether anybody may use it is decided where the
// image is run.
func (t *target) device(name string, h *tar.Header, m meta) error {
	kind := map[byte]uint32{tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO}[h.Typeflag]
	dev := unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))
	if kind == unix.S_IFCHR && dev == 0 {
		return errors.New("it is the mark of a deleted file, which an archive does not hold")
	}
	if err := t.clear(name); err != nil {
		return err
	}
	if err := t.mknod(name, kind|uint32(m.mode.Perm()), int(dev)); err != nil {
		return err
	}
	return t.own(name, t.owner(m.uid, m.gid))
}

func (t *target) mknod(name string, mode uint32, dev int) error {
	dir, err := t.dir.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	return os.NewSyscallError("mknod", unix.Mknodat(int(dir.Fd()), path.Base(name), mode, dev))
}

// setXattrs keeps what describes a file wherever it goes. Attributes that steer
// the overlay or the security of this machine are not the archive's to give.
func (t *target) setXattrs(f *os.File, xattrs map[string]string) error {
	if !t.options.Layer {
		return nil
	}
	for name, value := range xattrs {
		if !strings.HasPrefix(name, "user.") && name != "security.capability" {
			continue
		}
		if err := setXattr(f, name, value); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return err
		}
	}
	return nil
}

func setXattr(f *os.File, name, value string) error {
	if err := unix.Fsetxattr(int(f.Fd()), name, []byte(value), 0); err != nil {
		return fmt.Errorf("set attribute %s: %w", name, err)
	}
	return nil
}

func setTimes(f *os.File, modified time.Time) error {
	if modified.IsZero() {
		return nil
	}
	ts := unix.NsecToTimeval(modified.UnixNano())
	return unix.Futimes(int(f.Fd()), []unix.Timeval{ts, ts})
}
