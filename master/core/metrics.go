package core

import (
	"maps"
	"net/url"
	"strings"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// validity counts messages that made sense and those that did not.
type validity struct{ valid, invalid int }

// counters only grow. Everything else that is published is read off a snapshot.
type counters struct {
	messages map[string]int // by Mesos' name
	calls    map[schedulerpb.Call_Type]int
	ended    map[mesospb.TaskState]int // tasks, by the terminal state they reached
	causes   map[string]int            // by metric
	removed  map[string]int            // agents, by reason

	registrations, reregistrations             int
	agentsRemoved, recoveryRemovals            int
	unreachableScheduled, unreachableCompleted int
	unreachableCanceled                        int
	offersSent, offersAccepted                 int
	offersDeclined, offersRescinded            int
	preempted                                  map[allocator.Cause]int
	offersStale, claimsLost                    int // of optimistic offers
	allocations                                int

	operations map[operationEnd]int // how they ended

	statusUpdates, acknowledgements             validity
	operationUpdates, operationAcknowledgements validity
	frameworkMessages, executorMessages         validity
}

func newCounters() counters {
	return counters{
		messages: map[string]int{}, calls: map[schedulerpb.Call_Type]int{},
		ended: map[mesospb.TaskState]int{}, causes: map[string]int{}, removed: map[string]int{},
		operations: map[operationEnd]int{}, preempted: map[allocator.Cause]int{},
	}
}

func (c counters) clone() counters {
	c.messages, c.calls, c.ended = maps.Clone(c.messages), maps.Clone(c.calls), maps.Clone(c.ended)
	c.causes, c.removed = maps.Clone(c.causes), maps.Clone(c.removed)
	c.operations, c.preempted = maps.Clone(c.operations), maps.Clone(c.preempted)
	return c
}

// countCause counts why a task ended, under a name that dashboards know: it says
// slave where the API says agent.
func (m *Master) countCause(s *mesospb.TaskStatus) {
	if s.Reason == nil || !mesos.Terminal(s.GetState()) {
		return
	}
	name := s.GetState().String() + "/" + s.GetSource().String() + "/" + s.GetReason().String()
	m.count.causes["master/"+strings.ReplaceAll(strings.ToLower(name), "agent", "slave")]++
}

// messageNames are the calls that Mesos counts from the first on (mesos-api 25).
func messageNames() []string {
	return []string{
		"register_framework", "reregister_framework", "unregister_framework", "deactivate_framework", "kill_task",
		"status_update_acknowledgement", "resource_request", "launch_tasks", "decline_offers", "revive_offers",
		"suppress_offers", "reconcile_operations", "reconcile_tasks", "framework_to_executor",
		"operation_status_update_acknowledgement", "executor_to_framework", "register_slave", "reregister_slave",
		"unregister_slave", "status_update", "operation_status_update", "exited_executor", "update_slave", "authenticate",
	}
}

// Metrics are the values of /metrics/snapshot that the core knows, by Mesos' names.
func (s *Snapshot) Metrics() map[string]float64 {
	out := map[string]float64{}
	s.agentMetrics(out)
	s.frameworkMetrics(out)
	s.taskMetrics(out)
	s.resourceMetrics(out)
	s.messageMetrics(out)
	s.quotaMetrics(out)
	s.operationMetrics(out)
	s.allocatorMetrics(out)
	return out
}

func (s *Snapshot) agentMetrics(out map[string]float64) {
	connected, active := 0, 0
	for i := range s.Agents {
		if s.Agents[i].Connected {
			connected++
		}
		if s.Agents[i].Active {
			active++
		}
	}
	c := &s.count
	for name, n := range map[string]int{
		"slaves_active": active, "slaves_inactive": len(s.Agents) - active,
		"slaves_connected": connected, "slaves_disconnected": len(s.Agents) - connected, "slaves_unreachable": s.Unreachable,
		"slave_registrations": c.registrations, "slave_reregistrations": c.reregistrations,
		"slave_removals": c.agentsRemoved, "slave_removals/reason_unhealthy": c.removed["unhealthy"],
		"slave_removals/reason_unregistered": c.removed["unregistered"], "slave_removals/reason_registered": c.removed["registered"],
		"slave_unreachable_scheduled": c.unreachableScheduled, "slave_unreachable_completed": c.unreachableCompleted,
		"slave_unreachable_canceled": c.unreachableCanceled, "slave_shutdowns_scheduled": 0, "slave_shutdowns_completed": 0, "slave_shutdowns_canceled": 0,
		"recovery_slave_removals": c.recoveryRemovals,
	} {
		out["master/"+name] = float64(n)
	}
}

func (s *Snapshot) frameworkMetrics(out map[string]float64) {
	connected, offers := 0, 0
	for i := range s.Frameworks {
		f := &s.Frameworks[i]
		offers += len(f.Offers)
		if f.Connected {
			connected++
		}
		prefix := frameworkPrefix(f)
		out[prefix+"subscribed"] = 0
		if f.Connected {
			out[prefix+"subscribed"] = 1
		}
		for _, role := range f.Roles {
			out[prefix+"roles/"+metricPart(role)+"/suppressed"] = 0
		}
		for _, role := range f.SuppressedRoles {
			out[prefix+"roles/"+metricPart(role)+"/suppressed"] = 1
		}
	}
	for i := range s.Frameworks {
		s.frameworkTallies(&s.Frameworks[i], out)
	}
	for i := range s.CompletedFrameworks {
		out[frameworkPrefix(&s.CompletedFrameworks[i])+"subscribed"] = 0
		s.frameworkTallies(&s.CompletedFrameworks[i], out)
	}
	rest := len(s.Frameworks) - connected
	out["master/frameworks_active"], out["master/frameworks_connected"] = float64(connected), float64(connected)
	out["master/frameworks_inactive"], out["master/frameworks_disconnected"] = float64(rest), float64(rest)
	out["master/outstanding_offers"] = float64(offers)
}

func (s *Snapshot) taskMetrics(out map[string]float64) {
	for _, state := range []mesospb.TaskState{
		mesospb.TaskState_TASK_STAGING, mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING,
		mesospb.TaskState_TASK_KILLING, mesospb.TaskState_TASK_UNREACHABLE,
	} {
		out[stateMetric(state)] = 0
	}
	for i := range s.Frameworks {
		f := &s.Frameworks[i]
		for t := range s.rows(f.active, byFramework) {
			if !mesos.Terminal(t.current()) {
				out[stateMetric(t.current())]++
			}
		}
		for t := range s.rows(f.unreachable, byFramework) {
			if t.current() == mesospb.TaskState_TASK_UNREACHABLE {
				out[stateMetric(t.current())]++
			}
		}
	}
	for number := range mesospb.TaskState_name {
		if state := mesospb.TaskState(number); mesos.Terminal(state) {
			out[stateMetric(state)] = float64(s.count.ended[state])
		}
	}
	for name, n := range s.count.causes {
		out[name] = float64(n)
	}
}

// stateMetric is "master/tasks_running" for TASK_RUNNING.
func stateMetric(s mesospb.TaskState) string {
	return "master/tasks_" + strings.ToLower(strings.TrimPrefix(s.String(), "TASK_"))
}

func (s *Snapshot) resourceMetrics(out map[string]float64) {
	var total, used [2]resources.Quantities // not revocable, revocable
	for i := range s.Agents {
		a := &s.Agents[i]
		total[0] = total[0].Add(a.Total.NonRevocable().Quantities())
		total[1] = total[1].Add(a.Total.Revocable().Quantities())
		used[0] = used[0].Add(a.Used.NonRevocable().Quantities())
		used[1] = used[1].Add(a.Used.Revocable().Quantities())
	}
	for i, suffix := range []string{"", "_revocable"} {
		for _, name := range []string{"cpus", "gpus", "mem", "disk"} {
			all, some := total[i].Get(name).Float(), used[i].Get(name).Float()
			prefix := "master/" + name + suffix
			out[prefix+"_total"], out[prefix+"_used"], out[prefix+"_percent"] = all, some, 0
			if all > 0 {
				out[prefix+"_percent"] = some / all
			}
		}
	}
}

func (s *Snapshot) messageMetrics(out map[string]float64) {
	for _, name := range messageNames() {
		out["master/messages_"+name] = float64(s.count.messages[name])
	}
	for name, v := range map[string]validity{
		"framework_to_executor_messages": s.count.frameworkMessages, "executor_to_framework_messages": s.count.executorMessages,
		"status_updates": s.count.statusUpdates, "status_update_acknowledgements": s.count.acknowledgements,
		"operation_status_updates": s.count.operationUpdates, "operation_status_update_acknowledgements": s.count.operationAcknowledgements,
	} {
		out["master/valid_"+name], out["master/invalid_"+name] = float64(v.valid), float64(v.invalid)
	}
	for _, cause := range []allocator.Cause{allocator.OnLoan, allocator.OverLimit, allocator.OverShare} {
		out["allocator/preemption/tasks_asked/"+cause.String()] = float64(s.count.preempted[cause])
	}
	out["allocator/preemption/tasks_leaving"] = float64(s.leaving)
	out["allocator/optimistic/rescinded_offers"] = float64(s.count.offersStale)
	out["allocator/optimistic/refused_accepts"] = float64(s.count.claimsLost)
	out["allocator/mesos/allocation_runs"] = float64(s.count.allocations)
}

// quotaMetrics has the resources that a quota names.
func (s *Snapshot) quotaMetrics(out map[string]float64) {
	if len(s.Quotas) == 0 {
		return
	}
	for _, r := range s.Roles() {
		prefix := "allocator/mesos/quota/roles/" + metricPart(r.Name) + "/resources/"
		use := func(name string) {
			part := metricPart(name)
			out[prefix+part+"/consumed"] = r.Consumed.Get(name).Float()
			out[prefix+part+"/offered_or_allocated"] = r.Claimed.Get(name).Float()
		}
		for name, amount := range r.Quota.Guarantees.All() {
			out[prefix+metricPart(name)+"/guarantee"] = amount.Float()
			use(name)
		}
		for name, amount := range r.Quota.Limits.All() {
			out[prefix+metricPart(name)+"/limit"] = amount.Float()
			use(name)
		}
	}
}

// metricPart makes a part of a metric's name of what an operator made up.
func metricPart(name string) string { return strings.ReplaceAll(url.PathEscape(name), "%2A", "*") }
