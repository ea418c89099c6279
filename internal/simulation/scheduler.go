package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A record is what a scheduler knows of one of its tasks.
type record struct {
	id       string
	agent    *mesospb.AgentID
	state    mesospb.TaskState
	terminal bool // a terminal update with a uuid came, and was acknowledged
}

// lost reports whether the scheduler counts on the task no more.
func (r *record) lost() bool {
	return mesos.Terminal(r.state) || r.state == mesospb.TaskState_TASK_UNKNOWN
}

// A scheduler launches its tasks, each once, kills some, acknowledges, and asks
// again and again about those it is not sure of. One that is to leave does so
// without a word, and never comes back.
type scheduler struct {
	c     *Cluster
	name  string
	aware bool // PARTITION_AWARE
	brief bool // it leaves
	left  bool
	fate  fate
	id    *mesospb.FrameworkID
	link  *client
	tasks []*record

	estate  estate
	builder bool // it reserves resources and makes volumes
	crewed  bool // it runs tasks under executors of its own, and in groups
}

func newScheduler(c *Cluster, i int) *scheduler {
	s := &scheduler{c: c, name: fmt.Sprintf("framework%d", i), aware: i%2 == 0}
	s.estate.s = s
	s.builder, s.crewed = c.rng.IntN(2) == 0, c.rng.IntN(2) == 0
	return s
}

// failoverTimeout is short for one who is to leave.
func (s *scheduler) failoverTimeout() time.Duration {
	if s.brief {
		return reregisterTimeout
	}
	return 7 * 24 * time.Hour
}

// info implements subscriber.
func (s *scheduler) info() *mesospb.FrameworkInfo {
	info := &mesospb.FrameworkInfo{
		User: new("nobody"), Name: &s.name, Id: s.id, Checkpoint: new(true), FailoverTimeout: new(s.failoverTimeout().Seconds()),
		Roles: []string{s.name},
	}
	capabilities := []mesospb.FrameworkInfo_Capability_Type{
		mesospb.FrameworkInfo_Capability_MULTI_ROLE, mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT,
	}
	if s.aware {
		capabilities = append(capabilities, mesospb.FrameworkInfo_Capability_PARTITION_AWARE)
	}
	for _, t := range capabilities {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: t.Enum()})
	}
	return info
}

func (s *scheduler) start() { s.link = s.c.connect(s.name, s) }

// A fate is what operators have in mind for a framework.
type fate int

const (
	spared   fate = iota
	doomed        // it is torn down when it launches something, or soon
	tornDown      // that is asked for
)

// leave ends a scheduler for good; what it launched is for the master to end.
func (s *scheduler) leave(how Kind) {
	if !s.left {
		s.left = true
		s.c.result[how]++
		s.link.close()
	}
}

// doom has an operator tear the framework down, at the moment of a launch if
// there is one.
func (s *scheduler) doom() {
	s.fate = doomed
	s.c.after(10*time.Second, s.tearDown)
}

func (s *scheduler) tearDown() {
	if s.fate == doomed {
		s.fate = tornDown
		s.c.operator.tearDown(s)
	}
}

func (s *scheduler) hungUp() {}

func (s *scheduler) send(call *schedulerpb.Call) {
	if s.id == nil {
		return
	}
	call.FrameworkId = s.id
	s.link.call(call, false, nil)
}

// heard implements subscriber.
func (s *scheduler) heard(e *schedulerpb.Event) {
	switch e.GetType() {
	case schedulerpb.Event_SUBSCRIBED:
		s.subscribed(e.GetSubscribed())
	case schedulerpb.Event_OFFERS:
		for _, o := range e.GetOffers().GetOffers() {
			s.offered(o)
		}
	case schedulerpb.Event_INVERSE_OFFERS:
		for _, o := range e.GetInverseOffers().GetInverseOffers() {
			s.asked(o)
		}
	case schedulerpb.Event_UPDATE:
		s.updated(e.GetUpdate().GetStatus())
	case schedulerpb.Event_UPDATE_OPERATION_STATUS:
		s.estate.updated(e.GetUpdateOperationStatus().GetStatus())
	case schedulerpb.Event_ERROR:
		switch m := e.GetError().GetMessage(); {
		case m == "Framework has been removed" && s.fate == tornDown:
			s.leave(Teardowns)
		case m != "Framework failed over":
			s.c.violate("%s: ERROR %s", s.name, m)
		}
	}
}

