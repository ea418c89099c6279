//go:build !linux

package archive

import (
	"archive/tar"
	"errors"
	"os"
	"time"
)

var errLinux = errors.New("layers of images need Linux")

func (t *target) whiteout(string) (bool, error)               { return true, errLinux }
func (t *target) device(string, *tar.Header, meta) error      { return errLinux }
func (t *target) setXattrs(*os.File, map[string]string) error { return nil }
func setTimes(*os.File, time.Time) error                      { return nil }
