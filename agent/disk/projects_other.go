//go:build unix && !linux

package disk

import "errors"

// Projects are limits of XFS, which only Linux has.
type Projects struct{}

var errProjects = errors.New("project quotas need Linux")

// OpenProjects fails.
func OpenProjects(dir string, first, last uint32) (*Projects, error) { return nil, errProjects }

// Close does nothing.
func (*Projects) Close() error { return nil }

// Assign fails.
func (*Projects) Assign(folder string, limit int64) error { return errProjects }

// Limit fails.
func (*Projects) Limit(folder string, limit int64) error { return errProjects }

// Usage fails.
func (*Projects) Usage(folder string) (used int64, ok bool, err error) { return 0, false, errProjects }
