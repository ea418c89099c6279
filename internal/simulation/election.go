package simulation

import (
	"slices"
	"time"
)

// An election is what a ZooKeeper ensemble does for a group of processes: each
// has a session and a seat in line, and the first in line leads. A session ends
// when its process has been silent for a while, or by itself, and the process
// may hear of it late: then two believe that they lead.
type election struct {
	c        *Cluster
	line     []*seat
	watchers []*watcher
}

// A seat is a contender's place for as long as its session lasts.
type seat struct {
	of      contender
	life    int
	elected bool // it was told
}

// A contender is a process that wants to lead. Both calls come in the life that
// took the seat.
type contender interface {
	alive(life int) bool
	elected(*seat)
	deposed()
}

// A watcher follows who leads; it sees changes in order, late, and not each of them.
type watcher struct {
	changed func(leader contender) // nil: nobody leads
	seen    contender
	pending bool
	ended   bool
}

// sit opens a session and takes the last seat.
func (e *election) sit(of contender, life int) {
	e.line = append(e.line, &seat{of: of, life: life})
	e.moved()
}

// leader holds the first seat, whatever it believes; nil if there is none.
func (e *election) leader() contender {
	if len(e.line) == 0 {
		return nil
	}
	return e.line[0].of
}

// left ends the sessions of a process that ended: at once if it said so,
// otherwise when its silence has been noticed.
func (e *election) left(of contender, life int) {
	silence := time.Duration(0)
	if e.c.rng.IntN(3) > 0 {
		silence = e.c.upTo(sessionTimeout)
	}
	e.c.after(silence, func() { e.vacate(of, life) })
}

// expire ends the session of a seat; its process, if it lives, hears of it later.
func (e *election) expire(of contender) {
	i := slices.IndexFunc(e.line, func(s *seat) bool { return s.of == of })
	if i < 0 {
		return
	}
	s := e.line[i]
	e.c.result[Expiries]++
	e.vacate(s.of, s.life)
	notice := e.c.delay()
	if e.c.rng.IntN(3) == 0 {
		notice = e.c.upTo(2 * sessionTimeout)
		e.c.result[LateNotices]++
	}
	e.c.after(notice, func() {
		if s.of.alive(s.life) {
			s.of.deposed()
		}
	})
}

func (e *election) vacate(of contender, life int) {
	n := len(e.line)
	e.line = slices.DeleteFunc(e.line, func(s *seat) bool { return s.of == of && s.life == life })
	if len(e.line) < n {
		e.moved()
	}
}

// moved tells the first in line that it leads, and watchers who does.
func (e *election) moved() {
	if len(e.line) > 0 {
		s := e.line[0]
		e.c.after(e.c.delay(), func() { e.elect(s) })
	}
	e.watchers = slices.DeleteFunc(e.watchers, func(w *watcher) bool { return w.ended })
	for _, w := range e.watchers {
		e.wake(w)
	}
}

func (e *election) elect(s *seat) {
	if s.elected || !s.of.alive(s.life) || !slices.Contains(e.line, s) {
		return
	}
	s.elected = true
	s.of.elected(s)
}

// watch begins a watcher's life.
func (e *election) watch(changed func(contender)) *watcher {
	w := &watcher{changed: changed}
	e.watchers = append(e.watchers, w)
	e.wake(w)
	return w
}

func (e *election) wake(w *watcher) {
	if w.pending {
		return
	}
	w.pending = true
	notice := e.c.delay()
	if e.c.rng.IntN(8) == 0 {
		notice = e.c.upTo(sessionTimeout)
	}
	e.c.after(notice, func() {
		w.pending = false
		if now := e.leader(); now != w.seen && !w.ended {
			w.seen = now
			w.changed(now)
		}
	})
}

// sessionTimeout is how long a silent process keeps its seat.
const sessionTimeout = 4 * time.Second
