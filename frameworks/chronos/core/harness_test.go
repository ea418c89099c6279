package core

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A world is a Chronos with a disk, at a time. Effects other than writes are
// noted as one line of text each, in the order they may be performed.
type world struct {
	t       testing.TB
	cfg     Config
	now     time.Time
	c       *Chronos
	disk    map[string][]byte
	said    []string
	tasks   []*mesospb.TaskInfo
	replies map[Request]error
	acked   []*mesospb.TaskStatus
	calls   Request
	offerID int

	stall  bool // writes are kept back until release
	stuck  []Persist
	writes int
}

func config() Config {
	return Config{
		Zones:             time.LoadLocation,
		Defaults:          Defaults{CPUs: 0.1, Mem: 128, Disk: 256, User: "root"},
		FailureRetry:      time.Minute,
		HistoryLimit:      20,
		ReviveInterval:    5 * time.Second,
		ReconcileInterval: 10 * time.Minute,
	}
}

func newWorld(t testing.TB, start string) *world {
	t.Helper()
	w := &world{t: t, cfg: config(), now: clock(t, start), disk: make(map[string][]byte), replies: make(map[Request]error)}
	w.restart()
	return w
}

func clock(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// restart forgets everything but the disk, as kill -9 does.
func (w *world) restart() {
	w.t.Helper()
	var records []Write
	for key, value := range w.disk {
		records = append(records, Write{Key: key, Value: value})
	}
	c, err := New(w.cfg, records)
	if err != nil {
		w.t.Fatalf("New = %v, want nil", err)
	}
	w.c, w.stuck = c, nil
}

func (w *world) step(ev Event) {
	w.t.Helper()
	before, had := w.c.Deadline()
	w.perform(w.c.Step(w.now, ev))
	if at, ok := w.c.Deadline(); ok && !at.After(w.now) {
		w.t.Fatalf("after %T at %v the deadline is %v (was %v, %v): a shell would spin", ev, w.now, at, before, had)
	}
}

func (w *world) perform(effects []Effect) {
	w.t.Helper()
	for _, e := range effects {
		if p, ok := e.(Persist); ok {
			w.write(p)
			continue
		}
		w.say(e)
	}
}

func (w *world) write(p Persist) {
	w.t.Helper()
	if w.stall {
		w.stuck = append(w.stuck, p)
		return
	}
	w.writes++
	for _, write := range p.Writes {
		if write.Value == nil {
			delete(w.disk, write.Key)
			continue
		}
		if len(write.Value) > MaxRecordBytes {
			w.t.Fatalf("record %s has %d bytes, want at most %d", write.Key, len(write.Value), MaxRecordBytes)
		}
		w.disk[write.Key] = bytes.Clone(write.Value)
	}
	w.step(Persisted{Seq: p.Seq})
}

// release lets the writes that were kept back through.
func (w *world) release() {
	w.t.Helper()
	w.stall = false
	stuck := w.stuck
	w.stuck = nil
	for _, p := range stuck {
		w.write(p)
	}
}

func (w *world) say(e Effect) {
	switch e := e.(type) {
	case Reply:
		w.replies[e.Request] = e.Err
	case Accept:
		for _, task := range e.Tasks {
			w.tasks = append(w.tasks, task)
			w.said = append(w.said, "launch "+task.GetTaskId().GetValue())
		}
	case Decline:
		w.said = append(w.said, "decline")
	case Acknowledge:
		w.acked = append(w.acked, e.Status)
	case Suppress:
		w.said = append(w.said, "suppress")
	case Revive:
		w.said = append(w.said, "revive")
	case Kill:
		w.said = append(w.said, "kill "+string(e.Task))
	case Reconcile:
		var ids []string
		for _, t := range e.Tasks {
			ids = append(ids, string(t.Task))
		}
		w.said = append(w.said, strings.TrimSpace("reconcile "+strings.Join(ids, ",")))
	case Notice:
		w.said = append(w.said, "notice "+e.Subject)
	}
}

// call steps an event that is replied to, and returns the reply.
func (w *world) call(ev Event) error {
	w.t.Helper()
	w.calls++
	switch e := ev.(type) {
	case Put:
		e.Request = w.calls
		ev = e
	case Delete:
		e.Request = w.calls
		ev = e
	case Run:
		e.Request = w.calls
		ev = e
	case KillTasks:
		e.Request = w.calls
		ev = e
	case MarkSuccess:
		e.Request = w.calls
		ev = e
	case Progress:
		e.Request = w.calls
		ev = e
	}
	w.step(ev)
	err, ok := w.replies[w.calls]
	if !ok && !w.stall {
		w.t.Fatalf("%T was not replied to", ev)
	}
	return err
}

func (w *world) read(body string) *Job {
	w.t.Helper()
	job, err := ReadJob([]byte(body), w.cfg.Defaults, w.cfg.Zones, w.now)
	if err != nil {
		w.t.Fatalf("ReadJob(%s) = %v, want nil", body, err)
	}
	return job
}

// put creates or replaces jobs from JSON bodies with single quotes.
func (w *world) put(bodies ...string) {
	w.t.Helper()
	for _, body := range bodies {
		if err := w.call(Put{Job: w.read(strings.ReplaceAll(body, "'", `"`))}); err != nil {
			w.t.Fatalf("Put(%s) = %v, want nil", body, err)
		}
	}
}

func (w *world) connect() {
	w.t.Helper()
	w.step(Subscribed{Framework: "f1"})
}

// pass lets time pass, ticking at every deadline on the way.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for ticks := 0; ; ticks++ {
		at, ok := w.c.Deadline()
		if !ok || at.After(end) {
			break
		}
		if ticks > 100_000 {
			w.t.Fatal("no end of deadlines")
		}
		w.now = at
		w.step(Tick{})
	}
	w.now = end
	w.step(Tick{})
}

