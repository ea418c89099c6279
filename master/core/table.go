package core

import (
	"iter"
	"slices"

	"github.com/soukproject/souk/proto/mesos"
)

// pageSize is how many rows are copied when one of them changes after a snapshot.
const pageSize = 256

type page[R any] struct {
	epoch uint32
	rows  [pageSize]R
}

// Pages are rows addressed by number. A snapshot shares them; the first change
// of a page after a snapshot copies it. Rows hold no pointers, so that however
// many there are, the garbage collector has nothing to follow.
type pages[R any] struct {
	list  []*page[R]
	free  []uint32
	epoch uint32
	used  int
}

// at reads a row. The pointer is good until the next edit.
func (p *pages[R]) at(row uint32) *R { return rowAt(p.list, row) }

func rowAt[R any](list []*page[R], row uint32) *R {
	return &list[row/pageSize].rows[row%pageSize]
}

// edit is a row that may be changed. The pointer is good until the end of the step.
func (p *pages[R]) edit(row uint32) *R {
	pg := p.list[row/pageSize]
	if pg.epoch != p.epoch {
		fresh := *pg
		fresh.epoch = p.epoch
		pg = &fresh
		p.list[row/pageSize] = pg
	}
	return &pg.rows[row%pageSize]
}

// add finds a row that is not in use and clears it. Row 0 is never given out.
func (p *pages[R]) add() uint32 {
	if len(p.free) == 0 {
		p.grow()
	}
	row := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.used++
	*p.edit(row) = *new(R)
	return row
}

// grow adds a page; its lowest row is the next to be given out.
func (p *pages[R]) grow() {
	first := uint32(len(p.list)) * pageSize
	p.list = append(p.list, &page[R]{epoch: p.epoch})
	for row := first + pageSize - 1; row > first; row-- {
		p.free = append(p.free, row)
	}
	if first > 0 {
		p.free = append(p.free, first)
	}
}

func (p *pages[R]) remove(row uint32) {
	p.free = append(p.free, row)
	p.used--
}

// share is what a snapshot keeps.
func (p *pages[R]) share() []*page[R] {
	p.epoch++
	return slices.Clone(p.list)
}

// A chain is a list of rows in the order they were added, threaded through them.
type chain struct {
	first, last uint32 // 0: none
	n           int
}

// links are a row's neighbours in a chain.
type links struct{ prev, next uint32 }

// A taskTable holds every task the master knows: active, unreachable and
// completed ones. See task for a row.
type taskTable struct {
	rows  pages[task]
	bytes slab
	// index finds the first row whose id has a given hash; rows of equal hash are
	// chained. Completed tasks are not in it: their ids may be used again.
	index map[uint64]uint32
	seed  uint64 // makes hashes unpredictable to those who choose ids
}

func newTaskTable(seed uint64) *taskTable {
	t := &taskTable{index: map[uint64]uint32{}, seed: seed}
	t.bytes = newSlab(t.holder)
	return t
}

// holder is the slab's question where a record is referred to from.
func (t *taskTable) holder(row uint32, at ref) *ref {
	switch r := t.rows.edit(row); at {
	case r.info:
		return &r.info
	case r.history:
		return &r.history
	}
	return nil
}

// hash is that of a task's full name (FNV-1a). Collisions are harmless.
func (t *taskTable) hash(framework uint32, id string) uint64 {
	const prime = 1099511628211
	h := (t.seed ^ uint64(framework)) * prime
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * prime
	}
	return h
}

// find is the active or unreachable task of a framework with an id; 0 if there is none.
func (t *taskTable) find(framework uint32, id mesos.TaskID) uint32 {
	for row := t.index[t.hash(framework, string(id))]; row != 0; row = t.rows.at(row).sameHash {
		if r := t.rows.at(row); r.framework == framework && t.id(row) == string(id) {
			return row
		}
	}
	return 0
}

// add makes a row for a task; its id is remembered in front of info.
func (t *taskTable) add(framework uint32, id mesos.TaskID, info []byte) uint32 {
	row := t.rows.add()
	at := t.bytes.put(row, []byte(id), info)
	h := t.hash(framework, string(id))
	r := t.rows.edit(row)
	r.framework, r.info, r.idLength = framework, at, uint8(len(id))
	r.sameHash = t.index[h]
	t.index[h] = row
	return row
}

// unindex lets another task take the id.
func (t *taskTable) unindex(row uint32) {
	h := t.hash(t.rows.at(row).framework, t.id(row))
	next := t.rows.at(row).sameHash
	if t.index[h] == row {
		if next == 0 {
			delete(t.index, h)
		} else {
			t.index[h] = next
		}
		return
	}
	for at := t.index[h]; at != 0; at = t.rows.at(at).sameHash {
		if t.rows.at(at).sameHash == row {
			t.rows.edit(at).sameHash = next
			return
		}
	}
}

// remove forgets a row that is in no chain and not in the index. Dropping one
// record may move the other.
func (t *taskTable) remove(row uint32) {
	t.setHistory(row, nil)
	r := t.rows.edit(row)
	info := r.info
	*r = task{}
	t.bytes.drop(info)
	t.rows.remove(row)
}

func (t *taskTable) id(row uint32) string {
	r := t.rows.at(row)
	return string(t.bytes.get(r.info)[:r.idLength])
}

// info is the TaskInfo of a row, marshaled.
func (t *taskTable) info(row uint32) []byte {
	r := t.rows.at(row)
	return t.bytes.get(r.info)[r.idLength:]
}

// history is the statuses of a row, each marshaled and preceded by its length.
func (t *taskTable) history(row uint32) []byte { return t.bytes.get(t.rows.at(row).history) }

func (t *taskTable) setHistory(row uint32, b []byte) {
	old, fresh := t.rows.at(row).history, ref{}
	if len(b) > 0 {
		fresh = t.bytes.put(row, b)
	}
	t.rows.edit(row).history = fresh
	t.bytes.drop(old)
}

// byFramework and byAgent are the two ways in which rows are threaded.
func byFramework(r *task) *links { return &r.ofFramework }
func byAgent(r *task) *links     { return &r.ofAgent }

// enter puts a row at the end of a chain.
func (t *taskTable) enter(c *chain, by func(*task) *links, row uint32) {
	*by(t.rows.edit(row)) = links{prev: c.last}
	if c.last != 0 {
		by(t.rows.edit(c.last)).next = row
	} else {
		c.first = row
	}
	c.last = row
	c.n++
}

// leave takes a row out of a chain.
func (t *taskTable) leave(c *chain, by func(*task) *links, row uint32) {
	l := *by(t.rows.at(row))
	if l.prev != 0 {
		by(t.rows.edit(l.prev)).next = l.next
	} else {
		c.first = l.next
	}
	if l.next != 0 {
		by(t.rows.edit(l.next)).prev = l.prev
	} else {
		c.last = l.prev
	}
	*by(t.rows.edit(row)) = links{}
	c.n--
}

// walk yields the rows of a chain, oldest first. The row just yielded may leave the chain.
func (t *taskTable) walk(c chain, by func(*task) *links) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for row := c.first; row != 0; {
			next := by(t.rows.at(row)).next
			if !yield(row) {
				return
			}
			row = next
		}
	}
}

// indexed counts the rows that the index leads to.
func (t *taskTable) indexed() (n int) {
	for _, row := range t.index {
		for ; row != 0; row = t.rows.at(row).sameHash {
			n++
		}
	}
	return n
}
