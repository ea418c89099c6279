package registrar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/state"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
)

// Recover reads the registry and takes it over for the master that leads now;
// the former leader can no longer write. It must succeed before Run, once.
func (r *Registrar) Recover(ctx context.Context, master *mesospb.MasterInfo) (*registrypb.Registry, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.FetchTimeout)
	defer cancel()
	began := time.Now()
	registry, err := r.recover(ctx, master)
	if err != nil {
		return nil, fmt.Errorf("recover registry: %w", err)
	}
	r.cfg.Metrics.Timer("registrar/state_fetch").Observe(time.Since(began))
	r.cfg.Log.Info("registry recovered",
		zap.Uint64("epoch", registry.GetMeta().GetEpoch()),
		zap.Int("agents", len(registry.GetAgents())),
		zap.Int("unreachable", len(registry.GetUnreachable())),
		zap.Int("gone", len(registry.GetGone())),
		zap.Duration("duration", time.Since(began)))
	return registry, nil
}

// recover reads the head before the rest: a write of the former leader in
// between changes the head, and then taking over conflicts.
func (r *Registrar) recover(ctx context.Context, master *mesospb.MasterInfo) (*registrypb.Registry, error) {
	head, meta, err := r.readHead(ctx)
	if err != nil {
		return nil, err
	}
	registry := &registrypb.Registry{}
	entries, err := r.readAll(ctx, registry)
	if err != nil {
		return nil, err
	}
	meta = &registrypb.Meta{Format: proto.Uint32(format), Master: master, Epoch: proto.Uint64(meta.GetEpoch() + 1)}
	registry.Meta = meta
	r.image = newImage(meta, append(entries, head)...)
	takeOver, err := r.image.ops(nil, nil)
	if err != nil {
		return nil, err
	}
	return registry, r.store(ctx, group{ops: takeOver})
}

// readHead returns the head as an entry, none if there is no registry yet, and decoded.
func (r *Registrar) readHead(ctx context.Context) ([]state.Entry, *registrypb.Meta, error) {
	meta := &registrypb.Meta{}
	e, err := r.cfg.Store.Get(ctx, metaName)
	switch {
	case errors.Is(err, state.ErrNotFound):
		return nil, meta, nil
	case err != nil:
		return nil, nil, err
	}
	if err := decode(e, meta); err != nil {
		return nil, nil, err
	}
	if meta.GetFormat() > format {
		return nil, nil, fmt.Errorf("the registry has format %d, this build reads up to %d: run the newer build that wrote it, or start with another work directory",
			meta.GetFormat(), format)
	}
	return []state.Entry{e}, meta, nil
}

// readAll fills registry from the entries, and returns them.
func (r *Registrar) readAll(ctx context.Context, registry *registrypb.Registry) ([][]state.Entry, error) {
	kinds := []struct {
		prefix string
		fresh  func() proto.Message
	}{
		{agentPrefix, func() proto.Message {
			registry.Agents = append(registry.Agents, &registrypb.Agent{})
			return registry.Agents[len(registry.Agents)-1]
		}},
		{unreachablePrefix, func() proto.Message {
			registry.Unreachable = append(registry.Unreachable, &registrypb.Unreachable{})
			return registry.Unreachable[len(registry.Unreachable)-1]
		}},
		{gonePrefix, func() proto.Message {
			registry.Gone = append(registry.Gone, &registrypb.Gone{})
			return registry.Gone[len(registry.Gone)-1]
		}},
		{weightPrefix, func() proto.Message {
			registry.Weights = append(registry.Weights, &registrypb.Weight{})
			return registry.Weights[len(registry.Weights)-1]
		}},
		{quotaPrefix, func() proto.Message {
			registry.Quotas = append(registry.Quotas, &quotapb.QuotaConfig{})
			return registry.Quotas[len(registry.Quotas)-1]
		}},
		{maintenancePrefix, func() proto.Message {
			registry.Maintenance = &registrypb.Maintenance{}
			return registry.Maintenance
		}},
		{orphanPrefix, func() proto.Message {
			registry.Orphans = append(registry.Orphans, &registrypb.Orphan{})
			return registry.Orphans[len(registry.Orphans)-1]
		}},
	}
	var all [][]state.Entry
	for _, kind := range kinds {
		entries, err := r.cfg.Store.List(ctx, kind.prefix)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if err := decode(e, kind.fresh()); err != nil {
				return nil, err
			}
		}
		all = append(all, entries)
	}
	return all, nil
}

func decode(e state.Entry, m proto.Message) error {
	if err := proto.Unmarshal(e.Value, m); err != nil {
		return fmt.Errorf("registry entry %s is damaged: %w: restore a backup of the work directory, or start with another one", e.Name, err)
	}
	return nil
}
