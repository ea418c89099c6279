package core

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/proto/mesos"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

const notRecovered = "Master has not finished recovery"

// beforeElection serves nobody, and takes in what the registry held.
func (m *Master) beforeElection(ev Event) {
	switch ev := ev.(type) {
	case Elected:
		m.recover(ev.Registry)
	case Whitelisted:
		m.whitelisted(ev)
	case AgentSubscribed:
		m.do(CloseAgent{ev.Session})
	case Subscribed:
		m.do(CloseFramework{ev.Stream})
	case Called:
		m.do(Reply{Request: ev.Request, Code: 503, Text: notRecovered})
	case Operated:
		m.do(Reply{Request: ev.Request, Code: 503, Text: notRecovered})
	}
}

// recover begins the reign: every admitted agent is expected back within the
// time it has to reregister.
func (m *Master) recover(r *registrypb.Registry) {
	m.elected = m.now
	// Before the timers of the agents themselves: the first to be due is the first set.
	m.timers.set(timer{kind: recoveryTimer}, after(m.now, m.cfg.AgentReregisterTimeout))
	for _, x := range r.GetAgents() {
		if id := mesos.AgentID(x.GetInfo().GetId().GetValue()); id != "" && m.agents[id] == nil {
			m.admit(id, x.GetInfo(), standing{deactivated: x.GetDeactivated(), drain: x.DrainInfo})
		}
	}
	m.inherited = len(m.agents)
	for _, x := range r.GetUnreachable() {
		id := mesos.AgentID(x.GetInfo().GetId().GetValue())
		m.unreachable[id] = &lostAgent{
			standing: standing{deactivated: x.GetDeactivated(), drain: x.DrainInfo},
			info:     marshal(x.GetInfo()), since: time.Unix(0, x.GetSince().GetNanoseconds()),
		}
	}
	for _, x := range r.GetGone() {
		m.gone[mesos.AgentID(x.GetId().GetValue())] = time.Unix(0, x.GetSince().GetNanoseconds())
	}
	m.recoverWeights(r.GetWeights())
	m.recoverQuotas(r.GetQuotas())
	m.recoverMaintenance(r.GetMaintenance())
	m.recoverOrphans(r.GetOrphans())
	m.timers.set(timer{kind: registryTimer}, after(m.now, m.cfg.RegistryGCInterval))
	if len(m.cfg.PreemptFor) > 0 {
		m.timers.set(timer{kind: preemptTimer}, after(m.now, preemptEvery))
	}
}

// persistThen asks for operations to be written and remembers what follows: a
// step of its own, against the state as it will be by then.
func (m *Master) persistThen(then Event, ops ...*registrypb.Operation) {
	m.writes++
	m.wanted[m.writes] = then
	m.do(Persist{Seq: m.writes, Operations: ops})
}

// persisted goes on with what waited for a write.
func (m *Master) persisted(ev Persisted) {
	then, ok := m.wanted[ev.Seq]
	if !ok {
		m.refuse("persisted", "", "nothing waits for this write")
		return
	}
	delete(m.wanted, ev.Seq)
	switch then := then.(type) {
	case admitted:
		m.admitted(then)
	case infoChanged:
		m.infoChanged(then)
	case markedUnreachable:
		m.markedUnreachable(then)
	case unregistered:
		m.unregistered(then)
	case pruned:
		m.pruned(then)
	case weighted:
		m.weighted(then)
	case markedGone:
		m.markedGone(then)
	case standingChanged:
		m.standingChanged(then)
	case quotasSet:
		m.quotasSet(then)
	case maintained:
		m.maintained(then)
	case tookDown:
		m.tookDown(then)
	case orphaned:
	case tornDown:
		m.tornDown(then)
	case welcomed:
		m.welcomed(then)
	}
}

// pruned follows the write that drops old entries.
type pruned struct{ agents []mesos.AgentID }

func (pruned) event() {}

