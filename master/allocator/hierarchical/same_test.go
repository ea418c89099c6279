package hierarchical

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
)

var (
	clusters = flag.Int("clusters", 200, "random clusters on which the allocator is compared with the reference")
	firstOne = flag.Uint64("cluster", 1, "number of the first of them")
)

// TestSameAsReference leads the allocator and the reference through the same events and compares all allocations.
func TestSameAsReference(t *testing.T) {
	for i := range *clusters {
		seed := *firstOne + uint64(i)
		if text := newPair(seed).live(60); text != "" {
			t.Fatalf("cluster %d (repeat with -cluster=%d -clusters=1): %s", seed, seed, text)
		}
	}
}

// pair is the allocator and the reference, told the same.
type pair struct {
	*rand.Rand // of the events
	h          *Allocator
	ref        *reference
	order      *rand.Rand // the same as the allocator's
	now        time.Time
	log        []string
	wrong      string // what a step found
}

func newPair(seed uint64) *pair {
	cfg := allocator.Config{Interval: time.Second, KeepGPUs: true, Region: "home", Rand: rand.New(rand.NewPCG(seed, 1))}
	p := &pair{Rand: rand.New(rand.NewPCG(seed, 0)), order: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_700_000_000, 0)}
	if p.IntN(4) > 0 {
		cfg.Minimum = allocator.DefaultMinimum()
	}
	if p.IntN(3) == 0 {
		cfg.Rivals = 1 + p.IntN(3)
	}
	p.h, p.ref = New(cfg).(*Allocator), newReference(cfg)
	return p
}

// live lets events happen, and says what went wrong.
func (p *pair) live(events int) string {
	for range 3 {
		p.agent()
		p.framework()
	}
	steps := []func(){
		p.agent, p.agent, p.agentGone, p.agentActive, p.framework, p.framework, p.frameworkGone, p.frameworkActive, p.suppress,
		p.revive, p.weigh, p.setQuota, p.setQuota, p.holds, p.giveBack, p.giveBack, p.giveBack, p.giveBack, p.convert, p.convert,
	}
	if p.ref.cfg.Rivals > 0 {
		steps = append(steps, p.claim, p.claim, p.claim, p.refuse, p.refuse, p.withdraw)
	}
	for range events {
		pickOne(p, steps)()
		if text := p.stale(); text != "" {
			return text + "\nafter:\n" + fmt.Sprint(p.log)
		}
		p.ref.forget()
		if p.IntN(2) == 0 {
			continue
		}
		p.now = p.now.Add(time.Duration(p.IntN(2500)) * time.Millisecond)
		if text := p.compare(); text != "" {
			return text + "\nafter:\n" + fmt.Sprint(p.log)
		}
	}
	return ""
}

func (p *pair) note(format string, args ...any) {
	p.log = append(p.log, "\n"+p.now.Format("05.000 ")+fmt.Sprintf(format, args...))
}

func pickOne[T any](p *pair, list []T) T { return list[p.IntN(len(list))] }

