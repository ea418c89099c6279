package registrar

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// Read reads the registry as it is in the store, and changes nothing. What is
// written meanwhile may show in part.
func (r *Registrar) Read(ctx context.Context) (*registrypb.Registry, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.FetchTimeout)
	defer cancel()
	_, meta, err := r.readHead(ctx)
	if err != nil {
		return nil, fmt.Errorf("read registry: %w", err)
	}
	registry := &registrypb.Registry{Meta: meta}
	if _, err := r.readAll(ctx, registry); err != nil {
		return nil, fmt.Errorf("read registry: %w", err)
	}
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
	r.image = newImage(meta, entries, head)
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

// readAll fills registry from the entries, and returns them. It reads them all at
// once: asking a store for one kind after the other takes that many times as long.
func (r *Registrar) readAll(ctx context.Context, registry *registrypb.Registry) ([]state.Entry, error) {
	found, err := r.cfg.Store.List(ctx, "")
	if err != nil {
		return nil, err
	}
	var entries []state.Entry
	for _, e := range found {
		m := place(registry, e.Name)
		if m == nil {
			continue // the head, or not the registry's
		}
		if err := decode(e, m); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// place is a new message in registry for the entry of a name, nil if there is none.
func place(registry *registrypb.Registry, name string) proto.Message {
	kind := name[:strings.IndexByte(name, '/')+1]
	switch kind {
	case agentPrefix:
		return added(&registry.Agents, &registrypb.Agent{})
	case unreachablePrefix:
		return added(&registry.Unreachable, &registrypb.Unreachable{})
	case gonePrefix:
		return added(&registry.Gone, &registrypb.Gone{})
	case weightPrefix:
		return added(&registry.Weights, &registrypb.Weight{})
	case quotaPrefix:
		return added(&registry.Quotas, &quotapb.QuotaConfig{})
	case maintenancePrefix:
		registry.Maintenance = &registrypb.Maintenance{}
		return registry.Maintenance
	case orphanPrefix:
		return added(&registry.Orphans, &registrypb.Orphan{})
	}
	return nil
}

func added[M any](list *[]M, m M) M {
	*list = append(*list, m)
	return m
}

func decode(e state.Entry, m proto.Message) error {
	if err := proto.Unmarshal(e.Value, m); err != nil {
		return fmt.Errorf("registry entry %s is damaged: %w: restore a backup of the work directory, or start with another one", e.Name, err)
	}
	return nil
}
