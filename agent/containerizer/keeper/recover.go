package keeper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/containerizer/shim"
)

// Recover implements containerizer.Containerizer.
func (k *Keeper) Recover(ctx context.Context, known []string) (alive []string, err error) {
	without, err := k.checkBoot()
	if err != nil {
		return nil, fmt.Errorf("recover containers: %w", err)
	}
	found, err := k.found()
	if err != nil {
		return nil, fmt.Errorf("recover containers: %w", err)
	}
	if err := k.adoptAll(ctx, union(known, found), without); err != nil {
		return nil, err
	}
	k.endStrays()
	isKnown := map[string]bool{}
	for _, id := range known {
		isKnown[id] = true
	}
	for _, id := range found {
		if !isKnown[id] {
			k.log.Info("destroying an orphan", zap.String("container_id", id))
			if err := k.Destroy(ctx, id); err != nil {
				return nil, fmt.Errorf("recover: orphan: %w", err)
			}
		}
	}
	k.mu.Lock()
	k.recovered = true
	k.mu.Unlock()
	return k.alive(known), nil
}

// checkBoot returns why a container without a trace has none: because the
// machine was restarted since the last call, or otherwise because it was lost.
func (k *Keeper) checkBoot() (reason string, err error) {
	path := filepath.Join(k.root, "boot_id")
	now := shim.BootID()
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if string(before) == now {
		return containerizer.Lost, nil
	}
	if err := os.WriteFile(path+".tmp", []byte(now), 0o600); err != nil {
		return "", err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return "", err
	}
	if len(before) == 0 {
		return containerizer.Lost, nil
	}
	return containerizer.Reboot, nil
}

// found lists the ids of all containers that left something.
func (k *Keeper) found() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(k.root, "containers"))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	left, err := k.driver.Leftovers()
	if err != nil {
		return nil, err
	}
	return union(ids, left), nil
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// adoptAll adopts containers, several at a time: most of it is reading files.
func (k *Keeper) adoptAll(ctx context.Context, ids []string, without string) error {
	workers := 2 * runtime.NumCPU()
	failed := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(ids) && failed[w] == nil; i += workers {
				if err := k.adopt(ctx, ids[i], without); err != nil {
					failed[w] = fmt.Errorf("recover container %s: %w", ids[i], err)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// adopt makes an entry for a container from what is on disk.
func (k *Keeper) adopt(ctx context.Context, id, without string) error {
	if err := containerizer.CheckID(id); err != nil {
		return err
	}
	dir := k.dir(id)
	e := newEntry(dir, Container{ID: id}, func() {})
	close(e.launched)
	e.c.Spec, _ = dir.ReadSpec() // the agent may have died before it was written
	running, err := e.identify(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	_, taken := k.containers[id]
	if !taken {
		k.containers[id] = e
	}
	k.mu.Unlock()
	switch {
	case taken:
		return containerizer.ErrExists
	case running:
		k.reopenInput(e)
		k.follow(e)
	default:
		k.settle(e, without)
	}
	return nil
}

// identify reads who the shim and the first process are and reports whether the
// shim lives. Between fork and its first file a shim is known by its lock only.
func (e *entry) identify(ctx context.Context) (running bool, err error) {
	for {
		held, err := e.dir.Locked()
		if err != nil {
			return false, err
		}
		e.c.Init, _ = e.dir.ReadInit()
		var unread error
		if e.c.Shim, unread = e.dir.ReadShim(); unread == nil || !held {
			return held, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (k *Keeper) alive(known []string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var ids []string
	for _, id := range known {
		if e, ok := k.containers[id]; ok && !isClosed(e.ended) {
			ids = append(ids, id)
		}
	}
	return ids
}
