package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// target is the folder that an archive is unpacked in, and what is left of the
// room it may take. Every path goes through os.Root: names, links made earlier
// and those that a task makes meanwhile cannot lead out.
type target struct {
	dir     *os.Root
	options Options
	bytes   int64 // left
	entries int   // left
	folders []folder
}

// folder is one whose rights and times are set last: what is put in changes them.
type folder struct {
	name string
	meta meta
}

// meta is what is kept of an entry beside its content.
type meta struct {
	mode     fs.FileMode
	uid, gid int
	modified time.Time
	xattrs   map[string]string
}

func newTarget(dir *os.Root, o Options) *target {
	t := &target{dir: dir, options: o, bytes: o.Bytes, entries: o.Entries}
	if t.bytes == 0 {
		t.bytes = defaultBytes
	}
	if t.entries == 0 {
		t.entries = defaultEntries
	}
	return t
}

// count takes one entry from what is left.
func (t *target) count() error {
	if t.entries--; t.entries < 0 {
		return &LimitError{"as many files as may be"}
	}
	return nil
}

// local is the name of an entry below the folder. As with tar, a leading slash
// means nothing; a name that leads out is refused.
func local(name string) (string, error) {
	clean := path.Clean("/" + name)
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", fmt.Errorf("the archive holds the name %q, which leads out of the folder", name)
		}
	}
	if strings.ContainsRune(name, 0) || len(name) > 4095 {
		return "", fmt.Errorf("the archive holds the name %.100q, which cannot be", name)
	}
	return strings.TrimPrefix(clean, "/"), nil
}

// parent makes the folders above name that the archive does not tell of.
func (t *target) parent(name string) error {
	dir := path.Dir(name)
	if dir == "." {
		return nil
	}
	info, err := t.dir.Stat(dir)
	if err == nil && info.IsDir() {
		return nil
	}
	if _, there := t.dir.Lstat(dir); there == nil { // a link that leads out, or a file
		return errors.Join(err, fmt.Errorf("%q is in the way", dir))
	}
	if err := t.parent(dir); err != nil {
		return err
	}
	return t.makeFolder(dir, nil)
}

// clear removes what is in the way of a new name. A folder stays.
func (t *target) clear(name string) error {
	if err := t.parent(name); err != nil {
		return err
	}
	info, err := t.dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() && t.options.Layer {
		return t.dir.RemoveAll(name)
	}
	return t.dir.Remove(name)
}

// makeFolder makes a folder; m is nil for one that the archive does not tell of.
func (t *target) makeFolder(name string, m *meta) error {
	info, err := t.dir.Lstat(name)
	if err == nil && !info.IsDir() {
		if err := t.dir.Remove(name); err != nil {
			return err
		}
	}
	if err != nil || !info.IsDir() {
		if err := t.dir.Mkdir(name, 0o755); err != nil {
			return err
		}
		if m == nil {
			return t.own(name, t.owner(0, 0))
		}
	}
	if m != nil {
		t.folders = append(t.folders, folder{name, *m})
	}
	return nil
}

func (t *target) folder(name string, m meta) error {
	if name == "" {
		if t.options.Layer {
			t.folders = append(t.folders, folder{".", m})
		}
		return nil
	}
	if err := t.parent(name); err != nil {
		return err
	}
	return t.makeFolder(name, &m)
}

// file writes a file; m is nil for one of which only the content is known.
func (t *target) file(name string, mode fs.FileMode, r io.Reader, m *meta) error {
	if err := t.clear(name); err != nil {
		return err
	}
	f, err := t.dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(r, t.bytes+1))
	if t.bytes -= n; t.bytes < 0 {
		err = t.tooLarge()
	}
	if err == nil {
		err = t.finish(f, mode, m)
	}
	return errors.Join(err, f.Close())
}

func (t *target) tooLarge() error {
	limit := t.options.Bytes
	if limit == 0 {
		limit = defaultBytes
	}
	return &LimitError{fmt.Sprintf("%d bytes, the limit", limit)}
}

// finish sets what is known of an open file or folder. The owner comes first:
// changing it drops bits of the mode.
func (t *target) finish(f *os.File, mode fs.FileMode, m *meta) error {
	owner := t.owner(0, 0)
	if m != nil {
		owner = t.owner(m.uid, m.gid)
	}
	if owner != nil {
		if err := f.Chown(owner.UID, owner.GID); err != nil {
			return err
		}
	}
	if err := f.Chmod(t.kept(mode)); err != nil {
		return err
	}
	if m == nil {
		return nil
	}
	if err := t.setXattrs(f, m.xattrs); err != nil {
		return err
	}
	return setTimes(f, m.modified)
}

// kept are the bits of a mode that are kept: in a sandbox, no program runs with
// rights that an archive gave it.
func (t *target) kept(mode fs.FileMode) fs.FileMode {
	if t.options.Layer {
		return mode & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	}
	return mode & fs.ModePerm
}

// owner is who an entry is given to, nil if it stays the caller's.
func (t *target) owner(uid, gid int) *Owner {
	if t.options.Owner != nil {
		return t.options.Owner
	}
	if t.options.Layer {
		return &Owner{uid, gid}
	}
	return nil
}

func (t *target) own(name string, o *Owner) error {
	if o == nil {
		return nil
	}
	return t.dir.Lchown(name, o.UID, o.GID)
}

func (t *target) symlink(name, to string, m meta) error {
	if err := t.clear(name); err != nil {
		return err
	}
	if err := t.dir.Symlink(to, name); err != nil {
		return err
	}
	return t.own(name, t.owner(m.uid, m.gid))
}

// link makes a second name for an entry that came before.
func (t *target) link(name, to string) error {
	old, err := local(to)
	if err != nil {
		return err
	}
	if old == name {
		return fmt.Errorf("the archive links %q to itself", name)
	}
	info, err := t.dir.Lstat(old)
	if err != nil {
		return fmt.Errorf("the archive links %q to %q, which it does not hold: %w", name, to, reason(err))
	}
	if info.IsDir() {
		return fmt.Errorf("the archive links %q to the folder %q", name, to)
	}
	if err := t.clear(name); err != nil {
		return err
	}
	return t.dir.Link(old, name)
}

// close sets rights and times of folders, the deepest first.
func (t *target) close() error {
	for i := len(t.folders) - 1; i >= 0; i-- {
		f, err := t.dir.Open(t.folders[i].name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // replaced by a later entry
		}
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = t.finish(f, t.folders[i].meta.mode, &t.folders[i].meta)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// reason is the cause in err, without the operation and the path.
func reason(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	}
	return err
}

// named says which entry an error is about.
func named(name string, err error) error {
	var limit *LimitError
	if err == nil || errors.As(err, &limit) {
		return err
	}
	return fmt.Errorf("unpack %q: %w", filepath.ToSlash(name), reason(err))
}