// offer offers an agent's worth of resources.
func (w *world) offer(attributes ...*mesospb.Attribute) {
	w.t.Helper()
	w.offerID++
	w.step(Offers{Offers: []*mesospb.Offer{anOffer(fmt.Sprintf("o%d", w.offerID), 4, 4096, 8192, attributes...)}})
}

func anOffer(id string, cpus, mem, disk float64, attributes ...*mesospb.Attribute) *mesospb.Offer {
	return &mesospb.Offer{
		Id:          &mesospb.OfferID{Value: new(id)},
		FrameworkId: &mesospb.FrameworkID{Value: new("f1")},
		AgentId:     &mesospb.AgentID{Value: new("a1")},
		Hostname:    new("host1"),
		Resources:   []*mesospb.Resource{scalar("cpus", cpus), scalar("mem", mem), scalar("disk", disk)},
		Attributes:  attributes,
	}
}

func scalar(name string, amount float64) *mesospb.Resource {
	return &mesospb.Resource{Name: new(name), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(amount)}}
}

func text(name, value string) *mesospb.Attribute {
	return &mesospb.Attribute{Name: new(name), Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: new(value)}}
}

// launched offers resources and returns the id of the one task launched on them.
func (w *world) launched() mesos.TaskID {
	w.t.Helper()
	before := len(w.tasks)
	w.offer()
	if got := len(w.tasks) - before; got != 1 {
		w.t.Fatalf("an offer launched %d tasks, want 1 (said %q)", got, w.said)
	}
	return mesos.TaskID(w.tasks[before].GetTaskId().GetValue())
}

// idle offers resources and expects no launch.
func (w *world) idle() {
	w.t.Helper()
	before := len(w.tasks)
	w.offer()
	if got := len(w.tasks) - before; got != 0 {
		w.t.Fatalf("an offer launched %s, want nothing", w.tasks[before].GetTaskId().GetValue())
	}
}

func status(id mesos.TaskID, state mesospb.TaskState, reason ...mesospb.TaskStatus_Reason) *mesospb.TaskStatus {
	s := &mesospb.TaskStatus{
		TaskId:  &mesospb.TaskID{Value: new(string(id))},
		AgentId: &mesospb.AgentID{Value: new("a1")},
		State:   state.Enum(),
		Message: new("said " + state.String()),
	}
	if len(reason) > 0 {
		s.Reason = reason[0].Enum()
	}
	return s
}

// report brings news of a task and expects that it may be acknowledged.
func (w *world) report(id mesos.TaskID, state mesospb.TaskState, reason ...mesospb.TaskStatus_Reason) {
	w.t.Helper()
	w.acked = nil
	w.step(Update{Status: status(id, state, reason...)})
	if !w.stall && len(w.acked) != 1 {
		w.t.Fatalf("Update(%s, %v) was acknowledged %d times, want once", id, state, len(w.acked))
	}
}

// run takes a launched task through its life.
func (w *world) run(id mesos.TaskID, end mesospb.TaskState) {
	w.t.Helper()
	w.report(id, mesospb.TaskState_TASK_RUNNING)
	w.pass(time.Second)
	w.report(id, end)
}

func (w *world) job(name string) JobView {
	w.t.Helper()
	v, ok := w.c.Job(name)
	if !ok {
		w.t.Fatalf("job %q is not there, want it (jobs %v)", name, slices.Sorted(maps.Keys(w.c.jobs)))
	}
	return v
}

// heard returns what was said since the last call.
func (w *world) heard() []string {
	said := w.said
	w.said = nil
	return said
}

const (
	running  = mesospb.TaskState_TASK_RUNNING
	finished = mesospb.TaskState_TASK_FINISHED
	failed   = mesospb.TaskState_TASK_FAILED
	killed   = mesospb.TaskState_TASK_KILLED
)
