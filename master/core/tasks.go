package core

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A task is one row of the task table. It is in one of three chains of its
// framework: that of active tasks, of those that are unreachable, and of those
// that are over. Active ones are in the chain of their agent, too.
type task struct {
	info        ref              // its id, then its TaskInfo
	history     ref              // its statuses
	uuid        [uuidLength]byte // of the last update sent to the scheduler
	sameHash    uint32           // the next row of the index
	framework   uint32
	agent       uint32 // of an active task
	ofFramework links
	ofAgent     links
	state       uint8 // the newest that is known
	forwarded   uint8 // that of the last update the scheduler has
	idLength    uint8
	flags       taskFlags
	known       uint32 // since when, in seconds since 1970: to this master, so that all are alike to a new one
}

type taskFlags uint8

const (
	isUnreachable taskFlags = 1 << iota // in the chain of unreachable tasks
	holds                               // its resources count as used
	ranged                              // it uses ranges or sets, which framework.used leaves out
	lent                                // it uses something revocable
	disowned                            // its scheduler was told that it is over, and hears no more of it
)

func (t *task) is(f taskFlags) bool { return t.flags&f != 0 }

func (t *task) current() mesospb.TaskState { return mesospb.TaskState(t.state) }

// shown is the state a scheduler is told: that of the last update it was sent,
// or has acknowledged to an earlier master. What the agent has reported since is
// not leaked ahead of its turn (mesos-api 12.1).
func (t *task) shown() mesospb.TaskState { return mesospb.TaskState(t.forwarded) }

// sent reports whether an update was sent to the scheduler by this master.
func (t *task) sent() bool { return t.uuid != [uuidLength]byte{} }

// addTask makes a task active and charges what it uses, unless it is over. The
// resources are those of info.
func (m *Master) addTask(f *framework, a *agent, info *mesospb.TaskInfo, used resources.Resources, state mesospb.TaskState) uint32 {
	row := m.tasks.add(f.handle, mesos.TaskID(info.GetTaskId().GetValue()), marshal(info))
	t := m.tasks.rows.edit(row)
	t.known = uint32(max(m.now.Unix(), 0))
	t.agent, t.state, t.forwarded = a.handle, uint8(state), uint8(mesospb.TaskState_TASK_STAGING)
	m.tasks.enter(&f.active, byFramework, row)
	m.tasks.enter(&a.tasks, byAgent, row)
	if mesos.Terminal(state) {
		return row
	}
	t.flags |= holds
	if len(scalars(used)) != len(used) {
		t.flags |= ranged
	}
	if !used.Revocable().IsEmpty() {
		t.flags |= lent
	}
	a.used = a.used.Add(used)
	f.used = f.used.Add(scalars(used))
	return row
}

// scalars is the part that adds up over agents: every agent has its own port 31000.
func scalars(r resources.Resources) resources.Resources {
	return r.Filter(func(x resources.Resource) bool { return x.Kind == resources.KindScalar })
}

// freeTask gives back what a task uses, once.
func (m *Master) freeTask(row uint32) {
	t := m.tasks.rows.edit(row)
	if !t.is(holds) {
		return
	}
	t.flags &^= holds
	m.giveBack(m.agentOf[t.agent], m.frameworkOf[t.framework], resourcesOf(m.tasks.info(row)))
}

// giveBack returns what a task or executor used.
func (m *Master) giveBack(a *agent, f *framework, used resources.Resources) {
	if a.used, _ = a.used.Sub(used); a.used.IsEmpty() {
		a.emptySince = m.now
	}
	f.used, _ = f.used.Sub(scalars(used))
	m.cfg.Allocator.Recover(m.now, f.id, a.id, used)
}

// setState moves a task on. It reports false, and records it, if the table of
// states forbids the move.
func (m *Master) setState(row uint32, to mesospb.TaskState) bool {
	from := m.tasks.rows.at(row).current()
	if !mesos.MayFollow(from, to) {
		m.refuse("task state", m.tasks.id(row), from.String()+" to "+to.String())
		return false
	}
	m.tasks.rows.edit(row).state = uint8(to)
	if mesos.Terminal(to) {
		m.count.ended[to]++
		if f := m.frameworkOf[m.tasks.rows.at(row).framework]; f != nil {
			f.count.ended.add(int32(to))
		}
		m.freeTask(row)
	}
	return true
}

// remember adds a status to a task's history.
func (m *Master) remember(row uint32, s *mesospb.TaskStatus) {
	m.tasks.setHistory(row, appendStatus(m.tasks.history(row), s, m.tasks.id(row), string(agentIDOf(m.tasks.info(row)))))
}

// lastStatus is the newest status of a task; nil if there is none.
func (m *Master) lastStatus(row uint32) *mesospb.TaskStatus {
	history := m.tasks.history(row)
	if len(history) == 0 {
		return nil
	}
	k, body, _ := lastOf(history)
	return restore(k, body, m.tasks.id(row), string(agentIDOf(m.tasks.info(row))))
}

// endTask ends a task by the master's own word: there is no update of the agent
// to acknowledge, so the task is over at once.
func (m *Master) endTask(row uint32, state mesospb.TaskState, reason mesospb.TaskStatus_Reason, text string) {
	if mesos.Terminal(m.tasks.rows.at(row).current()) {
		m.retire(row) // the scheduler has been told, or will not be
		return
	}
	m.decide(row, m.verdict(row, state, reason, text))
	m.retire(row)
}

