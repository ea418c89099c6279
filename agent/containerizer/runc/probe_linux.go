package runc

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/soukproject/souk/agent/containerizer/runc/cgroup"
)

// Level is how much isolation a machine allows.
type Level int

const (
	None     Level = iota // plain processes only: use package posix
	NoLimits              // namespaces, but no cgroups
	Full                  // namespaces and limits
)

// String is the name of l in logs and agent attributes.
func (l Level) String() string {
	switch l {
	case Full:
		return "linux/full"
	case NoLimits:
		return "linux/nolimits"
	}
	return "posix"
}

// DefaultCgroupsRoot is the parent of all containers' cgroups.
const DefaultCgroupsRoot = "souk"

// Probe finds the highest level that works here, and says in one sentence why
// not a higher one; reason is empty at Full. It prepares the parent cgroup, and
// on v2 may move the processes of the cgroup it is in into a leaf.
func Probe(helper, cgroupsRoot string) (level Level, reason string) {
	if _, err := FindHelper(helper); err != nil {
		return None, err.Error()
	}
	if os.Geteuid() != 0 {
		return None, "the agent does not run as root, and containers without root are not supported"
	}
	if missing := missingCapabilities(); missing != "" {
		return None, "the agent lacks the capability " + missing + ", which namespaces need"
	}
	_, err := limits(cgroupsRoot)
	switch {
	case errors.Is(err, cgroup.ErrNone):
		return None, err.Error() + ", which isolation needs even without limits"
	case err != nil:
		return NoLimits, err.Error()
	}
	return Full, ""
}

// limits finds and prepares the cgroups that containers get.
func limits(root string) (cgroup.Tree, error) {
	if strings.Contains(root, "..") {
		return cgroup.Tree{}, fmt.Errorf("cgroups root %q: use a path below the hierarchies' roots", root)
	}
	tree, err := cgroup.Detect()
	if err != nil {
		return tree, err
	}
	if err := tree.Prepare(root); err != nil {
		return tree, fmt.Errorf("cgroup %s cannot be used: %w", root, err)
	}
	return tree, nil
}

// missingCapabilities names the first capability that the agent, though root,
// does not have, as in an ordinary container.
func missingCapabilities() string {
	const sysAdmin = 21
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "CapEff:"); ok {
			var set uint64
			if _, err := fmt.Sscanf(text, "%x", &set); err == nil && set&(1<<sysAdmin) == 0 {
				return "CAP_SYS_ADMIN"
			}
		}
	}
	return ""
}
