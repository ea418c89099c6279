package core

import (
	"container/heap"
	"time"
)

// agenda knows when each job next has something to do: one entry per name,
// ordered by time and then by name.
type agenda struct {
	entries entries
	index   map[string]*entry
}

type entry struct {
	at   time.Time
	name string
	pos  int
}

func newAgenda() agenda {
	return agenda{index: make(map[string]*entry)}
}

// set moves the entry of name to at; the zero time removes it.
func (a *agenda) set(name string, at time.Time) {
	e, ok := a.index[name]
	switch {
	case !ok && at.IsZero():
	case !ok:
		e = &entry{at: at, name: name}
		a.index[name] = e
		heap.Push(&a.entries, e)
	case at.IsZero():
		delete(a.index, name)
		heap.Remove(&a.entries, e.pos)
	default:
		e.at = at
		heap.Fix(&a.entries, e.pos)
	}
}

func (a *agenda) first() (time.Time, bool) {
	if len(a.entries) == 0 {
		return time.Time{}, false
	}
	return a.entries[0].at, true
}

// due takes out the first entry that is not after now.
func (a *agenda) due(now time.Time) (string, bool) {
	at, ok := a.first()
	if !ok || at.After(now) {
		return "", false
	}
	name := a.entries[0].name
	a.set(name, time.Time{})
	return name, true
}

type entries []*entry

func (e entries) Len() int { return len(e) }

func (e entries) Less(i, j int) bool {
	if c := e[i].at.Compare(e[j].at); c != 0 {
		return c < 0
	}
	return e[i].name < e[j].name
}

func (e entries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].pos, e[j].pos = i, j
}

func (e *entries) Push(x any) {
	added := x.(*entry)
	added.pos = len(*e)
	*e = append(*e, added)
}

func (e *entries) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
