package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// idle are v1 controllers in which nothing is set, read or killed for a
// container: it stays in the groups of the agent there. Each hierarchy less saves
// a group made, entered and removed, and cpuset has the kernel rebuild its
// scheduling domains.
var idle = [...]string{"cpuset", "freezer", "hugetlb", "misc", "net_cls", "net_prio", "perf_event", "rdma"}

// Create makes the group with limits v on a machine whose controllers are on v1,
// and returns its directories. A process in it may use the devices of allow, in
// the kernel's notation, and no others. On failure nothing is left.
func (g Group) Create(v Values, allow []string) (dirs []string, err error) {
	for _, mount := range g.tree.busy() {
		dir := filepath.Join(mount, g.path)
		if err = makeGroup(dir); err != nil {
			break
		}
		dirs = append(dirs, dir)
	}
	if err == nil {
		err = g.set(v)
	}
	if err == nil {
		err = g.allow(allow)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make cgroup %s: %w", g.path, err), g.Remove())
	}
	return dirs, nil
}

// busy are the mount points of all hierarchies but those with idle controllers
// only. That of systemd is one of them: what ends the agent's service must not
// end its containers.
func (t Tree) busy() []string {
	var without []string
	for name, mount := range t.Controllers {
		if slices.Contains(idle[:], name) {
			without = append(without, mount)
		}
	}
	for name, mount := range t.Controllers {
		if !slices.Contains(idle[:], name) { // mounted together with an idle one
			without = slices.DeleteFunc(without, func(m string) bool { return m == mount })
		}
	}
	return slices.DeleteFunc(slices.Clone(t.Mounts), func(m string) bool { return slices.Contains(without, m) })
}

// makeGroup makes a directory whose parents are nearly always there.
func makeGroup(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(dir, 0o755)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// set writes the limits of a new group, for which those that are zero hold
// already.
func (g Group) set(v Values) error {
	for _, w := range []struct {
		controller, name string
		value            int64
	}{
		{"cpu", "cpu.shares", int64(v.Shares)},
		{"cpu", "cpu.cfs_period_us", int64(v.Period)},
		{"cpu", "cpu.cfs_quota_us", v.Quota},
		{"memory", "memory.limit_in_bytes", v.MemHard},
		{"memory", "memory.soft_limit_in_bytes", v.MemSoft},
		{"pids", "pids.max", v.PIDs},
	} {
		if w.value == 0 {
			continue
		}
		if err := setFile(g.file(w.controller, w.name), strconv.FormatInt(w.value, 10)); err != nil {
			return err
		}
	}
	return nil
}

func (g Group) allow(rules []string) error {
	if err := setFile(g.file("devices", "devices.deny"), "a"); err != nil {
		return err
	}
	return setFile(g.file("devices", "devices.allow"), rules...)
}

// setFile writes each text on its own into a file of the kernel's.
func setFile(path string, texts ...string) error {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	for _, text := range texts {
		if _, err := syscall.Write(fd, []byte(text)); err != nil {
			return &fs.PathError{Op: "write " + text + " to", Path: path, Err: err}
		}
	}
	return nil
}
