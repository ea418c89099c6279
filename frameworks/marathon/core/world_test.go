package core_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A world is what the core acts on: a store, a master with its agents, and
// clients. Effects wait until they are performed, one at a time, so that the
// scheduler can be ended between any two of them.
type world struct {
	t    failer
	cfg  core.Config
	core *core.Core
	now  time.Time
	seed uint64

	store    map[string][]byte
	persists []core.Persist
	calls    []core.Effect // in the order in which they are made

	offers     map[string]bool
	offerCount int
	tasks      map[string]*task
	updates    []*mesospb.TaskStatus // not yet delivered
	unacked    map[uint64]*mesospb.TaskStatus
	token      uint64
	suppressed bool

	replies map[uint64]core.Reply
	events  []core.Publish
	made    func(core.Effect) // sees every effect that is performed
}

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// A task is what really runs, or ran.
type task struct {
	id, agent, app, version string
	state                   mesospb.TaskState
	info                    *mesospb.TaskInfo
}

func (t *task) active() bool {
	switch t.state {
	case mesospb.TaskState_TASK_STAGING, mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_KILLING, mesospb.TaskState_TASK_UNREACHABLE:
		return true
	}
	return false
}

func newWorld(t failer) *world {
	w := &world{
		t: t, cfg: core.DefaultConfig("*"), now: time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC), seed: 1,
		store: map[string][]byte{}, offers: map[string]bool{}, tasks: map[string]*task{},
		unacked: map[uint64]*mesospb.TaskStatus{}, replies: map[uint64]core.Reply{},
	}
	w.start()
	return w
}

// start begins a scheduler on what the store holds, and subscribes it.
func (w *world) start() {
	w.t.Helper()
	cfg := w.cfg
	cfg.Rand = rand.New(rand.NewPCG(w.seed, 7))
	w.seed++
	w.core = core.New(cfg)
	var records []core.Record
	for _, name := range slices.Sorted(maps.Keys(w.store)) {
		records = append(records, core.Record{Name: name, Value: w.store[name]})
	}
	if err := w.core.Load(records); err != nil {
		w.t.Fatalf("load: %v", err)
	}
	w.subscribe()
}

// crash ends the scheduler: what was not performed is lost, and the next one
// starts from the store.
func (w *world) crash() {
	w.persists, w.calls = nil, nil
	w.start()
}

// subscribe is a new subscription: offers are void, unacknowledged updates come again.
func (w *world) subscribe() {
	clear(w.offers)
	w.suppressed = false
	for _, token := range slices.Sorted(maps.Keys(w.unacked)) {
		w.updates = append(w.updates, w.unacked[token])
	}
	clear(w.unacked)
	id := string(w.store["marathon/framework"])
	if id == "" {
		id = "f1"
	}
	w.step(core.Subscribed{FrameworkID: id, Master: "m:5050"})
}

func (w *world) step(ev core.Event) {
	for _, e := range w.core.Step(w.now, ev) {
		if p, ok := e.(core.Persist); ok {
			w.persists = append(w.persists, p)
			continue
		}
		w.calls = append(w.calls, e)
	}
}

// persist makes the oldest write durable.
func (w *world) persist() bool {
	if len(w.persists) == 0 {
		return false
	}
	p := w.persists[0]
	w.persists = w.persists[1:]
	w.see(p)
	for _, op := range p.Ops {
		if op.Delete {
			delete(w.store, op.Name)
			continue
		}
		w.store[op.Name] = op.Value
	}
	w.step(core.Persisted{Seq: p.Seq})
	return true
}

func (w *world) see(e core.Effect) {
	if w.made != nil {
		w.made(e)
	}
}

