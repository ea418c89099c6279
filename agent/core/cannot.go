package core

import (
	"fmt"
	"math"
	"slices"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// refusal says what becomes of a task that asks for what this agent does not do.
type refusal struct {
	state  mesospb.TaskState
	reason mesospb.TaskStatus_Reason
	why    string
}

// refusalOf says why tasks of f are not launched; nil: they are. What is wrong with
// one of a group is wrong with all.
func (a *Agent) refusalOf(f *framework, o order) *refusal {
	for _, t := range o.tasks {
		if a.unknownResources(t) {
			return &refusal{
				f.lostState(), mesospb.TaskStatus_REASON_RESOURCES_UNKNOWN,
				"The checkpointed resources being used by the task or task group are unknown to the agent",
			}
		}
		if why := a.beyondLimits(t); why != "" {
			return &refusal{f.lostState(), mesospb.TaskStatus_REASON_GC_ERROR, why}
		}
		refusal := a.cannot(t, o.group)
		if refusal != nil && o.group && refusal.reason == mesospb.TaskStatus_REASON_TASK_INVALID {
			refusal.reason = mesospb.TaskStatus_REASON_TASK_GROUP_INVALID
		}
		if refusal != nil {
			return refusal
		}
	}
	return nil
}

// beyondLimits says why a task's limits are for nothing here; "" if they are not
// (mesos-api 10.1).
func (a *Agent) beyondLimits(t *mesospb.TaskInfo) string {
	const text = "%s limits can only be set on tasks launched in Mesos containers when the agent has loaded the 'cgroups/%s' isolator"
	switch {
	case a.cfg.Limited:
	case t.GetLimits()["cpus"] != nil:
		return fmt.Sprintf(text, "CPU", "cpu")
	case t.GetLimits()["mem"] != nil:
		return fmt.Sprintf(text, "Memory", "mem")
	}
	return ""
}

// cannot names the first thing a task asks for that this agent does not do; nil
// is none. Nothing is ever left out in silence.
func (a *Agent) cannot(t *mesospb.TaskInfo, group bool) *refusal {
	if field := a.beyondExecutor(t, group); field != "" {
		return &refusal{
			mesospb.TaskState_TASK_ERROR, mesospb.TaskStatus_REASON_TASK_INVALID,
			fmt.Sprintf("%s is not supported by this agent", field),
		}
	}
	switch {
	case t.GetExecutor().GetType() == mesospb.ExecutorInfo_DEFAULT:
		x := containerOf(t)
		x.Limits, x.Resources = nil, t.GetExecutor().GetResources()
		if refusal := a.cannotContain(x, false); refusal != nil {
			return refusal
		}
		return a.cannotContain(t, true)
	case t.GetExecutor() != nil:
		return a.cannotContain(containerOf(t), false)
	}
	return a.cannotContain(t, false)
}

// cannotContain names what a container of this agent cannot have; nested is one of
// a task of the default executor.
func (a *Agent) cannotContain(t *mesospb.TaskInfo, nested bool) *refusal {
	if c := t.GetContainer(); c != nil && c.GetType() == mesospb.ContainerInfo_DOCKER && !a.cfg.Images { // which an absent one reads as, too
		return &refusal{
			mesospb.TaskState_TASK_FAILED, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED,
			"Abnormal executor termination: unknown container; 'container.type' DOCKER is not supported by this agent",
		}
	}
	why := a.beyondContainer(t, nested)
	if why == "" {
		return nil
	}
	return &refusal{
		mesospb.TaskState_TASK_FAILED, mesospb.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED,
		"Failed to launch container: " + why,
	}
}

// containerOf is what a task needs of the container of the executor that it
// brings: what else is said of the task is the executor's business.
func containerOf(t *mesospb.TaskInfo) *mesospb.TaskInfo {
	x := t.GetExecutor()
	return &mesospb.TaskInfo{
		Command: x.GetCommand(), Container: x.GetContainer(), Limits: t.GetLimits(),
		Resources: slices.Concat(x.GetResources(), t.GetResources()),
	}
}

// beyondExecutor names a field that the built-in executor cannot serve.
func (a *Agent) beyondExecutor(t *mesospb.TaskInfo, group bool) string {
	standard := t.GetExecutor().GetType() == mesospb.ExecutorInfo_DEFAULT
	switch {
	case standard && !a.cfg.Groups:
		return "An executor of type DEFAULT (bring one of type CUSTOM)"
	case standard && !group:
		return "An executor of type DEFAULT for a task of LAUNCH (use LAUNCH_GROUP)"
	case standard && t.GetCommand() == nil:
		return "A task without 'command'"
	case standard:
		return ""
	case t.GetExecutor() != nil && hasVolume(t):
		return "A persistent volume of a task with an executor of its own (give it to the executor)"
	case t.GetExecutor() != nil:
		return "" // it may do whatever it can
	case t.GetCommand() == nil:
		return "A task without 'command'"
	}
	return ""
}

func hasVolume(t *mesospb.TaskInfo) bool {
	return slices.ContainsFunc(t.GetResources(), func(r *mesospb.Resource) bool { return r.GetDisk().GetPersistence() != nil })
}

// beyondContainer says what containers of this agent cannot be.
func (a *Agent) beyondContainer(t *mesospb.TaskInfo, nested bool) string {
	if why := a.beyondImage(t); why != "" {
		return why
	}
	for _, field := range unsupported(t) {
		if field.used {
			return fmt.Sprintf("'%s' is not supported by this agent", field.name)
		}
	}
	for _, v := range t.GetContainer().GetVolumes() {
		if why := beyondVolume(v, nested); why != "" {
			return fmt.Sprintf("volume '%s': %s", v.GetContainerPath(), why)
		}
	}
	for _, v := range t.GetCommand().GetEnvironment().GetVariables() {
		if v.GetSecret().GetType() == mesospb.Secret_REFERENCE {
			return fmt.Sprintf("environment variable '%s' refers to a secret, and this agent has no secret resolver", v.GetName())
		}
	}
	for _, name := range []string{"cpus", "mem"} {
		if limit, ok := t.GetLimits()[name]; ok && math.IsNaN(limit.GetValue()) {
			return fmt.Sprintf("limit of '%s' is not a number", name)
		}
	}
	return ""
}

// beyondVolume says what volumes of this agent cannot be.
func beyondVolume(v *mesospb.Volume, nested bool) string {
	source := v.GetSource()
	switch {
	case v.GetImage() != nil:
		return "'image' is not supported by this agent"
	case source.GetType() == mesospb.Volume_Source_DOCKER_VOLUME:
		return "'source.docker_volume' is not supported by this agent, which has no volume drivers"
	case source.GetType() == mesospb.Volume_Source_CSI_VOLUME:
		return "'source.csi_volume' is not supported by this agent, which has no CSI plugins"
	case source.GetType() == mesospb.Volume_Source_SANDBOX_PATH && source.GetSandboxPath().GetType() == mesospb.Volume_Source_SandboxPath_PARENT && !nested:
		return "'source.sandbox_path' of type PARENT is for nested containers only"
	case source.GetHostPath().GetMountPropagation().GetMode() == mesospb.MountPropagation_BIDIRECTIONAL:
		return "'mount_propagation' BIDIRECTIONAL is not supported by this agent: tasks mount nothing"
	case source.GetSecret().GetType() == mesospb.Secret_REFERENCE:
		return "it refers to a secret, and this agent has no secret resolver"
	}
	return ""
}

type field struct {
	name string
	used bool
}

func unsupported(t *mesospb.TaskInfo) []field {
	c := t.GetContainer()
	fields := []field{
		{"container.tty_info", c.GetTtyInfo() != nil},
	}
	for _, r := range t.GetResources() {
		fields = append(fields,
			field{"resources.disk.source of type " + r.GetDisk().GetSource().GetType().String(), beyondDisks(r.GetDisk().GetSource())},
			field{"resources gpus", r.GetName() == "gpus" && r.GetScalar().GetValue() > 0})
	}
	return fields
}

// beyondDisks: only folders can be disks of their own.
func beyondDisks(s *mesospb.Resource_DiskInfo_Source) bool {
	return s != nil && s.GetType() != mesospb.Resource_DiskInfo_Source_PATH && s.GetType() != mesospb.Resource_DiskInfo_Source_MOUNT
}
