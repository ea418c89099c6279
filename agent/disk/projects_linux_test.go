package disk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// xfsEnv names a folder on XFS that was mounted with project quotas: `make
// test-cgroup2` has one.
const xfsEnv = "SOUK_TEST_XFS"

func TestSizesOfTheKernelsStructures(t *testing.T) {
	if n := unsafe.Sizeof(quota{}); n != 112 {
		t.Errorf("quota has %d bytes, want 112", n)
	}
	if n := unsafe.Sizeof(attributes{}); n != 28 {
		t.Errorf("attributes have %d bytes, want 28", n)
	}
}

func TestProjectsSayWhatIsMissing(t *testing.T) {
	var st unix.Statfs_t
	dir := t.TempDir()
	if err := unix.Statfs(dir, &st); err != nil || st.Type == unix.XFS_SUPER_MAGIC {
		t.Skip("needs a file system that is not XFS")
	}
	if _, err := OpenProjects(dir, 5000, 5009); err == nil || !strings.Contains(err.Error(), "XFS") || !strings.Contains(err.Error(), dir) {
		t.Errorf("OpenProjects() = %v, want an error that names the folder and XFS", err)
	}
}

func TestKernelHoldsProjectsToTheirLimit(t *testing.T) {
	base := os.Getenv(xfsEnv)
	if base == "" {
		t.Skip("needs XFS with project quotas: run make test-cgroup2")
	}
	dir, err := os.MkdirTemp(base, "projects")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	p, err := OpenProjects(dir, 5000, 5002)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	folder := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := os.Mkdir(folder(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if used, ok, err := p.Usage(folder("a")); ok || err != nil {
		t.Errorf("Usage() of what is no project = %d, %v, %v, want not ok", used, ok, err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := p.Assign(folder(name), 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Assign(folder("d"), 1<<20); err == nil || !strings.Contains(err.Error(), "--xfs_project_range") {
		t.Errorf("Assign() without a free number = %v, want an error that names the flag", err)
	}
	if err := os.WriteFile(folder("a/first"), make([]byte, 3<<18), 0o644); err != nil {
		t.Fatal(err)
	}
	err = os.WriteFile(folder("a/second"), make([]byte, 2<<20), 0o644)
	if !errors.Is(err, unix.EDQUOT) && !errors.Is(err, unix.ENOSPC) {
		t.Errorf("writing 2 MiB into 1 MiB = %v, want that there is no room", err)
	}
	if used, ok, err := p.Usage(folder("a")); used < 1<<19 || used > 1<<20 || !ok || err != nil {
		t.Errorf("Usage(a) = %d, %v, %v, want nearly 1 MiB", used, ok, err)
	}
	if used, _, _ := p.Usage(folder("b")); used > 64<<10 {
		t.Errorf("Usage(b) = %d, want nearly nothing", used)
	}
	if err := p.Limit(folder("a"), 4<<20); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(folder("a/deep"), 0o755), os.WriteFile(folder("a/deep/file"), make([]byte, 2<<20), 0o644)); err != nil {
		t.Errorf("writing 2 MiB with a limit of 4 = %v", err)
	}
	if used, _, _ := p.Usage(folder("a")); used < 2<<20 {
		t.Errorf("Usage(a) = %d, want what folders in it hold, too", used)
	}
	if err := os.RemoveAll(folder("b")); err != nil {
		t.Fatal(err)
	}
	// XFS lets go of files some time after their removal.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err := p.Assign(folder("d"), 2<<20); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("Assign() after a folder went = %v, want its number", err)
		}
	}
	again, err := OpenProjects(dir, 5000, 5002)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if used, ok, err := again.Usage(folder("a")); used < 2<<20 || !ok || err != nil {
		t.Errorf("Usage(a) after a restart = %d, %v, %v, want as before", used, ok, err)
	}
}
