package simulation

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	marathoncore "github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A marathonBrain is a leading Marathon.
type marathonBrain struct {
	in      *instance
	core    *marathoncore.Core
	tokens  uint64
	updates map[uint64]*mesospb.TaskStatus // not yet acknowledged
	replies map[uint64]func(marathoncore.Reply)

	insisted int // calls that must arrive, so far
}

func wakeMarathon(in *instance, list []entry) brain {
	cfg := marathoncore.DefaultConfig("*")
	cfg.Rand = rand.New(rand.NewPCG(in.c.rng.Uint64(), 3))
	cfg.DeclineFor, cfg.MinReviveInterval = 20*time.Second, 2*time.Second
	cfg.LaunchConfirmTimeout, cfg.LaunchTimeout = 40*time.Second, 40*time.Second
	cfg.KillRetry, cfg.ReconciliationInterval = 10*time.Second, 40*time.Second
	b := &marathonBrain{
		in: in, core: marathoncore.New(cfg),
		updates: make(map[uint64]*mesospb.TaskStatus), replies: make(map[uint64]func(marathoncore.Reply)),
	}
	var recs []marathoncore.Record
	for _, e := range list {
		recs = append(recs, marathoncore.Record{Name: e.key, Value: e.value})
	}
	if err := b.core.Load(recs); err != nil {
		in.c.violate("%s: load: %v", in.name, err)
		return nil
	}
	return b
}

func (b *marathonBrain) info() *mesospb.FrameworkInfo {
	return frameworkInfo("marathon", b.core.FrameworkID())
}

func (b *marathonBrain) deadline() (time.Time, bool) { return b.core.Deadline() }
func (b *marathonBrain) tick()                       { b.step(marathoncore.Tick{}) }
func (b *marathonBrain) hungUp()                     { b.step(marathoncore.Disconnected{}) }

// heard implements subscriber.
func (b *marathonBrain) heard(e *schedulerpb.Event) {
	switch e.GetType() {
	case schedulerpb.Event_SUBSCRIBED:
		b.step(marathoncore.Subscribed{FrameworkID: e.GetSubscribed().GetFrameworkId().GetValue(), Master: "master"})
	case schedulerpb.Event_OFFERS:
		b.step(marathoncore.Offered{Offers: e.GetOffers().GetOffers()})
	case schedulerpb.Event_UPDATE:
		b.in.c.result[Updates]++
		b.tokens++
		b.updates[b.tokens] = e.GetUpdate().GetStatus()
		b.step(marathoncore.Updated{Token: b.tokens, Status: e.GetUpdate().GetStatus()})
	case schedulerpb.Event_ERROR:
		b.in.refusedBy(e.GetError().GetMessage())
	}
}

// refusedBy is the end of a leader that the master has replaced by another.
func (in *instance) refusedBy(message string) {
	if !strings.Contains(message, "failed over") {
		in.c.violate("%s: ERROR %s", in.name, message)
	}
	in.die("another one has subscribed")
}

func (b *marathonBrain) step(ev marathoncore.Event) {
	if !b.in.up || b.in.brain != brain(b) && b.in.brain != nil || b.in.c.failed != nil {
		return
	}
	b.in.c.traceEvent(b.in.name, ev)
	performAll(b.in, b.core.Step(b.in.now(), ev), b.perform)
}

func (b *marathonBrain) perform(e marathoncore.Effect) {
	switch e := e.(type) {
	case marathoncore.Persist:
		var list []entry
		for _, op := range e.Ops {
			value := op.Value
			if op.Delete {
				value = nil
			}
			list = append(list, entry{op.Name, value})
		}
		b.in.persist(list, func() { b.step(marathoncore.Persisted{Seq: e.Seq}) })
	case marathoncore.Accept:
		b.in.call(accept(e.OfferID, 0, e.Tasks), func() { b.inquire(e) })
	case marathoncore.Decline:
		b.in.call(decline(e.OfferIDs, e.Refuse), nil)
	case marathoncore.Kill:
		b.in.call(kill(e.TaskID, e.AgentID), nil)
	case marathoncore.Reconcile:
		b.in.call(reconcile(marathonRefs(e.Tasks)), nil)
	case marathoncore.Suppress:
		b.insist(schedulerpb.Call_SUPPRESS)
	case marathoncore.Revive:
		b.insist(schedulerpb.Call_REVIVE)
	case marathoncore.Acknowledge:
		if call := acknowledge(b.updates[e.Token]); call != nil {
			b.in.call(call, nil)
		}
		delete(b.updates, e.Token)
	case marathoncore.Reply:
		b.replies[e.Token](e)
		delete(b.replies, e.Token)
	case marathoncore.Resign:
		b.in.c.violate("%s: its framework was removed", b.in.name)
	}
}

// inquire asks what became of tasks whose launch may not have arrived, as the
// process does.
func (b *marathonBrain) inquire(e marathoncore.Accept) {
	var refs []taskRef
	for _, t := range e.Tasks {
		refs = append(refs, taskRef{t.GetTaskId().GetValue(), t.GetAgentId().GetValue()})
	}
	b.in.call(reconcile(refs), nil)
}

