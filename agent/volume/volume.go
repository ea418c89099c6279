// Package volume keeps persistent volumes: where their folders lie (Mesos'
// layout), how they come and go, and whom they belong to. It does not know which
// volumes there should be, nor how containers get to see them. Safe for
// concurrent use as far as it is about different volumes.
package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/soukproject/souk/agent/account"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// removed is the folder, beside those of roles, where volumes wait for the
// removal of what they hold.
const removed = "removed"

// A Store is the volumes of one agent.
type Store struct{ workDir string }

// NewStore returns the store of an agent with an absolute work directory.
func NewStore(workDir string) *Store { return &Store{workDir: workDir} }

// Path is where the content of a persistent volume lies: on the agent's own disk,
// in the folder of a PATH disk, or all of a MOUNT disk.
func (s *Store) Path(v resources.Resource) (string, error) {
	role, id := v.Role(), ""
	if v.PersistentVolume() {
		id = v.Disk.Persistence
	}
	if err := errors.Join(mesos.CheckRole(role), mesos.CheckID(id)); err != nil {
		return "", fmt.Errorf("volume %s: %w", v, err)
	}
	disk, whole := s.disk(v)
	if whole {
		return disk, nil
	}
	return filepath.Join(disk, "volumes", "roles", strings.ReplaceAll(role, "/", " "), id), nil
}

// disk is the folder of the disk a resource is on, and whether that is all its own.
func (s *Store) disk(v resources.Resource) (dir string, whole bool) {
	if v.Disk == nil || v.Disk.Source == nil {
		return s.workDir, false
	}
	dir = v.Disk.Source.Root
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(s.workDir, dir)
	}
	return dir, v.Disk.Source.Kind == resources.SourceMount
}

// Create makes the empty folder of a new volume. One that is there already and
// empty will do; one with files in it is refused, as they are somebody else's.
func (s *Store) Create(v resources.Resource) error {
	dir, err := s.Path(v)
	if err != nil {
		return err
	}
	if _, whole := s.disk(v); whole {
		_, err := os.ReadDir(dir)
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	list, err := os.ReadDir(dir)
	if err == nil && len(list) > 0 {
		return fmt.Errorf("folder %s of the new volume holds files already: move them away, or give the volume another id", dir)
	}
	return err
}

// Remove takes a volume away. What it held may still lie at rest, if that is not
// "": it can be removed at leisure. A volume that is not there is removed already.
func (s *Store) Remove(v resources.Resource) (rest string, err error) {
	dir, err := s.Path(v)
	if err != nil {
		return "", err
	}
	disk, whole := s.disk(v)
	if whole {
		return "", empty(dir)
	}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	trash := filepath.Join(disk, "volumes", removed)
	if err := os.MkdirAll(trash, 0o700); err != nil {
		return "", err
	}
	bin, err := os.MkdirTemp(trash, "")
	if err != nil {
		return "", err
	}
	return bin, os.Rename(dir, filepath.Join(bin, "volume"))
}

// empty removes all that is in a folder.
func empty(dir string) error {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range list {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}

// Sweep finishes the removals that an earlier agent had begun on the disks of some
// resources, and on the agent's own.
func (s *Store) Sweep(total resources.Resources) error {
	disks := map[string]bool{s.workDir: true}
	for _, x := range total {
		if dir, whole := s.disk(x); !whole {
			disks[dir] = true
		}
	}
	var errs []error
	for dir := range disks {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, "volumes", removed)))
	}
	return errors.Join(errs...)
}

// Give makes a volume the property of a user, with all that is in it. A shared one
// stays with the first user it was given to.
func (s *Store) Give(v resources.Resource, owner string) error {
	dir, err := s.Path(v)
	if err != nil {
		return err
	}
	user, err := account.Lookup(owner)
	if err != nil {
		return err
	}
	uid, err := ownerOf(dir)
	if err != nil || uid == user.UID || v.Shared && uid != os.Getuid() {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(name, user.UID, user.GID)
	})
}
