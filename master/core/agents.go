package core

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
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
	deactivated  bool    // by an operator
	session      Session // 0 while it is disconnected
	missed       int     // pings in a row that were not answered
	registered   time.Time
	reregistered time.Time

	total, used, offered resources.Resources
	offers               []*offer // oldest first
	tasks                chain    // those that are not unreachable or completed
	executors            []executor
	kills                map[uint32]*mesospb.KillPolicy // asked for while it was disconnected, by task
}

// An executor is one that a framework brought itself.
type executor struct {
	framework uint32
	id        mesos.ExecutorID
	info      []byte // ExecutorInfo, marshaled
	used      resources.Resources
}

// A lostAgent is an agent that was marked unreachable.
type lostAgent struct {
	info  []byte
	since time.Time
}

// A change is a write of an agent's registry entry that is under way. An agent
// that subscribes meanwhile is served after it.
type change struct{ parked *AgentSubscribed }

// Events that follow a write.
type (
	// admitted: the agent is among the admitted ones.
	admitted struct {
		id        mesos.AgentID
		info      *mesospb.AgentInfo
		address   string        // "" unless the agent had no id before
		replaces  mesos.AgentID // the agent that had the address
		returning bool
	}
	infoChanged struct {
		id   mesos.AgentID
		info *mesospb.AgentInfo
	}
	markedUnreachable struct {
		id    mesos.AgentID
		since time.Time
		why   string
	}
	unregistered struct{ id mesos.AgentID }
)

func (admitted) event()          {}
func (infoChanged) event()       {}
func (markedUnreachable) event() {}
func (unregistered) event()      {}

// agentSubscribed takes in an agent: a new one gets an id, one with an id goes on.
func (m *Master) agentSubscribed(ev AgentSubscribed) {
	if m.sessions[ev.Session] != nil || ev.Session == 0 {
		m.refuse("agent subscription", fmt.Sprint(ev.Session), "the session is open already")
		return
	}
	if err := validation.AgentSubscribe(ev.Subscribe); err != nil {
		m.closeSession(ev.Session, err.Error()) // Mesos drops it as well: nothing that runs is killed
		return
	}
	m.sessions[ev.Session] = &session{id: ev.Session}
	if id := mesos.AgentID(ev.Subscribe.GetAgent().GetId().GetValue()); id != "" {
		m.agentArrived(id, ev)
		return
	}
	m.newAgentArrived(ev)
}

// newAgentArrived mints an id, unless the agent asks again because it has not
// heard the one it was given.
func (m *Master) newAgentArrived(ev AgentSubscribed) {
	address, _ := addressOf(ev)
	old := m.byPID[address]
	switch id := m.admitting[address]; {
	case id != "":
		m.agentArrived(id, ev)
		return
	case old != nil && old.boot != "" && old.boot == ev.Subscribe.GetBoot():
		m.agentArrived(old.id, ev)
		return
	}
	id := m.mintAgentID()
	info := infoOf(id, ev)
	then := admitted{id: id, info: info, address: address}
	ops := append(m.replacing(old, &then), admitOp(info, false))
	m.admitting[address] = id
	m.change(id, &ev, then, ops...)
}

// mintAgentID skips ids that some agent brought with it.
func (m *Master) mintAgentID() mesos.AgentID {
	for {
		id := mesos.AgentID(fmt.Sprintf("%s-S%d", m.cfg.MasterID, m.agentIDs))
		m.agentIDs++
		if m.agents[id] == nil && m.unreachable[id] == nil && m.gone[id].IsZero() && m.changing[id] == nil {
			return id
		}
	}
}

// agentArrived brings an agent with an id to where it may register.
func (m *Master) agentArrived(id mesos.AgentID, ev AgentSubscribed) {
	info := infoOf(id, ev)
	switch a := m.agents[id]; {
	case m.changing[id] != nil:
		m.park(m.changing[id], ev)
	case !m.gone[id].IsZero():
		m.turnAway(ev.Session, "Agent has been marked gone")
	case a != nil:
		m.knownAgentArrived(a, info, ev)
	case m.unreachable[id] != nil:
		m.change(id, &ev, admitted{id: id, info: info, returning: true}, reachableOp(info))
	default:
		m.change(id, &ev, admitted{id: id, info: info}, admitOp(info, false))
	}
}

