package core

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/agent/statusupdate"
	"github.com/soukproject/souk/proto/mesos"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// restore rebuilds what an earlier agent stored, and takes up what it left.
func (a *Agent) restore(now time.Time, ev Recovered) {
	if a.recovered {
		panic("agent core: Recovered twice")
	}
	a.recovered = true
	old := a.rebuild(ev.Records)
	a.catchUp(now)
	if !a.identify(old, ev.Rebooted) {
		return
	}
	if !a.restoreHoldings(ev.Records) {
		return
	}
	alive := make(map[mesos.ContainerID]bool, len(ev.Alive))
	for _, id := range ev.Alive {
		alive[id] = true
	}
	for _, f := range slices.Clone(a.frameworks) {
		for _, x := range slices.Clone(f.executors) {
			for c := range x.containers() {
				c.networks = ev.Networks[c.id]
			}
			a.takeUp(now, x, alive)
		}
		a.takeUpFramework(now, f)
	}
}

// rebuild fills the tables from records and returns the agent's own, or nil.
func (a *Agent) rebuild(records []*checkpointpb.Record) (old *checkpointpb.Agent) {
	for _, r := range records {
		if info := r.GetAgent().GetInfo(); info != nil {
			old = r.GetAgent()
			a.info = info // sandboxes bear its id
		}
	}
	for _, r := range records {
		if f := r.GetFramework(); f != nil {
			known, _ := a.meet(f.GetInfo())
			known.removing = f.GetRemoving()
		}
	}
	for _, r := range records {
		if x := r.GetExecutor(); x != nil {
			a.rebuildOwn(x)
		}
	}
	for _, r := range records {
		if t := r.GetTask(); t != nil {
			a.rebuildTask(t)
		}
	}
	for _, r := range records {
		if p := r.GetProgress(); p != nil {
			a.rebuildProgress(p)
		}
	}
	return old
}

// catchUp: the clock was ahead when the records were written, or was set back
// since. What runs, or is to end, does so since now at the latest: otherwise it
// would be waited for until the clock shows that time again.
func (a *Agent) catchUp(now time.Time) {
	for t := range a.tasks() {
		if t.kill != nil && t.kill.since.After(now) {
			t.kill.since = now
		}
	}
	for _, f := range a.frameworks {
		for _, x := range f.executors {
			if x.launched.After(now) {
				x.launched = now
			}
		}
	}
}

func (a *Agent) rebuildOwn(r *checkpointpb.Executor) {
	f := a.framework(frameworkID(r.GetFrameworkId()))
	if f == nil || r.Info == nil {
		return
	}
	x := a.addOwn(f, r.GetInfo(), mesos.ContainerID(r.GetContainerId().GetValue()))
	x.phase, x.beyond = launching, r.GetLimitation()
	x.own.subscribed, x.own.welcome, x.own.served = r.GetSubscribed(), r.GetSubscribed(), r.GetSubscribed()
	x.own.ending = r.GetEnding()
	if r.Launched != nil {
		x.phase, x.launched, x.pid = running, unstamp(r.GetLaunched()), r.GetPid()
	}
}

func (a *Agent) rebuildTask(r *checkpointpb.Task) {
	f := a.framework(frameworkID(r.GetFrameworkId()))
	if f == nil {
		return // its framework went in the same write; Check would have said otherwise
	}
	t := &task{
		framework: f, id: mesos.TaskID(r.GetTaskId().GetValue()), info: r.GetInfo(), group: r.GetGroup(), state: mesospb.TaskState_TASK_STAGING,
	}
	f.tasks = append(f.tasks, t)
	id := containerID(r.GetContainerId())
	outer, _ := id.Split()
	switch {
	case outer != "":
		if c := a.containers[outer]; c != nil {
			a.nest(c.executor, t, id)
			t.durable = true
		}
	case id != "" && t.info.GetExecutor() != nil:
		if c := a.containers[id]; c != nil {
			c.executor.join(t)
			t.durable, t.sent = true, c.executor.own.subscribed
		}
	case id != "":
		x := a.addExecutor(t, id)
		x.phase = launching
	}
}

