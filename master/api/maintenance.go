package api

import (
	"bytes"
	"errors"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/master/core"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	maintenancepb "github.com/soukproject/souk/proto/mesos/v1/maintenance"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// maintenanceSchedule answers GET and POST /maintenance/schedule (mesos-api 22.1).
func (a *api) maintenanceSchedule(w http.ResponseWriter, r *http.Request) {
	err := callevent.CheckMethod(w, r, http.MethodGet, http.MethodPost)
	switch {
	case err != nil:
	case r.Method == http.MethodPost:
		err = a.postSchedule(w, r)
	default:
		a.viewed(w, r, func(d *doc, v *core.Snapshot) { d.message(v.MaintenanceSchedule()) })
	}
	if err != nil {
		callevent.WriteError(w, err)
	}
}

// postSchedule replaces the schedule by the one in the body.
func (a *api) postSchedule(w http.ResponseWriter, r *http.Request) error {
	body, err := callevent.ReadBody(w, r, callevent.ReadOptions{MaxBytes: maxCall})
	if err != nil {
		return err
	}
	schedule := &maintenancepb.Schedule{}
	if err := callevent.Unmarshal(callevent.JSON, body, schedule); err != nil {
		return callevent.Errorf(http.StatusBadRequest, "%v", err)
	}
	return a.act(w, r, &masterpb.Call{
		Type: masterpb.Call_UPDATE_MAINTENANCE_SCHEDULE.Enum(), UpdateMaintenanceSchedule: &masterpb.Call_UpdateMaintenanceSchedule{Schedule: schedule},
	})
}

// maintenanceStatus answers /maintenance/status.
func (a *api) maintenanceStatus(w http.ResponseWriter, r *http.Request) {
	if err := callevent.CheckMethod(w, r, http.MethodGet); err != nil {
		callevent.WriteError(w, err)
		return
	}
	a.viewed(w, r, func(d *doc, v *core.Snapshot) { d.message(v.MaintenanceStatus()) })
}

// machineDown answers /machine/down: what runs on the machines in the body ends.
func (a *api) machineDown(w http.ResponseWriter, r *http.Request) {
	a.machines(w, r, func(ids []*mesospb.MachineID) *masterpb.Call {
		return &masterpb.Call{Type: masterpb.Call_START_MAINTENANCE.Enum(), StartMaintenance: &masterpb.Call_StartMaintenance{Machines: ids}}
	})
}

// machineUp answers /machine/up: the machines in the body are back in use.
func (a *api) machineUp(w http.ResponseWriter, r *http.Request) {
	a.machines(w, r, func(ids []*mesospb.MachineID) *masterpb.Call {
		return &masterpb.Call{Type: masterpb.Call_STOP_MAINTENANCE.Enum(), StopMaintenance: &masterpb.Call_StopMaintenance{Machines: ids}}
	})
}

func (a *api) machines(w http.ResponseWriter, r *http.Request, call func([]*mesospb.MachineID) *masterpb.Call) {
	err := callevent.CheckMethod(w, r, http.MethodPost)
	if err == nil {
		var ids []*mesospb.MachineID
		if ids, err = readMachines(w, r); err == nil {
			err = a.act(w, r, call(ids))
		}
	}
	if err != nil {
		callevent.WriteError(w, err)
	}
}

// readMachines reads a list of machines. A single object is not taken for a list.
func readMachines(w http.ResponseWriter, r *http.Request) (ids []*mesospb.MachineID, err error) {
	body, err := callevent.ReadBody(w, r, callevent.ReadOptions{MaxBytes: maxCall})
	if err != nil {
		return nil, err
	}
	err = callevent.UnmarshalList(body, func() proto.Message {
		ids = append(ids, &mesospb.MachineID{})
		return ids[len(ids)-1]
	})
	reason := errors.Unwrap(err) // of an element that is no machine
	switch {
	case err != nil && reason == nil:
		return nil, callevent.Errorf(http.StatusBadRequest, "%v", err)
	case !bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")):
		return nil, callevent.Errorf(http.StatusBadRequest, "Unexpected JSON type parsed")
	case err != nil:
		return nil, callevent.Errorf(http.StatusBadRequest, "%v", reason)
	}
	return ids, nil
}
