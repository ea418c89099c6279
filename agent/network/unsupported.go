//go:build !linux

package network

import (
	"context"
	"errors"
)

// Networks are those of one agent; there are none outside of Linux.
type Networks struct{}

var errLinux = errors.New("networks of containers need Linux")

// Open succeeds: only the use of a network fails.
func Open(Config) (*Networks, error) { return &Networks{}, nil }

// Recover has nothing to do.
func (*Networks) Recover(context.Context, []string) error { return nil }

// Attach fails.
func (*Networks) Attach(context.Context, Spec) (Attachment, error) { return Attachment{}, errLinux }

// Detach has nothing to do.
func (*Networks) Detach(context.Context, string) error { return nil }

// Files knows nothing.
func (*Networks) Files(string) (Attachment, bool) { return Attachment{}, false }

// Attached knows nothing.
func (*Networks) Attached(string) (Spec, []Joined, bool) { return Spec{}, nil, false }
