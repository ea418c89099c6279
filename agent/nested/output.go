package nested

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"
)

// poll is how often output is looked at while somebody watches: no terminal feels
// slow at that.
const poll = 20 * time.Millisecond

// piece bounds what emit is given at a time.
const piece = 32 << 10

// Follow calls emit with what a container writes, from its beginning or from now,
// until it has ended and all is told, or emit or ctx says stop.
func (r *Registry) Follow(ctx context.Context, id ID, all bool, emit func(stderr bool, data []byte) error) error {
	c, err := r.Get(ctx, id)
	if err != nil {
		return err
	}
	base, err := os.OpenRoot(c.Base)
	if err != nil {
		return err
	}
	defer base.Close()
	var outputs []*output
	for i, name := range []string{"stdout", "stderr"} {
		f, err := base.Open(filepath.Join(c.within(), name))
		if err != nil {
			return err
		}
		defer f.Close()
		o := &output{file: f, emit: func(data []byte) error { return emit(i == 1, data) }}
		if !all {
			_, _ = f.Seek(0, io.SeekEnd)
		}
		outputs = append(outputs, o)
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		running := r.runs(ctx, id.key()) // before looking: what follows is the last
		for _, o := range outputs {
			if err := o.drain(); err != nil {
				return err
			}
		}
		if !running {
			return ctx.Err()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// output is a file that grows.
type output struct {
	file *os.File
	emit func([]byte) error
}

func (o *output) drain() error {
	if info, err := o.file.Stat(); err == nil {
		if at, err := o.file.Seek(0, io.SeekCurrent); err == nil && at > info.Size() {
			_, _ = o.file.Seek(0, io.SeekStart) // it was rotated
		}
	}
	for {
		data := make([]byte, piece)
		n, err := o.file.Read(data)
		if n > 0 {
			if err := o.emit(data[:n]); err != nil {
				return err
			}
		}
		if err != nil || n == 0 {
			return nil
		}
	}
}
