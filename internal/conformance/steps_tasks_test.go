package conformance_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// sandbox reads a file of a task's or an executor's sandbox once it has what is wanted.
func (p *play) sandbox(framework, executor, file string, lines ...string) {
	path := "/frameworks/" + framework + "/executors/" + executor + "/runs/latest/" + file
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		text := p.read(path)
		missing := ""
		for _, line := range lines {
			if !strings.Contains("\n"+text, "\n"+p.fill(line)) {
				missing = line
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			p.fail("no line of %s begins with %q:\n%s", path, p.fill(missing), text)
		}
	}
}

// read is what is in a file of the agent; "" while there is none.
func (p *play) read(path string) string {
	resp, err := p.http.Get(p.agent + "/files/read?offset=0&path=" + url.QueryEscape(path))
	p.must(err)
	defer resp.Body.Close()
	var answer struct{ Data string }
	if resp.StatusCode == http.StatusOK {
		p.must(json.NewDecoder(resp.Body).Decode(&answer))
	}
	return answer.Data
}

// ended launches a task and wants the updates of its life.
func ended(p *play, task, state, members string) {
	a := p.usual()
	a.accepts(launching(task))
	for _, u := range []string{update("t", "TASK_STARTING", ""), update("t", "TASK_RUNNING", ""), update("t", state, members)} {
		a.hears(`{"type":"UPDATE"}`).has(u)
	}
}

// checked is a task with a check or a health check that is made often.
func checked(command, kind, check string) string {
	return task("t", command, `,"`+kind+`":{`+check+`,"delay_seconds":0,"interval_seconds":0.1,"grace_period_seconds":0,"consecutive_failures":2}`)
}

const missing = "a command that cannot be run is told as such, with the reason: there is no process between that could exit"

