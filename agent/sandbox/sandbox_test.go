package sandbox

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/internal/files"
)

var web = Run{Agent: "S0", Framework: "F0", Executor: "web.1", Container: "c-1"}

func openStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func create(t *testing.T, s *Store, r Run) string {
	t.Helper()
	dir, err := s.Create(r, "")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCreate(t *testing.T) {
	s := openStore(t)
	dir := create(t, s, web)
	if want := filepath.Join(s.dir, "S0/frameworks/F0/executors/web.1/runs/c-1"); dir != want || s.Path(web) != want {
		t.Errorf("Create = %s, Path = %s, want %s", dir, s.Path(web), want)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("sandbox has mode %v, %v, want 0750", info.Mode(), err)
	}
	again := web
	again.Container = "c-2"
	create(t, s, again)
	if got, err := os.Readlink(filepath.Join(filepath.Dir(dir), "latest")); got != "c-2" || err != nil {
		t.Errorf("latest = %q, %v, want c-2", got, err)
	}
	if _, err := s.Create(web, ""); err == nil {
		t.Error("Create of a run that exists = nil, want an error")
	}
}

func TestCreateRefuses(t *testing.T) {
	s := openStore(t)
	for _, executor := range []string{"", "..", "a/b", "../../../x"} {
		r := web
		r.Executor = executor
		if dir, err := s.Create(r, ""); err == nil {
			t.Errorf("Create with executor %q = %s, want an error", executor, dir)
		}
	}
	if _, err := s.Create(web, "no-such-user"); err == nil || !strings.Contains(err.Error(), "no-such-user") {
		t.Errorf("Create for a user that does not exist = %v, want an error that names it", err)
	}
}

func TestFilesAreFoundByEveryPath(t *testing.T) {
	s := openStore(t)
	dir := create(t, s, web)
	write(t, filepath.Join(dir, "stdout"), "out\n")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "agent.log")
	write(t, log, "hello")
	f := NewFiles(s, map[string]string{"/slave/log": log})
	f.SetAgent("S0")
	for path, want := range map[string]string{
		dir + "/stdout":                                     "out\n",
		dir + "/./stdout":                                   "out\n",
		dir + "/sub/../stdout":                              "out\n",
		filepath.Dir(dir) + "/latest/stdout":                "out\n",
		"/frameworks/F0/executors/web.1/runs/latest/stdout": "out\n",
		"/frameworks/F0/executors/web.1/runs/c-1/stdout":    "out\n",
		"/slave/log":                                        "hello",
	} {
		file, info, err := f.Open(path)
		if err != nil {
			t.Errorf("Open(%s) = %v, want nil", path, err)
			continue
		}
		got, err := io.ReadAll(file)
		file.Close()
		if string(got) != want || info.Size() != int64(len(want)) || err != nil {
			t.Errorf("Open(%s) reads %q, %v, want %q", path, got, err, want)
		}
	}
	entries, err := f.List("/frameworks/F0/executors/web.1/runs/latest/")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range entries {
		paths = append(paths, e.Path)
	}
	want := []string{"/frameworks/F0/executors/web.1/runs/latest/stdout", "/frameworks/F0/executors/web.1/runs/latest/sub"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if entries, err := f.List(dir + "/stdout"); len(entries) != 0 || err != nil {
		t.Errorf("List of a file = %v, %v, want nothing", entries, err)
	}
	if _, _, err := f.Open(dir); !errors.Is(err, files.ErrDirectory) {
		t.Errorf("Open of a directory = %v, want files.ErrDirectory", err)
	}
}

// What lies outside a sandbox is never reached through it.
func TestNothingLeadsOut(t *testing.T) {
	s := openStore(t)
	dir := create(t, s, web)
	other := web
	other.Executor = "other"
	secret := filepath.Join(create(t, s, other), "secret")
	write(t, secret, "secret")
	outside := filepath.Join(filepath.Dir(s.dir), "outside")
	write(t, outside, "secret")
	links := map[string]string{
		"absolute": outside, "relative": "../../../../../../../../outside", "root": "/", "up": "..",
		"passwd": "/etc/passwd", "other": secret, "self": "self", "proc": "/proc/self/root/etc/passwd",
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := NewFiles(s, nil)
	f.SetAgent("S0")
	for _, path := range []string{
		"/", "", "/etc/passwd", outside, s.dir, filepath.Dir(dir), s.dir + "/S0", s.dir + "/../outside",
		dir + "/absolute", dir + "/relative", dir + "/root/etc/passwd", dir + "/up", dir + "/passwd", dir + "/other",
		dir + "/self", dir + "/proc", dir + "/pipe", dir + "/up/up/up", dir + "/\x00",
		s.dir + "/../slaves/S0/frameworks/F0/executors/web.1/runs/c-1/../../../../../../../outside",
		s.dir + "/S0/frameworks/F0/executors/../runs/c-1",
		"/frameworks/F0/executors/web.1/runs/../../../../../outside",
		"/frameworks/../../outside", "/frameworks/F0/executors/web.1/runs/c-9/stdout",
	} {
		file, _, err := f.Open(path)
		if err == nil {
			file.Close()
			t.Errorf("Open(%q) = nil, want an error", path)
		}
		if entries, err := f.List(path); err == nil && len(entries) > 0 {
			t.Errorf("List(%q) = %v, want an error", path, entries)
		}
	}
	for _, path := range []string{dir + "/..", dir + "/../c-1/stdout", dir + "/a/../../b"} {
		if _, _, err := f.Open(path); !errors.Is(err, files.ErrInaccessible) {
			t.Errorf("Open(%q) = %v, want files.ErrInaccessible", path, err)
		}
	}
}

// A sandbox that was swapped for a link leads nowhere.
func TestRunReplacedByALink(t *testing.T) {
	s := openStore(t)
	dir := create(t, s, web)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", dir); err != nil {
		t.Fatal(err)
	}
	if file, _, err := NewFiles(s, nil).Open(dir + "/passwd"); err == nil {
		file.Close()
		t.Error("Open through a linked run = nil, want an error")
	}
}

func TestCollector(t *testing.T) {
	s := openStore(t)
	dir := create(t, s, web)
	write(t, filepath.Join(dir, "stdout"), "out\n")
	second := web
	second.Container = "c-2"
	create(t, s, second)
	usage := 0.0
	c := NewCollector(s, CollectorConfig{
		Delay: 10 * time.Hour, Headroom: 0.1, Interval: time.Minute, Usage: func() (float64, error) { return usage, nil },
	})
	start := time.Now()
	c.AddAll(func(r Run) bool { return r == second })

	c.Collect(start.Add(8 * time.Hour)) // allowed to be 9 hours old
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("sandbox went too early: %v", err)
	}
	usage = 0.4 // now 5 hours
	c.Collect(start.Add(8 * time.Hour))
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("Stat of a collected sandbox = %v, want that it is gone", err)
	}
	if _, err := os.Stat(s.Path(second)); err != nil {
		t.Errorf("the live sandbox went too: %v", err)
	}
	if got := c.Counts(); got.Pending != 0 || got.Succeeded != 1 || got.MaxAge != 5*time.Hour {
		t.Errorf("Counts = %+v, want one success and a maximum age of 5h", got)
	}

	c.Add(second, start)
	usage = 1 // a full disk: at once
	c.Collect(start)
	if entries, err := os.ReadDir(s.dir); len(entries) != 0 || err != nil {
		t.Errorf("directories %v, %v are left of the last run, want none", entries, err)
	}
	if _, err := s.Create(web, ""); err != nil {
		t.Errorf("Create after everything was collected = %v, want nil", err)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("/frameworks/F0/executors/web.1/runs/latest/stdout")
	f.Add("/frameworks/../x/..//executors/")
	f.Fuzz(func(t *testing.T, name string) {
		files := NewFiles(&Store{dir: "/w/slaves"}, nil)
		files.SetAgent("S0")
		run, rest, ok := files.split(name)
		if !ok {
			return
		}
		if strings.Contains("/"+run+"/", "/../") || strings.HasPrefix(run, "/") {
			t.Errorf("split(%q) = %q, which leads out", name, run)
		}
		if inside, err := within(rest); err == nil && !filepath.IsLocal(inside) {
			t.Errorf("within(%q) = %q, which leads out", rest, inside)
		}
	})
}

// A number is a user even without an entry, as it is for the command.
func TestANumberIsAnOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving files away needs root")
	}
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir, err := s.Create(Run{Agent: "S0", Framework: "F0", Executor: "e", Container: "c"}, "1999999999")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Sys().(*syscall.Stat_t); got.Uid != 1999999999 || got.Gid != 1999999999 {
		t.Errorf("sandbox belongs to %d:%d, want the number", got.Uid, got.Gid)
	}
}
