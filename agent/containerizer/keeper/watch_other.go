//go:build unix && !linux

package keeper

import "errors"

// watchProcess leaves it to the polling of the lock.
func watchProcess(int) (watcher, error) { return nil, errors.ErrUnsupported }
