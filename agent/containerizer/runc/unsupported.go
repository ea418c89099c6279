//go:build unix && !linux

package runc

import (
	"errors"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer/keeper"
)

// Level is how much isolation a machine allows.
type Level int

// Levels, lowest first. Only None exists outside Linux.
const (
	None Level = iota
	NoLimits
	Full
)

// DefaultCgroupsRoot is the parent of all containers' cgroups.
const DefaultCgroupsRoot = "souk"

// Config of a containerizer with isolation.
type Config struct {
	RunDir, Helper string
	Level          Level
	CgroupsRoot    string
	PIDs           int64
	NoSeccomp      bool
	Log            *zap.Logger
}

// A Containerizer runs isolated containers.
type Containerizer struct{ *keeper.Keeper }

const why = "isolated containers need Linux"

// String is the name of l in logs and agent attributes.
func (l Level) String() string { return "posix" }

// Probe finds that only plain processes work here.
func Probe(helper, cgroupsRoot string) (Level, string) { return None, why }

// FindHelper fails: there is no helper for this system.
func FindHelper(given string) (string, error) { return "", errors.New(why) }

// New fails.
func New(Config) (*Containerizer, error) { return nil, errors.New(why) }
