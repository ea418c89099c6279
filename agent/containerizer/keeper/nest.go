package keeper

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// maxDepth is how deep containers may be nested in each other, as in Mesos.
const maxDepth = 32

// nest completes the spec of a container that is to be nested in one that runs.
func (k *Keeper) nest(ctx context.Context, s *shim.Spec) error {
	if s.Config.Parent == "" {
		return nil
	}
	if depth := k.depth(s.Config.Parent); depth >= maxDepth {
		return fmt.Errorf("containers are nested %d deep already, and deeper than %d they cannot be", depth, maxDepth)
	}
	e, err := k.get(s.Config.Parent)
	if err != nil {
		return containerizer.ErrNoParent
	}
	if err := k.settled(ctx, e); err != nil || isClosed(e.ended) {
		return errors.Join(containerizer.ErrNoParent, ctx.Err())
	}
	c := e.container()
	s.Parent = &shim.Parent{Init: c.Init, Cgroup: c.Spec.Isolation.Cgroup}
	if s.Config.Apart {
		return nil
	}
	if s.Config.Command.User == "" {
		s.Program.UID, s.Program.GID, s.Program.Groups = c.Spec.Program.UID, c.Spec.Program.GID, c.Spec.Program.Groups
	}
	if s.Config.Inherit {
		s.Program.Env = shim.Override(c.Spec.Program.Env, s.Program.Env)
	}
	return nil
}

// depth counts a container and what it is nested in.
func (k *Keeper) depth(id string) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for e, ok := k.containers[id]; ok && n < maxDepth; e, ok = k.containers[id] {
		n++
		id = e.parent()
	}
	return n
}

// open reports whether containers may be nested in id. k.mu is held.
func (k *Keeper) open(id string) bool {
	e, ok := k.containers[id]
	return ok && !e.closing && !isClosed(e.ended)
}

// nested lists the containers nested in e, which from now on takes no more.
func (k *Keeper) nested(e *entry) (list []*entry) {
	id := e.container().ID
	k.mu.Lock()
	defer k.mu.Unlock()
	e.closing = true
	for _, other := range k.containers {
		if other.parent() == id {
			list = append(list, other)
		}
	}
	return list
}

func (e *entry) parent() string { return e.container().Spec.Config.Parent }

// destroyNested destroys what is nested in a container that is to be destroyed.
func (k *Keeper) destroyNested(ctx context.Context, e *entry) error {
	for _, nested := range k.nested(e) {
		if err := k.Destroy(ctx, nested.container().ID); err != nil {
			return err
		}
	}
	return nil
}

// endNested kills what is nested in a container that has ended; its records
// remain.
func (k *Keeper) endNested(e *entry) {
	for _, nested := range k.nested(e) {
		k.end(nested)
	}
}

// endStrays kills nested containers whose parent is gone.
func (k *Keeper) endStrays() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.containers {
		if parent := e.parent(); parent != "" && !k.open(parent) {
			k.end(e)
		}
	}
}

// end kills a container without waiting for it.
func (k *Keeper) end(e *entry) {
	k.wg.Go(func() {
		err := k.settled(k.ctx, e)
		if err == nil {
			err = k.kill(k.ctx, e)
		}
		if err != nil && k.ctx.Err() == nil && !errors.Is(err, containerizer.ErrUnknown) {
			k.log.Error("nested container not killed", zap.String("container_id", e.container().ID), zap.Error(err))
		}
	})
}
