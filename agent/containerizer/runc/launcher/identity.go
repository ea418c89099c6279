//go:build linux && cgo

package launcher

import (
	"fmt"
	"strings"

	"github.com/moby/sys/capability"
	"github.com/opencontainers/runc/libcontainer/configs"

	"github.com/soukproject/souk/agent/containerizer/shim"
)

// identity is whom a command runs as and what it may do. Sets of capabilities
// have a bit for each.
type identity struct {
	uid, gid                       int
	groups                         []int
	bounding, permitted, effective uint64
}

func identify(p shim.Program, c *configs.Capabilities) (id identity, err error) {
	id = identity{uid: p.UID, gid: p.GID, groups: p.Groups}
	if c == nil {
		return id, nil
	}
	if len(c.Inheritable)+len(c.Ambient) > 0 {
		return id, fmt.Errorf("inheritable capabilities %v %v", c.Inheritable, c.Ambient)
	}
	for _, set := range []struct {
		bits  *uint64
		names []string
	}{{&id.bounding, c.Bounding}, {&id.permitted, c.Permitted}, {&id.effective, c.Effective}} {
		if *set.bits, err = bits(set.names); err != nil {
			return id, err
		}
	}
	return id, nil
}

// bits are the capabilities of names that the kernel has.
func bits(names []string) (set uint64, err error) {
	known := map[string]capability.Cap{}
	for _, c := range capability.ListKnown() {
		known["CAP_"+strings.ToUpper(c.String())] = c
	}
	last, err := capability.LastCap()
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if c, ok := known[name]; ok && c <= last {
			set |= 1 << c
		}
	}
	return set, nil
}
