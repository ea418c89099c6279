//go:build linux && cgo

package launcher

import (
	"fmt"

	"github.com/opencontainers/runc/libcontainer/configs"

	"github.com/soukproject/souk/agent/containerizer"
)

// filters remembers the lists of system calls that were made and the programs
// they became: making one takes longer than all else of a plan, and most
// containers have the same.
type filters struct {
	lists    map[string]*configs.Seccomp
	programs map[*configs.Seccomp]sieve
}

// sieve is a list of system calls as the kernel takes it.
type sieve struct {
	code  []byte
	flags int64
}

// mostFilters bounds what is remembered: tasks may bring lists of their own.
const mostFilters = 32

func newFilters() *filters {
	return &filters{lists: map[string]*configs.Seccomp{}, programs: map[*configs.Seccomp]sieve{}}
}

// list is what filter makes; it is not to be changed.
func (f *filters) list(on bool, c containerizer.Confinement, caps *configs.Capabilities) (*configs.Seccomp, error) {
	key := fmt.Sprintf("%v %v %q %q", on, c.Unconfined, caps.Bounding, c.Seccomp)
	if made, ok := f.lists[key]; ok {
		return made, nil
	}
	made, err := filter(on, c, caps)
	if err != nil {
		return nil, err
	}
	if len(f.lists) >= mostFilters {
		clear(f.lists)
		clear(f.programs)
	}
	f.lists[key] = made
	return made, nil
}

// program is what compile makes of a list.
func (f *filters) program(list *configs.Seccomp) (sieve, error) {
	if made, ok := f.programs[list]; ok {
		return made, nil
	}
	code, flags, err := compile(list)
	if err != nil {
		return sieve{}, err
	}
	f.programs[list] = sieve{code, flags}
	return f.programs[list], nil
}
