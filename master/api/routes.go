package api

import (
	"net/http"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/routing"
)

// routes lists everything the master answers.
func (a *api) routes() []routing.Route {
	led := a.led // needs a leader that has recovered
	return append(absent(),
		routing.Route{Path: "/master/api/v1", Handler: led(a.operator)},
		routing.Route{Path: "/master/api/v1/scheduler", Handler: led(a.scheduler)},
		routing.Route{Path: "/master/api/v1/link", Handler: led(a.link)},

		routing.Route{Path: "/master/state", Handler: led(a.state)},
		routing.Route{Path: "/master/state.json", Handler: led(a.state)},
		routing.Route{Path: "/master/state-summary", Handler: led(a.stateSummary)},
		routing.Route{Path: "/master/slaves", Handler: led(a.slaves)},
		routing.Route{Path: "/master/frameworks", Handler: led(a.frameworks)},
		routing.Route{Path: "/master/tasks", Handler: led(a.tasks)},
		routing.Route{Path: "/master/tasks.json", Handler: led(a.tasks)},
		routing.Route{Path: "/master/roles", Handler: led(a.roles)},
		routing.Route{Path: "/master/roles.json", Handler: led(a.roles)},
		routing.Route{Path: "/master/weights", Handler: led(a.weights)},
		routing.Route{Path: "/master/quota", Handler: led(a.quota)},
		routing.Route{Path: "/master/teardown", Handler: led(a.teardown)},
		routing.Route{Path: "/master/reserve", Handler: led(a.onResources("resources", reserveCall))},
		routing.Route{Path: "/master/unreserve", Handler: led(a.onResources("resources", unreserveCall))},
		routing.Route{Path: "/master/create-volumes", Handler: led(a.onResources("volumes", createVolumesCall))},
		routing.Route{Path: "/master/destroy-volumes", Handler: led(a.onResources("volumes", destroyVolumesCall))},
		routing.Route{Path: "/master/allocator/explain", Handler: led(a.explain)},
		routing.Route{Path: "/master/maintenance/schedule", Handler: led(a.maintenanceSchedule)},
		routing.Route{Path: "/master/maintenance/status", Handler: led(a.maintenanceStatus)},
		routing.Route{Path: "/master/machine/down", Handler: led(a.machineDown)},
		routing.Route{Path: "/master/machine/up", Handler: led(a.machineUp)},

		routing.Route{Path: "/master/flags", Handler: a.flags},
		routing.Route{Path: "/master/health", Handler: health},
		routing.Route{Path: "/master/redirect", Exact: true, Handler: a.redirect},
		routing.Route{Path: "/version", Handler: a.version},
		routing.Route{Path: "/metrics/snapshot", Handler: a.Metrics.SnapshotHandler().ServeHTTP},
		routing.Route{Path: "/metrics", Exact: true, Handler: a.Metrics.PrometheusHandler().ServeHTTP},
		routing.Route{Path: "/system/stats.json", Handler: a.systemStats},
		routing.Route{Path: "/logging/toggle", Handler: a.loggingToggle},
	)
}

// absent lists endpoints of Mesos that are not served yet. A client learns so,
// rather than that it mistyped a path.
func absent() []routing.Route {
	var routes []routing.Route
	for _, path := range []string{
		"/files/browse", "/files/read", "/files/download", "/files/debug",
	} {
		routes = append(routes, routing.Route{Path: path, Handler: func(w http.ResponseWriter, _ *http.Request) {
			callevent.WriteError(w, callevent.Errorf(http.StatusNotImplemented,
				"501 Not Implemented. Endpoint '%s' is not part of this version", path))
		}})
	}
	return routes
}
