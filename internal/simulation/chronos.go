package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	chronoscore "github.com/soukproject/souk/frameworks/chronos/core"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A chronosBrain is a leading Chronos.
type chronosBrain struct {
	in       *instance
	core     *chronoscore.Chronos
	requests chronoscore.Request
	replies  map[chronoscore.Request]func(error)
}

func chronosDefaults() chronoscore.Defaults {
	return chronoscore.Defaults{CPUs: 0.1, Mem: 32, Disk: 1, User: "nobody"}
}

// zones knows the one time zone that the jobs of the simulation use.
func zones(name string) (*time.Location, error) {
	if name == "UTC" || name == "" {
		return time.UTC, nil
	}
	return nil, fmt.Errorf("unknown time zone %s", name)
}

func wakeChronos(in *instance, list []entry) brain {
	var writes []chronoscore.Write
	for _, e := range list {
		writes = append(writes, chronoscore.Write{Key: e.key, Value: e.value})
	}
	core, err := chronoscore.New(chronoscore.Config{
		Zones: zones, Defaults: chronosDefaults(), FailureRetry: 5 * time.Second, HistoryLimit: 20,
		DeclineFor: 20 * time.Second, ReviveInterval: 2 * time.Second, ReconcileInterval: 40 * time.Second,
	}, writes)
	if err != nil {
		in.c.violate("%s: restore: %v", in.name, err)
		return nil
	}
	return &chronosBrain{in: in, core: core, replies: make(map[chronoscore.Request]func(error))}
}

func (b *chronosBrain) info() *mesospb.FrameworkInfo {
	return frameworkInfo("chronos", string(b.core.Framework()))
}

func (b *chronosBrain) deadline() (time.Time, bool) { return b.core.Deadline() }
func (b *chronosBrain) tick()                       { b.step(chronoscore.Tick{}) }
func (b *chronosBrain) hungUp()                     { b.step(chronoscore.Disconnected{}) }

// heard implements subscriber.
func (b *chronosBrain) heard(e *schedulerpb.Event) {
	switch e.GetType() {
	case schedulerpb.Event_SUBSCRIBED:
		b.step(chronoscore.Subscribed{Framework: mesos.FrameworkID(e.GetSubscribed().GetFrameworkId().GetValue())})
	case schedulerpb.Event_OFFERS:
		b.step(chronoscore.Offers{Offers: e.GetOffers().GetOffers()})
	case schedulerpb.Event_UPDATE:
		b.in.c.result[Updates]++
		b.step(chronoscore.Update{Status: e.GetUpdate().GetStatus()})
	case schedulerpb.Event_ERROR:
		b.in.refusedBy(e.GetError().GetMessage())
	}
}

func (b *chronosBrain) step(ev chronoscore.Event) {
	if !b.in.up || b.in.brain != brain(b) && b.in.brain != nil || b.in.c.failed != nil {
		return
	}
	b.in.c.traceEvent(b.in.name, ev)
	performAll(b.in, b.core.Step(b.in.now(), ev), b.perform)
}

func (b *chronosBrain) perform(e chronoscore.Effect) {
	switch e := e.(type) {
	case chronoscore.Persist:
		var list []entry
		for _, w := range e.Writes {
			list = append(list, entry{w.Key, w.Value})
		}
		b.in.persist(list, func() { b.step(chronoscore.Persisted{Seq: e.Seq}) })
	case chronoscore.Reply:
		b.replies[e.Request](e.Err)
		delete(b.replies, e.Request)
	case chronoscore.Accept:
		b.call(accept(string(e.Offer), e.Refuse, e.Tasks))
	case chronoscore.Decline:
		var ids []string
		for _, id := range e.Offers {
			ids = append(ids, string(id))
		}
		b.call(decline(ids, e.Refuse))
	case chronoscore.Suppress:
		b.call(&schedulerpb.Call{Type: schedulerpb.Call_SUPPRESS.Enum()})
	case chronoscore.Revive:
		b.call(&schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()})
	case chronoscore.Acknowledge:
		if call := acknowledge(e.Status); call != nil {
			b.call(call)
		}
	case chronoscore.Kill:
		b.call(kill(string(e.Task), string(e.Agent)))
	case chronoscore.Reconcile:
		var refs []taskRef
		for _, t := range e.Tasks {
			refs = append(refs, taskRef{string(t.Task), string(t.Agent)})
		}
		b.call(reconcile(refs))
	}
}

// call makes a call; the core is told of one that may not have arrived.
func (b *chronosBrain) call(call *schedulerpb.Call) {
	b.in.call(call, func() { b.step(chronoscore.Interrupted{}) })
}

// A start is one container of a job.
type start struct {
	due time.Time     // that the run stands for
	at  time.Duration // after due, by the clock of the leading Chronos

	agent string
}

// A chronosUser creates jobs and watches what runs.
type chronosUser struct {
	c       *Cluster
	of      *service
	asked   map[string]bool // jobs of which the answer is awaited
	created map[string]bool // jobs of which it came
	runs    map[string]int  // containers by the run they are
	starts  map[string][]start
	latest  map[string]*container
}

func newChronosUser(c *Cluster, of *service) *chronosUser {
	return &chronosUser{
		c: c, of: of, asked: make(map[string]bool), created: make(map[string]bool),
		runs: make(map[string]int), starts: make(map[string][]start), latest: make(map[string]*container),
	}
}

// tickPeriod is that of the one job that never ends.
const tickPeriod = 15 * time.Second

