package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/validation"
	"github.com/soukproject/souk/proto/mesos"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
)

// quotas are the quotas of roles. One that was emptied by an update stays and
// says nothing, as clients of Mesos see it; the registry forgets it.
type quotas map[string]allocator.Quota

// quotasSet follows the write of quotas.
type quotasSet struct {
	request Request
	quotas  []validation.Quota
	remove  bool
}

func (quotasSet) event() {}

// updateQuota replaces quotas, all or none (mesos-api 21.3).
func (m *Master) updateQuota(request Request, call *masterpb.Call_UpdateQuota) {
	list, err := validation.Quotas(call.GetQuotaConfigs(), m.cfg.Roles)
	if err == nil && !call.GetForce() {
		err = firstError(m.withinLimits(list), m.withinCapacity(list))
	}
	if err != nil {
		m.reply(request, 400, err.Error())
		return
	}
	m.writeQuotas(quotasSet{request: request, quotas: list})
}

// withinLimits: nobody is to have more already than is allowed to it.
func (m *Master) withinLimits(list []validation.Quota) error {
	consumed := m.consumed()
	for _, q := range list {
		if consumed := consumed[q.Role]; !q.Limits.Contains(consumed) {
			return fmt.Errorf("Invalid QuotaConfig: Role '%s' is already consuming '%s'; this is more than the requested limits '%s' (use 'force' flag to bypass this check)",
				q.Role, consumed, q.Limits)
		}
	}
	return nil
}

func (m *Master) withinCapacity(list []validation.Quota) error {
	if total, capacity := m.guaranteedWith(list), m.capacity(); !capacity.Contains(total) {
		return fmt.Errorf("Invalid QuotaConfig: total quota guarantees '%s' exceed cluster capacity '%s' (use 'force' flag to bypass this check)", total, capacity)
	}
	return nil
}

// setQuota is the older way: guarantees that are limits, too, for a role that has
// none (mesos-api 21.2).
func (m *Master) setQuota(request Request, call *quotapb.QuotaRequest) {
	q, err := validation.QuotaRequest(call, m.cfg.Roles)
	if err != nil {
		m.reply(request, 400, err.Error())
		return
	}
	if _, set := m.wantedQuotas[q.Role]; set {
		m.reply(request, 400, fmt.Sprintf("Failed to validate set quota request: Cannot set quota for role '%s' which already has quota", q.Role))
		return
	}
	list := []validation.Quota{q}
	if total, capacity := m.guaranteedWith(list), m.capacity(); !call.GetForce() && !capacity.Contains(total) {
		m.reply(request, 409, fmt.Sprintf("Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota guarantees '%s' exceed cluster capacity '%s'", total, capacity))
		return
	}
	m.writeQuotas(quotasSet{request: request, quotas: list})
}

// removeQuota is the older way to remove what was set.
func (m *Master) removeQuota(request Request, role string) {
	if _, set := m.wantedQuotas[role]; !set {
		m.reply(request, 400, fmt.Sprintf("Failed to remove quota for path '/master/quota/%s': Role '%s' has no quota set", role, role))
		return
	}
	m.writeQuotas(quotasSet{request: request, quotas: []validation.Quota{{Role: role}}, remove: true})
}

// writeQuotas makes quotas durable. What is wanted counts for calls that come
// before the write is done.
func (m *Master) writeQuotas(then quotasSet) {
	if len(then.quotas) == 0 {
		m.reply(then.request, 200, "")
		return
	}
	op := &registrypb.Operation{Type: registrypb.Operation_SET_QUOTAS.Enum()}
	for _, q := range then.quotas {
		m.wantedQuotas.take(q, then.remove)
		op.Quotas = append(op.Quotas, quotaConfig(q.Role, q.Quota))
	}
	m.persistThen(then, op)
}

func (q quotas) take(x validation.Quota, remove bool) {
	if remove {
		delete(q, x.Role)
		return
	}
	q[x.Role] = x.Quota
}

// quotasSet: from here on the quotas count, also for what is offered already.
func (m *Master) quotasSet(ev quotasSet) {
	limited := false
	for _, q := range ev.quotas {
		m.quotas.take(q, ev.remove)
		m.cfg.Allocator.SetQuota(m.now, q.Role, q.Quota)
		limited = limited || !q.Limits.IsEmpty()
	}
	if limited {
		m.keepLimits()
	}
	m.reply(ev.request, 200, "")
}

// keepLimits takes back offers, so that accepting what is left cannot exceed the
// limits of a role.
func (m *Master) keepLimits() {
	held := m.consumed()
	open := slices.Sorted(maps.Keys(m.offers)) // oldest first
	if m.cfg.Optimist != nil {
		m.keepLimitsEach(held, open)
		return
	}
	for _, number := range open {
		o := m.offers[number]
		top := topOf(o.role)
		held[top] = held[top].Add(unreserved(o.resources).Totals())
	}
	for _, number := range open {
		o := m.offers[number]
		top, part := topOf(o.role), unreserved(o.resources).Totals()
		if exceeds(held[top], m.quotas[top].Limits, part) {
			held[top] = held[top].Sub(part)
			m.rescind(o)
		}
	}
}

