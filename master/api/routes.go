package api

import (
	"github.com/soukproject/souk/internal/files"
	"github.com/soukproject/souk/internal/routing"
)

// The realms in which a master may ask for credentials (mesos-api 2). Agents
// have one of their own, since the link is.
const (
	ReadOnly   = "mesos-master-readonly"
	ReadWrite  = "mesos-master-readwrite"
	Schedulers = "mesos-master-scheduler"
	Agents     = "souk-master-agent"
)

// routes lists everything the master answers.
func (a *api) routes() []routing.Route {
	led := a.led // needs a leader that has recovered
	all := []routing.Route{
		{Path: "/master", Exact: true, Realm: ReadOnly, Handler: a.root},
		{Path: "/master/api/v1", Realm: ReadWrite, Handler: led(a.operator),
			Help: "The operator API: POST a call as JSON or protobuf. SUBSCRIBE is answered by a stream of events."},
		{Path: "/master/api/v1/scheduler", Realm: Schedulers, Handler: led(a.scheduler),
			Help: "The scheduler API: POST a call as JSON or protobuf. SUBSCRIBE is answered by a stream of events; all other calls carry its Mesos-Stream-Id."},
		{Path: "/master/api/v1/link", Realm: Agents, Handler: led(a.link),
			Help: "Where agents of Souk subscribe and report. Nothing for others."},

		{Path: "/master/state", Realm: ReadOnly, Handler: led(a.state),
			Help: "Everything the master knows: agents, frameworks and their tasks. Long on a large cluster: /state-summary and /tasks are cheaper."},
		{Path: "/master/state.json", Realm: ReadOnly, Handler: led(a.state)},
		{Path: "/master/state-summary", Realm: ReadOnly, Handler: led(a.stateSummary),
			Help: "Agents and frameworks with how many of their tasks are in which state."},
		{Path: "/master/slaves", Realm: ReadOnly, Handler: led(a.slaves),
			Help: "The agents, with their resources one by one. ?slave_id= shows one."},
		{Path: "/master/frameworks", Realm: ReadOnly, Handler: led(a.frameworks),
			Help: "The frameworks, those that have ended too, with tasks, executors and offers. ?framework_id= shows one."},
		{Path: "/master/tasks", Realm: ReadOnly, Handler: led(a.tasks),
			Help: "Tasks, the newest first: ?limit= (100), ?offset=, ?order=asc; ?framework_id= and ?task_id= choose."},
		{Path: "/master/tasks.json", Realm: ReadOnly, Handler: led(a.tasks)},
		{Path: "/master/roles", Realm: ReadOnly, Handler: led(a.roles),
			Help: "The roles in use, with weight, quota, frameworks and what they have."},
		{Path: "/master/roles.json", Realm: ReadOnly, Handler: led(a.roles)},
		{Path: "/master/weights", Realm: ReadWrite, Handler: led(a.weights),
			Help: `The weights of roles. PUT [{"role":"dev","weight":2.0}] changes them.`},
		{Path: "/master/quota", Realm: ReadWrite, Handler: led(a.quota),
			Help: "The quotas. POST sets one, DELETE /quota/ROLE removes it; UPDATE_QUOTA of the operator API can do more."},
		{Path: "/master/teardown", Realm: ReadWrite, Handler: led(a.teardown),
			Help: "POST frameworkId=ID ends a framework and kills its tasks."},
		{Path: "/master/reserve", Realm: ReadWrite, Handler: led(a.onResources("resources", reserveCall)),
			Help: "POST slaveId=ID&resources=[…] reserves resources of an agent."},
		{Path: "/master/unreserve", Realm: ReadWrite, Handler: led(a.onResources("resources", unreserveCall)),
			Help: "POST slaveId=ID&resources=[…] takes a reservation back."},
		{Path: "/master/create-volumes", Realm: ReadWrite, Handler: led(a.onResources("volumes", createVolumesCall)),
			Help: "POST slaveId=ID&volumes=[…] makes persistent volumes of reserved disk."},
		{Path: "/master/destroy-volumes", Realm: ReadWrite, Handler: led(a.onResources("volumes", destroyVolumesCall)),
			Help: "POST slaveId=ID&volumes=[…] removes persistent volumes and what is in them."},
		{Path: "/master/allocator/explain", Realm: ReadOnly, Handler: led(a.explain),
			Help: "Why a framework or a role is offered what it is, and not more."},
		{Path: "/master/maintenance/schedule", Realm: ReadWrite, Handler: led(a.maintenanceSchedule),
			Help: "The schedule of machines to be taken down. POST replaces it."},
		{Path: "/master/maintenance/status", Realm: ReadOnly, Handler: led(a.maintenanceStatus),
			Help: "Which machines drain, which are down, and what frameworks answered to inverse offers."},
		{Path: "/master/machine/down", Realm: ReadWrite, Handler: led(a.machineDown),
			Help: "POST a list of machines that drain: their agents are ended and not let in again."},
		{Path: "/master/machine/up", Realm: ReadWrite, Handler: led(a.machineUp),
			Help: "POST a list of machines that are down: they may be used again."},

		{Path: "/master/flags", Realm: ReadOnly, Handler: a.flags, Help: "The flags that this master runs with."},
		{Path: "/master/health", Handler: health, Help: "200 while the process serves."},
		{Path: "/master/redirect", Exact: true, Handler: a.redirect, Help: "307 to the leading master, from that one too."},
		{Path: "/registrar(1)/registry", Realm: ReadOnly, Handler: led(a.registry),
			Help: "What the master keeps for its successor, in the words of Mesos' registry."},
		{Path: "/version", Handler: a.version, Help: "What was built, and which release of Mesos it speaks like."},
		{Path: "/metrics/snapshot", Realm: ReadOnly, Handler: a.Metrics.SnapshotHandler().ServeHTTP,
			Help: "All metrics as one JSON object. ?timeout=10secs leaves out what is not ready by then."},
		{Path: "/metrics", Exact: true, Realm: ReadOnly, Handler: a.Metrics.PrometheusHandler().ServeHTTP,
			Help: "All metrics in the formats of Prometheus."},
		{Path: "/system/stats.json", Handler: a.systemStats, Help: "Load and memory of the machine."},
		{Path: "/files/browse", Realm: ReadOnly, Handler: files.Server{Source: a.Files}.Browse, Help: "What is in the folder ?path=."},
		{Path: "/files/read", Realm: ReadOnly, Handler: files.Server{Source: a.Files}.Read,
			Help: "A piece of the file ?path=: ?length= bytes from ?offset=. Without an offset, its size."},
		{Path: "/files/download", Realm: ReadOnly, Handler: files.Server{Source: a.Files}.Download, Help: "The file ?path=."},
		{Path: "/files/debug", Realm: ReadOnly, Handler: a.debugFiles, Help: "Which paths can be asked for, and what they are on the disk."},
		{Path: "/logging/toggle", Realm: ReadWrite, Handler: a.verbosity.Toggle,
			Help: "The level of the log. ?level=1&duration=15mins logs everything for a while."},
	}
	for i, r := range all {
		all[i].Handler = a.Gate.Wrap(r.Realm, r.Handler)
	}
	return all
}
