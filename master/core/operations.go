package core

import (
	"bytes"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// An operation is one that an agent was told to carry out. The master counts on
// what it makes at once; it is remembered until the agent has done it and, if a
// framework wants its status, that is acknowledged.
type operation struct {
	uuid      operationID
	framework mesos.FrameworkID // "": an operator asked
	agent     *agent
	info      *mesospb.Offer_Operation
	latest    *mesospb.OperationStatus
	statuses  []*mesospb.OperationStatus // those that came from the agent
}

type operationID [uuidLength]byte

// An operationName is what a framework calls an operation.
type operationName struct {
	framework mesos.FrameworkID
	id        string
}

func (op *operation) name() operationName {
	return operationName{op.framework, op.info.GetId().GetValue()}
}

// transform carries out an operation on resources of an acceptance: what it makes
// can be used by those that follow (mesos-api 8.8, 9).
func (m *Master) transform(acc *acceptance, op *mesospb.Offer_Operation) {
	f, a := acc.framework, acc.agent
	info, err := inFull(op, acc.role)
	if err != nil {
		m.operationError(f, op, "Operation attempted with invalid resources: "+err.Error())
		return
	}
	if err := a.givesFeedback(info); err != nil {
		m.operationError(f, op, err.Error())
		return
	}
	if err := validation.Operation(info, m.operationRules(f, a)); err != nil {
		m.operationError(f, op, err.Error()+"; on agent "+a.at())
		return
	}
	c, err := resources.ConversionOf(info)
	if err == nil {
		err = acc.convert(info, c)
	}
	if err != nil {
		m.operationError(f, op, err.Error())
		return
	}
	m.withdrawShared(a, info)
	m.apply(a, f.id, info, c)
}

// inFull is an operation whose resources say all there is to say: reservations in
// the newer form, and that they are allocated to role. "" allocates to nobody.
func inFull(op *mesospb.Offer_Operation, role string) (*mesospb.Offer_Operation, error) {
	op = proto.CloneOf(op)
	if _, err := resources.ConversionOf(op); err != nil {
		return nil, err
	}
	if role != "" && len(op.GetReserve().GetSource()) > 0 {
		return nil, fmt.Errorf("Reservation updates are not yet implemented for the scheduler API.")
	}
	for _, p := range resourcesIn(op) {
		resources.Upgrade(p)
		if p.AllocationInfo == nil && role != "" {
			p.AllocationInfo = &mesospb.Resource_AllocationInfo{Role: new(role)}
		}
	}
	return op, nil
}

// resourcesIn lists the resources that an operation names.
func resourcesIn(op *mesospb.Offer_Operation) []*mesospb.Resource {
	switch op.GetType() {
	case mesospb.Offer_Operation_RESERVE:
		return slices.Concat(op.GetReserve().GetSource(), op.GetReserve().GetResources())
	case mesospb.Offer_Operation_UNRESERVE:
		return op.GetUnreserve().GetResources()
	case mesospb.Offer_Operation_CREATE:
		return op.GetCreate().GetVolumes()
	case mesospb.Offer_Operation_DESTROY:
		return op.GetDestroy().GetVolumes()
	case mesospb.Offer_Operation_GROW_VOLUME:
		return []*mesospb.Resource{op.GetGrowVolume().GetVolume(), op.GetGrowVolume().GetAddition()}
	case mesospb.Offer_Operation_SHRINK_VOLUME:
		return []*mesospb.Resource{op.GetShrinkVolume().GetVolume()}
	}
	return nil
}

// givesFeedback: the status of an operation can only be had from agents that keep one.
func (a *agent) givesFeedback(op *mesospb.Offer_Operation) error {
	able := a.can(mesospb.AgentInfo_Capability_RESOURCE_PROVIDER)
	provided := slices.ContainsFunc(resourcesIn(op), func(p *mesospb.Resource) bool { return p.ProviderId != nil })
	switch {
	case op.Id == nil:
		return nil
	case provided && !able:
		return fmt.Errorf("Operation requested feedback, but agent %s does not have the required RESOURCE_PROVIDER capability", a.id)
	case !provided && !(able && a.can(mesospb.AgentInfo_Capability_AGENT_OPERATION_FEEDBACK)):
		return fmt.Errorf("Operation on agent default resources requested feedback, but agent %s does not have the required AGENT_OPERATION_FEEDBACK and RESOURCE_PROVIDER capabilities", a.id)
	}
	return nil
}

// operationRules are those for an operation of f, or of an operator if f is nil.
func (m *Master) operationRules(f *framework, a *agent) validation.OperationRules {
	r := validation.OperationRules{Operator: f == nil, Total: a.total, Used: a.used.Unallocated(), Agent: a.can}
	if f != nil {
		r.Framework, r.Roles, r.Principal = f.id, f.roles, f.info.GetPrincipal()
		r.Shared = f.can(mesospb.FrameworkInfo_Capability_SHARED_RESOURCES)
		r.Refinement = f.can(mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT)
	}
	return r
}

// at names an agent in errors.
func (a *agent) at() string { return fmt.Sprintf("%s at slave(1)@%s (%s)", a.id, a.pid, a.hostname) }

// convert applies an operation to what is left of the offers. A resized volume is
// for later offers only (mesos-api 8.8, 4).
func (acc *acceptance) convert(op *mesospb.Offer_Operation, c resources.Conversion) error {
	switch op.GetType() {
	case mesospb.Offer_Operation_GROW_VOLUME, mesospb.Offer_Operation_SHRINK_VOLUME:
		left, err := acc.left.Convert(resources.Conversion{From: c.From})
		if err != nil {
			return fmt.Errorf("Invalid %s operation: %w", op.GetType(), err)
		}
		acc.left, acc.later = left, acc.later.Add(c.To)
		return nil
	}
	left, err := acc.left.Convert(c)
	if err != nil {
		return err
	}
	acc.left = left
	acc.idle = acc.idle.Minus(c.From.Shared()).Add(c.To.Shared())
	return nil
}

// withdrawShared: a shared volume that is destroyed may be on offer to others.
func (m *Master) withdrawShared(a *agent, op *mesospb.Offer_Operation) {
	for _, p := range op.GetDestroy().GetVolumes() {
		x, _ := resources.Read(p)
		volume := resources.Of(x).Unallocated()
		for _, o := range slices.Clone(a.offers) {
			if x.Shared && o.resources.Unallocated().Contains(volume) {
				m.rescind(o)
			}
		}
	}
}

// apply counts on what an operation makes, and tells the agent. The resources are
// held by the framework, or are free if it is "".
func (m *Master) apply(a *agent, id mesos.FrameworkID, info *mesospb.Offer_Operation, c resources.Conversion) {
	a.total = a.total.Minus(c.From.Unallocated()).Add(c.To.Unallocated())
	if !m.cfg.Allocator.Convert(m.now, id, a.id, c.From, c.To) {
		m.refuse("conversion", string(a.id), c.From.String()+" is not where the allocator has it")
		m.cfg.Allocator.UpdateAgent(m.now, allocatorAgent(a))
	}
	op := &operation{uuid: m.newUUID(), framework: id, agent: a, info: info, latest: pending(info, a)}
	m.addOperation(op)
	msg := &linkpb.ApplyOperation{Uuid: op.uuid[:], Info: info}
	if id != "" {
		msg.FrameworkId = frameworkID(id)
	}
	m.tellAgent(a, &linkpb.Event{Type: linkpb.Event_APPLY_OPERATION.Enum(), ApplyOperation: msg})
}

// pending is the status of an operation that is on its way.
func pending(info *mesospb.Offer_Operation, a *agent) *mesospb.OperationStatus {
	return &mesospb.OperationStatus{OperationId: info.Id, State: mesospb.OperationState_OPERATION_PENDING.Enum(), AgentId: agentID(a.id)}
}

// newUUID makes a random UUID, version 4.
func (m *Master) newUUID() (u operationID) {
	for i := 0; i < len(u); i += 8 {
		x := m.cfg.Rand.Uint64()
		for j := range 8 {
			u[i+j] = byte(x >> (8 * j))
		}
	}
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

func (m *Master) addOperation(op *operation) {
	m.operations[op.uuid] = op
	op.agent.operations = append(op.agent.operations, op)
	if name := op.name(); name.id != "" {
		m.operationOf[name] = op
	}
}

func (m *Master) forgetOperation(op *operation) {
	delete(m.operations, op.uuid)
	if m.operationOf[op.name()] == op {
		delete(m.operationOf, op.name())
	}
	op.agent.operations = slices.DeleteFunc(slices.Clone(op.agent.operations), func(x *operation) bool { return x == op })
}

// operationUpdate takes in what became of an operation. The agent repeats a
// status with a uuid until it is acknowledged.
func (m *Master) operationUpdate(a *agent, u *linkpb.OperationUpdate) {
	m.count.messages["operation_status_update"]++
	op := m.operationOn(a, u.GetUuid())
	if op == nil || u.Status == nil {
		m.count.operationUpdates.invalid++
		m.refuse("operation update", fmt.Sprintf("%x", u.GetUuid()), "the operation is not known to be on agent "+string(a.id))
		return
	}
	m.count.operationUpdates.valid++
	s := u.GetStatus()
	m.recordOperation(op, s)
	switch f := m.frameworks[op.framework]; {
	case s.Uuid == nil:
		m.forgetOperation(op)
	case m.over(op.framework):
		m.acknowledgeToAgent(op)
	case f != nil:
		m.tellFramework(f, operationEvent(s))
	}
}

// operationOn finds an operation that an agent speaks of.
func (m *Master) operationOn(a *agent, uuid []byte) *operation {
	if len(uuid) != uuidLength {
		return nil
	}
	if op := m.operations[operationID(uuid)]; op != nil && op.agent == a {
		return op
	}
	return nil
}

// recordOperation: a repeated status is the same one.
func (m *Master) recordOperation(op *operation, s *mesospb.OperationStatus) {
	if s == nil || s.GetState() == mesospb.OperationState_OPERATION_PENDING || s.Uuid != nil && bytes.Equal(op.latest.GetUuid().GetValue(), s.GetUuid().GetValue()) {
		return
	}
	m.countOperation(op.info, s.GetState())
	op.latest = s
	op.statuses = append(slices.Clip(op.statuses), s)
}

// acknowledgeOperation passes on that a scheduler has a status, which is the last one.
func (m *Master) acknowledgeOperation(f *framework, call *schedulerpb.Call_AcknowledgeOperationStatus) {
	m.count.messages["operation_status_update_acknowledgement"]++
	id := call.GetOperationId().GetValue()
	op := m.operationOf[operationName{f.id, id}]
	why := ""
	switch {
	case op == nil:
		why = "the operation is unknown"
	case call.AgentId != nil && call.GetAgentId().GetValue() != string(op.agent.id):
		why = "the operation is on agent " + string(op.agent.id)
	case op.agent.session == 0:
		why = "the agent is not connected"
	case op.latest.Uuid == nil || !bytes.Equal(op.latest.GetUuid().GetValue(), call.GetUuid()):
		why = "no such status was sent"
	}
	if why != "" {
		m.count.operationAcknowledgements.invalid++
		m.refuse("operation acknowledgement", id, why)
		return
	}
	m.count.operationAcknowledgements.valid++
	m.acknowledgeToAgent(op)
}

// acknowledgeToAgent ends an operation whose last status nobody waits for any more.
func (m *Master) acknowledgeToAgent(op *operation) {
	m.tellAgent(op.agent, &linkpb.Event{Type: linkpb.Event_ACKNOWLEDGE_OPERATION.Enum(), AcknowledgeOperation: &linkpb.AcknowledgeOperation{
		Uuid: op.uuid[:], StatusUuid: op.latest.GetUuid().GetValue(),
	}})
	m.forgetOperation(op)
}

// orphanOperations: nobody acknowledges for a framework that is over.
func (m *Master) orphanOperations(f *framework) {
	for _, a := range m.agentOf {
		if a == nil {
			continue
		}
		for _, op := range a.operations {
			if op.framework == f.id && op.latest.Uuid != nil && a.session != 0 {
				m.acknowledgeToAgent(op)
			}
		}
	}
}

// adoptOperations compares the operations that an agent reports with those that
// are known. What it has not heard of was lost on the way to it.
func (m *Master) adoptOperations(a *agent, list []*mesospb.Operation) {
	reported := map[operationID]bool{}
	for _, x := range list {
		if uuid := x.GetUuid().GetValue(); len(uuid) == uuidLength && x.GetInfo() != nil {
			reported[operationID(uuid)] = true
			m.adoptOperation(a, operationID(uuid), x)
		}
	}
	for _, op := range a.operations {
		if !reported[op.uuid] {
			m.endOperation(op, mesospb.OperationState_OPERATION_DROPPED, "Reconciliation: Operation is unknown to the agent")
		}
	}
}

func (m *Master) adoptOperation(a *agent, uuid operationID, x *mesospb.Operation) {
	op := m.operations[uuid]
	if op != nil && op.agent != a {
		m.refuse("recovered operation", fmt.Sprintf("%x", uuid), "another agent has it")
		return
	}
	if op == nil {
		op = &operation{uuid: uuid, framework: mesos.FrameworkID(x.GetFrameworkId().GetValue()), agent: a, info: x.GetInfo(), latest: pending(x.GetInfo(), a)}
		m.addOperation(op)
	}
	m.recordOperation(op, x.GetLatestStatus())
	if m.over(op.framework) && op.latest.Uuid != nil {
		m.acknowledgeToAgent(op)
	}
}

// endOperations ends what an agent was told to do, in the master's own words: it is lost for now, or for good.
func (m *Master) endOperations(a *agent, state mesospb.OperationState, text string) {
	for _, op := range a.operations {
		m.endOperation(op, state, text)
	}
}

func (m *Master) endOperation(op *operation, state mesospb.OperationState, text string) {
	m.countOperation(op.info, state)
	m.forgetOperation(op)
	f := m.frameworks[op.framework]
	if op.info.Id == nil || f == nil {
		return
	}
	m.tellFramework(f, operationEvent(&mesospb.OperationStatus{
		OperationId: op.info.Id, State: state.Enum(), Message: new(text), AgentId: agentID(op.agent.id),
	}))
}

// reconcileOperations answers for operations: those that are named, or all of the
// framework (mesos-api 9.3).
func (m *Master) reconcileOperations(f *framework, call *schedulerpb.Call_ReconcileOperations) {
	m.count.messages["reconcile_operations"]++
	if len(call.GetOperations()) == 0 {
		for _, op := range m.operationsOf(f) {
			m.tellFramework(f, operationEvent(op.known()))
		}
		return
	}
	for _, asked := range call.GetOperations() {
		if op := m.operationOf[operationName{f.id, asked.GetOperationId().GetValue()}]; op != nil {
			m.tellFramework(f, operationEvent(op.known()))
			continue
		}
		s := m.operationVerdict(asked.GetAgentId(), asked.GetResourceProviderId())
		s.OperationId, s.AgentId, s.ResourceProviderId = asked.GetOperationId(), asked.GetAgentId(), asked.GetResourceProviderId()
		m.tellFramework(f, operationEvent(s))
	}
}

// operationsOf lists what a framework wants to know the status of, oldest agent first.
func (m *Master) operationsOf(f *framework) (list []*operation) {
	for _, a := range m.agentOf {
		if a == nil {
			continue
		}
		for _, op := range a.operations {
			if op.framework == f.id && op.info.Id != nil {
				list = append(list, op)
			}
		}
	}
	return list
}

// known is the last status as reconciliation tells it: it is not to be acknowledged.
func (op *operation) known() *mesospb.OperationStatus {
	s := proto.CloneOf(op.latest)
	s.Uuid = nil
	return s
}

// operationVerdict is what can be said of an unknown operation.
func (m *Master) operationVerdict(agent *mesospb.AgentID, provider *mesospb.ResourceProviderID) *mesospb.OperationStatus {
	id := mesos.AgentID(agent.GetValue())
	state, text := mesospb.OperationState_OPERATION_UNKNOWN, ""
	switch a := m.agents[id]; {
	case agent == nil:
		text = "Reconciliation: Operation is unknown and no 'agent_id' was provided"
	case a != nil && a.recovered:
		state, text = mesospb.OperationState_OPERATION_RECOVERING, "Reconciliation: Agent is recovered but has not re-registered"
	case a != nil && provider != nil && a.can(mesospb.AgentInfo_Capability_AGENT_OPERATION_FEEDBACK):
		// Agents have no resource providers: this is what one would answer.
		return &mesospb.OperationStatus{State: state.Enum()}
	case a != nil:
		text = "Reconciliation: Operation is unknown"
	case m.unreachable[id] != nil:
		state, text = mesospb.OperationState_OPERATION_UNREACHABLE, "Reconciliation: Agent is unreachable"
	case !m.gone[id].IsZero():
		state, text = mesospb.OperationState_OPERATION_GONE_BY_OPERATOR, "Reconciliation: Agent marked gone by operator"
	default:
		text = "Reconciliation: Both operation and agent are unknown"
	}
	return &mesospb.OperationStatus{State: state.Enum(), Message: new(text)}
}

// message is an operation as operators see it.
func (op *operation) message() *mesospb.Operation {
	out := &mesospb.Operation{
		AgentId: agentID(op.agent.id), Info: op.info, LatestStatus: op.latest, Statuses: op.statuses,
		Uuid: &mesospb.UUID{Value: bytes.Clone(op.uuid[:])},
	}
	if op.framework != "" {
		out.FrameworkId = frameworkID(op.framework)
	}
	return out
}
