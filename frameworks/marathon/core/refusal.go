package core

import (
	"fmt"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// A Kind says what is wrong with a request that was refused.
type Kind int

// The kinds of refusals.
const (
	BadRequest Kind = iota
	NotFound
	Conflict // with something that exists
	Locked   // by running deployments
	Forbidden
	Invalid
	Exhausted // the scheduler has nothing left to give
)

// A Refusal is the error for a request that cannot be granted as things are.
type Refusal struct {
	Kind        Kind
	Message     string
	Deployments []string // that hold the lock, for Locked
}

func (r *Refusal) Error() string { return r.Message }

func notFound(format string, args ...any) error {
	return &Refusal{Kind: NotFound, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &Refusal{Kind: Invalid, Message: fmt.Sprintf(format, args...)}
}

func noApp(id string) error { return notFound("App '%s' does not exist", id) }

func noVersion(id string, v spec.Timestamp) error {
	return notFound("App '%s' does not exist in version %s", id, v)
}

func locked(by []*deployment) error {
	r := &Refusal{
		Kind:    Locked,
		Message: "App is locked by one or more deployments. Override with the option '?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'.",
	}
	for _, d := range by {
		r.Deployments = append(r.Deployments, d.ID)
	}
	return r
}
