package core

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Keys of records: one for the framework's identity, one per job.
const (
	frameworkKey = "framework"
	jobPrefix    = "job/"
)

// A record is everything about one job. Its job and the runs in its history
// are never changed in place; views hand them out.
type record struct {
	job     *Job
	active  []*attempt      // launched and not ended, oldest first
	queued  *request        // at most one, as in Chronos
	retries []request       // waiting for their time
	met     map[string]bool // parents that succeeded since this job last started
	history []*RunRecord    // ended runs, newest first
	times   samples
}

// A Trigger says why a run was queued.
type Trigger string

// The triggers.
const (
	BySchedule Trigger = "schedule"
	ByParents  Trigger = "parents"
	ByHand     Trigger = "manual"
)

// A request is a run that waits for its time or for an offer.
type request struct {
	Due        time.Time `json:"due"` // the time the run stands for
	Queued     time.Time `json:"queued"`
	At         time.Time `json:"at,omitzero"` // of a retry: not before
	Attempt    int64     `json:"attempt"`
	Trigger    Trigger   `json:"trigger"`
	Arguments  string    `json:"arguments,omitempty"` // of a manual run
	Given      bool      `json:"given,omitempty"`     // Arguments replace the job's
	Relaunches int       `json:"relaunches,omitempty"`
}

// A RunRecord is one attempt of a job as history shows it.
type RunRecord struct {
	TaskID     mesos.TaskID  `json:"taskId"`
	State      string        `json:"state"` // a Mesos task state
	Attempt    int64         `json:"attempt"`
	Trigger    Trigger       `json:"trigger"`
	Arguments  string        `json:"arguments,omitempty"` // no more than MaxArguments of them
	Due        time.Time     `json:"due"`
	Queued     time.Time     `json:"queued"`
	Launched   time.Time     `json:"launched"`
	Started    time.Time     `json:"started,omitzero"`  // first seen running
	Finished   time.Time     `json:"finished,omitzero"` // first seen ended
	AgentID    mesos.AgentID `json:"agentId"`
	Host       string        `json:"host"`
	Reason     string        `json:"reason,omitempty"`
	Message    string        `json:"message,omitempty"`
	Processed  int64         `json:"numElementsProcessed,omitempty"`
	Successful bool          `json:"successful"`
}

// An attempt is a run under way.
type attempt struct {
	RunRecord
	Request     request   `json:"request"`
	Known       bool      `json:"known,omitempty"` // some status of it arrived
	Killing     bool      `json:"killing,omitempty"`
	Unreachable time.Time `json:"unreachable,omitzero"` // since when

	confirmed time.Time // when the last status arrived, in this process
}

func (a *attempt) state() mesospb.TaskState {
	return mesospb.TaskState(mesospb.TaskState_value[a.State])
}

func (a *attempt) ref() TaskRef {
	return TaskRef{Task: a.TaskID, Agent: a.AgentID}
}

// stored is the form of a record on disk.
type stored struct {
	Job     json.RawMessage `json:"job"`
	Active  []*attempt      `json:"active,omitempty"`
	Queued  *request        `json:"queued,omitempty"`
	Retries []request       `json:"retries,omitempty"`
	Met     []string        `json:"met,omitempty"`
	History []*RunRecord    `json:"history,omitempty"`
}

// identity is the form of the framework's record on disk.
type identity struct {
	FrameworkID mesos.FrameworkID `json:"frameworkId"`
}

// writes turns what the step changed into writes.
func (c *Chronos) writes() []Write {
	var list []Write
	for _, name := range c.dirty {
		list = append(list, c.write(name))
	}
	c.dirty = nil
	clear(c.isDirty)
	if c.master.newIdentity {
		c.master.newIdentity = false
		list = append(list, Write{Key: frameworkKey, Value: mustEncode(identity{FrameworkID: c.framework})})
	}
	return list
}

func (c *Chronos) write(name string) Write {
	w := Write{Key: jobPrefix + name}
	if r, ok := c.jobs[name]; ok {
		w.Value = r.encode()
	}
	return w
}

// encode writes a record. One that is too large for a store loses the older
// half of its history until it is not.
func (r *record) encode() []byte {
	s := stored{Job: mustEncode(r.job), Active: r.active, Queued: r.queued, Retries: r.retries, History: r.history}
	s.Met = slices.Sorted(maps.Keys(r.met))
	for {
		value := mustEncode(s)
		if len(value) <= MaxRecordBytes || len(r.history) == 0 {
			return value
		}
		r.history = r.history[:len(r.history)/2]
		s.History = r.history
	}
}

// mustEncode writes values that always have a JSON form.
func mustEncode(v any) []byte {
	b, err := encode(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return b
}

// restore takes one record back.
func (c *Chronos) restore(w Write) error {
	if w.Key == frameworkKey {
		var id identity
		err := json.Unmarshal(w.Value, &id)
		c.framework = id.FrameworkID
		return err
	}
	name, ok := strings.CutPrefix(w.Key, jobPrefix)
	if !ok {
		return fmt.Errorf("unknown kind of record")
	}
	var s stored
	if err := json.Unmarshal(w.Value, &s); err != nil {
		return err
	}
	job, err := parseJob(s.Job, c.cfg.Defaults, c.cfg.Zones, time.Time{})
	if err != nil {
		return err
	}
	if job.Name != name {
		return fmt.Errorf("holds job %q", job.Name)
	}
	r := &record{job: job, active: s.Active, queued: s.Queued, retries: s.Retries, met: make(map[string]bool), history: s.History}
	for _, parent := range s.Met {
		r.met[parent] = true
	}
	for _, a := range r.active {
		c.tasks[a.TaskID] = name
	}
	for _, h := range slices.Backward(r.history) {
		r.times.count(h)
	}
	c.jobs[name] = r
	return nil
}

// restoreGraph rebuilds what follows from the records: names, edges, queues, deadlines.
func (c *Chronos) restoreGraph() {
	for name := range c.jobs {
		c.names = append(c.names, name)
	}
	slices.Sort(c.names)
	var waiting []*record
	for _, name := range c.names {
		r := c.jobs[name]
		c.link(r.job)
		if r.queued != nil {
			waiting = append(waiting, r)
		}
		c.rearm(name)
	}
	slices.SortStableFunc(waiting, func(a, b *record) int { return a.queued.Queued.Compare(b.queued.Queued) })
	for _, r := range waiting {
		c.queue.add(r.job)
	}
}
