// Package keeper starts shims, follows them and finds them again after a restart
// of the agent: the life of a container as package containerizer tells it, for
// the containerizers posix and runc alike. How processes are isolated, killed and
// measured is left to a Driver; the files it works with belong to package shim.
//
// Concurrency: a Keeper may be used by many goroutines. It has one of its own
// per container that runs, without a thread and without a timer on Linux.
package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// A Container is what a Driver needs to know of one.
type Container struct {
	ID   string
	Shim shim.Process
	Init shim.Process // zero while it is not known
	Spec shim.Spec
}

// A Driver knows how processes are isolated, killed and measured. Its methods
// may be called concurrently for different containers.
type Driver interface {
	// Prepare completes a spec before anything exists. The parent of a nested
	// container runs.
	Prepare(s *shim.Spec) error

	// Start starts a shim for dir, with files as its first ones and in a session of
	// its own; see Exec. Of more than PlanPlace the one there may be replaced. An
	// ErrUnsure leaves it to the caller to find out whether there is one.
	Start(dir shim.Dir, s shim.Spec, files []*os.File) (pid int, err error)

	// Kill kills all processes of a container but not its shim, unless that is
	// gone already. It is repeated until the shim has ended.
	Kill(c Container) error

	Signal(c Container, sig syscall.Signal) error
	Update(c Container, l containerizer.Limits) error
	Stats(c Container) (containerizer.Statistics, error)

	// Collect adds what is known beside the exit status once all have ended.
	Collect(c Container, t *containerizer.Termination)

	// Clean removes what is left on the machine outside the directory of the
	// container. Of one that is gone: nil.
	Clean(c Container) error

	// Leftovers lists the ids of containers that have something for Clean to
	// remove.
	Leftovers() ([]string, error)
}

// Config of a Keeper.
type Config struct {
	Root   string // directory for the containers' records; made if need be
	Driver Driver
	Log    *zap.Logger // nil: silent
}

// A Keeper starts shims, follows them and finds them again. It is a
// containerizer.Containerizer.
type Keeper struct {
	root   string
	driver Driver
	log    *zap.Logger
	lock   *os.File // of root: two agents would destroy each other's containers

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // followers
	slots  chan struct{}  // one is taken by every launch under way

	mu         sync.Mutex
	recovered  bool
	containers map[string]*entry
}

// entry is one container. Its channels are closed, never sent on.
type entry struct {
	dir      shim.Dir
	launched chan struct{} // Launch has succeeded or failed
	ended    chan struct{} // term or failed is set
	abort    context.CancelFunc
	turn     chan struct{} // holds one token; whoever has it may change the container
	closing  bool          // nothing is nested in it any more; guarded by the mu of the Keeper

	err  error                     // why the launch failed, once launched is closed
	term containerizer.Termination // once ended is closed

	mu    sync.Mutex
	c     Container
	input *os.File      // the agent's end of a pipe or terminal; nil: none
	shown chan struct{} // closed when the output of a terminal has been taken; nil: none
}

var _ containerizer.Containerizer = (*Keeper)(nil)

// Open takes hold of the directory cfg.Root. Close lets go of it.
func Open(cfg Config) (*Keeper, error) {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	root, err := filepath.Abs(cfg.Root)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(root, "containers"), 0o700); err != nil {
		return nil, fmt.Errorf("make a directory for containers: %w", err)
	}
	lock, err := lockRoot(root)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Keeper{
		root: root, driver: cfg.Driver, log: cfg.Log, lock: lock, ctx: ctx, cancel: cancel,
		slots: make(chan struct{}, max(4, 2*runtime.NumCPU())), containers: map[string]*entry{},
	}, nil
}

// dying is how long a killed agent may seem to hold its directory: what it was
// starting shares the lock until it executes its program.
const dying = 3 * time.Second

func lockRoot(root string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(root, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("lock %s: %w", root, err)
			break
		}
		if time.Since(began) > dying {
			err = fmt.Errorf("containers in %s belong to another agent that runs: stop it or choose another work directory", root)
			break
		}
	}
	f.Close()
	return nil, err
}

// Close stops following the containers and leaves them alone. Calls that wait
// return an error; launches must have returned.
func (k *Keeper) Close() error {
	k.cancel()
	k.wg.Wait()
	// A child between fork and exec may share the file for a moment longer.
	if err := syscall.Flock(int(k.lock.Fd()), syscall.LOCK_UN); err != nil {
		return err
	}
	return k.lock.Close()
}

func (k *Keeper) dir(id string) shim.Dir { return Dir(k.root, id) }

// Dir is the directory of a container of the Keeper with that root.
func Dir(root, id string) shim.Dir { return shim.Dir(filepath.Join(root, "containers", id)) }

// Changes is the folder with what a container changed in its image. There need not
// be one.
func (k *Keeper) Changes(id string) string { return k.dir(id).Changes() }

// Wait implements containerizer.Containerizer.
func (k *Keeper) Wait(ctx context.Context, id string) (containerizer.Termination, error) {
	e, err := k.get(id)
	if err != nil {
		return containerizer.Termination{}, fmt.Errorf("wait for container %s: %w", id, err)
	}
	if err := k.settled(ctx, e); err != nil {
		return containerizer.Termination{}, fmt.Errorf("wait for container %s: %w", id, err)
	}
	if err := k.await(ctx, e.ended); err != nil {
		return containerizer.Termination{}, fmt.Errorf("wait for container %s: %w", id, err)
	}
	return e.term, nil
}

