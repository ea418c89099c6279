package validation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// TaskRules is what the rules for a task need to know besides the task.
type TaskRules struct {
	Framework mesos.FrameworkID
	Agent     mesos.AgentID       // that of the offers
	Used      resources.Resources // by the task, allocated
	Offered   resources.Resources // what is left of the offers
	Limits    bool                // the agent has TASK_RESOURCE_LIMITS
	Active    func(mesos.TaskID) bool
	Lost      func(mesos.TaskID) bool // on an unreachable agent
	// Executor is the one that runs on the agent under an id, nil if none does.
	Executor func(mesos.ExecutorID) *mesospb.ExecutorInfo
}

// Task checks a task of a LAUNCH by the rules of mesos-api 10.1, in their order.
// The resources have been read already (9.2).
func Task(t *mesospb.TaskInfo, r TaskRules) error {
	return firstBroken(t, append(r.description(),
		sharedCgroups, commandOrExecutor, executorType, executorID, r.executorFramework, executorGrace,
		executorParts, executorCommand, r.sameExecutor, r.withExecutor, r.offered,
	)...)
}

// description is the rules for what a task says of itself, alone or in a group.
func (r TaskRules) description() []func(*mesospb.TaskInfo) error {
	return []func(*mesospb.TaskInfo) error{
		taskID, r.notActive, r.notLost, r.onAgent, killPolicy, maxCompletionTime, taskCheck, taskHealthCheck,
		usesSomething, usableResources, r.persistenceIDs, r.oneRole, r.notMixed, taskCommand, taskContainer, r.limits,
	}
}

// firstBroken is what the first rule that t breaks says of it.
func firstBroken(t *mesospb.TaskInfo, rules ...func(*mesospb.TaskInfo) error) error {
	for _, rule := range rules {
		if err := rule(t); err != nil {
			return err
		}
	}
	return nil
}

func taskID(t *mesospb.TaskInfo) error { return mesos.CheckID(t.GetTaskId().GetValue()) }

func (r TaskRules) notActive(t *mesospb.TaskInfo) error {
	if id := t.GetTaskId().GetValue(); r.Active(mesos.TaskID(id)) {
		return fmt.Errorf("Task has duplicate ID: %s", id)
	}
	return nil
}

func (r TaskRules) notLost(t *mesospb.TaskInfo) error {
	if id := t.GetTaskId().GetValue(); r.Lost(mesos.TaskID(id)) {
		return fmt.Errorf("Task reuses the ID of an unreachable task: %s", id)
	}
	return nil
}

func (r TaskRules) onAgent(t *mesospb.TaskInfo) error {
	if id := t.GetAgentId().GetValue(); id != string(r.Agent) {
		return fmt.Errorf("Task uses invalid agent %s while agent %s is expected", id, r.Agent)
	}
	return nil
}

func killPolicy(t *mesospb.TaskInfo) error {
	if t.GetKillPolicy().GetGracePeriod().GetNanoseconds() < 0 {
		return errors.New("Task's 'kill_policy.grace_period' must be non-negative")
	}
	return nil
}

func maxCompletionTime(t *mesospb.TaskInfo) error {
	if t.GetMaxCompletionTime().GetNanoseconds() < 0 {
		return errors.New("Task's `max_completion_time` must be non-negative")
	}
	return nil
}

func taskCheck(t *mesospb.TaskInfo) error {
	if t.Check == nil {
		return nil
	}
	return prefixed("Task uses invalid check: ", check(t.GetCheck()))
}

func taskHealthCheck(t *mesospb.TaskInfo) error {
	if t.HealthCheck == nil {
		return nil
	}
	return prefixed("Task uses invalid health check: ", healthCheck(InferHealthCheck(t.GetHealthCheck())))
}

func usesSomething(t *mesospb.TaskInfo) error {
	if len(t.GetResources()) == 0 {
		return errors.New("Task uses no resources")
	}
	return nil
}

func usableResources(t *mesospb.TaskInfo) error {
	return prefixed("Task uses invalid resources: ", usable(t.GetResources()))
}

