package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What does not fit on the disk is stored once there is room; what was stored
// before stays, and the reserve comes first.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("souk-test", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("mount a file system: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	l := open(t, dir)
	hog := filepath.Join(dir, "hog")
	if err := os.WriteFile(hog, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
	megabyte := strings.Repeat("x", 1<<20)
	appendAll(t, l, batch{framework("a", megabyte)}) // from the reserve
	err := l.Append(batch{framework("b", "1")}, batch{framework("c", megabyte+megabyte)})
	if !errors.Is(err, ErrNoSpace) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("Append = %v, want ErrNoSpace", err)
	}
	l.Close()
	l = open(t, dir) // needs no room
	check(t, l, framework("a", megabyte))
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	appendAll(t, l, batch{framework("c", "2")})
	l.Close()
	check(t, open(t, dir), framework("a", megabyte), framework("c", "2"))
	if info, err := os.Stat(l.reservePath()); err != nil || info.Size() != reserveSize {
		t.Errorf("reserve: %v, %v; want it made again", info, err)
	}
}
