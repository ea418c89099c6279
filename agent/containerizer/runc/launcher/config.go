//go:build linux && cgo

package launcher

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/capability"
	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runc/libcontainer/specconv"
	"golang.org/x/sys/unix"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/runc/cgroup"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// config is what libcontainer is told. NEWNS is not optional: without it the
// machine's own mounts would be changed.
func config(dir shim.Dir, spec shim.Spec, v volumes, f *filters) (*configs.Config, error) {
	asked := spec.Config.Confinement
	caps, err := capabilities(spec.Program.UID, asked)
	if err != nil {
		return nil, err
	}
	seccomp, err := f.list(spec.Isolation.Seccomp, asked, caps)
	if err != nil {
		return nil, err
	}
	c := &configs.Config{
		Rootfs:          dir.Root(),
		Namespaces:      namespaces(spec),
		Hostname:        spec.Config.Hostname,
		Mounts:          append(furniture(spec), v.mounts...),
		MaskPaths:       slices.Concat(masked(), spec.Isolation.Mask, v.masks),
		ReadonlyPaths:   readonly(),
		Cgroups:         group(spec),
		RootlessCgroups: !grouped(spec),
		Capabilities:    caps,
		Rlimits:         rlimits(asked),
		NoNewPrivileges: true,
		NoNewKeyring:    true,
		OomScoreAdj:     spec.Isolation.OOMScoreAdj,
		Seccomp:         seccomp,
	}
	if spec.Config.Rootfs != nil {
		c.Devices = specconv.AllowedDevices
	}
	return c, nil
}

func furniture(spec shim.Spec) []*configs.Mount {
	if spec.Config.Rootfs != nil {
		return imageMounts(spec)
	}
	return mounts(spec)
}

// namespaces are new ones, but for the network's: that is the machine's, or one
// that was made and furnished before.
func namespaces(spec shim.Spec) configs.Namespaces {
	cfg := spec.Config
	if cfg.Apart {
		return apartNamespaces(spec)
	}
	list := configs.Namespaces{{Type: configs.NEWNS}, {Type: configs.NEWPID}, {Type: configs.NEWUTS}}
	if !cfg.Confinement.ShareIPC {
		list.Add(configs.NEWIPC, "")
	}
	if cfg.Network != "" {
		list.Add(configs.NEWNET, cfg.Network)
	}
	return list
}

// mounts lie over the machine's own root file system. /dev is bound although it
// is there already: otherwise libcontainer would furnish it, that is, change the
// machine's.
func mounts(spec shim.Spec) []*configs.Mount {
	const bind = unix.MS_BIND | unix.MS_REC
	const quiet = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV
	list := []*configs.Mount{
		{Source: "/dev", Destination: "/dev", Device: "bind", Flags: bind},
		{Source: "proc", Destination: "/proc", Device: "proc", Flags: quiet},
		// Read-only all the way down: the command must not lift its own limits.
		{Source: "/sys", Destination: "/sys", Device: "bind", Flags: bind, RecAttr: &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}},
	}
	if c := spec.Config.Confinement; !c.ShareIPC || spec.Config.Apart {
		list = append(list, ipcMounts(c.ShmSize)...)
	}
	present := list[:0]
	for _, m := range list {
		// Never make a directory: it would appear on the machine.
		if info, err := os.Stat(m.Destination); err == nil && info.IsDir() {
			present = append(present, m)
		}
	}
	return present
}

func masked() []string {
	return []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
		"/sys/devices/virtual/powercap", "/sys/firmware",
	}
}

func readonly() []string {
	return []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
}

// group describes the container's cgroup. Without one the resources must be
// empty, or libcontainer would insist on setting them.
func group(spec shim.Spec) *cgroups.Cgroup {
	if !grouped(spec) {
		return &cgroups.Cgroup{Name: spec.Config.ID, Rootless: true, Resources: &cgroups.Resources{Devices: deviceRules()}}
	}
	v := cgroup.ValuesOf(spec.Config.Limits)
	r := &cgroups.Resources{
		CpuShares:         v.Shares,
		CpuWeight:         v.Weight,
		CpuQuota:          v.Quota,
		Memory:            v.MemHard,
		MemoryReservation: v.MemSoft,
		Devices:           deviceRules(),
	}
	if v.Quota != 0 {
		r.CpuPeriod = v.Period
	}
	if v.PIDs > 0 {
		r.PidsLimit = &v.PIDs
	}
	if cgroups.IsCgroup2UnifiedMode() {
		r.Unified = map[string]string{"memory.oom.group": "1"} // half a task is of no use to anybody
	}
	return &cgroups.Cgroup{Path: spec.Isolation.Cgroup, Resources: r}
}

// deviceRules let a command use the harmless devices in /dev: null, zero, full,
// random, tty and pseudo terminals, not the machine's disks and memory.
func deviceRules() []*devices.Rule {
	var rules []*devices.Rule
	for _, d := range specconv.AllowedDevices {
		rules = append(rules, &d.Rule)
	}
	return rules
}

// ipcMounts go with an IPC namespace of its own; size is that of /dev/shm in
// bytes, 0 for half the memory.
func ipcMounts(size int64) []*configs.Mount {
	const quiet = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV
	options := "mode=1777"
	if size > 0 {
		options += fmt.Sprintf(",size=%d", size)
	}
	return []*configs.Mount{
		{Source: "mqueue", Destination: "/dev/mqueue", Device: "mqueue", Flags: quiet},
		{Source: "shm", Destination: "/dev/shm", Device: "tmpfs", Flags: quiet, Data: options},
	}
}

func rlimits(c containerizer.Confinement) []configs.Rlimit {
	var list []configs.Rlimit
	for _, r := range c.Rlimits {
		list = append(list, configs.Rlimit{Type: r.Number(), Soft: r.Soft, Hard: r.Hard})
	}
	return list
}

// capabilities of a command: only root has any to begin with.
func capabilities(uid int, c containerizer.Confinement) (*configs.Capabilities, error) {
	if c.Bounding == nil && c.Effective == nil {
		set := &configs.Capabilities{Bounding: prefixed(containerizer.DefaultCapabilities())}
		if uid == 0 {
			set.Permitted, set.Effective = set.Bounding, set.Bounding
		}
		return set, nil
	}
	bounding, effective := c.Bounding, c.Effective
	for _, name := range slices.Concat(bounding, effective) {
		if !slices.ContainsFunc(capability.ListKnown(), func(k capability.Cap) bool { return strings.EqualFold(k.String(), name) }) {
			return nil, fmt.Errorf("there is no capability %s", name)
		}
	}
	switch {
	case uid != 0 && len(effective) > 0:
		return nil, fmt.Errorf("effective capabilities need the user root; the command's user id is %d", uid)
	case bounding == nil:
		bounding = effective
	case effective == nil && uid == 0:
		effective = bounding
	}
	set := &configs.Capabilities{Bounding: prefixed(bounding)}
	set.Permitted = prefixed(effective)
	set.Effective = set.Permitted
	return set, nil
}

func prefixed(names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = "CAP_" + name
	}
	return list
}
