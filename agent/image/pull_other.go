//go:build !linux

package image

import (
	"context"
	"errors"
)

func (s *Store) pull(context.Context, Ref) (Image, error) {
	return Image{}, errors.New("images need Linux")
}

func plain(err error) error { return err }
