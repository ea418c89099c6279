package fetcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/soukproject/souk/agent/account"
)

// sandbox is where files go. Nothing outside is reached through it.
type sandbox struct {
	dir   *os.Root
	owner *account.Account
}

// put writes a file; a half of one does not stay.
func (s sandbox) put(w wanted, content func(*os.File) error) error {
	if err := s.folders(path.Dir(w.name)); err != nil {
		return cause(err)
	}
	tmp := path.Join(path.Dir(w.name), ".fetching-"+path.Base(w.name))
	f, err := s.dir.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return cause(err)
	}
	err = content(f)
	if err == nil {
		err = s.give(f)
	}
	if err == nil {
		err = f.Chmod(mode(w))
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.dir.Rename(tmp, w.name)
	}
	if err != nil {
		s.dir.Remove(tmp)
	}
	return cause(err)
}

func mode(w wanted) fs.FileMode {
	if w.Executable {
		return 0o755
	}
	return 0o644
}

// folders makes dir and what is above it, all of them the task's.
func (s sandbox) folders(dir string) error {
	if dir == "." {
		return nil
	}
	if err := s.folders(path.Dir(dir)); err != nil {
		return err
	}
	err := s.dir.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil && s.owner != nil {
		err = s.dir.Lchown(dir, s.owner.UID, s.owner.GID)
	}
	return err
}

func (s sandbox) give(f *os.File) error {
	if s.owner == nil {
		return nil
	}
	return f.Chown(s.owner.UID, s.owner.GID)
}

// tell writes a line into the task's stderr, as Mesos does. Failing to is not
// what the fetch fails of.
func (s sandbox) tell(line string) {
	f, err := s.dir.OpenFile("stderr", os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		fmt.Fprintln(f, line)
		_ = s.give(f)
	}
}
