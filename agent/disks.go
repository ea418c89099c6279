package agent

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/disk"
	"github.com/soukproject/souk/agent/isolation"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// disks has what containers keep on disks counted, and those ended that keep more
// than they may, if that is wanted.
type disks struct {
	agent    *agent
	changes  func(container string) string // where it keeps what it changed in its image; nil: nowhere
	projects *disk.Projects                // nil: the kernel does not help
	watcher  *disk.Watcher
	log      *zap.Logger
}

func newDisks(a *agent, c chosen) (*disks, error) {
	d := &disks{agent: a, log: a.log.Named("disks")}
	if keeper, ok := c.Containerizer.(interface{ Changes(string) string }); ok {
		d.changes = keeper.Changes
	}
	if a.cfg.Isolation.Has(isolation.DiskXFS) {
		var err error
		if d.projects, err = disk.OpenProjects(a.cfg.WorkDir, a.cfg.XFSProjects[0], a.cfg.XFSProjects[1]); err != nil {
			return nil, fmt.Errorf("flag --isolation: isolator %s: %w", isolation.DiskXFS, err)
		}
	}
	d.watcher = disk.NewWatcher(disk.Config{
		Interval: a.cfg.ContainerDiskWatchInterval, Folders: d.folders, Usage: d.usage, Report: d.report, Log: d.log,
	})
	return d, nil
}

// run counts until ctx ends.
func (d *disks) run(ctx context.Context) error {
	if d.projects != nil {
		defer d.projects.Close()
	}
	return d.watcher.Run(ctx)
}

// usage asks the kernel if it knows.
func (d *disks) usage(ctx context.Context, path string) (int64, error) {
	if d.projects != nil {
		if used, ok, err := d.projects.Usage(path); ok || err != nil {
			return used, err
		}
	}
	return disk.Usage(ctx, path)
}

// leeway is how far a container may go beyond its limit that is ended for it: it
// must not be refused before (Mesos).
const leeway = 10 << 20

// hold has the kernel hold a new sandbox to what its container has.
func (d *disks) hold(sandbox string, list []*mesospb.Resource) error {
	if d.projects == nil {
		return nil
	}
	all, err := resources.FromProto(list)
	if err != nil {
		return err
	}
	if limit := ofSandbox(all); limit > 0 {
		return d.projects.Assign(sandbox, d.hard(limit))
	}
	return nil
}

func (d *disks) hard(limit int64) int64 {
	if d.agent.cfg.XFSKill {
		limit += leeway
	}
	return limit
}

// adjust follows what an executor has, which changes with its tasks.
func (d *disks) adjust(sandbox disk.Folder) {
	if d.projects == nil {
		return
	}
	if err := d.projects.Limit(sandbox.Path, d.hard(sandbox.Limit)); err != nil {
		d.log.Warn("limit of a sandbox not changed", zap.String("container_id", sandbox.Container), zap.Error(err))
	}
}

// Disks implements api.Agent.
func (a *agent) Disks(container string) []disk.Reading { return a.disks.watcher.Readings(container) }

// folders are those of all containers that run and have disk: a container without
// any is not held to having none, as in Mesos.
func (d *disks) folders(ctx context.Context) ([]disk.Folder, error) {
	s, err := d.agent.loop.look(ctx)
	if err != nil {
		return nil, err
	}
	var list []disk.Folder
	for _, f := range s.Frameworks {
		for _, x := range f.Executors {
			if x.Running {
				list = append(list, d.foldersOf(x)...)
			}
		}
	}
	return list, nil
}

func (d *disks) foldersOf(x core.Executor) (list []disk.Folder) {
	id := string(x.Run.Container)
	sandbox := disk.Folder{Container: id, Path: d.agent.store.Path(sandboxRun(x.Run))}
	if d.changes != nil {
		sandbox.Also = d.changes(id)
	}
	has := held(x)
	for _, r := range has.Named("disk") {
		if !r.PersistentVolume() {
			continue
		}
		if dir, err := d.agent.persistence.store.Path(r); err == nil { // it was mounted from there
			list = append(list, disk.Folder{Container: id, Path: dir, Volume: r.Disk.Persistence, Limit: megabytes(r)})
		}
	}
	if sandbox.Limit = ofSandbox(has); sandbox.Limit > 0 {
		d.adjust(sandbox)
		list = append(list, sandbox)
	}
	return list
}

// ofSandbox is how many bytes a sandbox may have: all disk that is no volume.
func ofSandbox(has resources.Resources) (limit int64) {
	for _, r := range has.Named("disk") {
		if !r.PersistentVolume() {
			limit += megabytes(r)
		}
	}
	return limit
}

// held are the resources of an executor and of its tasks that are not over.
func held(x core.Executor) resources.Resources {
	list := x.Info.GetResources()
	for _, t := range x.Tasks {
		if !mesos.Terminal(t.State) {
			list = append(list[:len(list):len(list)], t.Info.GetResources()...)
		}
	}
	all, err := resources.FromProto(list)
	if err != nil {
		return nil // validated when it came
	}
	return all
}

func megabytes(r resources.Resource) int64 { return int64(r.Scalar.Float() * (1 << 20)) }

// report has a container ended that keeps more than it may.
func (d *disks) report(ctx context.Context, r disk.Reading) {
	wanted := d.agent.cfg.EnforceDiskQuota || d.projects != nil && d.agent.cfg.XFSKill
	if !wanted || !r.Over() {
		return
	}
	d.log.Warn("container keeps more on disk than it may", zap.String("container_id", r.Container), zap.String("volume", r.Volume),
		zap.Int64("used", r.Used), zap.Int64("limit", r.Limit), zap.Bool("counted", r.Whole))
	// When the loop has ended, the next agent finds out for itself.
	_ = d.agent.loop.post(ctx, core.Exceeded{
		Container: mesos.ContainerID(r.Container), Reason: mesospb.TaskStatus_REASON_CONTAINER_LIMITATION_DISK,
		Why: overDisk(r), Resources: []*mesospb.Resource{diskResource(r)},
	})
}

// overDisk says in Mesos' words what is too much.
func overDisk(r disk.Reading) string {
	what := "Disk usage"
	if r.Volume != "" {
		what = "Disk usage of volume " + r.Volume
	}
	used := daemon.FormatBytes(uint64(r.Used))
	if !r.Whole {
		used = "more than can be counted"
	}
	return fmt.Sprintf("%s (%s) exceeds quota (%s)", what, used, daemon.FormatBytes(uint64(r.Limit)))
}

func diskResource(r disk.Reading) *mesospb.Resource {
	limit := &mesospb.Resource{
		Name: new("disk"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(float64(r.Limit) / (1 << 20))},
	}
	if r.Volume != "" {
		limit.Disk = &mesospb.Resource_DiskInfo{Persistence: &mesospb.Resource_DiskInfo_Persistence{Id: &r.Volume}}
	}
	return limit
}
