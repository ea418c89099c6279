package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/nested"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	agentpb "github.com/soukproject/souk/proto/mesos/v1/agent"
)

// nestedCall is what the calls about one container have in common.
type nestedCall struct {
	name   string // of the member that holds the call
	there  bool
	id     *mesospb.ContainerID
	nested bool // an older call, for nested containers only

	launch    bool
	session   bool
	command   *mesospb.CommandInfo
	container *mesospb.ContainerInfo
	resources []*mesospb.Resource
	limits    map[string]*mesospb.Value_Scalar
	signal    int32
}

// nestedCallOf reads any of the calls; ok is false for others.
func nestedCallOf(call *agentpb.Call) (n nestedCall, ok bool) {
	switch call.GetType() {
	case agentpb.Call_LAUNCH_CONTAINER:
		c := call.GetLaunchContainer()
		return nestedCall{name: "launch_container", there: c != nil, id: c.GetContainerId(), launch: true,
			command: c.GetCommand(), container: c.GetContainer(), resources: c.GetResources(), limits: c.GetLimits()}, true
	case agentpb.Call_LAUNCH_NESTED_CONTAINER:
		c := call.GetLaunchNestedContainer()
		return nestedCall{name: "launch_nested_container", there: c != nil, id: c.GetContainerId(), nested: true, launch: true,
			command: c.GetCommand(), container: c.GetContainer()}, true
	case agentpb.Call_LAUNCH_NESTED_CONTAINER_SESSION:
		c := call.GetLaunchNestedContainerSession()
		return nestedCall{name: "launch_nested_container_session", there: c != nil, id: c.GetContainerId(), nested: true,
			launch: true, session: true, command: c.GetCommand(), container: c.GetContainer()}, true
	case agentpb.Call_WAIT_CONTAINER:
		c := call.GetWaitContainer()
		return nestedCall{name: "wait_container", there: c != nil, id: c.GetContainerId()}, true
	case agentpb.Call_WAIT_NESTED_CONTAINER:
		c := call.GetWaitNestedContainer()
		return nestedCall{name: "wait_nested_container", there: c != nil, id: c.GetContainerId(), nested: true}, true
	case agentpb.Call_KILL_CONTAINER:
		c := call.GetKillContainer()
		return nestedCall{name: "kill_container", there: c != nil, id: c.GetContainerId(), signal: c.GetSignal()}, true
	case agentpb.Call_KILL_NESTED_CONTAINER:
		c := call.GetKillNestedContainer()
		return nestedCall{name: "kill_nested_container", there: c != nil, id: c.GetContainerId(), nested: true, signal: c.GetSignal()}, true
	case agentpb.Call_REMOVE_CONTAINER:
		c := call.GetRemoveContainer()
		return nestedCall{name: "remove_container", there: c != nil, id: c.GetContainerId()}, true
	case agentpb.Call_REMOVE_NESTED_CONTAINER:
		c := call.GetRemoveNestedContainer()
		return nestedCall{name: "remove_nested_container", there: c != nil, id: c.GetContainerId(), nested: true}, true
	case agentpb.Call_ATTACH_CONTAINER_OUTPUT:
		c := call.GetAttachContainerOutput()
		return nestedCall{name: "attach_container_output", there: c != nil, id: c.GetContainerId()}, true
	}
	return nestedCall{}, false
}

func isNested(t agentpb.Call_Type) bool {
	_, ok := nestedCallOf(&agentpb.Call{Type: &t})
	return ok
}

// invalid is how Mesos says what is wrong with a call.
func invalid(format string, args ...any) error {
	return callevent.Errorf(http.StatusBadRequest, "Failed to validate agent::Call: "+format, args...)
}

// validateNested checks a call about one container (mesos-api 6.2).
func validateNested(call *agentpb.Call) error {
	n, ok := nestedCallOf(call)
	if !ok {
		return nil
	}
	if !n.there {
		return invalid("Expecting '%s' to be present", n.name)
	}
	if err := checkContainerID(n.id); err != nil {
		return invalid("'%s.container_id' is invalid: %v", n.name, err)
	}
	if n.nested && n.id.Parent == nil {
		return invalid("Expecting '%s.container_id.parent' to be present", n.name)
	}
	if !n.launch {
		return nil
	}
	return n.validateLaunch()
}

// maxLevels bounds how deep a name may go; see maxDepth of the containerizer.
const maxLevels = 32

