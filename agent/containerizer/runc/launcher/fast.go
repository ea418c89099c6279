//go:build linux && cgo

package launcher

import (
	"errors"
	"path/filepath"
	"reflect"
	"strconv"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runc/libcontainer/configs"
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer/shim"
)

// errByLibcontainer says that a container has something that no plan knows:
// libcontainer launches it, at three times the price.
var errByLibcontainer = errors.New("no plan for this container")

// launchPlanned becomes the program that performs the container's plan. It returns
// only on failure.
func launchPlanned(dir shim.Dir, spec shim.Spec) error {
	p, err := planOf(dir, spec, newFilters())
	if err != nil {
		return err
	}
	return performInstead(dir, spec, p)
}

func planOf(dir shim.Dir, spec shim.Spec, f *filters) (*plan, error) {
	if len(spec.Config.Mounts) > 0 || spec.Config.Rootfs != nil {
		return nil, errByLibcontainer
	}
	cfg, err := config(dir, spec, volumes{}, f)
	if err != nil {
		return nil, err
	}
	return planned(spec, cfg, f)
}

// planned makes the plan of a container, and its cgroups. What config asks for is
// read from config alone, so that a container is the same whichever way it is
// launched; what is not understood here is left to libcontainer.
//
// A container that shows the machine's own files needs no root of its own: its
// mount namespace is a copy in which the container's mounts lie over the machine's.
func planned(spec shim.Spec, cfg *configs.Config, f *filters) (*plan, error) {
	if spec.Isolation.Libcontainer || !known(spec, cfg) {
		return nil, errByLibcontainer
	}
	p := &plan{}
	p.outputs(spec)
	if spec.Config.Apart {
		p.target(spec.Parent.Init.PID, spec.Parent.Init.Start)
	}
	p.start(int64(cfg.Namespaces.CloneFlags()))
	groups, err := joined(spec, cfg)
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		p.write(filepath.Join(group, "cgroup.procs"), "0")
	}
	if shared := sharedWith(spec); shared != 0 {
		p.enter(shared)
	}
	for _, ns := range cfg.Namespaces {
		if ns.Path != "" && !inherited(spec, ns.Type) {
			p.join(ns.Path)
		}
	}
	p.furnish(cfg)
	return p, p.command(spec, cfg, f)
}

// known reports whether a plan can have all that cfg asks for.
func known(spec shim.Spec, cfg *configs.Config) bool {
	rest := *cfg
	for _, ns := range cfg.Namespaces {
		switch ns.Type {
		case configs.NEWNS, configs.NEWPID, configs.NEWIPC, configs.NEWUTS:
			if ns.Path != "" && !inherited(spec, ns.Type) {
				return false
			}
		case configs.NEWNET:
		default:
			return false
		}
	}
	for _, m := range cfg.Mounts {
		if !knownMount(m) {
			return false
		}
	}
	rest.Rootfs, rest.Namespaces, rest.Hostname, rest.Mounts = "", nil, "", nil
	rest.MaskPaths, rest.ReadonlyPaths, rest.Cgroups, rest.RootlessCgroups = nil, nil, nil, false
	rest.Capabilities, rest.NoNewPrivileges, rest.NoNewKeyring = nil, false, false
	rest.OomScoreAdj, rest.Seccomp, rest.Rlimits = nil, nil, nil
	return reflect.DeepEqual(rest, configs.Config{}) && cfg.NoNewPrivileges && cfg.Capabilities != nil && knownGroup(cfg.Cgroups)
}

func knownGroup(g *cgroups.Cgroup) bool { return g != nil && !g.Systemd }

func knownMount(m *configs.Mount) bool {
	rest := *m
	rest.Source, rest.Destination, rest.Device, rest.Flags, rest.Data = "", "", "", 0, ""
	if m.RecAttr != nil {
		if *m.RecAttr != (unix.MountAttr{Attr_set: m.RecAttr.Attr_set}) {
			return false
		}
		rest.RecAttr = nil
	}
	switch m.Device {
	case "bind":
		if m.Flags != unix.MS_BIND|unix.MS_REC {
			return false
		}
	case "proc", "mqueue", "tmpfs":
	default:
		return false
	}
	return reflect.DeepEqual(rest, configs.Mount{})
}

// furnish plans what the container sees that is not the machine's.
func (p *plan) furnish(cfg *configs.Config) {
	p.mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
	for _, m := range cfg.Mounts {
		kind := m.Device
		if kind == "bind" {
			kind = ""
		}
		p.mount(m.Source, m.Destination, kind, int64(m.Flags), m.Data)
		if m.RecAttr != nil {
			p.attr(m.Destination, m.RecAttr.Attr_set)
		}
	}
	if cfg.Hostname != "" {
		p.hostname(cfg.Hostname)
	}
	for _, path := range cfg.ReadonlyPaths {
		p.readonly(path)
	}
	for _, path := range cfg.MaskPaths {
		p.mask(path)
	}
	if cfg.OomScoreAdj != nil {
		p.write("/proc/self/oom_score_adj", strconv.Itoa(*cfg.OomScoreAdj))
	}
	for _, l := range cfg.Rlimits {
		p.rlimit(l.Type, l.Soft, l.Hard)
	}
}
