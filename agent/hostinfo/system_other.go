//go:build !linux

package hostinfo

// memory is not known here: the operator names it with --resources.
func memory() (int64, error) { return 0, nil }

// Disk is not known here: the operator names it with --resources.
func Disk(string) (size, used int64, err error) { return 0, 0, nil }
