package api

import (
	"context"
	"net/http"
	"time"

	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/files"
	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
)

// metricsTimeout bounds GET_METRICS when the caller names no timeout.
const metricsTimeout = 10 * time.Second

func terminal(s mesospb.TaskState) bool { return mesos.Terminal(s) }

// operator answers POST /api/v1.
func (a *api) operator(w http.ResponseWriter, r *http.Request) {
	if err := a.operate(w, r); err != nil {
		callevent.WriteError(w, err)
	}
}

func (a *api) operate(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodPost && callevent.StreamingRequest(r) {
		return a.attachInput(w, r)
	}
	call := &agentpb.Call{}
	if err := callevent.ReadCall(w, r, call, callevent.ReadOptions{Agent: true}); err != nil {
		return err
	}
	if err := validate(call); err != nil {
		return err
	}
	codec, recordIO, err := callevent.NegotiateAgent(r)
	if err != nil {
		return err
	}
	if stream := a.streaming(call); stream != nil {
		return stream(r, newProcessStream(w, codec, recordIO))
	}
	if recordIO {
		return callevent.Errorf(http.StatusNotAcceptable, "Streaming response is not supported for %s call", call.GetType())
	}
	if r.Header.Get("Message-Accept") != "" {
		return callevent.Errorf(http.StatusNotAcceptable, "Expecting 'Message-Accept' to be not set for non-streaming responses")
	}
	if ok, err := a.control(w, call); ok {
		return err
	}
	response, err := a.respond(w, r, call)
	if response != nil {
		callevent.WriteMessage(w, r, codec, response)
	}
	return err
}

// validate wants the member that a call's type names.
func validate(call *agentpb.Call) error {
	missing := ""
	switch call.GetType() {
	case agentpb.Call_GET_METRICS:
		missing = absentUnless(call.GetMetrics != nil, "get_metrics")
	case agentpb.Call_LIST_FILES:
		missing = absentUnless(call.ListFiles != nil, "list_files")
	case agentpb.Call_READ_FILE:
		missing = absentUnless(call.ReadFile != nil, "read_file")
	case agentpb.Call_SET_LOGGING_LEVEL:
		missing = absentUnless(call.SetLoggingLevel != nil, "set_logging_level")
	case agentpb.Call_ATTACH_CONTAINER_INPUT:
		missing = absentUnless(call.AttachContainerInput != nil, "attach_container_input")
	case agentpb.Call_ADD_RESOURCE_PROVIDER_CONFIG:
		missing = absentUnless(call.AddResourceProviderConfig != nil, "add_resource_provider_config")
	case agentpb.Call_UPDATE_RESOURCE_PROVIDER_CONFIG:
		missing = absentUnless(call.UpdateResourceProviderConfig != nil, "update_resource_provider_config")
	case agentpb.Call_REMOVE_RESOURCE_PROVIDER_CONFIG:
		missing = absentUnless(call.RemoveResourceProviderConfig != nil, "remove_resource_provider_config")
	case agentpb.Call_MARK_RESOURCE_PROVIDER_GONE:
		missing = absentUnless(call.MarkResourceProviderGone != nil, "mark_resource_provider_gone")
	}
	if call.Type == nil {
		missing = "type"
	}
	if missing == "" {
		return validateNested(call)
	}
	return callevent.Errorf(http.StatusBadRequest, "Failed to validate agent::Call: Expecting '%s' to be present", missing)
}

func absentUnless(there bool, name string) string {
	if there {
		return ""
	}
	return name
}

// respond makes the answer; nil without an error means that it was written.
func (a *api) respond(w http.ResponseWriter, r *http.Request, call *agentpb.Call) (*agentpb.Response, error) {
	switch call.GetType() {
	case agentpb.Call_UNKNOWN:
		return nil, callevent.Errorf(http.StatusNotImplemented, "")
	case agentpb.Call_GET_HEALTH:
		return &agentpb.Response{Type: agentpb.Response_GET_HEALTH.Enum(), GetHealth: &agentpb.Response_GetHealth{Healthy: new(true)}}, nil
	case agentpb.Call_GET_VERSION:
		return &agentpb.Response{Type: agentpb.Response_GET_VERSION.Enum(), GetVersion: &agentpb.Response_GetVersion{VersionInfo: a.Build.info()}}, nil
	case agentpb.Call_GET_LOGGING_LEVEL:
		return &agentpb.Response{Type: agentpb.Response_GET_LOGGING_LEVEL.Enum(),
			GetLoggingLevel: &agentpb.Response_GetLoggingLevel{Level: new(a.verbosity.Level())}}, nil
	case agentpb.Call_GET_FLAGS:
		return &agentpb.Response{Type: agentpb.Response_GET_FLAGS.Enum(), GetFlags: a.getFlags()}, nil
	case agentpb.Call_GET_METRICS:
		return a.getMetrics(r.Context(), call.GetGetMetrics()), nil
	case agentpb.Call_LIST_FILES:
		return a.listFiles(w, call.GetListFiles().GetPath())
	case agentpb.Call_READ_FILE:
		return a.readFile(w, call.GetReadFile())
	}
	if isNested(call.GetType()) {
		return a.nested(w, r, call)
	}
	return a.respondWith(r.Context(), call)
}