func (m *Master) knownAgentArrived(a *agent, info *mesospb.AgentInfo, ev AgentSubscribed) {
	_, ip := addressOf(ev)
	switch {
	case ev.Session < a.session:
		m.closeSession(ev.Session, "a later session has begun")
	case !a.recovered && (a.hostname != info.GetHostname() || a.ip != ip):
		m.turnAway(ev.Session, "Agent attempted to re-register with a different IP or hostname")
	case !bytes.Equal(a.info, marshal(info)):
		m.change(a.id, &ev, infoChanged{a.id, info}, admitOp(info, a.deactivated))
	default:
		m.register(a, ev)
	}
}

// change writes an agent's registry entry; then ev, if any, is looked at again.
func (m *Master) change(id mesos.AgentID, ev *AgentSubscribed, then Event, ops ...*registrypb.Operation) {
	m.changing[id] = &change{parked: ev}
	m.persistThen(then, ops...)
}

// park keeps the latest subscription until the write is done.
func (m *Master) park(c *change, ev AgentSubscribed) {
	switch {
	case c.parked == nil:
		c.parked = &ev
	case c.parked.Session < ev.Session:
		m.closeSession(c.parked.Session, "a later session has begun")
		c.parked = &ev
	default:
		m.closeSession(ev.Session, "a later session has begun")
	}
}

// changed ends a change and serves who waited for it.
func (m *Master) changed(id mesos.AgentID) {
	c := m.changing[id]
	delete(m.changing, id)
	if c.parked != nil && m.sessions[c.parked.Session] != nil {
		m.agentArrived(id, *c.parked)
	}
}

// replacing removes an agent whose machine begins anew (mesos-api 12.2).
func (m *Master) replacing(old *agent, then *admitted) []*registrypb.Operation {
	if old == nil || m.changing[old.id] != nil {
		return nil
	}
	m.changing[old.id] = &change{}
	then.replaces = old.id
	return []*registrypb.Operation{removeOp(old.id)}
}

func (m *Master) admitted(ev admitted) {
	if old := m.agents[ev.replaces]; old != nil {
		m.count.removed["registered"]++
		m.removeAgent(old, "a new agent registered at the same address")
	}
	if ev.replaces != "" {
		m.changed(ev.replaces)
	}
	delete(m.unreachable, ev.id)
	a := m.admit(ev.id, ev.info, false)
	a.returning, a.pid = ev.returning, ev.address
	m.changed(ev.id)
}

// admit adds an agent that has not registered yet, and gives it time to.
func (m *Master) admit(id mesos.AgentID, info *mesospb.AgentInfo, deactivated bool) *agent {
	a := &agent{
		id: id, handle: uint32(len(m.agentOf)), info: marshal(info), hostname: info.GetHostname(),
		recovered: true, deactivated: deactivated,
	}
	m.agents[id] = a
	m.agentOf = append(m.agentOf, a)
	m.recovering++
	m.timers.set(timer{reregisterTimer, uint64(a.handle)}, after(m.now, m.cfg.AgentReregisterTimeout))
	return a
}

func (m *Master) infoChanged(ev infoChanged) {
	if a := m.agents[ev.id]; a != nil {
		a.info, a.hostname = marshal(ev.info), ev.info.GetHostname()
	}
	m.changed(ev.id)
}

// register begins or goes on with an agent: what it has replaces what was known of it.
func (m *Master) register(a *agent, ev AgentSubscribed) {
	first := a.recovered
	m.attach(a, ev)
	m.tellAgent(a, &linkpb.Event{Type: linkpb.Event_REGISTERED.Enum(), Registered: &linkpb.Registered{
		AgentId:            agentID(a.id),
		PingTimeoutSeconds: new(m.cfg.AgentPingTimeout.Seconds()),
		MaxPingTimeouts:    new(uint32(m.cfg.MaxAgentPingTimeouts)),
	}})
	if first {
		m.recovering--
		a.recovered, a.registered = false, m.now
		m.cfg.Allocator.AddAgent(m.now, allocatorAgent(a), nil)
	} else {
		a.reregistered = m.now
		m.cfg.Allocator.UpdateAgent(m.now, allocatorAgent(a))
	}
	m.cfg.Allocator.SetAgentActive(m.now, a.id, !a.deactivated)
	m.adopt(a, ev.Subscribe, first)
	if first {
		m.publishAgentAdded(a)
	}
	m.countRegistration(ev)
	a.returning = false
	m.sendKills(a)
	m.hearEarly(a)
}

