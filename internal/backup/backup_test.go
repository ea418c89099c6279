package backup_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/soukproject/souk/internal/backup"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/zkleader"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/boltstate"
	"github.com/soukproject/souk/internal/state/zkstate"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

var shared zookeepertest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Close()
	os.Exit(code)
}

func services() []backup.Service {
	one := func(name string) backup.Service {
		return backup.Service{
			Name: name, File: name + ".db", Format: zkleader.Latches(),
			Election: func(u zookeeper.URL) zookeeper.URL { return u.Below("election") },
			State:    func(u zookeeper.URL) zookeeper.URL { return u.Below("state") },
		}
	}
	return []backup.Service{one("master"), one("marathon")}
}

func run(t *testing.T, args ...string) error {
	t.Helper()
	var out bytes.Buffer
	err := backup.Run(t.Context(), services(), args, nil, &out)
	if err == nil && out.Len() == 0 {
		t.Errorf("%v says nothing", args)
	}
	return err
}

// must runs a command that works.
func must(t *testing.T, args ...string) {
	t.Helper()
	if err := run(t, args...); err != nil {
		t.Fatalf("souk state %s: %v", strings.Join(args, " "), err)
	}
}

// refused runs one that does not.
func refused(t *testing.T, want string, args ...string) {
	t.Helper()
	err := run(t, args...)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("souk state %s = %v, want one line with: %s", strings.Join(args, " "), err, want)
	}
}

