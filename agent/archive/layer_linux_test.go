package archive_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/archive"
)

func layer(t *testing.T, entries ...entry) (dir string, err error) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("layers keep owners, which needs root")
	}
	dir = t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	return dir, archive.Tar(root, bytes.NewReader(tarball(t, entries...)), archive.Options{Layer: true})
}

func TestLayerMarksWhatItDeletes(t *testing.T) {
	dir, err := layer(t, entry{name: "etc/.wh.gone"}, entry{name: "var/.wh..wh..opq"}, entry{name: "var/new", content: "x"}, entry{name: ".wh..wh.plnk/1.2"})
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(dir, "etc/gone"), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != 0 {
		t.Errorf("etc/gone = mode %o, device %d, %v, want device 0,0", st.Mode, st.Rdev, err)
	}
	value := make([]byte, 8)
	n, err := unix.Getxattr(filepath.Join(dir, "var"), "trusted.overlay.opaque", value)
	if err != nil || string(value[:n]) != "y" {
		t.Errorf("attribute of var = %q, %v, want y", value[:max(n, 0)], err)
	}
}

func TestLayerKeepsRights(t *testing.T) {
	dir, err := layer(t, entry{name: "bin/su", content: "x", mode: 0o4755}, entry{name: "tmp/", kind: tar.TypeDir, mode: 0o1777}, entry{name: "pipe", kind: tar.TypeFifo})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"bin/su": os.ModeSetuid | 0o755, "tmp": os.ModeDir | os.ModeSticky | 0o777, "pipe": os.ModeNamedPipe | 0o644} {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("mode of %s = %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "bin")); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("owner of a folder that the layer does not tell of = %v, %v, want root", info, err)
	}
}

func TestLayerAttacks(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries []entry
		want    string
	}{
		{"deletes the folder", []entry{{name: ".wh."}}, "deletes what is not"},
		{"deletes the folder by a dot", []entry{{name: ".wh.."}}, "deletes what is not"},
		{"deletes the parent", []entry{{name: ".wh..."}}, "deletes what is not"},
		{"deletes through a link", []entry{{name: "l", link: "..", kind: tar.TypeSymlink}, {name: "l/.wh.x"}}, "escapes"},
		{"opaque through a link", []entry{{name: "l", link: "/etc", kind: tar.TypeSymlink}, {name: "l/x/.wh..wh..opq"}}, "escapes"},
		{"a mark of its own", []entry{{name: "x", kind: tar.TypeChar}}, "mark of a deleted file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := layer(t, tt.entries...); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Tar() = %v, want %q", err, tt.want)
			}
		})
	}
}
