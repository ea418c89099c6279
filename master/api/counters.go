package api

import (
	"context"
	"slices"
	"strings"

	"github.com/soukproject/souk/internal/metrics"
)

// measure is the source of what the core and the API know.
func (a *api) measure(ctx context.Context, emit func(metrics.Value)) {
	emit(metrics.Value{Name: "master/operator_event_stream_subscribers", Kind: metrics.GaugeKind, Value: float64(a.watchers.count())})
	if s := a.Master.Status(); !s.Leading || !s.Recovered {
		return
	}
	view, err := a.Master.View(ctx)
	if err != nil {
		return // the master ends, or the asker's time is up
	}
	for name, value := range view.Metrics() {
		if !a.FrameworkMetrics && strings.HasPrefix(name, frameworks) {
			continue
		}
		emit(metrics.Value{Name: name, Kind: kindOf(name), Value: value})
	}
}

// growing are the beginnings of names whose values only grow.
func growing() []string {
	return []string{
		"master/slave_", "master/recovery_slave_removals", "master/messages_", "master/valid_", "master/invalid_",
		"master/task_", "master/tasks_finished", "master/tasks_failed", "master/tasks_killed", "master/tasks_lost",
		"master/tasks_error", "master/tasks_dropped", "master/tasks_gone", "allocator/mesos/allocation_runs",
		"allocator/optimistic/", "allocator/preemption/tasks_asked/",
	}
}

// frameworks is how the metrics of each framework begin; its name and id follow.
const frameworks = "master/frameworks/"

// growsWithin are those of one framework, and of operations, whose values only grow.
func growsWithin() []string {
	return []string{"calls", "events", "operations", "offers/", "tasks/terminal/"}
}

// ends are how an operation can end; what is counted so only grows.
func ends() []string {
	return []string{"/finished", "/failed", "/error", "/dropped", "/gone_by_operator"}
}

func kindOf(name string) metrics.Kind {
	begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	grows := slices.ContainsFunc(growing(), begins)
	switch {
	case strings.HasPrefix(name, frameworks):
		_, name, _ = strings.Cut(name[len(frameworks):], "/") // after the framework's name
		_, name, _ = strings.Cut(name, "/")                   // after its id
		grows = slices.ContainsFunc(growsWithin(), begins)
	case strings.HasPrefix(name, "master/operations/"):
		grows = slices.ContainsFunc(ends(), func(suffix string) bool { return strings.HasSuffix(name, suffix) })
	}
	if grows {
		return metrics.CounterKind
	}
	return metrics.GaugeKind
}
