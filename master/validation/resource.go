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

// read is a resource that was read before without an error.
func read(p *mesospb.Resource) resources.Resource {
	r, _ := resources.Read(p)
	return r
}

// operationResources checks what holds for resources in any operation.
func operationResources(list []*mesospb.Resource) error {
	if err := prefixed("Invalid resources: ", usable(list)); err != nil {
		return err
	}
	return prefixed("Invalid resources: ", oneProvider(list))
}

// usable checks gpus, disks and reservations as tasks and operations may have
// them (mesos-api 9.2; 10.1, 10).
func usable(list []*mesospb.Resource) error {
	r, err := resources.FromProto(list)
	if err != nil {
		return err
	}
	if err := r.WholeGPUs(); err != nil {
		return err
	}
	for _, p := range list {
		if err := prefixed("Invalid DiskInfo: ", disk(p)); err != nil {
			return err
		}
	}
	for _, x := range r {
		if x.Revocable && x.DynamicallyReserved() {
			return fmt.Errorf("Invalid ReservationInfo: Dynamically reserved resource %s cannot be created from revocable resources", x)
		}
	}
	return nil
}

// disk checks a DiskInfo: a persistent volume, or space of a disk of its own.
func disk(p *mesospb.Resource) error {
	d, x := p.GetDisk(), read(p)
	switch {
	case d == nil:
		return nil
	case d.Persistence == nil && d.Volume != nil:
		return errors.New("Non-persistent volume not supported")
	case d.Persistence == nil && d.Source == nil:
		return errors.New("DiskInfo is set but empty")
	case d.Persistence == nil:
		return nil
	case x.Revocable:
		return errors.New("Persistent volumes cannot be created from revocable resources")
	case !x.Reserved():
		return errors.New("Persistent volumes cannot be created from unreserved resources")
	case d.Volume == nil:
		return errors.New("Expecting 'volume' to be set for persistent volume")
	case d.GetVolume().HostPath != nil:
		return errors.New("Expecting 'host_path' to be unset for persistent volume")
	}
	return prefixed("Invalid persistence ID for persistent volume: ", mesos.CheckID(d.GetPersistence().GetId()))
}

// persistentVolumes: each is one, to be written to.
func persistentVolumes(list []*mesospb.Resource) error {
	for _, p := range list {
		var err error
		switch {
		case p.GetDisk() == nil:
			err = fmt.Errorf("Resource %s does not have DiskInfo", read(p))
		case p.GetDisk().GetPersistence() == nil:
			err = errors.New("'persistence' is not set in DiskInfo")
		case p.GetDisk().GetVolume().GetMode() == mesospb.Volume_RO && p.GetDisk().GetVolume() != nil:
			err = errors.New("Read-only persistent volume not supported")
		}
		if err != nil {
			return prefixed("Not a persistent volume: ", err)
		}
	}
	return nil
}

// oneProvider: an operation is on the agent's own resources, or on those of one provider.
func oneProvider(list []*mesospb.Resource) error {
	var ids []string
	without := 0
	for _, p := range list {
		if p.ProviderId == nil {
			without++
		} else if id := p.GetProviderId().GetValue(); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	switch {
	case without > 0 && len(ids) > 0:
		return errors.New("Some resources have a resource provider and some do not")
	case without == 0 && len(ids) != 1:
		return errors.New("The resources have multiple resource providers: " + strings.Join(ids, ", "))
	}
	return nil
}
