// Package state is the concept of a durable store: named, versioned entries
// and transactions that compare before they set. It owns the interface, the
// limits every implementation shares and the errors callers branch on; it does
// not own a storage engine (memstate, boltstate), leases or watches. All
// methods of a Store may be called by several goroutines at once.
package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of every Store. They fit a ZooKeeper frame (1 MiB), so that data
// written on one machine can move to a cluster.
const (
	MaxNameBytes  = 512       // longest entry name
	MaxValueBytes = 768 << 10 // largest value of one entry
	MaxOps        = 4096      // most operations of one Apply
	MaxApplyBytes = 16 << 20  // largest sum of names and values of one Apply
)

var (
	// ErrNotFound says that no entry has the name asked for.
	ErrNotFound = errors.New("entry not found")
	// ErrConflict says that an entry is not at the version its operation
	// names; nothing of the Apply was written.
	ErrConflict = errors.New("entry was changed by another writer")
	// ErrTooLarge says that a name, a value or a whole Apply exceeds a limit
	// of this package; nothing of the Apply was written.
	ErrTooLarge = errors.New("too large for the store")
	// ErrClosed says that the store was closed before the call.
	ErrClosed = errors.New("store is closed")
)

// An Entry is one named value. Version counts up with every write; 0 stands
// for an entry that does not exist yet.
type Entry struct {
	Name    string
	Value   []byte
	Version uint64
}

// An Op sets an entry, or deletes it, provided that it is still at
// Entry.Version. A deletion names the version it deletes, never 0.
type Op struct {
	Entry
	Delete bool
}

// A Store keeps entries. Values passed in and returned belong to the caller.
type Store interface {
	// Get returns one entry, or ErrNotFound.
	Get(ctx context.Context, name string) (Entry, error)
	// List returns the entries whose name starts with prefix, sorted by name,
	// as they were at one moment.
	List(ctx context.Context, prefix string) ([]Entry, error)
	// Apply performs all ops or none, and returns when they are durable: one
	// entry per op, in their order, with its new version (0 for a deletion).
	// No two ops may name the same entry. Any error but ErrConflict, ErrClosed
	// and ErrTooLarge leaves open whether the write happened.
	Apply(ctx context.Context, ops ...Op) ([]Entry, error)
	// Close releases the store after the writes under way have ended.
	Close() error
}

// Check reports what makes ops unacceptable to any Store. Implementations call
// it first, so that all refuse the same things.
func Check(ops []Op) error {
	if len(ops) > MaxOps {
		return fmt.Errorf("apply %d operations: %w: at most %d", len(ops), ErrTooLarge, MaxOps)
	}
	seen := make(map[string]bool, len(ops))
	total := 0
	for _, op := range ops {
		if err := checkOp(op); err != nil {
			return err
		}
		if seen[op.Name] {
			return fmt.Errorf("apply %q: named by two operations at once", op.Name)
		}
		seen[op.Name] = true
		total += len(op.Name) + len(op.Value)
	}
	if total > MaxApplyBytes {
		return fmt.Errorf("apply %d bytes: %w: at most %d", total, ErrTooLarge, MaxApplyBytes)
	}
	return nil
}

func checkOp(op Op) error {
	if err := checkName(op.Name); err != nil {
		return err
	}
	if op.Delete && op.Version == 0 {
		return fmt.Errorf("delete %q: version missing", op.Name)
	}
	if len(op.Value) > MaxValueBytes {
		return fmt.Errorf("set %q: %w: value of %d bytes, at most %d", op.Name, ErrTooLarge, len(op.Value), MaxValueBytes)
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("entry name is empty")
	case len(name) > MaxNameBytes:
		return fmt.Errorf("entry name %.40q…: %w: %d bytes, at most %d", name, ErrTooLarge, len(name), MaxNameBytes)
	case !utf8.ValidString(name), strings.ContainsRune(name, 0):
		return fmt.Errorf("entry name %q: not printable text", name)
	}
	return nil
}

// ApplyAll performs ops in as many Apply calls as they need: for those who may
// see some of them done and others not.
func ApplyAll(ctx context.Context, s Store, ops []Op) error {
	for len(ops) > 0 {
		n, bytes := 0, 0
		for n < len(ops) && n < MaxOps {
			if bytes += len(ops[n].Name) + len(ops[n].Value); n > 0 && bytes > MaxApplyBytes {
				break
			}
			n++
		}
		if _, err := s.Apply(ctx, ops[:n]...); err != nil {
			return err
		}
		ops = ops[n:]
	}
	return nil
}
