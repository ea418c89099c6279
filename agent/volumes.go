package agent

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/soukproject/souk/agent/account"
	"github.com/soukproject/souk/agent/containerizer"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// volumes translates the volumes of a task. What this agent does not do with
// volumes was refused before (see core).
type volumes struct {
	sandbox string
	owner   *account.Account // of what is made in the sandbox; nil: the agent
	create  []string         // folders below which sources that are missing are made
	parent  *parent          // what the container is nested in; nil: nothing
}

// parent is the container that one is nested in, as far as volumes go.
type parent struct {
	volumes volumes
	mounts  []containerizer.Mount
}

func (v volumes) mounts(list []*mesospb.Volume) ([]containerizer.Mount, error) {
	var mounts []containerizer.Mount
	for _, volume := range list {
		m, err := v.mount(volume)
		if err != nil {
			return nil, fmt.Errorf("volume '%s': %w", volume.GetContainerPath(), err)
		}
		m.Target = volume.GetContainerPath()
		m.ReadOnly = m.ReadOnly || volume.GetMode() == mesospb.Volume_RO
		mounts = append(mounts, m)
	}
	return mounts, nil
}

func (v volumes) mount(volume *mesospb.Volume) (containerizer.Mount, error) {
	source := volume.GetSource()
	switch {
	case volume.HostPath != nil && filepath.IsAbs(volume.GetHostPath()):
		return v.hostPath(volume.GetHostPath(), false)
	case volume.HostPath != nil:
		return v.sandboxPath(volume.GetHostPath()) // as in Mesos
	case source.GetType() == mesospb.Volume_Source_HOST_PATH:
		mode := source.GetHostPath().GetMountPropagation().GetMode()
		return v.hostPath(source.GetHostPath().GetPath(), mode == mesospb.MountPropagation_HOST_TO_CONTAINER)
	case source.GetType() == mesospb.Volume_Source_SANDBOX_PATH && source.GetSandboxPath().GetType() == mesospb.Volume_Source_SandboxPath_PARENT:
		return v.parentPath(source.GetSandboxPath().GetPath())
	case source.GetType() == mesospb.Volume_Source_SANDBOX_PATH:
		return v.sandboxPath(source.GetSandboxPath().GetPath())
	case source.GetType() == mesospb.Volume_Source_SECRET:
		return containerizer.Mount{Kind: containerizer.Content, Data: source.GetSecret().GetValue().GetData()}, nil
	}
	return containerizer.Mount{}, errors.New("it has no source that this agent knows")
}

// hostPath is a file or folder of the machine.
func (v volumes) hostPath(source string, follow bool) (containerizer.Mount, error) {
	if !filepath.IsAbs(source) {
		return containerizer.Mount{}, fmt.Errorf("host path '%s' is not absolute", source)
	}
	source = filepath.Clean(source)
	for _, dir := range v.create {
		if containerizer.Inside(filepath.Clean(dir), source) {
			if err := os.MkdirAll(source, 0o755); err != nil {
				return containerizer.Mount{}, err
			}
		}
	}
	return containerizer.Mount{Kind: containerizer.Bind, Source: source, Follow: follow}, nil
}

// sandboxPath is a folder in the sandbox, made if need be, or a file there.
func (v volumes) sandboxPath(source string) (containerizer.Mount, error) {
	clean := path.Clean(source)
	if path.IsAbs(source) || !filepath.IsLocal(clean) || clean == "." {
		return containerizer.Mount{}, fmt.Errorf("sandbox path '%s' does not lie in the sandbox: use a relative path without ..", source)
	}
	root, err := os.OpenRoot(v.sandbox)
	if err != nil {
		return containerizer.Mount{}, err
	}
	defer root.Close()
	if _, err := root.Lstat(clean); errors.Is(err, os.ErrNotExist) {
		if err := v.folder(root, clean); err != nil {
			return containerizer.Mount{}, fmt.Errorf("sandbox path '%s': %w", source, err)
		}
	}
	return containerizer.Mount{Kind: containerizer.Bind, Source: filepath.Join(v.sandbox, clean), Within: v.sandbox}, nil
}

// parentPath is a folder in the sandbox of what the container is nested in. What is
// mounted there is found where it comes from: mounts are seen by nobody outside.
func (v volumes) parentPath(source string) (containerizer.Mount, error) {
	if v.parent == nil {
		return containerizer.Mount{}, errors.New("the container is not nested in another one")
	}
	for _, m := range v.parent.mounts {
		rel, err := filepath.Rel(path.Clean(m.Target), path.Clean(source))
		if err != nil || path.IsAbs(m.Target) || !filepath.IsLocal(rel) {
			continue
		}
		if rel == "." {
			return m, nil
		}
		if m.Kind == containerizer.Bind {
			m.Within, m.Source = m.Source, filepath.Join(m.Source, rel)
			return m, nil
		}
	}
	of := v.parent.volumes
	of.owner = v.owner
	return of.sandboxPath(source)
}

// folder makes a folder and those above it, all the task's.
func (v volumes) folder(root *os.Root, name string) error {
	if dir := path.Dir(name); dir != "." {
		if err := v.folder(root, dir); err != nil {
			return err
		}
	}
	err := root.Mkdir(name, 0o755)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err == nil && v.owner != nil {
		err = root.Lchown(name, v.owner.UID, v.owner.GID)
	}
	return err
}