func (s *scheduler) subscribed(e *schedulerpb.Event_Subscribed) {
	if s.id != nil && s.id.GetValue() != e.GetFrameworkId().GetValue() {
		s.c.violate("%s was %s and is now %s", s.name, s.id.GetValue(), e.GetFrameworkId().GetValue())
	}
	s.id = e.GetFrameworkId()
	s.reconcile(s.link.stream)
}

// reconcile asks about every task that may still run, and for those that do
// although they were said to be lost, now and then again.
func (s *scheduler) reconcile(st *stream) {
	if s.link.stream != st || st == nil || s.left {
		return
	}
	var ask []*schedulerpb.Call_Reconcile_Task
	for _, r := range s.tasks {
		if !mesos.Terminal(r.state) {
			ask = append(ask, &schedulerpb.Call_Reconcile_Task{TaskId: &mesospb.TaskID{Value: &r.id}, AgentId: r.agent})
		}
	}
	if len(ask) > 0 {
		s.send(&schedulerpb.Call{Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: &schedulerpb.Call_Reconcile{Tasks: ask}})
	}
	s.send(reconcile(nil))
	s.estate.reconcile()
	s.c.after(20*time.Second, func() { s.reconcile(st) })
}

// offered uses an offer, or declines it.
func (s *scheduler) offered(o *mesospb.Offer) {
	var ops []*mesospb.Offer_Operation
	var volume *mesospb.Resource
	if s.builder {
		ops, volume = s.estate.develop(o)
	}
	if s.c.rng.IntN(8) > 0 {
		ops = append(ops, s.launch(o, volume)...)
	}
	if len(ops) == 0 {
		s.send(decline([]string{o.GetId().GetValue()}, time.Duration(s.c.rng.IntN(10))*time.Second))
		return
	}
	s.send(&schedulerpb.Call{
		Type:   schedulerpb.Call_ACCEPT.Enum(),
		Accept: &schedulerpb.Call_Accept{OfferIds: []*mesospb.OfferID{o.GetId()}, Operations: ops},
	})
}

// launch launches up to three tasks in one of the ways there are; the first may use a volume.
func (s *scheduler) launch(o *mesospb.Offer, volume *mesospb.Resource) []*mesospb.Offer_Operation {
	n := min(s.room(o), s.c.opts.Tasks-len(s.tasks), 1+s.c.rng.IntN(3))
	if n <= 0 {
		return nil
	}
	var tasks []*mesospb.TaskInfo
	for range n {
		tasks = append(tasks, s.task(o))
	}
	if s.fate == doomed {
		s.c.after(s.c.upTo(50*time.Millisecond), s.tearDown)
	}
	if volume != nil {
		tasks[0].Resources = append(tasks[0].Resources, volume)
	}
	way := 0
	if s.crewed {
		way = s.c.rng.IntN(4)
	}
	switch way {
	case 1:
		for _, t := range tasks {
			t.Command, t.Executor = nil, s.executor(o, "executor")
		}
	case 2:
		return []*mesospb.Offer_Operation{{
			Type: mesospb.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: &mesospb.Offer_Operation_LaunchGroup{
				Executor: s.executor(o, "group"), TaskGroup: &mesospb.TaskGroupInfo{Tasks: tasks},
			},
		}}
	}
	return []*mesospb.Offer_Operation{{
		Type: mesospb.Offer_Operation_LAUNCH.Enum(), Launch: &mesospb.Offer_Operation_Launch{TaskInfos: tasks},
	}}
}

