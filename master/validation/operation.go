package validation

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// OperationRules is what the rules for an operation need to know besides it.
type OperationRules struct {
	Operator  bool   // an operator asks, not a framework
	Principal string // of who asks, "" if unknown

	Framework  mesos.FrameworkID
	Roles      []string // it is subscribed to
	Shared     bool     // it has SHARED_RESOURCES
	Refinement bool     // it has RESERVATION_REFINEMENT

	Total resources.Resources                          // of the agent
	Used  resources.Resources                          // by tasks and executors there
	Agent func(mesospb.AgentInfo_Capability_Type) bool // what it can
}

// Operation checks an operation on resources by the rules of mesos-api 9.2. Its resources can be read, are in the
// post-refinement form and, unless an operator asks, allocated.
func Operation(op *mesospb.Offer_Operation, r OperationRules) error {
	switch op.GetType() {
	case mesospb.Offer_Operation_RESERVE:
		return r.reserve(op.GetReserve())
	case mesospb.Offer_Operation_UNRESERVE:
		return r.unreserve(op.GetUnreserve().GetResources())
	case mesospb.Offer_Operation_CREATE:
		return r.create(op.GetCreate().GetVolumes())
	case mesospb.Offer_Operation_DESTROY:
		return r.destroy(op.GetDestroy().GetVolumes())
	case mesospb.Offer_Operation_GROW_VOLUME:
		return r.grow(op.GetGrowVolume())
	case mesospb.Offer_Operation_SHRINK_VOLUME:
		return r.shrink(op.GetShrinkVolume())
	case mesospb.Offer_Operation_CREATE_DISK:
		return createDisk(op.GetCreateDisk())
	case mesospb.Offer_Operation_DESTROY_DISK:
		return destroyDisk(op.GetDestroyDisk().GetSource())
	}
	return fmt.Errorf("Unknown offer operation %s", op.GetType())
}

func (r OperationRules) reserve(op *mesospb.Offer_Operation_Reserve) error {
	if err := operationResources(op.GetResources()); err != nil {
		return err
	}
	for _, p := range op.GetResources() {
		for _, rule := range []func(resources.Resource) error{r.reservable, dynamic, r.reserver, r.reservedAsAllocated} {
			if err := rule(read(p)); err != nil {
				return err
			}
		}
	}
	return r.source(op)
}

// reservable: old agents do not understand every reservation.
func (r OperationRules) reservable(x resources.Resource) error {
	switch {
	case strings.Contains(x.Role(), "/") && !r.Agent(mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE):
		return fmt.Errorf("Resource %s with reservation for hierarchical role '%s' cannot be reserved on an agent without HIERARCHICAL_ROLE capability", x, x.Role())
	case x.Refined() && !r.Agent(mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT):
		return fmt.Errorf("Resource %s with reservation refinement cannot be reserved on an agent without RESERVATION_REFINEMENT capability", x)
	case x.Refined() && !r.Operator && !r.Refinement:
		return fmt.Errorf("Resource %s with reservation refinement cannot be reserved by a framework without RESERVATION_REFINEMENT capability", x)
	case x.PersistentVolume():
		return fmt.Errorf("A persistent volume %s cannot already be reserved", x)
	}
	return nil
}

func dynamic(x resources.Resource) error {
	if !x.DynamicallyReserved() {
		return fmt.Errorf("Resource %s is not dynamically reserved", x)
	}
	return nil
}

// reserver: who has a principal reserves in its name.
func (r OperationRules) reserver(x resources.Resource) error {
	switch principal := x.Reservations[len(x.Reservations)-1].Principal; {
	case r.Principal == "" || principal == r.Principal:
		return nil
	case principal == "":
		return fmt.Errorf("A reserve operation was attempted by principal '%s', but there is a reserved resource in the request with no principal set", r.Principal)
	default:
		return fmt.Errorf("A reserve operation was attempted by authenticated principal '%s', which does not match a reserved resource in the request with principal '%s'", r.Principal, principal)
	}
}

