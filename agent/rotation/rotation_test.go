package rotation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// content reads the files of a folder, the numbers of long ones only.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range list {
		if data, err := os.ReadFile(filepath.Join(dir, e.Name())); err == nil {
			files[e.Name()] = string(data)
		}
	}
	return files
}

// writer appends like a task that holds its file open.
func writer(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// folders are of file systems that can, and that cannot, take the beginning away.
func folders(t *testing.T) []string {
	t.Helper()
	memory, err := os.MkdirTemp("/dev/shm", "souk-rotation")
	if err != nil {
		return []string{t.TempDir()}
	}
	t.Cleanup(func() { os.RemoveAll(memory) })
	return []string{t.TempDir(), memory}
}

func TestRotationLosesNothingThatIsKept(t *testing.T) {
	for _, dir := range folders(t) {
		out := writer(t, filepath.Join(dir, "stdout"))
		f := File{Folder: dir, Name: "stdout", Policy: Policy{Size: 10_000, Keep: 3}}
		var all strings.Builder
		for i := range 6 {
			text := strings.Repeat(strconv.Itoa(i), 7_000)
			all.WriteString(text)
			if _, err := out.WriteString(text); err != nil {
				t.Fatal(err)
			}
			if err := f.Rotate(); err != nil {
				t.Fatal(err)
			}
		}
		files := content(t, dir)
		got := files["stdout.3"] + files["stdout.2"] + files["stdout.1"] + files["stdout"]
		if !strings.HasSuffix(all.String(), got) || len(got) < 20_000 {
			t.Errorf("%s: %d bytes were kept, not the last ones in order", dir, len(got))
		}
		if len(files) > 4 || len(files["stdout"]) > 10_000 {
			t.Errorf("%s: %d files, the newest of %d bytes, want 4 at most and 10000", dir, len(files), len(files["stdout"]))
		}
	}
}

func TestRotationOfWhatIsWrittenMeanwhile(t *testing.T) {
	dir := t.TempDir()
	if collapse(writer(t, filepath.Join(dir, "probe")), 4096) == errors.ErrUnsupported {
		t.Skip("needs a file system that takes the beginning of files away")
	}
	os.Remove(filepath.Join(dir, "probe"))
	out := writer(t, filepath.Join(dir, "stdout"))
	var stop atomic.Bool
	written := make(chan string)
	go func() {
		var all strings.Builder
		for i := 0; !stop.Load(); i++ {
			line := fmt.Sprintf("line %d\n", i)
			out.WriteString(line)
			all.WriteString(line)
		}
		written <- all.String()
	}()
	f := File{Folder: dir, Name: "stdout", Policy: Policy{Size: 8192, Keep: 30}}
	for range 20 {
		if err := f.Rotate(); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Millisecond) // for the writer, which is another process in real life
	}
	stop.Store(true)
	all := <-written
	files := content(t, dir)
	var got bytes.Buffer
	for n := len(files) - 1; n > 0; n-- {
		got.WriteString(files[f.numbered(n)])
	}
	got.WriteString(files["stdout"])
	if got.String() != all {
		t.Errorf("%d bytes in %d files, want the %d that were written", got.Len(), len(files), len(all))
	}
}

func TestRotationKeepsNothingIfThatIsWanted(t *testing.T) {
	for _, dir := range folders(t) {
		writer(t, filepath.Join(dir, "stdout")).WriteString(strings.Repeat("x", 50_000))
		if err := (File{Folder: dir, Name: "stdout", Policy: Policy{Size: 10}}).Rotate(); err != nil {
			t.Fatal(err)
		}
		if files := content(t, dir); len(files) != 1 || len(files["stdout"]) >= 4097 {
			t.Errorf("%s: %d files, the first of %d bytes, want one that is nearly empty", dir, len(files), len(files["stdout"]))
		}
	}
}

func TestSmallFilesStay(t *testing.T) {
	dir := t.TempDir()
	writer(t, filepath.Join(dir, "stdout")).WriteString("0123456789")
	f := File{Folder: dir, Name: "stdout", Policy: Policy{Size: 10, Keep: 2}}
	if err := f.Rotate(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"stdout": "0123456789"}, content(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// A task may put anything in place of its files: nothing but its own is changed.
func TestRotationTouchesNothingOutside(t *testing.T) {
	big := strings.Repeat("x", 20_000)
	for _, tt := range []struct {
		name string
		trap func(dir, victim string) error
		sane bool // it is rotated all the same
	}{
		{"a link in place of the output", func(dir, victim string) error { return os.Symlink(victim, dir+"/stdout") }, false},
		{"another name of somebody's file", func(dir, victim string) error { return os.Link(victim, dir+"/stdout") }, false},
		{"a folder in place of the output", func(dir, victim string) error { return os.Mkdir(dir+"/stdout", 0o755) }, false},
		{"a link in place of an older file", func(dir, victim string) error {
			return errors.Join(os.WriteFile(dir+"/stdout", []byte(big), 0o644), os.Symlink(victim, dir+"/stdout.1"), os.Symlink(victim, dir+"/stdout.2"))
		}, true},
		{"a link in place of the copy", func(dir, victim string) error {
			return errors.Join(os.WriteFile(dir+"/stdout", []byte(big), 0o644), os.Symlink(victim, dir+"/.stdout.rotating"))
		}, true},
		{"folders in place of older files", func(dir, victim string) error {
			return errors.Join(os.WriteFile(dir+"/stdout", []byte(big), 0o644), os.MkdirAll(dir+"/stdout.1/a", 0o755), os.MkdirAll(dir+"/stdout.2/b", 0o755))
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
			if err := errors.Join(os.WriteFile(victim, []byte(big), 0o600), tt.trap(dir, victim)); err != nil {
				t.Fatal(err)
			}
			err := File{Folder: dir, Name: "stdout", Policy: Policy{Size: 10_000, Keep: 2}}.Rotate()
			if data, failed := os.ReadFile(victim); failed != nil || string(data) != big {
				t.Fatalf("the file outside has %d bytes, %v, want %d", len(data), failed, len(big))
			}
			if files := content(t, dir); tt.sane && (err != nil || len(files["stdout"]) > 10_000 || len(files["stdout.1"]) < 10_000) {
				t.Errorf("Rotate() = %v, and %d and %d bytes, want that it is rotated", err, len(files["stdout"]), len(files["stdout.1"]))
			}
		})
	}
}

func TestRotatorLeavesAloneWhatFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/stdout", 0o755); err != nil {
		t.Fatal(err)
	}
	writer(t, dir+"/stderr").WriteString(strings.Repeat("x", 9_000))
	p := Policy{Size: 1, Keep: 1}
	r := New(Config{Files: func(context.Context) ([]File, error) {
		return []File{{dir, "stdout", p}, {dir, "stderr", p}, {dir, "none", p}}, nil
	}})
	now := time.Now()
	r.round(t.Context(), now)
	if len(content(t, dir)["stderr.1"]) < 8192 {
		t.Error("stderr was not rotated because stdout could not be")
	}
	if err := errors.Join(os.Remove(dir+"/stdout"), os.WriteFile(dir+"/stdout", make([]byte, 9_000), 0o644)); err != nil {
		t.Fatal(err)
	}
	r.round(t.Context(), now.Add(pause/2))
	if _, err := os.Stat(dir + "/stdout.1"); err == nil {
		t.Error("a file that could not be rotated was tried again too soon")
	}
	r.round(t.Context(), now.Add(2*pause))
	if _, err := os.Stat(dir + "/stdout.1"); err != nil {
		t.Errorf("it was not tried again: %v", err)
	}
}
