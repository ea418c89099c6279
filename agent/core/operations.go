package core

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/soukproject/souk/agent/statusupdate"
	checkpointpb "github.com/soukproject/souk/proto/mesos/checkpoint"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// operation converts resources of the agent. It is kept until it is done and, if
// its framework wants to know, its status is acknowledged.
type operation struct {
	uuid      []byte
	framework *mesospb.FrameworkID // nil: an operator asked
	info      *mesospb.Offer_Operation
	status    *mesospb.OperationStatus // nil until it is done
	stored    bool                     // status is
	backoff   time.Duration
	due       time.Time // when status is sent again
}

// holdings are the resources of the agent and the operations on them. While one
// of them works on the disk, everything else the master says waits for its turn.
type holdings struct {
	total      resources.Resources // what was configured, with every operation applied
	operations []*operation        // in the order they came
	working    *operation          // whose volumes are being made or removed
	storing    int                 // Checkpoints of operations under way
	parked     []*linkpb.Event     // of the session, for later
	connecting Session             // waits until what it would tell is stored; 0: none
}

// applyOperation takes an operation: it is stored with what it makes, and then
// the folders of volumes follow.
func (a *Agent) applyOperation(now time.Time, e *linkpb.ApplyOperation) {
	op := &operation{uuid: e.GetUuid(), framework: e.FrameworkId, info: e.GetInfo()}
	if len(op.uuid) == 0 || a.operation(op.uuid) != nil {
		a.refuse("operation", fmt.Sprintf("%x", op.uuid), "it has no uuid, or is known already")
		return
	}
	a.operations = append(a.operations, op)
	if err := a.convert(op, false); err != nil {
		a.endOperation(op, mesospb.OperationState_OPERATION_DROPPED, err.Error())
		a.tellTotal() // the master believes otherwise
		return
	}
	work := op.work()
	if work == nil {
		a.endOperation(op, mesospb.OperationState_OPERATION_FINISHED, "", a.resourcesRecord())
		return
	}
	a.working = op
	a.persist(func(time.Time) { a.emit(*work) }, op.record(), a.resourcesRecord())
}

// convert applies an operation to the total, or undoes it.
func (a *Agent) convert(op *operation, undo bool) error {
	c, err := resources.ConversionOf(op.info)
	if err != nil {
		return err
	}
	c = c.Unallocated()
	if undo {
		c.From, c.To = c.To, c.From
	}
	total, err := a.total.Convert(c)
	if err == nil {
		a.total = total
	}
	return err
}

// work is what an operation does to the disk; nil is nothing.
func (op *operation) work() *PrepareVolumes {
	w := &PrepareVolumes{Operation: string(op.uuid)}
	// They were read when the operation was applied.
	w.Create, _ = resources.FromProto(op.info.GetCreate().GetVolumes())
	w.Remove, _ = resources.FromProto(op.info.GetDestroy().GetVolumes())
	if w.Create.IsEmpty() && w.Remove.IsEmpty() {
		return nil
	}
	return w
}

// volumesPrepared ends an operation that worked on the disk. One that failed has
// not happened.
func (a *Agent) volumesPrepared(now time.Time, ev VolumesPrepared) {
	op := a.working
	if op == nil || string(op.uuid) != ev.Operation {
		a.refuse("volumes", fmt.Sprintf("%x", ev.Operation), "nobody waits for them")
		return
	}
	a.working = nil
	if ev.Why == "" {
		a.endOperation(op, mesospb.OperationState_OPERATION_FINISHED, "")
	} else {
		if err := a.convert(op, true); err != nil {
			panic("agent core: undo operation: " + err.Error()) // nothing came in between
		}
		a.endOperation(op, mesospb.OperationState_OPERATION_FAILED, ev.Why, a.resourcesRecord())
		a.tellTotal()
	}
	for len(a.parked) > 0 && a.working == nil && !a.session.broken {
		e := a.parked[0]
		a.parked = a.parked[1:]
		a.dispatch(now, e)
	}
	a.connectNow(now)
}

