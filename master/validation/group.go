package validation

import (
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// The least that the executor of a group has (mesos-api 10.2).
const (
	minExecutorCPUs = 0.01
	minExecutorMem  = 32 // MB
)

// GroupRules is what the rules for a task group need to know besides it.
type GroupRules struct {
	TaskRules                       // the same for each of its tasks; Used is not looked at
	Uses      []resources.Resources // by each task, allocated
	Sharing   *bool                 // the share_cgroups of tasks that the executor has already
}

// Group checks the tasks of a LAUNCH_GROUP and their executor by the rules of
// mesos-api 10.2: what is wrong with one of them is wrong with all. The
// resources have been read already (9.2).
func Group(x *mesospb.ExecutorInfo, tasks []*mesospb.TaskInfo, r GroupRules) error {
	for i, t := range tasks {
		if err := r.groupTask(t, i, tasks[:i]); err != nil {
			return fmt.Errorf("Task '%s' is invalid: %w", t.GetTaskId().GetValue(), err)
		}
	}
	for _, rule := range []func(*mesospb.ExecutorInfo, []*mesospb.TaskInfo) error{
		groupExecutorType, r.groupExecutor, sameForAll, executorMinimum, r.sharing, r.together,
	} {
		if err := rule(x, tasks); err != nil {
			return err
		}
	}
	return nil
}

// groupTask is the rules for one task, of which before are in the group, too.
func (r GroupRules) groupTask(t *mesospb.TaskInfo, i int, before []*mesospb.TaskInfo) error {
	one := r.TaskRules
	one.Used = r.Uses[i]
	one.Active = func(id mesos.TaskID) bool {
		for _, other := range before {
			if other.GetTaskId().GetValue() == string(id) {
				return true
			}
		}
		return r.Active(id)
	}
	return firstBroken(t, append(one.description(), nestedContainer, nestedHealthCheck, nestedLimits)...)
}

// nestedContainer: a task of a group is a container within its executor's.
func nestedContainer(t *mesospb.TaskInfo) error {
	if c := t.GetContainer(); c != nil && c.GetType() == mesospb.ContainerInfo_DOCKER {
		return errors.New("Docker ContainerInfo is not supported on the task")
	}
	return nil
}

// nestedHealthCheck: the network is probed from where the executor is.
func nestedHealthCheck(t *mesospb.TaskInfo) error {
	kind := InferHealthCheck(t.GetHealthCheck()).GetType()
	overNetwork := kind == mesospb.HealthCheck_HTTP || kind == mesospb.HealthCheck_TCP
	if overNetwork && len(t.GetContainer().GetNetworkInfos()) > 0 {
		return errors.New("HTTP and TCP health checks are not supported for nested containers not joining parent's network")
	}
	return nil
}

// nestedLimits: who shares the executor's cgroups has no limits but its.
func nestedLimits(t *mesospb.TaskInfo) error {
	if len(t.GetLimits()) > 0 && SharesCgroups(t) {
		return errors.New("Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is set to 'false'.")
	}
	return nil
}

// SharesCgroups reports whether a task of a group is in its executor's cgroups,
// as it is unless it says otherwise.
func SharesCgroups(t *mesospb.TaskInfo) bool {
	info := t.GetContainer().GetLinuxInfo()
	return info == nil || info.ShareCgroups == nil || *info.ShareCgroups
}

func groupExecutorType(x *mesospb.ExecutorInfo, _ []*mesospb.TaskInfo) error {
	c := x.GetContainer()
	switch {
	case x.Type == nil:
		return errors.New("'ExecutorInfo.type' must be set")
	case x.GetType() == mesospb.ExecutorInfo_CUSTOM && x.Command == nil:
		return errors.New("'ExecutorInfo.command' must be set for 'CUSTOM' executor")
	case x.GetType() == mesospb.ExecutorInfo_CUSTOM:
		return nil
	case x.GetType() != mesospb.ExecutorInfo_DEFAULT:
		return errors.New("Unknown executor type")
	case x.Command != nil:
		return errors.New("'ExecutorInfo.command' must not be set for 'DEFAULT' executor")
	case c != nil && c.GetType() != mesospb.ContainerInfo_MESOS:
		return errors.New("'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor")
	case c.GetMesos().GetImage() != nil:
		return errors.New("'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor")
	}
	return nil
}

// groupExecutor is the rules that hold for every executor.
func (r GroupRules) groupExecutor(x *mesospb.ExecutorInfo, _ []*mesospb.TaskInfo) error {
	if x.FrameworkId == nil {
		return errors.New("'ExecutorInfo.framework_id' must be set")
	}
	if c := x.GetContainer(); c != nil && c.GetType() == mesospb.ContainerInfo_DOCKER {
		return errors.New("Docker ContainerInfo is not supported on the executor")
	}
	return firstBroken(&mesospb.TaskInfo{Executor: x}, executorID, r.executorFramework, executorGrace, executorParts, r.sameExecutor)
}

// sameForAll: a task that names an executor names that of the group.
func sameForAll(x *mesospb.ExecutorInfo, tasks []*mesospb.TaskInfo) error {
	for _, t := range tasks {
		if t.Executor != nil && !proto.Equal(t.Executor, x) {
			return fmt.Errorf("The `ExecutorInfo` of task '%s' is different from executor '%s'", t.GetTaskId().GetValue(), x.GetExecutorId().GetValue())
		}
	}
	return nil
}

// executorMinimum: an executor needs something for itself.
func executorMinimum(x *mesospb.ExecutorInfo, _ []*mesospb.TaskInfo) error {
	used, _ := resources.FromProto(x.GetResources())
	id := x.GetExecutorId().GetValue()
	number := func(name string) (float64, string) {
		n := used.Scalar(name).Float()
		return n, strconv.FormatFloat(n, 'g', -1, 64)
	}
	if n, text := number("cpus"); n < minExecutorCPUs {
		return fmt.Errorf("Executor '%s' uses less CPUs (%s) than the minimum required (0.01)", id, text)
	}
	if n, text := number("mem"); n < minExecutorMem {
		return fmt.Errorf("Executor '%s' uses less memory (%sMB) than the minimum required (32MB)", id, text)
	}
	if used.Named("disk").IsEmpty() {
		return fmt.Errorf("Executor '%s' uses no disk", id)
	}
	return nil
}

// sharing: the tasks of an executor are all in its cgroups, or each in its own.
func (r GroupRules) sharing(x *mesospb.ExecutorInfo, tasks []*mesospb.TaskInfo) error {
	if info := x.GetContainer().GetLinuxInfo(); info != nil && info.ShareCgroups != nil && *info.ShareCgroups {
		return errors.New("The 'share_cgroups' field cannot be set to 'true' on executor containers")
	}
	want := r.Sharing
	for _, t := range tasks {
		if shares := SharesCgroups(t); want == nil {
			want = &shares
		} else if shares != *want {
			return errors.New("If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a single executor")
		}
	}
	return nil
}

// together looks at the tasks and the executor they bring as one.
func (r GroupRules) together(x *mesospb.ExecutorInfo, tasks []*mesospb.TaskInfo) error {
	first := &mesospb.TaskInfo{Executor: x}
	one := r.TaskRules
	var all, shared resources.Resources
	for _, used := range r.Uses {
		all, one.Used = all.Add(used.NonShared()), used
		shared = shared.Add(used.Shared())
	}
	own := one.executorUses(first)
	if volumes := own.Shared(); !volumes.IsEmpty() {
		return fmt.Errorf("Executor resources %s should not contain any shared resources", volumes)
	}
	both := all.Add(own)
	if err := prefixed("Task group and its executor use duplicate persistence ID: ", uniquePersistenceIDs(both)); err != nil {
		return err
	}
	if err := prefixed("Task group and its executor mix revocable and non-revocable resources: ", revocableApart(both)); err != nil {
		return err
	}
	if one.running(first) == nil {
		all = both
	}
	for _, volume := range shared {
		if !r.Offered.Contains(resources.Resources{volume}) {
			return r.tooMuch(all.Add(shared))
		}
	}
	if !r.Offered.Contains(all) {
		return r.tooMuch(all.Add(shared))
	}
	return nil
}

func (r GroupRules) tooMuch(all resources.Resources) error {
	return fmt.Errorf("Total resources %s required by task group and its executor are more than available %s", all, r.Offered)
}
