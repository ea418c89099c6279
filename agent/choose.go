package agent

import (
	"fmt"
	"hash/fnv"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/posix"
	"github.com/soukproject/souk/agent/containerizer/runc"
)

// openContainers opens the containerizer that cfg asks for, or the best that
// the machine allows. limited tells whether it holds containers to limits.
func openContainers(cfg Config) (c containerizer.Containerizer, limited bool, closeAll func() error, err error) {
	if cfg.Containers != nil {
		return cfg.Containers, true, func() error { return nil }, nil
	}
	level, why := runc.None, "--containerizer=posix"
	if cfg.Containerizer != Posix {
		level, why = probe(cfg)
	}
	switch {
	case cfg.Containerizer == RunC && level != runc.Full: // who asks for isolation gets all of it, or an answer
		return nil, false, nil, fmt.Errorf("flag --containerizer=runc: containers cannot be isolated and limited here: %s", why)
	case level != runc.None:
		cfg.Log.Info("containers are isolated", zap.Stringer("level", level), zap.String("reason", why))
		isolated, err := runc.New(runc.Config{
			RunDir: cfg.RuntimeDir, Helper: cfg.ContainerizerPath, Level: level, CgroupsRoot: cgroupsRoot(cfg),
			PIDs: cfg.PIDs, NoSeccomp: cfg.NoSeccomp, Log: cfg.Log.Named("containerizer"),
		})
		if err != nil {
			return nil, false, nil, err
		}
		return isolated, level == runc.Full, isolated.Close, nil
	}
	cfg.Log.Warn("containers are plain processes: neither isolated nor limited", zap.String("reason", why))
	helper, err := runc.FindHelper(cfg.ContainerizerPath)
	if err != nil {
		helper = "" // this program is its own shim then
	}
	plain, err := posix.New(posix.Config{RunDir: cfg.RuntimeDir, Helper: helper, Log: cfg.Log.Named("containerizer")})
	if err != nil {
		return nil, false, nil, err
	}
	return plain, false, plain.Close, nil
}

// probe says how much isolation the machine allows, and why no more.
func probe(cfg Config) (runc.Level, string) {
	helper, err := runc.FindHelper(cfg.ContainerizerPath)
	if err != nil {
		return runc.None, err.Error()
	}
	return runc.Probe(helper, cgroupsRoot(cfg))
}

// cgroupsRoot is the parent of the containers' cgroups. Recovery destroys what
// it finds there and does not know, so that agents on one machine, which have
// runtime folders of their own, must not share it.
func cgroupsRoot(cfg Config) string {
	if cfg.CgroupsRoot != "" {
		return cfg.CgroupsRoot
	}
	h := fnv.New32a()
	h.Write([]byte(cfg.RuntimeDir)) // never fails
	return fmt.Sprintf("%s-%08x", runc.DefaultCgroupsRoot, h.Sum32())
}

// isolates reports whether containers can have files of their own.
func isolates(c containerizer.Containerizer) bool {
	_, ok := c.(*runc.Containerizer)
	return ok
}
