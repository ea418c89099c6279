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

	"github.com/soukproject/souk/agent/containerizer"
)

var errNoSeccomp = errors.New("this souk-containerizer was built without seccomp: build it with -tags seccomp or switch seccomp off")

// filter is Docker's default list of system calls for a command with caps, or the
// list that c brings. Of the default it is for the machine's own ABI only: the
// 32-bit ones would triple the time of a launch. Programs built for them are killed.
func filter(on bool, c containerizer.Confinement, caps *configs.Capabilities) (*configs.Seccomp, error) {
	if !on && c.Seccomp != "" {
		return nil, errors.New("this agent filters no system calls: start it without --no-seccomp")
	}
	if !on || c.Unconfined {
		return nil, nil
	}
	if !seccomp.Enabled {
		return nil, errNoSeccomp
	}
	with := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: caps.Bounding}}}
	if c.Seccomp != "" {
		own, err := profile.LoadProfile(c.Seccomp, with)
		if err != nil {
			return nil, fmt.Errorf("seccomp profile of the task: %w", err)
		}
		return specconv.SetupSeccomp(own)
	}
	all, err := profile.GetDefaultProfile(with)
	if err != nil {
		return nil, fmt.Errorf("seccomp profile: %w", err)
	}
	if len(all.Architectures) > 1 {
		all.Architectures = all.Architectures[:1] // the native one comes first
	}
	return specconv.SetupSeccomp(all)
}
