package core

import (
	"errors"
	"fmt"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// An acceptance is an ACCEPT being worked on: what is left of the offers is what
// the next operation may use.
type acceptance struct {
	framework *framework
	agent     *agent
	role      string
	offered   resources.Resources
	left      resources.Resources
	idle      resources.Resources // shared volumes that no task uses yet; they are in left however many do
	later     resources.Resources // resized volumes, for later offers
}

// accept uses offers: operations run in order, each on what the ones before left
// over, and the rest goes back under the call's filter (mesos-api 8.8).
func (m *Master) accept(f *framework, call *schedulerpb.Call_Accept) {
	m.count.messages["launch_tasks"]++
	for _, op := range call.GetOperations() {
		f.count.operations.add(int32(op.GetType()))
	}
	offers, err := m.acceptable(f, call.GetOfferIds())
	if err == nil {
		err = m.claim(offers)
	}
	if err != nil {
		for _, o := range offers {
			m.withdraw(o)
		}
		for _, op := range call.GetOperations() {
			m.failOperation(f, op, err)
		}
		return
	}
	acc := &acceptance{framework: f, agent: offers[0].agent, role: offers[0].role}
	for _, o := range offers {
		m.count.offersAccepted++
		f.count.offersAccepted++
		m.forgetOffer(o)
		acc.offered = acc.offered.Add(o.resources)
	}
	acc.left, acc.idle = acc.offered, acc.offered.Shared()
	for _, op := range call.GetOperations() {
		m.operate(acc, op)
	}
	m.returnRest(acc, refuseFor(call.GetFilters()))
}

// returnRest gives back what was not used. What operations made of it is not
// refused: it can be offered again at once (mesos-api 8.8, 5).
func (m *Master) returnRest(acc *acceptance, refuse time.Duration) {
	rest := acc.left.NonShared().Add(acc.idle)
	made := rest.Minus(acc.offered)
	if refused := rest.Minus(made); !refused.IsEmpty() {
		m.cfg.Allocator.Decline(m.now, acc.framework.id, acc.agent.id, refused, refuse)
	}
	if made = made.Add(acc.later); !made.IsEmpty() {
		m.cfg.Allocator.Recover(m.now, acc.framework.id, acc.agent.id, made)
	}
}

// consume takes what a task uses from what is left. A shared volume is there for
// the next one, too.
func (m *Master) consume(acc *acceptance, used resources.Resources) {
	acc.left, _ = acc.left.Sub(used.NonShared())
	for _, x := range used.Shared() {
		one := resources.Resources{x}
		if idle, ok := acc.idle.Sub(one); ok {
			acc.idle = idle
			continue
		}
		m.cfg.Allocator.Hold(m.now, allocator.Holding{Framework: acc.framework.id, Resources: one}, acc.agent.id)
	}
}

// acceptable checks a list of offers as a whole, in Mesos' order. The offers are
// those of the list that the framework has, each once.
func (m *Master) acceptable(f *framework, ids []*mesospb.OfferID) (offers []*offer, err error) {
	if len(ids) == 0 {
		return nil, errors.New("No offers specified")
	}
	seen := map[*offer]bool{}
	var duplicate error
	lost := false // one that is over
	for _, id := range ids {
		o := m.offer(id.GetValue())
		switch {
		case o == nil:
			lost = lost || m.offerIsOver(id.GetValue())
			err = firstError(err, fmt.Errorf("Offer %s is no longer valid", id.GetValue()))
		case o.framework != f:
			err = firstError(err, fmt.Errorf("Offer %s has invalid framework %s while framework %s is expected", id.GetValue(), o.framework.id, f.id))
		case seen[o]:
			duplicate = firstError(duplicate, fmt.Errorf("Duplicate offer %s in offer list", id.GetValue()))
		default:
			seen[o] = true
			offers = append(offers, o)
		}
	}
	if lost && m.cfg.Optimist != nil {
		m.count.claimsLost++
	}
	return offers, firstError(err, firstError(duplicate, m.together(offers)))
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// together: offers are used for one agent and one role at a time.
func (m *Master) together(offers []*offer) error {
	for _, o := range offers {
		if first := offers[0]; o.agent != first.agent {
			return fmt.Errorf("Aggregated offers must belong to one single agent. Offer %s uses agent %s and agent %s",
				m.offerID(o.number), first.agent.id, o.agent.id)
		}
	}
	for _, o := range offers {
		if first := offers[0]; o.role != first.role {
			return fmt.Errorf("Aggregated offers must be allocated to the same role. Offer %s uses role '%s' but another is using role '%s'",
				m.offerID(o.number), o.role, first.role)
		}
	}
	return nil
}

// failOperation answers one that came with offers that cannot be used.
func (m *Master) failOperation(f *framework, op *mesospb.Offer_Operation, err error) {
	for _, t := range tasksOf(op) {
		m.refuseTask(f, t, f.orLost(mesospb.TaskState_TASK_DROPPED), mesospb.TaskStatus_REASON_INVALID_OFFERS,
			"Task launched with invalid offers: "+err.Error())
	}
	m.operationError(f, op, "Operation attempted with invalid offers: "+err.Error())
}

func tasksOf(op *mesospb.Offer_Operation) []*mesospb.TaskInfo {
	switch op.GetType() {
	case mesospb.Offer_Operation_LAUNCH:
		return op.GetLaunch().GetTaskInfos()
	case mesospb.Offer_Operation_LAUNCH_GROUP:
		return op.GetLaunchGroup().GetTaskGroup().GetTasks()
	}
	return nil
}

// operate carries out one operation.
func (m *Master) operate(acc *acceptance, op *mesospb.Offer_Operation) {
	switch op.GetType() {
	case mesospb.Offer_Operation_LAUNCH:
		m.launch(acc, op)
	case mesospb.Offer_Operation_LAUNCH_GROUP:
		m.launchGroup(acc, op)
	default:
		m.transform(acc, op)
	}
}

func unsupported(what string) string { return what + " is not supported by this version of Souk" }

// operationError answers an operation whose sender asked for an answer.
func (m *Master) operationError(f *framework, op *mesospb.Offer_Operation, text string) {
	if op.Id == nil || op.GetType() == mesospb.Offer_Operation_LAUNCH || op.GetType() == mesospb.Offer_Operation_LAUNCH_GROUP {
		return
	}
	m.countOperation(op, mesospb.OperationState_OPERATION_ERROR)
	m.tellFramework(f, operationEvent(&mesospb.OperationStatus{
		OperationId: op.GetId(), State: mesospb.OperationState_OPERATION_ERROR.Enum(), Message: new(text),
	}))
}

// launch starts the tasks of a LAUNCH that are valid. A task with resources that
// make no sense spoils all of them (mesos-api 9.2).
func (m *Master) launch(acc *acceptance, op *mesospb.Offer_Operation) {
	used, err := launchResources(op, acc.role)
	for i, t := range op.GetLaunch().GetTaskInfos() {
		if err != nil {
			m.invalidTask(acc.framework, t, err)
			continue
		}
		t = withResources(t, used[i])
		t.Executor = fullExecutor(acc.framework, t.Executor, acc.role)
		if err := m.validTask(acc, t, used[i]); err != nil {
			m.invalidTask(acc.framework, t, err)
			continue
		}
		m.run(acc, t, used[i])
	}
}

// launchResources reads what each task uses; what it does not say is allocated
// to the role of the offers.
func launchResources(op *mesospb.Offer_Operation, role string) ([]resources.Resources, error) {
	if op.Id != nil {
		return nil, fmt.Errorf("The `id` field cannot be set on %s operations", op.GetType())
	}
	var used []resources.Resources
	for _, t := range tasksOf(op) {
		r, err := resources.FromProto(t.GetResources())
		if err != nil {
			return nil, err
		}
		if _, err := resources.FromProto(t.GetExecutor().GetResources()); err != nil {
			return nil, err
		}
		used = append(used, allocateRest(r, role))
	}
	if _, err := resources.FromProto(op.GetLaunchGroup().GetExecutor().GetResources()); err != nil {
		return nil, err
	}
	return used, nil
}

// allocateRest allocates to role what is allocated to none.
func allocateRest(r resources.Resources, role string) resources.Resources {
	whole := r.Filter(func(x resources.Resource) bool { return x.Allocation != "" })
	if len(whole) == len(r) {
		return r
	}
	rest := r.Filter(func(x resources.Resource) bool { return x.Allocation == "" })
	return whole.Add(rest.Allocate(role))
}

// validTask applies the rules of mesos-api 10.1, in order.
func (m *Master) validTask(acc *acceptance, t *mesospb.TaskInfo, used resources.Resources) error {
	rules := m.taskRules(acc)
	rules.Used = used
	return validation.Task(t, rules)
}

// taskRules is what all tasks are held to that use the same offers.
func (m *Master) taskRules(acc *acceptance) validation.TaskRules {
	f := acc.framework
	return validation.TaskRules{
		Framework: f.id,
		Agent:     acc.agent.id,
		Offered:   acc.left,
		Limits:    acc.agent.can(mesospb.AgentInfo_Capability_TASK_RESOURCE_LIMITS),
		Active:    func(id mesos.TaskID) bool { _, ok := m.activeTask(f, id); return ok },
		Lost:      func(id mesos.TaskID) bool { _, ok := m.unreachableTask(f, id); return ok },
		Executor:  func(id mesos.ExecutorID) *mesospb.ExecutorInfo { return acc.agent.runningExecutor(f, id) },
	}
}

func (m *Master) invalidTask(f *framework, t *mesospb.TaskInfo, err error) {
	m.refuseTask(f, t, mesospb.TaskState_TASK_ERROR, mesospb.TaskStatus_REASON_TASK_INVALID, err.Error())
}

// refuseTask answers for a task that never was.
func (m *Master) refuseTask(f *framework, t *mesospb.TaskInfo, state mesospb.TaskState, reason mesospb.TaskStatus_Reason, text string) {
	s := m.status(mesos.TaskID(t.GetTaskId().GetValue()), mesos.AgentID(t.GetAgentId().GetValue()), state, reason, text)
	m.count.ended[state]++
	f.count.ended.add(int32(state))
	m.countCause(s)
	m.tellFramework(f, updateEvent(s))
}

// run sends a task that is described in full to its agent. What it uses was held
// for the offer and is held on.
func (m *Master) run(acc *acceptance, t *mesospb.TaskInfo, used resources.Resources) {
	m.consume(acc, used)
	launches := m.bringExecutor(acc, t.GetExecutor())
	row := m.addTask(acc.framework, acc.agent, t, used, mesospb.TaskState_TASK_STAGING)
	m.tellAgent(acc.agent, runTaskEvent(acc.framework, t, launches))
	m.publishTaskAdded(row, t)
}

// withResources is a task that says in full what it uses and how its health is
// checked; the rest is shared with t.
func withResources(t *mesospb.TaskInfo, used resources.Resources) *mesospb.TaskInfo {
	out := &mesospb.TaskInfo{
		Name: t.Name, TaskId: t.TaskId, AgentId: t.AgentId, Resources: used.Proto(resources.PostRefinement),
		Executor: t.Executor, Data: t.Data, Command: t.Command, HealthCheck: validation.InferHealthCheck(t.HealthCheck),
		Container: t.Container, Labels: t.Labels, Discovery: t.Discovery, KillPolicy: t.KillPolicy, Check: t.Check,
		MaxCompletionTime: t.MaxCompletionTime, Limits: t.Limits,
	}
	out.ProtoReflect().SetUnknown(t.ProtoReflect().GetUnknown())
	return out
}