func checkContainerID(id *mesospb.ContainerID) error {
	const most = 242
	for level := 0; id != nil; id, level = id.Parent, level+1 {
		value := id.GetValue()
		if err := mesos.CheckID(value); err != nil {
			return err
		}
		switch {
		case len(value) > most:
			return fmt.Errorf("'ContainerID.value' '%s' exceeds %d characters", value, most)
		case strings.ContainsAny(value, ". "):
			return fmt.Errorf("'ContainerID.value' '%s' contains invalid characters", value)
		case level >= maxLevels:
			return fmt.Errorf("containers are nested at most %d deep", maxLevels)
		}
	}
	return nil
}

// linuxInfo is never nil.
func linuxInfo(c *mesospb.ContainerInfo) *mesospb.LinuxInfo {
	if info := c.GetLinuxInfo(); info != nil {
		return info
	}
	return &mesospb.LinuxInfo{}
}

// A choice in a message may have been left to us.
type choice int

const (
	open choice = iota
	yes
	no
)

func answerOf(field *bool) choice {
	switch {
	case field == nil:
		return open
	case *field:
		return yes
	}
	return no
}

func (n nestedCall) validateLaunch() error {
	shares := answerOf(linuxInfo(n.container).ShareCgroups)
	for _, v := range n.command.GetEnvironment().GetVariables() {
		if v.GetType() == mesospb.Environment_Variable_VALUE && v.Value == nil {
			return invalid("'%s.command' is invalid: Environment variable '%s' of type 'VALUE' must have a value set", n.name, v.GetName())
		}
	}
	switch {
	case n.id.GetParent().GetParent() != nil && len(n.resources) > 0:
		return invalid("'%s' is invalid: containers nested at the second level or greater cannot specify resources", n.name)
	case n.id.GetParent().GetParent() != nil && len(n.limits) > 0:
		return invalid("'%s' is invalid: containers nested at the second level or greater cannot specify resource limits", n.name)
	case n.id.GetParent().GetParent() != nil && shares == no:
		return invalid("'%s' is invalid: containers nested at the second level or greater cannot set 'share_cgroups' to 'false'", n.name)
	case n.session && shares == no:
		return invalid("'%s.container.linux_info' is invalid: 'share_cgroups' cannot be set to 'false' for nested container sessions", n.name)
	case n.id.Parent == nil && shares == yes:
		return invalid("'%s' is invalid: containers without a parent cannot set 'share_cgroups' to 'true'", n.name)
	}
	for _, r := range n.resources {
		switch {
		case len(r.GetReservations()) > 0:
			return invalid("'%s.resources' must be unreserved", n.name)
		case r.GetDisk().GetPersistence() != nil:
			return invalid("'%s.resources' must not have persistent volumes", n.name)
		case r.GetRevocable() != nil:
			return invalid("'%s.resources' must be non-revocable", n.name)
		}
	}
	if _, err := resources.FromProto(n.resources); err != nil {
		return invalid("'%s.resources' is invalid: %v", n.name, err)
	}
	return nil
}

// nameOf is the ID of a container, the outermost first.
func nameOf(id *mesospb.ContainerID) (p nested.ID) {
	for ; id != nil; id = id.Parent {
		p = append(p, id.GetValue())
	}
	slices.Reverse(p)
	return p
}

func wireID(p nested.ID) (id *mesospb.ContainerID) {
	for _, value := range p {
		id = &mesospb.ContainerID{Value: new(value), Parent: id}
	}
	return id
}

// nested answers the calls that do not stream; nil without an error means that
// the answer is its status, and was written.
func (a *api) nested(w http.ResponseWriter, r *http.Request, call *agentpb.Call) (*agentpb.Response, error) {
	n, _ := nestedCallOf(call)
	id := nameOf(n.id)
	switch call.GetType() {
	case agentpb.Call_LAUNCH_CONTAINER, agentpb.Call_LAUNCH_NESTED_CONTAINER:
		launched, err := a.launchNested(r.Context(), n)
		if err == nil && !launched {
			callevent.WriteEmpty(w, http.StatusAccepted)
		}
		return nil, err
	case agentpb.Call_WAIT_CONTAINER, agentpb.Call_WAIT_NESTED_CONTAINER:
		return a.waitNested(r.Context(), call.GetType(), id)
	case agentpb.Call_KILL_CONTAINER, agentpb.Call_KILL_NESTED_CONTAINER:
		sig := syscall.Signal(n.signal)
		if n.signal == 0 {
			sig = syscall.SIGKILL
		}
		return nil, a.killNested(r.Context(), id, sig)
	}
	switch err := a.Nested.Remove(r.Context(), id); {
	case errors.Is(err, nested.ErrRunning):
		return nil, callevent.Errorf(http.StatusInternalServerError, "Nested container has not terminated yet")
	default:
		return nil, err
	}
}

