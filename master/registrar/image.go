package registrar

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/state"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
)

// An image knows the version and size of every entry in the store, so that each
// write can name the version it replaces.
type image struct {
	meta    *registrypb.Meta
	entries map[string]size
	bytes   int // of all entries
}

type size struct {
	version uint64
	bytes   int
}

// A group is one transaction: the operations of the first so many writes.
type group struct {
	ops    []state.Op
	writes int
}

// group puts together as many of the writes as one transaction holds, at least
// one. Later changes of an entry replace earlier ones. The head is part of
// every group: its version is the fence against a superseded master.
func (m *image) group(writes []Write) (group, error) {
	var g group
	var order []string                 // names in the order of their first change
	pending := make(map[string][]byte) // nil: deleted
	bytes := reserve
	for _, w := range writes {
		extra, weight, err := encode(w.Operations)
		if err != nil {
			return group{}, err
		}
		if g.writes > 0 && (len(order)+len(extra)+1 > groupOps || bytes+weight > groupBytes) {
			break
		}
		for _, e := range extra {
			if _, ok := pending[e.name]; !ok {
				order = append(order, e.name)
			}
			pending[e.name] = e.value
		}
		bytes += weight
		g.writes++
	}
	ops, err := m.ops(order, pending)
	g.ops = ops
	return g, err
}

// reserve is room in bytes for the head of a transaction.
const reserve = 64 << 10

// A group need not be larger than what ZooKeeper takes at once: its store has to
// write more in parts, each of them twice. A write that is larger by itself goes
// alone, up to the store's own limits.
const (
	groupOps   = 1536
	groupBytes = 384 << 10
)

type encoded struct {
	name  string
	value []byte // nil: deleted
}

// encode returns the changes of ops and what they weigh in bytes.
func encode(ops []*registrypb.Operation) (all []encoded, weight int, err error) {
	for _, op := range ops {
		cs, err := changes(op)
		if err != nil {
			return nil, 0, err
		}
		for _, c := range cs {
			e := encoded{name: c.name}
			if c.value != nil {
				if e.value, err = marshal(c.value); err != nil {
					return nil, 0, fmt.Errorf("registry entry %s: %w", c.name, err)
				}
			}
			all = append(all, e)
			weight += len(e.name) + len(e.value)
		}
	}
	return all, weight, nil
}

// marshal never returns nil, which stands for a deletion.
func marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{}.MarshalAppend([]byte{}, m)
}

// ops turns pending values into operations on the versions the image knows; a
// deletion of an entry that does not exist is none.
func (m *image) ops(order []string, pending map[string][]byte) ([]state.Op, error) {
	head, err := marshal(m.meta)
	if err != nil {
		return nil, fmt.Errorf("registry entry %s: %w", metaName, err)
	}
	ops := []state.Op{{Entry: state.Entry{Name: metaName, Value: head, Version: m.entries[metaName].version}}}
	for _, name := range order {
		at, exists := m.entries[name]
		value := pending[name]
		if value == nil && !exists {
			continue
		}
		ops = append(ops, state.Op{Entry: state.Entry{Name: name, Value: value, Version: at.version}, Delete: value == nil})
	}
	return ops, nil
}

// accept takes over what a transaction wrote.
func (m *image) accept(written []state.Entry) {
	for _, e := range written {
		m.bytes -= m.entries[e.Name].bytes
		if e.Version == 0 {
			delete(m.entries, e.Name)
			continue
		}
		m.put(e)
	}
}

func (m *image) put(e state.Entry) {
	n := len(e.Name) + len(e.Value)
	m.entries[e.Name] = size{version: e.Version, bytes: n}
	m.bytes += n
}

// newImage takes over what a store held.
func newImage(meta *registrypb.Meta, entries ...[]state.Entry) image {
	m := image{meta: meta, entries: make(map[string]size)}
	for _, e := range slices.Concat(entries...) {
		m.put(e)
	}
	return m
}