// jobs are those that are to exist, parents first.
func jobs() [][2]string {
	return [][2]string{
		{"tick", `{"name":"tick","command":"work","retries":0,"schedule":"R//PT15S"}`},
		{"tock", `{"name":"tock","command":"work","retries":0,"parents":["tick"]}`},
		{"once0", `{"name":"once0","command":"work","retries":0,"schedule":"R1//P1D"}`},
		{"once1", `{"name":"once1","command":"work","retries":0,"schedule":"R1//P1D"}`},
		{"after1", `{"name":"after1","command":"work","retries":0,"parents":["once1"]}`},
	}
}

// act creates the next job that does not exist.
func (u *chronosUser) act() {
	in := u.of.leading()
	if in == nil {
		return
	}
	b := in.brain.(*chronosBrain)
	for _, j := range jobs() {
		name, body := j[0], j[1]
		if _, exists := b.core.Job(name); exists || u.created[name] {
			// One that has lost its session and not heard of it knows no newer jobs.
			if u.created[name] && !exists && u.of.election.leader() == contender(in) {
				u.c.violate("job %s was created, and does not exist", name)
			}
			continue
		}
		job, err := chronoscore.ReadJob([]byte(body), chronosDefaults(), zones, in.now())
		if err != nil {
			panic(fmt.Sprintf("job of the simulation: %v", err))
		}
		u.c.result[Requests]++
		b.requests++
		b.replies[b.requests] = func(err error) {
			if err != nil {
				u.c.violate("job %s is refused: %v", name, err)
			}
			u.created[name] = true
		}
		b.step(chronoscore.Put{Request: b.requests, Job: job})
		return
	}
}

// begun looks at a container that starts: each run has one at most, and a job
// one at a time.
func (u *chronosUser) begun(k *container) {
	parts := strings.Split(string(k.task.task), ":") // ct:due:attempt:job:
	if len(parts) < 4 {
		u.c.violate("chronos launched a task with the id %s", k.task.task)
		return
	}
	run, job := strings.Join(parts[:4], ":"), parts[3]
	if u.runs[run]++; u.runs[run] > 1 {
		u.c.violate("run %s is begun twice", run)
	}
	if last := u.latest[job]; last != nil && last.running && !u.c.registry.parted(last.agent) {
		u.c.violate("two runs of job %s at once: %s and %s", job, last.task.task, k.task.task)
	}
	u.latest[job] = k
	if in := u.of.leading(); in != nil {
		ms, _ := strconv.ParseInt(parts[1], 10, 64)
		due := time.UnixMilli(ms)
		u.starts[job] = append(u.starts[job], start{due, in.now().Sub(due), k.agent})
	}
}

// check compares what chronos says of its runs with what runs, and strikes off
// what it knows.
func (u *chronosUser) check(running map[taskKey]string) {
	in := u.of.leading()
	if in == nil || in.client.stream == nil {
		u.c.violate("%s does not lead or is not subscribed although nothing keeps it", u.of.name)
		return
	}
	core := in.brain.(*chronosBrain).core
	known := make(map[mesos.TaskID]bool)
	for _, j := range jobs() {
		name := j[0]
		if _, exists := core.Job(name); !exists {
			u.c.violate("job %s does not exist", name)
			return
		}
		ended := 0
		for _, run := range core.Runs(name) {
			if run.Finished.IsZero() {
				known[run.TaskID] = true
			} else {
				ended++
			}
		}
		u.checkOnce(core, name, ended)
	}
	for key := range running {
		if key.framework != core.Framework() {
			continue
		}
		if !known[key.task] {
			u.c.violate("chronos does not know task %s, which runs", key.task)
		}
		delete(known, key.task)
		delete(running, key)
	}
	if len(known) > 0 {
		u.c.violate("chronos believes that these run: %v", slices.Sorted(maps.Keys(known)))
	}
}

// checkOnce: a job with one run has had it, if only to see it fail. Of a run whose
// agent was taken down nobody can say any more whether it began.
func (u *chronosUser) checkOnce(core *chronoscore.Chronos, name string, ended int) {
	v, _ := core.Job(name)
	if !strings.HasPrefix(name, "once") {
		return
	}
	if n := u.known(name); n > 1 || v.State != "idle" || ended == 0 {
		u.c.violate("job %s began %d times and ended %d times, want once; it is %s", name, n, ended, v.State)
	}
	if child := u.known("after1"); name == "once1" && int64(child) > v.SuccessCount {
		u.c.violate("the child of job %s began %d times", name, child)
	}
}

// known counts the containers of a job whose agents are not parted with.
func (u *chronosUser) known(job string) int {
	return len(slices.DeleteFunc(slices.Clone(u.starts[job]), func(s start) bool { return u.c.registry.parted(s.agent) }))
}

// checkCalm: while nothing fails, each occurrence is begun once and in time. What
// was offered before, and was declined in a call that got lost, has to time out.
func (u *chronosUser) checkCalm(from time.Time) {
	in := u.of.leading()
	if in == nil {
		return // check has said so
	}
	if sure := u.c.start.Add(u.c.opts.Trouble + offerTimeout); from.Before(sure) {
		from = sure
	}
	want := int(u.c.now.Sub(from)/tickPeriod) - 1
	from = from.Add(in.skew)
	last := slices.DeleteFunc(slices.Clone(u.starts["tick"]), func(s start) bool { return s.due.Before(from) })
	for i, s := range last {
		if s.at > epsilon {
			u.c.violate("the run of job tick at %v began %v late", s.due, s.at)
		}
		if i > 0 && s.due.Sub(last[i-1].due) != tickPeriod {
			u.c.violate("job tick ran for %v and then for %v", last[i-1].due, s.due)
		}
	}
	if len(last) < want {
		u.c.violate("job tick ran %d times since %v, want %d", len(last), from, want)
	}
}

// epsilon is how late a run may begin while nothing fails.
const epsilon = 5 * time.Second
