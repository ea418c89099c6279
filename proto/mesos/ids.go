// Package mesos owns the words every part of the system shares and the wire
// does not define: identifiers as types, the rules for identifiers and role
// names, and the table of task states. It does no I/O and keeps no state.
package mesos

import (
	"fmt"
	"strings"
)

type (
	// AgentID is minted by the master at registration and kept over restarts of the agent.
	AgentID string
	// FrameworkID is minted by the master at the first subscription and survives scheduler failover.
	FrameworkID string
	// OfferID is good for one ACCEPT or DECLINE.
	OfferID string
	// TaskID is chosen by a scheduler and unique among its framework's active tasks.
	TaskID string
	// ExecutorID is chosen by a scheduler; a command task's executor bears the task's id.
	ExecutorID string
	// ContainerID is minted by the agent, one per launch. That of a container nested
	// in another one is made of both, with a point between them.
	ContainerID string
)

// Within names a container nested in id.
func (id ContainerID) Within(inner ContainerID) ContainerID { return id + "." + inner }

// Split returns the container that id is nested in, "" if in none, and its own name there.
func (id ContainerID) Split() (outer, inner ContainerID) {
	i := strings.LastIndexByte(string(id), '.')
	if i < 0 {
		return "", id
	}
	return id[:i], id[i+1:]
}

// MaxIDLength is the longest identifier accepted, in bytes (Mesos: NAME_MAX).
const MaxIDLength = 255

// CheckID says what is wrong with a framework, executor, task or persistence
// id, in Mesos' words; nil if nothing is.
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("ID must not be empty")
	case len(id) > MaxIDLength:
		return fmt.Errorf("ID must not be greater than %d characters", MaxIDLength)
	case id == "." || id == "..":
		return fmt.Errorf("'%s' is disallowed", id)
	case strings.ContainsFunc(id, invalidInID):
		return fmt.Errorf("'%s' contains invalid characters", id)
	}
	return nil
}

// invalidInID: an id becomes a path component of a sandbox.
func invalidInID(r rune) bool { return r < 0x20 || r == 0x7f || r == '/' || r == '\\' }
