//go:build linux && cgo

package launcher

import (
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/cgroups/manager"
	"github.com/opencontainers/runc/libcontainer/configs"

	"github.com/soukproject/souk/agent/containerizer/runc/cgroup"
)

// create makes the cgroups of cfg, sets their limits and returns their
// directories.
func create(cfg *configs.Config) ([]string, error) {
	tree, err := cgroup.Detect()
	if err != nil {
		return nil, err
	}
	if values, rules, ok := simple(cfg.Cgroups); ok && !tree.V2 {
		return tree.Group(cfg.Cgroups.Path).Create(values, rules)
	}
	return createAll(cfg)
}

// createAll leaves that to libcontainer, which uses every hierarchy there is and
// reads back what it wrote.
func createAll(cfg *configs.Config) ([]string, error) {
	m, err := manager.New(cfg.Cgroups)
	if err != nil {
		return nil, err
	}
	if err := m.Apply(-1); err != nil {
		return nil, err
	}
	if err := m.Set(cfg.Cgroups.Resources); err != nil {
		return nil, errors.Join(err, m.Destroy())
	}
	return slices.Compact(slices.Sorted(maps.Values(m.GetPaths()))), nil // cpu and cpuacct are one
}

// simple reports whether g asks for nothing but what cgroup.Group.Create sets.
func simple(g *cgroups.Cgroup) (v cgroup.Values, rules []string, ok bool) {
	r := *g.Resources
	v = cgroup.Values{
		Shares: r.CpuShares, Quota: r.CpuQuota, Period: r.CpuPeriod, MemSoft: r.MemoryReservation, MemHard: r.Memory,
	}
	if r.PidsLimit != nil {
		v.PIDs = *r.PidsLimit
	}
	if rules, ok = allowed(r.Devices); !ok || v.MemHard < 0 || v.Quota < 0 {
		return v, nil, false
	}
	r.CpuShares, r.CpuQuota, r.CpuPeriod, r.CpuWeight = 0, 0, 0, 0 // the weight is for v2
	r.MemoryReservation, r.Memory, r.PidsLimit, r.Devices = 0, 0, nil, nil
	return v, rules, reflect.DeepEqual(r, cgroups.Resources{})
}

// allowed writes rules as the kernel reads them, if each allows something.
func allowed(list []*devices.Rule) (rules []string, ok bool) {
	for _, rule := range list {
		if !rule.Allow {
			return nil, false
		}
		rules = append(rules, rule.CgroupString())
	}
	return rules, true
}
