package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/soukproject/souk/agent/archive"
)

// entry is a member of a tar archive.
type entry struct {
	name, content, link string
	kind                byte
	mode                int64
}

func tarball(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		if e.mode == 0 {
			e.mode = 0o644
		}
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: e.mode, Linkname: e.link, Size: int64(len(e.content)), Uid: os.Getuid(), Gid: os.Getgid()}
		if e.kind != tar.TypeReg {
			h.Size = 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content[:h.Size]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// compressed is data as the suffix of name says.
func compressed(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch {
	case strings.HasSuffix(name, "gz"):
		w = gzip.NewWriter(&b)
	case strings.HasSuffix(name, "xz"):
		w, err = xz.NewWriter(&b)
	case strings.HasSuffix(name, "zst"):
		w, err = zstd.NewWriter(&b)
	case strings.HasSuffix(name, "bz2"):
		cmd := exec.Command("bzip2", "-c")
		cmd.Stdin, cmd.Stdout = bytes.NewReader(data), &b
		if err := cmd.Run(); err != nil {
			t.Skipf("needs bzip2: %v", err)
		}
		return b.Bytes()
	default:
		return data
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpack unpacks data below a fresh folder, beside which lies a file that nobody
// may touch.
func unpack(t *testing.T, name string, data []byte, o archive.Options) (dir string, err error) {
	t.Helper()
	outer := t.TempDir()
	dir = filepath.Join(outer, "in")
	for path, text := range map[string]string{"in/.keep": "", "outside": "untouched"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(outer, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(outer, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "archive")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	err = archive.Unpack(root, f, name, o)
	info, statErr := os.Stat(filepath.Join(outer, "outside"))
	got, readErr := os.ReadFile(filepath.Join(outer, "outside"))
	names, _ := os.ReadDir(outer)
	if statErr != nil || readErr != nil || string(got) != "untouched" || info.Mode().Perm() != 0o600 || len(names) != 2 {
		t.Errorf("outside of the folder: %v, %q, %v, %v, want it untouched", names, got, statErr, readErr)
	}
	return dir, err
}

func TestFormats(t *testing.T) {
	data := tarball(t, entry{name: "d/", kind: tar.TypeDir, mode: 0o755}, entry{name: "./d/f", content: "hello", mode: 0o4755},
		entry{name: "/abs", content: "no slash"}, entry{name: "l", link: "d/f", kind: tar.TypeSymlink}, entry{name: "h", link: "d/f", kind: tar.TypeLink})
	for _, name := range []string{"a.tar", "a.tgz", "a.tar.gz", "A.TAR.GZ", "a.tbz2", "a.tar.bz2", "a.txz", "a.tar.xz", "a.tzst", "a.tar.zst"} {
		t.Run(name, func(t *testing.T) {
			dir, err := unpack(t, name, compressed(t, strings.ToLower(name), data), archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for file, want := range map[string]string{"d/f": "hello", "abs": "no slash", "l": "hello", "h": "hello"} {
				if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != want {
					t.Errorf("%s = %q, %v, want %q", file, got, err, want)
				}
			}
			if info, err := os.Stat(filepath.Join(dir, "d/f")); err != nil || info.Mode() != 0o755 {
				t.Errorf("mode = %v, %v, want 0755 without set-user-id", info.Mode(), err)
			}
		})
	}
}

func TestZip(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range map[string]string{"d/f": "hello", "e/": ""} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, text)
	}
	h := &zip.FileHeader{Name: "l"}
	h.SetMode(fs.ModeSymlink | 0o777)
	f, err := w.CreateHeader(h)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "d/f")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir, err := unpack(t, "a.zip", b.Bytes(), archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "l")); err != nil || string(got) != "hello" {
		t.Errorf("l = %q, %v, want hello", got, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "e")); err != nil || !info.IsDir() {
		t.Errorf("e = %v, %v, want a folder", info, err)
	}
}

func TestCompressedFile(t *testing.T) {
	dir, err := unpack(t, "data.json.gz", compressed(t, "gz", []byte("{}")), archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "data.json")); err != nil || string(got) != "{}" {
		t.Errorf("data.json = %q, %v, want {}", got, err)
	}
}

// TestAttacks: unpack checks that nothing outside changed, too.
func TestAttacks(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries []entry
		want    string // in the error
	}{
		{"dots", []entry{{name: "../outside", content: "x"}}, "leads out"},
		{"dots inside", []entry{{name: "a/../../outside", content: "x"}}, "leads out"},
		{"folder with dots", []entry{{name: "../x/", kind: tar.TypeDir}}, "leads out"},
		{"through an absolute link", []entry{{name: "l", link: "/tmp", kind: tar.TypeSymlink}, {name: "l/planted-by-souk-test", content: "x"}}, "escapes"},
		{"through a relative link", []entry{{name: "l", link: "..", kind: tar.TypeSymlink}, {name: "l/outside", content: "x"}}, "escapes"},
		{"through two links", []entry{{name: "a", link: ".", kind: tar.TypeSymlink}, {name: "b", link: "a/..", kind: tar.TypeSymlink}, {name: "b/outside", content: "x"}}, "escapes"},
		{"over a link", []entry{{name: "l", link: "../outside", kind: tar.TypeSymlink}, {name: "l", content: "x"}}, ""},
		{"folder over a link", []entry{{name: "l", link: "..", kind: tar.TypeSymlink}, {name: "l/", kind: tar.TypeDir, mode: 0o777}}, ""},
		{"hard link out", []entry{{name: "h", link: "../outside", kind: tar.TypeLink}}, "leads out"},
		{"absolute hard link", []entry{{name: "h", link: "/etc/passwd", kind: tar.TypeLink}}, "does not hold"},
		{"hard link through a link", []entry{{name: "l", link: "..", kind: tar.TypeSymlink}, {name: "h", link: "l/outside", kind: tar.TypeLink}}, "escapes"},
		{"hard link to a link out, then written", []entry{{name: "l", link: "../outside", kind: tar.TypeSymlink}, {name: "h", link: "l", kind: tar.TypeLink}, {name: "h", content: "x"}}, ""},
		{"device", []entry{{name: "d", kind: tar.TypeBlock}}, "device"},
		{"pipe", []entry{{name: "p", kind: tar.TypeFifo}}, "pipe"},
		{"the folder itself", []entry{{name: "./", content: "", kind: tar.TypeSymlink, link: ".."}}, "takes the place"},
		{"link to itself", []entry{{name: "a", link: "a", kind: tar.TypeLink}}, "itself"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := unpack(t, "a.tar", tarball(t, tt.entries...), archive.Options{})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Unpack() = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestBombs(t *testing.T) {
	zeros := tarball(t, entry{name: "zeros", content: strings.Repeat("\x00", 1<<20)})
	many := make([]entry, 101)
	for i := range many {
		many[i] = entry{name: strings.Repeat("d", i+1)}
	}
	for _, tt := range []struct {
		name string
		data []byte
		o    archive.Options
	}{
		{"too large", compressed(t, "gz", zeros), archive.Options{Bytes: 1 << 19}},
		{"too many", compressed(t, "gz", tarball(t, many...)), archive.Options{Entries: 100}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := unpack(t, "a.tgz", tt.data, tt.o); !errors.As(err, new(*archive.LimitError)) {
				t.Errorf("Unpack() = %v, want a LimitError", err)
			}
		})
	}
}

func TestDamage(t *testing.T) {
	whole := compressed(t, "gz", tarball(t, entry{name: "f", content: strings.Repeat("0123456789", 1000)}))
	for _, n := range []int{0, 5, len(whole) / 2, len(whole) - 4} {
		if _, err := unpack(t, "a.tgz", whole[:n], archive.Options{}); err == nil {
			t.Errorf("Unpack() of the first %d of %d bytes = nil, want an error", n, len(whole))
		}
	}
	if _, err := unpack(t, "a.zip", whole, archive.Options{}); err == nil {
		t.Error("Unpack() of a tar archive as zip = nil, want an error")
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add("a.tar", tarball(f, entry{name: "l", link: "..", kind: tar.TypeSymlink}, entry{name: "l/x", content: "y"}))
	f.Add("a.zip", []byte("PK\x05\x06"))
	f.Add("a.tgz", []byte{0x1f, 0x8b, 8})
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if len(name) > 100 || strings.ContainsAny(name, "/\x00") || !archive.Known(name) {
			return
		}
		_, err := unpack(t, name, data, archive.Options{Bytes: 1 << 20, Entries: 100})
		_ = err // any answer will do; unpack sees to the rest
	})
}