func (r TaskRules) persistenceIDs(*mesospb.TaskInfo) error {
	return prefixed("Task uses duplicate persistence ID: ", uniquePersistenceIDs(r.Used))
}

// uniquePersistenceIDs: a volume is known by role and id.
func uniquePersistenceIDs(list resources.Resources) error {
	seen := map[[2]string]bool{}
	for _, x := range list.PersistentVolumes() {
		key := [2]string{x.Role(), x.Disk.Persistence}
		if seen[key] {
			return fmt.Errorf("Persistence ID '%s' is not unique", x.Disk.Persistence)
		}
		seen[key] = true
	}
	return nil
}

func (r TaskRules) oneRole(*mesospb.TaskInfo) error {
	for _, x := range r.Used {
		if first := r.Used[0].Allocation; x.Allocation != first {
			return fmt.Errorf("Invalid task resources: The resources have multiple allocation roles ('%s' and '%s') but only one allocation role is allowed",
				x.Allocation, first)
		}
	}
	return nil
}

func (r TaskRules) notMixed(*mesospb.TaskInfo) error {
	return prefixed("Task mixes revocable and non-revocable resources: ", revocableApart(r.Used))
}

func revocableApart(list resources.Resources) error {
	for _, x := range list.Revocable() {
		if !list.NonRevocable().Named(x.Name).IsEmpty() {
			return fmt.Errorf("Cannot use both revocable and non-revocable '%s' at the same time", x.Name)
		}
	}
	return nil
}

func taskCommand(t *mesospb.TaskInfo) error {
	return prefixed("Task's `CommandInfo` is invalid: ", command(t.GetCommand()))
}

func taskContainer(t *mesospb.TaskInfo) error {
	return prefixed("Task's `ContainerInfo` is invalid: ", container(t.GetContainer()))
}

// limits of cpus and mem are not below what is requested of them (mesos-api 10.3).
func (r TaskRules) limits(t *mesospb.TaskInfo) error {
	limits := t.GetLimits()
	if len(limits) == 0 {
		return nil
	}
	if !r.Limits {
		return errors.New("Agent is not capable of handling task resource limits")
	}
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		if name != "cpus" && name != "mem" {
			return errors.New("Only cpus and mem may be included in a task's resource limits")
		}
	}
	if err := r.limit(limits["cpus"], "cpus", "CPU", "cpu"); err != nil {
		return err
	}
	return r.limit(limits["mem"], "mem", "memory", "memory")
}

func (r TaskRules) limit(limit *mesospb.Value_Scalar, name, title, word string) error {
	request := r.Used.Scalar(name)
	switch {
	case limit == nil:
		return nil
	case request == 0:
		return fmt.Errorf("When a %s limit is specified, a %s request must also be specified", title, title)
	case !(limit.GetValue() >= request.Float()):
		return fmt.Errorf("The %s limit must be greater than or equal to the %s request", word, word)
	}
	return nil
}

func sharedCgroups(t *mesospb.TaskInfo) error {
	if linux := t.GetContainer().GetLinuxInfo(); linux != nil && !linux.GetShareCgroups() {
		return errors.New("Only tasks in a task group may have 'share_cgroups' set to 'false'")
	}
	return nil
}

func commandOrExecutor(t *mesospb.TaskInfo) error {
	if (t.Command == nil) == (t.Executor == nil) {
		return errors.New("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present")
	}
	return nil
}

func executorType(t *mesospb.TaskInfo) error {
	x := t.GetExecutor()
	switch {
	case x == nil || x.Type == nil:
		return nil
	case x.GetType() == mesospb.ExecutorInfo_DEFAULT && x.Command != nil:
		return errors.New("'ExecutorInfo.command' must not be set for 'DEFAULT' executor")
	case x.GetType() != mesospb.ExecutorInfo_CUSTOM:
		return errors.New("'ExecutorInfo.type' must be 'CUSTOM'")
	}
	return nil
}

func executorID(t *mesospb.TaskInfo) error {
	if t.Executor == nil {
		return nil
	}
	return mesos.CheckID(t.GetExecutor().GetExecutorId().GetValue())
}

