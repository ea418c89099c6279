package simulation

import (
	"fmt"
	"slices"

	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A deed is an operation on resources that a scheduler asked for, and what it
// heard of it.
type deed struct {
	id      string
	op      *mesospb.Offer_Operation
	agent   *mesospb.AgentID
	machine *agentNode
	state   mesospb.OperationState // OPERATION_UNSUPPORTED, the zero value, until anything is heard
}

// known reports whether the end of a deed is for its agent to have told.
func (d *deed) known() bool {
	return d.state == mesospb.OperationState_OPERATION_FINISHED || d.state == mesospb.OperationState_OPERATION_FAILED
}

// undone reports whether a deed never reached its agent, as far as masters say.
func (d *deed) undone() bool {
	switch d.state {
	case mesospb.OperationState_OPERATION_ERROR, mesospb.OperationState_OPERATION_DROPPED, mesospb.OperationState_OPERATION_UNKNOWN:
		return true
	}
	return d.state == mesospb.OperationState_OPERATION_FAILED
}

// An estate is what a scheduler reserves and makes volumes of. Each operation has
// an id, so that what became of it must come to be known.
type estate struct {
	s     *scheduler
	deeds []*deed
}

// mostDeeds is how many operations a scheduler asks for.
const mostDeeds = 12

// develop draws operations on what is offered; the second is made of what the
// first makes. volume, which may be nil, is there for a task to use.
func (e *estate) develop(o *mesospb.Offer) (ops []*mesospb.Offer_Operation, volume *mesospb.Resource) {
	rng := e.s.c.rng
	if len(e.deeds) >= mostDeeds || rng.IntN(2) == 0 {
		return nil, nil
	}
	plain, volumes := e.holdings(o)
	n := rng.IntN(6)
	switch {
	case len(volumes) > 0 && n < 4:
		volume = pick(e.s.c, volumes)
		return e.change(o, n, volume, plain)
	case len(plain) > 0 && n < 3:
		volume = e.volume(pick(e.s.c, plain))
		return e.add(o, ops, create(volume)), volume
	case len(plain) > 0 && n == 3:
		return e.add(o, ops, unreserve(pick(e.s.c, plain))), nil
	}
	space := e.space(o)
	ops = e.add(o, ops, reserve(space))
	if n == 5 {
		volume = e.volume(space)
		ops = e.add(o, ops, create(volume))
	}
	return ops, volume
}

// change does something with a volume; when it is not there any more afterwards,
// or only for later offers, no task can use it.
func (e *estate) change(o *mesospb.Offer, n int, volume *mesospb.Resource, plain []*mesospb.Resource) ([]*mesospb.Offer_Operation, *mesospb.Resource) {
	switch {
	case n == 0:
		return e.add(o, nil, destroy(volume)), nil
	case n == 1 && volume.GetScalar().GetValue() > 1:
		return e.add(o, nil, shrink(volume)), nil
	case n == 2 && len(plain) > 0:
		return e.add(o, nil, grow(volume, plain[0])), nil
	}
	return nil, volume
}

// holdings are the disk space that is reserved and the volumes in an offer.
func (e *estate) holdings(o *mesospb.Offer) (plain, volumes []*mesospb.Resource) {
	for _, r := range o.GetResources() {
		switch {
		case len(r.GetReservations()) == 0 || r.GetName() != "disk":
		case r.GetDisk().GetPersistence() != nil:
			volumes = append(volumes, r)
		default:
			plain = append(plain, r)
		}
	}
	return plain, volumes
}

// add notes an operation before anybody hears of it.
func (e *estate) add(o *mesospb.Offer, ops []*mesospb.Offer_Operation, op *mesospb.Offer_Operation) []*mesospb.Offer_Operation {
	d := &deed{id: fmt.Sprintf("%s-op%d", e.s.name, len(e.deeds)), op: op, agent: o.GetAgentId(), machine: e.s.c.machine(o.GetHostname())}
	op.Id = &mesospb.OperationID{Value: &d.id}
	e.deeds = append(e.deeds, d)
	return append(ops, op)
}

// space is disk space of an offer, reserved.
func (e *estate) space(o *mesospb.Offer) *mesospb.Resource {
	size := float64(1 + e.s.c.rng.IntN(4))
	return &mesospb.Resource{
		Name: new("disk"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &size}, AllocationInfo: o.GetAllocationInfo(),
		Reservations: []*mesospb.Resource_ReservationInfo{{Type: mesospb.Resource_ReservationInfo_DYNAMIC.Enum(), Role: &e.s.name}},
	}
}

// volume is one made of all of some space.
func (e *estate) volume(space *mesospb.Resource) *mesospb.Resource {
	return &mesospb.Resource{
		Name: space.Name, Type: space.Type, Scalar: space.Scalar, AllocationInfo: space.AllocationInfo, Reservations: space.Reservations,
		Disk: &mesospb.Resource_DiskInfo{
			Persistence: &mesospb.Resource_DiskInfo_Persistence{Id: new(fmt.Sprintf("%s-volume%d", e.s.name, len(e.deeds)))},
			Volume:      &mesospb.Volume{ContainerPath: new("data"), Mode: mesospb.Volume_RW.Enum()},
		},
	}
}

func reserve(r *mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type: mesospb.Offer_Operation_RESERVE.Enum(), Reserve: &mesospb.Offer_Operation_Reserve{Resources: []*mesospb.Resource{r}},
	}
}

func unreserve(r *mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type: mesospb.Offer_Operation_UNRESERVE.Enum(), Unreserve: &mesospb.Offer_Operation_Unreserve{Resources: []*mesospb.Resource{r}},
	}
}

