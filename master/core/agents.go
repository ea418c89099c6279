package core

import (
	"slices"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	allocatorpb "github.com/soukproject/souk/proto/mesos/v1/allocator"
)

// An agent is one that was admitted. It is recovered, that is known from the
// registry alone, until it registers with this master.
type agent struct {
	id           mesos.AgentID
	handle       uint32
	info         []byte // AgentInfo, marshaled
	hostname     string
	pid          string // ip:port of its API
	ip           string
	version      string
	boot         string
	capabilities []mesospb.AgentInfo_Capability_Type

	recovered    bool
	returning    bool    // it was unreachable when it came back
	standing             // with operators
	session      Session // 0 while it is disconnected
	missed       int     // pings in a row that were not answered
	condemned    string  // why it is to be marked unreachable, "" if it is not
	registered   time.Time
	reregistered time.Time

	total, used, offered resources.Resources
	emptySince           time.Time                         // says something while used is nothing
	offers               []*offer                          // oldest first
	inverse              []*inverseOffer                   // oldest first
	answers              []*allocatorpb.InverseOfferStatus // to inverse offers; replaced, never changed
	tasks                chain                             // those that are not unreachable or completed
	executors            []executor
	operations           []*operation                    // oldest first
	kills                map[taskKey]*mesospb.KillPolicy // asked for while it was away
}

// A taskKey names a task that the master may not know yet.
type taskKey struct {
	framework mesos.FrameworkID
	task      mesos.TaskID
}

// maxKills bounds the kills remembered for an agent that is away: its tasks are
// not known after a failover, so that any id may be asked for.
const maxKills = 10000

// An executor is one that a framework brought itself.
type executor struct {
	framework uint32
	id        mesos.ExecutorID
	info      []byte // ExecutorInfo, marshaled
	used      resources.Resources
}

// A lostAgent is an agent that was marked unreachable. It is replaced, never changed.
type lostAgent struct {
	standing
	info  []byte
	since time.Time
}

// A standing is what an operator asked of an agent.
type standing struct {
	deactivated bool // it is not offered
	drain       *mesospb.DrainInfo
	drainSince  time.Time // as far as this master knows
}

// disconnectAgent is what the end of its session means for an agent: no offers,
// and the tasks of frameworks that do not checkpoint are lost (mesos-api 12.2).
func (m *Master) disconnectAgent(a *agent) {
	a.session = 0
	m.cfg.Allocator.SetAgentActive(m.now, a.id, false)
	m.rescindAll(a)
	m.rescindInverse(a)
	m.timers.set(timer{reregisterTimer, uint64(a.handle)}, after(m.now, m.cfg.AgentReregisterTimeout))
	for row := range m.tasks.walk(a.tasks, byAgent) {
		f := m.frameworkOf[m.tasks.rows.at(row).framework]
		if !f.info.GetCheckpoint() {
			m.endTask(row, mesospb.TaskState_TASK_LOST, mesospb.TaskStatus_REASON_AGENT_DISCONNECTED,
				"Agent "+a.hostname+" disconnected")
		}
	}
	m.dropExecutors(a, func(f *framework) bool { return !f.info.GetCheckpoint() })
}

// ping asks a sign of life, or gives the agent up for lack of one.
func (m *Master) ping(a *agent) {
	if a.missed >= m.cfg.MaxAgentPingTimeouts {
		m.loseAgent(a, "health check timed out")
		return
	}
	a.missed++
	m.timers.set(timer{pingTimer, uint64(a.handle)}, after(m.now, m.cfg.AgentPingTimeout))
	if a.session != 0 {
		m.tellAgent(a, &linkpb.Event{Type: linkpb.Event_PING.Enum()})
	}
}

// neverBack gives up an agent that did not reregister in time.
func (m *Master) neverBack(a *agent) {
	why := "agent did not reregister within " + durationText(m.cfg.AgentReregisterTimeout) + " after disconnecting"
	if a.recovered {
		m.count.recoveryRemovals++
		why = "agent did not reregister within " + durationText(m.cfg.AgentReregisterTimeout) + " after master failover"
	}
	m.loseAgent(a, why)
}

// loseAgent writes down that an agent is unreachable. From here on it is offered
// to nobody; whoever subscribes under its id waits for the write.
func (m *Master) loseAgent(a *agent, why string) {
	m.timers.cancel(timer{pingTimer, uint64(a.handle)})
	m.timers.cancel(timer{reregisterTimer, uint64(a.handle)})
	if a.condemned != "" {
		return
	}
	if m.changing[a.id] != nil {
		m.timers.set(timer{reregisterTimer, uint64(a.handle)}, after(m.now, m.cfg.AgentPingTimeout))
		return // another write is under way; look again
	}
	if !a.recovered {
		m.cfg.Allocator.SetAgentActive(m.now, a.id, false)
		m.rescindAll(a)
	}
	m.count.unreachableScheduled++
	if m.cfg.AgentRemovalInterval > 0 {
		m.condemn(a, why)
		return
	}
	m.markUnreachable(a, why)
}

// markUnreachable writes it.
func (m *Master) markUnreachable(a *agent, why string) {
	if m.changing[a.id] != nil {
		m.timers.set(timer{reregisterTimer, uint64(a.handle)}, after(m.now, m.cfg.AgentPingTimeout))
		return // another write is under way; look again
	}
	m.change(a.id, nil, markedUnreachable{a.id, m.now, why}, unreachableOp(a.message(), m.now, a.standing))
}