// insist makes a call until it arrives: nothing else would notice that it has
// not. It ends with the subscription, or when the opposite is wanted.
func (b *marathonBrain) insist(t schedulerpb.Call_Type) {
	st := b.in.client.stream
	b.insisted++
	mine := b.insisted
	b.in.call(&schedulerpb.Call{Type: t.Enum()}, func() {
		b.in.later(time.Second, func() {
			if b.in.client != nil && b.in.client.stream == st && st != nil && b.insisted == mine {
				b.insist(t)
			}
		})
	})
}

func marathonRefs(tasks []marathoncore.TaskRef) []taskRef {
	var refs []taskRef
	for _, t := range tasks {
		refs = append(refs, taskRef{t.TaskID, t.AgentID})
	}
	return refs
}

// A marathonUser asks for apps, and remembers what may have been granted.
type marathonUser struct {
	c    *Cluster
	of   *service
	apps map[string]counts

	asked map[string]int // requests about an app, so far
}

// counts are the numbers of instances that an app may have been given; none for
// an app that does not exist.
type counts map[int]bool

const (
	none      = -1
	unchanged = -2 // of a request that leaves the number as it is
)

// A wish is a request and what it makes of an app.
type wish struct {
	request marathoncore.Request
	count   int
}

// act makes a request. Until it is granted, and for good if the reply never
// comes, it may have been or not.
func (u *marathonUser) act() {
	in := u.of.leading()
	if in == nil {
		return
	}
	id := []string{"/web", "/db"}[u.c.rng.IntN(2)]
	b, before := in.brain.(*marathonBrain), u.apps[id]
	w, ok := u.draw(id, before)
	if !ok {
		return
	}
	u.c.result[Requests]++
	after := maps.Clone(before)
	if w.count != unchanged {
		after[w.count] = true
	}
	u.apps[id] = after
	u.asked[id]++
	mine := u.asked[id]
	b.tokens++
	u.c.trace("user asks for %T %s %d", w.request, id, w.count)
	b.replies[b.tokens] = func(r marathoncore.Reply) {
		u.c.trace("user is told %v", r.Err)
		switch {
		case r.Err != nil && w.count != unchanged && !before[w.count]:
			delete(u.apps[id], w.count)
		case w.count != unchanged && mine == u.asked[id]: // nothing else was asked for since
			u.apps[id] = counts{w.count: true}
		}
	}
	b.step(marathoncore.Command{Token: b.tokens, Request: w.request})
}

func (u *marathonUser) draw(id string, now counts) (wish, bool) {
	n := u.c.rng.IntN(4)
	if now[none] && len(now) == 1 {
		return wish{marathoncore.CreateApp{App: appObject(id, n)}, n}, true
	}
	switch u.c.rng.IntN(6) {
	case 0:
		return wish{marathoncore.RestartApp{ID: id, Force: true}, unchanged}, !now[none]
	case 1:
		return wish{marathoncore.KillTasks{AppID: id}, unchanged}, !now[none]
	case 2:
		return wish{marathoncore.DeleteApp{ID: id, Force: true}, none}, !now[none]
	}
	object := appObject(id, n)
	if u.c.rng.IntN(3) == 0 {
		object["cmd"] = fmt.Sprintf("work %d", u.c.rng.IntN(100))
	}
	return wish{marathoncore.UpdateApps{Updates: []marathoncore.AppUpdate{{ID: id, Object: object}}, Partial: true, Create: true, Force: true}, n}, true
}

// appObject is a definition as a client sends it.
func appObject(id string, instances int) spec.Object {
	o, err := spec.Decode(fmt.Appendf(nil,
		`{"id":%q,"cmd":"work","cpus":0.1,"mem":32,"instances":%d,"backoffSeconds":1,"maxLaunchDelaySeconds":10}`, id, instances))
	if err != nil {
		panic(fmt.Sprintf("app of the simulation: %v", err))
	}
	return o
}

// check compares what was granted with what runs, and strikes off what it knows.
func (u *marathonUser) check(running map[taskKey]string) {
	in := u.of.leading()
	if in == nil || in.client.stream == nil {
		u.c.violate("%s does not lead or is not subscribed although nothing keeps it", u.of.name)
		return
	}
	core := in.brain.(*marathonBrain).core
	active := make(map[string]int)
	for key := range running {
		if string(key.framework) == core.FrameworkID() {
			active[marathoncore.AppOfTask(string(key.task))]++
			if _, known := core.Task(string(key.task)); !known {
				u.c.violate("marathon does not know task %s, which runs", key.task)
			}
			delete(running, key)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(u.apps)) {
		count := none
		if info, exists := core.App(id); exists {
			count = info.Instances
		}
		if !u.apps[id][count] {
			u.c.violate("app %s has %d instances, granted were %v", id, count, u.apps[id])
		}
		if got := active[id]; got != max(0, count) {
			u.c.violate("app %s has %d tasks that run, want %d", id, got, max(0, count))
		}
	}
	for _, t := range core.Tasks() {
		if !u.c.runs(t.ID) {
			u.c.violate("marathon believes that task %s is %s", t.ID, t.State)
		}
	}
	if n := len(core.Deployments()); n > 0 {
		u.c.violate("marathon has %d deployments that do not end", n)
	}
}
