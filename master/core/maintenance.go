package core

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	maintenancepb "github.com/soukproject/souk/proto/mesos/v1/maintenance"
)

const (
	downText  = "Machine is DOWN: an operator works on it"
	downCause = "Operator initiated 'Machine DOWN'"
)

// A maintenance says which machines operators will work on, and on which they do
// (mesos-api 22.1). It is replaced, never changed.
type maintenance struct {
	stored   *registrypb.Maintenance
	machines map[validation.Machine]plan
}

// A plan is what the schedule says of one machine.
type plan struct {
	unavailability *mesospb.Unavailability
	down           bool
}

func newMaintenance(stored *registrypb.Maintenance) *maintenance {
	s := &maintenance{stored: stored, machines: map[validation.Machine]plan{}}
	for _, w := range stored.GetWindows() {
		for _, x := range w.GetMachines() {
			s.machines[validation.MachineOf(x.GetId())] = plan{w.GetUnavailability(), x.GetDown()}
		}
	}
	return s
}

// of finds the plan for an agent's machine: what it announces must match in both
// parts. Of an agent that has not registered it is not known where it is.
func (s *maintenance) of(a *agent) (plan, bool) {
	if len(s.machines) == 0 || a.recovered {
		return plan{}, false
	}
	p, found := s.machines[a.machine()]
	return p, found
}

// down reports whether nothing may run on a machine.
func (s *maintenance) down(x validation.Machine) bool { return s.machines[x].down }

func (a *agent) machine() validation.Machine {
	return validation.MachineOf(&mesospb.MachineID{Hostname: &a.hostname, Ip: &a.ip})
}

// with is the schedule after a change of single machines; edit says whether one stays.
func (s *maintenance) with(edit func(*registrypb.Maintenance_Machine) bool) *registrypb.Maintenance {
	out := &registrypb.Maintenance{}
	for _, w := range s.stored.GetWindows() {
		kept := &registrypb.Maintenance_Window{Unavailability: w.GetUnavailability()}
		for _, x := range w.GetMachines() {
			if x = proto.CloneOf(x); edit(x) {
				kept.Machines = append(kept.Machines, x)
			}
		}
		if len(kept.Machines) > 0 {
			out.Windows = append(out.Windows, kept)
		}
	}
	return out
}

// maintained follows the write of a schedule.
type maintained struct {
	request Request
	number  uint64 // of the write: what a later one has overtaken does not count
	stored  *registrypb.Maintenance
}

func (maintained) event() {}

// updateSchedule replaces the schedule. A machine that is down stays in it.
func (m *Master) updateSchedule(request Request, schedule *maintenancepb.Schedule) {
	if err := validation.Schedule(schedule); err != nil {
		m.reply(request, 400, err.Error())
		return
	}
	stored := &registrypb.Maintenance{}
	kept := map[validation.Machine]bool{}
	for _, w := range schedule.GetWindows() {
		window := &registrypb.Maintenance_Window{Unavailability: w.GetUnavailability()}
		for _, id := range w.GetMachineIds() {
			x := &registrypb.Maintenance_Machine{Id: id}
			if name := validation.MachineOf(id); m.wantedMaintenance.down(name) {
				kept[name], x.Down = true, new(true)
			}
			window.Machines = append(window.Machines, x)
		}
		stored.Windows = append(stored.Windows, window)
	}
	for _, w := range m.wantedMaintenance.stored.GetWindows() {
		for _, x := range w.GetMachines() {
			if x.GetDown() && !kept[validation.MachineOf(x.GetId())] {
				m.reply(request, 400, machineText(x.GetId(), "is deactivated and cannot be removed from the schedule"))
				return
			}
		}
	}
	m.writeMaintenance(request, stored)
}

func machineText(id *mesospb.MachineID, what string) string {
	return fmt.Sprintf("Machine '%s' %s", validation.MachineText(id), what)
}

// startMaintenance takes machines down: what runs there ends.
func (m *Master) startMaintenance(request Request, ids []*mesospb.MachineID) {
	m.switchMachines(request, ids, func(p plan, scheduled bool) string {
		switch {
		case !scheduled:
			return "is not part of a maintenance schedule"
		case p.down:
			return "is not in DRAINING mode and cannot be brought down"
		}
		return ""
	}, func(x *registrypb.Maintenance_Machine) bool { x.Down = new(true); return true })
}

// stopMaintenance takes machines back; the schedule is done with them.
func (m *Master) stopMaintenance(request Request, ids []*mesospb.MachineID) {
	m.switchMachines(request, ids, func(p plan, _ bool) string {
		if !p.down {
			return "is not in DOWN mode and cannot be brought up"
		}
		return ""
	}, func(*registrypb.Maintenance_Machine) bool { return false })
}

