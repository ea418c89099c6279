// Package cgroup makes, reads, changes and removes the control groups of
// containers, in the layouts v1, v2 and "hybrid" (controllers on v1, an empty v2
// tree beside them), whichever the machine has. It owns the arithmetic from limits
// to kernel values, which follows Mesos. It does not put processes into groups:
// that is done by the shim, which must be inside before the command starts. On v2,
// where devices need a program in the kernel, groups are made by libcontainer.
//
// Concurrency: values and functions without state of their own.
package cgroup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A Tree is the machine's set of cgroup hierarchies.
type Tree struct {
	V2          bool              // controllers are on the v2 hierarchy
	Unified     string            // mount point of the v2 hierarchy; "" when there is none
	Controllers map[string]string // v1: mount point per controller
	Mounts      []string          // every mount point, each hierarchy once
}

// ErrNone says that no cgroups are mounted.
var ErrNone = errors.New("no cgroups are mounted on this machine")

// Detect reads which hierarchies the calling process sees.
func Detect() (Tree, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Tree{}, err
	}
	return parseMounts(data)
}

// parseMounts understands /proc/self/mountinfo: "… root mountpoint … - type source options".
func parseMounts(data []byte) (Tree, error) {
	t := Tree{Controllers: map[string]string{}}
	seen := map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 5 || len(right) < 3 || !strings.HasPrefix(right[0], "cgroup") {
			continue
		}
		hierarchy := right[0] + " " + controllers(right[2])
		if seen[hierarchy] {
			continue // mounted twice
		}
		seen[hierarchy] = true
		t.add(right[0], unescape(left[4]), controllers(right[2]))
	}
	if len(t.Mounts) == 0 {
		return t, ErrNone
	}
	t.V2 = t.Unified != "" && len(t.Controllers) == 0
	return t, nil
}

func (t *Tree) add(kind, mount, names string) {
	t.Mounts = append(t.Mounts, mount)
	if kind == "cgroup2" {
		t.Unified = mount
		return
	}
	for name := range strings.SplitSeq(names, ",") {
		if !strings.HasPrefix(name, "name=") {
			t.Controllers[name] = mount
		}
	}
}

// v1Controllers are all there will ever be.
var v1Controllers = [...]string{
	"blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb",
	"memory", "misc", "net_cls", "net_prio", "perf_event", "pids", "rdma",
}

// controllers picks from mount options what tells one v1 hierarchy from another.
func controllers(options string) string {
	names := slices.DeleteFunc(strings.Split(options, ","), func(o string) bool {
		return !strings.HasPrefix(o, "name=") && !slices.Contains(v1Controllers[:], o)
	})
	return strings.Join(names, ",")
}

// unescape undoes the octal escapes of space, tab, newline and backslash.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// wanted are the controllers without which limits cannot be promised.
var wanted = [...]string{"cpu", "memory", "pids"}

// Prepare makes parent, a path below the hierarchies' roots, ready to hold
// containers, or says why that cannot be.
func (t Tree) Prepare(parent string) error {
	if t.V2 {
		return t.prepareUnified(parent)
	}
	for _, name := range append(wanted[:], "cpuacct", "devices") {
		mount, ok := t.Controllers[name]
		if !ok {
			return fmt.Errorf("cgroup controller %s is not mounted", name)
		}
		if err := probe(filepath.Join(mount, parent)); err != nil {
			return fmt.Errorf("cgroup controller %s: %w", name, err)
		}
	}
	return nil
}

// probe makes dir, and a group in it to see whether that is allowed.
func probe(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	test := filepath.Join(dir, "probe-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(test, 0o755); err != nil {
		return err
	}
	return os.Remove(test)
}

// prepareUnified enables the controllers for the children of every group on the
// way to parent and of parent itself.
func (t Tree) prepareUnified(parent string) error {
	dir := t.Unified
	if err := t.enable(dir); err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.Trim(parent, "/"), "/") {
		dir = filepath.Join(dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := t.enable(dir); err != nil {
			return err
		}
	}
	return probe(dir)
}

// enable hands the controllers of a v2 group down to its children. A group that
// holds processes itself must not do that, so they are moved into a leaf first:
// in a system container they are the agent and whatever started it.
func (t Tree) enable(dir string) error {
	on, off, err := readControllers(dir)
	if err != nil {
		return err
	}
	var need []string
	for _, name := range wanted {
		switch {
		case slices.Contains(off, name):
			need = append(need, "+"+name)
		case !slices.Contains(on, name):
			return fmt.Errorf("cgroup controller %s is not available in %s", name, dir)
		}
	}
	if err := writeControllers(dir, need); errors.Is(err, syscall.EBUSY) {
		if err := vacate(dir); err != nil {
			return err
		}
		return writeControllers(dir, need)
	} else if err != nil {
		return err
	}
	for _, name := range [...]string{"cpuset", "io"} {
		if slices.Contains(off, name) {
			_ = writeControllers(dir, []string{"+" + name}) // welcome, not necessary
		}
	}
	return nil
}

// readControllers lists the controllers that children of dir have, and those
// they could have.
func readControllers(dir string) (on, off []string, err error) {
	have, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil, nil, err
	}
	down, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return nil, nil, err
	}
	on = strings.Fields(string(down))
	off = slices.DeleteFunc(strings.Fields(string(have)), func(name string) bool { return slices.Contains(on, name) })
	return on, off, nil
}

func writeControllers(dir string, changes []string) error {
	if len(changes) == 0 {
		return nil
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(strings.Join(changes, " ")), 0o644)
}

// vacate moves the processes of a group into a leaf below it.
func vacate(dir string) error {
	pids, err := readPIDs(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return err
	}
	leaf := filepath.Join(dir, "souk-agent")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for _, pid := range pids {
		// One that ended meanwhile, or a kernel thread, does not matter.
		os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
	}
	return nil
}

// Children lists the groups below parent in any hierarchy, sorted.
func (t Tree) Children(parent string) ([]string, error) {
	var names []string
	for _, mount := range t.Mounts {
		entries, err := os.ReadDir(filepath.Join(mount, parent))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func readPIDs(path string) ([]int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, field := range bytes.Fields(data) {
		pid, err := strconv.Atoi(string(field))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
