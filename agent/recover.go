package agent

import (
	"context"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/sandbox"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// recover takes up what an earlier agent left: its records, its containers and
// its sandboxes.
func (a *agent) recover(ctx context.Context) (core.Recovered, error) {
	records := a.writer.log.Records()
	boot, err := a.writer.log.Boot()
	if err != nil {
		return core.Recovered{}, fmt.Errorf("read boot id: %w", err)
	}
	rebooted := boot != "" && a.bootID != "" && boot != a.bootID
	if boot != a.bootID {
		a.writer.boot = a.bootID
	}
	known := texts(core.Containers(records))
	alive, err := a.boxes.containers.Recover(ctx, slices.Concat(known, a.nested.Known()))
	if err != nil {
		return core.Recovered{}, fmt.Errorf("containers: %w", err)
	}
	if err := a.images.Recover(known); err != nil {
		return core.Recovered{}, fmt.Errorf("images: %w", err)
	}
	if err := a.boxes.networks.Recover(ctx, known); err != nil {
		return core.Recovered{}, fmt.Errorf("networks: %w", err)
	}
	networks := make(map[mesos.ContainerID][]*mesospb.NetworkInfo)
	for _, id := range alive {
		if infos := a.boxes.networkInfos(id); infos != nil {
			networks[mesos.ContainerID(id)] = infos
		}
	}
	for _, r := range records {
		if id := r.GetAgent().GetInfo().GetId().GetValue(); id != "" {
			a.files.SetAgent(id)
		}
	}
	a.collector.AddAll(func(r sandbox.Run) bool { return slices.Contains(known, r.Container) })
	a.log.Info("recovered", zap.Int("containers", len(known)), zap.Int("running", len(alive)), zap.Bool("rebooted", rebooted))
	return core.Recovered{Records: records, Alive: containerIDs(alive), Networks: networks, Rebooted: rebooted}, nil
}

func texts(ids []mesos.ContainerID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

func containerIDs(ids []string) []mesos.ContainerID {
	out := make([]mesos.ContainerID, len(ids))
	for i, id := range ids {
		out[i] = mesos.ContainerID(id)
	}
	return out
}
