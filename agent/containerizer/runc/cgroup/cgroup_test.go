package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soukproject/souk/agent/containerizer"
)

const hybrid = `24 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
31 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,seclabel,cpu,cpuacct
33 31 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
34 31 0:29 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
35 31 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
36 31 0:28 / /mnt/again\040here rw,relatime - cgroup cgroup rw,memory
`

func TestMountsTellTheLayout(t *testing.T) {
	for _, tt := range []struct {
		name, mounts string
		want         Tree
		err          error
	}{
		{"hybrid", hybrid, Tree{
			Unified: "/sys/fs/cgroup/unified",
			Controllers: map[string]string{
				"cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct", "memory": "/sys/fs/cgroup/memory",
			},
			Mounts: []string{"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"},
		}, nil},
		{"v2", "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,seclabel,memory_recursiveprot\n", Tree{
			V2: true, Unified: "/sys/fs/cgroup", Controllers: map[string]string{}, Mounts: []string{"/sys/fs/cgroup"},
		}, nil},
		{"a space in a path", `29 23 0:26 / /a\040b rw - cgroup2 cgroup2 rw`, Tree{
			V2: true, Unified: "/a b", Controllers: map[string]string{}, Mounts: []string{"/a b"},
		}, nil},
		{"none", "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n", Tree{Controllers: map[string]string{}}, ErrNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseMounts([]byte(tt.mounts))
			if !errors.Is(err, tt.err) {
				t.Errorf("parseMounts() = %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("parseMounts() (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzMounts(f *testing.F) {
	f.Add([]byte(hybrid))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := parseMounts(data)
		if err == nil && len(tree.Mounts) == 0 {
			t.Error("parseMounts() found nothing and no error")
		}
	})
}

func TestValuesFollowMesos(t *testing.T) {
	const mb = 1 << 20
	for _, tt := range []struct {
		name string
		l    containerizer.Limits
		want Values
	}{
		{"nothing", containerizer.Limits{}, Values{Period: 100000}},
		{"one CPU", containerizer.Limits{CPURequest: 1000, MemRequest: 128 * mb},
			Values{Shares: 1024, Weight: 100, Period: 100000, MemSoft: 128 * mb, MemHard: 128 * mb}},
		{"a sliver", containerizer.Limits{CPURequest: 1, CPULimit: 1, MemRequest: 1 * mb},
			Values{Shares: 2, Weight: 1, Quota: 1000, Period: 100000, MemSoft: 32 * mb, MemHard: 32 * mb}},
		{"a quota", containerizer.Limits{CPURequest: 500, CPULimit: 2500},
			Values{Shares: 512, Weight: 50, Quota: 250000, Period: 100000}},
		{"burst", containerizer.Limits{MemRequest: 64 * mb, MemLimit: 256 * mb},
			Values{Period: 100000, MemSoft: 64 * mb, MemHard: 256 * mb}},
		{"infinite", containerizer.Limits{MemRequest: 64 * mb, MemLimit: containerizer.Unlimited},
			Values{Period: 100000, MemSoft: 64 * mb}},
		{"a thousand CPUs", containerizer.Limits{CPURequest: 1000_000, PIDs: 7},
			Values{Shares: 1024000, Weight: 10000, Period: 100000, PIDs: 7}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, ValuesOf(tt.l)); diff != "" {
				t.Errorf("ValuesOf(%+v) (-want +got):\n%s", tt.l, diff)
			}
		})
	}
}

func TestOOMScoreAdj(t *testing.T) {
	const gb = 1 << 30
	for _, tt := range []struct {
		name string
		l    containerizer.Limits
		want int
		ok   bool
	}{
		{"no limit of its own", containerizer.Limits{MemRequest: gb}, 0, false},
		{"a quarter of the machine", containerizer.Limits{MemRequest: gb, MemLimit: 2 * gb}, 750, true},
		{"infinite", containerizer.Limits{MemRequest: 2 * gb, MemLimit: containerizer.Unlimited}, 500, true},
		{"more than the machine", containerizer.Limits{MemRequest: 8 * gb, MemLimit: 9 * gb}, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := OOMScoreAdj(tt.l, 4*gb); got != tt.want || ok != tt.ok {
				t.Errorf("OOMScoreAdj(%+v) = %d, %v, want %d, %v", tt.l, got, ok, tt.want, tt.ok)
			}
		})
	}
}

// unifiedTree is a directory that looks like a v2 hierarchy with one group.
func unifiedTree(t *testing.T, files map[string]string) (Tree, string) {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "souk", "c1")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Tree{V2: true, Unified: root, Mounts: []string{root}}, dir
}

