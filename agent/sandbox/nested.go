package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/soukproject/souk/agent/account"
)

// nestedIn is where the sandbox of a nested container lies in that around it.
func nestedIn(name string) string { return filepath.Join("containers", name) }

// Nest makes the sandbox of a container nested in others, of which base is the
// outermost's sandbox and names are the names below. It belongs to owner; "" is the
// agent's own user. What lies in base was put there by strangers: no link in it
// leads out.
func Nest(base string, names []string, owner string) error {
	dir := ""
	for _, name := range names {
		dir = filepath.Join(dir, nestedIn(name))
	}
	root, err := os.OpenRoot(base)
	if err == nil {
		defer root.Close()
		err = nest(root, dir, owner)
	}
	if err != nil {
		return fmt.Errorf("Failed to create nested sandbox '%s': %w", filepath.Join(base, dir), bare(err))
	}
	return nil
}

func nest(root *os.Root, dir, owner string) error {
	if err := root.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return give(root, dir, owner)
}

// Give makes owner the owner of a directory; "" is the agent's own user.
func Give(dir, owner string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return give(root, ".", owner)
}

func give(root *os.Root, name, owner string) error {
	if owner == "" {
		return nil
	}
	user, err := account.Lookup(owner)
	if err != nil {
		return fmt.Errorf("Failed to chown directory to '%s': No such user '%s'", owner, owner)
	}
	if user.UID == os.Getuid() {
		return nil
	}
	return root.Lchown(name, user.UID, user.GID)
}

// bare rids an error of paths that its reader does not know.
func bare(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// CreateNested makes the sandbox of a task in that of its executor, and a link to
// it under the name of the task.
func (s *Store) CreateNested(r Run, task, owner string) (string, error) {
	if err := r.check(); err != nil {
		return "", err
	}
	outer := r
	outer.Nested = ""
	base := s.Path(outer)
	if err := Nest(base, []string{r.Nested}, owner); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return "", err
	}
	defer root.Close()
	if err := linkTask(root, task, r.Nested); err != nil {
		return "", fmt.Errorf("Failed to link the sandbox of task '%s': %w", task, bare(err))
	}
	return s.Path(r), nil
}

// linkTask is relative, so that it leads to the same place from inside an image.
func linkTask(root *os.Root, task, container string) error {
	if err := root.MkdirAll("tasks", 0o755); err != nil {
		return err
	}
	link := filepath.Join("tasks", task)
	if err := root.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return root.Symlink(filepath.Join("..", nestedIn(container)), link)
}