// compare lets both allocate; what the allocator does not look at must have nothing to give.
func (p *pair) compare() string {
	look := p.h.gather(p.now)
	var ids, rest []mesos.AgentID
	for _, a := range look {
		ids = append(ids, p.h.agents.at(a).spec.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(p.ref.agents)) {
		if !slices.Contains(ids, id) && p.ref.agents[id].active && !p.h.agents.at(p.h.agentIDs[id]).withheld {
			rest = append(rest, id)
		}
	}
	var got, want []allocator.Allocation
	if len(look) > 0 {
		got, want = p.h.run(p.now, look), p.ref.allocate(p.now, ids, p.order)
	}
	p.ref.forget()
	p.note("allocate %v", got)
	if !slices.EqualFunc(got, want, func(a, b allocator.Allocation) bool {
		return a.Framework == b.Framework && a.Role == b.Role && a.Agent == b.Agent && a.Resources.Equal(b.Resources)
	}) {
		return fmt.Sprintf("allocations are\n%v\nwant\n%v", got, want)
	}
	for _, id := range rest {
		if more := p.ref.serve(p.now, id, false, nil); len(more) > 0 {
			return fmt.Sprintf("nobody looked at %s, but %v is possible", id, more)
		}
	}
	return p.books()
}

// books compares what both say of quota.
func (p *pair) books() string {
	if want := p.ref.owing(); !p.h.required.Equal(want) {
		return fmt.Sprintf("required headroom = %s, want %s", p.h.required, want)
	}
	for _, r := range p.h.Roles() {
		if want := p.ref.consumed(r.Name); top(r.Name) == r.Name && !want.Equal(r.Consumed) {
			return fmt.Sprintf("%s consumes %s, want %s", r.Name, r.Consumed, want)
		}
	}
	return ""
}

func (p *pair) agent() {
	a := allocator.Agent{
		ID: mesos.AgentID(fmt.Sprint("a", p.IntN(6))), Total: mustParse(pickOne(p, totals)),
		Capabilities: allocator.AgentCapabilities{MultiRole: p.IntN(8) > 0, HierarchicalRole: p.IntN(8) > 0, ReservationRefinement: true},
		Attributes:   []allocator.Attribute{{Name: "rack", Text: pickOne(p, []string{"r1", "r2"})}},
	}
	if p.IntN(8) == 0 {
		a.Region = "away"
	}
	p.note("agent %v", a)
	old := p.ref.agents[a.ID]
	if old == nil {
		p.h.AddAgent(p.now, a, nil)
		p.ref.agents[a.ID] = &refAgent{a, true}
		return
	}
	p.h.UpdateAgent(p.now, a)
	if !slices.Equal(old.spec.Attributes, a.Attributes) {
		p.unfilter(func(f refFilter) bool { return f.agent == a.ID })
	}
	old.spec = a
}

func (p *pair) unfilter(gone func(refFilter) bool) {
	p.ref.filters = slices.DeleteFunc(p.ref.filters, gone)
}

func (p *pair) someAgent() (mesos.AgentID, bool) {
	if len(p.ref.agents) == 0 {
		return "", false
	}
	return pickOne(p, slices.Sorted(maps.Keys(p.ref.agents))), true
}

func (p *pair) someFramework() (mesos.FrameworkID, bool) {
	if len(p.ref.frameworks) == 0 {
		return "", false
	}
	return pickOne(p, slices.Sorted(maps.Keys(p.ref.frameworks))), true
}

func (p *pair) agentGone() {
	id, ok := p.someAgent()
	if !ok || p.IntN(3) > 0 {
		return
	}
	p.note("agent %s is gone", id)
	p.h.RemoveAgent(p.now, id)
	delete(p.ref.agents, id)
	for _, on := range p.ref.held {
		delete(on, id)
	}
	for _, on := range p.ref.shown {
		delete(on, id)
	}
	p.unfilter(func(f refFilter) bool { return f.agent == id })
}

func (p *pair) agentActive() {
	if id, ok := p.someAgent(); ok {
		active := p.IntN(3) > 0
		p.note("agent %s active: %v", id, active)
		p.h.SetAgentActive(p.now, id, active)
		p.ref.agents[id].active = active
	}
}

func (p *pair) framework() {
	f := allocator.Framework{ID: mesos.FrameworkID(fmt.Sprint("f", p.IntN(5))), Roles: pickOne(p, roleSets)}
	f.Capabilities = allocator.FrameworkCapabilities{
		Revocable: p.IntN(2) > 0, GPU: p.IntN(2) > 0, Shared: p.IntN(2) > 0, MultiRole: p.IntN(4) > 0,
		ReservationRefinement: p.IntN(2) > 0, RegionAware: p.IntN(2) > 0,
	}
	if p.IntN(6) == 0 {
		f.Suppressed = f.Roles[:1]
	}
	if p.IntN(4) == 0 {
		f.Constraints = map[string]allocator.Constraints{
			f.Roles[0]: {{{Attribute: "rack", Predicate: allocator.TextEquals, Value: "r1"}}},
		}
	}
	if p.IntN(6) == 0 {
		f.Minimum = map[string][]resources.Quantities{f.Roles[0]: pickOne(p, [][]resources.Quantities{nil, {mustParse("cpus:3").Quantities()}})}
	}
	p.note("framework %v", f)
	old := p.ref.frameworks[f.ID]
	if old == nil {
		old = &refFramework{active: p.IntN(4) > 0}
		p.ref.frameworks[f.ID] = old
		p.h.AddFramework(p.now, f, old.active)
	} else {
		p.h.UpdateFramework(p.now, f)
	}
	p.unfilter(func(x refFilter) bool {
		revived := old.suppressed[x.client.role] && !slices.Contains(f.Suppressed, x.client.role)
		return x.client.framework == f.ID && (revived || !slices.Contains(f.Roles, x.client.role))
	})
	old.spec, old.suppressed = f, map[string]bool{}
	for _, role := range f.Suppressed {
		old.suppressed[role] = true
	}
}

func (p *pair) frameworkGone() {
	id, ok := p.someFramework()
	if !ok || p.IntN(3) > 0 {
		return
	}
	p.note("framework %s is gone", id)
	p.h.RemoveFramework(p.now, id)
	delete(p.ref.frameworks, id)
	p.unfilter(func(f refFilter) bool { return f.client.framework == id })
}

func (p *pair) frameworkActive() {
	if id, ok := p.someFramework(); ok {
		active := p.IntN(3) > 0
		p.note("framework %s active: %v", id, active)
		p.h.SetFrameworkActive(p.now, id, active)
		if p.ref.frameworks[id].active && !active {
			p.unfilter(func(f refFilter) bool { return f.client.framework == id })
		}
		p.ref.frameworks[id].active = active
	}
}

func (p *pair) suppress() {
	if id, ok := p.someFramework(); ok && p.IntN(2) == 0 {
		f := p.ref.frameworks[id]
		role := pickOne(p, f.spec.Roles)
		p.note("%s suppresses %s", id, role)
		p.h.Suppress(p.now, id, role)
		f.suppressed[role] = true
	}
}

func (p *pair) revive() {
	if id, ok := p.someFramework(); ok {
		role := pickOne(p, p.ref.frameworks[id].spec.Roles)
		p.note("%s revives %s", id, role)
		p.h.Revive(p.now, id, role)
		delete(p.ref.frameworks[id].suppressed, role)
		p.unfilter(func(f refFilter) bool { return f.client == refClient{id, role} })
	}
}

func (p *pair) weigh() {
	w := allocator.Weight{Role: pickOne(p, []string{"a", "b", "a/b", "*"}), Value: pickOne(p, []float64{0.5, 1, 2, 3})}
	p.note("weight %v", w)
	p.h.SetWeights(p.now, w)
	p.ref.weights[w.Role] = w.Value
}

func (p *pair) setQuota() {
	role, q := pickOne(p, []string{"a", "b", "*"}), pickOne(p, quotas)
	p.note("quota of %s: %v", role, q)
	p.h.SetQuota(p.now, role, q)
	p.ref.quota[role] = q
}

func (p *pair) holds() {
	id, ok := p.someAgent()
	if !ok || p.IntN(3) > 0 {
		return
	}
	c := refClient{mesos.FrameworkID(pickOne(p, []string{"f1", "f9"})), pickOne(p, []string{"b", "a/b"})}
	list := pickOne(p, []resources.Resources{p.ref.free(id).Unreserved(), mustParse("cpus:3;mem:64")})
	if list.IsEmpty() {
		return
	}
	p.note("%v turns out to hold %s on %s", c, list, id)
	p.h.Hold(p.now, allocator.Holding{Framework: c.framework, Resources: list.Allocate(c.role)}, id)
	p.ref.hold(c, id, list)
}

// someHeld is a part of what some client holds somewhere.
func (p *pair) someHeld() (c refClient, id mesos.AgentID, part resources.Resources) {
	for _, c := range p.ref.clients() {
		for _, id := range slices.Sorted(maps.Keys(p.ref.held[c])) {
			if p.IntN(3) > 0 {
				continue
			}
			all := p.IntN(2) == 0
			part = p.ref.held[c][id].Filter(func(resources.Resource) bool { return all || p.IntN(2) == 0 })
			if !part.IsEmpty() {
				return c, id, part
			}
		}
	}
	return c, "", nil
}

func (p *pair) giveBack() {
	c, id, part := p.someHeld()
	if part.IsEmpty() {
		return
	}
	if p.IntN(3) == 0 {
		p.note("%v gives back %s on %s", c, part, id)
		p.h.Recover(p.now, c.framework, id, part.Allocate(c.role))
		p.ref.release(c, id, part)
		return
	}
	refuse := time.Duration(p.IntN(12)) * time.Second
	p.note("%v declines %s on %s for %v", c, part, id, refuse)
	p.h.Decline(p.now, c.framework, id, part.Allocate(c.role), refuse)
	if p.ref.subscribed(c) {
		p.ref.filters = append(p.ref.filters, refFilter{c, id, part, p.filterEnd(refuse)})
	}
	p.ref.release(c, id, part)
}

func (p *pair) filterEnd(refuse time.Duration) time.Time {
	if refuse == 0 {
		return p.now.Truncate(time.Second).Add(time.Second)
	}
	return p.now.Add(max(refuse, time.Second))
}

func (p *pair) convert() {
	role := pickOne(p, []string{"a", "b"})
	if c, id, part := p.someHeld(); p.IntN(2) == 0 && !part.IsEmpty() {
		p.reserve(c, id, part.Filter(plain), role)
		return
	}
	if id, ok := p.someAgent(); ok {
		p.reserve(refClient{}, id, p.ref.free(id).Filter(plain), role)
	}
}

func (p *pair) reserve(c refClient, id mesos.AgentID, from resources.Resources, role string) {
	a, to := p.ref.agents[id], reserved(from, role)
	left, ok := a.spec.Total.Sub(from)
	if from.IsEmpty() || !ok {
		return
	}
	p.note("%v reserves %s on %s", c, to, id)
	if !p.h.Convert(p.now, c.framework, id, from.Allocate(c.role), to.Allocate(c.role)) {
		panic("Convert refused")
	}
	a.spec.Total = left.Add(to)
	if c.framework != "" {
		p.ref.hold(c, id, to)
		p.ref.release(c, id, from)
	}
}

// someShown is something that some client is shown.
func (p *pair) someShown() (c refClient, id mesos.AgentID, ok bool) {
	for _, c := range p.ref.clients() {
		for _, id := range slices.Sorted(maps.Keys(p.ref.shown[c])) {
			if p.IntN(3) == 0 {
				return c, id, true
			}
		}
	}
	return c, "", false
}

func (p *pair) claim() {
	c, id, ok := p.someShown()
	if !ok {
		return
	}
	part := p.ref.shown[c][id]
	want := p.ref.claim(c, id)
	p.note("%v claims %s on %s: %v", c, part, id, want)
	if got := p.h.Claim(p.now, c.framework, c.role, id); got != want {
		p.wrong = fmt.Sprintf("Claim by %v of %s on %s = %v, want %v", c, part, id, got, want)
	}
}

func (p *pair) refuse() {
	c, id, ok := p.someShown()
	if !ok {
		return
	}
	refuse := time.Duration(p.IntN(12)) * time.Second
	part := p.ref.hide(c, id)
	p.note("%v refuses %s on %s for %v", c, part, id, refuse)
	p.h.Refuse(p.now, c.framework, c.role, id, refuse)
	if p.ref.subscribed(c) {
		p.ref.filters = append(p.ref.filters, refFilter{c, id, part, p.filterEnd(refuse)})
	}
}

func (p *pair) withdraw() {
	if c, id, ok := p.someShown(); ok {
		p.note("withdraw from %v what is on %s", c, id)
		p.ref.hide(c, id)
		p.h.Withdraw(p.now, c.framework, c.role, id)
	}
}

// stale compares what is no longer wholly free, and withdraws it.
func (p *pair) stale() string {
	got := map[refClient]bool{}
	list := p.h.Stale()
	for _, x := range list {
		got[refClient{x.Framework, x.Role + " on " + string(x.Agent)}] = true
	}
	for _, c := range p.ref.clients() {
		for _, id := range slices.Sorted(maps.Keys(p.ref.shown[c])) {
			key, stale := refClient{c.framework, c.role + " on " + string(id)}, !p.ref.isFree(id, p.ref.shown[c][id])
			if got[key] != stale {
				return fmt.Sprintf("%v is stale: %v, want %v", key, got[key], stale)
			}
			delete(got, key)
			if stale {
				p.note("what %v was shown of %s is stale", c, id)
				p.ref.hide(c, id)
				p.h.Withdraw(p.now, c.framework, c.role, id)
			}
		}
	}
	if len(got) > 0 {
		return fmt.Sprintf("%v is stale but was not shown", got)
	}
	return p.wrong
}
