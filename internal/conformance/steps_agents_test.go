package conformance_test

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"time"

	"github.com/soukproject/souk/agent"
)

// A spare is an agent that a play may lose.
type spare struct {
	id, hostname string
	stop         func() // ends its process; tasks go on
}

// spare starts an agent and waits until it is registered.
func (p *play) spare(hostname string) *spare {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	p.must(err)
	cfg := agent.DefaultConfig()
	cfg.Listener, cfg.Master, cfg.WorkDir = ln, strings.TrimPrefix(p.master, "http://"), p.t.TempDir()
	cfg.Hostname, cfg.Containerizer, cfg.Backoff = hostname, "posix", 50*time.Millisecond
	cfg.Resources = "cpus:1;mem:256;disk:100;ports:[1-2]"
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = agent.Run(ctx, cfg) // it ends when the master has it gone
	}()
	s := &spare{hostname: hostname, stop: func() { cancel(); <-done }}
	p.exits = append(p.exits, s.stop)
	e := p.soon(`{"type":"GET_AGENTS"}`, `{"get_agents":{"agents":{"$SOME":{"agent_info":{"hostname":"`+hostname+`"},"active":true}}}}`)
	var list struct {
		Agents struct {
			Agents []struct {
				Info struct {
					ID       struct{ Value string } `json:"id"`
					Hostname string
				} `json:"agent_info"`
				Active bool
			}
		} `json:"get_agents"`
	}
	p.must(json.Unmarshal([]byte(e.text), &list))
	for _, a := range list.Agents.Agents {
		if a.Info.Hostname == hostname && a.Active {
			s.id = a.Info.ID.Value
		}
	}
	return s
}

// on launches a task on the spare, and waits until it runs.
func (s *spare) on(a *actor, id string) {
	a.accept(a.offerOf(s.id), launching(strings.ReplaceAll(task(id, "sleep 1000", ""), "$AGENT", s.id)))
	a.hears(update(id, "TASK_RUNNING", ""))
}

