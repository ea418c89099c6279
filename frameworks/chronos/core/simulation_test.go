package core

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A faulty world: writes, calls and updates take their time, get lost with the
// connection, and the process is killed between any two of them. The master
// and its one agent are sound. Everything follows from the seed.
type faulty struct {
	t   *testing.T
	rng *rand.Rand
	now time.Time
	c   *Chronos

	disk    map[string][]byte
	writes  []Persist // not yet on disk
	durable []uint64  // on disk, and the core does not know
	calls   []Effect  // said, and not yet on their way

	connected  bool
	suppressed bool
	offered    map[mesos.OfferID]bool
	offers     int
	tasks      map[mesos.TaskID]*simTask
	started    map[string]int // how often a task of a job began to run
	toCore     []*mesospb.TaskStatus
	crashes    int
}

// A simTask is a task on the agent. Its updates are resent until acknowledged.
type simTask struct {
	job     string
	updates []mesospb.TaskState // unacknowledged, oldest first
	last    mesospb.TaskState   // forwarded to the scheduler
}

func (f *faulty) boot() {
	f.t.Helper()
	var records []Write
	for key, value := range f.disk {
		records = append(records, Write{Key: key, Value: value})
	}
	c, err := New(config(), records)
	if err != nil {
		f.t.Fatalf("New = %v, want nil", err)
	}
	f.c = c
	f.writes, f.durable, f.calls = nil, nil, nil
	f.disconnect()
}

func (f *faulty) disconnect() {
	f.connected = false
	f.toCore = nil
	clear(f.offered)
}

func (f *faulty) step(ev Event) {
	for _, e := range f.c.Step(f.now, ev) {
		switch e := e.(type) {
		case Persist:
			f.writes = append(f.writes, e)
		case Reply, Notice:
		default:
			f.calls = append(f.calls, e)
		}
	}
}

func (f *faulty) save() {
	if len(f.writes) == 0 {
		return
	}
	p := f.writes[0]
	f.writes = f.writes[1:]
	for _, w := range p.Writes {
		if w.Value == nil {
			delete(f.disk, w.Key)
		} else {
			f.disk[w.Key] = bytes.Clone(w.Value)
		}
	}
	f.durable = append(f.durable, p.Seq)
}

func (f *faulty) tellDurable() {
	if len(f.durable) > 0 {
		seq := f.durable[0]
		f.durable = f.durable[1:]
		f.step(Persisted{Seq: seq})
	}
}

// call lets the next call reach the master, or not.
func (f *faulty) call() {
	if len(f.calls) == 0 {
		return
	}
	e := f.calls[0]
	f.calls = f.calls[1:]
	if !f.connected {
		f.step(Interrupted{})
		return
	}
	if f.rng.IntN(20) == 0 { // lost with the connection
		f.disconnect()
		f.step(Disconnected{})
		return
	}
	f.master(e)
}

// master does what a master does.
func (f *faulty) master(e Effect) {
	switch e := e.(type) {
	case Accept:
		valid := f.offered[e.Offer]
		delete(f.offered, e.Offer)
		for _, info := range e.Tasks {
			f.launch(info, valid)
		}
	case Suppress:
		f.suppressed = true
	case Revive:
		f.suppressed = false
	case Decline:
		for _, id := range e.Offers {
			delete(f.offered, id)
		}
	case Acknowledge:
		f.acknowledge(mesos.TaskID(e.Status.GetTaskId().GetValue()), e.Status.GetState())
	case Reconcile:
		f.reconcile(e.Tasks)
	case Kill:
		if _, ok := f.tasks[e.Task]; !ok {
			f.reconcile([]TaskRef{e.TaskRef})
		}
	}
}

func (f *faulty) launch(info *mesospb.TaskInfo, valid bool) {
	id := mesos.TaskID(info.GetTaskId().GetValue())
	if !valid {
		f.toCore = append(f.toCore, status(id, mesospb.TaskState_TASK_DROPPED, mesospb.TaskStatus_REASON_INVALID_OFFERS))
		return
	}
	if f.tasks[id] != nil {
		f.t.Fatalf("task %s was launched twice", id)
	}
	job := strings.Split(string(id), ":")[3]
	for _, other := range f.tasks {
		if other.job == job && other.last != finished {
			f.t.Fatalf("task %s was launched while another of its job runs", id)
		}
	}
	f.started[job]++
	f.tasks[id] = &simTask{job: job, last: mesospb.TaskState_TASK_STAGING, updates: []mesospb.TaskState{running, finished}}
}

