package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"
)

// MaxBytes bounds one write or group of writes, as Weigh counts: servers take
// packets of up to 1 MiB (jute.maxbuffer).
const MaxBytes = 900 << 10

// AnyVersion fits whatever version a node has.
const AnyVersion int32 = -1

// A Node is what a znode holds.
type Node struct {
	Data    []byte
	Version int32
	Owner   int64 // session of an ephemeral node; 0 for others
}

// A Mode says how a node is created.
type Mode struct {
	Ephemeral bool // it goes when the session does
	Sequence  bool // ten digits are put behind its name, growing with each child
	// Private nodes can be read by nobody else, if there are credentials.
	// Others can be read by everybody. Without credentials all may do all.
	Private bool
}

// do makes one call of the library, which knows no contexts: a caller that
// gives up leaves it to end with the session.
func do[T any](ctx context.Context, s *Session, call func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := call()
		answers <- answer{value, translate(err)}
	}()
	select {
	case a := <-answers:
		if a.err != nil && s.Err() != nil {
			return none, s.Err()
		}
		return a.value, a.err
	case <-s.lost:
		return none, s.why
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Get returns what a node holds.
func (s *Session) Get(ctx context.Context, path string) (Node, error) {
	n, err := do(ctx, s, func() (Node, error) {
		data, stat, err := s.conn.Get(path)
		if err != nil {
			return Node{}, err
		}
		return Node{Data: data, Version: stat.Version, Owner: stat.EphemeralOwner}, nil
	})
	return n, named("read", path, err)
}

// Children returns the names of a node's children, sorted.
func (s *Session) Children(ctx context.Context, path string) ([]string, error) {
	names, err := do(ctx, s, func() ([]string, error) {
		names, _, err := s.conn.Children(path)
		return names, err
	})
	slices.Sort(names)
	return names, named("list", path, err)
}

// WatchChildren is Children, and changed is closed when they may have changed
// since, or the session was lost.
func (s *Session) WatchChildren(ctx context.Context, path string) (names []string, changed <-chan struct{}, err error) {
	type watched struct {
		names  []string
		events <-chan zk.Event
	}
	w, err := do(ctx, s, func() (watched, error) {
		names, _, events, err := s.conn.ChildrenW(path)
		return watched{names, events}, err
	})
	slices.Sort(w.names)
	return w.names, s.closing(w.events), named("watch", path, err)
}

// closing makes the library's one event into a closed channel.
func (s *Session) closing(events <-chan zk.Event) <-chan struct{} {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		select {
		case <-events:
		case <-s.lost:
		}
	}()
	return closed
}

// Create creates a node and returns its path, with the digits of a sequence.
func (s *Session) Create(ctx context.Context, path string, data []byte, mode Mode) (string, error) {
	created, err := do(ctx, s, func() (string, error) {
		return s.conn.Create(path, data, mode.flags(), s.acl(mode))
	})
	return created, named("create", path, err)
}

func (m Mode) flags() (f int32) {
	if m.Ephemeral {
		f |= zk.FlagEphemeral
	}
	if m.Sequence {
		f |= zk.FlagSequence
	}
	return f
}

// acl is as Mesos has it: with credentials the creator may do all, others read.
func (s *Session) acl(mode Mode) []zk.ACL {
	switch {
	case s.cfg.URL.User == "":
		return zk.WorldACL(zk.PermAll)
	case mode.Private:
		return zk.AuthACL(zk.PermAll)
	}
	return append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...)
}

// CreatePath creates an empty node and those above it, as far as they are missing.
func (s *Session) CreatePath(ctx context.Context, path string, mode Mode) error {
	for end := 1; end <= len(path); end++ {
		if end < len(path) && path[end] != '/' {
			continue
		}
		if err := s.ensure(ctx, path[:end], mode); err != nil {
			return err
		}
	}
	return nil
}

// ensure looks first: one may see nodes above which one may not create any.
func (s *Session) ensure(ctx context.Context, path string, mode Mode) error {
	exists, err := do(ctx, s, func() (bool, error) {
		exists, _, err := s.conn.Exists(path)
		return exists, err
	})
	if err != nil || exists {
		return named("look for", path, err)
	}
	if _, err = s.Create(ctx, path, nil, mode); errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// Set replaces what a node holds and returns its new version.
func (s *Session) Set(ctx context.Context, path string, data []byte, version int32) (int32, error) {
	v, err := do(ctx, s, func() (int32, error) {
		stat, err := s.conn.Set(path, data, version)
		if err != nil {
			return 0, err
		}
		return stat.Version, nil
	})
	return v, named("write", path, err)
}

// Delete removes a node that has no children.
func (s *Session) Delete(ctx context.Context, path string, version int32) error {
	_, err := do(ctx, s, func() (struct{}, error) { return struct{}{}, s.conn.Delete(path, version) })
	return named("delete", path, err)
}

// Sync returns when the server asked has caught up with the ensemble's leader,
// and so with every write that was answered before the call.
func (s *Session) Sync(ctx context.Context, path string) error {
	_, err := do(ctx, s, func() (string, error) { return s.conn.Sync(path) })
	return named("sync", path, err)
}

// Kinds of operations in a group.
const (
	OpCreate Kind = iota + 1
	OpSet
	OpDelete
	OpCheck // the version, nothing else
)

// A Kind is what an Op does.
type Kind int

// An Op is one operation of a group.
type Op struct {
	Kind    Kind
	Path    string
	Data    []byte
	Version int32 // of the node before; not for OpCreate
	Mode    Mode  // for OpCreate
}

// overhead bounds what an operation weighs beside path and data, with an access list.
const overhead = 160

// Weigh is how many bytes op adds to a group, at most.
func (op Op) Weigh() int { return len(op.Path) + len(op.Data) + overhead }

// Multi performs all ops or none. They must not weigh more than MaxBytes.
func (s *Session) Multi(ctx context.Context, ops ...Op) error {
	requests := make([]any, len(ops))
	for i, op := range ops {
		requests[i] = s.request(op)
	}
	results, err := do(ctx, s, func() ([]zk.MultiResponse, error) { return s.conn.Multi(requests...) })
	if err == nil {
		err = firstError(ops, results)
	}
	if err != nil {
		return fmt.Errorf("write %d znodes: %w", len(ops), err)
	}
	return nil
}

func (s *Session) request(op Op) any {
	switch op.Kind {
	case OpCreate:
		return &zk.CreateRequest{Path: op.Path, Data: op.Data, Acl: s.acl(op.Mode), Flags: op.Mode.flags()}
	case OpSet:
		return &zk.SetDataRequest{Path: op.Path, Data: op.Data, Version: op.Version}
	case OpDelete:
		return &zk.DeleteRequest{Path: op.Path, Version: op.Version}
	}
	return &zk.CheckVersionRequest{Path: op.Path, Version: op.Version}
}

// firstError is the error of the operation that made a group fail; those around
// it are reported as undone, with errors of no meaning.
func firstError(ops []Op, results []zk.MultiResponse) (first error) {
	for i, r := range results {
		err := translate(r.Error)
		if err == nil || first != nil && errors.Is(err, ErrInterrupted) {
			continue
		}
		if first = named("operate on", ops[i].Path, err); !errors.Is(err, ErrInterrupted) {
			break
		}
	}
	return first
}

func named(what, path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s znode %s: %w", what, path, err)
}

// Name is the last element of a path.
func Name(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