// folder is a work directory of `souk local` in which each service has n entries.
func folder(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for _, s := range services() {
		store, err := boltstate.Open(filepath.Join(dir, s.Name, s.File))
		if err != nil {
			t.Fatal(err)
		}
		var ops []state.Op
		for i := range n {
			ops = append(ops, state.Op{Entry: state.Entry{Name: fmt.Sprintf("%s/%d é", s.Name, i), Value: []byte{byte(i), 0xff, '\n'}}})
		}
		if err := state.ApplyAll(t.Context(), store, ops); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func list(t *testing.T, path string) []state.Entry {
	t.Helper()
	store, err := boltstate.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	found, err := store.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func url(t *testing.T) string { return shared.Get(t).URL(t) }

func config(t *testing.T, text string) zkstate.Config {
	t.Helper()
	u, err := zookeeper.ParseURL(text)
	if err != nil {
		t.Fatal(err)
	}
	return zkstate.Config{URL: u.Below("state"), Owner: "mine", OwnerFlag: "--cluster"}
}

// TestRoundTrip: what was on one machine is the same in ZooKeeper and, from
// there, on one machine again.
func TestRoundTrip(t *testing.T) {
	dir, to, files := folder(t, 5000), t.TempDir(), t.TempDir()
	one, two := filepath.Join(files, "one"), filepath.Join(files, "two")
	master, marathon := url(t), url(t)+"-marathon"
	must(t, "export", "--work_dir", dir, "--cluster", "mine", "--file", one)
	must(t, "import", "--file", one, "--master", master, "--marathon", marathon)
	must(t, "export", "--file", two, "--master", master, "--marathon", marathon)
	must(t, "import", "--file", two, "--work_dir", to)
	for _, s := range services() {
		from := filepath.Join(s.Name, s.File)
		if d := cmp.Diff(list(t, filepath.Join(dir, from)), list(t, filepath.Join(to, from)), cmpopts.IgnoreFields(state.Entry{}, "Version")); d != "" {
			t.Error(d)
		}
	}
	a, b := read(t, one), read(t, two)
	if a != b {
		t.Error("two exports of the same state differ")
	}
	if info, err := os.Stat(one); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the file = %v, %v", info.Mode(), err)
	}
	left, err := filepath.Glob(filepath.Join(to, "*", ".import-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	other := config(t, master)
	other.Owner = "other"
	if err := zkstate.Check(t.Context(), other); err == nil || !strings.Contains(err.Error(), `it belongs to "mine"`) {
		t.Errorf("the store of another cluster: %v", err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRefusals(t *testing.T) {
	dir, files := folder(t, 3), t.TempDir()
	file, empty := filepath.Join(files, "file"), t.TempDir()
	must(t, "export", "--work_dir", dir, "--file", file)

	refused(t, "exists: name another one", "export", "--work_dir", dir, "--file", file)
	refused(t, "there is no state of the master", "export", "--work_dir", empty, "--file", filepath.Join(files, "new"))
	refused(t, "no place of any state is named", "export", "--file", filepath.Join(files, "new"))
	refused(t, "flag --file is required", "import", "--work_dir", empty)
	refused(t, "write export or import", "copy")
	refused(t, "say where it goes with --marathon", "import", "--file", file, "--master", empty)
	refused(t, "it is not empty", "import", "--file", file, "--work_dir", dir)

	store, err := boltstate.Open(filepath.Join(dir, "master", "master.db"))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "is in use by another process", "export", "--work_dir", dir, "--file", filepath.Join(files, "new"))
	refused(t, "is in use by another process", "import", "--file", file, "--work_dir", dir)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	whole := read(t, file)
	torn := filepath.Join(files, "torn")
	if err := os.WriteFile(torn, []byte(whole[:len(whole)/2]), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, "the file is torn", "import", "--file", torn, "--work_dir", empty)
	newer := filepath.Join(files, "newer")
	if err := os.WriteFile(newer, []byte(strings.Replace(whole, `"format":1`, `"format":9`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, "this build reads up to 1", "import", "--file", newer, "--work_dir", empty)
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("refused imports left %v, %v", left, err)
	}
	must(t, "import", "--file", file, "--master", empty, "--marathon=none")
}

func TestRefusalsOfZooKeeper(t *testing.T) {
	dir, file := folder(t, 3), filepath.Join(t.TempDir(), "file")
	u := url(t)
	cfg := config(t, u)
	place := []string{"--file", file, "--master", u, "--marathon=none"}
	refused(t, "there is no state at zk://", "export", "--file", file+"2", "--master", u)
	must(t, "export", "--work_dir", dir, "--file", file)

	ctx, resign := context.WithCancel(t.Context())
	election := zkleader.Config{URL: cfg.URL, Format: zkleader.Latches()}
	election.URL.Path = strings.TrimSuffix(cfg.URL.Path, "/state") + "/election"
	lost, err := zkleader.NewContender(election, leader.Leader{ID: "h:1", Address: "h:1"}).Contend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "a master leads at zk://", append([]string{"import"}, place...)...)
	resign()
	<-lost

	store, err := zkstate.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	first, err := store.Apply(t.Context(), state.Op{Entry: state.Entry{Name: "a", Value: []byte("1")}})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "it is not empty", append([]string{"import"}, place...)...)
	gone := first[0]
	if _, err := store.Apply(t.Context(), state.Op{Entry: gone, Delete: true}); err != nil {
		t.Fatal(err)
	}
	must(t, append([]string{"import"}, place...)...)
	if _, err := store.Apply(t.Context(), state.Op{Entry: state.Entry{Name: "a", Value: []byte("1")}}); err == nil {
		t.Error("whoever opened the store before the import can still write")
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, "not empty", append([]string{"import"}, place...)...)
}

// TestImportThatWasCutOff: the store it left cannot be opened, and another
// import makes it whole.
func TestImportThatWasCutOff(t *testing.T) {
	dir, file := folder(t, 9000), filepath.Join(t.TempDir(), "file")
	u := url(t)
	cfg := config(t, u)
	must(t, "export", "--work_dir", dir, "--cluster", "mine", "--file", file)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	entries := list(t, filepath.Join(dir, "master", "master.db"))
	go func() { ended <- zkstate.Fill(ctx, cfg, entries) }()
	for deadline := time.Now().Add(time.Minute); ; {
		if err := zkstate.Check(t.Context(), cfg); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the import was not seen at work")
		}
	}
	cancel()
	if err := <-ended; err == nil {
		t.Skip("it was quicker than the test")
	}
	const want = "'souk state import' has not ended there"
	if _, err := zkstate.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Open = %v, want %s", err, want)
	}
	must(t, "import", "--file", file, "--master", u, "--marathon=none")
	found, err := zkstate.Read(t.Context(), cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(entries, found, cmpopts.IgnoreFields(state.Entry{}, "Version")); d != "" {
		t.Errorf("after the second import: %.500s", d)
	}
}