// endOperation stores what became of an operation, and then tells it.
func (a *Agent) endOperation(op *operation, state mesospb.OperationState, why string, records ...*checkpointpb.Record) {
	op.status = &mesospb.OperationStatus{OperationId: op.info.Id, State: state.Enum(), AgentId: a.info.GetId()}
	if why != "" {
		op.status.Message = &why
	}
	if op.info.Id == nil {
		a.forgetOperation(op)
		records = append(records, op.goneRecord())
	} else {
		uuid := a.uuid()
		op.status.Uuid = &mesospb.UUID{Value: uuid[:]}
		records = append(records, op.record())
	}
	a.storing++
	a.persist(func(now time.Time) {
		a.storing--
		op.stored = true
		a.tellOperation(now, op, statusupdate.MinBackoff)
		a.connectNow(now)
	}, records...)
}

// tellOperation sends the status of an operation if there is a master to hear it.
func (a *Agent) tellOperation(now time.Time, op *operation, backoff time.Duration) {
	if !a.heardByMaster() || !op.stored {
		return
	}
	op.backoff, op.due = backoff, now.Add(backoff)
	a.send(&linkpb.Message{Type: linkpb.Message_OPERATION_UPDATE.Enum(), OperationUpdate: &linkpb.OperationUpdate{
		Uuid: op.uuid, FrameworkId: op.framework, Status: op.status,
	}})
}

// tellTotal corrects a master that counts on something else.
func (a *Agent) tellTotal() {
	if a.heardByMaster() {
		a.send(&linkpb.Message{Type: linkpb.Message_RESOURCES.Enum(), Resources: &linkpb.Resources{
			Total: a.total.Proto(resources.PostRefinement),
		}})
	}
}

func (a *Agent) heardByMaster() bool { return a.session.registered && !a.session.broken }

// acknowledgeOperation ends an operation.
func (a *Agent) acknowledgeOperation(e *linkpb.AcknowledgeOperation) {
	op := a.operation(e.GetUuid())
	if op == nil || op.status == nil || !bytes.Equal(op.status.GetUuid().GetValue(), e.GetStatusUuid()) {
		a.refuse("acknowledgement", fmt.Sprintf("operation %x", e.GetUuid()), "no such status waits for one")
		return
	}
	a.forgetOperation(op)
	a.persist(nil, op.goneRecord())
}

func (a *Agent) operation(uuid []byte) *operation {
	for _, op := range a.operations {
		if bytes.Equal(op.uuid, uuid) {
			return op
		}
	}
	return nil
}

func (a *Agent) forgetOperation(op *operation) {
	a.operations = slices.DeleteFunc(slices.Clone(a.operations), func(x *operation) bool { return x == op })
}

// retry is when the status of op is to be sent again.
func (a *Agent) retry(op *operation) (at time.Time, ok bool) {
	return op.due, op.stored && a.heardByMaster()
}

// tickOperations sends again what was not acknowledged in time.
func (a *Agent) tickOperations(now time.Time) {
	for _, op := range a.operations {
		if at, ok := a.retry(op); ok && !now.Before(at) {
			a.tellOperation(now, op, min(2*op.backoff, statusupdate.MaxBackoff))
		}
	}
}

// unsettled: what the agent would tell of its resources is not stored yet.
func (a *Agent) unsettled() bool { return a.working != nil || a.storing > 0 }

// connectNow goes on with an attempt that had to wait.
func (a *Agent) connectNow(now time.Time) {
	if id := a.connecting; id != 0 && !a.unsettled() {
		a.connecting = 0
		a.connect(now, id)
	}
}

// unknownResources are reservations and volumes that a task uses and the agent
// does not have; the operation that made them was lost.
func (a *Agent) unknownResources(t *mesospb.TaskInfo) bool {
	used, err := resources.FromProto(slices.Concat(t.GetResources(), t.GetExecutor().GetResources()))
	if err != nil {
		return true
	}
	made := used.Unallocated().Filter(func(r resources.Resource) bool { return r.DynamicallyReserved() || r.PersistentVolume() })
	return !a.total.Contains(made)
}

