package agent

import (
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/posix"
	"github.com/soukproject/souk/agent/containerizer/runc"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// chosen is the containerizer that an agent runs with.
type chosen struct {
	containerizer.Containerizer
	level  runc.Level // what its containers have
	probed bool       // level is what the machine allows
	close  func() error
}

// limited tells whether containers are held to limits.
func (c chosen) limited() bool { return c.level == runc.Full }

// openContainers opens the containerizer that cfg asks for, or the best that
// the machine allows.
func openContainers(cfg Config) (chosen, error) {
	if cfg.Containers != nil {
		return chosen{Containerizer: cfg.Containers, level: runc.Full, close: func() error { return nil }}, nil
	}
	level, why := runc.None, "--containerizer=posix"
	if cfg.Containerizer != Posix {
		level, why = probe(cfg)
	}
	if err := cfg.Isolation.Check(level, why); err != nil {
		return chosen{}, fmt.Errorf("flag --isolation: %w", err)
	}
	switch {
	case cfg.Containerizer == RunC && level != runc.Full: // who asks for isolation gets all of it, or an answer
		return chosen{}, fmt.Errorf("flag --containerizer=runc: containers cannot be isolated and limited here: %s", why)
	case level != runc.None:
		return openIsolated(cfg, level, why)
	}
	return openPlain(cfg, why)
}

func openIsolated(cfg Config, level runc.Level, why string) (chosen, error) {
	cfg.Log.Info("containers are isolated", zap.Stringer("level", level), zap.String("reason", why))
	c, err := runc.New(runc.Config{
		RunDir: cfg.RuntimeDir, Helper: cfg.ContainerizerPath, Level: level, CgroupsRoot: cgroupsRoot(cfg),
		PIDs: cfg.PIDs, NoSeccomp: cfg.NoSeccomp, Log: cfg.Log.Named("containerizer"),
	})
	if err != nil {
		return chosen{}, err
	}
	return chosen{Containerizer: c, level: level, probed: true, close: c.Close}, nil
}

func openPlain(cfg Config, why string) (chosen, error) {
	cfg.Log.Warn("containers are plain processes: neither isolated nor limited", zap.String("reason", why))
	helper, err := runc.FindHelper(cfg.ContainerizerPath)
	if err != nil {
		helper = "" // this program is its own shim then
	}
	c, err := posix.New(posix.Config{RunDir: cfg.RuntimeDir, Helper: helper, Log: cfg.Log.Named("containerizer")})
	if err != nil {
		return chosen{}, err
	}
	return chosen{Containerizer: c, probed: true, close: c.Close}, nil
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
	return fmt.Sprintf("%s-%08x", runc.DefaultCgroupsRoot, cfg.number())
}

// isolates reports whether containers can have files of their own.
func (c chosen) isolates() bool {
	_, ok := c.Containerizer.(*runc.Containerizer)
	return ok
}

// isolationName is the attribute that says what containers of the agent have.
const isolationName = "isolation"

// attributes adds to those of the operator, whose word counts, what containers have.
func (c chosen) attributes(given []*mesospb.Attribute) []*mesospb.Attribute {
	named := func(a *mesospb.Attribute) bool { return a.GetName() == isolationName }
	if !c.probed || slices.ContainsFunc(given, named) {
		return given
	}
	return append(given, &mesospb.Attribute{
		Name: new(isolationName), Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: new(c.level.String())},
	})
}