// taskSteps are about tasks that the agent's own executor runs.
func taskSteps() []step {
	return []step{
		{at: "14.1:1020", name: "TASK_STARTING, TASK_RUNNING, then the end", say: func(p *play) {
			ended(p, task("t", "exit 0", ""), "TASK_FINISHED", `,"message":"Command exited with status 0","source":"SOURCE_EXECUTOR"`)
		}},
		{at: "14.1:1023", name: "exit status other than 0", say: func(p *play) {
			ended(p, task("t", "exit 3", ""), "TASK_FAILED", `,"message":"Command exited with status 3","source":"SOURCE_EXECUTOR"`)
		}},
		{at: "14.1:1023", name: "ended by a signal", once: true, say: func(p *play) {
			ended(p, task("t", "kill -9 $$", ""), "TASK_FAILED", `,"message":"Command terminated with signal Killed"`)
		}},
		{at: "14.1:1021", name: "without a shell: value is executed, arguments are all of argv", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(launching(task("t", "/bin/echo", `,"labels":{}`), strings.Replace(task("u", "/bin/echo", ""), `"value":"/bin/echo"`, `"value":"/bin/echo","shell":false,"arguments":["me","a  b","$HOME"]`, 1)))
			a.hears(update("u", "TASK_FINISHED", ""))
			p.sandbox(a.id, "u", "stdout", "a  b $HOME")
		}},
		{at: "14.1:1027", name: "a shell that finds no program", once: true, say: func(p *play) {
			ended(p, task("t", "/no/such/program", ""), "TASK_FAILED", `,"message":"Command exited with status 127"`)
		}},
		{at: "14.1:1027", name: "a program that is not there", once: true, notYet: missing, say: func(p *play) {
			ended(p, strings.Replace(task("t", "/no/such/program", ""), `"command":{`, `"command":{"shell":false,`, 1), "TASK_FAILED", `,"message":"Command exited with status 1"`)
		}},
		{at: "14.1:1024", name: "KILL: a task that exits with 0 on SIGTERM is TASK_KILLED", once: true, say: func(p *play) {
			a := p.usual()
			a.runs("t", "trap 'exit 0' TERM; while true; do sleep 0.05; done")
			a.kills("t")
		}},
		{at: "14.1:1024", name: "KILL: SIGKILL after the task's own grace period", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(launching(task("t", "trap '' TERM; while true; do sleep 0.05; done", `,"kill_policy":{"grace_period":{"nanoseconds":200000000}}`)))
			a.hears(update("t", "TASK_RUNNING", ""))
			a.kills("t")
		}},
		{at: "14.1:1026", name: "max_completion_time: TASK_FAILED without TASK_KILLING", once: true, say: func(p *play) {
			ended(p, task("t", "sleep 1000", `,"max_completion_time":{"nanoseconds":200000000}`), "TASK_FAILED", `,"reason":"REASON_MAX_COMPLETION_TIME_REACHED"`)
		}},
		{at: "14.1:1026", name: "max_completion_time 0 is no limit", once: true, say: func(p *play) {
			ended(p, task("t", "sleep 0.3", `,"max_completion_time":{"nanoseconds":0}`), "TASK_FINISHED", "")
		}},
		{at: "14.1:1032", name: "the master shows no executor of a command task", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			p.ask(`{"type":"GET_TASKS"}`, `{"get_tasks":{"tasks":{"$SOME":{"framework_id":{"value":"`+a.id+`"},"task_id":{"value":"t"},"executor_id":"$NONE","state":"TASK_RUNNING"}}}}`)
			p.get(p.master+"/tasks?framework_id="+a.id, `{"tasks":[{"id":"t","executor_id":"","state":"TASK_RUNNING","slave_id":"`+p.agentID+`","role":"*"}]}`)
		}},
		{at: "14.1:1018", name: "the executor that the agent makes", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			p.askAgent(`{"type":"GET_EXECUTORS"}`, `{"get_executors":{"executors":{"$SOME":{"executor_info":{"executor_id":{"value":"t"},"framework_id":{"value":"`+a.id+`"},
				"name":"Command Executor (Task: t) (Command: sh -c 'sleep 1000')","source":"t"}}}}}`)
		}},
		{at: "14.1:1018", name: "a long command is cut in the executor's name", once: true, say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000; echo")
			p.askAgent(`{"type":"GET_EXECUTORS"}`, `{"get_executors":{"executors":{"$SOME":{"executor_info":{"executor_id":{"value":"t"},"name":"Command Executor (Task: t) (Command: sh -c 'sleep 1000; ...')"}}}}}`)
		}},
		{at: "14.1:1031", name: "no FAILURE for the end of a command task", say: func(p *play) {
			a := p.usual()
			a.accepts(launching(task("t", "exit 1", "")))
			a.hears(update("t", "TASK_FAILED", ""))
			a.never(`{"type":"FAILURE"}`)
		}},
		{at: "11.3:895", name: "what the agent adds to an update", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000").has(`{"update":{"status":{"source":"SOURCE_EXECUTOR","agent_id":{"value":"$AGENT"},"executor_id":{"value":"t"},"timestamp":"$ANY","uuid":"$ANY",
				"container_status":{"container_id":{"value":"$ANY"},"network_infos":[{"ip_addresses":[{"ip_address":"$ANY"}]}],"executor_pid":"$ANY"}}}}`)
		}},
		{at: "11.3:905", name: "the history of a task has its statuses", say: func(p *play) {
			a := p.usual()
			a.accepts(launching(task("t", "exit 0", "")))
			a.hears(update("t", "TASK_FINISHED", ""))
			p.soon(`{"type":"GET_TASKS"}`, `{"get_tasks":{"completed_tasks":{"$SOME":{"framework_id":{"value":"`+a.id+`"},"statuses":[{"state":"TASK_STARTING"},{"state":"TASK_RUNNING"},{"state":"TASK_FINISHED"}]}}}}`)
		}},
		{at: "13.4:1002", name: "environment of a command task", once: true, say: func(p *play) {
			a := p.framework(`"roles":["eng/dev"],` + capable)
			a.accepts(launching(strings.Replace(task("t", "env", ""), `"command":{`, `"command":{"environment":{"variables":[{"name":"A","value":"1"},{"name":"A","value":"2"}]},`, 1)))
			a.hears(update("t", "TASK_FINISHED", ""))
			p.sandbox(a.id, "t", "stdout", "MESOS_ALLOCATION_ROLE=eng/dev\n", "MESOS_SANDBOX=/", "A=2\n", "PATH=")
		}},
		{at: "10.1:774", name: "an id that is in use", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			a.accepts(launching(task("t", "exit 0", "")))
			a.hears(update("t", "TASK_ERROR", `,"source":"SOURCE_MASTER","reason":"REASON_TASK_INVALID","message":"Task has duplicate ID: t"`))
		}},
		{at: "10.1:769", name: "one task that is refused leaves the others", say: func(p *play) {
			a := p.usual()
			a.accepts(launching(task("a/b", "exit 0", ""), task("t", "exit 0", "")))
			a.hears(update("a/b", "TASK_ERROR", `,"reason":"REASON_TASK_INVALID","uuid":"$NONE"`))
			a.hears(update("t", "TASK_FINISHED", ""))
		}},
		{at: "10.1:797", name: "more than is offered", say: func(p *play) {
			a := p.usual()
			a.accepts(launching(strings.Replace(task("t", "exit 0", ""), `{"value":0.1}`, `{"value":1000000}`, 1)))
			if m := a.hears(update("t", "TASK_ERROR", "")).at("update.status.message"); !strings.HasPrefix(m, "Total resources ") || !strings.Contains(m, " required by task and its executor is more than available ") {
				p.fail("%s", m)
			}
		}},
		{at: "10.1:800", name: "a user that does not exist", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(launching(strings.Replace(task("t", "exit 0", ""), `"command":{`, `"command":{"user":"no-such-user",`, 1)))
			e := a.hears(update("t", "TASK_DROPPED", `,"source":"SOURCE_AGENT","reason":"REASON_EXECUTOR_TERMINATED"`))
			if m := e.at("update.status.message"); !strings.Contains(m, "No such user 'no-such-user'") {
				p.fail("%s", m)
			}
		}},
		{at: "10.1:800", name: "a Docker container where nothing runs it", own: true, once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(launching(task("t", "exit 0", `,"container":{"type":"DOCKER","docker":{"image":"i"}}`)))
			e := a.hears(update("t", "TASK_FAILED", `,"source":"SOURCE_AGENT","reason":"REASON_EXECUTOR_TERMINATED"`))
			if m := e.at("update.status.message"); !strings.HasPrefix(m, "Abnormal executor termination: unknown container") {
				p.fail("%s", m)
			}
		}},
		{at: "10.1:800", name: "limits where nothing enforces them", own: true, once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(launching(task("t", "exit 0", `,"limits":{"cpus":{"value":1}}`)))
			a.hears(update("t", "TASK_DROPPED", `,"source":"SOURCE_AGENT","reason":"REASON_GC_ERROR","message":"CPU limits can only be set on tasks launched in Mesos containers when the agent has loaded the 'cgroups/cpu' isolator"`))
		}},
		{at: "15:1089", name: "health check: the first success", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(launching(checked("sleep 1000", "health_check", `"type":"COMMAND","command":{"value":"true"}`)))
			a.hears(update("t", "TASK_RUNNING", `,"healthy":"$NONE"`))
			a.hears(update("t", "TASK_RUNNING", `,"healthy":true,"reason":"REASON_TASK_HEALTH_CHECK_STATUS_UPDATED","source":"SOURCE_EXECUTOR"`))
		}},
		{at: "15:1091", name: "health check: killed after so many failures", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(launching(checked("sleep 1000", "health_check", `"type":"COMMAND","command":{"value":"false"}`)))
			a.hears(update("t", "TASK_RUNNING", `,"healthy":false,"reason":"REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"`))
			a.hears(update("t", "TASK_KILLED", `,"healthy":false`))
		}},
		{at: "15:1084", name: "health check by HTTP: status 200 to 399 is healthy", own: true, once: true, say: func(p *play) {
			status := http.StatusFound
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/at/home" {
					w.Header().Set("Location", "/at/home")
					w.WriteHeader(status)
				}
			}))
			p.exits = append(p.exits, server.Close)
			a := p.usual()
			a.accepts(launching(checked("sleep 1000", "health_check", `"type":"HTTP","http":{"scheme":"http","port":`+strconv.Itoa(port(server))+`,"path":"/x"}`)))
			a.hears(update("t", "TASK_RUNNING", `,"healthy":true`))
		}},
		{at: "15:1085", name: "health check by TCP", own: true, once: true, say: func(p *play) {
			server := httptest.NewServer(http.NotFoundHandler())
			p.exits = append(p.exits, server.Close)
			a := p.usual()
			a.accepts(launching(checked("sleep 1000", "health_check", `"type":"TCP","tcp":{"port":`+strconv.Itoa(port(server))+`}`)))
			a.hears(update("t", "TASK_RUNNING", `,"healthy":true`))
		}},
		{at: "15:1092", name: "check: every status says what is known of it", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(launching(task("t", "sleep 1000", `,"check":{"type":"COMMAND","command":{"command":{"value":"exit 7"}},"delay_seconds":0,"interval_seconds":0.1}`)))
			a.hears(`{"type":"UPDATE"}`).has(update("t", "TASK_STARTING", `,"check_status":{"type":"COMMAND","command":{"exit_code":"$NONE"}}`))
			a.hears(`{"type":"UPDATE"}`).has(update("t", "TASK_RUNNING", `,"check_status":{"type":"COMMAND","command":{"exit_code":"$NONE"}}`))
			a.hears(`{"type":"UPDATE"}`).has(update("t", "TASK_RUNNING", `,"reason":"REASON_TASK_CHECK_STATUS_UPDATED","check_status":{"type":"COMMAND","command":{"exit_code":7}}`))
			a.says(`{"type":"KILL","framework_id":{"value":"$ID"},"kill":{"task_id":{"value":"t"}}}`)
			a.hears(update("t", "TASK_KILLED", `,"check_status":{"type":"COMMAND","command":{"exit_code":"$NONE"}}`))
		}},
		{at: "15:1093", name: "check by HTTP: the status code", own: true, once: true, say: func(p *play) {
			server := httptest.NewServer(http.NotFoundHandler())
			p.exits = append(p.exits, server.Close)
			a := p.usual()
			a.accepts(launching(task("t", "sleep 1000", `,"check":{"type":"HTTP","http":{"port":`+strconv.Itoa(port(server))+`},"delay_seconds":0,"interval_seconds":0.1}`)))
			a.hears(update("t", "TASK_RUNNING", `,"check_status":{"type":"HTTP","http":{"status_code":404}}`))
		}},
		{at: "15:1095", name: "a check never kills", once: true, say: func(p *play) {
			ended(p, task("t", "sleep 0.4", `,"check":{"type":"TCP","tcp":{"port":1},"delay_seconds":30}`), "TASK_FINISHED", `,"check_status":{"type":"TCP"}`)
		}},
		{at: "16.3:1130", name: "fetched by HTTP: executable, and under another name", own: true, once: true, say: func(p *play) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("#!/bin/sh\necho fetched\n")) }))
			p.exits = append(p.exits, server.Close)
			a := p.usual()
			a.accepts(launching(strings.Replace(task("t", "./dir/program && ./here", ""), `"command":{`, `"command":{"uris":[{"value":"`+server.URL+`/a","executable":true,"output_file":"dir/program"},{"value":"`+server.URL+`/here","executable":true}],`, 1)))
			a.hears(update("t", "TASK_FINISHED", ""))
			p.sandbox(a.id, "t", "stdout", "fetched\nfetched\n")
		}},
		{at: "16.3:1135", name: "a file that cannot be fetched", own: true, once: true, say: func(p *play) {
			server := httptest.NewServer(http.NotFoundHandler())
			p.exits = append(p.exits, server.Close)
			a := p.usual()
			a.accepts(launching(strings.Replace(task("t", "true", ""), `"command":{`, `"command":{"uris":[{"value":"`+server.URL+`/a"}],`, 1)))
			e := a.hears(update("t", "TASK_FAILED", `,"source":"SOURCE_AGENT","reason":"REASON_CONTAINER_LAUNCH_FAILED"`))
			if m := e.at("update.status.message"); !strings.HasPrefix(m, "Failed to launch container: Failed to fetch all URIs for container '") {
				p.fail("%s", m)
			}
		}},
		{at: "16.1:1103", name: "stdout and stderr in the sandbox", once: true, say: func(p *play) {
			a := p.usual()
			a.accepts(launching(task("t", "echo out; echo err >&2", "")))
			a.hears(update("t", "TASK_FINISHED", ""))
			p.sandbox(a.id, "t", "stdout", "out\n")
			p.sandbox(a.id, "t", "stderr", "err\n")
			p.askAgent(`{"type":"LIST_FILES","list_files":{"path":"/frameworks/`+a.id+`/executors/t/runs/latest"}}`, `{"list_files":{"file_infos":{"$SOME":{"path":"/frameworks/`+a.id+`/executors/t/runs/latest/stderr","size":4}}}}`)
		}},
	}
}

func port(server *httptest.Server) int {
	u, _ := url.Parse(server.URL)
	n, _ := strconv.Atoi(u.Port())
	return n
}

// reconciliationSteps are about what a master says of tasks and operations when asked.
func reconciliationSteps() []step {
	reconcile := func(a *actor, tasks string) {
		a.says(`{"type":"RECONCILE","framework_id":{"value":"$ID"},"reconcile":{"tasks":[` + tasks + `]}}`)
	}
	answer := func(id, state, message string) string {
		return update(id, state, `,"source":"SOURCE_MASTER","reason":"REASON_RECONCILIATION","message":"Reconciliation: `+message+`","uuid":"$NONE","timestamp":"$ANY"`)
	}
	finished := func(p *play, a *actor) {
		a.accepts(launching(task("t", "exit 0", "")))
		a.hears(update("t", "TASK_FINISHED", ""))
		p.soon(`{"type":"GET_TASKS"}`, `{"get_tasks":{"completed_tasks":{"$SOME":{"framework_id":{"value":"`+a.id+`"},"state":"TASK_FINISHED"}}}}`)
	}
	return []step{
		{at: "12.1:913", name: "a task that runs", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			reconcile(a, `{"task_id":{"value":"t"}}`)
			a.hears(answer("t", "TASK_RUNNING", "Latest task state")).has(`{"update":{"status":{"agent_id":{"value":"$AGENT"},"container_status":{"container_id":"$ANY"}}}}`)
		}},
		{at: "12.1:913", name: "a task that runs, asked with another agent", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			reconcile(a, `{"task_id":{"value":"t"},"agent_id":{"value":"another"}}`)
			a.hears(answer("t", "TASK_RUNNING", "Latest task state"))
		}},
		{at: "12.1:915", name: "a task that has ended, with its agent", say: func(p *play) {
			a := p.usual()
			finished(p, a)
			reconcile(a, `{"task_id":{"value":"t"},"agent_id":{"value":"$AGENT"}}`)
			a.hears(answer("t", "TASK_GONE", "Task is unknown to the agent"))
		}},
		{at: "12.1:915", name: "the same, not partition-aware", say: func(p *play) {
			a := p.framework(`"role":"*"`)
			finished(p, a)
			reconcile(a, `{"task_id":{"value":"t"},"agent_id":{"value":"$AGENT"}}`)
			a.hears(answer("t", "TASK_LOST", "Task is unknown to the agent"))
		}},
		{at: "12.1:918", name: "a task that has ended, without agent", say: func(p *play) {
			a := p.usual()
			finished(p, a)
			reconcile(a, `{"task_id":{"value":"t"}}`)
			a.hears(answer("t", "TASK_UNKNOWN", "Task is unknown"))
		}},
		{at: "12.1:918", name: "an agent that was never seen", say: func(p *play) {
			a := p.usual()
			reconcile(a, `{"task_id":{"value":"x"},"agent_id":{"value":"never"}}`)
			a.hears(answer("x", "TASK_UNKNOWN", "Task is unknown"))
		}},
		{at: "12.1:920", name: "implicit: every active task, and no other", say: func(p *play) {
			a := p.usual()
			a.accepts(launching(task("one", "sleep 1000", ""), task("two", "sleep 1000", ""), task("over", "exit 0", "")))
			seen := map[string]bool{}
			for len(seen) < 3 {
				if e := a.next(); e.at("update.status.state") == "TASK_RUNNING" && e.at("update.status.task_id.value") != "over" || e.at("update.status.state") == "TASK_FINISHED" {
					seen[e.at("update.status.task_id.value")] = true
				}
			}
			p.soon(`{"type":"GET_TASKS"}`, `{"get_tasks":{"completed_tasks":{"$SOME":{"framework_id":{"value":"`+a.id+`"},"task_id":{"value":"over"}}}}}`)
			reconcile(a, "")
			first := a.hears(`{"type":"UPDATE"}`).has(`{"update":{"status":{"state":"TASK_RUNNING","reason":"REASON_RECONCILIATION","uuid":"$NONE"}}}`)
			second := a.hears(`{"type":"UPDATE"}`).has(`{"update":{"status":{"state":"TASK_RUNNING","reason":"REASON_RECONCILIATION","uuid":"$NONE"}}}`)
			if first.at("update.status.task_id.value") == second.at("update.status.task_id.value") {
				p.fail("both answers are of %s", first.at("update.status.task_id.value"))
			}
			a.never(`{"type":"UPDATE","update":{"status":{"task_id":{"value":"over"}}}}`)
		}},
		{at: "12.1:920", name: "the state that was forwarded last, not the newest", say: func(p *play) {
			a := p.usual()
			a.mute = true
			a.accepts(launching(task("t", "exit 0", "")))
			a.hears(update("t", "TASK_STARTING", ""))
			reconcile(a, `{"task_id":{"value":"t"}}`)
			a.hears(answer("t", "TASK_STARTING", "Latest task state"))
		}},
		{at: "9.3:761", name: "RECONCILE_OPERATIONS: an operation that the agent does not have", say: func(p *play) {
			a := p.usual()
			a.says(`{"type":"RECONCILE_OPERATIONS","framework_id":{"value":"$ID"},"reconcile_operations":{"operations":[{"operation_id":{"value":"o"},"agent_id":{"value":"$AGENT"}}]}}`)
			a.hears(`{"type":"UPDATE_OPERATION_STATUS","update_operation_status":{"status":{"operation_id":{"value":"o"},"state":"OPERATION_UNKNOWN","message":"Reconciliation: Operation is unknown","uuid":"$NONE"}}}`)
		}},
		{at: "9.3:764", name: "RECONCILE_OPERATIONS: an agent that was never seen", say: func(p *play) {
			a := p.usual()
			a.says(`{"type":"RECONCILE_OPERATIONS","framework_id":{"value":"$ID"},"reconcile_operations":{"operations":[{"operation_id":{"value":"o"},"agent_id":{"value":"never"}}]}}`)
			a.hears(`{"type":"UPDATE_OPERATION_STATUS","update_operation_status":{"status":{"state":"OPERATION_UNKNOWN","message":"Reconciliation: Both operation and agent are unknown"}}}`)
		}},
		{at: "9.3:765", name: "RECONCILE_OPERATIONS: no agent given", say: func(p *play) {
			a := p.usual()
			a.says(`{"type":"RECONCILE_OPERATIONS","framework_id":{"value":"$ID"},"reconcile_operations":{"operations":[{"operation_id":{"value":"o"}}]}}`)
			a.hears(`{"type":"UPDATE_OPERATION_STATUS","update_operation_status":{"status":{"state":"OPERATION_UNKNOWN","message":"Reconciliation: Operation is unknown and no 'agent_id' was provided"}}}`)
		}},
		{at: "9.3:758", name: "RECONCILE_OPERATIONS: an operation whose status is not acknowledged", say: func(p *play) {
			a := p.framework(`"principal":"p","roles":["rec"],` + capable)
			const reserved = `[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"reservations":[{"type":"DYNAMIC","role":"rec","principal":"p"}]}]`
			a.mute = true
			a.accepts(`{"type":"RESERVE","id":{"value":"o"},"reserve":{"resources":` + reserved + `}}`)
			a.hears(`{"type":"UPDATE_OPERATION_STATUS","update_operation_status":{"status":{"operation_id":{"value":"o"},"state":"OPERATION_FINISHED","uuid":{"value":"$ANY"},"agent_id":{"value":"$AGENT"}}}}`)
			for _, list := range []string{"", `{"operation_id":{"value":"o"}}`} {
				a.says(`{"type":"RECONCILE_OPERATIONS","framework_id":{"value":"$ID"},"reconcile_operations":{"operations":[` + list + `]}}`)
				a.hears(`{"type":"UPDATE_OPERATION_STATUS","update_operation_status":{"status":{"operation_id":{"value":"o"},"state":"OPERATION_FINISHED","uuid":"$NONE"}}}`)
			}
			_ = a.call(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`)
			p.unreserve(reserved)
		}},
	}
}
