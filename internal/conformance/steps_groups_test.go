package conformance_test

// pod is the operation that launches a group under a default executor.
func pod(executor string, tasks ...string) string {
	return groupUnder(`"type":"DEFAULT","executor_id":{"value":"`+executor+`"}`, tasks...)
}

// shared is a volume of what a task is nested in.
const shared = `,"container":{"type":"MESOS","volumes":[{"container_path":"mine","mode":"RW",` +
	`"source":{"type":"SANDBOX_PATH","sandbox_path":{"type":"PARENT","path":"shared"}}}]}`

// groupSteps are about the default executor.
func groupSteps() []step {
	return []step{
		{at: "14.2:1043", name: "the whole group is TASK_STARTING, then TASK_RUNNING", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(pod("ex", task("t", "sleep 1000", ""), task("u", "sleep 1000", "")))
			a.hears(update("t", "TASK_STARTING", `,"source":"SOURCE_EXECUTOR"`))
			a.hears(update("t", "TASK_RUNNING", `,"source":"SOURCE_EXECUTOR","executor_id":{"value":"ex"}`))
		}},
		{at: "14.2:1038", name: "each task has a container nested in that of the executor", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(pod("ex", task("t", "sleep 1000", "")))
			a.hears(update("t", "TASK_RUNNING", `,"container_status":{"container_id":{"value":"$ANY","parent":{"value":"$ANY"}},"executor_pid":"$ANY"}`))
		}},
		{at: "14.2:1049", name: "tasks of a group that end well, and the end of their executor", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(pod("ex", task("t", "exit 0", ""), task("u", "sleep 0.3", "")))
			a.hears(update("u", "TASK_FINISHED", `,"message":"Command exited with status 0"`))
			a.hears(`{"type":"FAILURE","failure":{"agent_id":{"value":"$AGENT"},"executor_id":{"value":"ex"},"status":0}}`)
		}},
		{at: "14.2:1040", name: "a task that fails: the others of its group are killed, those of another are not", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(pod("ex", task("v", "sleep 1000", "")), pod("ex", task("t", "sleep 0.2; exit 3", ""), task("u", "sleep 1000", "")))
			a.hears(update("t", "TASK_FAILED", `,"message":"Command exited with status 3"`))
			a.hears(update("u", "TASK_KILLING", ""))
			a.hears(update("u", "TASK_KILLED", `,"message":"Command terminated with signal Terminated","reason":"$NONE"`))
			a.never(update("v", "TASK_KILLING", ""))
		}},
		{at: "14.2:1042", name: "KILL: grace of the first one, then the rest of the group", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(pod("ex", task("t", "trap '' TERM; echo deaf; while true; do sleep 0.05; done", ""), task("u", "sleep 1000", "")))
			a.hears(update("t", "TASK_RUNNING", ""))
			p.sandbox(a.id, "ex", "tasks/t/stdout", "deaf\n")
			a.says(`{"type":"KILL","framework_id":{"value":"$ID"},"kill":{"task_id":{"value":"t"},"kill_policy":{"grace_period":{"nanoseconds":200000000}}}}`)
			a.hears(update("t", "TASK_KILLED", `,"message":"Command terminated with signal Killed"`))
			a.hears(update("u", "TASK_KILLED", ""))
		}},
		{at: "14.2:1045", name: "sandboxes of tasks lie in that of their executor", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(pod("ex", task("t", "echo from t; sleep 1000", "")))
			a.hears(update("t", "TASK_RUNNING", ""))
			p.sandbox(a.id, "ex", "tasks/t/stdout", "from t\n")
		}},
		{at: "14.2:1046", name: "a volume of SANDBOX_PATH, type PARENT", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(pod("ex", task("t", "echo hello > mine/file; sleep 1000", shared), task("u", "while ! cat mine/file; do sleep 0.05; done; sleep 1000", shared)))
			a.hears(update("u", "TASK_RUNNING", ""))
			p.sandbox(a.id, "ex", "tasks/u/stdout", "hello\n")
		}},
		{at: "14.2:1048", name: "max_completion_time of one of a group", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(pod("ex", task("t", "sleep 1000", `,"max_completion_time":{"nanoseconds":200000000}`), task("u", "sleep 1000", "")))
			a.hears(update("t", "TASK_FAILED", `,"reason":"REASON_MAX_COMPLETION_TIME_REACHED"`))
			a.hears(update("u", "TASK_KILLED", ""))
		}},
		{at: "13.4:1003", name: "environment of a task of a group", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(pod("ex", task("t", "env; sleep 1000", "")))
			a.hears(update("t", "TASK_RUNNING", ""))
			p.sandbox(a.id, "ex", "tasks/t/stdout", "MESOS_CONTAINER_IP=", "MESOS_SANDBOX=/", "MESOS_ALLOCATION_ROLE=*\n")
		}},
	}
}
