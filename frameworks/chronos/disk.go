package chronos

import (
	"context"
	"fmt"
	"strings"

	"github.com/soukproject/souk/frameworks/chronos/core"
	"github.com/soukproject/souk/internal/state"
)

// prefix is where Chronos' records are in a store that others may use as well.
const prefix = "chronos/"

// A disk writes the core's records to a store and knows their versions. Its
// methods are for one goroutine.
type disk struct {
	store    state.Store
	versions map[string]uint64
}

// openDisk reads all records.
func openDisk(ctx context.Context, store state.Store) (*disk, []core.Write, error) {
	entries, err := store.List(ctx, prefix)
	if err != nil {
		return nil, nil, fmt.Errorf("read jobs: %w", err)
	}
	d := &disk{store: store, versions: make(map[string]uint64, len(entries))}
	var records []core.Write
	for _, e := range entries {
		key := strings.TrimPrefix(e.Name, prefix)
		d.versions[key] = e.Version
		records = append(records, core.Write{Key: key, Value: e.Value})
	}
	return d, records, nil
}

// serve writes what comes in, all that has come at once, and says up to where
// it is durable. A write that fails ends the process: nothing that was decided
// on it has been said yet.
func (d *disk) serve(ctx context.Context, unsaved <-chan []core.Persist, saved chan<- uint64) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case batch := <-unsaved:
			if err := d.write(ctx, batch); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case saved <- batch[len(batch)-1].Seq:
			}
		}
	}
}

// write makes a batch durable, in as few transactions as it fits into.
func (d *disk) write(ctx context.Context, batch []core.Persist) error {
	var ops []state.Op
	size := 0
	for _, w := range latest(batch) {
		op, needed := d.op(w)
		if !needed {
			continue
		}
		length := len(op.Name) + len(op.Value)
		if len(ops) == state.MaxOps || size+length > state.MaxApplyBytes {
			if err := d.apply(ctx, ops); err != nil {
				return err
			}
			ops, size = nil, 0
		}
		ops, size = append(ops, op), size+length
	}
	return d.apply(ctx, ops)
}

// latest is the last write of each record, in the order of those.
func latest(batch []core.Persist) []core.Write {
	last := make(map[string]int)
	var all []core.Write
	for _, p := range batch {
		for _, w := range p.Writes {
			last[w.Key] = len(all)
			all = append(all, w)
		}
	}
	var list []core.Write
	for i, w := range all {
		if last[w.Key] == i {
			list = append(list, w)
		}
	}
	return list
}

// op is the store's form of a write; false if there is nothing to remove.
func (d *disk) op(w core.Write) (state.Op, bool) {
	version := d.versions[w.Key]
	op := state.Op{Entry: state.Entry{Name: prefix + w.Key, Value: w.Value, Version: version}, Delete: w.Value == nil}
	return op, !op.Delete || version > 0
}

func (d *disk) apply(ctx context.Context, ops []state.Op) error {
	if len(ops) == 0 {
		return nil
	}
	entries, err := d.store.Apply(ctx, ops...)
	if err != nil {
		return fmt.Errorf("write %d records: %w", len(ops), err)
	}
	for i, e := range entries {
		key := strings.TrimPrefix(ops[i].Name, prefix)
		if ops[i].Delete {
			delete(d.versions, key)
			continue
		}
		d.versions[key] = e.Version
	}
	return nil
}
