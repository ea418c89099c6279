//go:build linux

package runc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/runc"
)

// busybox makes the layers of a small image: a busybox, and above it a layer that
// adds a user and deletes a file.
func busybox(t *testing.T) *containerizer.Rootfs {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	program, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs busybox-static")
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	store, err := os.MkdirTemp("/var/tmp", "souk-image") // overlayfs does not go on top of itself
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(store) })
	base, top := filepath.Join(store, "base"), filepath.Join(store, "top")
	write(t, filepath.Join(base, "bin/busybox"), string(data))
	if err := os.Chmod(filepath.Join(base, "bin/busybox"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "cat", "ls", "id", "touch", "echo", "pwd", "readlink", "mount", "test", "wc"} {
		if err := os.Symlink("/bin/busybox", filepath.Join(base, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(base, "gone"), "")
	write(t, filepath.Join(top, "etc/passwd"), "root:x:0:0::/:/bin/sh\napp:x:1234:1235::/:/bin/sh\n")
	write(t, filepath.Join(top, "etc/group"), "app:x:1235:\nextra:x:77:app\n")
	if err := unix.Mknod(filepath.Join(top, "gone"), unix.S_IFCHR, 0); err != nil {
		t.Fatal(err)
	}
	return &containerizer.Rootfs{Layers: []string{top, base}}
}

// openOnDisk is open with records where an overlay can be made.
func openOnDisk(t *testing.T) (c *runc.Containerizer, dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "souk-run")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return open(t, dir, parent(t, runc.Full)), dir
}

func TestImageIsSeenFromInside(t *testing.T) {
	image := busybox(t)
	c, dir := openOnDisk(t)
	machine := t.TempDir()
	write(t, filepath.Join(machine, "f"), "from the machine\n")
	for i, tt := range []struct {
		name string
		edit func(*containerizer.Config)
		want string
	}{
		{"files", func(c *containerizer.Config) { c.Command.Value = "ls / && ls /gone 2>/dev/null || echo deleted" }, "bin\ndev\netc\nmnt\nproc\nsys\ndeleted\n"},
		{"sandbox", func(c *containerizer.Config) { c.Command.Value = "pwd; echo x > file; ls" }, "/mnt/mesos/sandbox\nfile\nstderr\nstdout\n"},
		{"user by name", func(c *containerizer.Config) {
			c.Command.Value, c.Command.User = "id -u; id -g; id -G; touch own && echo mine", "app"
		}, "1234\n1235\n1235 77\nmine\n"},
		{"user and group", func(c *containerizer.Config) { c.Command.Value, c.Command.User = "id -u; id -g", "12:app" }, "12\n1235\n"},
		{"program in PATH", func(c *containerizer.Config) {
			c.Command = containerizer.Command{Value: "echo", Args: []string{"echo", "hello"}}
		}, "hello\n"},
		{"work directory", func(c *containerizer.Config) { c.Command.Value, c.Command.WorkDir = "pwd", "/etc" }, "/etc\n"},
		{"devices", func(c *containerizer.Config) {
			c.Command.Value = "echo x > /dev/null && ls /dev/zero /dev/sda 2>/dev/null"
		}, "/dev/zero\n"},
		{"volume made in the image", func(c *containerizer.Config) {
			c.Command.Value = "cat /data/set/f rel/f"
			c.Mounts = []containerizer.Mount{{Kind: containerizer.Bind, Source: machine, Target: "/data/set"}, {Kind: containerizer.Bind, Source: machine, Target: "rel"}}
		}, "from the machine\nfrom the machine\n"},
		{"written to", func(c *containerizer.Config) { c.Command.Value = "echo x > /written && cat /written" }, "x\n"},
		{"not kept", func(c *containerizer.Config) { c.Command.Value = "test -e /written || echo clean" }, "clean\n"},
		{"confined", func(c *containerizer.Config) {
			c.Command.Value = "mount -t tmpfs x /mnt 2>/dev/null || echo refused; echo x 2>/dev/null >/sys/x || echo refused"
		}, "refused\nrefused\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := shell("c"+string(rune('a'+i)), t.TempDir(), "")
			cfg.Command.Env, cfg.Rootfs = []string{"PATH=/bin"}, image
			tt.edit(&cfg)
			if cfg.Command.Args != nil {
				cfg.Command.Env = []string{"PATH=/bin"}
			}
			if got := run(t, c, cfg); got != tt.want {
				t.Errorf("output = %q, want %q", got, tt.want)
			}
		})
	}
	if left := list(t, filepath.Join(dir, "containers")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestImagesThatCannotRun(t *testing.T) {
	image := busybox(t)
	c, dir := openOnDisk(t)
	for i, tt := range []struct {
		name string
		edit func(*containerizer.Config)
		want string
	}{
		{"no program", func(c *containerizer.Config) { c.Command = containerizer.Command{Value: "nothing"} }, "no such program in PATH"},
		{"no file", func(c *containerizer.Config) { c.Command = containerizer.Command{Value: "/bin/nothing"} }, "no such file in the image"},
		{"the machine's file", func(c *containerizer.Config) { c.Command = containerizer.Command{Value: "/usr/bin/env"} }, "no such file in the image"},
		{"not executable", func(c *containerizer.Config) { c.Command = containerizer.Command{Value: "/etc/passwd"} }, "not executable"},
		{"no user", func(c *containerizer.Config) { c.Command.User = "nobody-at-all" }, "neither in the image nor on the machine"},
		{"no layer", func(c *containerizer.Config) {
			c.Rootfs = &containerizer.Rootfs{Layers: []string{filepath.Join(filepath.Dir(image.Layers[0]), "absent")}}
		}, "no such file or directory"},
		{"layer name with a colon", func(c *containerizer.Config) { c.Rootfs = &containerizer.Rootfs{Layers: []string{"/a:b"}} }, "layer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := shell("c"+string(rune('a'+i)), t.TempDir(), "true")
			cfg.Rootfs = image
			tt.edit(&cfg)
			if _, err := c.Launch(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Launch() = %v, want %q", err, tt.want)
			}
		})
	}
	if left := list(t, filepath.Join(dir, "containers")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// One of a group may have an image of its own: the network, the host name and the
// cgroup are the group's nevertheless.
func TestImageInAGroup(t *testing.T) {
	image := busybox(t)
	c, _ := openOnDisk(t)
	if _, err := c.Launch(t.Context(), containerizer.Config{ID: "p", Sandbox: t.TempDir(), Idle: true}); err != nil {
		t.Fatal(err)
	}
	show := func(id string, rootfs *containerizer.Rootfs) string {
		cfg := shell(id, t.TempDir(), "readlink /proc/self/ns/net; readlink /proc/self/ns/uts; cat /proc/self/cgroup; test -e /usr || echo in the image")
		cfg.Rootfs, cfg.Parent, cfg.Apart, cfg.OwnPIDs = rootfs, "p", true, true
		return run(t, c, cfg)
	}
	plain, imaged := show("p.1", nil), show("p.2", image)
	if imaged != plain+"in the image\n" {
		t.Errorf("with an image:\n%swithout:\n%s", imaged, plain)
	}
	if err := c.Destroy(t.Context(), "p"); err != nil {
		t.Errorf("Destroy(p) = %v, want nil", err)
	}
}