func TestStatsOfV2(t *testing.T) {
	tree, _ := unifiedTree(t, map[string]string{
		"cgroup.procs":        "10\n11\n",
		"pids.current":        "5\n",
		"cpu.stat":            "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 4\nnr_throttled 3\nthrottled_usec 2\n",
		"memory.current":      "1000\n",
		"memory.peak":         "2000\n",
		"memory.stat":         "anon 600\nfile 300\nfile_mapped 50\nunevictable 7\n",
		"memory.swap.current": "8\n",
		"memory.max":          "max\n",
		"memory.low":          "4096\n",
		"cpu.pressure":        "some avg10=1.50 avg60=0.25 avg300=0.00 total=70\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
		"memory.pressure":     "some avg10=0.00 avg60=0.00 avg300=0.01 total=0\n",
		"io.pressure":         "nonsense\nsome avg10=x total\n",
		"io.stat":             "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\nTotal 5\n",
		"memory.events":       "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n",
	})
	g := tree.Group("souk/c1")
	got := g.Stats()
	want := containerizer.Statistics{
		Processes: 2, Threads: 5,
		CPUUser: 20 * time.Microsecond, CPUSystem: 10 * time.Microsecond, CPUPeriods: 4, CPUThrottled: 3, CPUThrottledTime: 2 * time.Microsecond,
		MemTotal: 1000, MemPeak: 2000, MemAnon: 600, MemFile: 300, MemMapped: 50, MemUnevictable: 7, MemSwap: 8, MemSoftLimit: 4096, MemAndSwap: 1008,
		Blocks: []containerizer.BlockIO{{Major: 8, Minor: 0, Reads: 1, Writes: 2, ReadBytes: 4096, WriteBytes: 8192}},
		Pressure: &containerizer.Pressure{
			CPU: containerizer.Stalls{
				Some: containerizer.Stall{Avg10: 1.5, Avg60: 0.25, Total: 70 * time.Microsecond},
				Full: containerizer.Stall{Total: 3 * time.Microsecond},
			},
			Memory: containerizer.Stalls{Some: containerizer.Stall{Avg300: 0.01}},
		},
	}
	want.Time = got.Time
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Stats() (-want +got):\n%s", diff)
	}
	if got := g.OOMKills(); got != 1 {
		t.Errorf("OOMKills() = %d, want 1", got)
	}
}

func TestBlocksOfV1(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "souk", "c1")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"blkio.throttle.io_serviced_recursive":      "8:0 Read 1\n8:0 Write 2\n8:0 Sync 3\n254:16 Read 7\nTotal 10\n",
		"blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 8192\nTotal 12288\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree := Tree{Controllers: map[string]string{"blkio": root}, Mounts: []string{root}}
	want := []containerizer.BlockIO{
		{Major: 8, Minor: 0, Reads: 1, Writes: 2, ReadBytes: 4096, WriteBytes: 8192}, {Major: 254, Minor: 16, Reads: 7},
	}
	if diff := cmp.Diff(want, tree.Group("souk/c1").Stats().Blocks); diff != "" {
		t.Errorf("Blocks (-want +got):\n%s", diff)
	}
}

func TestUpdateOfV2(t *testing.T) {
	tree, dir := unifiedTree(t, map[string]string{"memory.max": "67108864\n"})
	limits := containerizer.Limits{CPURequest: 2000, CPULimit: 500, MemRequest: 48 << 20, PIDs: 9}
	if err := tree.Group("souk/c1").Update(limits); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"cpu.weight": "200", "cpu.max": "50000 100000", "memory.low": "50331648",
		"memory.max": "67108864", // never lowered
		"pids.max":   "9",
	}
	for name, text := range want {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if got := strings.TrimSpace(string(data)); err != nil || got != text {
			t.Errorf("%s = %q, %v, want %q", name, got, err, text)
		}
	}
}

func TestPrepareV2EnablesControllersOnTheWay(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"", "a", "a/b"} {
		dir = filepath.Join(root, dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": ""} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	tree := Tree{V2: true, Unified: root, Mounts: []string{root}}
	if err := tree.Prepare("/a/b"); err != nil {
		t.Fatalf("Prepare() = %v, want nil", err)
	}
	for _, dir := range []string{"", "a", "a/b"} {
		got, err := os.ReadFile(filepath.Join(root, dir, "cgroup.subtree_control"))
		if err != nil || string(got) != "+cpu +memory +pids" {
			t.Errorf("subtree_control of %q = %q, %v", dir, got, err)
		}
	}
	os.WriteFile(filepath.Join(root, "a", "cgroup.controllers"), []byte("cpu pids"), 0o644)
	os.WriteFile(filepath.Join(root, "a", "cgroup.subtree_control"), nil, 0o644)
	if err := tree.Prepare("/a/b"); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("Prepare() without the memory controller = %v, want an error that names it", err)
	}
}

func TestGroupThatIsGone(t *testing.T) {
	tree, _ := unifiedTree(t, nil)
	g := tree.Group("souk/none")
	if pids, err := g.Procs(); err != nil || len(pids) != 0 {
		t.Errorf("Procs() = %v, %v, want none", pids, err)
	}
	if err := g.Kill(); err != nil {
		t.Errorf("Kill() = %v, want nil", err)
	}
	if err := g.Remove(); err != nil {
		t.Errorf("Remove() = %v, want nil", err)
	}
	if s := g.Stats(); s.MemTotal != 0 || s.Time.IsZero() {
		t.Errorf("Stats() = %+v, want only a time", s)
	}
}