// respondWith answers calls about what the agent knows.
func (a *api) respondWith(ctx context.Context, call *agentpb.Call) (*agentpb.Response, error) {
	s, err := a.Agent.Snapshot(ctx)
	if err != nil {
		return nil, callevent.Errorf(http.StatusServiceUnavailable, "Agent is stopping")
	}
	switch call.GetType() {
	case agentpb.Call_GET_STATE:
		return &agentpb.Response{Type: agentpb.Response_GET_STATE.Enum(), GetState: &agentpb.Response_GetState{
			GetTasks: getTasks(s), GetExecutors: getExecutors(s), GetFrameworks: getFrameworks(s),
		}}, nil
	case agentpb.Call_GET_AGENT:
		return &agentpb.Response{Type: agentpb.Response_GET_AGENT.Enum(), GetAgent: &agentpb.Response_GetAgent{AgentInfo: s.Info}}, nil
	case agentpb.Call_GET_OPERATIONS:
		return &agentpb.Response{Type: agentpb.Response_GET_OPERATIONS.Enum(),
			GetOperations: &agentpb.Response_GetOperations{Operations: s.Operations}}, nil
	case agentpb.Call_GET_CONTAINERS:
		return &agentpb.Response{Type: agentpb.Response_GET_CONTAINERS.Enum(), GetContainers: a.getContainers(ctx, s, call.GetGetContainers())}, nil
	case agentpb.Call_GET_RESOURCE_PROVIDERS:
		return &agentpb.Response{Type: agentpb.Response_GET_RESOURCE_PROVIDERS.Enum(), GetResourceProviders: &agentpb.Response_GetResourceProviders{}}, nil
	case agentpb.Call_GET_TASKS:
		return &agentpb.Response{Type: agentpb.Response_GET_TASKS.Enum(), GetTasks: getTasks(s)}, nil
	case agentpb.Call_GET_EXECUTORS:
		return &agentpb.Response{Type: agentpb.Response_GET_EXECUTORS.Enum(), GetExecutors: getExecutors(s)}, nil
	case agentpb.Call_GET_FRAMEWORKS:
		return &agentpb.Response{Type: agentpb.Response_GET_FRAMEWORKS.Enum(), GetFrameworks: getFrameworks(s)}, nil
	}
	return nil, callevent.Errorf(http.StatusNotImplemented, "501 Not Implemented. This agent does not have %s yet", call.GetType())
}

func (a *api) getFlags() *agentpb.Response_GetFlags {
	list := &agentpb.Response_GetFlags{}
	for _, f := range a.Flags {
		if f.Set {
			list.Flags = append(list.Flags, &mesospb.Flag{Name: new(f.Name), Value: new(f.Value)})
		}
	}
	return list
}

