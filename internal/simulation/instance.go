package simulation

import (
	"fmt"
	"time"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A service is a framework of which several instances elect a leader, and the
// store that they share.
type service struct {
	c         *Cluster
	name      string
	election  election
	records   records
	instances []*instance
	ahead     time.Duration // most that a clock of an instance ever was
	wake      func(*instance, []entry) brain
}

// A brain is the core of a leading instance with what turns its effects into calls.
type brain interface {
	subscriber
	tick()
	deadline() (time.Time, bool)
}

// An instance is one process of a service.
type instance struct {
	process
	of     *service
	brain  brain   // nil while it does not lead, as far as it knows
	client *client // of the brain
	writer *writer
}

func newService(c *Cluster, name string, wake func(*instance, []entry) brain) *service {
	s := &service{c: c, name: name, wake: wake}
	s.election.c, s.records.c, s.records.held = c, c, make(map[string][]byte)
	for i := range 2 {
		s.instances = append(s.instances, &instance{process: process{c: c, name: fmt.Sprintf("%s%d", name, i)}, of: s})
	}
	return s
}

// leading is an instance that believes it leads, nil if none does.
func (s *service) leading() *instance {
	for _, in := range s.instances {
		if in.brain != nil {
			return in
		}
	}
	return nil
}

func (in *instance) start() {
	if in.up {
		return
	}
	in.begin()
	in.of.election.sit(in, in.life)
}

// elected takes over the store, and goes on from what it holds.
func (in *instance) elected(*seat) {
	r := &in.of.records
	var (
		epoch uint64
		list  []entry
	)
	takeOver := func() { epoch, list = r.fence.takeOver(), r.sorted() }
	r.write(&in.process, r.fence.epoch, takeOver, func(answer outcome) {
		if answer != written {
			in.die("it cannot take over its store")
			return
		}
		in.c.trace("%s leads", in.name)
		in.c.result[Reigns]++
		in.writer = &writer{p: &in.process, disk: &r.disk, epoch: epoch, fail: in.die, mutant: forgetfulLeader}
		if in.brain = in.of.wake(in, list); in.brain != nil {
			in.client = in.c.connect(fmt.Sprintf("%s-%d", in.name, in.life), in.brain)
			in.rearm()
		}
	})
}

func (in *instance) deposed() { in.die("its session has expired") }

// die ends a life.
func (in *instance) die(why string) {
	if !in.up {
		return
	}
	in.c.result[Crashes]++
	in.c.trace("%s dies %s", in.name, why)
	in.up, in.brain = false, nil
	if in.client != nil {
		in.client.close()
		in.client = nil
	}
	in.of.election.left(in, in.life)
	in.c.after(in.c.upTo(10*time.Second), in.start)
}

func (in *instance) crash() { in.die("") }

// persist makes entries durable and then says so.
func (in *instance) persist(list []entry, done func()) {
	in.writer.add(func() { in.of.records.put(list) }, done)
}

// call makes a call for the brain, in order.
func (in *instance) call(call *schedulerpb.Call, failed func()) {
	if in.client == nil {
		return
	}
	call.FrameworkId = in.brain.info().GetId()
	in.client.call(call, true, failed)
}

func (in *instance) rearm() {
	at, ok := in.brain.deadline()
	in.arm(at, ok, in.brain.tick)
}

// jump sets the clock of the process.
func (in *instance) jump(d time.Duration) {
	in.c.trace("%s: its clock jumps by %v", in.name, d)
	in.skew += d
	in.c.result[Jumps]++
	in.of.ahead = max(in.of.ahead, in.skew)
	if in.brain != nil {
		in.brain.tick()
	}
}

// performAll performs the effects of a step of in's brain.
func performAll[E any](in *instance, effects []E, perform func(E)) {
	life := in.life
	for _, e := range effects {
		if in.crashing(0.5) {
			in.crash()
		}
		if !in.alive(life) {
			return
		}
		in.c.traceEffect(in.name, e)
		perform(e)
	}
	if in.alive(life) && in.brain != nil {
		in.rearm()
	}
}

// frameworkInfo is what both frameworks subscribe with.
func frameworkInfo(name, id string) *mesospb.FrameworkInfo {
	info := &mesospb.FrameworkInfo{
		User: new("nobody"), Name: &name, Checkpoint: new(true), FailoverTimeout: new((7 * 24 * time.Hour).Seconds()), Roles: []string{"*"},
	}
	if id != "" {
		info.Id = &mesospb.FrameworkID{Value: &id}
	}
	for _, t := range []mesospb.FrameworkInfo_Capability_Type{
		mesospb.FrameworkInfo_Capability_MULTI_ROLE, mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT,
		mesospb.FrameworkInfo_Capability_PARTITION_AWARE, mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE,
	} {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: t.Enum()})
	}
	return info
}

// accept is the call that launches tasks on an offer.
func accept(offer string, refuse time.Duration, tasks []*mesospb.TaskInfo) *schedulerpb.Call {
	return &schedulerpb.Call{
		Type: schedulerpb.Call_ACCEPT.Enum(),
		Accept: &schedulerpb.Call_Accept{
			OfferIds: []*mesospb.OfferID{{Value: &offer}},
			Operations: []*mesospb.Offer_Operation{{
				Type: mesospb.Offer_Operation_LAUNCH.Enum(), Launch: &mesospb.Offer_Operation_Launch{TaskInfos: tasks},
			}},
			Filters: &mesospb.Filters{RefuseSeconds: new(refuse.Seconds())},
		},
	}
}

func decline(offers []string, refuse time.Duration) *schedulerpb.Call {
	d := &schedulerpb.Call_Decline{Filters: &mesospb.Filters{RefuseSeconds: new(refuse.Seconds())}}
	for _, id := range offers {
		d.OfferIds = append(d.OfferIds, &mesospb.OfferID{Value: new(id)})
	}
	return &schedulerpb.Call{Type: schedulerpb.Call_DECLINE.Enum(), Decline: d}
}

func kill(task, agent string) *schedulerpb.Call {
	k := &schedulerpb.Call_Kill{TaskId: &mesospb.TaskID{Value: &task}}
	if agent != "" {
		k.AgentId = &mesospb.AgentID{Value: &agent}
	}
	return &schedulerpb.Call{Type: schedulerpb.Call_KILL.Enum(), Kill: k}
}

// A taskRef names a task and where it was last seen.
type taskRef struct{ task, agent string }

func reconcile(refs []taskRef) *schedulerpb.Call {
	r := &schedulerpb.Call_Reconcile{}
	for _, ref := range refs {
		t := &schedulerpb.Call_Reconcile_Task{TaskId: &mesospb.TaskID{Value: new(ref.task)}}
		if ref.agent != "" {
			t.AgentId = &mesospb.AgentID{Value: new(ref.agent)}
		}
		r.Tasks = append(r.Tasks, t)
	}
	return &schedulerpb.Call{Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: r}
}

// acknowledge is nil for an update that wants none.
func acknowledge(s *mesospb.TaskStatus) *schedulerpb.Call {
	if len(s.GetUuid()) == 0 {
		return nil
	}
	return &schedulerpb.Call{
		Type:        schedulerpb.Call_ACKNOWLEDGE.Enum(),
		Acknowledge: &schedulerpb.Call_Acknowledge{AgentId: s.GetAgentId(), TaskId: s.GetTaskId(), Uuid: s.GetUuid()},
	}
}
