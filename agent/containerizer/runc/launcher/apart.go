//go:build linux && cgo

package launcher

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runc/libcontainer/configs"
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer/runc/cgroup"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// A container that is nested in another one and apart is launched like any other:
// only some of its namespaces, and its cgroup unless it has limits of its own, are
// its parent's.

// grouped reports whether a container has a cgroup of its own.
func grouped(spec shim.Spec) bool { return spec.Isolation.Cgroup != "" && !spec.Isolation.Shared }

// inherited reports whether a container has a namespace of its parent.
func inherited(spec shim.Spec, kind configs.NamespaceType) bool {
	cfg := spec.Config
	if !cfg.Apart {
		return false
	}
	switch kind {
	case configs.NEWPID:
		return !cfg.OwnPIDs
	case configs.NEWIPC:
		return cfg.Confinement.ShareIPC
	case configs.NEWUTS, configs.NEWNET:
		return cfg.Network == ""
	}
	return false
}

func apartNamespaces(spec shim.Spec) configs.Namespaces {
	var list configs.Namespaces
	for _, kind := range []configs.NamespaceType{configs.NEWNS, configs.NEWPID, configs.NEWUTS, configs.NEWIPC, configs.NEWNET} {
		path := ""
		switch {
		case inherited(spec, kind):
			path = fmt.Sprintf("/proc/%d/ns/%s", spec.Parent.Init.PID, configs.NsName(kind))
		case kind == configs.NEWNET:
			path = spec.Config.Network
		}
		list.Add(kind, path)
	}
	return list
}

// sharedWith are the namespaces that process 1 of a container enters. Process ids
// are had from birth.
func sharedWith(spec shim.Spec) (flags int64) {
	for kind, flag := range map[configs.NamespaceType]int64{
		configs.NEWIPC: unix.CLONE_NEWIPC, configs.NEWUTS: unix.CLONE_NEWUTS, configs.NEWNET: unix.CLONE_NEWNET,
	} {
		if inherited(spec, kind) {
			flags |= flag
		}
	}
	return flags
}

// sharedGroups are the cgroups of a parent, by mounts of their own: libcontainer,
// which is to do without cgroups, finds the others read-only.
type sharedGroups []int

func holdShared(spec shim.Spec) (s sharedGroups, err error) {
	if !spec.Isolation.Shared {
		return nil, nil
	}
	tree, err := cgroup.Detect()
	if err != nil {
		return nil, err
	}
	for _, dir := range tree.Group(spec.Isolation.Cgroup).Dirs() {
		fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("hold the cgroup of the parent container: %w", err)
		}
		s = append(s, fd)
	}
	return s, nil
}

// take makes a process one of the parent's.
func (s sharedGroups) take(pid int) error {
	for _, dir := range s {
		fd, err := unix.Openat(dir, "cgroup.procs", unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Write(fd, strconv.AppendInt(nil, int64(pid), 10))
			unix.Close(fd)
		}
		if err != nil {
			return fmt.Errorf("join the cgroup of the parent container: %w", err)
		}
	}
	return nil
}

func (s sharedGroups) close() {
	for _, fd := range s {
		unix.Close(fd)
	}
}
