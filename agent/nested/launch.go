package nested

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/sandbox"
)

// A Request is a container to launch.
type Request struct {
	ID      ID
	Command containerizer.Command // without the environment that every container has
	Limits  containerizer.Limits
	OwnPIDs bool
	Session bool // has standard input, and the environment of what it is nested in
	TTY     *containerizer.Window

	// Base is the sandbox of the outermost container when that is an executor's; ""
	// when it is another of the Registry, or the container stands alone.
	Base string
	// Task says that what the container is nested in directly is the container of a
	// task, itself nested in that of Base.
	Task bool
}

// Launch starts a container. launched is false when one of this name exists.
func (r *Registry) Launch(ctx context.Context, q Request) (launched bool, err error) {
	if _, err := r.Get(ctx, q.ID); err == nil {
		return false, nil
	}
	c, err := r.place(ctx, q)
	if err != nil {
		return false, err
	}
	if err := c.makeSandbox(q.Command.User); err != nil {
		return false, err
	}
	key := q.ID.key()
	if ok, err := r.record(c); !ok {
		return false, err
	}
	status, err := r.cfg.Containers.Launch(ctx, r.config(c, q))
	if err != nil {
		r.forget(key, c)
		return false, errors.New(strings.TrimPrefix(err.Error(), "launch container "+key+": "))
	}
	r.mu.Lock()
	changed := *c
	changed.PID, changed.starting = status.PID, false
	if r.containers[key] == c {
		r.containers[key] = &changed
	}
	r.mu.Unlock()
	return true, nil
}

// place decides where the sandbox of a container lies.
func (r *Registry) place(ctx context.Context, q Request) (*Container, error) {
	c := &Container{ID: slices.Clone(q.ID), Base: q.Base, Session: q.Session, TTY: q.TTY != nil}
	if len(q.ID) == 1 {
		c.Base = filepath.Join(r.cfg.WorkDir, "containers", q.ID[0])
		return c, nil
	}
	if outer := q.ID[:len(q.ID)-1]; !q.Task && (len(outer) > 1 || q.Base == "") {
		parent, err := r.Get(ctx, outer)
		if err != nil || !r.runs(ctx, outer.key()) {
			return nil, fmt.Errorf("Parent container %s does not exist", outer)
		}
		c.Base = parent.Base
		return c, nil
	}
	// What lies above is the agent's own; below, no link is followed.
	real, err := filepath.EvalSymlinks(q.Base)
	c.Base = real
	return c, err
}

// makeSandbox makes the directory, which belongs to owner ("": the agent's user).
// What lies in Base was put there by strangers: no link in it leads out.
func (c *Container) makeSandbox(owner string) error {
	if len(c.ID) > 1 {
		return sandbox.Nest(c.Base, c.ID[1:], owner)
	}
	if err := os.MkdirAll(c.Base, 0o755); err != nil {
		return fmt.Errorf("Failed to create sandbox '%s': %w", c.Base, err)
	}
	return sandbox.Give(c.Base, owner)
}

// record makes the container known before it exists, or the next agent would
// destroy it.
func (r *Registry) record(c *Container) (fresh bool, err error) {
	key := c.ID.key()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.containers[key]; ok {
		return false, nil
	}
	data, err := json.Marshal(c)
	if err != nil {
		return false, err
	}
	path := filepath.Join(r.records, key)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return false, err
	}
	c.starting = true
	r.containers[key] = c
	return true, nil
}

func (r *Registry) config(c *Container, q Request) containerizer.Config {
	env := map[string]string{}
	if !q.Session {
		maps.Copy(env, r.cfg.Environment)
		env["MESOS_SANDBOX"] = c.Sandbox()
		if env["PATH"] == "" {
			env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
		}
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	cfg := containerizer.Config{
		ID: q.ID.key(), Command: q.Command, Sandbox: c.Sandbox(), Limits: q.Limits,
		TTY: q.TTY, Stdin: q.Session && q.TTY == nil,
	}
	cfg.Command.Env = append(list, q.Command.Env...)
	if len(q.ID) > 1 {
		if q.Session {
			outer := Container{ID: c.ID[:len(c.ID)-1], Base: c.Base}
			cfg.Command.WorkDir = outer.Sandbox()
		}
		cfg.Parent, cfg.OwnPIDs, cfg.Inherit = q.ID[:len(q.ID)-1].key(), q.OwnPIDs, q.Session
	}
	return cfg
}
