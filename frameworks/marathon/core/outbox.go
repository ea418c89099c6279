package core

// outbox holds effects back until every record decided before them is durable.
// So whatever another process hears of can be found again after a crash.
type outbox struct {
	seq     uint64 // of the latest Persist
	durable uint64 // of the latest Persisted
	ready   []Effect
	waiting []held
}

type held struct {
	after  uint64
	effect Effect
}

// persist is ready at once: it waits for nothing.
func (o *outbox) persist(ops ...Op) {
	o.seq++
	o.ready = append(o.ready, Persist{Seq: o.seq, Ops: ops})
}

// do emits an effect as soon as all records so far are durable.
func (o *outbox) do(e Effect) {
	if o.durable == o.seq {
		o.ready = append(o.ready, e)
		return
	}
	o.waiting = append(o.waiting, held{o.seq, e})
}

func (o *outbox) persisted(seq uint64) {
	o.durable = max(o.durable, seq)
	n := 0
	for n < len(o.waiting) && o.waiting[n].after <= o.durable {
		o.ready = append(o.ready, o.waiting[n].effect)
		n++
	}
	o.waiting = o.waiting[n:]
}

func (o *outbox) take() []Effect {
	ready := o.ready
	o.ready = nil
	return ready
}

// settled reports whether everything decided is durable and said.
func (o *outbox) settled() bool { return o.durable == o.seq && len(o.waiting) == 0 }

func (c *Core) do(e Effect) { c.out.do(e) }
