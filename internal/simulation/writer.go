package simulation

// A writer makes one leader's writes durable, in order: what gathers while one
// is under way goes together in the next. A write that fails ends the process.
type writer struct {
	p       *process
	disk    *disk
	epoch   uint64
	busy    bool
	waiting []pending
	fail    func(why string)
	mutant  mutant // in whose clusters it forgets
}

// A pending write is applied with those before it or not at all.
type pending struct {
	apply func()
	done  func()
}

func (w *writer) add(apply, done func()) {
	w.waiting = append(w.waiting, pending{apply, done})
	w.next()
}

func (w *writer) next() {
	if w.busy || len(w.waiting) == 0 {
		return
	}
	group := w.waiting
	w.busy, w.waiting = true, nil
	apply := func() {
		if w.p.c.forgets(w.mutant) {
			return
		}
		for _, p := range group {
			p.apply()
		}
	}
	w.disk.write(w.p, w.epoch, apply, func(answer outcome) { w.answered(group, answer) })
}

func (w *writer) answered(group []pending, answer outcome) {
	life := w.p.life
	switch answer {
	case refused:
		w.fail("another leader has taken over its store")
		return
	case failed:
		w.fail("the store has no room")
		return
	case unknown:
		w.fail("the store does not answer")
		return
	}
	w.busy = false
	for _, p := range group {
		if w.p.alive(life) {
			p.done()
		}
	}
	if w.p.alive(life) {
		w.next()
	}
}
