package agent

import (
	"context"
	"fmt"
	"os"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/volume"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// persistence makes and removes the folders of persistent volumes, one operation
// after another, and shows them to containers.
type persistence struct {
	agent *agent
	store *volume.Store
	jobs  *queue[core.PrepareVolumes]
	disks resources.Resources // what is configured: it tells which disks there are
	log   *zap.Logger
}

func newPersistence(a *agent, disks resources.Resources) *persistence {
	return &persistence{agent: a, disks: disks, store: volume.NewStore(a.cfg.WorkDir), jobs: newQueue[core.PrepareVolumes](), log: a.log.Named("volumes")}
}

// run works until ctx ends. What was not done is asked for again by the next agent.
func (p *persistence) run(ctx context.Context) error {
	if err := p.store.Sweep(p.disks); err != nil {
		p.log.Warn("volumes removed earlier still take room", zap.Error(err))
	}
	for {
		list, err := p.jobs.take(ctx)
		if err != nil {
			return err
		}
		for _, job := range list {
			p.prepare(ctx, job)
		}
	}
}

func (p *persistence) prepare(ctx context.Context, job core.PrepareVolumes) {
	done := core.VolumesPrepared{Operation: job.Operation}
	rest, err := p.remove(job.Remove)
	if err == nil {
		err = p.create(job.Create)
	}
	if err != nil {
		p.log.Error("volumes not prepared", zap.Error(err))
		done.Why = err.Error()
	}
	// When the loop has ended, the next agent finds out for itself.
	_ = p.agent.loop.post(ctx, done)
	for _, dir := range rest {
		if err := os.RemoveAll(dir); err != nil {
			p.log.Warn("removed volume takes room until the next start", zap.String("folder", dir), zap.Error(err))
		}
	}
}

// create makes all, or none.
func (p *persistence) create(list resources.Resources) error {
	for i, x := range list {
		if err := p.store.Create(x); err != nil {
			_, undo := p.remove(list[:i])
			if undo != nil {
				p.log.Warn("volumes of a failed operation stay", zap.Error(undo))
			}
			return fmt.Errorf("create volume %s: %w", x.Disk.Persistence, err)
		}
		p.log.Info("volume created", zap.String("role", x.Role()), zap.String("volume", x.Disk.Persistence))
	}
	return nil
}

func (p *persistence) remove(list resources.Resources) (rest []string, err error) {
	for _, x := range list {
		dir, err := p.store.Remove(x)
		if err != nil {
			return rest, fmt.Errorf("remove volume %s: %w", x.Disk.Persistence, err)
		}
		if dir != "" {
			rest = append(rest, dir)
		}
		p.log.Info("volume removed", zap.String("role", x.Role()), zap.String("volume", x.Disk.Persistence))
	}
	return rest, nil
}

// mounts shows the volumes among the resources of a task, which are the user's
// then unless that is "".
func (p *persistence) mounts(list []*mesospb.Resource, user string) (mounts []containerizer.Mount, err error) {
	for _, r := range list {
		x, err := resources.Read(r)
		if err != nil || !x.PersistentVolume() {
			continue // it was read before
		}
		dir, err := p.store.Path(x)
		if err != nil {
			return nil, err
		}
		if user != "" {
			if err := p.store.Give(x, user); err != nil {
				return nil, fmt.Errorf("give volume %s to user %s: %w", x.Disk.Persistence, user, err)
			}
		}
		mounts = append(mounts, containerizer.Mount{
			Kind: containerizer.Bind, Source: dir, Target: r.GetDisk().GetVolume().GetContainerPath(),
			ReadOnly: r.GetDisk().GetVolume().GetMode() == mesospb.Volume_RO,
		})
	}
	return mounts, nil
}
