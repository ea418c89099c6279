//go:build linux && cgo

package launcher

import (
	"errors"
	"fmt"

	profile "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runc/libcontainer/seccomp"
	"github.com/opencontainers/runc/libcontainer/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
)

var errNoSeccomp = errors.New("this souk-containerizer was built without seccomp: build it with -tags seccomp or switch seccomp off")

// filter is Docker's default list of system calls, for the machine's own ABI
// only: the 32-bit ones would triple the time of a launch. Programs built for
// them are killed.
func filter(on bool) (*configs.Seccomp, error) {
	if !on {
		return nil, nil
	}
	if !seccomp.Enabled {
		return nil, errNoSeccomp
	}
	all, err := profile.GetDefaultProfile(&specs.Spec{
		Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: capabilities(0).Bounding}},
	})
	if err != nil {
		return nil, fmt.Errorf("seccomp profile: %w", err)
	}
	if len(all.Architectures) > 1 {
		all.Architectures = all.Architectures[:1] // the native one comes first
	}
	return specconv.SetupSeccomp(all)
}