// room is how many tasks an offer has room for, beside an executor.
func (s *scheduler) room(o *mesospb.Offer) int {
	cpus := 0.0
	for _, r := range o.GetResources() {
		if r.GetName() == "cpus" && len(r.GetReservations()) == 0 {
			cpus = r.GetScalar().GetValue()
		}
	}
	if s.crewed {
		cpus -= executorCPUs
	}
	return int(cpus)
}

// executorCPUs is what an executor has for itself.
const executorCPUs = 0.1

// executor is the same each time it is needed for an offer of the same role.
func (s *scheduler) executor(o *mesospb.Offer, id string) *mesospb.ExecutorInfo {
	return &mesospb.ExecutorInfo{
		Type: mesospb.ExecutorInfo_CUSTOM.Enum(), ExecutorId: &mesospb.ExecutorID{Value: &id}, FrameworkId: s.id,
		Command:   &mesospb.CommandInfo{Value: new("serve")},
		Resources: []*mesospb.Resource{amount(o, "cpus", executorCPUs), amount(o, "mem", 32), amount(o, "disk", 1)},
	}
}

// amount is so much of an offer.
func amount(o *mesospb.Offer, name string, v float64) *mesospb.Resource {
	return &mesospb.Resource{
		Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &v}, AllocationInfo: o.GetAllocationInfo(),
	}
}

// task makes one of a CPU, and remembers it before anybody hears of it.
func (s *scheduler) task(o *mesospb.Offer) *mesospb.TaskInfo {
	r := &record{id: fmt.Sprintf("%s-task%d", s.name, len(s.tasks)), agent: o.GetAgentId(), state: mesospb.TaskState_TASK_STAGING}
	s.tasks = append(s.tasks, r)
	if s.c.rng.IntN(4) == 0 {
		s.c.after(time.Duration(s.c.rng.IntN(180000))*time.Millisecond, func() { s.kill(r) })
	}
	return &mesospb.TaskInfo{
		Name: &r.id, TaskId: &mesospb.TaskID{Value: &r.id}, AgentId: o.GetAgentId(),
		Resources: []*mesospb.Resource{amount(o, "cpus", 1), amount(o, "mem", 128)},
		Command:   &mesospb.CommandInfo{Value: new("work")},
	}
}

// kill asks until the task has ended: a call may be lost.
func (s *scheduler) kill(r *record) {
	if r.lost() || s.left {
		return
	}
	s.send(&schedulerpb.Call{
		Type: schedulerpb.Call_KILL.Enum(),
		Kill: &schedulerpb.Call_Kill{TaskId: &mesospb.TaskID{Value: &r.id}, AgentId: r.agent},
	})
	s.c.after(20*time.Second, func() { s.kill(r) })
}

func (s *scheduler) updated(status *mesospb.TaskStatus) {
	s.c.result[Updates]++
	i := slices.IndexFunc(s.tasks, func(r *record) bool { return r.id == status.GetTaskId().GetValue() })
	if i < 0 {
		s.c.violate("%s: update of a task it never launched: %s", s.name, status.GetTaskId().GetValue())
		return
	}
	r := s.tasks[i]
	if len(status.GetUuid()) > 0 {
		if r.terminal && !mesos.Terminal(status.GetState()) {
			s.c.violate("%s: task %s is %v after a terminal update that was acknowledged", s.name, r.id, status.GetState())
		}
		r.terminal = r.terminal || mesos.Terminal(status.GetState())
	}
	if !r.terminal || mesos.Terminal(status.GetState()) {
		r.state = status.GetState()
	}
	s.acknowledge(status)
}

func (s *scheduler) acknowledge(status *mesospb.TaskStatus) {
	if len(status.GetUuid()) == 0 {
		return
	}
	s.send(&schedulerpb.Call{
		Type: schedulerpb.Call_ACKNOWLEDGE.Enum(),
		Acknowledge: &schedulerpb.Call_Acknowledge{
			AgentId: status.GetAgentId(), TaskId: status.GetTaskId(), Uuid: status.GetUuid(),
		},
	})
}
