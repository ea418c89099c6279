//go:build linux && cgo

package launcher

import (
	"path/filepath"
	"strings"

	"github.com/opencontainers/runc/libcontainer/configs"
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer/runc/cgroup"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// Nest is the shim of a nested container: one more command, or tree of them, in
// the namespaces of a container that runs. It plans the entry and then turns
// itself into the program that performs the plan. It returns only on failure.
func Nest(dir shim.Dir) error {
	spec, answer, err := shim.Begin(dir)
	if answer == nil {
		return err
	}
	var p *plan
	if err == nil {
		p, err = nested(dir, spec, newFilters())
	}
	if err == nil {
		err = performInstead(dir, spec, p)
	}
	answer.Failed(plain(err))
	return err
}

// performInstead makes the calling shim the one that performs p.
func performInstead(dir shim.Dir, spec shim.Spec, p *plan) error {
	f, err := p.file()
	if err != nil {
		return err
	}
	return shim.Become(spec, f, self, []string{program, "perform", string(dir)})
}

// entered are the namespaces of the parent beside its process ids.
const entered = unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP

// nested plans how a command gets into the container of spec.Parent: with the
// limits, filters and capabilities that it would have in one of its own.
func nested(dir shim.Dir, spec shim.Spec, f *filters) (*plan, error) {
	cfg, err := config(dir, spec, volumes{}, f)
	if err != nil {
		return nil, err
	}
	groups, err := joined(spec, cfg)
	if err != nil {
		return nil, err
	}
	p := &plan{}
	p.outputs(spec)
	p.target(spec.Parent.Init.PID, spec.Parent.Init.Start)
	if spec.Config.OwnPIDs {
		p.start(unix.CLONE_NEWPID)
	} else {
		p.start(0)
	}
	for _, group := range groups {
		p.write(filepath.Join(group, "cgroup.procs"), "0")
	}
	p.enter(entered)
	if spec.Config.OwnPIDs {
		p.ownProc(cfg)
	}
	return p, p.command(spec, cfg, f)
}

func (p *plan) outputs(spec shim.Spec) {
	for i, name := range []string{"stdout", "stderr"} {
		p.output(i+1, filepath.Join(spec.Config.Sandbox, name), spec.Program.UID, spec.Program.GID, spec.Parent == nil)
	}
}

// ownProc lays a /proc for the new process ids over that of the parent, in a
// mount namespace that nobody shares.
func (p *plan) ownProc(cfg *configs.Config) {
	p.unshare(unix.CLONE_NEWNS)
	p.mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	p.mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_NODEV, "")
	below := func(path string) bool { return strings.HasPrefix(path, "/proc/") }
	for _, path := range cfg.ReadonlyPaths {
		if below(path) {
			p.readonly(path)
		}
	}
	for _, path := range cfg.MaskPaths {
		if below(path) {
			p.mask(path)
		}
	}
}

// command plans the last part: whom the command runs as and what it may do.
func (p *plan) command(spec shim.Spec, cfg *configs.Config, f *filters) error {
	id, err := identify(spec.Program, cfg.Capabilities)
	if err != nil {
		return err
	}
	p.become(id)
	p.chdir(spec.Program.Dir)
	if cfg.Seccomp != nil {
		s, err := f.program(cfg.Seccomp)
		if err != nil {
			return err
		}
		p.filter(s, spec.Config.Confinement.Seccomp == "")
	}
	switch {
	case spec.Config.TTY != nil:
		p.input(true)
	case spec.Config.Stdin:
		p.input(false)
	}
	if spec.Config.Idle {
		p.idle()
		return nil
	}
	p.run(spec.Program.Path, spec.Program.Argv, spec.Program.Environ())
	return nil
}

// joined lists the cgroups of a nested container: its own when it has limits,
// otherwise those of its parent.
func joined(spec shim.Spec, cfg *configs.Config) ([]string, error) {
	switch {
	case spec.Isolation.Cgroup == "":
		return nil, nil
	case !spec.Isolation.Shared:
		return create(cfg)
	}
	tree, err := cgroup.Detect()
	if err != nil {
		return nil, err
	}
	return tree.Group(spec.Isolation.Cgroup).Dirs(), nil
}
