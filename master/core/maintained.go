package core

import (
	"github.com/soukproject/souk/master/validation"
	allocatorpb "github.com/soukproject/souk/proto/mesos/v1/allocator"
	maintenancepb "github.com/soukproject/souk/proto/mesos/v1/maintenance"
)

// MaintenanceSchedule is what operators plan, in the order in which they said it.
func (s *Snapshot) MaintenanceSchedule() *maintenancepb.Schedule {
	out := &maintenancepb.Schedule{}
	for _, w := range s.maintenance.stored.GetWindows() {
		window := &maintenancepb.Window{Unavailability: w.GetUnavailability()}
		for _, x := range w.GetMachines() {
			window.MachineIds = append(window.MachineIds, x.GetId())
		}
		out.Windows = append(out.Windows, window)
	}
	return out
}

// MaintenanceStatus has the machines that are planned for, with what frameworks
// said to it, and those that are down.
func (s *Snapshot) MaintenanceStatus() *maintenancepb.ClusterStatus {
	out := &maintenancepb.ClusterStatus{}
	answers := s.answers()
	for _, w := range s.maintenance.stored.GetWindows() {
		for _, x := range w.GetMachines() {
			if x.GetDown() {
				out.DownMachines = append(out.DownMachines, x.GetId())
				continue
			}
			out.DrainingMachines = append(out.DrainingMachines, &maintenancepb.ClusterStatus_DrainingMachine{
				Id: x.GetId(), Statuses: answers[validation.MachineOf(x.GetId())],
			})
		}
	}
	return out
}

func (s *Snapshot) answers() map[validation.Machine][]*allocatorpb.InverseOfferStatus {
	all := map[validation.Machine][]*allocatorpb.InverseOfferStatus{}
	for i := range s.Agents {
		a := &s.Agents[i]
		all[a.machine] = append(all[a.machine], a.answers...)
	}
	return all
}
