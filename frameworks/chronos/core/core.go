// Package core decides what Chronos does: which jobs there are, when and after
// which others they run, on which offers, and what their runs came to. It owns
// the job graph, the queues, retries and history, and says with every step what
// must be durable before anything is said to master or clients. It does not own
// clocks, HTTP, storage or the connection to the master. One goroutine at a
// time may use a Chronos; everything it hands out is immutable.
package core

import (
	"fmt"
	"time"

	"github.com/soukproject/souk/frameworks/chronos/schedule"
	"github.com/soukproject/souk/proto/mesos"
)

// Limits that keep one record within what a store takes, and one cluster within
// what one scheduler carries. A longer command does not fit into a process.
const (
	MaxJobs        = 100_000
	MaxJobBytes    = 128 << 10 // of one job as JSON
	MaxParents     = 1000
	MaxArguments   = 1 << 10   // bytes of the arguments of a manual run
	MaxRecordBytes = 704 << 10 // of a job with all its runs; history gives way
	maxActive      = 50        // runs at once, and retries waiting, of one job
	maxMessage     = 256       // bytes kept of a status message
	minRepeatDelay = time.Second
	maxDropDelay   = time.Minute // before a run is launched again that keeps being dropped
)

// Config is what an operator decides. The zero value of a field is what its
// comment says.
type Config struct {
	Zones    schedule.Zones // finds time zones; required
	Defaults Defaults       // what a job that does not say gets

	Role                 string        // "" is "*": only unreserved resources are used besides
	FailureRetry         time.Duration // between a failure and its retry
	DisableAfterFailures int64         // in a row; 0: never
	HistoryLimit         int           // ended runs kept per job; 0: none
	DeclineFor           time.Duration // how long a declined offer stays away; 0: the master's default
	ReviveInterval       time.Duration // between two REVIVE calls that only lift filters
	ReconcileInterval    time.Duration // between two reconciliations; 0: only after subscribing
	UnreachableTimeout   time.Duration // after which an unreachable run counts as failed; 0: never
}

// Chronos is the state machine. Feed it with Step.
type Chronos struct {
	cfg Config

	jobs     map[string]*record
	names    []string            // of jobs, sorted
	children map[string][]string // sorted
	tasks    map[mesos.TaskID]string
	queue    queue
	agenda   agenda

	framework mesos.FrameworkID
	master    link
	counts    Counters

	released []Effect        // by a write that became durable in the step under way
	out      []Effect        // of the step under way
	dirty    []string        // jobs to write at its end, each once
	isDirty  map[string]bool // the same as a set
	seq      uint64
	unspoken []batch
}

// A batch is what may be said once the write seq is durable.
type batch struct {
	seq     uint64
	effects []Effect
}

// New returns the state machine as it was when records were written, in any
// order. A record that cannot be read is an error: running without it would
// lose runs.
func New(cfg Config, records []Write) (*Chronos, error) {
	c := &Chronos{
		cfg:      cfg,
		jobs:     make(map[string]*record),
		children: make(map[string][]string),
		tasks:    make(map[mesos.TaskID]string),
		isDirty:  make(map[string]bool),
		agenda:   newAgenda(),
	}
	for _, w := range records {
		if err := c.restore(w); err != nil {
			return nil, fmt.Errorf("restore %s: %w", w.Key, err)
		}
	}
	c.restoreGraph()
	return c, nil
}

// Step takes one event and says what is to be done, in this order. Effects other
// than Persist come only once everything decided before them is durable.
func (c *Chronos) Step(now time.Time, ev Event) []Effect {
	c.released, c.out = nil, nil
	switch ev := ev.(type) {
	case Tick:
	case Persisted:
		c.persisted(ev.Seq)
	case Put:
		c.answer(ev.Request, c.put(now, ev))
	case Delete:
		c.answer(ev.Request, c.delete(ev.Job))
	case Run:
		c.answer(ev.Request, c.runNow(now, ev))
	case MarkSuccess:
		c.answer(ev.Request, c.markSuccess(now, ev.Job))
	case Progress:
		c.answer(ev.Request, c.progress(ev))
	case KillTasks:
		c.answer(ev.Request, c.killTasks(ev.Job))
	case Subscribed:
		c.subscribed(now, ev.Framework)
	case Disconnected:
		c.master = link{newIdentity: c.master.newIdentity}
	case Interrupted:
		c.master.reconcileSoon(now)
	case Offers:
		c.offers(now, ev.Offers)
	case Update:
		c.update(now, ev.Status)
		c.say(Acknowledge{Status: ev.Status})
	case Removed:
		c.framework = ""
		c.master = link{newIdentity: true}
	}
	c.settle(now)
	return c.flush()
}

// Deadline reports when Step next has something to do if nothing else happens.
func (c *Chronos) Deadline() (at time.Time, ok bool) {
	at, ok = c.agenda.first()
	for _, other := range []time.Time{c.master.reconcileAt, c.master.reviveAt} {
		if !other.IsZero() && (!ok || other.Before(at)) {
			at, ok = other, true
		}
	}
	return at, ok
}

// settle does what has come due and tells the master whether offers are wanted.
func (c *Chronos) settle(now time.Time) {
	for {
		name, due := c.agenda.due(now)
		if !due {
			break
		}
		if r, exists := c.jobs[name]; exists {
			c.wake(now, r)
		}
	}
	c.reconcileWhenDue(now)
	c.interest(now)
}

// say adds an effect to the step.
func (c *Chronos) say(e Effect) {
	c.out = append(c.out, e)
}

func (c *Chronos) answer(request Request, err error) {
	if request != 0 {
		c.say(Reply{Request: request, Err: err})
	}
}

func (c *Chronos) notice(r *record, subject, message string) {
	c.say(Notice{Job: r.job.Name, Owner: r.job.Owner, Subject: subject, Message: message})
}

// touch notes that a job changed: it is written at the end of the step, and its
// next deadline is found anew.
func (c *Chronos) touch(name string) {
	if !c.isDirty[name] {
		c.isDirty[name] = true
		c.dirty = append(c.dirty, name)
	}
	c.rearm(name)
}

// flush turns the step into effects: writes first, words when they are durable.
func (c *Chronos) flush() []Effect {
	now := c.released
	if writes := c.writes(); len(writes) > 0 {
		c.seq++
		now = append(now, Persist{Seq: c.seq, Writes: writes})
		c.unspoken = append(c.unspoken, batch{seq: c.seq})
	}
	if len(c.unspoken) == 0 {
		return append(now, c.out...)
	}
	last := &c.unspoken[len(c.unspoken)-1]
	last.effects = append(last.effects, c.out...)
	return now
}

// persisted releases what waited for the write seq and those before it.
func (c *Chronos) persisted(seq uint64) {
	for len(c.unspoken) > 0 && c.unspoken[0].seq <= seq {
		c.released = append(c.released, c.unspoken[0].effects...)
		c.unspoken = c.unspoken[1:]
	}
}
