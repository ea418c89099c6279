package core

import (
	"slices"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// waiting is what follows when Checkpoint seq is durable.
type waiting struct {
	seq  uint64
	then func(now time.Time)
}

// persist asks for records to be stored and remembers the step that follows,
// nil for none. The step meets the state as it is by then, not as it was.
func (a *Agent) persist(then func(now time.Time), records ...*checkpointpb.Record) {
	a.seq++
	a.emit(Checkpoint{Seq: a.seq, Records: records})
	if then != nil {
		a.waiting = append(a.waiting, waiting{a.seq, then})
	}
}

func (a *Agent) checkpointed(now time.Time, seq uint64) {
	if seq > a.seq || seq <= a.durable {
		a.refuse("checkpoint", "", "it was not asked for, or came before")
		return
	}
	a.durable = seq
	for len(a.waiting) > 0 && a.waiting[0].seq <= seq {
		w := a.waiting[0]
		a.waiting = a.waiting[1:]
		w.then(now)
	}
}

func (a *Agent) record() *checkpointpb.Record {
	return &checkpointpb.Record{Agent: &checkpointpb.Agent{Info: a.info, Configured: &a.cfg.Configured}}
}

func goneAgent() *checkpointpb.Record {
	return &checkpointpb.Record{Agent: &checkpointpb.Agent{}, Gone: new(true)}
}

func (f *framework) record() *checkpointpb.Record {
	r := &checkpointpb.Framework{Id: f.wireID(), Info: f.info}
	if f.removing {
		r.Removing = new(true)
	}
	return &checkpointpb.Record{Framework: r}
}

func (f *framework) goneRecord() *checkpointpb.Record {
	return &checkpointpb.Record{Framework: &checkpointpb.Framework{Id: f.wireID()}, Gone: new(true)}
}

func (x *executor) record() *checkpointpb.Record {
	r := &checkpointpb.Executor{FrameworkId: x.framework.wireID(), ContainerId: x.wire(), Info: x.own.info, Limitation: x.beyond}
	if !x.launched.IsZero() {
		r.Launched = new(stamp(x.launched))
	}
	if x.pid != 0 {
		r.Pid = new(x.pid)
	}
	if x.own.subscribed {
		r.Subscribed = new(true)
	}
	if x.own.ending {
		r.Ending = new(true)
	}
	return &checkpointpb.Record{Executor: r}
}

func (x *executor) goneRecord() *checkpointpb.Record {
	return &checkpointpb.Record{
		Executor: &checkpointpb.Executor{FrameworkId: x.framework.wireID(), ContainerId: x.wire()}, Gone: new(true),
	}
}

func (t *task) record() *checkpointpb.Record {
	r := &checkpointpb.Task{FrameworkId: t.framework.wireID(), TaskId: t.info.GetTaskId(), Info: t.info}
	if c := t.place(); c != nil {
		r.ContainerId = c.wire()
	}
	if t.group != "" {
		r.Group = &t.group
	}
	return &checkpointpb.Record{Task: r}
}

// progress is t as it is now, updates that are only about to be stored included.
func (t *task) progress() *checkpointpb.Record {
	p := &checkpointpb.Progress{
		FrameworkId:  t.framework.wireID(),
		TaskId:       t.info.GetTaskId(),
		Pending:      slices.Concat(t.stream.Pending(), t.unstored),
		Acknowledged: t.stream.Acknowledged(),
		Kill:         t.kill.record(),
	}
	t.healthRecord(p)
	if c := t.container; c != nil {
		p.Limitation = c.beyond
	}
	if c := t.container; c != nil && !c.launched.IsZero() {
		p.Launched = new(stamp(c.launched))
		if c.pid != 0 {
			p.Pid = new(c.pid)
		}
	}
	return &checkpointpb.Record{Progress: p}
}

func (t *task) goneRecords() []*checkpointpb.Record {
	fw, id := t.framework.wireID(), t.info.GetTaskId()
	return []*checkpointpb.Record{
		{Progress: &checkpointpb.Progress{FrameworkId: fw, TaskId: id}, Gone: new(true)},
		{Task: &checkpointpb.Task{FrameworkId: fw, TaskId: id}, Gone: new(true)},
	}
}

func (k *kill) record() *checkpointpb.Kill {
	if k == nil {
		return nil
	}
	r := &checkpointpb.Kill{Cause: k.cause.Enum(), Since: new(stamp(k.since)), Grace: new(int64(k.grace))}
	if k.own {
		r.Grace = nil
		if g := k.policy.GetGracePeriod(); g != nil {
			r.Grace = g.Nanoseconds
		}
	}
	return r
}

func restoreKill(r *checkpointpb.Kill) *kill {
	if r == nil {
		return nil
	}
	return &kill{cause: r.GetCause(), since: unstamp(r.GetSince()), grace: time.Duration(r.GetGrace())}
}

// passOn makes k one that an executor is told of, with the policy that was stored.
func (k *kill) passOn(r *checkpointpb.Kill) {
	k.own = true
	if r.Grace != nil {
		k.policy = &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: r.Grace}}
	}
}

// Containers names the containers that records speak of: those a containerizer
// is to recover. None is nested in one that is not among them.
func Containers(records []*checkpointpb.Record) []mesos.ContainerID {
	var ids []mesos.ContainerID
	outer := make(map[string]bool)
	for _, r := range records {
		if id := r.GetExecutor().GetContainerId().GetValue(); id != "" && !r.GetGone() {
			ids, outer[id] = append(ids, mesos.ContainerID(id)), true
		}
	}
	for _, r := range records {
		t := r.GetTask()
		id := containerID(t.GetContainerId())
		nested := outer[t.GetContainerId().GetParent().GetValue()]
		if id != "" && !r.GetGone() && (t.GetInfo().GetExecutor() == nil || nested) {
			ids = append(ids, id)
		}
	}
	return ids
}

// containerID reads what container.wire wrote.
func containerID(id *mesospb.ContainerID) mesos.ContainerID {
	own := mesos.ContainerID(id.GetValue())
	if outer := id.GetParent(); outer != nil {
		return mesos.ContainerID(outer.GetValue()).Within(own)
	}
	return own
}
