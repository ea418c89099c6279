package conformance_test

import (
	"fmt"
	"strings"
)

// streamSteps are about what streams have in common.
func streamSteps() []step {
	return []step{
		{at: "1.6:90", name: "only the scheduler's stream has an id", say: func(p *play) {
			if a := p.usual(); a.stream == "" {
				p.fail("the scheduler's stream has no Mesos-Stream-Id")
			}
			if a := p.watch(); a.stream != "" {
				p.fail("the operator's stream has Mesos-Stream-Id %s", a.stream)
			}
		}},
		{at: "1.7:102", name: "scheduler: HEARTBEAT after SUBSCRIBED, interval announced", say: func(p *play) {
			a := p.usual()
			a.first.has(`{"type":"SUBSCRIBED","subscribed":{"heartbeat_interval_seconds":15}}`)
			if e := a.next(); e.at("type") == "OFFERS" {
				a.next().has(`{"type":"HEARTBEAT"}`)
			} else {
				e.has(`{"type":"HEARTBEAT"}`)
			}
		}},
		{at: "1.7:103", name: "operator: HEARTBEAT at once after SUBSCRIBED", say: func(p *play) {
			a := p.watch()
			a.first.has(`{"type":"SUBSCRIBED","subscribed":{"heartbeat_interval_seconds":15,"get_state":"$ANY"}}`)
			a.next().has(`{"type":"HEARTBEAT"}`)
		}},
		{at: "1.10:152", name: "ids of master, framework, agent and offer", say: func(p *play) {
			a := p.usual()
			master := a.first.at("subscribed.master_info.id")
			if len(master) != 36 || !strings.HasPrefix(a.id, master+"-") || len(a.id) < 41 {
				p.fail("framework %s of master %s", a.id, master)
			}
			if id := a.offer().at("id.value"); !strings.HasPrefix(id, master+"-O") {
				p.fail("offer %s of master %s", id, master)
			}
			if !strings.HasPrefix(p.agentID, master+"-S") && !p.foreign {
				p.fail("agent %s of master %s", p.agentID, master)
			}
		}},
	}
}

