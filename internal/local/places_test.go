package local_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/state/zkstate"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
)

// TestBadPlaces: a daemon that is given a path that is not for it ends with one
// line that says why, and changes nothing there.
func TestBadPlaces(t *testing.T) {
	e := zookeepertest.Start(t, 1)
	fill := func(owner string, below ...string) func(*testing.T, zookeeper.URL) {
		return func(t *testing.T, u zookeeper.URL) {
			if err := zkstate.Fill(t.Context(), zkstate.Config{URL: u.Below(below...), Owner: owner}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	put := func(path, data string) func(*testing.T, zookeeper.URL) {
		return func(t *testing.T, u zookeeper.URL) { create(t, u, u.Path+path, data) }
	}
	closed := func(t *testing.T, u zookeeper.URL) {
		u.User, u.Password = "souk", "secret"
		fill("a", "souk", "registry")(t, u)
	}
	tests := []struct {
		name, args string
		harm       func(*testing.T, zookeeper.URL)
		want       string
	}{
		{"registry of another cluster", "master --cluster=b --ip=127.0.0.1 --port=0", fill("a", "souk", "registry"), `it belongs to "a", not to "b": choose another path, or give --cluster=a`},
		{"registry of a newer version", "master --ip=127.0.0.1 --port=0", put("/souk/registry", `{"format":2,"owner":"a"}`), "it has format 2, this build reads up to 1: run the newer build that wrote it"},
		{"garbage in the registry's znode", "master --ip=127.0.0.1 --port=0", put("/souk/registry", "\x00kafka"), "holds something that souk did not write: choose another path, or remove it"},
		{"no permission", "master --ip=127.0.0.1 --port=0", closed, "permission denied"},
		{"no path", "master --ip=127.0.0.1 --port=0 --zk=zk://127.0.0.1:2181", nil, "it has no path"},
		{"ZooKeeper's own path", "master --ip=127.0.0.1 --port=0 --zk=zk://127.0.0.1:2181/zookeeper/souk", nil, `path element "zookeeper" cannot be used`},
		{"apps of another framework", "marathon --framework_name=b --http_address=127.0.0.1 --http_port=0 --master=127.0.0.1:1", fill("a", "souk", "state"), `it belongs to "a", not to "b"`},
		{"jobs of another framework", "chronos --mesos_framework_name=b --http_address=127.0.0.1 --http_port=0 --master=127.0.0.1:1", fill("a", "souk", "state"), `it belongs to "a", not to "b"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := zookeeper.ParseURL(e.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			args := strings.Fields(tt.args)
			before := ""
			if tt.harm != nil {
				tt.harm(t, u)
				before, args = tree(t, u), append(args, "--zk="+u.String())
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			out, err := exec.CommandContext(ctx, binary(t), args...).CombinedOutput()
			exit, _ := err.(*exec.ExitError)
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if last := lines[len(lines)-1]; exit == nil || exit.ExitCode() != 1 || !strings.HasPrefix(last, "souk: ") || !strings.Contains(last, tt.want) || len(lines) > 8 {
				t.Errorf("souk %s = %v\n%s\nwant it to end with a line that says %q", tt.args, err, out, tt.want)
			}
			if tt.harm == nil {
				return
			}
			if after := tree(t, u); after != before {
				t.Errorf("znodes after it:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// TestGarbageInTheElection: a master behind something in the election's path that
// is no master's leads nothing, says so once, and does not spin.
func TestGarbageInTheElection(t *testing.T) {
	e := zookeepertest.Start(t, 1)
	u, err := zookeeper.ParseURL(e.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	create(t, u, u.Path+"/json.info_0000000000", "garbage")
	d := startDaemon(t, "master", "--zk="+u.String(), "--ip=127.0.0.1", "--port=0", "--no-hostname_lookup")
	time.Sleep(2 * time.Second) // long enough for a loop to show
	before := usage(t, d.process.Process.Pid)
	time.Sleep(time.Second)
	spent := usage(t, d.process.Process.Pid) - before
	d.end(t, syscall.SIGTERM)
	out := d.out.String()
	if n := strings.Count(out, "json.info_0000000000"); n != 1 {
		t.Errorf("the znode is named %d times, want once:\n%s", n, out)
	}
	if strings.Contains(out, "elected") || strings.Count(out, "\n") > 10 || spent > 50 {
		t.Errorf("it used %d ticks of CPU in a second, and says\n%s", spent, out)
	}
	if got := tree(t, u); !strings.Contains(got, "/json.info_0000000000 \"garbage\"") {
		t.Errorf("znodes afterwards:\n%s", got)
	}
}

func create(t *testing.T, u zookeeper.URL, path, data string) {
	t.Helper()
	z := session(t, u)
	defer z.Close()
	if err := z.CreatePath(t.Context(), path[:strings.LastIndexByte(path, '/')], zookeeper.Mode{}); err != nil {
		t.Fatal(err)
	}
	if _, err := z.Create(t.Context(), path, []byte(data), zookeeper.Mode{}); err != nil {
		t.Fatal(err)
	}
}

func session(t *testing.T, u zookeeper.URL) *zookeeper.Session {
	t.Helper()
	z, err := zookeeper.Open(t.Context(), zookeeper.Config{URL: u})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// tree is what there is below a path, as its owner sees it, but for what goes
// with a session.
func tree(t *testing.T, u zookeeper.URL) string {
	t.Helper()
	u.User, u.Password = "souk", "secret"
	z := session(t, u)
	defer z.Close()
	var b strings.Builder
	var walk func(path string)
	walk = func(path string) {
		n, err := z.Get(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if n.Owner == 0 {
			fmt.Fprintf(&b, "%s %q\n", path, n.Data)
		}
		names, err := z.Children(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		for _, name := range names {
			walk(path + "/" + name)
		}
	}
	walk(u.Path)
	return b.String()
}

// usage is the CPU time of a process in hundredths of a second.
func usage(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, field := range strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}