// pruneRegistry drops unreachable and gone agents that are too old or too many.
func (m *Master) pruneRegistry() {
	m.timers.set(timer{kind: registryTimer}, after(m.now, m.cfg.RegistryGCInterval))
	m.pruneOrphans()
	old := append(m.tooOld(m.lostSince()), m.tooOld(m.gone)...)
	if len(old) == 0 {
		return
	}
	op := &registrypb.Operation{Type: registrypb.Operation_PRUNE.Enum()}
	for _, id := range old {
		op.AgentIds = append(op.AgentIds, agentID(id))
	}
	m.persistThen(pruned{old}, op)
}

func (m *Master) lostSince() map[mesos.AgentID]time.Time {
	since := make(map[mesos.AgentID]time.Time, len(m.unreachable))
	for id, lost := range m.unreachable {
		since[id] = lost.since
	}
	return since
}

// tooOld lists the agents beyond the age and number that the registry keeps,
// except those being written just now.
func (m *Master) tooOld(since map[mesos.AgentID]time.Time) []mesos.AgentID {
	ids := make([]mesos.AgentID, 0, len(since))
	for id := range since {
		if m.changing[id] == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b mesos.AgentID) int { return cmp.Or(since[a].Compare(since[b]), cmp.Compare(a, b)) })
	n := max(0, len(ids)-m.cfg.RegistryMaxAgentCount)
	for n < len(ids) && m.now.Sub(since[ids[n]]) > m.cfg.RegistryMaxAgentAge {
		n++
	}
	return ids[:n]
}

func (m *Master) pruned(ev pruned) {
	for _, id := range ev.agents {
		if m.changing[id] == nil {
			delete(m.unreachable, id)
			delete(m.gone, id)
		}
	}
}

func admitOp(info *mesospb.AgentInfo, s standing) *registrypb.Operation {
	return &registrypb.Operation{Type: registrypb.Operation_ADMIT_AGENT.Enum(), Agent: registryAgent(info, s)}
}

func reachableOp(info *mesospb.AgentInfo, s standing) *registrypb.Operation {
	return &registrypb.Operation{Type: registrypb.Operation_MARK_REACHABLE.Enum(), Agent: registryAgent(info, s)}
}

func unreachableOp(info *mesospb.AgentInfo, since time.Time, s standing) *registrypb.Operation {
	lost := &registrypb.Unreachable{Info: info, Since: timeInfo(since), DrainInfo: s.drain}
	if s.deactivated {
		lost.Deactivated = new(true)
	}
	return &registrypb.Operation{Type: registrypb.Operation_MARK_UNREACHABLE.Enum(), Unreachable: lost}
}

func goneOp(id mesos.AgentID, since time.Time) *registrypb.Operation {
	return &registrypb.Operation{
		Type: registrypb.Operation_MARK_GONE.Enum(), Gone: &registrypb.Gone{Id: agentID(id), Since: timeInfo(since)},
	}
}

func removeOp(id mesos.AgentID) *registrypb.Operation {
	return &registrypb.Operation{Type: registrypb.Operation_REMOVE_AGENT.Enum(), AgentId: agentID(id)}
}

func registryAgent(info *mesospb.AgentInfo, s standing) *registrypb.Agent {
	a := &registrypb.Agent{Info: info, DrainInfo: s.drain}
	if s.deactivated {
		a.Deactivated = new(true)
	}
	return a
}

// marshal never fails on what came over the wire; what was made by hand and
// lacks a required field is kept as far as it goes.
func marshal(msg proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(msg)
	if err != nil {
		return nil // text that is not UTF-8 in a message made by hand
	}
	return b
}

func unmarshal[M proto.Message](b []byte, msg M) M {
	// The bytes are our own: what marshal wrote.
	_ = proto.UnmarshalOptions{AllowPartial: true}.Unmarshal(b, msg)
	return msg
}
