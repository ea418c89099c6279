//go:build unix && !linux

package keeper

import (
	"errors"
	"os"
	"syscall"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

const noFollow = syscall.O_NOFOLLOW

var errTerminal = errors.New("terminals need Linux")

func openTerminal(containerizer.Window, shim.Program) (master, slave *os.File, err error) {
	return nil, nil, errTerminal
}

func resize(*os.File, containerizer.Window) error { return errTerminal }
func duplicate(*os.File) (*os.File, error)        { return nil, errTerminal }
func (k *Keeper) reopenInput(*entry)              {}
