package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// Launch implements containerizer.Containerizer.
func (k *Keeper) Launch(ctx context.Context, cfg containerizer.Config) (containerizer.Status, error) {
	status, err := k.launch(ctx, cfg)
	if err != nil {
		return containerizer.Status{}, fmt.Errorf("launch container %s: %w", cfg.ID, err)
	}
	return status, nil
}

func (k *Keeper) launch(ctx context.Context, cfg containerizer.Config) (containerizer.Status, error) {
	if shim.Inside() {
		return containerizer.Status{}, errors.New("this process is a shim itself: the program's main must call the shim before anything else")
	}
	if err := cfg.Check(); err != nil {
		return containerizer.Status{}, err
	}
	if err := ctx.Err(); err != nil {
		return containerizer.Status{}, err
	}
	program, err := shim.Resolve(cfg)
	if err != nil {
		return containerizer.Status{}, err
	}
	spec := shim.Spec{Config: cfg, Program: program}
	if err := k.nest(ctx, &spec); err != nil {
		return containerizer.Status{}, err
	}
	if err := k.driver.Prepare(&spec); err != nil {
		return containerizer.Status{}, err
	}
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	e := newEntry(k.dir(cfg.ID), Container{ID: cfg.ID, Spec: spec}, abort)
	if err := k.add(e); err != nil {
		return containerizer.Status{}, err
	}
	if err := k.start(ctx, e); err != nil {
		return containerizer.Status{}, k.undo(e, err)
	}
	close(e.launched)
	return containerizer.Status{PID: e.container().Init.PID, Started: time.Now(), Cgroup: spec.Isolation.Cgroup}, nil
}

func (k *Keeper) add(e *entry) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.recovered {
		return errors.New("containers of an earlier agent have not been recovered yet")
	}
	if k.ctx.Err() != nil {
		return errClosed
	}
	if _, ok := k.containers[e.c.ID]; ok {
		return containerizer.ErrExists
	}
	if parent := e.c.Spec.Config.Parent; parent != "" && !k.open(parent) {
		return containerizer.ErrNoParent
	}
	k.containers[e.c.ID] = e
	return nil
}

// tooLong is when a launch is given up: something it needs, a network file system
// perhaps, does not answer.
const tooLong = time.Minute

var errTooLong = fmt.Errorf("the command did not start within %v: does the sandbox or work directory hang?", tooLong)

// start runs the shim and waits for its answer. Only so many launches run at a
// time as keep the processors busy: each needs some of its own for milliseconds,
// and hundreds at once would all be late.
func (k *Keeper) start(ctx context.Context, e *entry) error {
	select {
	case k.slots <- struct{}{}:
		defer func() { <-k.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, tooLong, errTooLong)
	defer cancel()
	if err := os.Mkdir(string(e.dir), 0o700); err != nil {
		return err
	}
	if err := e.dir.WriteSpec(e.c.Spec); err != nil {
		return err
	}
	files, err := e.openInput()
	if err != nil {
		return err
	}
	pipe, err := k.spawn(ctx, e, files)
	closeAll(files)
	e.unblock()
	if err != nil {
		return err
	}
	defer pipe.Close()
	k.follow(e)

	defer context.AfterFunc(ctx, func() { pipe.SetReadDeadline(time.Unix(1, 0)) })()
	init, err := shim.Await(pipe)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, shim.ErrDied) {
		return fmt.Errorf("%w: %s", err, e.dir.Log())
	}
	if refusal, ok := errors.AsType[*shim.Refusal](err); ok {
		return shim.ExecError(e.c.Spec.Program, refusal.Errno)
	}
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.c.Init = init
	e.mu.Unlock()
	k.showOutput(e)
	return nil
}

// ErrUnsure says that whoever was asked to start a shim died over it.
var ErrUnsure = errors.New("the helper was killed while it started a shim")

// spawn starts a shim that holds the lock of the container, and takes down who it
// is. A helper that was killed is asked no more; the second attempt does without.
func (k *Keeper) spawn(ctx context.Context, e *entry, input []*os.File) (ready *os.File, err error) {
	for range 2 {
		var pid int
		if ready, pid, err = k.fork(e.dir, e.c.Spec, input); err == nil {
			e.mu.Lock()
			e.c.Shim = shim.Identify(pid)
			e.mu.Unlock()
			return ready, nil
		}
		if !errors.Is(err, ErrUnsure) {
			return nil, err
		}
		if running, unknown := e.identify(ctx); running || unknown != nil {
			return ready, unknown
		}
		ready.Close()
		if err := os.Remove(e.dir.Path("lock")); err != nil {
			return nil, err
		}
	}
	return nil, err
}