// subscriptionSteps are about frameworks that come, come again, change and go.
func subscriptionSteps() []step {
	const same = `"roles":["*"],` + capable
	return []step{
		{at: "8.3:501", name: "no id: a new one", say: func(p *play) {
			if a, b := p.usual(), p.usual(); a.id == b.id {
				p.fail("two frameworks are %s", a.id)
			}
		}},
		{at: "8.3:502", name: "known id: the newest subscriber wins", say: func(p *play) {
			a := p.usual()
			o := a.offer()
			b := a.again(same, "")
			a.hears(`{"type":"ERROR","error":{"message":"Framework failed over"}}`)
			a.ends()
			b.first.has(`{"type":"SUBSCRIBED","subscribed":{"framework_id":{"value":"` + a.id + `"}}}`)
			b.hears(`{"type":"HEARTBEAT"}`)
			if again := b.offer(); again.at("id.value") == o.at("id.value") {
				p.fail("offer %s outlived its subscription", o.at("id.value"))
			}
			b.never(`{"type":"RESCIND"}`)
		}},
		{at: "8.2:493", name: "the old stream's id is refused after a failover", say: func(p *play) {
			a := p.usual()
			b := a.again(same, "")
			a.refused(`{"type":"REVIVE","framework_id":{"value":"$ID"}}`, 400, "The stream ID '"+a.stream+
				"' included in this request didn't match the stream ID currently associated with framework ID $ID")
			b.says(`{"type":"REVIVE","framework_id":{"value":"$ID"}}`)
		}},
		{at: "8.3:503", name: "unknown id: accepted", say: func(p *play) {
			id := fmt.Sprintf("elsewhere-%d-%s", p.codec, p.scheduler.id)
			a := p.subscribes(fmt.Sprintf(`{"type":"SUBSCRIBE","framework_id":{"value":%q},"subscribe":{"framework_info":
				{"user":"root","name":"play","id":{"value":%q},%s}}}`, id, id, same))
			a.first.has(fmt.Sprintf(`{"subscribed":{"framework_id":{"value":%q}}}`, id))
			a.says(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`)
		}},
		{at: "8.3:504", name: "id of a removed framework", say: func(p *play) {
			a := p.usual()
			a.says(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`)
			a.ends()
			b := a.again(same, "")
			b.first.has(`{"type":"ERROR","error":{"message":"Framework has been removed"}}`)
			b.ends()
		}},
		{at: "8.3:508", name: "changed principal on re-subscription", say: func(p *play) {
			a := p.framework(`"principal":"one","failover_timeout":60,` + same)
			b := a.again(`"principal":"two","failover_timeout":60,`+same, "")
			b.first.has(`{"type":"ERROR","error":{"message":"Changing framework's principal is not allowed."}}`)
			b.ends()
		}},
		{at: "8.3:509", name: "changed user and checkpoint are ignored", say: func(p *play) {
			a := p.framework(`"checkpoint":true,` + same)
			a.again(`"user":"nobody","checkpoint":false,`+same, "")
			p.ask(`{"type":"GET_FRAMEWORKS"}`, `{"get_frameworks":{"frameworks":{"$SOME":{"framework_info":
				{"id":{"value":"`+a.id+`"},"user":"root","checkpoint":true}}}}}`)
		}},
		{at: "8.3:510", name: "changed roles: offers of those that are gone are rescinded", say: func(p *play) {
			a := p.framework(`"roles":["one"],` + capable)
			a.offer()
			b := a.again(`"roles":["two"],`+capable, "")
			if o := b.offer(); o.at("allocation_info.role") != "two" {
				p.fail("offer %s", o.text)
			}
		}},
		{at: "8.3:511", name: "changed name, hostname, webui_url, labels, failover_timeout take effect", say: func(p *play) {
			a := p.usual()
			a.again(`"name":"other","hostname":"h","webui_url":"http://w","failover_timeout":7.5,"labels":{"labels":[{"key":"k","value":"v"}]},`+same, "")
			p.ask(`{"type":"GET_FRAMEWORKS"}`, `{"get_frameworks":{"frameworks":{"$SOME":{"framework_info":{"id":{"value":"`+a.id+`"},
				"name":"other","hostname":"h","webui_url":"http://w","failover_timeout":7.5,"labels":{"labels":[{"key":"k","value":"v"}]}}}}}}`)
		}},
		{at: "8.3:529", name: "SUBSCRIBED has the master's info", say: func(p *play) {
			p.usual().first.has(`{"subscribed":{"framework_id":{"value":"$ANY"},"heartbeat_interval_seconds":15,"master_info":
				{"id":"$ANY","ip":"$ANY","port":"$ANY","pid":"$ANY","hostname":"$ANY","version":"$ANY","address":{"ip":"$ANY","port":"$ANY"},"capabilities":[{"type":"AGENT_UPDATE"},{"type":"AGENT_DRAINING"},{"type":"$NONE"}]}}}`)
		}},
		{at: "8.3:531", name: "a broken stream without failover timeout ends the framework", say: func(p *play) {
			w := p.watch()
			a := p.usual()
			a.leave()
			w.hears(`{"type":"FRAMEWORK_REMOVED","framework_removed":{"framework_info":{"id":{"value":"` + a.id + `"}}}}`)
		}},
		{at: "8.3:531", name: "a broken stream with a failover timeout: inactive, not connected", say: func(p *play) {
			a := p.framework(`"failover_timeout":600,` + same)
			a.leave()
			p.soon(`{"type":"GET_FRAMEWORKS"}`, `{"get_frameworks":{"frameworks":{"$SOME":{"active":false,"connected":false,"framework_info":{"id":{"value":"`+a.id+`"}}}}}}`)
			p.ask(`{"type":"TEARDOWN","teardown":{"framework_id":{"value":"`+a.id+`"}}}`, "")
		}},
		{at: "8.2:490", name: "a call of a framework that is not connected", say: func(p *play) {
			a := p.framework(`"failover_timeout":600,` + same)
			a.leave()
			p.soon(`{"type":"GET_FRAMEWORKS"}`, `{"get_frameworks":{"frameworks":{"$SOME":{"connected":false,"framework_info":{"id":{"value":"`+a.id+`"}}}}}}`)
			a.refused(`{"type":"REVIVE","framework_id":{"value":"$ID"}}`, 403, "Framework is not subscribed")
			p.ask(`{"type":"TEARDOWN","teardown":{"framework_id":{"value":"`+a.id+`"}}}`, "")
		}},
		{at: "8.1:465", name: "TEARDOWN closes the stream and kills the tasks", say: func(p *play) {
			w := p.watch()
			a := p.usual()
			a.runs("t", "sleep 1000")
			a.says(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`)
			a.ends()
			w.hears(`{"type":"FRAMEWORK_REMOVED","framework_removed":{"framework_info":{"id":{"value":"` + a.id + `"}}}}`)
			p.soon(`{"type":"GET_TASKS"}`, `{"get_tasks":{"completed_tasks":{"$SOME":{"framework_id":{"value":"`+a.id+`"},"state":"TASK_KILLED"}}}}`)
		}},
		{at: "20.3:1442", name: "TEARDOWN: tasks are recorded as TASK_KILLED, the framework as completed", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			p.ask(`{"type":"TEARDOWN","teardown":{"framework_id":{"value":"`+a.id+`"}}}`, "")
			p.ask(`{"type":"GET_TASKS"}`, `{"get_tasks":{"completed_tasks":{"$SOME":{"framework_id":{"value":"`+a.id+`"},"state":"TASK_KILLED",
				"statuses":{"$SOME":{"state":"TASK_KILLED","reason":"REASON_FRAMEWORK_REMOVED","source":"SOURCE_MASTER","message":"Framework `+a.id+` removed"}}}}}}`)
			p.ask(`{"type":"GET_FRAMEWORKS"}`, `{"get_frameworks":{"completed_frameworks":{"$SOME":{"framework_info":{"id":{"value":"`+a.id+`"}}}}}}`)
			a.refused(`{"type":"REVIVE","framework_id":{"value":"$ID"}}`, 400, "Framework cannot be found")
		}},
		{at: "8.12:651", name: "UPDATE_FRAMEWORK: offers of removed roles are rescinded", say: func(p *play) {
			a := p.framework(`"roles":["one","two"],` + capable)
			o := a.offer()
			gone := o.at("allocation_info.role")
			kept := map[string]string{"one": "two", "two": "one"}[gone]
			a.says(`{"type":"UPDATE_FRAMEWORK","framework_id":{"value":"$ID"},"update_framework":{"framework_info":{"user":"root","name":"play","id":{"value":"$ID"},"roles":["` + kept + `"],` + capable + `}}}`)
			a.hears(`{"type":"RESCIND","rescind":{"offer_id":{"value":"` + o.at("id.value") + `"}}}`)
			if o := a.offer(); o.at("allocation_info.role") != kept {
				p.fail("offer %s", o.text)
			}
		}},
		{at: "8.12:647", name: "UPDATE_FRAMEWORK with another user", say: func(p *play) {
			p.usual().refused(`{"type":"UPDATE_FRAMEWORK","framework_id":{"value":"$ID"},"update_framework":{"framework_info":{"user":"nobody","name":"play","id":{"value":"$ID"},`+same+`}}}`,
				400, "FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported; attempted to update from 'root' to 'nobody'")
		}},
		{at: "8.12:651", name: "UPDATE_FRAMEWORK: suppression is replaced", say: func(p *play) {
			a := p.framework(`"roles":["one"],` + capable)
			a.accept(a.offer())
			a.says(`{"type":"UPDATE_FRAMEWORK","framework_id":{"value":"$ID"},"update_framework":{"framework_info":{"user":"root","name":"play","id":{"value":"$ID"},"roles":["one"],` + capable + `},"suppressed_roles":["one"]}}`)
			a.offered = nil
			for { // offers that were on their way
				n := len(a.offered)
				a.never(`{"type":"ERROR"}`)
				if len(a.offered) == n {
					break
				}
			}
			for _, o := range a.offered {
				a.accept(o)
			}
			a.offered = nil
			a.says(`{"type":"UPDATE_FRAMEWORK","framework_id":{"value":"$ID"},"update_framework":{"framework_info":{"user":"root","name":"play","id":{"value":"$ID"},"roles":["one"],` + capable + `}}}`)
			a.offer()
		}},
		{at: "5:339", name: "UPDATE_FRAMEWORK: FRAMEWORK_UPDATED for a changed FrameworkInfo, not for suppression", say: func(p *play) {
			a := p.framework(`"roles":["one"],` + capable)
			w := p.watch()
			update := func(name, rest string) {
				a.says(`{"type":"UPDATE_FRAMEWORK","framework_id":{"value":"$ID"},"update_framework":{"framework_info":{"user":"root","name":"` + name + `","id":{"value":"$ID"},"roles":["one"],` + capable + `}` + rest + `}}`)
			}
			update("play", `,"suppressed_roles":["one"]`)
			update("changed", "")
			w.hears(`{"type":"FRAMEWORK_UPDATED"}`).has(`{"framework_updated":{"framework":{"framework_info":{"name":"changed"}}}}`)
		}},
		{at: "8.5:557", name: "without MULTI_ROLE there is no allocation_info", say: func(p *play) {
			a := p.framework(`"role":"one","capabilities":[{"type":"RESERVATION_REFINEMENT"}]`)
			a.offer().has(`{"allocation_info":"$NONE","resources":{"$SOME":{"name":"cpus","allocation_info":"$NONE"}}}`)
		}},
		{at: "8.5:557", name: "with MULTI_ROLE offer and resources have allocation_info", say: func(p *play) {
			a := p.framework(`"roles":["one"],"capabilities":[{"type":"MULTI_ROLE"}]`)
			a.offer().has(`{"allocation_info":{"role":"one"},"resources":{"$SOME":{"name":"cpus","allocation_info":{"role":"one"}}}}`)
		}},
		{at: "8.5:558", name: "without RESERVATION_REFINEMENT resources have a role", say: func(p *play) {
			a := p.framework(`"roles":["one"],"capabilities":[{"type":"MULTI_ROLE"}]`)
			a.offer().has(`{"resources":{"$SOME":{"name":"cpus","role":"*","reservations":"$NONE"}}}`)
		}},
		{at: "8.5:558", name: "with RESERVATION_REFINEMENT resources have no role", say: func(p *play) {
			p.usual().offer().has(`{"resources":{"$SOME":{"name":"cpus","role":"$NONE","reservation":"$NONE"}}}`)
		}},
		{at: "9.2:731", name: "a reservation in the old form", say: func(p *play) {
			a := p.framework(`"role":"old","principal":"me"`)
			a.accepts(`{"type":"RESERVE","reserve":{"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"old","reservation":{"principal":"me"}}]}}`)
			a.offered = nil
			a.offer().has(`{"resources":{"$SOME":{"name":"cpus","role":"old","reservation":{"principal":"me"},"reservations":"$NONE","scalar":{"value":1}}}}`)
			p.ask(`{"type":"TEARDOWN","teardown":{"framework_id":{"value":"`+a.id+`"}}}`, "")
			p.unreserve(`[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"reservations":[{"type":"DYNAMIC","role":"old","principal":"me"}]}]`)
		}},
		{at: "8.5:556", name: "without PARTITION_AWARE a task nobody knows is TASK_LOST", say: func(p *play) {
			a := p.framework(`"role":"*"`)
			a.says(`{"type":"RECONCILE","framework_id":{"value":"$ID"},"reconcile":{"tasks":[{"task_id":{"value":"x"}}]}}`)
			a.hears(update("x", "TASK_LOST", `,"reason":"REASON_RECONCILIATION"`))
		}},
		{at: "8.5:552", name: "without TASK_KILLING_STATE there is no TASK_KILLING", say: func(p *play) {
			a := p.framework(`"role":"*"`)
			a.runs("t", "sleep 1000")
			a.says(`{"type":"KILL","framework_id":{"value":"$ID"},"kill":{"task_id":{"value":"t"}}}`)
			if e := a.hears(`{"type":"UPDATE"}`); e.at("update.status.state") != "TASK_KILLED" {
				p.fail("%s", e.text)
			}
		}},
		{at: "8.5:552", name: "with TASK_KILLING_STATE TASK_KILLING comes before TASK_KILLED", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			a.says(`{"type":"KILL","framework_id":{"value":"$ID"},"kill":{"task_id":{"value":"t"}}}`)
			a.hears(`{"type":"UPDATE"}`).has(update("t", "TASK_KILLING", `,"source":"SOURCE_EXECUTOR"`))
			a.hears(`{"type":"UPDATE"}`).has(update("t", "TASK_KILLED", `,"source":"SOURCE_EXECUTOR"`))
		}},
	}
}

// unreserve gives reserved resources of the agent back, for the next step.
func (p *play) unreserve(resources string) {
	p.ask(`{"type":"UNRESERVE_RESOURCES","unreserve_resources":{"agent_id":{"value":"$AGENT"},"resources":`+resources+`}}`, "")
}

// offerSteps are about offers, and what is done with them.
func offerSteps() []step {
	decline := func(a *actor, o *event, seconds string) {
		a.says(`{"type":"DECLINE","framework_id":{"value":"$ID"},"decline":{"offer_ids":[{"value":"` + o.at("id.value") + `"}],"filters":{"refuse_seconds":` + seconds + `}}}`)
	}
	return []step{
		{at: "8.7:583", name: "fields of an offer", say: func(p *play) {
			a := p.usual()
			a.offer().has(`{"id":{"value":"$ANY"},"framework_id":{"value":"` + a.id + `"},"agent_id":{"value":"$AGENT"},"hostname":"$ANY",
				"url":{"scheme":"http","address":{"hostname":"$ANY","ip":"$ANY","port":"$ANY"},"path":"/slave(1)"},"allocation_info":{"role":"*"},"unavailability":"$NONE"}`)
		}},
		{at: "8.7:583", name: "attributes of an offer", own: true, say: func(p *play) {
			p.usual().offer().has(`{"attributes":{"$SOME":{"name":"rack","type":"TEXT","text":{"value":"r1"}}}}`).
				has(`{"attributes":{"$SOME":{"name":"ssd","type":"TEXT","text":{"value":"true"}}}}`).has(`{"attributes":{"$SOME":{"name":"level","type":"SCALAR","scalar":{"value":3}}}}`)
		}},
		{at: "8.7:583", name: "executor_ids of an offer: the framework's own executors", say: func(p *play) {
			a := p.usual()
			a.accepts(launching(under("ex", "t")))
			p.executor(a.id, "ex", "").hears(`{"type":"LAUNCH"}`)
			a.says(`{"type":"REVIVE","framework_id":{"value":"$ID"}}`)
			a.hears(`{"type":"OFFERS","offers":{"offers":{"$SOME":{"executor_ids":[{"value":"ex"}]}}}}`)
		}},
		{at: "8.8:594", name: "ACCEPT without offers", say: func(p *play) {
			a := p.usual()
			a.says(`{"type":"ACCEPT","framework_id":{"value":"$ID"},"accept":{"operations":[` + launching(task("t", "true", "")) + `]}}`)
			a.hears(update("t", "TASK_DROPPED", `,"source":"SOURCE_MASTER","reason":"REASON_INVALID_OFFERS","message":"Task launched with invalid offers: No offers specified","uuid":"$NONE"`))
		}},
		{at: "8.8:601", name: "ACCEPT without offers, not partition-aware", say: func(p *play) {
			a := p.framework(`"role":"*"`)
			a.says(`{"type":"ACCEPT","framework_id":{"value":"$ID"},"accept":{"operations":[` + launching(task("t", "true", "")) + `]}}`)
			a.hears(update("t", "TASK_LOST", `,"source":"SOURCE_MASTER","reason":"REASON_INVALID_OFFERS"`))
		}},
		{at: "8.8:595", name: "ACCEPT of an offer that is gone", say: func(p *play) {
			a := p.usual()
			o := a.accepts()
			a.accept(o, launching(task("t", "true", "")))
			a.hears(update("t", "TASK_DROPPED", `,"reason":"REASON_INVALID_OFFERS","message":"Task launched with invalid offers: Offer `+o.at("id.value")+` is no longer valid"`))
		}},
		{at: "8.8:596", name: "ACCEPT that names an offer twice", say: func(p *play) {
			a := p.usual()
			o := a.offer().at("id.value")
			a.says(`{"type":"ACCEPT","framework_id":{"value":"$ID"},"accept":{"offer_ids":[{"value":"` + o + `"},{"value":"` + o + `"}],"operations":[` + launching(task("t", "true", "")) + `]}}`)
			a.hears(update("t", "TASK_DROPPED", `,"message":"Task launched with invalid offers: Duplicate offer `+o+` in offer list"`))
		}},
		{at: "8.8:597", name: "ACCEPT of another framework's offer", say: func(p *play) {
			a := p.usual()
			o := a.offer().at("id.value")
			b := p.framework(`"roles":["other"],` + capable)
			b.says(`{"type":"ACCEPT","framework_id":{"value":"$ID"},"accept":{"offer_ids":[{"value":"` + o + `"}],"operations":[` + launching(task("t", "true", "")) + `]}}`)
			b.hears(update("t", "TASK_DROPPED", `,"message":"Task launched with invalid offers: Offer `+o+` has invalid framework `+a.id+` while framework $ID is expected"`))
		}},
		{at: "8.8:601", name: "operations of an ACCEPT without offers: OPERATION_ERROR if they have an id", say: func(p *play) {
			a := p.framework(`"roles":["one"],` + capable)
			a.says(`{"type":"ACCEPT","framework_id":{"value":"$ID"},"accept":{"operations":[{"type":"RESERVE","id":{"value":"op"},"reserve":{"resources":[]}}]}}`)
			a.hears(`{"type":"UPDATE_OPERATION_STATUS","update_operation_status":{"status":{"operation_id":{"value":"op"},"state":"OPERATION_ERROR","uuid":"$NONE"}}}`)
		}},
		{at: "8.8:609", name: "what an ACCEPT leaves comes back without a filter of 0 s", say: func(p *play) {
			a := p.usual()
			a.accepts(launching(task("t", "sleep 1000", "")))
			a.hears(update("t", "TASK_RUNNING", ""))
			a.offer().has(`{"agent_id":{"value":"$AGENT"}}`)
		}},
		{at: "8.8:610", name: "ACCEPT without operations is DECLINE", say: func(p *play) {
			a := p.usual()
			a.says(`{"type":"ACCEPT","framework_id":{"value":"$ID"},"accept":{"offer_ids":[{"value":"` + a.offer().at("id.value") + `"}],"filters":{"refuse_seconds":0}}}`)
			a.offer()
		}},
		{at: "8.8:612", name: "LAUNCH with an operation id", say: func(p *play) {
			a := p.usual()
			a.accepts(strings.Replace(launching(task("t", "true", "")), `"LAUNCH",`, `"LAUNCH","id":{"value":"op"},`, 1))
			a.hears(update("t", "TASK_ERROR", ",\"message\":\"The `id` field cannot be set on LAUNCH operations\""))
		}},
		{at: "8.9:617", name: "DECLINE with 0 s: offered again", say: func(p *play) {
			a := p.usual()
			decline(a, a.offer(), "0")
			a.offer()
		}},
		{at: "8.9:619", name: "a declined agent is offered to others", say: func(p *play) {
			a := p.usual()
			decline(a, a.offer(), "1000")
			p.usual().offer()
		}},
		{at: "8.9:623", name: "REVIVE clears filters", say: func(p *play) {
			a := p.usual()
			decline(a, a.offer(), "1000")
			a.says(`{"type":"REVIVE","framework_id":{"value":"$ID"}}`)
			a.offer()
		}},
		{at: "8.9:622", name: "SUPPRESS ends offers until REVIVE", say: func(p *play) {
			a := p.usual()
			o := a.offer()
			a.says(`{"type":"SUPPRESS","framework_id":{"value":"$ID"}}`)
			decline(a, o, "0")
			p.usual().offer() // there was an allocation
			a.never(`{"type":"OFFERS","offers":{"offers":{"$SOME":{"agent_id":{"value":"$AGENT"}}}}}`)
		}},
		{at: "8.9:622", name: "SUPPRESS leaves offers that are out", say: func(p *play) {
			a := p.usual()
			o := a.offer()
			a.says(`{"type":"SUPPRESS","framework_id":{"value":"$ID"}}`)
			a.accept(o, launching(task("t", "true", "")))
			a.hears(update("t", "TASK_FINISHED", ""))
		}},
		{at: "8.9:624", name: "REVIVE of a role that is not subscribed is dropped", say: func(p *play) {
			a := p.usual()
			a.offer()
			a.says(`{"type":"REVIVE","framework_id":{"value":"$ID"},"revive":{"roles":["unknown"]}}`)
			a.says(`{"type":"SUPPRESS","framework_id":{"value":"$ID"},"suppress":{"roles":["a/../b"]}}`)
			a.never(`{"type":"ERROR"}`)
		}},
		{at: "8.9:625", name: "SUBSCRIBE with suppressed roles: no offers", say: func(p *play) {
			a := p.subscribes(`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"play","roles":["*"],` + capable + `},"suppressed_roles":["*"]}}`)
			p.usual().offer()
			a.never(`{"type":"OFFERS"}`)
			b := a.again(`"roles":["*"],`+capable, "")
			p.exits = append(p.exits, func() { _ = b.call(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`) })
		}},
		{at: "8.9:626", name: "unknown offers in DECLINE are ignored one by one", say: func(p *play) {
			a := p.usual()
			a.says(`{"type":"DECLINE","framework_id":{"value":"$ID"},"decline":{"offer_ids":[{"value":"nothing"},{"value":"` + a.offer().at("id.value") + `"}],"filters":{"refuse_seconds":0}}}`)
			a.offer()
		}},
		{at: "8.10:632", name: "KILL of a task nobody knows is answered like a reconciliation", say: func(p *play) {
			a := p.usual()
			a.says(`{"type":"KILL","framework_id":{"value":"$ID"},"kill":{"task_id":{"value":"x"}}}`)
			a.hears(update("x", "TASK_UNKNOWN", `,"reason":"REASON_RECONCILIATION","message":"Reconciliation: Task is unknown"`))
			a.says(`{"type":"KILL","framework_id":{"value":"$ID"},"kill":{"task_id":{"value":"y"},"agent_id":{"value":"$AGENT"}}}`)
			a.hears(update("y", "TASK_GONE", `,"reason":"REASON_RECONCILIATION","message":"Reconciliation: Task is unknown to the agent"`))
		}},
		{at: "8.10:633", name: "KILL with the wrong agent is ignored", say: func(p *play) {
			a := p.usual()
			a.runs("t", "sleep 1000")
			a.says(`{"type":"KILL","framework_id":{"value":"$ID"},"kill":{"task_id":{"value":"t"},"agent_id":{"value":"another"}}}`)
			a.never(`{"type":"UPDATE","update":{"status":{"task_id":{"value":"t"}}}}`)
			a.kills("t")
		}},
		{at: "8.10:636", name: "SHUTDOWN of an executor of an unknown agent is ignored", say: func(p *play) {
			a := p.usual()
			a.says(`{"type":"SHUTDOWN","framework_id":{"value":"$ID"},"shutdown":{"executor_id":{"value":"e"},"agent_id":{"value":"nowhere"}}}`)
			a.says(`{"type":"MESSAGE","framework_id":{"value":"$ID"},"message":{"executor_id":{"value":"e"},"agent_id":{"value":"nowhere"},"data":"aGk="}}`)
			a.never(`{"type":"FAILURE"}`)
		}},
		{at: "8.1:475", name: "REQUEST is accepted without effect", say: func(p *play) {
			a := p.usual()
			a.says(`{"type":"REQUEST","framework_id":{"value":"$ID"},"request":{"requests":[{"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}]}}`)
			a.never(`{"type":"ERROR"}`)
		}},
		{at: "8.11:640", name: "a terminal update that is acknowledged completes the task", say: func(p *play) {
			a := p.usual()
			a.mute = true
			a.accepts(launching(task("t", "true", "")))
			for _, state := range []string{"TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"} {
				e := a.hears(`{"type":"UPDATE"}`).has(update("t", state, `,"uuid":"$ANY"`))
				p.ask(`{"type":"GET_TASKS"}`, `{"get_tasks":{"tasks":{"$SOME":{"framework_id":{"value":"`+a.id+`"},"task_id":{"value":"t"}}}}}`)
				a.acknowledge(e)
			}
			p.soon(`{"type":"GET_TASKS"}`, `{"get_tasks":{"completed_tasks":{"$SOME":{"framework_id":{"value":"`+a.id+`"},"task_id":{"value":"t"},"state":"TASK_FINISHED"}}}}`)
		}},
		{at: "11.3:897", name: "the next update waits for the acknowledgement of the one before", say: func(p *play) {
			a := p.usual()
			a.mute = true
			a.accepts(launching(task("t", "true", "")))
			e := a.hears(`{"type":"UPDATE"}`).has(update("t", "TASK_STARTING", ""))
			a.never(`{"type":"UPDATE","update":{"status":{"task_id":{"value":"t"}}}}`)
			a.acknowledge(e)
			a.acknowledge(a.hears(`{"type":"UPDATE"}`).has(update("t", "TASK_RUNNING", "")))
			a.acknowledge(a.hears(`{"type":"UPDATE"}`).has(update("t", "TASK_FINISHED", "")))
		}},
		{at: "3:256", name: "capabilities of the master in /state", say: func(p *play) {
			p.get(p.master+"/state", `{"capabilities":["AGENT_UPDATE","AGENT_DRAINING","QUOTA_V2"]}`)
		}},
		{at: "8.13:658", name: "offer constraints: an attribute with another value", own: true, say: func(p *play) {
			constraint := func(value string) string {
				return `,"offer_constraints":{"role_constraints":{"*":{"groups":[{"attribute_constraints":[{"selector":{"attribute_name":"rack"},"predicate":{"text_equals":{"value":"` + value + `"}}}]}]}}}`
			}
			a := p.subscribes(`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"play","roles":["*"],` + capable + `}` + constraint("r2") + `}}`)
			p.usual().offer()
			a.never(`{"type":"OFFERS"}`)
			b := a.again(`"roles":["*"],`+capable, constraint("r1"))
			p.exits = append(p.exits, func() { _ = b.call(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`) })
		}},
		{at: "8.13:660", name: "offer constraints: text predicates hold for an attribute that is no text", own: true, say: func(p *play) {
			a := p.subscribes(`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"play","roles":["*"],` + capable + `},"offer_constraints":{"role_constraints":
				{"*":{"groups":[{"attribute_constraints":[{"selector":{"attribute_name":"level"},"predicate":{"text_equals":{"value":"7"}}}]}]}}}}}`)
			p.exits = append(p.exits, func() { _ = a.call(`{"type":"TEARDOWN","framework_id":{"value":"$ID"}}`) })
			a.offer()
		}},
	}
}