// forward sends the oldest unacknowledged update of some task.
func (f *faulty) forward() {
	for _, id := range slices.Sorted(maps.Keys(f.tasks)) {
		task := f.tasks[id]
		if f.connected && len(task.updates) > 0 && f.rng.IntN(3) == 0 {
			task.last = task.updates[0]
			s := status(id, task.last)
			s.Uuid = []byte{1}
			f.toCore = append(f.toCore, s)
			return
		}
	}
}

func (f *faulty) acknowledge(id mesos.TaskID, state mesospb.TaskState) {
	task, ok := f.tasks[id]
	if !ok || len(task.updates) == 0 || task.updates[0] != state {
		return
	}
	task.updates = task.updates[1:]
	if len(task.updates) == 0 {
		delete(f.tasks, id)
	}
}

func (f *faulty) reconcile(refs []TaskRef) {
	if len(refs) == 0 {
		for _, id := range slices.Sorted(maps.Keys(f.tasks)) {
			refs = append(refs, TaskRef{Task: id})
		}
	}
	for _, ref := range refs {
		state := mesospb.TaskState_TASK_GONE
		if task, ok := f.tasks[ref.Task]; ok {
			state = task.last
		}
		f.toCore = append(f.toCore, status(ref.Task, state, mesospb.TaskStatus_REASON_RECONCILIATION))
	}
}

func (f *faulty) hear() {
	if f.connected && len(f.toCore) > 0 {
		s := f.toCore[0]
		f.toCore = f.toCore[1:]
		f.step(Update{Status: s})
	}
}

func (f *faulty) offer() {
	if !f.connected {
		f.connected, f.suppressed = true, false
		f.step(Subscribed{Framework: "f1"})
		return
	}
	if f.suppressed || len(f.offered) > 1 {
		return
	}
	f.offers++
	id := mesos.OfferID(fmt.Sprintf("o%d", f.offers))
	f.offered[id] = true
	f.step(Offers{Offers: []*mesospb.Offer{anOffer(string(id), 1, 1024, 2048)}})
	if f.rng.IntN(5) == 0 {
		delete(f.offered, id) // rescinded meanwhile
	}
}

// live does one random thing.
func (f *faulty) live() {
	switch f.rng.IntN(12) {
	case 0, 1:
		f.offer()
	case 2, 3:
		f.save()
	case 4, 5:
		f.tellDurable()
	case 6, 7:
		f.call()
	case 8:
		f.forward()
	case 9:
		f.hear()
	case 10:
		f.now = f.now.Add(time.Duration(f.rng.IntN(5000)) * time.Millisecond)
		f.step(Tick{})
	case 11:
		if f.crashes > 0 && f.rng.IntN(10) == 0 {
			f.crashes--
			f.boot()
		}
	}
}

// TestNoRunIsLostOrDoubledWhateverFails: each job is to run once, and each child
// once after its parent. However often the process dies and whatever gets lost,
// the agent starts each exactly once, and each success is counted.
func TestNoRunIsLostOrDoubledWhateverFails(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			f := &faulty{
				t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: clock(t, "2026-03-04T05:00:00Z"), disk: make(map[string][]byte),
				offered: make(map[mesos.OfferID]bool), tasks: make(map[mesos.TaskID]*simTask), started: make(map[string]int), crashes: 12,
			}
			f.boot()
			for i := range 5 {
				f.create(fmt.Sprintf(`{"name":"j%d","command":"C","retries":0,"schedule":"R1//P1D"}`, i))
				f.create(fmt.Sprintf(`{"name":"k%d","command":"C","retries":0,"parents":["j%d"]}`, i, i))
			}
			for range 3000 {
				f.live()
			}
			f.crashes = 0
			for range 200_000 {
				if f.done() {
					break
				}
				f.live()
			}
			for i := range 5 {
				for _, name := range []string{fmt.Sprint("j", i), fmt.Sprint("k", i)} {
					v, _ := f.c.Job(name)
					if f.started[name] != 1 || v.SuccessCount != 1 {
						runs := mustEncode(f.c.Runs(name))
						t.Errorf("%s was started %d times and succeeded %d times, want once; now %v, state %s, runs %s", name, f.started[name], v.SuccessCount, f.now, v.State, runs)
					}
				}
			}
		})
	}
}

// create makes a job and waits until it is durable, as a client that got its 204.
func (f *faulty) create(body string) {
	job, err := ReadJob([]byte(body), config().Defaults, config().Zones, f.now)
	if err != nil {
		f.t.Fatal(err)
	}
	f.step(Put{Job: job})
	for len(f.writes)+len(f.durable) > 0 {
		f.save()
		f.tellDurable()
	}
}

func (f *faulty) done() bool {
	for _, v := range f.c.Jobs() {
		if v.SuccessCount == 0 || v.State != "idle" {
			return false
		}
	}
	return len(f.tasks) == 0
}
