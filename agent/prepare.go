package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	dir, err := a.store.Create(sandboxRun(e.Run), user)
	if err != nil {
		return containerizer.Config{}, err
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
	c.Mounts, err = volumes{sandbox: dir, owner: owner, create: a.cfg.VolumeCreation}.mounts(e.Container().GetVolumes())
	if err != nil {
		return containerizer.Config{}, err
	}
	persistent, err := a.persistence.mounts(slices.Concat(e.Executor.GetResources(), e.Task.GetResources()), user)
	c.Mounts = append(c.Mounts, persistent...)
	return c, err
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