// reservedAsAllocated: frameworks reserve what they were offered for the role they were offered it for.
func (r OperationRules) reservedAsAllocated(x resources.Resource) error {
	switch role := x.Role(); {
	case r.Operator && x.Allocation != "":
		return errors.New("A reserve operation was attempted with an allocated resource, but the operator API only allows reservations to be made to unallocated resources")
	case r.Operator:
		return nil
	case x.Allocation == "":
		return fmt.Errorf("A reserve operation was attempted on unallocated resource '%s', but frameworks can only perform reservations on allocated resources", x)
	case x.Allocation != role:
		return fmt.Errorf("A reserve operation was attempted for a resource with role '%s', but the resource was allocated to role '%s'", role, x.Allocation)
	case !slices.Contains(r.Roles, role):
		return fmt.Errorf("A reserve operation was attempted for a resource allocated to role '%s', but the framework only has roles '%s'", role, strings.Join(r.Roles, ", "))
	}
	return nil
}

// source is what a reservation replaces: the same amounts, reserved otherwise (mesos-api 21.4).
func (r OperationRules) source(op *mesospb.Offer_Operation_Reserve) error {
	if len(op.GetSource()) == 0 {
		return nil
	}
	if err := operationResources(op.GetSource()); err != nil {
		return prefixed("Invalid source: ", err)
	}
	from, to := plain(op.GetSource()), plain(op.GetResources())
	if !from.Equal(to) {
		return fmt.Errorf("'source' and 'resources' must differ in their reservations only, but the one is %s and the other %s", from, to)
	}
	for _, p := range op.GetSource() {
		for _, q := range op.GetResources() {
			if err := replaceable(read(p), read(q)); err != nil {
				return err
			}
		}
	}
	return nil
}

// replaceable: below what both have in common, only dynamic reservations go and come.
func replaceable(from, to resources.Resource) error {
	common := 0
	for common < min(len(from.Reservations), len(to.Reservations)) && from.Reservations[common].Equal(to.Reservations[common]) {
		common++
	}
	for _, x := range slices.Concat(from.Reservations[common:], to.Reservations[common:]) {
		if !x.Dynamic {
			return fmt.Errorf("A static reservation cannot be replaced or made: %s to %s", from, to)
		}
	}
	return nil
}

// plain is a list of resources without their reservations.
func plain(list []*mesospb.Resource) resources.Resources {
	out := make([]resources.Resource, 0, len(list))
	for _, p := range list {
		x := read(p)
		x.Reservations = nil
		out = append(out, x)
	}
	return resources.Of(out...)
}

func (r OperationRules) unreserve(list []*mesospb.Resource) error {
	if err := operationResources(list); err != nil {
		return err
	}
	for _, p := range list {
		x := read(p)
		if err := dynamic(x); err != nil {
			return err
		}
		if x.PersistentVolume() {
			return fmt.Errorf("A dynamically reserved persistent volume %s cannot be unreserved directly. Please destroy the persistent volume first then unreserve the resource", x)
		}
	}
	return nil
}

func (r OperationRules) create(list []*mesospb.Resource) error {
	if err := operationResources(list); err != nil {
		return err
	}
	if err := persistentVolumes(list); err != nil {
		return err
	}
	volumes, err := resources.FromProto(list)
	if err != nil {
		return err
	}
	if err := uniquePersistenceIDs(r.Total.Add(volumes.Unallocated())); err != nil {
		return err
	}
	for _, x := range volumes {
		if err := r.creator(x); err != nil {
			return err
		}
	}
	return nil
}

// creator: who has a principal creates volumes in its name.
func (r OperationRules) creator(x resources.Resource) error {
	switch principal := x.Disk.Principal; {
	case x.Shared && !r.Operator && !r.Shared:
		return fmt.Errorf("Create volume operation with shared resources attempted by framework '%s' without SHARED_RESOURCES capability", r.Framework)
	case r.Principal == "" || principal == r.Principal:
		return nil
	case principal == "":
		return fmt.Errorf("Create volume operation attempted by principal '%s', but there is a volume in the operation with no principal set in 'disk.persistence'", r.Principal)
	default:
		return fmt.Errorf("Create volume operation attempted by authenticated principal '%s', which does not match a volume in the operation with principal '%s' set in 'disk.persistence'", r.Principal, principal)
	}
}