// call performs the oldest effect that is not a write.
func (w *world) call() bool {
	if len(w.calls) == 0 {
		return false
	}
	e := w.calls[0]
	w.calls = w.calls[1:]
	w.see(e)
	switch e := e.(type) {
	case core.Accept:
		w.accept(e)
	case core.Decline:
		for _, id := range e.OfferIDs {
			delete(w.offers, id)
		}
	case core.Kill:
		w.kill(e)
	case core.Reconcile:
		w.reconcile(e)
	case core.Suppress:
		w.suppressed = true
	case core.Revive:
		w.suppressed = false
	case core.Acknowledge:
		delete(w.unacked, e.Token)
	case core.Reply:
		w.replies[e.Token] = e
	case core.Publish:
		w.events = append(w.events, e)
	}
	return true
}

func (w *world) accept(e core.Accept) {
	valid := w.offers[e.OfferID]
	delete(w.offers, e.OfferID)
	for _, info := range e.Tasks {
		id := info.GetTaskId().GetValue()
		if w.tasks[id] != nil {
			w.t.Fatalf("task %s is launched a second time", id)
		}
		if w.store["marathon/instance/"+id[:len(id)-len("._app.1")]] == nil {
			w.t.Fatalf("task %s is launched before it is stored", id)
		}
		t := &task{id: id, agent: info.GetAgentId().GetValue(), app: core.AppOfTask(id), info: info, state: mesospb.TaskState_TASK_STAGING}
		for _, v := range info.GetCommand().GetEnvironment().GetVariables() {
			if v.GetName() == "MARATHON_APP_VERSION" {
				t.version = v.GetValue()
			}
		}
		w.tasks[id] = t
		if !valid {
			w.report(t, mesospb.TaskState_TASK_DROPPED)
		}
	}
}

func (w *world) kill(e core.Kill) {
	t := w.tasks[e.TaskID]
	if t == nil || !t.active() {
		w.answer(e.TaskID, e.AgentID)
		return
	}
	t.state = mesospb.TaskState_TASK_KILLING
}

// answer tells the state of one task, as the answer to a question.
func (w *world) answer(id, agent string) {
	s := status(id, agent, mesospb.TaskState_TASK_GONE)
	if t := w.tasks[id]; t != nil {
		s = status(id, t.agent, t.state)
	}
	s.Reason = mesospb.TaskStatus_REASON_RECONCILIATION.Enum()
	w.updates = append(w.updates, s)
}

func (w *world) reconcile(e core.Reconcile) {
	for _, ref := range e.Tasks {
		w.answer(ref.TaskID, ref.AgentID)
	}
	if len(e.Tasks) > 0 {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(w.tasks)) {
		if t := w.tasks[id]; t.active() {
			w.answer(id, t.agent)
		}
	}
}

// report moves a task and tells.
func (w *world) report(t *task, state mesospb.TaskState) {
	t.state = state
	s := status(t.id, t.agent, state)
	s.Uuid = []byte{1}
	w.updates = append(w.updates, s)
}

func status(id, agent string, state mesospb.TaskState) *mesospb.TaskStatus {
	return &mesospb.TaskStatus{
		TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: &agent}, State: state.Enum(),
	}
}

// deliver hands the oldest update to the scheduler.
func (w *world) deliver() bool {
	if len(w.updates) == 0 {
		return false
	}
	s := w.updates[0]
	w.updates = w.updates[1:]
	w.token++
	if len(s.GetUuid()) > 0 {
		w.unacked[w.token] = s
	}
	w.step(core.Updated{Token: w.token, Status: s})
	return true
}

// offer sends an offer of one agent, unless offers are suppressed.
func (w *world) offer(host string, cpus float64, attributes ...*mesospb.Attribute) {
	if w.suppressed {
		return
	}
	w.offerCount++
	id := fmt.Sprintf("o%d", w.offerCount)
	w.offers[id] = true
	w.step(core.Offered{Offers: []*mesospb.Offer{anOffer(id, host, cpus, attributes...)}})
}

func anOffer(id, host string, cpus float64, attributes ...*mesospb.Attribute) *mesospb.Offer {
	return &mesospb.Offer{
		Id: &mesospb.OfferID{Value: &id}, AgentId: &mesospb.AgentID{Value: new("agent-" + host)},
		FrameworkId: &mesospb.FrameworkID{Value: new("f1")}, Hostname: &host, Attributes: attributes,
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: new("*")},
		Resources: []*mesospb.Resource{
			scalar("cpus", cpus), scalar("mem", 65536), scalar("disk", 65536), ports(31000, 31999),
		},
	}
}

