package api

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/master/core"
	"github.com/soukproject/souk/master/validation"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
)

// operator answers POST /api/v1.
func (a *api) operator(w http.ResponseWriter, r *http.Request) {
	if err := a.operate(w, r); err != nil {
		callevent.WriteError(w, err)
	}
}

func (a *api) operate(w http.ResponseWriter, r *http.Request) error {
	call := &masterpb.Call{}
	if err := callevent.ReadCall(w, r, call, callevent.ReadOptions{MaxBytes: maxCall}); err != nil {
		return err
	}
	if _, known := masterpb.Call_Type_name[int32(call.GetType())]; !known {
		call.Type = nil // a newer client's; in JSON its name would not be known either
	}
	if err := validation.ValidateOperatorCall(call); err != nil {
		return invalid(err)
	}
	codec, err := callevent.Negotiate(r)
	if err != nil {
		return err
	}
	switch call.GetType() {
	case masterpb.Call_SUBSCRIBE:
		return a.watch(w, r, codec)
	case masterpb.Call_SET_LOGGING_LEVEL:
		set := call.GetSetLoggingLevel()
		a.verbosity.Raise(set.GetLevel(), time.Duration(set.GetDuration().GetNanoseconds()))
		callevent.WriteEmpty(w, http.StatusOK)
		return nil
	case masterpb.Call_TEARDOWN, masterpb.Call_UPDATE_WEIGHTS, masterpb.Call_UPDATE_QUOTA, masterpb.Call_SET_QUOTA, masterpb.Call_REMOVE_QUOTA,
		masterpb.Call_MARK_AGENT_GONE, masterpb.Call_DRAIN_AGENT, masterpb.Call_DEACTIVATE_AGENT, masterpb.Call_REACTIVATE_AGENT,
		masterpb.Call_UPDATE_MAINTENANCE_SCHEDULE, masterpb.Call_START_MAINTENANCE, masterpb.Call_STOP_MAINTENANCE,
		masterpb.Call_RESERVE_RESOURCES, masterpb.Call_UNRESERVE_RESOURCES, masterpb.Call_CREATE_VOLUMES, masterpb.Call_DESTROY_VOLUMES,
		masterpb.Call_GROW_VOLUME, masterpb.Call_SHRINK_VOLUME:
		return a.act(w, r, call)
	}
	response, err := a.answer(w, r, call)
	if err != nil || response == nil {
		return err
	}
	callevent.WriteMessage(w, r, codec, response)
	return nil
}

// act hands an action to the core and answers as it replies.
func (a *api) act(w http.ResponseWriter, r *http.Request, call *masterpb.Call) error {
	reply, err := a.Master.Call(r.Context(), func(request core.Request) core.Event {
		return core.Operated{Request: request, Principal: auth.Principal(r.Context()), Call: call}
	})
	if err != nil {
		return unavailable(err)
	}
	return writeReply(w, reply)
}

// answer is query, and what needs more than a context: a file that is not there
// is answered without a body.
func (a *api) answer(w http.ResponseWriter, r *http.Request, call *masterpb.Call) (*masterpb.Response, error) {
	switch call.GetType() {
	case masterpb.Call_LIST_FILES:
		return a.listFiles(w, call.GetListFiles())
	case masterpb.Call_READ_FILE:
		return a.readFile(w, call.GetReadFile())
	}
	return a.query(r.Context(), call)
}

// query answers a call that changes nothing.
func (a *api) query(ctx context.Context, call *masterpb.Call) (*masterpb.Response, error) {
	switch call.GetType() {
	case masterpb.Call_GET_HEALTH:
		return &masterpb.Response{Type: masterpb.Response_GET_HEALTH.Enum(), GetHealth: &masterpb.Response_GetHealth{Healthy: proto.Bool(true)}}, nil
	case masterpb.Call_GET_VERSION:
		return &masterpb.Response{Type: masterpb.Response_GET_VERSION.Enum(), GetVersion: &masterpb.Response_GetVersion{VersionInfo: a.versionInfo()}}, nil
	case masterpb.Call_GET_FLAGS:
		return &masterpb.Response{Type: masterpb.Response_GET_FLAGS.Enum(), GetFlags: a.getFlags()}, nil
	case masterpb.Call_GET_METRICS:
		return a.getMetrics(ctx, call.GetGetMetrics())
	case masterpb.Call_GET_LOGGING_LEVEL:
		return &masterpb.Response{Type: masterpb.Response_GET_LOGGING_LEVEL.Enum(),
			GetLoggingLevel: &masterpb.Response_GetLoggingLevel{Level: proto.Uint32(a.verbosity.Level())}}, nil
	case masterpb.Call_UNKNOWN:
		return nil, callevent.Errorf(http.StatusNotImplemented, "")
	}
	return a.queryView(ctx, call)
}

