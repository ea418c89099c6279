package conformance_test

import (
	"encoding/base64"
	"strings"
)

func base64of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// operatorSteps are about what operators see and do.
func operatorSteps() []step {
	const cpus = `[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"reservations":[{"type":"DYNAMIC","role":"op","principal":"p"}]}]`
	const volume = `[{"name":"disk","type":"SCALAR","scalar":{"value":64},"reservations":[{"type":"DYNAMIC","role":"op","principal":"p"}],"disk":{"persistence":{"id":"v","principal":"p"},"volume":{"container_path":"v","mode":"RW"}}}]`
	const disk = `[{"name":"disk","type":"SCALAR","scalar":{"value":64},"reservations":[{"type":"DYNAMIC","role":"op","principal":"p"}]}]`
	const withVolume = `{"resources":{"$SOME":{"disk":{"persistence":{"id":"v"}}}}}`
	on := func(call, field, resources string) string {
		return `{"type":"` + call + `","` + strings.ToLower(call) + `":{"agent_id":{"value":"$AGENT"},"` + field + `":` + resources + `}}`
	}
	return []step{
		{at: "5:332", name: "SUBSCRIBED has the state", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			p.watch().first.has(`{"subscribed":{"get_state":{"get_tasks":{"tasks":{"$SOME":{"framework_id":{"value":"` + a.id + `"},"task_id":{"value":"t"}}}},
				"get_frameworks":{"frameworks":{"$SOME":{"framework_info":{"id":{"value":"` + a.id + `"}}}}},"get_agents":{"agents":{"$SOME":{"agent_info":{"id":{"value":"$AGENT"}}}}}}}}`)
		}},
		{at: "5:334", name: "TASK_ADDED when a launch is accepted", say: func(p *play) {
			w, a := p.watch(), p.usual()
			a.accepts(launching(task("t", "sleep 1000", "")))
			w.hears(`{"type":"TASK_ADDED","task_added":{"task":{"framework_id":{"value":"` + a.id + `"},"task_id":{"value":"t"},"state":"TASK_STAGING","agent_id":{"value":"$AGENT"}}}}`)
		}},
		{at: "5:335", name: "TASK_UPDATED for each state", say: func(p *play) {
			w, a := p.watch(), p.usual()
			a.accepts(launching(task("t", "exit 0", "")))
			for _, state := range []string{"TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"} {
				w.hears(`{"type":"TASK_UPDATED","task_updated":{"framework_id":{"value":"` + a.id + `"},"status":{"task_id":{"value":"t"},"state":"` + state + `"}}}`)
				a.hears(update("t", state, ""))
			}
		}},
		{at: "5:338", name: "FRAMEWORK_ADDED, FRAMEWORK_REMOVED", say: func(p *play) {
			w, a := p.watch(), p.usual()
			w.hears(`{"type":"FRAMEWORK_ADDED","framework_added":{"framework":{"framework_info":{"id":{"value":"` + a.id + `"}},"active":true,"connected":true}}}`)
			a.says(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`)
			w.hears(`{"type":"FRAMEWORK_REMOVED","framework_removed":{"framework_info":{"id":{"value":"` + a.id + `"}}}}`)
		}},
		{at: "5:339", name: "FRAMEWORK_UPDATED for a subscription that changes nothing", say: func(p *play) {
			a := p.usual()
			w := p.watch()
			a.again(`"roles":["*"],`+capable, "")
			w.hears(`{"type":"FRAMEWORK_UPDATED","framework_updated":{"framework":{"framework_info":{"id":{"value":"` + a.id + `"}}}}}`)
		}},
		{at: "4.1:302", name: "an agent in GET_AGENTS", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			p.ask(`{"type":"GET_AGENTS"}`, `{"get_agents":{"agents":{"$SOME":{"agent_info":{"id":{"value":"$AGENT"},"hostname":"$HOSTNAME"},"active":true,"version":"$ANY","pid":"slave(1)@$AGENTHOST","registered_time":"$ANY",
				"total_resources":{"$SOME":{"name":"cpus","role":"*"}},"allocated_resources":{"$SOME":{"name":"cpus","scalar":{"value":0.1}}},"capabilities":{"$SOME":{"type":"MULTI_ROLE"}},"deactivated":false}}}}`)
		}},
		{at: "4.1:303", name: "a framework in GET_FRAMEWORKS, with its offers", say: func(p *play) {
			a := p.usual()
			o := a.offer()
			p.ask(`{"type":"GET_FRAMEWORKS"}`, `{"get_frameworks":{"frameworks":{"$SOME":{"framework_info":{"id":{"value":"`+a.id+`"}},"active":true,"connected":true,"recovered":false,"registered_time":"$ANY",
				"offers":{"$SOME":{"id":{"value":"`+o.at("id.value")+`"}}},"offered_resources":{"$SOME":{"name":"cpus"}}}}}}`)
		}},
		{at: "4.1:295", name: "GET_ROLES: what is allocated and offered", say: func(p *play) {
			a := p.framework(`"roles":["op"],` + capable)
			a.offer()
			p.ask(`{"type":"GET_ROLES"}`, `{"get_roles":{"roles":{"$SOME":{"name":"op","weight":1,"frameworks":[{"value":"`+a.id+`"}],"resources":{"$SOME":{"name":"cpus"}}}}}}`)
		}},
		{at: "3:257", name: "a task in the older bodies", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			p.get(p.master+"/frameworks?framework_id="+a.id, `{"frameworks":[{"id":"`+a.id+`","active":true,"connected":true,"used_resources":{"cpus":0.1,"mem":32,"gpus":0,"disk":0},
				"tasks":[{"id":"t","framework_id":"`+a.id+`","slave_id":"`+p.agentID+`","state":"TASK_RUNNING","resources":{"cpus":0.1,"mem":32},"statuses":[{"state":"TASK_STARTING"},{"state":"TASK_RUNNING"}]}]}]}`)
			p.get(p.master+"/state-summary", `{"slaves":{"$SOME":{"id":"`+p.agentID+`","framework_ids":{"$SOME":"`+a.id+`"}}},"frameworks":{"$SOME":{"id":"`+a.id+`","TASK_RUNNING":1,"slave_ids":["`+p.agentID+`"]}}}`)
			p.get(p.agent+"/state", `{"id":"`+p.agentID+`","frameworks":{"$SOME":{"id":"`+a.id+`","executors":[{"id":"t","source":"t","container":"$ANY","directory":"$ANY","tasks":[{"id":"t","state":"TASK_RUNNING"}]}]}}}`)
			p.get(p.agent+"/slave(1)/monitor/statistics", `{"$SOME":{"framework_id":"`+a.id+`","executor_id":"t","statistics":"$ANY"}}`)
		}},
		{at: "6.1:350", name: "GET_CONTAINERS of the agent", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			p.askAgent(`{"type":"GET_CONTAINERS"}`, `{"get_containers":{"containers":{"$SOME":{"framework_id":{"value":"`+a.id+`"},"executor_id":{"value":"t"},"executor_name":"$ANY","container_id":{"value":"$ANY"},"container_status":"$ANY","resource_statistics":"$ANY"}}}}`)
		}},
		{at: "4.2:311", name: "RESERVE_RESOURCES: in GET_AGENTS in the form of endpoints", say: func(p *play) {
			p.ask(on("RESERVE_RESOURCES", "resources", cpus), "")
			p.ask(`{"type":"GET_AGENTS"}`, `{"get_agents":{"agents":{"$SOME":{"agent_info":{"id":{"value":"$AGENT"}},"total_resources":{"$SOME":{"name":"cpus","scalar":{"value":1},
				"role":"op","reservation":{"principal":"p"},"reservations":[{"type":"DYNAMIC","role":"op","principal":"p"}]}}}}}}`)
			p.unreserve(cpus)
		}},
		{at: "21.4:1474", name: "reserved resources are offered to the role and those below", say: func(p *play) {
			p.ask(on("RESERVE_RESOURCES", "resources", cpus), "")
			a := p.framework(`"roles":["op/below"],` + capable)
			a.offer().has(`{"resources":{"$SOME":{"name":"cpus","reservations":[{"type":"DYNAMIC","role":"op","principal":"p"}],"scalar":{"value":1}}}}`)
			_ = a.call(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`)
			p.unreserve(cpus)
		}},
		{at: "2.3:236", name: "offers are rescinded for a reservation", say: func(p *play) {
			a := p.usual()
			o := a.offer()
			p.ask(on("RESERVE_RESOURCES", "resources", cpus), "")
			a.hears(`{"type":"RESCIND","rescind":{"offer_id":{"value":"` + o.at("id.value") + `"}}}`)
			_ = a.call(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`)
			p.unreserve(cpus)
		}},
		{at: "21.5:1480", name: "a volume: created, used, kept, destroyed", once: true, say: func(p *play) {
			p.ask(on("RESERVE_RESOURCES", "resources", disk), "")
			p.ask(on("CREATE_VOLUMES", "volumes", volume), "")
			a := p.framework(`"principal":"p","roles":["op"],` + capable)
			with := func(id, command string) {
				a.acceptsWith(withVolume, launching(strings.Replace(task(id, command, ""), `"resources":[`, `"resources":[`+strings.TrimSuffix(strings.TrimPrefix(volume, "["), "]")+",", 1)))
				a.hears(update(id, "TASK_FINISHED", ""))
			}
			with("one", "echo kept > v/file")
			with("two", "cat v/file")
			p.sandbox(a.id, "two", "stdout", "kept\n")
			_ = a.call(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`)
			p.ask(on("DESTROY_VOLUMES", "volumes", volume), "")
			p.unreserve(disk)
		}},
		{at: "9.2:720", name: "DESTROY of a volume that a task uses", say: func(p *play) {
			p.ask(on("RESERVE_RESOURCES", "resources", disk), "")
			p.ask(on("CREATE_VOLUMES", "volumes", volume), "")
			a := p.framework(`"principal":"p","roles":["op"],` + capable)
			a.accepts(launching(strings.Replace(task("t", "sleep 1000", ""), `"resources":[`, `"resources":[`+strings.TrimSuffix(strings.TrimPrefix(volume, "["), "]")+",", 1)))
			a.hears(update("t", "TASK_RUNNING", ""))
			a.accepts(`{"type":"DESTROY","id":{"value":"o"},"destroy":{"volumes":` + volume + `}}`)
			if m := a.hears(`{"type":"UPDATE_OPERATION_STATUS","update_operation_status":{"status":{"state":"OPERATION_ERROR"}}}`).at("update_operation_status.status.message"); !strings.HasPrefix(m, "Persistent volumes in use") {
				p.fail("%s", m)
			}
			a.kills("t")
			_ = a.call(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`)
			p.ask(on("DESTROY_VOLUMES", "volumes", volume), "")
			p.unreserve(disk)
		}},
		{at: "8.8:608", name: "operations of one ACCEPT build on each other", say: func(p *play) {
			a := p.framework(`"principal":"p","roles":["op"],` + capable)
			a.accepts(`{"type":"RESERVE","reserve":{"resources":`+disk+`}}`, `{"type":"CREATE","create":{"volumes":`+volume+`}}`,
				launching(strings.Replace(task("t", "test -d v", ""), `"resources":[`, `"resources":[`+strings.TrimSuffix(strings.TrimPrefix(volume, "["), "]")+",", 1)))
			a.hears(update("t", "TASK_FINISHED", ""))
			_ = a.call(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`)
			p.ask(on("DESTROY_VOLUMES", "volumes", volume), "")
			p.unreserve(disk)
		}},
		{at: "21.1:1448", name: "UPDATE_WEIGHTS: offers are rescinded if the role has frameworks", say: func(p *play) {
			a := p.framework(`"roles":["op"],` + capable)
			o := a.offer()
			p.ask(`{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"op","weight":2}]}}`, "")
			a.hears(`{"type":"RESCIND","rescind":{"offer_id":{"value":"` + o.at("id.value") + `"}}}`)
			p.ask(`{"type":"GET_WEIGHTS"}`, `{"get_weights":{"weight_infos":{"$SOME":{"role":"op","weight":2}}}}`)
			p.ask(`{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"op","weight":1}]}}`, "")
		}},
		{at: "24.3:1613", name: "a limit of quota cuts offers", say: func(p *play) {
			p.ask(`{"type":"UPDATE_QUOTA","update_quota":{"force":true,"quota_configs":[{"role":"op","limits":{"cpus":{"value":0.5},"mem":{"value":64}}}]}}`, "")
			a := p.framework(`"roles":["op"],` + capable)
			a.offer().has(`{"resources":{"$SOME":{"name":"cpus","scalar":{"value":0.5}}}}`)
			p.ask(`{"type":"UPDATE_QUOTA","update_quota":{"force":true,"quota_configs":[{"role":"op"}]}}`, "")
		}},
		{at: "21.3:1461", name: "a limit below what is consumed", say: func(p *play) {
			a := p.framework(`"roles":["op"],` + capable)
			a.runs("t", "sleep 1000")
			p.denied(`{"type":"UPDATE_QUOTA","update_quota":{"quota_configs":[{"role":"op","limits":{"cpus":{"value":0.05}}}]}}`, 400,
				"Invalid QuotaConfig: Role 'op' is already consuming 'cpus:0.1; mem:32'; this is more than the requested limits 'cpus:0.05' (use 'force' flag to bypass this check)")
		}},
		{at: "21.3:1464", name: "GET_QUOTA: what was set", say: func(p *play) {
			p.ask(`{"type":"UPDATE_QUOTA","update_quota":{"force":true,"quota_configs":[{"role":"op","guarantees":{"cpus":{"value":0.5}},"limits":{"cpus":{"value":0.5}}}]}}`, "")
			p.ask(`{"type":"GET_QUOTA"}`, `{"get_quota":{"status":{"configs":{"$SOME":{"role":"op","guarantees":{"cpus":{"value":0.5}},"limits":{"cpus":{"value":0.5}}}},"infos":{"$SOME":{"role":"op","guarantee":[{"name":"cpus"}]}}}}}`)
			p.ask(`{"type":"UPDATE_QUOTA","update_quota":{"quota_configs":[{"role":"op"}]}}`, "")
			p.ask(`{"type":"GET_QUOTA"}`, `{"get_quota":{"status":{"configs":{"$SOME":{"role":"op","guarantees":"$NONE","limits":"$NONE"}}}}}`)
		}},
		{at: "22.1:1496", name: "maintenance: offers are rescinded and come again with unavailability", say: func(p *play) {
			a := p.usual()
			o := a.offer()
			p.schedules(`[{"machine_ids":[{"hostname":"$HOSTNAME","ip":"$AGENTIP"}],"unavailability":{"start":{"nanoseconds":4102444800000000000}}}]`)
			a.hears(`{"type":"RESCIND","rescind":{"offer_id":{"value":"` + o.at("id.value") + `"}}}`)
			a.offer().has(`{"unavailability":{"start":{"nanoseconds":4102444800000000000}}}`)
		}},
		{at: "22.1:1500", name: "inverse offers, and their answers in the status", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			p.schedules(`[{"machine_ids":[{"hostname":"$HOSTNAME","ip":"$AGENTIP"}],"unavailability":{"start":{"nanoseconds":4102444800000000000}}}]`)
			e := a.hears(`{"type":"INVERSE_OFFERS","inverse_offers":{"inverse_offers":[{"framework_id":{"value":"` + a.id + `"},"agent_id":{"value":"$AGENT"},"unavailability":{"start":{"nanoseconds":4102444800000000000}},"url":"$ANY"}]}}`)
			a.says(`{"type":"ACCEPT_INVERSE_OFFERS","framework_id":{"value":"$ID"},"accept_inverse_offers":{"inverse_offer_ids":[{"value":"` + e.at("inverse_offers.inverse_offers.0.id.value") + `"}],"filters":{"refuse_seconds":1000}}}`)
			p.soon(`{"type":"GET_MAINTENANCE_STATUS"}`, `{"get_maintenance_status":{"status":{"draining_machines":[{"id":{"hostname":"$HOSTNAME"},"statuses":[{"status":"ACCEPT","framework_id":{"value":"`+a.id+`"}}]}]}}}`)
		}},
		{at: "22.1:1499", name: "a new schedule without the machine withdraws inverse offers", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			p.schedules(`[{"machine_ids":[{"hostname":"$HOSTNAME","ip":"$AGENTIP"}],"unavailability":{"start":{"nanoseconds":4102444800000000000}}}]`)
			e := a.hears(`{"type":"INVERSE_OFFERS"}`)
			p.schedules(`[]`)
			a.hears(`{"type":"RESCIND_INVERSE_OFFER","rescind_inverse_offer":{"inverse_offer_id":{"value":"` + e.at("inverse_offers.inverse_offers.0.id.value") + `"}}}`)
			p.ask(`{"type":"GET_MAINTENANCE_STATUS"}`, `{"get_maintenance_status":{"status":{"draining_machines":"$NONE"}}}`)
		}},
		{at: "22.2:1512", name: "DEACTIVATE_AGENT: no offers, tasks go on", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			o := a.offer()
			p.ask(`{"type":"DEACTIVATE_AGENT","deactivate_agent":{"agent_id":{"value":"$AGENT"}}}`, "")
			a.hears(`{"type":"RESCIND","rescind":{"offer_id":{"value":"` + o.at("id.value") + `"}}}`)
			p.ask(`{"type":"GET_AGENTS"}`, `{"get_agents":{"agents":{"$SOME":{"agent_info":{"id":{"value":"$AGENT"}},"deactivated":true,"active":false}}}}`)
			a.never(update("t", "TASK_KILLED", ""))
			p.ask(`{"type":"REACTIVATE_AGENT","reactivate_agent":{"agent_id":{"value":"$AGENT"}}}`, "")
			a.offer()
		}},
		{at: "22.2:1511", name: "REACTIVATE_AGENT of one that is active", say: func(p *play) {
			p.denied(`{"type":"REACTIVATE_AGENT","reactivate_agent":{"agent_id":{"value":"$AGENT"}}}`, 400, "Agent is not deactivated")
		}},
		{at: "22.2:1508", name: "DRAIN_AGENT kills the tasks, says why, and ends DRAINED", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			p.ask(`{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"$AGENT"},"max_grace_period":{"seconds":1}}}`, "")
			a.hears(update("t", "TASK_KILLED", `,"reason":"REASON_AGENT_DRAINING"`))
			p.soon(`{"type":"GET_AGENTS"}`, `{"get_agents":{"agents":{"$SOME":{"agent_info":{"id":{"value":"$AGENT"}},"drain_info":{"state":"DRAINED","config":{"max_grace_period":{"nanoseconds":1000000000}}},"estimated_drain_start_time":"$ANY"}}}}`)
			p.ask(`{"type":"REACTIVATE_AGENT","reactivate_agent":{"agent_id":{"value":"$AGENT"}}}`, "")
			p.ask(`{"type":"GET_AGENTS"}`, `{"get_agents":{"agents":{"$SOME":{"agent_info":{"id":{"value":"$AGENT"}},"drain_info":"$NONE","deactivated":false}}}}`)
		}},
		{at: "4.2:318", name: "DRAIN_AGENT of one in a maintenance schedule", say: func(p *play) {
			p.schedules(`[{"machine_ids":[{"hostname":"$HOSTNAME","ip":"$AGENTIP"}],"unavailability":{"start":{"nanoseconds":4102444800000000000}}}]`)
			p.denied(`{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"$AGENT"}}}`, 400, `Agent $AGENT is part of a maintenance schedule under Machine {"hostname":"$HOSTNAME","ip":"`+p.agentIP()+`"}`)
		}},
		{at: "6.2:366", name: "LAUNCH_NESTED_CONTAINER_SESSION: the output of a command beside a task", once: true, say: func(p *play) {
			a := p.usual()
			parent := a.runs("t", "sleep 1000").at("update.status.container_status.container_id.value")
			session := p.session(`{"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{"container_id":{"value":"s","parent":{"value":"` + parent + `"}},"command":{"value":"echo seen; exit 3"}}}`)
			session.hears(`{"type":"DATA","data":{"type":"STDOUT","data":"` + base64of([]byte("seen\n")) + `"}}`)
			session.ends()
		}},
		{at: "6.2:362", name: "LAUNCH_CONTAINER, WAIT_CONTAINER: a container within a task's", once: true, say: func(p *play) {
			a := p.usual()
			parent := a.runs("t", "sleep 1000").at("update.status.container_status.container_id.value")
			id := `"container_id":{"value":"n","parent":{"value":"` + parent + `"}}`
			p.askAgent(`{"type":"LAUNCH_CONTAINER","launch_container":{`+id+`,"command":{"value":"exit 3"}}}`, "")
			p.askAgent(`{"type":"WAIT_CONTAINER","wait_container":{`+id+`}}`, `{"wait_container":{"exit_status":768}}`)
			p.askAgent(`{"type":"REMOVE_CONTAINER","remove_container":{`+id+`}}`, "")
		}},
	}
}

// schedules sets the maintenance schedule, and an empty one when the play is over.
func (p *play) schedules(windows string) {
	set := func(windows string) {
		p.ask(`{"type":"UPDATE_MAINTENANCE_SCHEDULE","update_maintenance_schedule":{"schedule":{"windows":`+windows+`}}}`, "")
	}
	set(strings.ReplaceAll(windows, "$AGENTIP", p.agentIP()))
	if windows != "[]" {
		p.exits = append(p.exits, func() { set("[]") })
	}
}

func (p *play) agentIP() string {
	host, _, _ := strings.Cut(strings.TrimPrefix(p.agent, "http://"), ":")
	return host
}
