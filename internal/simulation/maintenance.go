package simulation

import (
	"strings"
	"time"

	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	maintenancepb "github.com/soukproject/souk/proto/mesos/v1/maintenance"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// downWithin is how long a machine that is down may still run something: its
// agent may be away, or the word lost, a few times in a row.
const downWithin = 5 * time.Minute

// A janitor is an operator who works on one machine at a time. Whatever was lost
// or crashed, it looks at what is written down and does the next thing.
type janitor struct {
	c     *Cluster
	on    *agentNode // nil: nothing is to be done
	until time.Time  // the work ends then
	since time.Time  // the machine is down since; zero: it is not
}

// begin plans for a machine, unless another one is worked on.
func (j *janitor) begin() {
	if j.on == nil {
		j.on = pick(j.c, j.c.agents)
		j.until = j.c.now.Add(j.c.upTo(time.Minute))
		j.c.trace("work on %s is planned", j.on.name)
		j.look()
	}
}

// look does the next thing, and looks again later.
func (j *janitor) look() {
	j.next()
	if j.on != nil && j.c.failed == nil {
		j.c.after(3*time.Second, j.look)
	}
}

func (j *janitor) next() {
	machine := j.written()
	switch over := j.c.now.After(j.until); {
	case machine.GetDown():
		j.work(over)
	case over:
		j.on, j.since = nil, time.Time{}
	case machine != nil:
		j.c.operator.call(&masterpb.Call{Type: masterpb.Call_START_MAINTENANCE.Enum(), StartMaintenance: &masterpb.Call_StartMaintenance{Machines: j.machine()}}, nil)
	default:
		j.c.operator.call(&masterpb.Call{
			Type: masterpb.Call_UPDATE_MAINTENANCE_SCHEDULE.Enum(), UpdateMaintenanceSchedule: &masterpb.Call_UpdateMaintenanceSchedule{
				Schedule: &maintenancepb.Schedule{Windows: []*maintenancepb.Window{{
					MachineIds: j.machine(), Unavailability: &mesospb.Unavailability{Start: &mesospb.TimeInfo{Nanoseconds: new(j.until.UnixNano())}},
				}}},
			},
		}, nil)
	}
}

// work goes on until it is over, and does not end while something runs there.
func (j *janitor) work(over bool) {
	if j.since.IsZero() {
		j.since = j.c.now
		j.c.result[Downs]++
	}
	runs := false
	for _, k := range j.on.containers {
		runs = runs || k.running
	}
	switch {
	case runs && j.c.now.Sub(j.since) > downWithin:
		j.c.violate("%s is down for %v and still runs something", j.on.name, downWithin)
	case over && !runs && j.on.link == nil && j.on.id() == "":
		j.c.operator.call(&masterpb.Call{Type: masterpb.Call_STOP_MAINTENANCE.Enum(), StopMaintenance: &masterpb.Call_StopMaintenance{Machines: j.machine()}}, nil)
	}
}

func (j *janitor) machine() []*mesospb.MachineID {
	host, ip := j.on.info().GetHostname(), strings.TrimSuffix(j.on.address, ":5051")
	return []*mesospb.MachineID{{Hostname: &host, Ip: &ip}}
}

// written is what the registry holds of the machine; nil: nothing.
func (j *janitor) written() *registrypb.Maintenance_Machine {
	for _, w := range j.c.registry.held.GetMaintenance().GetWindows() {
		for _, x := range w.GetMachines() {
			if x.GetId().GetIp() == j.machine()[0].GetIp() {
				return x
			}
		}
	}
	return nil
}

// asked answers inverse offers, one way or the other.
func (s *scheduler) asked(o *mesospb.InverseOffer) {
	s.c.result[Asked]++
	ids, filters := []*mesospb.OfferID{o.GetId()}, &mesospb.Filters{RefuseSeconds: new(float64(s.c.rng.IntN(20)))}
	if s.c.rng.IntN(2) == 0 {
		s.send(&schedulerpb.Call{Type: schedulerpb.Call_ACCEPT_INVERSE_OFFERS.Enum(),
			AcceptInverseOffers: &schedulerpb.Call_AcceptInverseOffers{InverseOfferIds: ids, Filters: filters}})
		return
	}
	s.send(&schedulerpb.Call{Type: schedulerpb.Call_DECLINE_INVERSE_OFFERS.Enum(),
		DeclineInverseOffers: &schedulerpb.Call_DeclineInverseOffers{InverseOfferIds: ids, Filters: filters}})
}