func (a *Agent) rebuildProgress(p *checkpointpb.Progress) {
	t := a.task(p.GetFrameworkId(), p.GetTaskId())
	if t == nil {
		return
	}
	t.stream = statusupdate.Restore(p.GetAcknowledged(), p.GetPending())
	if s := p.GetAcknowledged(); s != nil {
		t.remember(s)
	}
	for _, s := range p.GetPending() {
		t.remember(s)
	}
	if s := t.stream.Latest(); s != nil {
		t.state = s.GetState()
	}
	t.restoreProbes(p)
	t.kill = restoreKill(p.GetKill())
	if t.kill != nil && t.container == nil {
		t.kill.passOn(p.GetKill())
	}
	if c := t.container; c != nil && t.state != mesospb.TaskState_TASK_STAGING {
		t.sent, c.phase = true, launching
	}
	if c := t.container; c != nil && p.Launched != nil {
		c.phase, c.launched, c.pid = running, unstamp(p.GetLaunched()), p.GetPid()
		c.beyond = p.GetLimitation()
	}
}

// identify decides whether this is still the agent that wrote the records. It
// is false when there is nothing to go on with.
func (a *Agent) identify(old *checkpointpb.Agent, rebooted bool) bool {
	if old == nil {
		a.info = a.cfg.Info
		return true
	}
	fresh, why := a.reconfigured(old)
	switch {
	case why == "":
		a.info = withID(fresh, old.GetInfo().GetId().GetValue())
		if record := a.record(); !proto.Equal(record.GetAgent(), old) {
			a.persist(nil, record)
		}
		return true
	case rebooted || len(a.frameworks) == 0:
		a.startOver()
		return true
	}
	a.leaving = why + "; start it as before, or drain it and remove its work directory's meta folder to begin as a new agent"
	a.emit(Exit{Why: a.leaving})
	return false
}

// KeptResources is the What of a Refused that operators should know of.
const KeptResources = "other resources"

// reconfigured is what the agent goes on as, or why it must not. When only what
// nobody configured has changed, such as a disk that was enlarged, it stays what
// it was: tasks and the master's books rest on that.
func (a *Agent) reconfigured(old *checkpointpb.Agent) (fresh *mesospb.AgentInfo, why string) {
	was, is := old.GetInfo(), a.cfg.Info
	why = incompatible(was, is, a.cfg.Additive)
	if why == "" || old.Configured == nil || old.GetConfigured() != a.cfg.Configured {
		return is, why
	}
	kept := proto.CloneOf(is)
	kept.Resources, kept.Attributes = was.GetResources(), was.GetAttributes()
	if other := incompatible(was, kept, a.cfg.Additive); other != "" {
		return is, other
	}
	a.refuse(KeptResources, was.GetId().GetValue(), why+", and nobody configured that; it goes on with what it had: give --resources to change it")
	return kept, ""
}

// startOver forgets everything: nothing of it runs, and no master would take
// updates of an agent that is another one now.
func (a *Agent) startOver() {
	records := []*checkpointpb.Record{goneAgent()}
	for t := range a.tasks() {
		records = append(records, t.goneRecords()...)
	}
	for _, f := range a.frameworks {
		for _, x := range f.executors {
			if x.own != nil {
				records = append(records, x.goneRecord())
			}
		}
		records = append(records, f.goneRecord())
	}
	a.info, a.frameworks = a.cfg.Info, nil
	clear(a.containers)
	a.persist(nil, records...)
}

// takeUp goes on with an executor where the earlier agent left it.
func (a *Agent) takeUp(now time.Time, x *executor, alive map[mesos.ContainerID]bool) {
	if x.own == nil {
		a.takeUpTask(now, &x.container, alive)
		return
	}
	if alive[x.container.id] {
		a.adoptOwn(now, x)
		a.endLimited(now, &x.container)
	}
	a.emit(Await{Container: x.container.id})
	for _, c := range slices.Clone(x.own.nested) {
		a.takeUpNested(now, c, alive)
	}
}

// takeUpTask goes on with the container of a task.
func (a *Agent) takeUpTask(now time.Time, c *container, alive map[mesos.ContainerID]bool) {
	switch {
	case mesos.Terminal(c.task.state):
		c.phase = ended
		a.emit(Destroy{Container: c.id})
		return
	case alive[c.id] && c.nested():
		a.adoptNested(now, c)
		a.endLimited(now, c)
	case alive[c.id]:
		a.adopt(now, c)
		a.endLimited(now, c)
	}
	a.emit(Await{Container: c.id})
}

// takeUpFramework forgets a framework that has nothing any more.
func (a *Agent) takeUpFramework(now time.Time, f *framework) {
	if f.removing {
		a.sweep(now, f)
		return
	}
	for _, t := range slices.Clone(f.tasks) {
		if t.stream.Done() {
			a.forgetTask(t, nil)
		}
	}
	a.settle(f)
}
