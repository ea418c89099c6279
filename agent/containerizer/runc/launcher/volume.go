//go:build linux && cgo

package launcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runc/libcontainer/configs"
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// volumes are a container's, ready to be mounted in it.
type volumes struct {
	mounts []*configs.Mount
	masks  []string // where they show what the command must not see
}

// stageVolumes makes the container's volumes ready in this mount namespace, each
// in a place of its own, and describes how they get into the container. What a
// path leads to is settled here once: what a task changes later, such as a link
// in a sandbox it shares, has no effect.
func stageVolumes(dir shim.Dir, spec shim.Spec) (list volumes, err error) {
	if len(spec.Config.Mounts) == 0 {
		return list, nil
	}
	if err := os.Mkdir(volumesDir(dir), 0o700); err != nil {
		return list, err
	}
	ordered := slices.Clone(spec.Config.Mounts)
	slices.SortStableFunc(ordered, func(a, b containerizer.Mount) int { return depth(a.Target) - depth(b.Target) })
	sandbox, err := os.OpenRoot(spec.Config.Sandbox)
	if err != nil {
		return list, err
	}
	defer sandbox.Close()
	for i, m := range ordered {
		v := volume{Mount: m, spec: spec, stage: filepath.Join(volumesDir(dir), strconv.Itoa(i))}
		mount, err := v.prepare(sandbox)
		if err != nil {
			return list, err
		}
		list.mounts = append(list.mounts, mount)
		list.masks = append(list.masks, v.masks(mount.Destination)...)
	}
	return list, nil
}

func volumesDir(dir shim.Dir) string { return dir.Path("volumes") }

// depth orders volumes so that one inside another comes after it.
func depth(target string) int { return strings.Count(path.Clean(target), "/") }

// volume is a mount on its way into a container.
type volume struct {
	containerizer.Mount
	spec  shim.Spec
	stage string // where it is ready
	file  bool   // it is no folder
	real  string // of a Bind: what its source is, without symbolic links
}

func (v *volume) prepare(sandbox *os.Root) (*configs.Mount, error) {
	if err := v.ready(); err != nil {
		return nil, err
	}
	target, err := v.place(sandbox)
	if err != nil {
		return nil, err
	}
	m := &configs.Mount{
		Source: v.stage, Destination: target, Device: "bind", Flags: unix.MS_BIND | unix.MS_REC,
		PropagationFlags: []int{unix.MS_PRIVATE | unix.MS_REC},
	}
	if v.Follow {
		m.PropagationFlags = []int{unix.MS_SLAVE | unix.MS_REC}
	}
	if v.ReadOnly {
		m.RecAttr = &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	}
	return m, nil
}

// ready puts the content at v.stage.
func (v *volume) ready() error {
	switch v.Kind {
	case containerizer.Tmpfs:
		return v.memory("mode=1777", v.Size)
	case containerizer.Content:
		return v.content()
	}
	return v.bind()
}

// memory mounts an empty folder.
func (v *volume) memory(options string, size int64) error {
	if size > 0 {
		options += fmt.Sprintf(",size=%d", size)
	}
	if err := os.Mkdir(v.stage, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", v.stage, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mount memory for volume %s: %w", v.Target, err)
	}
	return nil
}

// content writes the file that the volume is into memory: a secret does not
// belong on a disk.
func (v *volume) content() error {
	if err := v.memory("mode=0700", 0); err != nil {
		return err
	}
	v.stage = filepath.Join(v.stage, "content")
	v.file = true
	if err := os.WriteFile(v.stage, v.Data, 0o400); err != nil {
		return fmt.Errorf("write volume %s: %w", v.Target, shim.Reason(err))
	}
	return os.Chown(v.stage, v.spec.Program.UID, v.spec.Program.GID)
}

// bind binds what Source is now. O_PATH neither reads nor wakes anything.
func (v *volume) bind() error {
	fd, err := v.open()
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("source %s of volume %s does not exist", v.Source, v.Target)
	case errors.Is(err, unix.ELOOP) && v.Within != "":
		return fmt.Errorf("source %s of volume %s leads through a symbolic link", v.Source, v.Target)
	case err != nil:
		return fmt.Errorf("source %s of volume %s cannot be used: %w", v.Source, v.Target, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	v.file = st.Mode&unix.S_IFMT != unix.S_IFDIR
	opened := fmt.Sprintf("/proc/self/fd/%d", fd)
	if v.real, err = os.Readlink(opened); err != nil {
		return err
	}
	for _, hidden := range v.spec.Isolation.Mask {
		if containerizer.Inside(hidden, v.real) {
			return fmt.Errorf("source %s of volume %s holds the agent's records", v.Source, v.Target)
		}
	}
	if err := v.hook(); err != nil {
		return err
	}
	if err := unix.Mount(opened, v.stage, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind source %s of volume %s: %w", v.Source, v.Target, err)
	}
	return nil
}

func (v *volume) open() (int, error) {
	if v.Within == "" {
		return unix.Open(v.Source, unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	root, err := unix.Open(v.Within, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(root)
	rel, err := filepath.Rel(v.Within, v.Source)
	if err != nil {
		return -1, err
	}
	return unix.Openat2(root, rel, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// hook makes what the source is mounted on: a folder for a folder, a file for
// anything else.
func (v *volume) hook() error {
	if !v.file {
		return os.Mkdir(v.stage, 0o700)
	}
	f, err := os.OpenFile(v.stage, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// masks are the places below target where a source that is as large as the
// machine shows what is hidden from the command elsewhere.
func (v *volume) masks(target string) []string {
	var list []string
	for _, hidden := range v.spec.Isolation.Mask {
		if v.real != "" && containerizer.Inside(v.real, hidden) {
			rel, _ := filepath.Rel(v.real, hidden)
			list = append(list, filepath.Join(target, rel))
		}
	}
	return list
}

// place finds where the volume goes. In the sandbox it is made; elsewhere the
// container sees the machine's own files, where nothing must be made.
func (v *volume) place(sandbox *os.Root) (string, error) {
	image := v.spec.Config.Rootfs != nil
	if path.IsAbs(v.Target) && image {
		return v.Target, nil
	}
	if path.IsAbs(v.Target) {
		return v.Target, v.fits(os.Stat(v.Target))
	}
	target := path.Clean(v.Target)
	if err := v.make(sandbox, target); err != nil {
		return "", fmt.Errorf("container path %s cannot be made in the sandbox: %w", v.Target, shim.Reason(err))
	}
	info, err := sandbox.Lstat(target)
	if image {
		return filepath.Join(containerizer.SandboxPath, target), v.fits(info, err)
	}
	return filepath.Join(v.spec.Config.Sandbox, target), v.fits(info, err)
}

func (v *volume) make(sandbox *os.Root, target string) error {
	dir := target
	if v.file {
		dir = path.Dir(target)
	}
	if err := sandbox.MkdirAll(dir, 0o755); err != nil || !v.file {
		return err
	}
	f, err := sandbox.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// fits says why the volume cannot lie over what is there.
func (v *volume) fits(info fs.FileInfo, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("container path %s does not exist on this machine, whose files a task without an image sees: use a relative path, which is made in the sandbox", v.Target)
	case err != nil:
		return fmt.Errorf("container path %s cannot be used: %w", v.Target, shim.Reason(err))
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("container path %s is a symbolic link", v.Target)
	case !v.file && !info.IsDir():
		return fmt.Errorf("container path %s is a file, but its source is a folder", v.Target)
	case v.file && info.IsDir():
		return fmt.Errorf("container path %s is a folder, but its source is a file", v.Target)
	}
	return nil
}