// fork starts a shim. After an ErrUnsure ready is the pipe of the one there may
// be.
func (k *Keeper) fork(dir shim.Dir, spec shim.Spec, input []*os.File) (ready *os.File, pid int, err error) {
	files, err := openAll(dir)
	defer closeAll(files)
	if err != nil {
		return nil, 0, err
	}
	ready, answer, err := os.Pipe()
	if err != nil {
		return nil, 0, err
	}
	defer answer.Close()
	null, log, lock := files[0], files[1], files[2]
	pid, err = k.driver.Start(dir, spec, append([]*os.File{null, log, log, answer, lock}, input...))
	if err != nil && !errors.Is(err, ErrUnsure) {
		ready.Close()
		return nil, 0, err
	}
	return ready, pid, err
}

// PlanPlace is the number of the file by which a shim finds its plan, if it has
// one. One without a plan but with input has something else there.
const PlanPlace = 5

// Exec starts a shim by executing a program.
func Exec(path string, argv []string, files []*os.File) (pid int, err error) {
	p, err := os.StartProcess(path, argv, &os.ProcAttr{
		Dir:   "/",
		Env:   shim.Environ(),
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start shim %s: %w", path, shim.Reason(err))
	}
	pid = p.Pid
	return pid, p.Release()
}

// openAll opens /dev/null, the log and the lock for a shim.
func openAll(dir shim.Dir) (files []*os.File, err error) {
	for _, open := range []func() (*os.File, error){
		func() (*os.File, error) { return os.Open(os.DevNull) },
		func() (*os.File, error) {
			return os.OpenFile(dir.Path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		},
		dir.Lock,
	} {
		f, err := open()
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// undo removes what a failed launch left and returns why it failed. Only then
// the id is free again.
func (k *Keeper) undo(e *entry, cause error) error {
	e.err = cause
	if pid := e.container().Shim.PID; pid != 0 {
		syscall.Kill(-pid, syscall.SIGKILL)
		syscall.Kill(pid, syscall.SIGKILL) // one just started may not have its session yet
		if err := k.kill(context.Background(), e); err != nil {
			k.log.Error("failed launch not undone", zap.String("container_id", e.c.ID), zap.Error(err))
		}
	} else {
		close(e.ended)
	}
	if err := k.forget(e); err != nil {
		k.log.Error("failed launch not cleaned up", zap.String("container_id", e.c.ID), zap.Error(err))
		k.mu.Lock()
		delete(k.containers, e.c.ID)
		k.mu.Unlock()
	}
	close(e.launched)
	return cause
}

// follow waits for the end of a shim and takes down how the container ended.
func (k *Keeper) follow(e *entry) {
	k.wg.Go(func() {
		pid := e.container().Shim.PID
		if err := watch(k.ctx, e.dir, e.container().Shim); err != nil {
			return // closed: the container goes on without us
		}
		var ws syscall.WaitStatus
		syscall.Wait4(pid, &ws, syscall.WNOHANG, nil) // ECHILD after a restart of the agent
		k.settle(e, containerizer.Lost)
	})
}

// settle sets how a container whose shim is gone has ended.
func (k *Keeper) settle(e *entry, without string) {
	t, ok, err := e.dir.ReadExit()
	if err != nil {
		k.log.Error("exit record not readable", zap.String("container_id", e.container().ID), zap.Error(err))
	}
	if !ok {
		t = containerizer.Termination{Reason: without, When: time.Now()}
	}
	if !t.Known {
		k.killRest(e)
	}
	k.driver.Collect(e.container(), &t)
	e.closeInput()
	e.term = t
	close(e.ended)
	k.endNested(e)
}

// killRest kills what a shim that was killed itself left behind.
func (k *Keeper) killRest(e *entry) {
	if err := k.driver.Kill(e.container()); err != nil {
		k.log.Error("container without a shim not killed", zap.String("container_id", e.container().ID), zap.Error(err))
	}
}
