// Package isolation knows Mesos' isolators by name (mesos-api 18.1): what the
// machine must allow for each, and which of them turn on what is off otherwise.
// Most name what every container of an agent has anyway, as far as its machine
// allows; asking for those makes sure that it does. It does not do the work of
// any isolator.
package isolation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/soukproject/souk/agent/containerizer/runc"
)

// Names of isolators that turn something on.
const (
	DiskDU  = "disk/du"  // look how much containers keep on disk
	DiskXFS = "disk/xfs" // have the kernel hold them to it
)

// An isolator is one name.
type isolator struct {
	name  string
	needs runc.Level // the least that the machine must allow
	open  string     // why there is none of this name; "" if there is
}

// isolators are all names of Mesos' agents, in its order.
var isolators = [...]isolator{
	{name: "filesystem/posix"},
	{name: "filesystem/linux", needs: runc.NoLimits},
	{name: "filesystem/shared", open: "use filesystem/linux and volumes with a sandbox path"},
	{name: "posix/cpu"},
	{name: "posix/mem"},
	{name: "posix/rlimits", needs: runc.NoLimits},
	{name: "cgroups/cpu", needs: runc.Full},
	{name: "cgroups/mem", needs: runc.Full},
	{name: "cgroups/pids", needs: runc.Full},
	{name: "cgroups/devices", needs: runc.Full},
	{name: "cgroups/blkio", open: "there are no statistics of block devices"},
	{name: "cgroups/cpuset", needs: runc.Full},
	{name: "cgroups/hugetlb", needs: runc.Full},
	{name: "cgroups/net_cls", open: "containers have no handles for traffic control"},
	{name: "cgroups/net_prio", needs: runc.Full},
	{name: "cgroups/perf_event", open: "containers are not sampled"},
	{name: "cgroups/all", open: "name those you need: cgroups/cpu, cgroups/mem, cgroups/pids, cgroups/devices"},
	{name: DiskDU},
	{name: DiskXFS},
	{name: "docker/runtime", needs: runc.NoLimits},
	{name: "appc/runtime", open: "images are Docker's and OCI's"},
	{name: "docker/volume", open: "there are no volume drivers"},
	{name: "volume/host_path", needs: runc.NoLimits},
	{name: "volume/sandbox_path", needs: runc.NoLimits},
	{name: "volume/image", open: "volumes cannot be images"},
	{name: "volume/secret", needs: runc.NoLimits},
	{name: "volume/csi", open: "there are no CSI plugins"},
	{name: "environment_secret"},
	{name: "namespaces/pid", needs: runc.NoLimits},
	{name: "namespaces/ipc", needs: runc.NoLimits},
	{name: "linux/capabilities", needs: runc.NoLimits},
	{name: "linux/devices", open: "--allowed_devices is not there yet"},
	{name: "linux/nnp", needs: runc.NoLimits},
	{name: "linux/seccomp", needs: runc.NoLimits},
	{name: "network/cni", needs: runc.NoLimits},
	{name: "network/ports", open: "nobody looks which ports containers listen on"},
	{name: "network/port_mapping", open: "use network/cni and mapped ports"},
	{name: "gpu/nvidia", open: "agents have no GPUs"},
	{name: "windows/cpu", open: "agents do not run on Windows"},
	{name: "windows/mem", open: "agents do not run on Windows"},
	{name: "filesystem/windows", open: "agents do not run on Windows"},
}

// older are names that stand for others.
var older = map[string][]string{
	"process":    {"posix/cpu", "posix/mem"},
	"cgroups":    {"cgroups/cpu", "cgroups/mem"},
	"posix/disk": {DiskDU},
}

// A Set is the isolators that an operator asked for, as Parse returns them. Nil:
// nothing in particular.
type Set []string

// Has reports whether name was asked for.
func (s Set) Has(name string) bool { return slices.Contains(s, name) }

// Parse reads --isolation: names, separated by commas. What is not a name, or
// names nothing that there is, is an error, and so is what Mesos refuses.
func Parse(text string) (Set, error) {
	var s Set
	if strings.TrimSpace(text) == "" {
		return s, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		for _, name := range current(strings.TrimSpace(name)) {
			if err := s.add(name); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func current(name string) []string {
	if names, ok := older[name]; ok {
		return names
	}
	return []string{name}
}

func (s *Set) add(name string) error {
	i := find(name)
	switch {
	case i < 0:
		return fmt.Errorf("there is no isolator %q: there are %s", name, strings.Join(Names(), ", "))
	case isolators[i].open != "":
		return fmt.Errorf("isolator %s is not part of this version: %s", name, isolators[i].open)
	case s.Has(name):
		return fmt.Errorf("isolator %s is named twice", name)
	}
	kind, _, _ := strings.Cut(name, "/")
	if other := s.ofKind(kind); other != "" && (kind == "filesystem" || kind == "disk") {
		return fmt.Errorf("isolators %s and %s exclude each other: name one of them", other, name)
	}
	*s = append(*s, name)
	return nil
}

func find(name string) int {
	return slices.IndexFunc(isolators[:], func(i isolator) bool { return i.name == name })
}

func (s Set) ofKind(kind string) string {
	i := slices.IndexFunc(s, func(name string) bool { return strings.HasPrefix(name, kind+"/") })
	if i < 0 {
		return ""
	}
	return s[i]
}

// Names lists the isolators that there are.
func Names() []string {
	var names []string
	for _, i := range isolators {
		if i.open == "" {
			names = append(names, i.name)
		}
	}
	return names
}

// Check refuses what a machine that allows level, and no more for the reason why,
// cannot keep. Whoever asks for isolation gets it, or an answer.
func (s Set) Check(level runc.Level, why string) error {
	for _, name := range s {
		if needs := isolators[find(name)].needs; needs > level {
			return fmt.Errorf("isolator %s needs isolation of level %v, and containers have %v: %s", name, needs, level, why)
		}
	}
	return nil
}
