// Package backup takes a cluster's state out of its stores into one file, and
// puts it into others: between the files of one machine and ZooKeeper, in both
// directions. It owns the commands `souk state export` and `souk state import`,
// and what must hold before anything is written: the file is whole, the stores
// are empty, and nobody owns them. It does not own the stores (internal/state),
// the form of the file (internal/state/archive), nor what entries mean.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/soukproject/souk/internal/leader/zkleader"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/boltstate"
	"github.com/soukproject/souk/internal/state/zkstate"
	"github.com/soukproject/souk/internal/zookeeper"
)

// A Service is a daemon that keeps state.
type Service struct {
	Name     string // of its flags here, of its folder in that of `souk local`, and in files
	File     string // the store in its work directory
	Election func(zookeeper.URL) zookeeper.URL
	State    func(zookeeper.URL) zookeeper.URL // where below its --zk the store is
	Format   zkleader.Format                   // of the election
}

// A place is where one service keeps its state: a folder or an ensemble.
type place struct {
	service Service
	folder  string
	zk      *zookeeper.URL // nil: folder
}

func (p place) path() string { return filepath.Join(p.folder, p.service.File) }

func (p place) String() string {
	if p.zk != nil {
		return p.service.State(*p.zk).String()
	}
	return p.path()
}

func (p place) config(owner string) zkstate.Config {
	return zkstate.Config{URL: p.service.State(*p.zk), Owner: owner, OwnerFlag: "--cluster"}
}

// read returns all entries, and whose they are as far as the place says. A
// store in ZooKeeper may be in use; they are then as of one moment.
func (p place) read(ctx context.Context) (entries []state.Entry, owner string, err error) {
	if p.zk != nil {
		if owner, err = zkstate.Owner(ctx, p.config("")); errors.Is(err, zookeeper.ErrNotFound) {
			return nil, "", fmt.Errorf("there is no state at %s: is the path that of --zk of the %s?", p, p.service.Name)
		}
		if err == nil {
			entries, err = zkstate.Read(ctx, p.config(""), "")
		}
		return entries, owner, err
	}
	if _, err := os.Stat(p.path()); err != nil {
		return nil, "", fmt.Errorf("there is no state of the %s: %w", p.service.Name, err)
	}
	store, err := boltstate.Open(p.path())
	if err != nil {
		return nil, "", err
	}
	entries, err = store.List(ctx, "")
	return entries, "", errors.Join(err, store.Close())
}

// check reports what keeps write from writing. It changes nothing.
func (p place) check(ctx context.Context, owner string) error {
	if p.zk == nil {
		return p.checkFile(ctx)
	}
	election := zkleader.Config{URL: p.service.Election(*p.zk), Format: p.service.Format}
	line, err := zkleader.Line(ctx, election)
	if err != nil {
		return err
	}
	if len(line) > 0 {
		return fmt.Errorf("a %s leads at %s (%s): stop it first; one that died is forgotten after its session timeout",
			p.service.Name, election.URL, line[0].ID)
	}
	return notEmpty(zkstate.CheckEmpty(ctx, p.config(owner)))
}

func (p place) checkFile(ctx context.Context) error {
	if _, err := os.Stat(p.path()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	store, err := boltstate.Open(p.path())
	if err != nil {
		return err
	}
	defer store.Close()
	found, err := store.List(ctx, "")
	if err == nil && len(found) > 0 {
		err = notEmpty(fmt.Errorf("state file %s: %w", p.path(), zkstate.ErrNotEmpty))
	}
	return err
}

func notEmpty(err error) error {
	if errors.Is(err, zkstate.ErrNotEmpty) {
		return fmt.Errorf("%w: nothing is overwritten: name another place, or remove it if it is not needed", err)
	}
	return err
}

// write fills the store, all of it or nothing.
func (p place) write(ctx context.Context, owner string, entries []state.Entry) error {
	if p.zk == nil {
		return p.writeFile(ctx, entries)
	}
	if err := p.check(ctx, owner); err != nil {
		return err
	}
	return notEmpty(zkstate.Fill(ctx, p.config(owner), entries))
}

// writeFile makes the store beside its place and moves it there when it is
// whole, if nobody has made one meanwhile.
func (p place) writeFile(ctx context.Context, entries []state.Entry) (err error) {
	if err := p.checkFile(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(p.folder, 0o755); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(p.folder, ".import-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(aside)) }()
	made := filepath.Join(aside, p.service.File)
	if err := fill(ctx, made, entries); err != nil {
		return err
	}
	if err := os.Remove(p.path()); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty one: checkFile has looked
		return err
	}
	if err := os.Link(made, p.path()); err != nil { // unlike Rename, it replaces nothing
		return err
	}
	return syncFolder(p.folder)
}

func fill(ctx context.Context, path string, entries []state.Entry) error {
	store, err := boltstate.Open(path)
	if err != nil {
		return err
	}
	ops := make([]state.Op, len(entries))
	for i, e := range entries {
		ops[i].Entry = state.Entry{Name: e.Name, Value: e.Value}
	}
	return errors.Join(state.ApplyAll(ctx, store, ops), store.Close())
}

// syncFolder makes what was linked and renamed in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
