package core

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A change is a write of an agent's registry entry that is under way. An agent
// that subscribes meanwhile is served after it, and so are calls of operators.
type change struct {
	parked *AgentSubscribed
	calls  []Operated
	gone   bool // it makes the agent gone
}

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
	if why := m.misplaced(ev.Subscribe.GetAgent()); why != "" {
		m.closeSession(ev.Session, why)
		return
	}
	if why := m.tooManyStrays(ev.Subscribe); why != "" {
		m.closeSession(ev.Session, why) // it comes again, and its tasks run on meanwhile
		return
	}
	m.sessions[ev.Session] = &session{id: ev.Session}
	id := mesos.AgentID(ev.Subscribe.GetAgent().GetId().GetValue())
	switch {
	case id != "":
		m.agentArrived(id, ev)
	case !m.barred(id, ev):
		m.newAgentArrived(ev)
	}
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
	ops := append(m.replacing(old, &then), admitOp(info, standing{}))
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
	case m.barred(id, ev):
	case !m.gone[id].IsZero():
		m.turnAway(ev.Session, "Agent has been marked gone")
	case m.removedAgents[id]:
		m.turnAway(ev.Session, "Agent has been removed: it may come back as a new one")
	case a != nil:
		m.knownAgentArrived(a, info, ev)
	case m.unreachable[id] != nil:
		m.change(id, &ev, admitted{id: id, info: info, returning: true}, reachableOp(info, m.unreachable[id].standing))
	default:
		m.change(id, &ev, admitted{id: id, info: info}, admitOp(info, standing{}))
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
		m.change(a.id, &ev, infoChanged{a.id, info}, admitOp(info, a.standing))
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
	for _, call := range c.calls {
		m.operatedLater(id, call)
	}
	if a := m.agents[id]; a != nil {
		m.settle(a)
		if p, _ := m.maintenance.of(a); p.down {
			m.takeDown(a)
		}
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
	was := standing{}
	if lost := m.unreachable[ev.id]; lost != nil {
		was = lost.standing
	}
	delete(m.unreachable, ev.id)
	a := m.admit(ev.id, ev.info, was)
	a.returning, a.pid = ev.returning, ev.address
	m.changed(ev.id)
}

// admit adds an agent that has not registered yet, and gives it time to.
func (m *Master) admit(id mesos.AgentID, info *mesospb.AgentInfo, s standing) *agent {
	a := &agent{
		id: id, handle: uint32(len(m.agentOf)), info: marshal(info), hostname: info.GetHostname(),
		recovered: true, standing: s,
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
		a.recovered, a.registered, a.emptySince = false, m.now, m.now
		m.cfg.Allocator.AddAgent(m.now, allocatorAgent(a), nil)
	} else {
		a.reregistered = m.now
		m.cfg.Allocator.UpdateAgent(m.now, allocatorAgent(a))
	}
	m.cfg.Allocator.SetAgentActive(m.now, a.id, m.isOfferable(a))
	m.adopt(a, ev.Subscribe, first)
	if first {
		m.publishAgentAdded(a)
	}
	if m.paused && len(m.agents)-m.recovering >= m.quorum {
		m.resume()
	}
	m.countRegistration(ev)
	a.returning = false
	m.sendKills(a)
	m.drainTasks(a)
	m.askSoon(a, m.now)
	m.hearEarly(a)
}

// attach makes ev's session the agent's; the one before hears nothing more.
func (m *Master) attach(a *agent, ev AgentSubscribed) {
	m.pardon(a)
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

// addressOf is where the agent's API is: the address it named or called from, at the port
// it announced.
func addressOf(ev AgentSubscribed) (pid, ip string) {
	ip = ev.Address
	if at, err := netip.ParseAddrPort(ev.Address); err == nil {
		ip = at.Addr().Unmap().String()
	}
	if named := ev.Subscribe.GetIp(); named != "" {
		ip = named
	}
	return ip + ":" + strconv.Itoa(int(ev.Subscribe.GetAgent().GetPort())), ip
}
