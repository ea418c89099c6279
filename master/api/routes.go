package api

import (
	"github.com/soukproject/souk/internal/files"
	"github.com/soukproject/souk/internal/routing"
)

// routes lists everything the master answers.
func (a *api) routes() []routing.Route {
	led := a.led // needs a leader that has recovered
	return []routing.Route{
		{Path: "/master/api/v1", Handler: led(a.operator)},
		{Path: "/master/api/v1/scheduler", Handler: led(a.scheduler)},
		{Path: "/master/api/v1/link", Handler: led(a.link)},

		{Path: "/master/state", Handler: led(a.state)},
		{Path: "/master/state.json", Handler: led(a.state)},
		{Path: "/master/state-summary", Handler: led(a.stateSummary)},
		{Path: "/master/slaves", Handler: led(a.slaves)},
		{Path: "/master/frameworks", Handler: led(a.frameworks)},
		{Path: "/master/tasks", Handler: led(a.tasks)},
		{Path: "/master/tasks.json", Handler: led(a.tasks)},
		{Path: "/master/roles", Handler: led(a.roles)},
		{Path: "/master/roles.json", Handler: led(a.roles)},
		{Path: "/master/weights", Handler: led(a.weights)},
		{Path: "/master/quota", Handler: led(a.quota)},
		{Path: "/master/teardown", Handler: led(a.teardown)},
		{Path: "/master/reserve", Handler: led(a.onResources("resources", reserveCall))},
		{Path: "/master/unreserve", Handler: led(a.onResources("resources", unreserveCall))},
		{Path: "/master/create-volumes", Handler: led(a.onResources("volumes", createVolumesCall))},
		{Path: "/master/destroy-volumes", Handler: led(a.onResources("volumes", destroyVolumesCall))},
		{Path: "/master/allocator/explain", Handler: led(a.explain)},
		{Path: "/master/maintenance/schedule", Handler: led(a.maintenanceSchedule)},
		{Path: "/master/maintenance/status", Handler: led(a.maintenanceStatus)},
		{Path: "/master/machine/down", Handler: led(a.machineDown)},
		{Path: "/master/machine/up", Handler: led(a.machineUp)},

		{Path: "/master/flags", Handler: a.flags},
		{Path: "/master/health", Handler: health},
		{Path: "/master/redirect", Exact: true, Handler: a.redirect},
		{Path: "/version", Handler: a.version},
		{Path: "/metrics/snapshot", Handler: a.Metrics.SnapshotHandler().ServeHTTP},
		{Path: "/metrics", Exact: true, Handler: a.Metrics.PrometheusHandler().ServeHTTP},
		{Path: "/system/stats.json", Handler: a.systemStats},
		{Path: "/files/browse", Handler: files.Server{Source: a.Files}.Browse},
		{Path: "/files/read", Handler: files.Server{Source: a.Files}.Read},
		{Path: "/files/download", Handler: files.Server{Source: a.Files}.Download},
		{Path: "/files/debug", Handler: a.debugFiles},
		{Path: "/logging/toggle", Handler: a.verbosity.Toggle},
	}
}