// keepLimitsEach is keepLimits where not all offers can be accepted: each is
// looked at alone, and accepting one is asked about again.
func (m *Master) keepLimitsEach(held map[string]resources.Quantities, open []uint64) {
	for _, number := range open {
		o := m.offers[number]
		top, part := topOf(o.role), unreserved(o.resources).Totals()
		if exceeds(held[top].Add(part), m.quotas[top].Limits, part) {
			m.rescind(o)
		}
	}
}

// topOf is the role at the top of a branch: the only one that can have quota.
func topOf(role string) string {
	top, _, _ := strings.Cut(role, "/")
	return top
}

// exceeds reports whether held is beyond limits in something that part has.
func exceeds(held resources.Quantities, limits resources.Limits, part resources.Quantities) bool {
	for name, most := range limits.All() {
		if part.Get(name) > 0 && held.Get(name) > most {
			return true
		}
	}
	return false
}

// consumed is what counts against the quota of each role: what is reserved for it
// and those below it, in use or not, and what they use of the rest.
func (m *Master) consumed() map[string]resources.Quantities {
	sums := map[string]resources.Quantities{}
	for _, a := range m.agentOf {
		if a != nil {
			eachConsumed(a.total, a.used, func(role string, q resources.Quantities) { sums[role] = sums[role].Add(q) })
		}
	}
	return sums
}

// eachConsumed yields what counts against quota on an agent, for each role and
// again for those above it.
func eachConsumed(total, used resources.Resources, count func(role string, q resources.Quantities)) {
	each := func(role string, x resources.Resource) {
		q := resources.Resources{x}.Totals()
		count(role, q)
		for above := range mesos.Ancestors(role) {
			count(above, q)
		}
	}
	for _, x := range total.Reserved() {
		each(x.Role(), x)
	}
	for _, x := range unreserved(used) {
		each(x.Allocation, x)
	}
}

// unreserved is the part that counts for quota when it is used.
func unreserved(r resources.Resources) resources.Resources { return r.Unreserved().NonRevocable() }

// guaranteedWith sums all guarantees as they would be with changes.
func (m *Master) guaranteedWith(changes []validation.Quota) (sum resources.Quantities) {
	all := maps.Clone(m.wantedQuotas)
	for _, q := range changes {
		all[q.Role] = q.Quota
	}
	for _, q := range all {
		sum = sum.Add(q.Guarantees)
	}
	return sum
}

// capacity is what the registered agents have.
func (m *Master) capacity() (sum resources.Quantities) {
	for _, a := range m.agentOf {
		if a != nil {
			sum = sum.Add(a.total.NonRevocable().Quantities())
		}
	}
	return sum
}

// recoverQuotas takes over what the registry held. With quota, nothing is offered
// before enough agents are back: too little would be seen as all there is
// (mesos-api 7.3).
func (m *Master) recoverQuotas(list []*quotapb.QuotaConfig) {
	for _, c := range list {
		found, err := validation.Quotas([]*quotapb.QuotaConfig{c}, nil)
		if err != nil {
			m.refuse("recovered quota", c.GetRole(), err.Error())
			continue
		}
		m.quotas.take(found[0], false)
		m.cfg.Allocator.SetQuota(m.now, c.GetRole(), found[0].Quota)
	}
	m.wantedQuotas = maps.Clone(m.quotas)
	m.quorum = int(float64(len(m.agents)) * m.cfg.AllocatorRecoveryFactor)
	if len(m.quotas) > 0 && m.quorum > 0 {
		m.paused = true
		m.timers.set(timer{kind: resumeTimer}, after(m.now, m.cfg.AllocatorRecoveryTimeout))
	}
}

// resume goes on with offers.
func (m *Master) resume() {
	m.paused = false
	m.timers.cancel(timer{kind: resumeTimer})
}

// quotaConfig is a quota as the registry and operators see it.
func quotaConfig(role string, q allocator.Quota) *quotapb.QuotaConfig {
	c := &quotapb.QuotaConfig{Role: new(role)}
	for name, amount := range q.Guarantees.All() {
		if c.Guarantees == nil {
			c.Guarantees = map[string]*mesospb.Value_Scalar{}
		}
		c.Guarantees[name] = scalar(amount)
	}
	for name, amount := range q.Limits.All() {
		if c.Limits == nil {
			c.Limits = map[string]*mesospb.Value_Scalar{}
		}
		c.Limits[name] = scalar(amount)
	}
	return c
}

func scalar(amount resources.Scalar) *mesospb.Value_Scalar {
	return &mesospb.Value_Scalar{Value: new(amount.Float())}
}

// GetQuota is the answer to GET_QUOTA, and the body of GET /quota.
func (s *Snapshot) GetQuota() *quotapb.QuotaStatus {
	out := &quotapb.QuotaStatus{}
	for _, q := range s.Quotas {
		info := &quotapb.QuotaInfo{Role: new(q.Role)}
		for name, amount := range q.Guarantees.All() {
			info.Guarantee = append(info.Guarantee, &mesospb.Resource{
				Name: new(name), Type: mesospb.Value_SCALAR.Enum(), Scalar: scalar(amount),
			})
		}
		out.Infos = append(out.Infos, info)
		out.Configs = append(out.Configs, quotaConfig(q.Role, q.Quota))
	}
	return out
}

// inOrder lists quotas by role.
func (q quotas) inOrder() (list []Quota) {
	for _, role := range slices.Sorted(maps.Keys(q)) {
		list = append(list, Quota{role, q[role]})
	}
	return list
}
