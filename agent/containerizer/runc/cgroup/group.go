package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
)

// A Group is the control group of one container, in all hierarchies.
type Group struct {
	tree Tree
	path string
}

// Group names the group at path below the hierarchies' roots. It need not exist.
func (t Tree) Group(path string) Group { return Group{tree: t, path: path} }

// file is the place of a controller's file. controller is ignored on v2.
func (g Group) file(controller, name string) string {
	if g.tree.V2 {
		return filepath.Join(g.tree.Unified, g.path, name)
	}
	return filepath.Join(g.tree.Controllers[controller], g.path, name)
}

// unified is the place of a file of the v2 hierarchy, which a hybrid machine has
// too. ok is false where there is none.
func (g Group) unified(name string) (path string, ok bool) {
	path = filepath.Join(g.tree.Unified, g.path, name)
	if g.tree.Unified == "" {
		return "", false
	}
	_, err := os.Stat(path)
	return path, err == nil
}

// Dirs lists the directories of the group, one per hierarchy it is in.
func (g Group) Dirs() []string {
	var dirs []string
	for _, mount := range g.tree.Mounts {
		dir := filepath.Join(mount, g.path)
		if _, err := os.Stat(dir); err == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// Procs lists the processes in the group; none if it does not exist.
func (g Group) Procs() ([]int, error) {
	pids, err := readPIDs(g.file("pids", "cgroup.procs"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil, nil
	}
	return pids, err
}

// Kill sends SIGKILL to every process of the group. New ones may appear while it
// does so, unless the kernel has cgroup.kill.
func (g Group) Kill() error {
	if path, ok := g.unified("cgroup.kill"); ok {
		if err := os.WriteFile(path, []byte("1"), 0o200); err == nil {
			return nil
		}
	}
	return g.Signal(syscall.SIGKILL)
}

// Signal sends sig to every process of the group.
func (g Group) Signal(sig syscall.Signal) error {
	pids, err := g.Procs()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("send %v to process %d: %w", sig, pid, err)
		}
	}
	return nil
}

// Update brings the limits in force. Memory is never taken away.
func (g Group) Update(l containerizer.Limits) error {
	v := ValuesOf(l)
	write := g.updateV1
	if g.tree.V2 {
		write = g.updateV2
	}
	if err := write(v); err != nil {
		return fmt.Errorf("change cgroup %s: %w", g.path, err)
	}
	if v.PIDs > 0 {
		return g.write("pids", "pids.max", v.PIDs)
	}
	return nil
}

func (g Group) updateV1(v Values) error {
	quota := v.Quota
	if quota == 0 {
		quota = -1
	}
	if err := g.write("cpu", "cpu.shares", int64(max(v.Shares, minShares))); err != nil {
		return err
	}
	if err := g.write("cpu", "cpu.cfs_quota_us", quota); err != nil {
		return err
	}
	if v.MemSoft > 0 {
		if err := g.write("memory", "memory.soft_limit_in_bytes", v.MemSoft); err != nil {
			return err
		}
	}
	return g.raise("memory", "memory.limit_in_bytes", v.MemHard, "-1")
}

func (g Group) updateV2(v Values) error {
	quota := "max"
	if v.Quota > 0 {
		quota = strconv.FormatInt(v.Quota, 10)
	}
	if err := g.write("", "cpu.weight", int64(max(v.Weight, 1))); err != nil {
		return err
	}
	if err := g.writeText("", "cpu.max", quota+" "+strconv.Itoa(period)); err != nil {
		return err
	}
	if err := g.write("", "memory.low", v.MemSoft); err != nil {
		return err
	}
	return g.raise("", "memory.max", v.MemHard, "max")
}

// raise writes a limit unless that would lower it; 0 lifts it.
func (g Group) raise(controller, name string, want int64, none string) error {
	if want == 0 {
		return g.writeText(controller, name, none)
	}
	if now := g.number(controller, name); now == 0 || want <= now {
		return nil
	}
	return g.write(controller, name, want)
}

func (g Group) write(controller, name string, value int64) error {
	return g.writeText(controller, name, strconv.FormatInt(value, 10))
}

func (g Group) writeText(controller, name, text string) error {
	return os.WriteFile(g.file(controller, name), []byte(text), 0o644)
}

// patience bounds how long the kernel may need to let go of an empty group.
const patience = 2 * time.Second

// Remove removes the group and what a container made below it, from every
// hierarchy. Of one that does not exist: nil.
func (g Group) Remove() error {
	for _, mount := range g.tree.Mounts {
		if err := remove(filepath.Join(mount, g.path), time.Now().Add(patience)); err != nil {
			return fmt.Errorf("remove cgroup: %w", err)
		}
	}
	return nil
}

// Prune removes the group where it is empty; where it holds containers it stays.
func (g Group) Prune() {
	for _, mount := range g.tree.Mounts {
		_ = syscall.Rmdir(filepath.Join(mount, g.path))
	}
}

func remove(dir string, deadline time.Time) error {
	for {
		err := syscall.Rmdir(dir)
		switch {
		case err == nil || errors.Is(err, syscall.ENOENT):
			return nil
		case !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline):
			return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
		}
		if err := removeChildren(dir, deadline); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func removeChildren(dir string, deadline time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // gone meanwhile
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := remove(filepath.Join(dir, e.Name()), deadline); err != nil {
				return err
			}
		}
	}
	return nil
}

// number reads a file that holds one number. A missing file, "max" and what v1
// writes for "no limit" are 0.
func (g Group) number(controller, name string) int64 {
	text, ok := read(g.file(controller, name))
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n > 1<<62 {
		return 0
	}
	return n
}

// numbers reads a file of lines "name number".
func (g Group) numbers(controller, name string) map[string]int64 {
	text, ok := read(g.file(controller, name))
	if !ok {
		return nil
	}
	values := map[string]int64{}
	for line := range strings.Lines(text) {
		if key, text, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			values[key], _ = strconv.ParseInt(text, 10, 64)
		}
	}
	return values
}

// read returns a small file of the kernel's with three system calls; a file of
// the runtime costs twice as many, and statistics read a dozen per container.
func read(path string) (text string, ok bool) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", false
	}
	defer syscall.Close(fd)
	var room [8 << 10]byte
	n, err := syscall.Read(fd, room[:])
	if err != nil {
		return "", false
	}
	return string(room[:n]), true
}
