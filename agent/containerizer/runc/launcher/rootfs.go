//go:build linux && cgo

package launcher

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/sys/user"
	"github.com/opencontainers/runc/libcontainer/configs"
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/account"
	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// enterImage mounts the layers of an image as the container's root and finds out
// what could not be known before: who the user is there, and where the program.
func enterImage(dir shim.Dir, spec *shim.Spec) error {
	if err := mountLayers(dir, spec.Config.Rootfs.Layers); err != nil {
		return err
	}
	root, err := unix.Open(dir.Root(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	i := image{root}
	if err := i.become(&spec.Program, spec.Config.Command.User); err != nil {
		return err
	}
	if spec.Program.UID != 0 {
		if err := os.Lchown(spec.Config.Sandbox, spec.Program.UID, spec.Program.GID); err != nil {
			return err
		}
	}
	return i.find(&spec.Program)
}

// mountLayers puts an own, writable layer over those of the image. Paths are
// relative to where the layers are: the kernel takes one page of them.
func mountLayers(dir shim.Dir, layers []string) error {
	upper, work := dir.Changes(), dir.Path("work")
	for _, name := range []string{dir.Root(), upper, work} {
		if err := os.Mkdir(name, 0o755); err != nil {
			return err
		}
	}
	var names []string
	for _, layer := range layers {
		names = append(names, filepath.Base(layer))
	}
	if err := os.Chdir(filepath.Dir(layers[0])); err != nil {
		return err
	}
	defer os.Chdir("/")
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(names, ":"), upper, work)
	err := unix.Mount("overlay", dir.Root(), "overlay", 0, options)
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("mount the image with overlayfs: %w; --runtime_dir must not itself lie on overlayfs", err)
	}
	if err != nil {
		return fmt.Errorf("mount the image with overlayfs: %w", err)
	}
	return nil
}

// image is the root of an image, seen from outside. Links in it, absolute ones
// included, lead to places in it.
type image struct{ root int }

func (i image) open(name string, flags uint64) (*os.File, error) {
	fd, err := unix.Openat2(i.root, name, &unix.OpenHow{
		Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// maxAccounts is what is read of a database of users, in bytes.
const maxAccounts = 4 << 20

func (i image) database(name string) io.Reader {
	f, err := i.open(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return strings.NewReader("")
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return strings.NewReader("")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxAccounts))
	if err != nil {
		return strings.NewReader("")
	}
	return strings.NewReader(string(data))
}

// become finds a user in the image, or else on the machine: who names a user may
// mean either.
func (i image) become(p *shim.Program, name string) error {
	u, err := user.GetExecUser(name, &user.ExecUser{}, i.database("etc/passwd"), i.database("etc/group"))
	if err == nil {
		p.UID, p.GID, p.Groups = u.Uid, u.Gid, u.Sgids
		return nil
	}
	found, other := account.Lookup(name)
	if other != nil {
		return fmt.Errorf("user %q is neither in the image nor on the machine", name)
	}
	p.UID, p.GID, p.Groups = found.UID, found.GID, found.Groups
	return nil
}

// find completes the path of the program.
func (i image) find(p *shim.Program) error {
	if strings.Contains(p.Path, "/") {
		name := p.Path
		if !path.IsAbs(name) {
			name = path.Join(p.Dir, name)
		}
		if containerizer.Inside(containerizer.SandboxPath, name) {
			return nil // the kernel will tell
		}
		return i.executable(name)
	}
	for _, dir := range filepath.SplitList(p.SearchPath()) {
		name := path.Join("/", p.Dir, dir, p.Path)
		if path.IsAbs(dir) {
			name = path.Join(dir, p.Path)
		}
		if i.executable(name) == nil {
			p.Path = name
			return nil
		}
	}
	return fmt.Errorf("command %q: no such program in PATH %s of the image", p.Path, p.SearchPath())
}

func (i image) executable(name string) error {
	f, err := i.open(name, unix.O_PATH)
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("command %q: no such file in the image", name)
	case err != nil:
		return fmt.Errorf("command %q in the image: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("command %q is a folder in the image", name)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("command %q is not executable in the image", name)
	}
	return nil
}

// imageMounts are the furniture of a container with files of its own. Names of
// hosts are looked up as on the machine, whose network it is unless others say.
func imageMounts(spec shim.Spec) []*configs.Mount {
	const bind = unix.MS_BIND | unix.MS_REC
	const quiet = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV
	list := []*configs.Mount{
		{Source: "proc", Destination: "/proc", Device: "proc", Flags: quiet},
		{Source: "tmpfs", Destination: "/dev", Device: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_STRICTATIME, Data: "mode=755,size=65536k"},
		{Source: "devpts", Destination: "/dev/pts", Device: "devpts", Flags: unix.MS_NOSUID | unix.MS_NOEXEC, Data: "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{Source: "/sys", Destination: "/sys", Device: "bind", Flags: bind, RecAttr: &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}},
		{Source: spec.Config.Sandbox, Destination: containerizer.SandboxPath, Device: "bind", Flags: bind},
	}
	if spec.Config.Confinement.ShareIPC && !spec.Config.Apart {
		list = append(list, &configs.Mount{Source: "/dev/shm", Destination: "/dev/shm", Device: "bind", Flags: bind})
	} else {
		list = append(list, ipcMounts(spec.Config.Confinement.ShmSize)...)
	}
	taken := map[string]bool{}
	for _, m := range spec.Config.Mounts {
		taken[path.Clean(m.Target)] = true
	}
	for _, name := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && !taken[name] {
			list = append(list, &configs.Mount{Source: name, Destination: name, Device: "bind", Flags: bind | unix.MS_RDONLY})
		}
	}
	return list
}
