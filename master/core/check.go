package core

import (
	"errors"
	"fmt"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// Check says which of the things that always hold between two steps do not hold;
// nil if all do. It reads everything: it is for tests and simulations.
func (m *Master) Check() error {
	return errors.Join(m.checkAgents(), m.checkFrameworks(), m.checkOffers(), m.checkTasks(), m.checkSessions(), m.checkTimers(), m.checkAllocator(), m.checkQuotas(), m.checkMaintenance(), m.checkOperations())
}

// checkAgents: what an agent has is free, offered or used, each part once.
func (m *Master) checkAgents() error {
	var errs []error
	recovering := 0
	for _, a := range m.agentOf[1:] {
		if a == nil {
			continue
		}
		if a.recovered {
			recovering++
		}
		errs = append(errs, m.checkAgent(a))
	}
	if recovering != m.recovering {
		errs = append(errs, fmt.Errorf("%d agents are recovering, %d are counted", recovering, m.recovering))
	}
	return errors.Join(errs...)
}

func (m *Master) checkAgent(a *agent) error {
	var errs []error
	var used, offered resources.Resources
	n := 0
	for row := range m.tasks.walk(a.tasks, byAgent) {
		n++
		if m.tasks.rows.at(row).is(holds) {
			used = used.Add(resourcesOf(m.tasks.info(row)))
		}
	}
	for _, x := range a.executors {
		used = used.Add(x.used)
	}
	for _, o := range a.offers {
		offered = offered.Add(o.resources)
	}
	if m.cfg.Optimist != nil {
		offered = atLeastOnce(a.offers)
	}
	if n != a.tasks.n {
		errs = append(errs, fmt.Errorf("agent %s has %d tasks, %d are counted", a.id, n, a.tasks.n))
	}
	if !used.Equal(a.used) {
		errs = append(errs, fmt.Errorf("agent %s uses %s, %s is counted", a.id, used, a.used))
	}
	if !offered.Equal(a.offered) {
		errs = append(errs, fmt.Errorf("agent %s offers %s, %s is counted", a.id, offered, a.offered))
	}
	errs = append(errs, m.checkFree(a))
	if m.agents[a.id] != a || m.agentOf[a.handle] != a {
		errs = append(errs, fmt.Errorf("agent %s is not found by its id and handle", a.id))
	}
	if !m.isOfferable(a) && len(a.offers) > 0 {
		errs = append(errs, fmt.Errorf("agent %s is away, deactivated or not listed, and offered", a.id))
	}
	if a.draining() && !a.recovered && a.tasks.n == 0 && len(a.executors) == 0 && m.changing[a.id] == nil {
		errs = append(errs, fmt.Errorf("agent %s has nothing left and is not drained", a.id))
	}
	if m.unreachable[a.id] != nil || !m.gone[a.id].IsZero() {
		errs = append(errs, fmt.Errorf("agent %s is admitted, and unreachable or gone as well", a.id))
	}
	return errors.Join(errs...)
}

// checkFree: what is offered is free: all together, or each offer alone if offers
// are optimistic.
func (m *Master) checkFree(a *agent) error {
	free, ok := a.free()
	if !ok {
		return nil // it came back with less than it uses
	}
	if m.cfg.Optimist == nil {
		if !free.Contains(a.offered.NonShared().Unallocated()) {
			return fmt.Errorf("agent %s has %s free, but offers %s", a.id, free, a.offered)
		}
		return nil
	}
	for _, o := range a.offers {
		if !free.Contains(o.resources.NonShared().Unallocated()) {
			return fmt.Errorf("agent %s has %s free, but offers %s to %s", a.id, free, o.resources, o.framework.id)
		}
	}
	return nil
}

func (m *Master) checkFrameworks() error {
	var errs []error
	strays := 0
	for _, f := range m.order {
		if f.recovered {
			strays++
		}
	}
	if strays != m.strays {
		errs = append(errs, fmt.Errorf("%d frameworks are known from agents alone, %d are counted", strays, m.strays))
	}
	for _, f := range append(append([]*framework{}, m.order...), m.completed...) {
		if m.frameworks[f.id] != f || m.frameworkOf[f.handle] != f {
			errs = append(errs, fmt.Errorf("framework %s is not found by its id and handle", f.id))
		}
		if f.stream != "" && m.streams[f.stream] != f {
			errs = append(errs, fmt.Errorf("framework %s is not found by its stream", f.id))
		}
		if f.completed && (f.stream != "" || f.active.n > 0 || len(f.offers) > 0 || !f.used.IsEmpty()) {
			errs = append(errs, fmt.Errorf("framework %s is over, but has tasks, offers or a stream", f.id))
		}
		if f.stream == "" && !f.completed && !m.timers.isSet(timer{failoverTimer, uint64(f.handle)}) {
			errs = append(errs, fmt.Errorf("framework %s is disconnected and never removed", f.id))
		}
		if f.ended.n > m.cfg.MaxCompletedTasks || f.unreachable.n > m.cfg.MaxUnreachableTasks {
			errs = append(errs, fmt.Errorf("framework %s remembers too many tasks", f.id))
		}
	}
	if n := len(m.order) + len(m.completed); n != len(m.frameworks) || n != len(m.frameworkOf) || len(m.completed) > m.cfg.MaxCompletedFrameworks {
		errs = append(errs, fmt.Errorf("%d frameworks in order, %d by id", n, len(m.frameworks)))
	}
	return errors.Join(errs...)
}

// checkOffers: an offer is on a connected agent and to a connected framework.
func (m *Master) checkOffers() error {
	var errs []error
	listed := 0
	for number, o := range m.offers {
		if m.agents[o.agent.id] != o.agent || o.agent.session == 0 {
			errs = append(errs, fmt.Errorf("offer %d is on agent %s, which is not there", number, o.agent.id))
		}
		if m.frameworks[o.framework.id] != o.framework || o.framework.stream == "" || o.framework.offers[number] != o {
			errs = append(errs, fmt.Errorf("offer %d is to framework %s, which is not there", number, o.framework.id))
		}
		if m.cfg.OfferTimeout > 0 && !m.timers.isSet(timer{offerTimer, number}) {
			errs = append(errs, fmt.Errorf("offer %d has no timeout", number))
		}
	}
	for _, a := range m.agents {
		listed += len(a.offers)
	}
	if listed != len(m.offers) {
		errs = append(errs, fmt.Errorf("%d offers, %d on agents", len(m.offers), listed))
	}
	return errors.Join(errs...)
}

// checkTasks: every row is in exactly the chains it belongs to.
func (m *Master) checkTasks() error {
	var errs []error
	rows, onAgents, active, indexed := 0, 0, 0, 0
	for _, f := range m.frameworkOf {
		for _, c := range []struct {
			chain chain
			flag  taskFlags
		}{{f.active, 0}, {f.unreachable, isUnreachable}, {f.ended, 0}} {
			n := 0
			for row := range m.tasks.walk(c.chain, byFramework) {
				n++
				errs = append(errs, m.checkTask(f, row, c.flag))
			}
			if n != c.chain.n {
				errs = append(errs, fmt.Errorf("a chain of framework %s has %d tasks, %d are counted", f.id, n, c.chain.n))
			}
			rows += n
		}
		for row := range m.tasks.walk(f.active, byFramework) {
			if a := m.agentOf[m.tasks.rows.at(row).agent]; a == nil || m.agents[a.id] != a {
				errs = append(errs, fmt.Errorf("task %s is on an agent that is not there", m.tasks.id(row)))
			}
			if got := m.tasks.find(f.handle, mesos.TaskID(m.tasks.id(row))); got != row {
				errs = append(errs, fmt.Errorf("task %s is not found by its id", m.tasks.id(row)))
			}
		}
		active += f.active.n
		indexed += f.active.n + f.unreachable.n
	}
	for _, a := range m.agents {
		onAgents += a.tasks.n
	}
	if rows != m.tasks.rows.used || active != onAgents || m.tasks.indexed() != indexed {
		errs = append(errs, fmt.Errorf("%d rows in chains, %d in use; %d active, %d on agents; %d to be found, %d indexed",
			rows, m.tasks.rows.used, active, onAgents, indexed, m.tasks.indexed()))
	}
	return errors.Join(errs...)
}

func (m *Master) checkTask(f *framework, row uint32, flag taskFlags) error {
	t := m.tasks.rows.at(row)
	switch {
	case t.framework != f.handle:
		return fmt.Errorf("task %s is in a chain of another framework", m.tasks.id(row))
	case t.flags&isUnreachable != flag:
		return fmt.Errorf("task %s is in the wrong chain", m.tasks.id(row))
	case t.is(holds) && mesos.Terminal(t.current()):
		return fmt.Errorf("task %s is over and still holds resources", m.tasks.id(row))
	}
	return nil
}

func (m *Master) checkSessions() error {
	var errs []error
	for id, s := range m.sessions {
		if s.id != id || s.agent != nil && (s.agent.session != id || m.agents[s.agent.id] != s.agent) {
			errs = append(errs, fmt.Errorf("session %d is not its agent's", id))
		}
	}
	for _, a := range m.agents {
		if a.session != 0 && (m.sessions[a.session] == nil || m.sessions[a.session].agent != a) {
			errs = append(errs, fmt.Errorf("agent %s has a session that does not know it", a.id))
		}
	}
	for stream, f := range m.streams {
		if f.stream != stream {
			errs = append(errs, fmt.Errorf("stream %s is not its framework's", stream))
		}
	}
	return errors.Join(errs...)
}

// checkTimers: whoever may be waited for is waited for.
func (m *Master) checkTimers() error {
	var errs []error
	for _, a := range m.agents {
		waits := m.timers.isSet(timer{reregisterTimer, uint64(a.handle)})
		pings := m.timers.isSet(timer{pingTimer, uint64(a.handle)})
		if !waits && !pings && a.condemned == "" && m.changing[a.id] == nil {
			errs = append(errs, fmt.Errorf("nobody notices if agent %s is lost", a.id))
		}
		if a.session == 0 && !waits && a.condemned == "" && m.changing[a.id] == nil {
			errs = append(errs, fmt.Errorf("agent %s is disconnected and never given up", a.id))
		}
	}
	return errors.Join(append(errs, m.timers.check())...)
}

// checkAllocator: the allocator holds what is used and offered, role by role; a
// role's share includes those below it.
func (m *Master) checkAllocator() error {
	held := map[string]resources.Quantities{}
	for _, a := range m.agents {
		charged := a.used
		if m.cfg.Optimist == nil {
			charged = charged.Add(a.offered)
		}
		for _, x := range charged {
			q := resources.Resources{x}.Quantities()
			held[x.Allocation] = held[x.Allocation].Add(q)
			for above := range mesos.Ancestors(x.Allocation) {
				held[above] = held[above].Add(q)
			}
		}
	}
	var errs []error
	for _, role := range m.cfg.Allocator.Roles() {
		if !role.Held.Equal(held[role.Name]) {
			errs = append(errs, fmt.Errorf("the allocator holds %s for role %s, the master %s", role.Held, role.Name, held[role.Name]))
		}
		delete(held, role.Name)
	}
	for name, q := range held {
		if !q.IsEmpty() {
			errs = append(errs, fmt.Errorf("the allocator does not know role %s, which has %s", name, q))
		}
	}
	return errors.Join(errs...)
}

// checkQuotas: the allocator knows the quotas that count.
func (m *Master) checkQuotas() error {
	var errs []error
	for _, role := range m.cfg.Allocator.Roles() {
		q := m.quotas[role.Name]
		if !q.Guarantees.Equal(role.Quota.Guarantees) || !q.Limits.Equal(role.Quota.Limits) {
			errs = append(errs, fmt.Errorf("the allocator knows another quota of role %s", role.Name))
		}
	}
	if m.paused && !m.timers.isSet(timer{kind: resumeTimer}) {
		errs = append(errs, errors.New("offers never resume"))
	}
	return errors.Join(errs...)
}

// checkMaintenance: a machine that is down runs nothing and is offered to nobody;
// whoever is asked is there and was asked about what is planned.
func (m *Master) checkMaintenance() error {
	var errs []error
	asked := 0
	for _, a := range m.agents {
		p, planned := m.maintenance.of(a)
		if p.down && (len(a.offers) > 0 || m.changing[a.id] == nil) {
			errs = append(errs, fmt.Errorf("agent %s is there although its machine is down", a.id))
		}
		if (!planned || a.session == 0) && len(a.inverse) > 0 || !planned && len(a.answers) > 0 {
			errs = append(errs, fmt.Errorf("agent %s is asked back, and nothing is planned", a.id))
		}
		for _, o := range a.inverse {
			asked++
			if m.inverseOffers[o.number] != o || o.agent != a || m.frameworks[o.framework.id] != o.framework || o.framework.stream == "" {
				errs = append(errs, fmt.Errorf("inverse offer %d is to somebody who is not there", o.number))
			}
		}
	}
	if asked != len(m.inverseOffers) {
		errs = append(errs, fmt.Errorf("%d inverse offers, %d on agents", len(m.inverseOffers), asked))
	}
	return errors.Join(errs...)
}

// checkOperations: each is on an agent that is there, and found by its ids.
func (m *Master) checkOperations() error {
	var errs []error
	listed := 0
	for _, a := range m.agents {
		listed += len(a.operations)
		for _, op := range a.operations {
			if m.operations[op.uuid] != op || op.agent != a {
				errs = append(errs, fmt.Errorf("operation %x is not found by its id", op.uuid))
			}
		}
	}
	for name, op := range m.operationOf {
		if m.operations[op.uuid] != op || op.name() != name {
			errs = append(errs, fmt.Errorf("operation %s is forgotten, but known by its name", name.id))
		}
	}
	if listed != len(m.operations) {
		errs = append(errs, fmt.Errorf("%d operations, %d on agents", len(m.operations), listed))
	}
	return errors.Join(errs...)
}
