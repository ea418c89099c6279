package api

import (
	"net/http"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// registry answers /registrar(1)/registry. Readers take turns: each reads all
// of the store.
func (a *api) registry(w http.ResponseWriter, r *http.Request) {
	select {
	case a.readers <- struct{}{}:
		defer func() { <-a.readers }()
	case <-r.Context().Done():
		return
	}
	registry, err := a.Master.Registry(r.Context())
	if err != nil {
		callevent.WriteError(w, unavailable(err))
		return
	}
	d := &doc{}
	d.object(func() { d.registry(registry) })
	daemon.WriteJSON(w, r, d.b)
}

// registry writes the parts that there are, in the words of Mesos (mesos-api 7.2).
func (d *doc) registry(r *registrypb.Registry) {
	if master := r.GetMeta().GetMaster(); master != nil {
		d.objectAt("master", func() {
			d.key("info")
			d.message(master)
		})
	}
	listIn(d, "slaves", "slaves", r.GetAgents(), func(a *registrypb.Agent) {
		d.key("info")
		d.message(a.GetInfo())
		d.operatorMarks(a)
	})
	listIn(d, "unreachable", "slaves", r.GetUnreachable(), func(u *registrypb.Unreachable) {
		d.key("id")
		d.message(u.GetInfo().GetId())
		d.key("timestamp")
		d.message(u.GetSince())
		d.operatorMarks(u)
	})
	listIn(d, "gone", "slaves", r.GetGone(), func(g *registrypb.Gone) {
		d.key("id")
		d.message(g.GetId())
		d.key("timestamp")
		d.message(g.GetSince())
	})
	d.maintenance(r.GetMaintenance())
	if len(r.GetQuotas()) > 0 {
		messagesAt(d, "quota_configs", r.GetQuotas())
	}
	if len(r.GetWeights()) > 0 {
		d.listAt("weights", func() {
			for _, w := range r.GetWeights() {
				d.object(func() {
					d.objectAt("info", func() {
						d.doubleAt("weight", w.GetWeight())
						d.textAt("role", w.GetRole())
					})
				})
			}
		})
	}
}

// listIn writes a list inside an object of its own, as Mesos' registry has them.
func listIn[E any](d *doc, part, name string, all []E, write func(E)) {
	if len(all) == 0 {
		return
	}
	d.objectAt(part, func() {
		d.listAt(name, func() {
			for _, one := range all {
				d.object(func() { write(one) })
			}
		})
	})
}

// operatorMarks writes what an operator asked for an agent.
func (d *doc) operatorMarks(marked interface {
	GetDeactivated() bool
	GetDrainInfo() *mesospb.DrainInfo
}) {
	if drain := marked.GetDrainInfo(); drain != nil {
		d.key("drain_info")
		d.message(drain)
	}
	d.boolAt("deactivated", marked.GetDeactivated())
}

// maintenance writes the machines that the schedule names, and the schedule.
func (d *doc) maintenance(m *registrypb.Maintenance) {
	if len(m.GetWindows()) == 0 {
		return
	}
	d.objectAt("machines", func() {
		d.listAt("machines", func() {
			for _, w := range m.GetWindows() {
				for _, machine := range w.GetMachines() {
					d.object(func() { d.machine(machine, w.GetUnavailability()) })
				}
			}
		})
	})
	d.listAt("schedules", func() {
		d.object(func() {
			d.listAt("windows", func() {
				for _, w := range m.GetWindows() {
					d.object(func() { d.window(w) })
				}
			})
		})
	})
}

func (d *doc) machine(machine *registrypb.Maintenance_Machine, unavailability *mesospb.Unavailability) {
	mode := mesospb.MachineInfo_DRAINING
	if machine.GetDown() {
		mode = mesospb.MachineInfo_DOWN
	}
	d.key("info")
	d.message(&mesospb.MachineInfo{Id: machine.GetId(), Mode: mode.Enum(), Unavailability: unavailability})
}

func (d *doc) window(w *registrypb.Maintenance_Window) {
	d.listAt("machine_ids", func() {
		for _, machine := range w.GetMachines() {
			d.message(machine.GetId())
		}
	})
	d.key("unavailability")
	d.message(w.GetUnavailability())
}