func (a *api) launchNested(ctx context.Context, n nestedCall) (bool, error) {
	q, err := a.request(ctx, n)
	if err != nil {
		return false, err
	}
	launched, err := a.Nested.Launch(ctx, q)
	if err != nil {
		return false, callevent.Errorf(http.StatusBadRequest, "%v", err)
	}
	return launched, nil
}

// request is what the Registry is asked for, or why it cannot be had.
func (a *api) request(ctx context.Context, n nestedCall) (nested.Request, error) {
	q := nested.Request{ID: nameOf(n.id), Session: n.session, Command: containerizer.Command{
		Shell: n.command.GetShell(), Value: n.command.GetValue(), User: n.command.GetUser(),
	}}
	refuse := func(format string, args ...any) (nested.Request, error) {
		return q, callevent.Errorf(http.StatusBadRequest, format, args...)
	}
	c := n.container
	switch {
	case c != nil && c.GetType() == mesospb.ContainerInfo_DOCKER:
		return refuse("The provided ContainerInfo is not supported")
	case c.GetMesos().GetImage() != nil:
		return refuse("A nested or standalone container with an image of its own is not supported: leave mesos.image out")
	case len(c.GetVolumes()) > 0:
		return refuse("A nested or standalone container with volumes of its own is not supported: leave container.volumes out")
	case len(c.GetNetworkInfos()) > 0:
		return refuse("A nested or standalone container with networks of its own is not supported: leave container.network_infos out")
	case len(n.command.GetUris()) > 0:
		return refuse("Fetching for a nested or standalone container is not supported: leave command.uris out")
	case n.command.GetValue() == "":
		return refuse("A container without a command is not supported: set command.value")
	}
	if !q.Command.Shell {
		q.Command.Args = n.command.GetArguments()
	}
	for _, v := range n.command.GetEnvironment().GetVariables() {
		value := v.GetValue()
		if v.GetType() == mesospb.Environment_Variable_SECRET {
			value = string(v.GetSecret().GetValue().GetData())
		}
		q.Command.Env = append(q.Command.Env, v.GetName()+"="+value)
	}
	if tty := c.GetTtyInfo(); tty != nil {
		q.TTY = window(tty)
	}
	linux := linuxInfo(c)
	q.OwnPIDs = answerOf(linux.SharePidNamespace) == no
	if len(q.ID) == 1 || answerOf(linux.ShareCgroups) == no {
		q.Limits = limits(n.resources, n.limits)
		q.OwnPIDs = q.OwnPIDs && len(q.ID) > 1
		return q, nil
	}
	s, err := a.Agent.Snapshot(ctx)
	if err != nil {
		return q, callevent.Errorf(http.StatusServiceUnavailable, "Agent is stopping")
	}
	if x, ok := executorIn(s, q.ID[0]); ok {
		q.Base, q.Task = a.directory(x.Run), taskIn(x, q.ID[:len(q.ID)-1])
	}
	return q, nil
}

// taskIn reports whether a container is that of a task of the default executor x.
func taskIn(x core.Executor, id nested.ID) bool {
	return slices.ContainsFunc(x.Nested(), func(t core.Task) bool { return string(t.Run.Container) == id.String() })
}

// isTask reports whether a container that runs is that of a task of a default executor.
func (a *api) isTask(ctx context.Context, id nested.ID) bool {
	s, err := a.Agent.Snapshot(ctx)
	if err != nil {
		return false
	}
	x, ok := executorIn(s, id[0])
	return ok && taskIn(x, id)
}

// executorIn finds the executor that runs in a container.
func executorIn(s core.Snapshot, container string) (core.Executor, bool) {
	for _, f := range s.Frameworks {
		for _, x := range f.Executors {
			if x.Running && string(x.Run.Container) == container {
				return x, true
			}
		}
	}
	return core.Executor{}, false
}

func window(tty *mesospb.TTYInfo) *containerizer.Window {
	size := tty.GetWindowSize()
	return &containerizer.Window{Rows: uint16(min(size.GetRows(), 1<<16-1)), Columns: uint16(min(size.GetColumns(), 1<<16-1))}
}

// limits are the bounds that resources, already checked, stand for.
func limits(list []*mesospb.Resource, most map[string]*mesospb.Value_Scalar) (l containerizer.Limits) {
	r, err := resources.FromProto(list)
	if err != nil {
		return l
	}
	const mega = 1 << 20
	l.CPURequest = int64(r.Scalar("cpus").Float() * 1000)
	l.MemRequest = int64(r.Scalar("mem").Float() * mega)
	if v, ok := most["cpus"]; ok {
		l.CPULimit = int64(v.GetValue() * 1000)
	}
	if v, ok := most["mem"]; ok {
		l.MemLimit = int64(v.GetValue() * mega)
	}
	return l
}

