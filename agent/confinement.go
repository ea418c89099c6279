package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// confinement is what a container asks for in linux_info and rlimit_info, within
// what the operator allows (mesos-api 17.6).
func (a *agent) confinement(e core.Launch) (c containerizer.Confinement, err error) {
	info := e.Container().GetLinuxInfo()
	if c.Rlimits, err = rlimits(e.Container().GetRlimitInfo()); err != nil {
		return c, err
	}
	if err := a.capabilities(info, &c); err != nil {
		return c, err
	}
	if err := a.filter(info.GetSeccomp(), &c); err != nil {
		return c, err
	}
	outer, _ := e.Run.Container.Split()
	return c, a.sharing(info, outer != "", &c)
}

func rlimits(info *mesospb.RLimitInfo) ([]containerizer.Rlimit, error) {
	var list []containerizer.Rlimit
	for _, r := range info.GetRlimits() {
		kind := strings.TrimPrefix(r.GetType().String(), "RLMT_")
		if (r.Soft == nil) != (r.Hard == nil) {
			return nil, fmt.Errorf("'container.rlimit_info': limit of %s: set both 'soft' and 'hard', or neither", kind)
		}
		limit := containerizer.Rlimit{Kind: kind, Soft: containerizer.NoLimit, Hard: containerizer.NoLimit}
		if r.Hard != nil {
			limit.Soft, limit.Hard = r.GetSoft(), r.GetHard()
		}
		list = append(list, limit)
	}
	return list, nil
}

// capabilities are those of the task, else those the operator grants. Beyond the
// operator's bounding set there are none; without one, the containerizer's default
// is the most: root on the machine's own files is powerful enough.
func (a *agent) capabilities(info *mesospb.LinuxInfo, c *containerizer.Confinement) error {
	wanted := info.GetEffectiveCapabilities()
	if wanted == nil {
		wanted = info.GetCapabilityInfo() // its older name
	}
	c.Effective, c.Bounding = capabilityNames(wanted), capabilityNames(info.GetBoundingCapabilities())
	if c.Effective == nil && c.Bounding == nil {
		c.Effective, c.Bounding = a.cfg.EffectiveCapabilities, a.cfg.BoundingCapabilities
		return nil
	}
	allowed := a.cfg.BoundingCapabilities
	if allowed == nil {
		allowed = containerizer.DefaultCapabilities()
	}
	for _, name := range slices.Concat(c.Effective, c.Bounding) {
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("'container.linux_info': capability %s is not among those that the agent's --bounding_capabilities allow (%s)",
				name, strings.Join(allowed, ", "))
		}
	}
	return nil
}

func capabilityNames(info *mesospb.CapabilityInfo) []string {
	if info == nil {
		return nil
	}
	names := []string{} // none is not the same as not given
	for _, c := range info.GetCapabilities() {
		names = append(names, c.String())
	}
	return names
}

// filter chooses the list of system calls: the task's word, then the operator's.
func (a *agent) filter(info *mesospb.SeccompInfo, c *containerizer.Confinement) (err error) {
	if info.GetUnconfined() && info.GetProfileName() != "" {
		return errors.New("'container.linux_info.seccomp': 'profile_name' and 'unconfined' are both set")
	}
	name := info.GetProfileName()
	if info.GetUnconfined() {
		c.Unconfined = true
		return nil
	}
	if name == "" {
		name = a.cfg.SeccompProfile
	}
	if name == "" {
		return nil
	}
	if a.cfg.SeccompDir == "" {
		return fmt.Errorf("seccomp profile %q: the agent has no --seccomp_config_dir", name)
	}
	c.Seccomp, err = readProfile(a.cfg.SeccompDir, name)
	return err
}

// readProfile reads a file of the operator's folder; the name is a task's.
func readProfile(dir, name string) (string, error) {
	if name != filepath.Base(name) || strings.Trim(name, ".") == "" {
		return "", fmt.Errorf("seccomp profile %q: it must be the name of a file", name)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("--seccomp_config_dir: %w", err)
	}
	defer root.Close()
	data, err := root.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("seccomp profile %q: %w", name, err)
	}
	return string(data), nil
}

// sharing decides what the container has in common with the machine, or with what
// it is nested in.
func (a *agent) sharing(info *mesospb.LinuxInfo, nested bool, c *containerizer.Confinement) error {
	if info.GetSharePidNamespace() && !nested {
		return errors.New("'container.linux_info.share_pid_namespace': this agent does not share its own process ids with tasks")
	}
	c.ShmSize = int64(info.GetShmSize()) << 20
	switch info.GetIpcMode() {
	case mesospb.LinuxInfo_SHARE_PARENT:
		if a.cfg.PrivateIPC && !nested {
			return errors.New("'container.linux_info.ipc_mode' SHARE_PARENT: --disallow_sharing_agent_ipc_namespace forbids it")
		}
		c.ShareIPC = true
	case mesospb.LinuxInfo_PRIVATE:
		if c.ShmSize == 0 {
			c.ShmSize = a.cfg.ShmSize
		}
	default:
		if c.ShmSize > 0 {
			return errors.New("'container.linux_info.shm_size' needs 'ipc_mode' PRIVATE")
		}
		c.ShmSize, c.ShareIPC = a.cfg.ShmSize, nested && a.boxes.isolated
	}
	return nil
}
