package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/soukproject/souk/agent/account"
	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/fetcher"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// errGivenUp says that nobody wants the container any more that is being made.
var errGivenUp = errors.New("Container destroyed while preparing")

// prepare makes what a container needs before it can be launched. It may take
// long, because files come from elsewhere: it ends with ctx, and when abort is
// called for the container.
func (b *boxes) prepare(ctx context.Context, e core.Launch) (containerizer.Config, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b.preparing.Store(string(e.Run.Container), cancel)
	defer b.preparing.Delete(string(e.Run.Container))
	c, err := b.agent.prepare(ctx, e)
	if errors.Is(context.Cause(ctx), errGivenUp) {
		err = errGivenUp
	}
	return c, err
}

// abort gives up preparing a container; one that is ready is launched.
func (b *boxes) abort(id string) {
	if cancel, ok := b.preparing.Load(id); ok {
		cancel.(context.CancelCauseFunc)(errGivenUp)
	}
}

func (a *agent) prepare(ctx context.Context, e core.Launch) (containerizer.Config, error) {
	if a.cfg.RotateOutput {
		if _, err := a.outputPolicies(e.Command()); err != nil {
			return containerizer.Config{}, err
		}
	}
	user := a.user(e)
	dir, err := a.createSandbox(e, user)
	if err != nil {
		return containerizer.Config{}, err
	}
	if sandboxRun(e.Run).Nested == "" { // what is nested lies in a sandbox that is held
		if err := a.disks.hold(dir, resourcesOf(e)); err != nil {
			return containerizer.Config{}, err
		}
	}
	owner, err := owner(user)
	if err != nil {
		return containerizer.Config{}, err
	}
	err = a.fetcher.Fetch(ctx, fetcher.Request{URIs: uris(e.Command()), Sandbox: dir, User: user, Owner: owner})
	if err != nil {
		return containerizer.Config{}, fmt.Errorf("Failed to fetch all URIs for container '%s': %w", e.Run.Container, err)
	}
	c := a.container(e, user, dir)
	if err := a.addImage(ctx, e, &c); err != nil {
		return containerizer.Config{}, err
	}
	c.Mounts, err = a.mounts(e, volumes{sandbox: dir, owner: owner, create: a.cfg.VolumeCreation}, user)
	return c, err
}

func (a *agent) createSandbox(e core.Launch, user string) (string, error) {
	run := sandboxRun(e.Run)
	if run.Nested != "" {
		return a.store.CreateNested(run, e.Task.GetTaskId().GetValue(), user)
	}
	return a.store.Create(run, user)
}

// mounts are the volumes of a container. One of a task of the default executor may
// show what that has.
func (a *agent) mounts(e core.Launch, v volumes, user string) ([]containerizer.Mount, error) {
	if outer := sandboxRun(e.Run); outer.Nested != "" {
		outer.Nested = ""
		of := volumes{sandbox: a.store.Path(outer), create: a.cfg.VolumeCreation}
		x := e.Task.GetExecutor()
		list, err := a.mountsOf(x.GetContainer(), x.GetResources(), of, "")
		if err != nil {
			return nil, err
		}
		v.parent = &parent{volumes: of, mounts: list}
	}
	return a.mountsOf(e.Container(), resourcesOf(e), v, user)
}

// resourcesOf are those that a container has volumes of: a task's executor, if it
// has one, has its own.
func resourcesOf(e core.Launch) []*mesospb.Resource {
	if e.Executor != nil {
		return e.Executor.GetResources()
	}
	return e.Task.GetResources()
}

func (a *agent) mountsOf(c *mesospb.ContainerInfo, has []*mesospb.Resource, v volumes, user string) ([]containerizer.Mount, error) {
	list, err := v.mounts(c.GetVolumes())
	if err != nil {
		return nil, err
	}
	persistent, err := a.persistence.mounts(has, user)
	return append(list, persistent...), err
}

// owner is the account of user, nil for the agent's own.
func owner(user string) (*account.Account, error) {
	if user == "" {
		return nil, nil
	}
	found, err := account.Lookup(user)
	return &found, err
}

func uris(c *mesospb.CommandInfo) []fetcher.URI {
	var list []fetcher.URI
	for _, u := range c.GetUris() {
		list = append(list, fetcher.URI{
			Value: u.GetValue(), Executable: u.GetExecutable(), Extract: u.GetExtract(), Cache: u.GetCache(), Output: u.GetOutputFile(),
		})
	}
	return list
}