func scalar(name string, v float64) *mesospb.Resource {
	return &mesospb.Resource{
		Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &v},
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: new("*")},
	}
}

func ports(begin, end uint64) *mesospb.Resource {
	return &mesospb.Resource{
		Name: new("ports"), Type: mesospb.Value_RANGES.Enum(),
		Ranges:         &mesospb.Value_Ranges{Range: []*mesospb.Value_Range{{Begin: &begin, End: &end}}},
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: new("*")},
	}
}

// command makes a request; its reply comes when all is performed.
func (w *world) command(r core.Request) uint64 {
	w.token++
	w.step(core.Command{Token: w.token, Request: r})
	return w.token
}

// ask is command for requests that must be granted, with everything performed.
func (w *world) ask(r core.Request) core.Result {
	w.t.Helper()
	token := w.command(r)
	w.perform()
	reply, ok := w.replies[token]
	if !ok || reply.Err != nil {
		w.t.Fatalf("%T = %v (answered %v), want it granted", r, reply.Err, ok)
	}
	return reply.Result
}

// perform does all that waits, without the world moving on.
func (w *world) perform() {
	for w.persist() || w.call() || w.deliver() {
	}
}

// progress lets every task go on: staging ones run, those to be killed end.
func (w *world) progress() bool {
	moved := false
	for _, id := range slices.Sorted(maps.Keys(w.tasks)) {
		switch t := w.tasks[id]; t.state {
		case mesospb.TaskState_TASK_STAGING:
			w.report(t, mesospb.TaskState_TASK_RUNNING)
			moved = true
		case mesospb.TaskState_TASK_KILLING:
			w.report(t, mesospb.TaskState_TASK_KILLED)
			moved = true
		}
	}
	return moved
}

// tick moves time on and wakes the scheduler if it asked for it.
func (w *world) tick(d time.Duration) {
	w.now = w.now.Add(d)
	if at, ok := w.core.Deadline(); ok && !at.After(w.now) {
		w.step(core.Tick{})
	}
}

// heal lets the world run without faults for a while.
func (w *world) heal() {
	w.perform()
	for range 200 {
		w.tick(6 * time.Second)
		w.perform()
		w.offer("h1", 100)
		w.perform()
		w.progress()
		w.perform()
	}
}

// running counts an app's tasks that run.
func (w *world) running(app string) int {
	return w.count(app, func(t *task) bool { return t.state == mesospb.TaskState_TASK_RUNNING })
}

// active counts an app's tasks that run or may.
func (w *world) active(app string) int { return w.count(app, (*task).active) }

func (w *world) count(app string, is func(*task) bool) (n int) {
	for _, t := range w.tasks {
		if t.app == app && is(t) {
			n++
		}
	}
	return n
}

func object(t failer, text string) spec.Object {
	t.Helper()
	o, err := spec.Decode([]byte(text))
	if err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return o
}

func (w *world) create(app string) core.Result {
	w.t.Helper()
	return w.ask(core.CreateApp{App: object(w.t, app)})
}

func (w *world) put(id, update string) core.Result {
	w.t.Helper()
	return w.ask(core.UpdateApps{Updates: []core.AppUpdate{{ID: id, Object: object(w.t, update)}}, Partial: true, Create: true})
}

func TestAppIsLaunchedAndKept(t *testing.T) {
	w := newWorld(t)
	w.create(`{"id":"/web","cmd":"sleep 100","instances":3}`)
	w.heal()
	if got := w.running("/web"); got != 3 {
		t.Fatalf("%d tasks run, want 3", got)
	}
	if !w.suppressed {
		t.Error("offers are not suppressed though nothing waits for one")
	}
	if got := w.core.Deployments(); len(got) != 0 {
		t.Errorf("deployments = %v, want none", got)
	}
}