// queryView answers a call about agents, frameworks and tasks.
func (a *api) queryView(ctx context.Context, call *masterpb.Call) (*masterpb.Response, error) {
	answer, ok := answers(call.GetType())
	if !ok {
		return nil, callevent.Errorf(http.StatusNotImplemented,
			"501 Not Implemented. Call %s is not part of this version", call.GetType())
	}
	view, err := a.Master.View(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	return answer(a, view), nil
}

// answers finds what builds the answer to a call from a view.
func answers(t masterpb.Call_Type) (func(*api, *core.Snapshot) *masterpb.Response, bool) {
	switch t {
	case masterpb.Call_GET_STATE:
		return func(_ *api, v *core.Snapshot) *masterpb.Response {
			return &masterpb.Response{Type: masterpb.Response_GET_STATE.Enum(), GetState: v.GetState()}
		}, true
	case masterpb.Call_GET_AGENTS:
		return func(_ *api, v *core.Snapshot) *masterpb.Response {
			return &masterpb.Response{Type: masterpb.Response_GET_AGENTS.Enum(), GetAgents: v.GetAgents()}
		}, true
	case masterpb.Call_GET_FRAMEWORKS:
		return func(_ *api, v *core.Snapshot) *masterpb.Response {
			return &masterpb.Response{Type: masterpb.Response_GET_FRAMEWORKS.Enum(), GetFrameworks: v.GetFrameworks()}
		}, true
	case masterpb.Call_GET_TASKS:
		return func(_ *api, v *core.Snapshot) *masterpb.Response {
			return &masterpb.Response{Type: masterpb.Response_GET_TASKS.Enum(), GetTasks: v.GetTasks()}
		}, true
	case masterpb.Call_GET_EXECUTORS:
		return func(_ *api, v *core.Snapshot) *masterpb.Response {
			return &masterpb.Response{Type: masterpb.Response_GET_EXECUTORS.Enum(), GetExecutors: v.GetExecutors()}
		}, true
	case masterpb.Call_GET_ROLES:
		return func(_ *api, v *core.Snapshot) *masterpb.Response {
			return &masterpb.Response{Type: masterpb.Response_GET_ROLES.Enum(), GetRoles: v.GetRoles()}
		}, true
	case masterpb.Call_GET_WEIGHTS:
		return func(_ *api, v *core.Snapshot) *masterpb.Response {
			return &masterpb.Response{Type: masterpb.Response_GET_WEIGHTS.Enum(), GetWeights: v.GetWeights()}
		}, true
	case masterpb.Call_GET_MASTER:
		return func(a *api, v *core.Snapshot) *masterpb.Response {
			master := v.GetMaster()
			master.StartTime = proto.Float64(seconds(a.Started))
			return &masterpb.Response{Type: masterpb.Response_GET_MASTER.Enum(), GetMaster: master}
		}, true
	case masterpb.Call_GET_QUOTA:
		return func(_ *api, v *core.Snapshot) *masterpb.Response {
			return &masterpb.Response{Type: masterpb.Response_GET_QUOTA.Enum(), GetQuota: &masterpb.Response_GetQuota{Status: v.GetQuota()}}
		}, true
	case masterpb.Call_GET_MAINTENANCE_SCHEDULE:
		return func(_ *api, v *core.Snapshot) *masterpb.Response {
			return &masterpb.Response{Type: masterpb.Response_GET_MAINTENANCE_SCHEDULE.Enum(),
				GetMaintenanceSchedule: &masterpb.Response_GetMaintenanceSchedule{Schedule: v.MaintenanceSchedule()}}
		}, true
	case masterpb.Call_GET_MAINTENANCE_STATUS:
		return func(_ *api, v *core.Snapshot) *masterpb.Response {
			return &masterpb.Response{Type: masterpb.Response_GET_MAINTENANCE_STATUS.Enum(),
				GetMaintenanceStatus: &masterpb.Response_GetMaintenanceStatus{Status: v.MaintenanceStatus()}}
		}, true
	case masterpb.Call_GET_OPERATIONS:
		return func(_ *api, v *core.Snapshot) *masterpb.Response {
			return &masterpb.Response{Type: masterpb.Response_GET_OPERATIONS.Enum(),
				GetOperations: &masterpb.Response_GetOperations{Operations: v.Operations}}
		}, true
	}
	return nil, false
}

func (a *api) getFlags() *masterpb.Response_GetFlags {
	flags := &masterpb.Response_GetFlags{}
	for _, f := range a.Flags {
		if f.Set {
			flags.Flags = append(flags.Flags, &mesospb.Flag{Name: proto.String(f.Name), Value: proto.String(f.Value)})
		}
	}
	return flags
}

func (a *api) getMetrics(ctx context.Context, call *masterpb.Call_GetMetrics) (*masterpb.Response, error) {
	timeout := 10 * time.Second
	if call.GetTimeout() != nil {
		timeout = time.Duration(call.GetTimeout().GetNanoseconds())
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	all := &masterpb.Response_GetMetrics{}
	for _, v := range a.Metrics.Snapshot(ctx) {
		all.Metrics = append(all.Metrics, &mesospb.Metric{Name: proto.String(v.Name), Value: proto.Float64(v.Value)})
	}
	return &masterpb.Response{Type: masterpb.Response_GET_METRICS.Enum(), GetMetrics: all}, nil
}
