package nested

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/soukproject/souk/agent/containerizer"
)

var (
	// ErrUnknown says that there is no such container.
	ErrUnknown = errors.New("no such container")

	// ErrRunning says that a container cannot be removed before it has ended.
	ErrRunning = errors.New("the container runs")
)

// An ID is the name of a container: its own last, those it is nested in before.
type ID []string

// String is the ID in messages.
func (id ID) String() string { return strings.Join(id, ".") }

// key is the containerizer's name for a container. One that would be too long or
// hold what that does not take is known by a digest of its name.
func (id ID) key() string {
	if len(id) == 1 || containerizer.CheckID(id.String()) == nil {
		return id.String()
	}
	sum := sha256.Sum256([]byte(strings.Join(id, "/")))
	return "nested-" + hex.EncodeToString(sum[:16])
}

// A Container is one of those that a Registry knows.
type Container struct {
	ID      ID     `json:"id"`
	Base    string `json:"base"` // the sandbox of the outermost container
	Session bool   `json:"session,omitempty"`
	TTY     bool   `json:"tty,omitempty"`
	PID     int    `json:"pid,omitempty"`

	starting bool
}

// Interactive reports whether input and output may be attached to.
func (c Container) Interactive() bool { return c.Session || c.TTY }

// within is the sandbox below Base.
func (c Container) within() string {
	path := "."
	for _, name := range c.ID[1:] {
		path = filepath.Join(path, "containers", name)
	}
	return path
}

// Sandbox is the directory that the container works in.
func (c Container) Sandbox() string { return filepath.Join(c.Base, c.within()) }

// Config is what a Registry needs.
type Config struct {
	Containers  containerizer.Containerizer
	WorkDir     string            // absolute; records and sandboxes of standalone containers lie below
	Environment map[string]string // for all containers
}

// A Registry knows the containers.
type Registry struct {
	cfg     Config
	records string

	mu         sync.Mutex
	containers map[string]*Container // by key
}

// Open reads the records that an earlier agent left.
func Open(cfg Config) (*Registry, error) {
	r := &Registry{cfg: cfg, records: filepath.Join(cfg.WorkDir, "nested"), containers: map[string]*Container{}}
	if err := os.MkdirAll(r.records, 0o700); err != nil {
		return nil, fmt.Errorf("records of nested containers: %w", err)
	}
	entries, err := os.ReadDir(r.records)
	if err != nil {
		return nil, fmt.Errorf("records of nested containers: %w", err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(r.records, e.Name()))
		c := &Container{}
		if err == nil {
			err = json.Unmarshal(data, c)
		}
		if err != nil || len(c.ID) == 0 {
			continue // half written: the container was not launched yet
		}
		r.containers[c.ID.key()] = c
	}
	return r, nil
}

// Known lists what the containerizer must not take for orphans.
func (r *Registry) Known() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for key := range r.containers {
		ids = append(ids, key)
	}
	slices.Sort(ids)
	return ids
}

// List returns the containers that run, outer ones first.
func (r *Registry) List(ctx context.Context) []Container {
	r.mu.Lock()
	keys := make([]string, 0, len(r.containers))
	for key := range r.containers {
		keys = append(keys, key)
	}
	r.mu.Unlock()
	slices.Sort(keys)
	var list []Container
	for _, key := range keys {
		if c, ok := r.get(ctx, key); ok && r.runs(ctx, key) {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b Container) int { return len(a.ID) - len(b.ID) })
	return list
}

// Get returns a container that has not been removed.
func (r *Registry) Get(ctx context.Context, id ID) (Container, error) {
	c, ok := r.get(ctx, id.key())
	if !ok || !slices.Equal(c.ID, id) {
		return Container{}, ErrUnknown
	}
	return c, nil
}

// get forgets a container that went with the one it was nested in.
func (r *Registry) get(ctx context.Context, key string) (Container, bool) {
	r.mu.Lock()
	c, ok := r.containers[key]
	r.mu.Unlock()
	if !ok {
		return Container{}, false
	}
	if c.starting {
		return *c, true
	}
	if _, err := r.now(ctx, key); errors.Is(err, containerizer.ErrUnknown) {
		r.forget(key, c)
		return Container{}, false
	}
	return *c, true
}

// now asks how a container has ended without waiting for it.
func (r *Registry) now(ctx context.Context, key string) (containerizer.Termination, error) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return r.cfg.Containers.Wait(ctx, key)
}

func (r *Registry) runs(ctx context.Context, key string) bool {
	_, err := r.now(ctx, key)
	return err != nil && !errors.Is(err, containerizer.ErrUnknown)
}

func (r *Registry) forget(key string, c *Container) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.containers[key] == c {
		delete(r.containers, key)
		_ = os.Remove(filepath.Join(r.records, key))
	}
}

// Wait blocks until a container has ended.
func (r *Registry) Wait(ctx context.Context, id ID) (containerizer.Termination, error) {
	if _, err := r.Get(ctx, id); err != nil {
		return containerizer.Termination{}, err
	}
	return r.WaitTask(ctx, id)
}

// Kill sends a signal to a container that runs.
func (r *Registry) Kill(ctx context.Context, id ID, sig syscall.Signal) error {
	if _, err := r.Get(ctx, id); err != nil {
		return err
	}
	if !r.runs(ctx, id.key()) {
		return ErrUnknown
	}
	return r.KillTask(ctx, id, sig)
}

// WaitTask is Wait for the container of a task, which is not of the Registry.
func (r *Registry) WaitTask(ctx context.Context, id ID) (containerizer.Termination, error) {
	t, err := r.cfg.Containers.Wait(ctx, id.key())
	if errors.Is(err, containerizer.ErrUnknown) {
		err = ErrUnknown
	}
	return t, err
}

// KillTask is Kill for the container of a task.
func (r *Registry) KillTask(ctx context.Context, id ID, sig syscall.Signal) error {
	err := r.cfg.Containers.Signal(ctx, id.key(), sig)
	if errors.Is(err, containerizer.ErrUnknown) {
		err = ErrUnknown
	}
	return err
}

// Remove forgets a container that has ended, its sandbox included. Of one that is
// not known: nil.
func (r *Registry) Remove(ctx context.Context, id ID) error {
	c, err := r.Get(ctx, id)
	if err != nil {
		return nil
	}
	if r.runs(ctx, id.key()) {
		return ErrRunning
	}
	if err := r.cfg.Containers.Destroy(ctx, id.key()); err != nil {
		return err
	}
	if base, err := os.OpenRoot(c.Base); err == nil {
		defer base.Close()
		if len(id) > 1 {
			err = base.RemoveAll(c.within())
		} else {
			err = os.RemoveAll(c.Base)
		}
		if err != nil {
			return err
		}
	}
	r.mu.Lock()
	rec := r.containers[id.key()]
	r.mu.Unlock()
	r.forget(id.key(), rec)
	return nil
}

// Input writes to the standard input of a container; no data closes it.
func (r *Registry) Input(ctx context.Context, id ID, data []byte) error {
	return r.cfg.Containers.Input(ctx, id.key(), data)
}

// Resize tells a container with a terminal the size of the user's.
func (r *Registry) Resize(ctx context.Context, id ID, w containerizer.Window) error {
	return r.cfg.Containers.Resize(ctx, id.key(), w)
}

// Stats measures a container.
func (r *Registry) Stats(ctx context.Context, id ID) (containerizer.Statistics, error) {
	return r.cfg.Containers.Stats(ctx, id.key())
}