// Signal implements containerizer.Containerizer.
func (k *Keeper) Signal(ctx context.Context, id string, sig syscall.Signal) error {
	err := containerizer.CheckSignal(sig)
	if err == nil {
		err = k.running(ctx, id, func(e *entry, c Container) error { return k.driver.Signal(c, sig) })
	}
	if err != nil {
		return fmt.Errorf("signal container %s: %w", id, err)
	}
	return nil
}

// Update implements containerizer.Containerizer.
func (k *Keeper) Update(ctx context.Context, id string, l containerizer.Limits) error {
	err := l.Check()
	if err == nil {
		err = k.running(ctx, id, func(e *entry, c Container) error { return k.update(e, c, l) })
	}
	if err != nil {
		return fmt.Errorf("update container %s: %w", id, err)
	}
	return nil
}

// update changes the limits in force first: the record is for statistics.
func (k *Keeper) update(e *entry, c Container, l containerizer.Limits) error {
	if err := k.driver.Update(c, l); err != nil {
		return err
	}
	c.Spec.Config.Limits = l
	if err := e.dir.WriteSpec(c.Spec); err != nil {
		return err
	}
	e.mu.Lock()
	e.c = c
	e.mu.Unlock()
	return nil
}

// Stats implements containerizer.Containerizer.
func (k *Keeper) Stats(ctx context.Context, id string) (containerizer.Statistics, error) {
	e, err := k.get(id)
	if err == nil {
		err = k.settled(ctx, e)
	}
	if err != nil {
		return containerizer.Statistics{}, fmt.Errorf("measure container %s: %w", id, err)
	}
	return k.driver.Stats(e.container())
}

// Destroy implements containerizer.Containerizer.
func (k *Keeper) Destroy(ctx context.Context, id string) error {
	e, err := k.get(id)
	if err != nil {
		return nil
	}
	e.abort()
	err = k.destroyNested(ctx, e)
	if err == nil {
		err = k.destroy(ctx, e)
	}
	if err != nil {
		return fmt.Errorf("destroy container %s: %w", id, err)
	}
	return nil
}

func (k *Keeper) destroy(ctx context.Context, e *entry) error {
	if err := k.settled(ctx, e); err != nil {
		if errors.Is(err, containerizer.ErrUnknown) {
			return nil // the launch failed and cleaned up
		}
		return err
	}
	if err := k.take(ctx, e); err != nil {
		return err
	}
	defer e.release()
	id := e.container().ID
	if cur, err := k.get(id); err != nil || cur != e {
		return nil // somebody else was faster
	}
	if err := k.kill(ctx, e); err != nil {
		return err
	}
	return k.forget(e)
}

// forget removes everything of a container that has ended.
func (k *Keeper) forget(e *entry) error {
	c := e.container()
	if err := k.driver.Clean(c); err != nil {
		return err
	}
	if err := os.RemoveAll(string(e.dir)); err != nil {
		return err
	}
	k.mu.Lock()
	delete(k.containers, c.ID)
	k.mu.Unlock()
	return nil
}

// stuck is how long the processes of a container may take to die before the
// shim itself is suspected.
const stuck = 5 * time.Second

// kill kills until the container has ended.
func (k *Keeper) kill(ctx context.Context, e *entry) error {
	began := time.Now()
	for pause := 10 * time.Millisecond; !isClosed(e.ended); pause = min(2*pause, 200*time.Millisecond) {
		if err := k.driver.Kill(e.container()); err != nil {
			return err
		}
		if pid := e.container().Shim.PID; pid > 1 && time.Since(began) > stuck {
			k.log.Warn("killing a shim that does not end", zap.String("container_id", e.container().ID))
			syscall.Kill(-pid, syscall.SIGKILL)
		}
		select {
		case <-e.ended:
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		case <-k.ctx.Done():
			return errClosed
		}
	}
	return nil
}

var errClosed = errors.New("the containerizer was closed")

// running calls do with a container that runs, with nobody else changing it. It
// does nothing to one that has ended.
func (k *Keeper) running(ctx context.Context, id string, do func(*entry, Container) error) error {
	e, err := k.get(id)
	if err != nil {
		return err
	}
	if err := k.settled(ctx, e); err != nil {
		return err
	}
	if err := k.take(ctx, e); err != nil {
		return err
	}
	defer e.release()
	if isClosed(e.ended) {
		return nil
	}
	if err := do(e, e.container()); err != nil && e.container().Shim.Alive() {
		return err // otherwise it ended meanwhile
	}
	return nil
}

func (k *Keeper) get(id string) (*entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.containers[id]
	if !ok {
		return nil, containerizer.ErrUnknown
	}
	return e, nil
}

func (k *Keeper) await(ctx context.Context, done <-chan struct{}) error {
	if isClosed(done) {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-k.ctx.Done():
		return errClosed
	}
}

// settled waits for the launch of a container and fails if that failed.
func (k *Keeper) settled(ctx context.Context, e *entry) error {
	if err := k.await(ctx, e.launched); err != nil {
		return err
	}
	if e.err != nil {
		return containerizer.ErrUnknown
	}
	return nil
}

// take waits for the right to change a container; release gives it back.
func (k *Keeper) take(ctx context.Context, e *entry) error {
	select {
	case <-e.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-k.ctx.Done():
		return errClosed
	}
}

func (e *entry) release() { e.turn <- struct{}{} }

func (e *entry) container() Container {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.c
}

func newEntry(dir shim.Dir, c Container, abort context.CancelFunc) *entry {
	e := &entry{
		dir: dir, c: c, abort: abort,
		launched: make(chan struct{}), ended: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	e.release()
	return e
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