func (a *api) waitNested(ctx context.Context, kind agentpb.Call_Type, id nested.ID) (*agentpb.Response, error) {
	t, err := a.Nested.Wait(ctx, id)
	if errors.Is(err, nested.ErrUnknown) && a.isTask(ctx, id) {
		t, err = a.Nested.WaitTask(ctx, id)
	}
	if errors.Is(err, nested.ErrUnknown) {
		return nil, callevent.Errorf(http.StatusNotFound, "Container %s cannot be found", id)
	}
	if err != nil {
		return nil, err
	}
	var status *int32
	var message *string
	var reason *mesospb.TaskStatus_Reason
	if t.Known {
		status = new(int32(t.Status))
	} else {
		message = new(t.Reason)
	}
	if t.OOM {
		reason = mesospb.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY.Enum()
	}
	if kind == agentpb.Call_WAIT_CONTAINER {
		return &agentpb.Response{Type: agentpb.Response_WAIT_CONTAINER.Enum(), WaitContainer: &agentpb.Response_WaitContainer{
			ExitStatus: status, Message: message, Reason: reason,
		}}, nil
	}
	return &agentpb.Response{Type: agentpb.Response_WAIT_NESTED_CONTAINER.Enum(), WaitNestedContainer: &agentpb.Response_WaitNestedContainer{
		ExitStatus: status, Message: message, Reason: reason,
	}}, nil
}

func (a *api) killNested(ctx context.Context, id nested.ID, sig syscall.Signal) error {
	err := containerizer.CheckSignal(sig)
	if err != nil {
		return callevent.Errorf(http.StatusBadRequest, "%v", err)
	}
	err = a.Nested.Kill(ctx, id, sig)
	if errors.Is(err, nested.ErrUnknown) && a.isTask(ctx, id) {
		err = a.Nested.KillTask(ctx, id, sig)
	}
	if errors.Is(err, nested.ErrUnknown) {
		return callevent.Errorf(http.StatusNotFound, "Container '%s' cannot be found (or is already killed)", id)
	}
	return err
}

// taskContainers are those of tasks of the default executor.
func (a *api) taskContainers(ctx context.Context, s core.Snapshot) (list []*agentpb.Response_GetContainers_Container) {
	for _, f := range s.Frameworks {
		for _, x := range f.Executors {
			for _, t := range x.Nested() {
				list = append(list, a.taskContainer(ctx, t))
			}
		}
	}
	return list
}

func (a *api) taskContainer(ctx context.Context, t core.Task) *agentpb.Response_GetContainers_Container {
	id := nested.ID(strings.Split(string(t.Run.Container), "."))
	wire := &agentpb.Response_GetContainers_Container{
		ContainerId: &mesospb.ContainerID{Value: new(id[len(id)-1])}, ContainerStatus: &mesospb.ContainerStatus{ContainerId: wireID(id)},
	}
	if t.PID != 0 {
		wire.ContainerStatus.ExecutorPid = new(t.PID)
	}
	if stats, err := a.Agent.Stats(ctx, string(t.Run.Container)); err == nil {
		wire.ResourceStatistics = resourceStatistics(stats)
	}
	return wire
}

// nestedContainers are those that GET_CONTAINERS shows beside the executors'.
func (a *api) nestedContainers(ctx context.Context, s core.Snapshot, call *agentpb.Call_GetContainers) (list []*agentpb.Response_GetContainers_Container) {
	if !call.GetShowNested() && !call.GetShowStandalone() {
		return nil
	}
	if call.GetShowNested() {
		list = a.taskContainers(ctx, s)
	}
	for _, c := range a.Nested.List(ctx) {
		_, below := executorIn(s, c.ID[0])
		switch {
		case len(c.ID) > 1 && !call.GetShowNested():
			continue
		case !below && !call.GetShowStandalone():
			continue
		}
		wire := &agentpb.Response_GetContainers_Container{
			ContainerId:     &mesospb.ContainerID{Value: new(c.ID[len(c.ID)-1])}, // as Mesos: the parents are in the status
			ContainerStatus: &mesospb.ContainerStatus{ContainerId: wireID(c.ID)},
		}
		if c.PID != 0 {
			wire.ContainerStatus.ExecutorPid = new(uint32(c.PID))
		}
		if stats, err := a.Nested.Stats(ctx, c.ID); err == nil {
			wire.ResourceStatistics = resourceStatistics(stats)
		}
		list = append(list, wire)
	}
	return list
}