func create(r *mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type: mesospb.Offer_Operation_CREATE.Enum(), Create: &mesospb.Offer_Operation_Create{Volumes: []*mesospb.Resource{r}},
	}
}

func destroy(r *mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type: mesospb.Offer_Operation_DESTROY.Enum(), Destroy: &mesospb.Offer_Operation_Destroy{Volumes: []*mesospb.Resource{r}},
	}
}

func grow(volume, addition *mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type: mesospb.Offer_Operation_GROW_VOLUME.Enum(), GrowVolume: &mesospb.Offer_Operation_GrowVolume{Volume: volume, Addition: addition},
	}
}

func shrink(volume *mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:         mesospb.Offer_Operation_SHRINK_VOLUME.Enum(),
		ShrinkVolume: &mesospb.Offer_Operation_ShrinkVolume{Volume: volume, Subtract: &mesospb.Value_Scalar{Value: new(1.0)}},
	}
}

// updated takes in what became of an operation. What an agent did stays done,
// whatever a master says that has not heard of it.
func (e *estate) updated(status *mesospb.OperationStatus) {
	e.s.c.result[Outcomes]++
	i := slices.IndexFunc(e.deeds, func(d *deed) bool { return d.id == status.GetOperationId().GetValue() })
	if i < 0 {
		e.s.c.violate("%s: update of an operation it never asked for: %s", e.s.name, status.GetOperationId().GetValue())
		return
	}
	d := e.deeds[i]
	switch now := status.GetState(); {
	case !d.known():
		d.state = now
	case len(status.GetUuid().GetValue()) > 0 && now != d.state:
		e.s.c.violate("%s: operation %s is %v after it was %v", e.s.name, d.id, now, d.state)
	}
	if uuid := status.GetUuid().GetValue(); len(uuid) > 0 {
		e.s.send(&schedulerpb.Call{
			Type: schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS.Enum(),
			AcknowledgeOperationStatus: &schedulerpb.Call_AcknowledgeOperationStatus{
				AgentId: status.GetAgentId(), OperationId: status.GetOperationId(), Uuid: uuid,
			},
		})
	}
}

// reconcile asks about every operation whose end is not known.
func (e *estate) reconcile() {
	var ask []*schedulerpb.Call_ReconcileOperations_Operation
	for _, d := range e.deeds {
		if !d.known() && !d.undone() {
			ask = append(ask, &schedulerpb.Call_ReconcileOperations_Operation{OperationId: d.op.GetId(), AgentId: d.agent})
		}
	}
	if len(ask) > 0 {
		e.s.send(&schedulerpb.Call{
			Type: schedulerpb.Call_RECONCILE_OPERATIONS.Enum(), ReconcileOperations: &schedulerpb.Call_ReconcileOperations{Operations: ask},
		})
	}
}

// check: what became of each operation has come to be known.
func (e *estate) check() {
	for _, d := range e.deeds {
		if !d.known() && !d.undone() && e.s.c.registry.agent(d.agent.GetValue()) != nil {
			e.s.c.violate("%s was never told how operation %s on %s ended: %v", e.s.name, d.id, d.agent.GetValue(), d.state)
		}
	}
}

// checkHoldings compares what an agent has with what schedulers were told was
// done there, and with what the leading master believes; and the volumes with
// the folders.
func (c *Cluster) checkHoldings(a *agentNode) {
	if a.core == nil {
		return
	}
	has := a.core.Snapshot().Total
	if believed, ok := c.believed(a.id()); ok && !believed.Equal(has) {
		c.violate("%s has %s, and the master believes in %s", a.name, has, believed)
	}
	if made, sure := c.made(a); sure {
		configured, err := resources.FromProto(a.info().GetResources())
		if err != nil {
			panic(fmt.Sprintf("resources of the simulation: %v", err))
		}
		c.result[Estates]++
		if left, right := configured.Add(made.To), has.Add(made.From); !left.Equal(right) {
			c.violate("%s has %s; of %s operations made %s of %s", a.name, has, configured, made.To, made.From)
		}
	}
	for _, v := range has.PersistentVolumes() { // of one that failed in a later life, an empty folder may be left
		if _, there := slices.BinarySearch(a.folders, v.Disk.Persistence); !there {
			c.violate("%s has the volume %s and folders for %q", a.name, v.Disk.Persistence, a.folders)
		}
	}
}

// made sums up what operations made on a machine, whatever the ids of its agents
// were. It is not sure when the outcome of one of them never came to be known: its
// agent's id or its scheduler is gone.
func (c *Cluster) made(a *agentNode) (sum resources.Conversion, sure bool) {
	for _, s := range c.schedulers {
		for _, d := range s.estate.deeds {
			switch {
			case d.machine != a || d.undone() && !s.left && c.registry.agent(d.agent.GetValue()) != nil:
			case d.state != mesospb.OperationState_OPERATION_FINISHED:
				return sum, false
			default:
				one, err := resources.ConversionOf(d.op)
				if err != nil {
					panic(fmt.Sprintf("operation of the simulation: %v", err))
				}
				one = one.Unallocated()
				sum.From, sum.To = sum.From.Add(one.From), sum.To.Add(one.To)
			}
		}
	}
	return sum, true
}

// believed is what the leading master thinks an agent has; false if it does not know it.
func (c *Cluster) believed(id string) (resources.Resources, bool) {
	m := c.operator.master()
	if m == nil {
		return nil, false
	}
	for _, a := range m.core.Snapshot().Agents {
		if string(a.ID) == id {
			return a.Total, true
		}
	}
	return nil, false
}

// machine finds one by its name, which offers bear.
func (c *Cluster) machine(host string) *agentNode {
	i := slices.IndexFunc(c.agents, func(a *agentNode) bool { return a.host() == host })
	return c.agents[i]
}