// agentSteps are about agents that come and go.
func agentSteps() []step {
	name := func(p *play, base string) string {
		return base + "." + strings.NewReplacer("/", "-").Replace(p.codec.String())
	}
	return []step{
		{at: "5:336", name: "AGENT_ADDED", own: true, say: func(p *play) {
			w := p.watch()
			s := p.spare(name(p, "added"))
			w.hears(`{"type":"AGENT_ADDED","agent_added":{"agent":{"agent_info":{"hostname":"` + s.hostname + `","id":{"value":"` + s.id + `"}},"active":true,"total_resources":{"$SOME":{"name":"cpus","role":"*"}}}}}`)
		}},
		{at: "12.2:931", name: "MARK_AGENT_GONE: TASK_GONE_BY_OPERATOR, FAILURE, no AGENT_REMOVED", own: true, say: func(p *play) {
			s := p.spare(name(p, "gone"))
			a := p.usual()
			s.on(a, "t")
			w := p.watch()
			p.ask(`{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"`+s.id+`"}}}`, "")
			a.hears(update("t", "TASK_GONE_BY_OPERATOR", `,"source":"SOURCE_MASTER","reason":"REASON_AGENT_REMOVED_BY_OPERATOR","message":"Agent has been marked gone","uuid":"$NONE"`))
			p.framework(`"roles":["late"],` + capable)
			for e := w.next(); e.at("type") != "FRAMEWORK_ADDED"; e = w.next() {
				if e.at("type") == "AGENT_REMOVED" {
					p.fail("%s", e.text)
				}
			}
			p.ask(`{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"`+s.id+`"}}}`, "")
		}},
		{at: "8.14:677", name: "FAILURE of an agent that is gone", own: true, say: func(p *play) {
			s := p.spare(name(p, "failed"))
			a := p.usual()
			p.ask(`{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"`+s.id+`"}}}`, "")
			a.hears(`{"type":"FAILURE","failure":{"agent_id":{"value":"` + s.id + `"},"executor_id":"$NONE"}}`)
		}},
		{at: "12.1:917", name: "reconciliation of a task on an agent that is gone", own: true, say: func(p *play) {
			s := p.spare(name(p, "asked"))
			a, b := p.usual(), p.framework(`"role":"*"`)
			p.ask(`{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"`+s.id+`"}}}`, "")
			for _, x := range []struct {
				who   *actor
				state string
			}{{a, "TASK_GONE_BY_OPERATOR"}, {b, "TASK_LOST"}} {
				x.who.says(`{"type":"RECONCILE","framework_id":{"value":"$ID"},"reconcile":{"tasks":[{"task_id":{"value":"t"},"agent_id":{"value":"` + s.id + `"}}]}}`)
				x.who.hears(update("t", x.state, `,"reason":"REASON_RECONCILIATION","message":"Reconciliation: Task is gone"`))
			}
		}},
		{at: "9.3:763", name: "RECONCILE_OPERATIONS: an agent that is gone", own: true, say: func(p *play) {
			s := p.spare(name(p, "operated"))
			a := p.usual()
			p.ask(`{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"`+s.id+`"}}}`, "")
			a.says(`{"type":"RECONCILE_OPERATIONS","framework_id":{"value":"$ID"},"reconcile_operations":{"operations":[{"operation_id":{"value":"o"},"agent_id":{"value":"` + s.id + `"}}]}}`)
			a.hears(`{"type":"UPDATE_OPERATION_STATUS","update_operation_status":{"status":{"state":"OPERATION_GONE_BY_OPERATOR","message":"Reconciliation: Agent marked gone by operator"}}}`)
		}},
		{at: "12.2:932", name: "a machine that is taken down: TASK_LOST, FAILURE, AGENT_REMOVED", own: true, say: func(p *play) {
			s := p.spare(name(p, "down"))
			a := p.usual()
			s.on(a, "t")
			w := p.watch()
			machine := `{"hostname":"` + s.hostname + `","ip":"127.0.0.1"}`
			p.schedules(`[{"machine_ids":[` + machine + `],"unavailability":{"start":{"nanoseconds":4102444800000000000}}}]`)
			p.ask(`{"type":"START_MAINTENANCE","start_maintenance":{"machines":[`+machine+`]}}`, "")
			a.hears(update("t", "TASK_LOST", `,"source":"SOURCE_MASTER","reason":"REASON_AGENT_REMOVED"`))
			w.hears(`{"type":"AGENT_REMOVED","agent_removed":{"agent_id":{"value":"` + s.id + `"}}}`)
			p.ask(`{"type":"GET_MAINTENANCE_STATUS"}`, `{"get_maintenance_status":{"status":{"down_machines":[`+machine+`]}}}`)
			p.ask(`{"type":"STOP_MAINTENANCE","stop_maintenance":{"machines":[`+machine+`]}}`, "")
		}},
		{at: "12.2:925", name: "an agent that is disconnected: offers are rescinded, tasks of frameworks without checkpoints are lost", own: true, once: true, say: func(p *play) {
			s := p.spare("broken.example")
			a := p.usual()
			s.on(a, "t")
			o := a.offerOf(s.id)
			s.stop()
			a.hears(`{"type":"RESCIND","rescind":{"offer_id":{"value":"` + o.at("id.value") + `"}}}`)
			a.hears(update("t", "TASK_LOST", `,"source":"SOURCE_MASTER","reason":"REASON_AGENT_DISCONNECTED"`))
		}},
		{at: "22.2:1508", name: "DRAIN_AGENT with mark_gone", own: true, say: func(p *play) {
			s := p.spare(name(p, "drained"))
			a := p.usual()
			s.on(a, "t")
			p.ask(`{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"`+s.id+`"},"mark_gone":true}}`, "")
			a.hears(update("t", "TASK_GONE_BY_OPERATOR", `,"reason":"REASON_AGENT_DRAINING"`))
		}},
	}
}
