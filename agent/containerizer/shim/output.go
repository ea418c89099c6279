package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Output opens the files stdout and stderr of a container for appending and
// gives them to its user. Links and pipes are refused: the sandbox may belong to
// somebody with fewer rights than the caller.
func (s Spec) Output() (stdout, stderr *os.File, err error) {
	stdout, err = s.openOutput("stdout")
	if err != nil {
		return nil, nil, err
	}
	stderr, err = s.openOutput("stderr")
	if err != nil {
		stdout.Close()
		return nil, nil, err
	}
	return stdout, stderr, nil
}

func (s Spec) openOutput(name string) (*os.File, error) {
	path := filepath.Join(s.Config.Sandbox, name)
	flags := os.O_APPEND | os.O_CREATE | os.O_WRONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	open := os.OpenFile
	if s.Parent != nil {
		open = openNoLinks // the sandbox lies in one that belongs to somebody else
	}
	f, err := open(path, flags, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open %s of the sandbox for output: %w", name, Reason(err))
	}
	if err := s.claim(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("use %s of the sandbox for output: %w", name, err)
	}
	return f, nil
}

func (s Spec) claim(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("it is not a regular file")
	}
	if s.Program.UID != os.Getuid() {
		if err := f.Chown(s.Program.UID, s.Program.GID); err != nil {
			return Reason(err)
		}
	}
	return syscall.SetNonblock(int(f.Fd()), false)
}