// attach makes ev's session the agent's; the one before hears nothing more.
func (m *Master) attach(a *agent, ev AgentSubscribed) {
	if a.session != 0 {
		m.closeSession(a.session, "a later session has begun")
	}
	a.session = ev.Session
	m.sessions[ev.Session].agent = a
	m.leaveAddress(a)
	a.pid, a.ip = addressOf(ev)
	m.byPID[a.pid] = a
	a.version, a.boot, a.missed = ev.Subscribe.GetVersion(), ev.Subscribe.GetBoot(), 0
	m.setTotal(a, totalOf(ev.Subscribe))
	a.capabilities = nil
	for _, c := range ev.Subscribe.GetCapabilities() {
		a.capabilities = append(a.capabilities, c.GetType())
	}
	m.timers.cancel(timer{reregisterTimer, uint64(a.handle)})
	m.timers.set(timer{pingTimer, uint64(a.handle)}, after(m.now, m.cfg.AgentPingTimeout))
}

// setTotal replaces what an agent has. What was offered of the old is taken back.
func (m *Master) setTotal(a *agent, total resources.Resources) {
	if !total.Equal(a.total) {
		m.rescindAll(a)
		a.total = total
	}
}

func (m *Master) countRegistration(ev AgentSubscribed) {
	if ev.Subscribe.GetAgent().GetId().GetValue() == "" {
		m.count.messages["register_slave"]++
		m.count.registrations++
		return
	}
	m.count.messages["reregister_slave"]++
	m.count.reregistrations++
}

// disconnectAgent is what the end of its session means for an agent: no offers,
// and the tasks of frameworks that do not checkpoint are lost (mesos-api 12.2).
func (m *Master) disconnectAgent(a *agent) {
	a.session = 0
	m.cfg.Allocator.SetAgentActive(m.now, a.id, false)
	m.rescindAll(a)
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
	if m.changing[a.id] != nil {
		m.timers.set(timer{reregisterTimer, uint64(a.handle)}, after(m.now, m.cfg.AgentPingTimeout))
		return // another write is under way; look again
	}
	if !a.recovered {
		m.cfg.Allocator.SetAgentActive(m.now, a.id, false)
		m.rescindAll(a)
	}
	m.count.unreachableScheduled++
	m.change(a.id, nil, markedUnreachable{a.id, m.now, why}, unreachableOp(a.message(), m.now))
}

// markedUnreachable: the tasks may still run, but nobody can say (mesos-api 12.2).
func (m *Master) markedUnreachable(ev markedUnreachable) {
	if a := m.agents[ev.id]; a != nil {
		m.unreachable[ev.id] = &lostAgent{info: a.info, since: ev.since}
		m.count.unreachableCompleted++
		m.count.removed["unhealthy"]++
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
	m.partAgent(a, func(row uint32) {
		m.endTask(row, mesospb.TaskState_TASK_LOST, mesospb.TaskStatus_REASON_AGENT_REMOVED, text)
	})
	m.forgetAgent(a)
	m.publishAgentRemoved(a.id)
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
}

func (a *agent) message() *mesospb.AgentInfo { return unmarshal(a.info, &mesospb.AgentInfo{}) }

func (a *agent) can(c mesospb.AgentInfo_Capability_Type) bool {
	return slices.Contains(a.capabilities, c)
}

// infoOf is what the agent says of itself, under its id.
func infoOf(id mesos.AgentID, ev AgentSubscribed) *mesospb.AgentInfo {
	info := proto.CloneOf(ev.Subscribe.GetAgent())
	info.Id = agentID(id)
	return info
}

// totalOf is valid: validation.AgentSubscribe has seen it.
func totalOf(s *linkpb.Subscribe) resources.Resources {
	list := s.GetTotal()
	if len(list) == 0 {
		list = s.GetAgent().GetResources()
	}
	total, _ := resources.FromProto(list)
	return total.Unallocated()
}

// addressOf is where the agent's API is: the address it called from, at the port
// it announced.
func addressOf(ev AgentSubscribed) (pid, ip string) {
	ip = ev.Address
	if at, err := netip.ParseAddrPort(ev.Address); err == nil {
		ip = at.Addr().Unmap().String()
	}
	return ip + ":" + strconv.Itoa(int(ev.Subscribe.GetAgent().GetPort())), ip
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