func (a *api) getMetrics(ctx context.Context, call *agentpb.Call_GetMetrics) *agentpb.Response {
	timeout := metricsTimeout
	if t := call.GetTimeout(); t != nil {
		timeout = time.Duration(t.GetNanoseconds())
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	list := &agentpb.Response_GetMetrics{}
	for _, v := range a.Metrics.Snapshot(ctx) {
		list.Metrics = append(list.Metrics, &mesospb.Metric{Name: new(v.Name), Value: new(v.Value)})
	}
	return &agentpb.Response{Type: agentpb.Response_GET_METRICS.Enum(), GetMetrics: list}
}

func (a *api) listFiles(w http.ResponseWriter, name string) (*agentpb.Response, error) {
	list, err := files.Messages(a.Files, name)
	if err != nil {
		return nil, files.CallError(w, name, err)
	}
	return &agentpb.Response{Type: agentpb.Response_LIST_FILES.Enum(), ListFiles: &agentpb.Response_ListFiles{FileInfos: list}}, nil
}

func (a *api) readFile(w http.ResponseWriter, call *agentpb.Call_ReadFile) (*agentpb.Response, error) {
	data, size, err := files.ReadCall(a.Files, call)
	if err != nil {
		return nil, files.CallError(w, call.GetPath(), err)
	}
	return &agentpb.Response{Type: agentpb.Response_READ_FILE.Enum(), ReadFile: &agentpb.Response_ReadFile{Size: &size, Data: data}}, nil
}

func (a *api) getContainers(ctx context.Context, s core.Snapshot, call *agentpb.Call_GetContainers) *agentpb.Response_GetContainers {
	list := &agentpb.Response_GetContainers{}
	for _, m := range a.measure(ctx, s, "") {
		x := m.executor
		list.Containers = append(list.Containers, &agentpb.Response_GetContainers_Container{
			FrameworkId:        &mesospb.FrameworkID{Value: new(string(x.Run.Framework))},
			ExecutorId:         &mesospb.ExecutorID{Value: new(string(x.Run.Executor))},
			ExecutorName:       new(x.Info.GetName()),
			ContainerId:        &mesospb.ContainerID{Value: new(string(x.Run.Container))},
			ContainerStatus:    containerStatus(x),
			ResourceStatistics: m.statistics,
		})
	}
	list.Containers = append(list.Containers, a.nestedContainers(ctx, s, call)...)
	return list
}

func getFrameworks(s core.Snapshot) *agentpb.Response_GetFrameworks {
	list := &agentpb.Response_GetFrameworks{}
	for _, f := range s.Frameworks {
		list.Frameworks = append(list.Frameworks, &agentpb.Response_GetFrameworks_Framework{FrameworkInfo: f.Info})
	}
	for _, f := range s.Completed {
		list.CompletedFrameworks = append(list.CompletedFrameworks, &agentpb.Response_GetFrameworks_Framework{FrameworkInfo: f.Info})
	}
	return list
}

func getExecutors(s core.Snapshot) *agentpb.Response_GetExecutors {
	list := &agentpb.Response_GetExecutors{}
	wrap := func(x core.Executor) *agentpb.Response_GetExecutors_Executor {
		return &agentpb.Response_GetExecutors_Executor{ExecutorInfo: x.Info}
	}
	for _, f := range s.Frameworks {
		list.Executors = append(list.Executors, docs(f.Executors, wrap)...)
		list.CompletedExecutors = append(list.CompletedExecutors, docs(f.Completed, wrap)...)
	}
	for _, f := range s.Completed {
		list.CompletedExecutors = append(list.CompletedExecutors, docs(f.Completed, wrap)...)
	}
	return list
}

// getTasks sorts tasks by how far they are (mesos-api 6.1).
func getTasks(s core.Snapshot) *agentpb.Response_GetTasks {
	list := &agentpb.Response_GetTasks{}
	for _, f := range append(append([]core.Framework{}, s.Frameworks...), s.Completed...) {
		for _, t := range f.Refused {
			list.TerminatedTasks = append(list.TerminatedTasks, wireTask(f, core.Executor{BuiltIn: t.Info.GetExecutor() == nil, Info: t.Info.GetExecutor()}, t))
		}
		for _, x := range append(append([]core.Executor{}, f.Executors...), f.Completed...) {
			for _, t := range x.Tasks {
				place := &list.LaunchedTasks
				switch {
				case terminal(t.State) && t.Pending:
					place = &list.TerminatedTasks
				case terminal(t.State):
					place = &list.CompletedTasks
				case t.Queued:
					place = &list.QueuedTasks
				}
				*place = append(*place, wireTask(f, x, t))
			}
		}
	}
	return list
}

// userOf is whom a task names to run as, itself or through the executor that it brings.
func userOf(t *mesospb.TaskInfo) *string {
	for _, c := range []*mesospb.CommandInfo{t.GetCommand(), t.GetExecutor().GetCommand()} {
		if c != nil && c.User != nil {
			return c.User
		}
	}
	return nil
}

// wireTask is a task as the v1 API shows it; a command task has no executor_id.
func wireTask(f core.Framework, x core.Executor, t core.Task) *mesospb.Task {
	task := &mesospb.Task{
		Name: t.Info.Name, TaskId: t.Info.GetTaskId(), FrameworkId: f.Info.GetId(), AgentId: t.Info.GetAgentId(),
		State: t.State.Enum(), Resources: t.Info.GetResources(), Statuses: t.Statuses, Labels: t.Info.GetLabels(),
		Discovery: t.Info.GetDiscovery(), Container: t.Info.GetContainer(), User: userOf(t.Info),
		HealthCheck: t.Info.GetHealthCheck(), KillPolicy: t.Info.GetKillPolicy(), Limits: t.Info.GetLimits(),
	}
	if !x.BuiltIn {
		task.ExecutorId = x.Info.GetExecutorId()
	}
	if n := len(t.Statuses); n > 0 {
		last := t.Statuses[n-1]
		task.StatusUpdateState, task.StatusUpdateUuid = last.GetState().Enum(), last.GetUuid()
	}
	return task
}
