package conformance_test

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// stage launches a task under an executor that the play speaks for, and subscribes it.
func stage(p *play) (scheduler, executor *actor) {
	a := p.usual()
	a.accepts(launching(under("ex", "t")))
	x := p.executor(a.id, "ex", "")
	return a, x
}

// reports sends an update of a task as its executor.
func (a *actor) reports(task, state, members string) {
	a.says(reported(task, state, members))
}

func reported(task, state, members string) string {
	id := uuid.New()
	return fmt.Sprintf(`{"type":"UPDATE","framework_id":{"value":"$ID"},"executor_id":{"value":"ex"},"update":{"status":{"task_id":{"value":%q},"state":%q,"source":"SOURCE_EXECUTOR","uuid":%q%s}}}`,
		task, state, base64of(id[:]), members)
}

// executorSteps are about executors of frameworks' own.
func executorSteps() []step {
	const own = `"framework_id":{"value":"$ID"},"executor_id":{"value":"ex"}`
	return []step{
		{at: "13.2:953", name: "SUBSCRIBED says who is who", say: func(p *play) {
			a, x := stage(p)
			x.first.has(`{"type":"SUBSCRIBED","subscribed":{"executor_info":{"executor_id":{"value":"ex"},"framework_id":{"value":"` + a.id + `"}},
				"framework_info":{"id":{"value":"` + a.id + `"},"name":"play"},"agent_info":{"id":{"value":"$AGENT"}},"container_id":{"value":"$ANY"}}}`)
		}},
		{at: "1.6:90", name: "the executor's stream has no id", say: func(p *play) {
			if _, x := stage(p); x.stream != "" {
				p.fail("Mesos-Stream-Id is %s", x.stream)
			}
		}},
		{at: "13.3:966", name: "queued tasks are delivered after SUBSCRIBE", say: func(p *play) {
			_, x := stage(p)
			x.next().has(`{"type":"LAUNCH","launch":{"task":{"task_id":{"value":"t"},"agent_id":{"value":"$AGENT"},"executor":{"executor_id":{"value":"ex"}}}}}`)
		}},
		{at: "13.2:957", name: "ACKNOWLEDGED when the agent has stored an update, before the scheduler acknowledges", say: func(p *play) {
			a, x := stage(p)
			a.mute = true
			x.hears(`{"type":"LAUNCH"}`)
			x.reports("t", "TASK_RUNNING", "")
			x.hears(`{"type":"ACKNOWLEDGED","acknowledged":{"task_id":{"value":"t"},"uuid":"$ANY"}}`)
			a.hears(update("t", "TASK_RUNNING", `,"source":"SOURCE_EXECUTOR","executor_id":{"value":"ex"},"agent_id":{"value":"$AGENT"},"uuid":"$ANY"`))
		}},
		{at: "13.1:944", name: "data and message of an update reach the scheduler", say: func(p *play) {
			a, x := stage(p)
			x.reports("t", "TASK_RUNNING", `,"message":"m","data":"aGk=","labels":{"labels":[{"key":"k","value":"v"}]}`)
			a.hears(update("t", "TASK_RUNNING", `,"message":"m","data":"aGk=","labels":{"labels":[{"key":"k","value":"v"}]}`))
		}},
		{at: "13.1:944", name: "updates that are refused", say: func(p *play) {
			_, x := stage(p)
			x.refusedAs(reported("t", "TASK_STAGING", ""), 400)
			x.refusedAs(strings.Replace(reported("t", "TASK_RUNNING", ""), "SOURCE_EXECUTOR", "SOURCE_AGENT", 1), 400)
			x.refusedAs(reported("t", "TASK_RUNNING", `,"executor_id":{"value":"another"}`), 400)
			x.refusedAs(`{"type":"UPDATE",`+own+`,"update":{"status":{"task_id":{"value":"t"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","uuid":"aGk="}}}`, 400)
		}},
		{at: "13.1:945", name: "MESSAGE in both directions", say: func(p *play) {
			a, x := stage(p)
			x.says(`{"type":"MESSAGE",` + own + `,"message":{"data":"dXA="}}`)
			a.hears(`{"type":"MESSAGE","message":{"agent_id":{"value":"$AGENT"},"executor_id":{"value":"ex"},"data":"dXA="}}`)
			a.says(`{"type":"MESSAGE","framework_id":{"value":"$ID"},"message":{"agent_id":{"value":"$AGENT"},"executor_id":{"value":"ex"},"data":"ZG93bg=="}}`)
			x.hears(`{"type":"MESSAGE","message":{"data":"ZG93bg=="}}`)
		}},
		{at: "13.1:946", name: "HEARTBEAT", say: func(p *play) {
			_, x := stage(p)
			x.says(`{"type":"HEARTBEAT",` + own + `}`)
		}},
		{at: "13.1:948", name: "an executor that is not known", say: func(p *play) {
			_, x := stage(p)
			x.refused(`{"type":"MESSAGE","framework_id":{"value":"nobody"},"executor_id":{"value":"ex"},"message":{"data":"aGk="}}`, 400, "Framework cannot be found")
			x.refused(`{"type":"MESSAGE","framework_id":{"value":"$ID"},"executor_id":{"value":"nobody"},"message":{"data":"aGk="}}`, 400, "Executor cannot be found")
		}},
		{at: "13.2:956", name: "KILL with its policy", say: func(p *play) {
			a, x := stage(p)
			x.reports("t", "TASK_RUNNING", "")
			a.hears(update("t", "TASK_RUNNING", ""))
			a.says(`{"type":"KILL","framework_id":{"value":"$ID"},"kill":{"task_id":{"value":"t"},"kill_policy":{"grace_period":{"nanoseconds":7}}}}`)
			x.hears(`{"type":"KILL","kill":{"task_id":{"value":"t"},"kill_policy":{"grace_period":{"nanoseconds":7}}}}`)
			x.reports("t", "TASK_KILLED", "")
			a.hears(update("t", "TASK_KILLED", ""))
		}},
		{at: "13.3:968", name: "a second SUBSCRIBE replaces the first", say: func(p *play) {
			a, x := stage(p)
			x.hears(`{"type":"LAUNCH"}`)
			y := p.executor(a.id, "ex", "")
			x.ends()
			y.says(`{"type":"MESSAGE",` + own + `,"message":{"data":"dXA="}}`)
			a.hears(`{"type":"MESSAGE"}`)
		}},
		{at: "13.3:969", name: "unacknowledged updates of a SUBSCRIBE reach the scheduler", say: func(p *play) {
			a, x := stage(p)
			x.hears(`{"type":"LAUNCH"}`)
			id := uuid.New()
			p.executor(a.id, "ex", `"unacknowledged_updates":[{"status":{"task_id":{"value":"t"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","uuid":"`+base64of(id[:])+`"}}]`)
			a.hears(update("t", "TASK_RUNNING", ""))
		}},
		{at: "11.3:900", name: "an update that comes twice is acknowledged twice and told once", say: func(p *play) {
			a, x := stage(p)
			text := reported("t", "TASK_RUNNING", "")
			x.says(text)
			x.says(text)
			x.hears(`{"type":"ACKNOWLEDGED"}`)
			x.hears(`{"type":"ACKNOWLEDGED"}`)
			a.hears(update("t", "TASK_RUNNING", ""))
			a.never(update("t", "TASK_RUNNING", `,"uuid":"$ANY"`))
		}},
		{at: "11.3:898", name: "resources are free at the terminal state, before older updates are acknowledged", say: func(p *play) {
			a, x := stage(p)
			a.mute = true
			for _, state := range []string{"TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"} {
				x.reports("t", state, "")
				x.hears(`{"type":"ACKNOWLEDGED"}`)
			}
			a.acknowledge(a.hears(update("t", "TASK_STARTING", "")))
			a.hears(update("t", "TASK_RUNNING", ""))
			p.soon(`{"type":"GET_FRAMEWORKS"}`, `{"get_frameworks":{"frameworks":{"$SOME":{"framework_info":{"id":{"value":"`+a.id+`"}},"allocated_resources":{"$SOME":{"name":"cpus","scalar":{"value":0.1}}}}}}}`)
		}},
		{at: "8.10:636", name: "SHUTDOWN reaches the executor", say: func(p *play) {
			a, x := stage(p)
			x.hears(`{"type":"LAUNCH"}`)
			a.says(`{"type":"SHUTDOWN","framework_id":{"value":"$ID"},"shutdown":{"executor_id":{"value":"ex"},"agent_id":{"value":"$AGENT"}}}`)
			x.hears(`{"type":"SHUTDOWN"}`)
		}},
		{at: "13.3:979", name: "an executor that ends: FAILURE, and TASK_FAILED for what it ran", say: func(p *play) {
			a := p.usual()
			a.accepts(launching(strings.Replace(under("ex", "t"), "env > env; exec sleep 1000", "exit 5", 1)))
			a.hears(update("t", "TASK_FAILED", `,"source":"SOURCE_AGENT","reason":"REASON_EXECUTOR_TERMINATED","message":"Executor terminated"`))
		}},
		{at: "8.14:677", name: "FAILURE has the wait status of the executor", say: func(p *play) {
			a := p.usual()
			a.accepts(launching(strings.Replace(under("ex", "t"), "env > env; exec sleep 1000", "exit 5", 1)))
			a.hears(`{"type":"FAILURE","failure":{"agent_id":{"value":"$AGENT"},"executor_id":{"value":"ex"},"status":1280}}`)
		}},
		{at: "13.4:986", name: "environment of an executor", once: true, say: func(p *play) {
			a, _ := stage(p)
			p.sandbox(a.id, "ex", "env", "MESOS_FRAMEWORK_ID="+a.id+"\n", "MESOS_EXECUTOR_ID=ex\n", "MESOS_DIRECTORY=/", "MESOS_SANDBOX=/", "MESOS_SLAVE_ID=$AGENT\n", "MESOS_SLAVE_PID=slave(1)@",
				"MESOS_AGENT_ENDPOINT=$AGENTHOST\n", "MESOS_CHECKPOINT=0\n", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=5secs\n", "MESOS_HTTP_COMMAND_EXECUTOR=0\n", "LIBPROCESS_PORT=0\n", "PATH=")
		}},
		{at: "13.4:993", name: "environment of an executor that outlives its agent", once: true, say: func(p *play) {
			a := p.framework(`"roles":["*"],"checkpoint":true,` + capable)
			a.accepts(launching(under("ex", "t")))
			p.sandbox(a.id, "ex", "env", "MESOS_CHECKPOINT=1\n", "MESOS_RECOVERY_TIMEOUT=15mins\n", "MESOS_SUBSCRIPTION_BACKOFF_MAX=2secs\n")
		}},
		{at: "10.1:794", name: "another ExecutorInfo under the id of one that runs", say: func(p *play) {
			a, _ := stage(p)
			a.accepts(launching(strings.Replace(under("ex", "u"), `"name":"e"`, `"name":"f"`, 1)))
			if m := a.hears(update("u", "TASK_ERROR", "")).at("update.status.message"); !strings.HasPrefix(m, "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.") {
				p.fail("%s", m)
			}
		}},
		{at: "10.1:797", name: "an executor that runs is not counted again", say: func(p *play) {
			a, x := stage(p)
			x.hears(`{"type":"LAUNCH"}`)
			a.accepts(launching(under("ex", "u")))
			x.hears(`{"type":"LAUNCH","launch":{"task":{"task_id":{"value":"u"}}}}`)
			p.ask(`{"type":"GET_FRAMEWORKS"}`, `{"get_frameworks":{"frameworks":{"$SOME":{"framework_info":{"id":{"value":"`+a.id+`"}},"allocated_resources":{"$SOME":{"name":"cpus","scalar":{"value":0.3}}}}}}}`)
		}},
		{at: "13.2:955", name: "LAUNCH_GROUP is delivered in one event", say: func(p *play) {
			a := p.usual()
			a.accepts(grouped("one", "two"))
			p.executor(a.id, "ex", "").hears(`{"type":"LAUNCH_GROUP","launch_group":{"task_group":{"tasks":[{"task_id":{"value":"one"}},{"task_id":{"value":"two"}}]}}}`)
		}},
		{at: "8.10:631", name: "KILL of one task of a group that is not delivered ends the group", say: func(p *play) {
			a := p.usual()
			a.accepts(grouped("one", "two"))
			a.says(`{"type":"KILL","framework_id":{"value":"$ID"},"kill":{"task_id":{"value":"one"}}}`)
			first := a.hears(`{"type":"UPDATE","update":{"status":{"state":"TASK_KILLED","reason":"REASON_TASK_KILLED_DURING_LAUNCH"}}}`)
			second := a.hears(`{"type":"UPDATE","update":{"status":{"state":"TASK_KILLED","reason":"REASON_TASK_KILLED_DURING_LAUNCH"}}}`)
			if first.at("update.status.task_id.value") == second.at("update.status.task_id.value") {
				p.fail("%s was killed twice", first.at("update.status.task_id.value"))
			}
		}},
		{at: "4.1:292", name: "GET_EXECUTORS of the master", say: func(p *play) {
			a, _ := stage(p)
			p.ask(`{"type":"GET_EXECUTORS"}`, `{"get_executors":{"executors":{"$SOME":{"executor_info":{"executor_id":{"value":"ex"},"framework_id":{"value":"`+a.id+`"}},"agent_id":{"value":"$AGENT"}}}}}`)
		}},
		{at: "6.1:353", name: "GET_TASKS of the agent: queued, launched, completed", say: func(p *play) {
			a := p.usual()
			a.accepts(launching(under("ex", "t")))
			some := func(list, members string) string {
				return `{"get_tasks":{"` + list + `":{"$SOME":{"framework_id":{"value":"` + a.id + `"},"task_id":{"value":"t"}` + members + `}}}}`
			}
			p.agentSoon(`{"type":"GET_TASKS"}`, some("queued_tasks", ""))
			x := p.executor(a.id, "ex", "")
			x.hears(`{"type":"LAUNCH"}`)
			p.agentSoon(`{"type":"GET_TASKS"}`, some("launched_tasks", `,"state":"TASK_STAGING"`))
			x.reports("t", "TASK_FINISHED", "")
			a.hears(update("t", "TASK_FINISHED", ""))
			p.agentSoon(`{"type":"GET_TASKS"}`, some("completed_tasks", `,"state":"TASK_FINISHED"`))
		}},
	}
}

// grouped is the operation that launches a group under an executor that a play speaks for.
func grouped(ids ...string) string {
	var tasks []string
	for _, id := range ids {
		tasks = append(tasks, task(id, "true", ""))
	}
	return groupUnder(`"type":"CUSTOM","executor_id":{"value":"ex"},"command":{"value":"sleep 1000"}`, tasks...)
}

// groupUnder is the operation that launches a group under an executor of which members say the most.
func groupUnder(members string, tasks ...string) string {
	const disk = `{"name":"disk","type":"SCALAR","scalar":{"value":1}}`
	return `{"type":"LAUNCH_GROUP","launch_group":{"executor":{"name":"e","framework_id":{"value":"$ID"},` +
		strings.Replace(small, "]", ","+disk+"]", 1) + `,` + members + `},"task_group":{"tasks":[` + strings.Join(tasks, ",") + `]}}}`
}