func (r OperationRules) destroy(list []*mesospb.Resource) error {
	if err := operationResources(list); err != nil {
		return err
	}
	if err := persistentVolumes(list); err != nil {
		return err
	}
	for _, p := range list {
		x := resources.Of(read(p)).Unallocated()
		switch {
		case !r.Total.Contains(x):
			return errors.New("Persistent volumes not found")
		case r.Used.Contains(x):
			return errors.New("Persistent volumes in use")
		}
	}
	return nil
}

func (r OperationRules) grow(op *mesospb.Offer_Operation_GrowVolume) error {
	if err := r.resizable("Growing", op.GetVolume()); err != nil {
		return err
	}
	volume, addition := read(op.GetVolume()), read(op.GetAddition())
	switch {
	case addition.Scalar <= 0:
		return errors.New("The size of 'GrowVolume.addition' field must be greater than zero")
	case op.GetAddition().GetProviderId() != nil:
		return errors.New("Growing a volume from a resource provider is not supported")
	case !volume.GrowsBy(addition):
		return errors.New("Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields")
	}
	return nil
}

func (r OperationRules) shrink(op *mesospb.Offer_Operation_ShrinkVolume) error {
	if err := r.resizable("Shrinking", op.GetVolume()); err != nil {
		return err
	}
	volume := read(op.GetVolume())
	subtract, err := resources.ScalarOf(op.GetSubtract().GetValue())
	switch {
	case err != nil || subtract <= 0:
		return errors.New("Value of 'ShrinkVolume.subtract' must be greater than zero")
	case subtract >= volume.Scalar:
		return errors.New("Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'")
	case volume.Disk.Source != nil && volume.Disk.Source.Kind == resources.SourceMount:
		return errors.New("Shrinking a volume on a MOUNT disk is not supported")
	}
	return nil
}

// resizable is what growing and shrinking have in common.
func (r OperationRules) resizable(doing string, p *mesospb.Resource) error {
	list := []*mesospb.Resource{p}
	if err := persistentVolumes(list); err != nil {
		return err
	}
	if err := operationResources(list); err != nil {
		return err
	}
	switch {
	case p.GetProviderId() != nil:
		return errors.New(doing + " a volume from a resource provider is not supported")
	case p.Shared != nil:
		return errors.New(doing + " a shared persistent volume is not supported")
	case !r.Agent(mesospb.AgentInfo_Capability_RESIZE_VOLUME):
		return errors.New("Volume cannot be resized on an agent without RESIZE_VOLUME capability")
	}
	return nil
}

func createDisk(op *mesospb.Offer_Operation_CreateDisk) error {
	source := op.GetSource().GetDisk().GetSource()
	switch {
	case op.GetSource().GetProviderId() == nil:
		return errors.New("'source' is not managed by a resource provider")
	case source.GetType() != mesospb.Resource_DiskInfo_Source_RAW:
		return errors.New("'source' is not a RAW disk resource")
	case op.GetTargetType() != mesospb.Resource_DiskInfo_Source_MOUNT && op.GetTargetType() != mesospb.Resource_DiskInfo_Source_BLOCK:
		return errors.New("'target_type' is neither MOUNT or BLOCK")
	case source.Profile != nil && op.TargetProfile != nil:
		return errors.New("'target_profile' must not be set when 'source' has a profile")
	case source.Profile == nil && op.TargetProfile == nil:
		return errors.New("'target_profile' must be set when 'source' has no profile")
	}
	return nil
}

func destroyDisk(p *mesospb.Resource) error {
	source := p.GetDisk().GetSource()
	if p.GetProviderId() == nil {
		return errors.New("'source' is not managed by a resource provider")
	}
	switch source.GetType() {
	case mesospb.Resource_DiskInfo_Source_MOUNT, mesospb.Resource_DiskInfo_Source_BLOCK, mesospb.Resource_DiskInfo_Source_RAW:
	default:
		return errors.New("'source' is neither a MOUNT, BLOCK or RAW disk resource")
	}
	switch {
	case source.Id == nil:
		return errors.New("'source' is not backed by a CSI volume")
	case p.GetDisk().GetPersistence() != nil:
		return fmt.Errorf("A disk resource containing a persistent volume %s cannot be destroyed directly. Please destroy the persistent volume first then destroy the disk resource", read(p))
	}
	return nil
}