// switchMachines changes all of the machines named, or none if one of them does
// not allow it.
func (m *Master) switchMachines(request Request, ids []*mesospb.MachineID, wrong func(plan, bool) string, edit func(*registrypb.Maintenance_Machine) bool) {
	if err := validation.Machines(ids); err != nil {
		m.reply(request, 400, err.Error())
		return
	}
	named := map[validation.Machine]bool{}
	for _, id := range ids {
		name := validation.MachineOf(id)
		p, scheduled := m.wantedMaintenance.machines[name]
		if why := wrong(p, scheduled); why != "" {
			m.reply(request, 400, machineText(id, why))
			return
		}
		named[name] = true
	}
	m.writeMaintenance(request, m.wantedMaintenance.with(func(x *registrypb.Maintenance_Machine) bool {
		return !named[validation.MachineOf(x.GetId())] || edit(x)
	}))
}

// writeMaintenance makes a schedule durable. It counts at once for calls that
// come before the write is done.
func (m *Master) writeMaintenance(request Request, stored *registrypb.Maintenance) {
	m.wantedMaintenance = newMaintenance(stored)
	m.persistThen(maintained{request, m.writes + 1, stored}, &registrypb.Operation{
		Type: registrypb.Operation_SET_MAINTENANCE.Enum(), Maintenance: stored,
	})
}

// maintained: agents whose machine's plan has changed are offered anew, with
// what is planned; those of machines that are down are ended.
func (m *Master) maintained(ev maintained) {
	if ev.number > m.maintenanceWrite {
		m.maintenanceWrite = ev.number
		m.setMaintenance(newMaintenance(ev.stored))
	}
	m.reply(ev.request, 200, "")
}

func (m *Master) setMaintenance(s *maintenance) {
	old := m.maintenance
	m.maintenance = s
	for _, a := range m.agentOf {
		if a == nil || a.recovered {
			continue
		}
		was, _ := old.of(a)
		switch is, _ := m.maintenance.of(a); {
		case is.down:
			m.takeDown(a)
		case !proto.Equal(was.unavailability, is.unavailability):
			m.unavailabilityChanged(a)
		}
	}
}

// unavailabilityChanged takes back what was offered, and asked, under the plan before.
func (m *Master) unavailabilityChanged(a *agent) {
	m.rescindAll(a)
	m.rescindInverse(a)
	m.forgetAnswers(a)
	m.askSoon(a, m.now)
}

// unavailability is when operators will work on an agent's machine; nil: not that
// anybody knows.
func (m *Master) unavailability(a *agent) *mesospb.Unavailability {
	p, _ := m.maintenance.of(a)
	return p.unavailability
}

// tookDown follows the write that forgets an agent whose machine is down.
type tookDown struct{ id mesos.AgentID }

func (tookDown) event() {}

// takeDown ends an agent whose machine is down, as soon as no other write of its
// entry is under way. From here on it is offered to nobody.
func (m *Master) takeDown(a *agent) {
	if !a.recovered {
		m.cfg.Allocator.SetAgentActive(m.now, a.id, false)
		m.rescindAll(a)
	}
	if m.changing[a.id] != nil {
		return // changed looks again
	}
	m.change(a.id, nil, tookDown{a.id}, removeOp(a.id))
}

func (m *Master) tookDown(ev tookDown) {
	if a := m.agents[ev.id]; a != nil {
		if a.session != 0 {
			m.tellAgent(a, &linkpb.Event{Type: linkpb.Event_SHUTDOWN.Enum(), Shutdown: &linkpb.Shutdown{Message: new(downText)}})
		}
		m.removeAgent(a, downCause)
	}
	m.changed(ev.id)
}

// barred reports whether an agent comes from a machine that is down. It is turned
// away, and forgotten if it is one that a former master admitted.
func (m *Master) barred(id mesos.AgentID, ev AgentSubscribed) bool {
	_, ip := addressOf(ev)
	hostname := ev.Subscribe.GetAgent().GetHostname()
	if !m.maintenance.down(validation.MachineOf(&mesospb.MachineID{Hostname: &hostname, Ip: &ip})) {
		return false
	}
	m.turnAway(ev.Session, downText)
	if a := m.agents[id]; a != nil {
		m.takeDown(a)
	}
	return true
}

func (m *Master) recoverMaintenance(stored *registrypb.Maintenance) {
	m.maintenance = newMaintenance(stored)
	m.wantedMaintenance = m.maintenance
}
