// Package sandbox keeps the directories that tasks work in: where they lie
// (Mesos' layout), whom they belong to, what of them may be read from outside,
// and when they are removed. What is in a sandbox was put there by strangers:
// nothing outside is ever reached through it. It does not own what runs there.
// Safe for concurrent use.
package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"

	"github.com/soukproject/souk/agent/account"
	"github.com/soukproject/souk/proto/mesos"
)

// A Run names one life of an executor, and thereby its sandbox. That of a task of
// the default executor lies within, and bears the name of the nested container.
type Run struct {
	Agent, Framework, Executor, Container string
	Nested                                string // "": the executor's own
}

// latest is the link to an executor's newest run.
const latest = "latest"

// dir is the executor's directory of runs below slaves.
func (r Run) dir() string {
	return path.Join(r.Agent, "frameworks", r.Framework, "executors", r.Executor, "runs")
}

// check refuses names that are no names of directories.
func (r Run) check() error {
	for _, id := range []string{r.Agent, r.Framework, r.Executor, r.Container} {
		if err := mesos.CheckID(id); err != nil {
			return err
		}
	}
	if r.Nested != "" {
		return mesos.CheckID(r.Nested)
	}
	return nil
}

// A Store is the sandboxes of one work directory, of this agent and of those
// that used the directory before it.
type Store struct {
	dir  string   // WORK/slaves
	root *os.Root // of dir

	mu sync.Mutex // for the directories above sandboxes, which come and go with them
}

// Open opens the sandboxes in workDir, which must be absolute.
func Open(workDir string) (*Store, error) {
	dir := filepath.Join(workDir, "slaves")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open sandboxes: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open sandboxes: %w", err)
	}
	return &Store{dir: dir, root: root}, nil
}

// Close releases the store.
func (s *Store) Close() error { return s.root.Close() }

// Path is where a run's sandbox is, whether or not it exists.
func (s *Store) Path(r Run) string {
	dir := filepath.Join(s.dir, filepath.FromSlash(r.dir()), r.Container)
	if r.Nested == "" {
		return dir
	}
	return filepath.Join(dir, nestedIn(r.Nested))
}

// A CreateError says that a sandbox could not be made.
type CreateError struct {
	Path string
	Err  error
}

// Error implements error.
func (e *CreateError) Error() string { return fmt.Sprintf("create sandbox %s: %v", e.Path, e.Err) }

// Unwrap returns Err.
func (e *CreateError) Unwrap() error { return e.Err }

// Cause is why, without the long paths.
func (e *CreateError) Cause() error {
	var pathError *fs.PathError
	if errors.As(e.Err, &pathError) {
		return pathError.Err
	}
	return e.Err
}

// Create makes a run's sandbox, which belongs to owner ("" is the agent's own
// user), and makes it the latest of its executor. Errors are *CreateError.
func (s *Store) Create(r Run, owner string) (string, error) {
	if err := r.check(); err != nil {
		return "", &CreateError{Err: err}
	}
	if err := s.create(r, owner); err != nil {
		return "", &CreateError{Path: s.Path(r), Err: err}
	}
	return s.Path(r), nil
}

func (s *Store) create(r Run, owner string) error {
	var user account.Account
	if owner != "" {
		var err error
		if user, err = account.Lookup(owner); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.root.MkdirAll(r.dir(), 0o755); err != nil {
		return err
	}
	name := path.Join(r.dir(), r.Container)
	if err := s.root.Mkdir(name, 0o750); err != nil {
		return err
	}
	if owner != "" {
		if err := s.root.Chown(name, user.UID, user.GID); err != nil {
			return err
		}
	}
	return s.link(r)
}

// link points latest at r. It is relative, so that work directories may move.
func (s *Store) link(r Run) error {
	link := path.Join(r.dir(), latest)
	if err := s.root.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.root.Symlink(r.Container, link)
}
