package agent

import (
	"context"
	"net"
	"time"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Recovered implements api.Agent.
func (a *agent) Recovered() bool { return a.recovered.Load() }

// Snapshot implements api.Agent.
func (a *agent) Snapshot(ctx context.Context) (core.Snapshot, error) { return a.loop.look(ctx) }

// Stats implements api.Agent.
func (a *agent) Stats(ctx context.Context, id string) (containerizer.Statistics, error) {
	return a.boxes.containers.Stats(ctx, id)
}

// Master implements api.Agent.
func (a *agent) Master() string {
	address := a.loop.master.Load()
	if address == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(*address)
	if err != nil {
		return *address
	}
	return host
}

// measure is the source of the agent's own metrics (mesos-api 25).
func (a *agent) measure(ctx context.Context, emit func(metrics.Value)) {
	gauge := func(name string, v float64) { emit(metrics.Value{Name: name, Kind: metrics.GaugeKind, Value: v}) }
	counter := func(name string, v int64) {
		emit(metrics.Value{Name: name, Kind: metrics.CounterKind, Value: float64(v)})
	}
	gauge("slave/uptime_secs", time.Since(a.started).Seconds())
	gc := a.collector.Counts()
	gauge("slave/executor_directory_max_allowed_age_secs", gc.MaxAge.Seconds())
	gauge("gc/path_removals_pending", float64(gc.Pending))
	counter("gc/path_removals_succeeded", gc.Succeeded)
	counter("gc/path_removals_failed", gc.Failed)
	fetched := a.fetcher.Counts()
	counter("containerizer/fetcher/task_fetches_succeeded", fetched.Succeeded)
	counter("containerizer/fetcher/task_fetches_failed", fetched.Failed)
	gauge("containerizer/fetcher/cache_size_total_bytes", float64(fetched.CacheBytes))
	gauge("containerizer/fetcher/cache_size_used_bytes", float64(fetched.CacheUsed))
	gauge("resource_provider_manager/subscribed", 0) // there are none
	counter("resource_provider_manager/events/subscribe", 0)
	counter("resource_provider_manager/events/disconnect", 0)
	counter("slave/recovery_errors", 0) // an agent that cannot recover does not run
	if !a.Recovered() {
		return
	}
	s, err := a.loop.look(ctx)
	if err != nil {
		return
	}
	measureCounters(s.Counters, counter)
	measureState(s, gauge)
	measureResources(s, gauge)
}

func measureCounters(c core.Counters, counter func(string, int64)) {
	counter("slave/tasks_finished", c.Finished)
	counter("slave/tasks_failed", c.Failed)
	counter("slave/tasks_killed", c.Killed)
	counter("slave/tasks_lost", c.Lost)
	counter("slave/tasks_gone", c.Gone)
	counter("slave/executors_terminated", c.ExecutorsTerminated)
	counter("slave/executors_preempted", 0)
	counter("slave/container_launch_errors", c.LaunchErrors)
	counter("slave/valid_status_updates", c.Updates)
	counter("slave/invalid_status_updates", c.Illegal)
	counter("slave/valid_framework_messages", c.Messages)
	counter("slave/invalid_framework_messages", c.InvalidMessages)
}

func measureState(s core.Snapshot, gauge func(string, float64)) {
	registered := 0.0
	if s.Registered {
		registered = 1
	}
	gauge("slave/registered", registered)
	gauge("slave/frameworks_active", float64(len(s.Frameworks)))
	states := make(map[mesospb.TaskState]int)
	var registering, running, terminating int
	for _, f := range s.Frameworks {
		for _, x := range f.Executors {
			switch {
			case x.Running:
				running++
			case x.Launched.IsZero():
				registering++
			default:
				terminating++
			}
			for _, t := range x.Tasks {
				states[t.State]++
			}
		}
	}
	gauge("slave/executors_registering", float64(registering))
	gauge("slave/executors_running", float64(running))
	gauge("slave/executors_terminating", float64(terminating))
	gauge("slave/tasks_staging", float64(states[mesospb.TaskState_TASK_STAGING]))
	gauge("slave/tasks_starting", float64(states[mesospb.TaskState_TASK_STARTING]))
	gauge("slave/tasks_running", float64(states[mesospb.TaskState_TASK_RUNNING]))
	gauge("slave/tasks_killing", float64(states[mesospb.TaskState_TASK_KILLING]))
}

func measureResources(s core.Snapshot, gauge func(string, float64)) {
	total, used := amounts(s.Total.Proto(resources.PostRefinement)), map[string]float64{}
	for _, f := range s.Frameworks {
		for _, x := range f.Executors {
			if !x.BuiltIn {
				for name, v := range amounts(x.Info.GetResources()) {
					used[name] += v
				}
			}
			for _, t := range x.Tasks {
				if mesos.Terminal(t.State) {
					continue
				}
				for name, v := range amounts(t.Info.GetResources()) {
					used[name] += v
				}
			}
		}
	}
	for _, name := range []string{"cpus", "gpus", "mem", "disk"} {
		percent := 0.0
		if total[name] > 0 {
			percent = used[name] / total[name]
		}
		gauge("slave/"+name+"_total", total[name])
		gauge("slave/"+name+"_used", used[name])
		gauge("slave/"+name+"_percent", percent)
		for _, what := range []string{"total", "used", "percent"} {
			gauge("slave/"+name+"_revocable_"+what, 0)
		}
	}
}

func amounts(list []*mesospb.Resource) map[string]float64 {
	r, err := resources.FromProto(list)
	if err != nil {
		return nil // validated when it came
	}
	sums := make(map[string]float64)
	for _, name := range []string{"cpus", "gpus", "mem", "disk"} {
		sums[name] = r.Scalar(name).Float()
	}
	return sums
}