// verdict is a status the master makes for a task.
func (m *Master) verdict(row uint32, state mesospb.TaskState, reason mesospb.TaskStatus_Reason, text string) *mesospb.TaskStatus {
	return m.status(mesos.TaskID(m.tasks.id(row)), agentIDOf(m.tasks.info(row)), state, reason, text)
}

// decide records a status the master made, and tells everybody.
func (m *Master) decide(row uint32, s *mesospb.TaskStatus) {
	f := m.frameworkOf[m.tasks.rows.at(row).framework]
	m.setState(row, s.GetState())
	m.remember(row, s)
	if !m.tasks.rows.at(row).is(disowned) {
		m.countCause(s)
		m.tellFramework(f, updateEvent(s))
	}
	m.publishTaskUpdated(f, s, m.tasks.rows.at(row).current())
}

// loseTask ends what is known of a task whose agent became unreachable.
func (m *Master) loseTask(row uint32, since time.Time, why string) {
	t := m.tasks.rows.at(row)
	f := m.frameworkOf[t.framework]
	if mesos.Terminal(t.current()) || t.is(disowned) {
		m.endTask(row, mesospb.TaskState_TASK_LOST, mesospb.TaskStatus_REASON_AGENT_REMOVED, why)
		return
	}
	state := f.orLost(mesospb.TaskState_TASK_UNREACHABLE)
	s := m.verdict(row, state, mesospb.TaskStatus_REASON_AGENT_REMOVED, why)
	s.UnreachableTime = timeInfo(since)
	m.decide(row, s)
	m.freeTask(row)
	m.leaveActive(row)
	m.tasks.rows.edit(row).flags |= isUnreachable
	m.tasks.enter(&f.unreachable, byFramework, row)
	if f.unreachable.n > m.cfg.MaxUnreachableTasks {
		m.dropUnreachable(f, f.unreachable.first)
	}
}

// leaveActive takes a task out of the chains of active ones.
func (m *Master) leaveActive(row uint32) {
	t := m.tasks.rows.at(row)
	f, a := m.frameworkOf[t.framework], m.agentOf[t.agent]
	delete(a.kills, taskKey{f.id, mesos.TaskID(m.tasks.id(row))})
	m.tasks.leave(&f.active, byFramework, row)
	m.tasks.leave(&a.tasks, byAgent, row)
	m.settle(a)
}

// retire moves an active task to the completed ones, the oldest of which make room.
func (m *Master) retire(row uint32) {
	f := m.frameworkOf[m.tasks.rows.at(row).framework]
	m.freeTask(row)
	m.leaveActive(row)
	m.tasks.unindex(row)
	m.tasks.enter(&f.ended, byFramework, row)
	if f.ended.n > m.cfg.MaxCompletedTasks {
		oldest := f.ended.first
		m.tasks.leave(&f.ended, byFramework, oldest)
		m.tasks.remove(oldest)
	}
}

// dropUnreachable forgets an unreachable task.
func (m *Master) dropUnreachable(f *framework, row uint32) {
	m.tasks.leave(&f.unreachable, byFramework, row)
	m.tasks.unindex(row)
	m.tasks.remove(row)
}

// activeTask is the active task of a framework with an id.
func (m *Master) activeTask(f *framework, id mesos.TaskID) (row uint32, ok bool) {
	row = m.tasks.find(f.handle, id)
	return row, row != 0 && !m.tasks.rows.at(row).is(isUnreachable)
}

// unreachableTask is the unreachable task of a framework with an id.
func (m *Master) unreachableTask(f *framework, id mesos.TaskID) (row uint32, ok bool) {
	row = m.tasks.find(f.handle, id)
	return row, row != 0 && m.tasks.rows.at(row).is(isUnreachable)
}

// Numbers of fields of TaskInfo that are read without the rest.
const (
	taskAgentField     = 3
	taskResourcesField = 4
	taskExecutorField  = 5
)

// resourcesOf is what a marshaled TaskInfo uses. It was valid when it came.
func resourcesOf(info []byte) resources.Resources {
	var list []*mesospb.Resource
	eachField(info, taskResourcesField, func(b []byte) { list = append(list, unmarshal(b, &mesospb.Resource{})) })
	r, _ := resources.FromProto(list)
	return r
}

// agentIDOf is the agent that a marshaled TaskInfo is for.
func agentIDOf(info []byte) (id mesos.AgentID) {
	eachField(info, taskAgentField, func(b []byte) {
		id = mesos.AgentID(unmarshal(b, &mesospb.AgentID{}).GetValue())
	})
	return id
}

// executorOf is the executor that a marshaled TaskInfo brings; "" for a command.
func executorOf(info []byte) (id mesos.ExecutorID) {
	eachField(info, taskExecutorField, func(b []byte) {
		id = mesos.ExecutorID(unmarshal(b, &mesospb.ExecutorInfo{}).GetExecutorId().GetValue())
	})
	return id
}

// eachField yields the messages of one field of a marshaled message.
func eachField(b []byte, field protowire.Number, yield func([]byte)) {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return
		}
		b = b[n:]
		if number == field && kind == protowire.BytesType {
			if body, n := protowire.ConsumeBytes(b); n >= 0 {
				yield(body)
			}
		}
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			return
		}
		b = b[n:]
	}
}