func (r TaskRules) executorFramework(t *mesospb.TaskInfo) error {
	id := t.GetExecutor().GetFrameworkId()
	if id != nil && id.GetValue() != string(r.Framework) {
		return fmt.Errorf("ExecutorInfo has an invalid FrameworkID (Actual: %s vs Expected: %s)", id.GetValue(), r.Framework)
	}
	return nil
}

func executorGrace(t *mesospb.TaskInfo) error {
	if t.GetExecutor().GetShutdownGracePeriod().GetNanoseconds() < 0 {
		return errors.New("ExecutorInfo's 'shutdown_grace_period' must be non-negative")
	}
	return nil
}

func executorParts(t *mesospb.TaskInfo) error {
	x := t.GetExecutor()
	if err := prefixed("Executor's `CommandInfo` is invalid: ", command(x.GetCommand())); err != nil {
		return err
	}
	if err := prefixed("Executor's `ContainerInfo` is invalid: ", container(x.GetContainer())); err != nil {
		return err
	}
	used, err := resources.FromProto(x.GetResources())
	if err == nil {
		err = used.WholeGPUs()
	}
	return prefixed("Executor uses invalid resources: ", err)
}

func executorCommand(t *mesospb.TaskInfo) error {
	if t.Executor != nil && t.GetExecutor().Command == nil {
		return errors.New("'ExecutorInfo.command' must be set")
	}
	return nil
}

// sameExecutor: one that runs already cannot become another one.
func (r TaskRules) sameExecutor(t *mesospb.TaskInfo) error {
	running := r.running(t)
	if running == nil || proto.Equal(running, t.GetExecutor()) {
		return nil
	}
	return fmt.Errorf("ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n"+
		"------------------------------------------------------------\n"+
		"Existing ExecutorInfo:\n%s\n"+
		"------------------------------------------------------------\n"+
		"ExecutorInfo:\n%s\n"+
		"------------------------------------------------------------\n",
		textOf(running), textOf(t.GetExecutor()))
}

// textOf is a message as people read it. The library varies its spaces from
// build to build; this does not.
func textOf(x *mesospb.ExecutorInfo) string {
	var b strings.Builder
	for line := range strings.Lines(prototext.MarshalOptions{Multiline: true}.Format(x)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			line = name + ": " + strings.TrimLeft(value, " ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// running is the executor that t would run under, nil if it has to be launched.
func (r TaskRules) running(t *mesospb.TaskInfo) *mesospb.ExecutorInfo {
	if t.Executor == nil {
		return nil
	}
	return r.Executor(mesos.ExecutorID(t.GetExecutor().GetExecutorId().GetValue()))
}

// withExecutor looks at a task and the executor it brings as one.
func (r TaskRules) withExecutor(t *mesospb.TaskInfo) error {
	if t.Executor == nil {
		return nil
	}
	own := r.executorUses(t)
	if shared := own.Shared(); !shared.IsEmpty() {
		return fmt.Errorf("Executor resources %s should not contain any shared resources", shared)
	}
	both := r.Used.Add(own)
	if err := prefixed("Task and its executor use duplicate persistence ID: ", uniquePersistenceIDs(both)); err != nil {
		return err
	}
	return prefixed("Task and its executor mix revocable and non-revocable resources: ", revocableApart(both))
}

func (r TaskRules) executorUses(t *mesospb.TaskInfo) resources.Resources {
	own, _ := resources.FromProto(t.GetExecutor().GetResources())
	if len(r.Used) == 0 {
		return own
	}
	return own.Allocate(r.Used[0].Allocation)
}

// offered comes last of Mesos' rules: there must be enough.
func (r TaskRules) offered(t *mesospb.TaskInfo) error {
	all := r.Used
	if r.running(t) == nil {
		all = all.Add(r.executorUses(t))
	}
	if !r.Offered.Contains(all) {
		return fmt.Errorf("Total resources %s required by task and its executor is more than available %s", all, r.Offered)
	}
	return nil
}

func prefixed(text string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s%w", text, err)
}
