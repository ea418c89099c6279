// Package rotation keeps the files that containers write their output to from
// growing without end: what is old moves to files with a number, of which a few are
// kept. It does not know which containers there are, nor who reads their output.
//
// Containers hold their files open and write on while they are rotated, so that
// the files must stay what they are. Where the file system can take the beginning
// of a file away (ext4, XFS), nothing is ever lost, and the cut may be in the middle
// of a line. Elsewhere the file is copied and emptied, and what is written between
// the two is lost.
package rotation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.uber.org/zap"
)

// A Policy says how much is kept of one stream of output.
type Policy struct {
	Size int64 // bytes of a file, beyond which it is rotated
	Keep int   // older files that stay
}

// A File is one to look after.
type File struct {
	Folder, Name string // Folder belongs to a stranger
	Policy
}

// Config of a Rotator. All but Log are required.
type Config struct {
	Interval time.Duration                             // between two looks
	Files    func(ctx context.Context) ([]File, error) // those that are being written
	Log      *zap.Logger                               // nil: silent
}

// A Rotator looks after files again and again. It is not for concurrent use.
type Rotator struct {
	cfg    Config
	failed map[string]time.Time // until when a file is left alone
}

// New returns a Rotator that works while Run does.
func New(cfg Config) *Rotator {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	return &Rotator{cfg: cfg, failed: map[string]time.Time{}}
}

// Run rotates what is too large until ctx ends.
func (r *Rotator) Run(ctx context.Context) error {
	ticker := time.NewTicker(r.cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-ticker.C:
			r.round(ctx, now)
		}
	}
}

// pause is how long a file is left alone that could not be rotated.
const pause = time.Minute

func (r *Rotator) round(ctx context.Context, now time.Time) {
	files, err := r.cfg.Files(ctx)
	if err != nil {
		return // the agent is stopping, or knows nothing yet
	}
	for path, until := range r.failed {
		if now.After(until) {
			delete(r.failed, path)
		}
	}
	for _, f := range files {
		path := filepath.Join(f.Folder, f.Name)
		if _, ok := r.failed[path]; ok {
			continue
		}
		if err := f.Rotate(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.failed[path] = now.Add(pause)
			r.cfg.Log.Warn("output not rotated", zap.String("path", path), zap.Error(err))
		}
	}
}

// Rotate moves what is in the file to one with the number 1, and those that have
// numbers to the next, unless the file is small enough. Nothing outside of the
// folder is touched, whatever its owner makes of the names in it.
func (f File) Rotate() error {
	info, err := os.Lstat(filepath.Join(f.Folder, f.Name))
	if err != nil || info.Size() <= f.Size {
		return err
	}
	root, err := os.OpenRoot(f.Folder)
	if err != nil {
		return err
	}
	defer root.Close()
	src, err := openOwn(root, f.Name)
	if err != nil {
		return err
	}
	defer src.Close()
	if f.Keep <= 0 {
		return shorten(src, nil)
	}
	return f.rotate(root, src)
}

// openOwn opens a file that nobody has under another name: emptying it must not
// empty what is somebody else's.
func openOwn(root *os.Root, name string) (*os.File, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!os.SameFile(before, info) || links(info) != 1) {
		err = fmt.Errorf("%s has other names", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// rotate copies first and cuts last: in between there is more than there should
// be, and never less.
func (f File) rotate(root *os.Root, src *os.File) error {
	scratch := "." + f.Name + ".rotating"
	if err := root.RemoveAll(scratch); err != nil {
		return err
	}
	dst, err := root.OpenFile(scratch, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer dst.Close()
	if err = giveTo(dst, src); err == nil {
		err = shorten(src, &target{dst, func() error { return f.shift(root, scratch) }})
	}
	if err != nil {
		_ = root.Remove(scratch) // it may have its number by now
	}
	return err
}

// target is where the old content goes; done makes it the newest of the older files.
type target struct {
	*os.File
	done func() error
}

// shift gives every older file the next number, and newest the first.
func (f File) shift(root *os.Root, newest string) error {
	if err := root.RemoveAll(f.numbered(f.Keep)); err != nil {
		return err
	}
	for n := f.Keep - 1; n > 0; n-- {
		if err := root.Rename(f.numbered(n), f.numbered(n+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return root.Rename(newest, f.numbered(1))
}

func (f File) numbered(n int) string { return f.Name + "." + strconv.Itoa(n) }
