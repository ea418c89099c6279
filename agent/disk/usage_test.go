//go:build unix

package disk

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// du is what the program of that name counts.
func du(t *testing.T, dir string) int64 {
	t.Helper()
	out, err := exec.Command("du", "-sx", "--block-size=1", dir).Output()
	if err != nil {
		t.Skipf("needs GNU du: %v", err)
	}
	n, err := strconv.ParseInt(strings.Fields(string(out))[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUsageIsThatOfDu(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write := func(path string, size int) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, make([]byte, size), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(outside, "big"), 1<<20)
	steps := []struct {
		name string
		do   func() error
	}{
		{"nothing", func() error { return nil }},
		{"files", func() error { write(dir+"/a", 100_000); write(dir+"/b/c/d", 5_000); return nil }},
		{"a second name", func() error { return os.Link(dir+"/a", dir+"/b/a") }},
		{"a hole", func() error { write(dir+"/hole", 1); return os.Truncate(dir+"/hole", 1<<30) }},
		{"links that lead out", func() error {
			return errors.Join(os.Symlink(outside, dir+"/out"), os.Symlink(filepath.Join(outside, "big"), dir+"/b/big"))
		}},
		{"a folder without rights", func() error { return os.Mkdir(dir+"/closed", 0) }},
		{"a file less", func() error { return os.Remove(dir + "/b/c/d") }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		got, err := Usage(t.Context(), dir)
		if want := du(t, dir); err != nil || got != want {
			t.Errorf("%s: Usage() = %d, %v, want %d", step.name, got, err, want)
		}
	}
}

func TestUsageOfWhatIsNoFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir + "/none", dir + "/link"} {
		if n, err := Usage(t.Context(), path); err == nil || n != 0 {
			t.Errorf("Usage(%s) = %d, %v, want an error", path, n, err)
		}
	}
}

// Whoever digs deeper than anybody counts does not get away with it.
func TestUsageGivesUpInTheDepth(t *testing.T) {
	dir := t.TempDir()
	deep := dir
	for range maxDepth + 2 {
		deep += "/d"
	}
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	if n, err := Usage(t.Context(), dir); !errors.Is(err, ErrImmeasurable) {
		t.Errorf("Usage() = %d, %v, want ErrImmeasurable", n, err)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open after that, want %d", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func BenchmarkUsage(b *testing.B) {
	dir := b.TempDir()
	for i := range 5000 {
		path := filepath.Join(dir, strconv.Itoa(i%50), strconv.Itoa(i))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := Usage(b.Context(), dir); err != nil {
			b.Fatal(err)
		}
	}
}
