package scheduler

import mesospb "github.com/soukproject/souk/proto/mesos/v1"

// OfferIDs lists the ids of offers, as Session.Accept and Decline take them.
func OfferIDs(offers ...*mesospb.Offer) []*mesospb.OfferID {
	ids := make([]*mesospb.OfferID, len(offers))
	for i, o := range offers {
		ids[i] = o.GetId()
	}
	return ids
}

// Launch is the operation that starts tasks on an offer's agent.
func Launch(tasks ...*mesospb.TaskInfo) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:   mesospb.Offer_Operation_LAUNCH.Enum(),
		Launch: &mesospb.Offer_Operation_Launch{TaskInfos: tasks},
	}
}

// LaunchGroup is the operation that starts tasks that live and die together
// under one executor.
func LaunchGroup(executor *mesospb.ExecutorInfo, tasks ...*mesospb.TaskInfo) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type: mesospb.Offer_Operation_LAUNCH_GROUP.Enum(),
		LaunchGroup: &mesospb.Offer_Operation_LaunchGroup{
			Executor: executor, TaskGroup: &mesospb.TaskGroupInfo{Tasks: tasks},
		},
	}
}

// Reserve is the operation that reserves resources for the offer's role.
func Reserve(resources ...*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:    mesospb.Offer_Operation_RESERVE.Enum(),
		Reserve: &mesospb.Offer_Operation_Reserve{Resources: resources},
	}
}

// Unreserve is the operation that undoes Reserve.
func Unreserve(resources ...*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:      mesospb.Offer_Operation_UNRESERVE.Enum(),
		Unreserve: &mesospb.Offer_Operation_Unreserve{Resources: resources},
	}
}

// Create is the operation that makes persistent volumes of reserved disk.
func Create(volumes ...*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:   mesospb.Offer_Operation_CREATE.Enum(),
		Create: &mesospb.Offer_Operation_Create{Volumes: volumes},
	}
}

// Destroy is the operation that deletes persistent volumes and what is in them.
func Destroy(volumes ...*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:    mesospb.Offer_Operation_DESTROY.Enum(),
		Destroy: &mesospb.Offer_Operation_Destroy{Volumes: volumes},
	}
}

// GrowVolume is the operation that adds disk, reserved like the volume, to a
// volume; it comes with later offers.
func GrowVolume(volume, addition *mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:       mesospb.Offer_Operation_GROW_VOLUME.Enum(),
		GrowVolume: &mesospb.Offer_Operation_GrowVolume{Volume: volume, Addition: addition},
	}
}

// ShrinkVolume is the operation that takes megabytes from a volume; it comes with
// later offers.
func ShrinkVolume(volume *mesospb.Resource, megabytes float64) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:         mesospb.Offer_Operation_SHRINK_VOLUME.Enum(),
		ShrinkVolume: &mesospb.Offer_Operation_ShrinkVolume{Volume: volume, Subtract: &mesospb.Value_Scalar{Value: &megabytes}},
	}
}

// Named gives an operation on resources an id, under which an OperationWatcher is
// told what became of it. Launches have none.
func Named(id string, op *mesospb.Offer_Operation) *mesospb.Offer_Operation {
	op.Id = &mesospb.OperationID{Value: &id}
	return op
}

// RefuseFor is the filter that keeps a refused or unused part of an offer away for so many seconds.
func RefuseFor(seconds float64) *mesospb.Filters {
	return &mesospb.Filters{RefuseSeconds: &seconds}
}