// markedUnreachable: the tasks may still run, but nobody can say (mesos-api 12.2).
func (m *Master) markedUnreachable(ev markedUnreachable) {
	if a := m.agents[ev.id]; a != nil {
		m.unreachable[ev.id] = &lostAgent{standing: a.standing, info: a.info, since: ev.since}
		m.count.unreachableCompleted++
		m.count.removed["unhealthy"]++
		m.endOperations(a, mesospb.OperationState_OPERATION_UNREACHABLE, "Agent is unreachable: "+ev.why)
		m.partAgent(a, func(row uint32) { m.loseTask(row, ev.since, ev.why) })
		m.forgetAgent(a)
	}
	m.changed(ev.id)
}

func (m *Master) unregistered(ev unregistered) {
	if a := m.agents[ev.id]; a != nil {
		m.count.removed["unregistered"]++
		m.removeAgent(a, "the agent unregistered")
	}
	m.changed(ev.id)
}

// removeAgent ends an agent whose id will not come back, and its tasks for good.
func (m *Master) removeAgent(a *agent, cause string) {
	text := "Agent " + a.hostname + " removed: " + cause
	m.endOperations(a, mesospb.OperationState_OPERATION_UNKNOWN, text)
	m.partAgent(a, func(row uint32) {
		m.endTask(row, mesospb.TaskState_TASK_LOST, mesospb.TaskStatus_REASON_AGENT_REMOVED, text)
	})
	m.forgetAgent(a)
	m.rememberRemoved(a.id)
	m.publishAgentRemoved(a.id)
}

// maxRemoved is how many removed agents are remembered, as in Mesos.
const maxRemoved = 100_000

// rememberRemoved: an agent whose tasks were declared lost for good must not come
// back with them under its id.
func (m *Master) rememberRemoved(id mesos.AgentID) {
	if !m.removedAgents[id] {
		m.removedOrder = append(m.removedOrder, id)
	}
	m.removedAgents[id] = true
	if len(m.removedOrder) > maxRemoved {
		delete(m.removedAgents, m.removedOrder[0])
		m.removedOrder = m.removedOrder[1:]
	}
}

// partAgent ends what is on an agent, and tells all schedulers that it is gone.
func (m *Master) partAgent(a *agent, end func(row uint32)) {
	if a.recovered {
		return
	}
	m.rescindAll(a)
	for row := range m.tasks.walk(a.tasks, byAgent) {
		end(row)
	}
	m.dropExecutors(a, func(*framework) bool { return true })
	m.rescindInverse(a)
	m.forgetAnswers(a)
	for _, f := range m.order {
		m.tellFramework(f, failureEvent(a.id))
	}
	m.cfg.Allocator.RemoveAgent(m.now, a.id)
}

// forgetAgent lets go of an agent on which nothing is left.
func (m *Master) forgetAgent(a *agent) {
	if a.recovered {
		m.recovering--
	}
	m.acquit(a)
	m.count.agentsRemoved++
	m.timers.cancel(timer{pingTimer, uint64(a.handle)})
	m.timers.cancel(timer{reregisterTimer, uint64(a.handle)})
	if a.session != 0 {
		m.closeSession(a.session, "")
	}
	m.leaveAddress(a)
	delete(m.agents, a.id)
	m.agentOf[a.handle] = nil
}

// leaveAddress: the agent is not, or not any more, the one at its address.
func (m *Master) leaveAddress(a *agent) {
	if m.byPID[a.pid] == a {
		delete(m.byPID, a.pid)
	}
	if m.admitting[a.pid] == a.id {
		delete(m.admitting, a.pid)
	}
}

// dropExecutors forgets executors of some frameworks and gives back what they used.
func (m *Master) dropExecutors(a *agent, of func(*framework) bool) {
	a.executors = slices.DeleteFunc(a.executors, func(x executor) bool {
		f := m.frameworkOf[x.framework]
		if !of(f) {
			return false
		}
		m.giveBack(a, f, x.used)
		return true
	})
	m.settle(a)
}

func (a *agent) message() *mesospb.AgentInfo { return unmarshal(a.info, &mesospb.AgentInfo{}) }

func (a *agent) can(c mesospb.AgentInfo_Capability_Type) bool {
	return slices.Contains(a.capabilities, c)
}

func allocatorAgent(a *agent) allocator.Agent {
	info := a.message()
	domain := info.GetDomain().GetFaultDomain()
	out := allocator.Agent{
		ID: a.id, Hostname: a.hostname, Total: a.total,
		Region: domain.GetRegion().GetName(), Zone: domain.GetZone().GetName(),
		Capabilities: allocator.AgentCapabilities{
			MultiRole:             a.can(mesospb.AgentInfo_Capability_MULTI_ROLE),
			HierarchicalRole:      a.can(mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE),
			ReservationRefinement: a.can(mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT),
		},
	}
	for _, x := range info.GetAttributes() {
		attribute := allocator.Attribute{Name: x.GetName(), Text: x.GetText().GetValue()}
		if x.GetType() != mesospb.Value_TEXT {
			attribute.Kind = allocator.OtherAttribute
		}
		out.Attributes = append(out.Attributes, attribute)
	}
	return out
}
