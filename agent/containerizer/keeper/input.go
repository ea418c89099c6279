package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer"
)

// Input implements containerizer.Containerizer.
func (k *Keeper) Input(ctx context.Context, id string, data []byte) error {
	e, f, err := k.inputOf(ctx, id)
	if err != nil {
		return fmt.Errorf("write to container %s: %w", id, err)
	}
	if len(data) == 0 && e.container().Spec.Config.TTY == nil {
		e.closeInput()
		return nil
	}
	if len(data) == 0 {
		data = []byte{endOfInput}
	}
	f.SetWriteDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { f.SetWriteDeadline(time.Unix(1, 0)) })()
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("write to container %s: %w", id, errors.Join(containerizer.ErrNoInput, ctx.Err()))
	}
	return nil
}

// endOfInput is what a terminal in its usual mode takes for the end: Ctrl-D.
const endOfInput = 4

// Resize implements containerizer.Containerizer.
func (k *Keeper) Resize(ctx context.Context, id string, w containerizer.Window) error {
	e, f, err := k.inputOf(ctx, id)
	if err == nil && e.container().Spec.Config.TTY == nil {
		err = containerizer.ErrNoInput
	}
	if err == nil {
		err = resize(f, w)
	}
	if err != nil {
		return fmt.Errorf("resize terminal of container %s: %w", id, err)
	}
	return nil
}

func (k *Keeper) inputOf(ctx context.Context, id string) (*entry, *os.File, error) {
	e, err := k.get(id)
	if err != nil {
		return nil, nil, err
	}
	if err := k.settled(ctx, e); err != nil {
		return nil, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.input == nil {
		return nil, nil, containerizer.ErrNoInput
	}
	return e, e.input, nil
}

// openInput makes the input of a container, if it has one, and returns the files
// that its shim inherits beside the usual ones: a place for a plan, then both
// ends as the shim sees them.
func (e *entry) openInput() (files []*os.File, err error) {
	cfg := e.c.Spec.Config
	var mine, theirs *os.File
	switch {
	case cfg.TTY != nil:
		mine, theirs, err = openTerminal(*cfg.TTY, e.c.Spec.Program)
	case cfg.Stdin:
		theirs, mine, err = os.Pipe()
	default:
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open standard input: %w", err)
	}
	e.input = mine
	null, err := os.Open(os.DevNull)
	if err != nil {
		theirs.Close()
		return nil, err
	}
	kept := null
	if cfg.TTY != nil {
		if kept, err = duplicate(mine); err != nil {
			closeAll([]*os.File{theirs, null})
			return nil, err
		}
	}
	return []*os.File{null, theirs, kept}, nil
}

// unblock undoes what handing over the other descriptor of a terminal did to it.
func (e *entry) unblock() {
	if e.input != nil {
		_ = control(e.input, func(fd int) error { return syscall.SetNonblock(fd, true) })
	}
}

// showOutput writes what a terminal shows to the file stdout of the sandbox,
// until the last of its users is gone.
func (k *Keeper) showOutput(e *entry) {
	c := e.container()
	e.mu.Lock()
	f := e.input
	e.mu.Unlock()
	if c.Spec.Config.TTY == nil || f == nil {
		return
	}
	out, err := os.OpenFile(filepath.Join(c.Spec.Config.Sandbox, "stdout"), os.O_WRONLY|os.O_APPEND|noFollow, 0)
	if err != nil {
		k.log.Error("terminal not recorded", zap.String("container_id", c.ID), zap.Error(err))
		return
	}
	e.shown = make(chan struct{})
	k.wg.Go(func() {
		defer close(e.shown)
		defer out.Close()
		defer context.AfterFunc(k.ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })()
		_, _ = out.ReadFrom(reader{f}) // ends with EIO
	})
}

// reader hides what would make a copy clever: a terminal is read as it comes.
type reader struct{ f *os.File }

func (r reader) Read(p []byte) (int, error) { return r.f.Read(p) }

// closeInput lets go of the input of a container, once all of its output has been
// taken.
func (e *entry) closeInput() {
	e.mu.Lock()
	f, shown := e.input, e.shown
	e.input = nil
	e.mu.Unlock()
	if f == nil {
		return
	}
	if shown != nil {
		select {
		case <-shown:
		case <-time.After(lastWords):
		}
	}
	f.Close()
}

// lastWords is how long a terminal may stay silent after its container has ended
// before it is taken to have nothing left to show.
const lastWords = time.Second

// control calls do without taking f from the runtime's poller, as Fd would.
func control(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}
