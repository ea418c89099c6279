package core

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// An offer is what a framework was offered and has not answered yet.
type offer struct {
	number    uint64
	framework *framework
	agent     *agent
	role      string
	resources resources.Resources // allocated to role
}

func (m *Master) offerID(number uint64) mesos.OfferID {
	return mesos.OfferID(m.cfg.MasterID + "-O" + strconv.FormatUint(number, 10))
}

// offer finds an outstanding offer of any framework.
func (m *Master) offer(id string) *offer {
	number, ok := m.offerNumber(id)
	if !ok {
		return nil
	}
	return m.offers[number]
}

// offerIsOver tells an offer that was made and is not there any more.
func (m *Master) offerIsOver(id string) bool {
	number, ok := m.offerNumber(id)
	return ok && number < m.offerIDs && m.offers[number] == nil
}

func (m *Master) offerNumber(id string) (number uint64, ok bool) {
	digits, ours := strings.CutPrefix(id, m.cfg.MasterID+"-O")
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, ours && err == nil && string(m.offerID(number)) == id // "O07" is not "O7"
}

// allocate turns what the allocator gives out into offers, if it has news.
func (m *Master) allocate() {
	at, ok := m.cfg.Allocator.Deadline()
	if !ok || m.paused || at.After(m.now) {
		return
	}
	m.count.allocations++
	batches := map[*framework][]*mesospb.Offer{}
	var order []*framework
	for _, x := range m.cfg.Allocator.Allocate(m.now) {
		o := m.newOffer(x)
		if o == nil {
			continue
		}
		if batches[o.framework] == nil {
			order = append(order, o.framework)
		}
		batches[o.framework] = append(batches[o.framework], m.offerMessage(o))
	}
	for _, f := range order {
		m.count.offersSent += len(batches[f])
		f.count.offersSent += uint32(len(batches[f]))
		m.tellFramework(f, offersEvent(batches[f]))
	}
}

// newOffer remembers an allocation as an offer.
func (m *Master) newOffer(x allocator.Allocation) *offer {
	f, a := m.frameworks[x.Framework], m.agents[x.Agent]
	if f == nil || a == nil || f.stream == "" {
		// The allocator knows who is active; a policy that does not is not to bring the master down.
		m.takeBack(x)
		m.refuse("allocation", string(x.Agent), "agent or framework is not there")
		return nil
	}
	o := &offer{number: m.offerIDs, framework: f, agent: a, role: x.Role, resources: x.Resources}
	m.offerIDs++
	m.offers[o.number], f.offers[o.number] = o, o
	a.offers = append(a.offers, o)
	m.countOffered(a, a.offered.Add(o.resources))
	m.askLater(a)
	if m.cfg.OfferTimeout > 0 {
		m.timers.set(timer{offerTimer, o.number}, after(m.now, m.cfg.OfferTimeout))
	}
	return o
}

// offerMessage is an offer as its framework understands it (mesos-api 8.5, 8.7).
func (m *Master) offerMessage(o *offer) *mesospb.Offer {
	a, info := o.agent, o.agent.message()
	out := &mesospb.Offer{
		Id:             offerID(m.offerID(o.number)),
		FrameworkId:    frameworkID(o.framework.id),
		AgentId:        agentID(a.id),
		Hostname:       new(a.hostname),
		Url:            a.url(),
		Attributes:     info.GetAttributes(),
		Domain:         info.GetDomain(),
		Unavailability: m.unavailability(a),
	}
	for _, x := range a.executors {
		if x.framework == o.framework.handle {
			out.ExecutorIds = append(out.ExecutorIds, &mesospb.ExecutorID{Value: new(string(x.id))})
		}
	}
	shown := o.resources.Filter(func(r resources.Resource) bool { return r.Name != "ephemeral_ports" })
	if o.framework.can(mesospb.FrameworkInfo_Capability_MULTI_ROLE) {
		out.AllocationInfo = &mesospb.Resource_AllocationInfo{Role: new(o.role)}
	} else {
		shown = shown.Unallocated()
	}
	out.Resources = shown.Proto(o.framework.form())
	return out
}

// url is where an agent's API is.
func (a *agent) url() *mesospb.URL {
	return &mesospb.URL{
		Scheme:  new("http"),
		Address: &mesospb.Address{Hostname: new(a.hostname), Ip: new(a.ip), Port: new(a.message().GetPort())},
		Path:    new("/slave(1)"),
	}
}

// forgetOffer takes an offer off the books; its resources stay held.
func (m *Master) forgetOffer(o *offer) {
	delete(m.offers, o.number)
	delete(o.framework.offers, o.number)
	a := o.agent
	for i, x := range a.offers {
		if x == o {
			a.offers = append(a.offers[:i:i], a.offers[i+1:]...)
			break
		}
	}
	left, _ := a.offered.Sub(o.resources)
	m.countOffered(a, left)
	m.timers.cancel(timer{offerTimer, o.number})
}

// withdraw takes an offer back without a word.
func (m *Master) withdraw(o *offer) {
	m.forgetOffer(o)
	m.takeBack(o.allocation())
}

// rescind takes an offer back and tells the scheduler.
func (m *Master) rescind(o *offer) {
	m.withdraw(o)
	m.count.offersRescinded++
	o.framework.count.offersRescinded++
	m.tellFramework(o.framework, rescindEvent(m.offerID(o.number)))
}

// rescindAll takes back every offer of an agent.
func (m *Master) rescindAll(a *agent) {
	for _, o := range a.offers {
		m.rescind(o)
	}
}

// offerTimedOut takes back what was left unanswered, an offer or an inverse one.
func (m *Master) offerTimedOut(number uint64) {
	if o := m.inverseOffers[number]; o != nil {
		m.inverseTimedOut(o)
		return
	}
	m.rescind(m.offers[number])
}

// decline returns offers; those that are unknown are ignored one by one (mesos-api 8.9).
func (m *Master) decline(f *framework, call *schedulerpb.Call_Decline) {
	m.count.messages["decline_offers"]++
	for _, id := range call.GetOfferIds() {
		o := m.offer(id.GetValue())
		if o == nil || o.framework != f {
			m.refuse("decline", id.GetValue(), "the offer is no longer valid")
			continue
		}
		m.count.offersDeclined++
		f.count.offersDeclined++
		m.forgetOffer(o)
		m.refuseAllocation(o.allocation(), refuseFor(call.GetFilters()))
	}
}

// refuseFor is how long declined resources stay away (mesos-api 8.9).
func refuseFor(f *mesospb.Filters) time.Duration {
	seconds := f.GetRefuseSeconds()
	switch {
	case math.IsNaN(seconds) || seconds < 0:
		return defaultRefusal
	case seconds > maxRefusal.Seconds():
		return maxRefusal
	}
	return time.Duration(seconds * float64(time.Second))
}

func offerID(id mesos.OfferID) *mesospb.OfferID { return &mesospb.OfferID{Value: new(string(id))} }