// restoreHoldings is what was configured with what operations made of it since.
// It is false when what was configured does not have that any more.
func (a *Agent) restoreHoldings(records []*checkpointpb.Record) bool {
	configured, err := resources.FromProto(a.info.GetResources())
	if err != nil {
		panic("agent core: Config.Info has invalid resources: " + err.Error())
	}
	made := storedConversion(records)
	a.total, err = configured.Convert(made)
	if err != nil {
		a.leaving = fmt.Sprintf("the configured resources have no room for what is reserved (%s): %v; start the agent with the resources it had", made.To, err)
		a.emit(Exit{Why: a.leaving})
		return false
	}
	for _, r := range records {
		if x := r.GetOperation(); x != nil {
			a.operations = append(a.operations, &operation{
				uuid: x.GetUuid(), framework: x.FrameworkId, info: x.GetInfo(), status: x.GetStatus(), stored: x.Status != nil,
			})
		}
	}
	for _, op := range a.operations {
		if op.status == nil {
			a.working = op // the last one: the next was not taken before
			a.emit(*op.work())
		}
	}
	return true
}

func storedConversion(records []*checkpointpb.Record) (c resources.Conversion) {
	for _, r := range records {
		if x := r.GetResources(); x != nil {
			// They were written by resourcesRecord.
			c.From, _ = resources.FromProto(x.GetFrom())
			c.To, _ = resources.FromProto(x.GetTo())
		}
	}
	return c
}

func (a *Agent) resourcesRecord() *checkpointpb.Record {
	configured, _ := resources.FromProto(a.info.GetResources())
	made := resources.Between(configured, a.total)
	return &checkpointpb.Record{Resources: &checkpointpb.Resources{
		From: made.From.Proto(resources.PostRefinement), To: made.To.Proto(resources.PostRefinement),
	}}
}

func (op *operation) record() *checkpointpb.Record {
	return &checkpointpb.Record{Operation: &checkpointpb.Operation{
		Uuid: op.uuid, FrameworkId: op.framework, Info: op.info, Status: op.status,
	}}
}

func (op *operation) goneRecord() *checkpointpb.Record {
	return &checkpointpb.Record{Operation: &checkpointpb.Operation{Uuid: op.uuid}, Gone: new(true)}
}

// message is an operation as the master and operators see it.
func (a *Agent) operationMessage(op *operation) *mesospb.Operation {
	out := &mesospb.Operation{
		FrameworkId: op.framework, AgentId: a.info.GetId(), Info: op.info, Uuid: &mesospb.UUID{Value: op.uuid},
		LatestStatus: &mesospb.OperationStatus{OperationId: op.info.Id, State: mesospb.OperationState_OPERATION_PENDING.Enum(), AgentId: a.info.GetId()},
	}
	if op.status != nil {
		out.LatestStatus, out.Statuses = op.status, []*mesospb.OperationStatus{op.status}
	}
	return out
}

func (a *Agent) operationMessages() (list []*mesospb.Operation) {
	for _, op := range a.operations {
		list = append(list, a.operationMessage(op))
	}
	return list
}

// checkHoldings says what does not hold of resources and operations.
func (a *Agent) checkHoldings() error {
	configured, err := resources.FromProto(a.info.GetResources())
	switch {
	case err != nil:
		return err
	case a.leaving == "" && !configured.Totals().Equal(a.total.Totals()):
		return fmt.Errorf("operations made %s of %s", a.total, configured)
	case a.working == nil && len(a.parked) > 0:
		return fmt.Errorf("%d events wait for nothing", len(a.parked))
	case a.connecting != 0 && !a.unsettled():
		return fmt.Errorf("session %d waits for nothing", a.connecting)
	}
	for i, op := range a.operations {
		if a.operation(op.uuid) != op {
			return fmt.Errorf("operation %d, %x, is there twice", i, op.uuid)
		}
		if op.status == nil && op != a.working {
			return fmt.Errorf("operation %x is not done, and nobody does it", op.uuid)
		}
	}
	return nil
}
