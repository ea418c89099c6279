package core

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	allocatorpb "github.com/soukproject/souk/proto/mesos/v1/allocator"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// An inverseOffer asks a framework to give an agent back before its machine is
// worked on. What it answers is told to operators; it binds nobody.
type inverseOffer struct {
	number    uint64 // of the same counter as those of offers
	framework *framework
	agent     *agent
	message   *mesospb.InverseOffer
}

// askSoon has those asked who hold something of an agent, if its machine will be
// worked on. A question that is due earlier stays.
func (m *Master) askSoon(a *agent, at time.Time) {
	k := timer{inverseTimer, uint64(a.handle)}
	if m.unavailability(a) != nil && !m.timers.isSet(k) {
		m.timers.set(k, at.UnixNano())
	}
}

// askLater has those asked who have come to hold something.
func (m *Master) askLater(a *agent) { m.askSoon(a, m.now.Add(m.cfg.AllocationInterval)) }

// ask makes inverse offers for an agent; questions is where they are collected.
func (m *Master) ask(a *agent, questions map[*framework][]*mesospb.InverseOffer) {
	if a.session == 0 || m.unavailability(a) == nil {
		return
	}
	ids, again := m.inverse.Ask(m.now, a.id, m.holders(a))
	for _, id := range ids {
		f := m.frameworks[id]
		o := &inverseOffer{number: m.offerIDs, framework: f, agent: a}
		m.offerIDs++
		o.message = m.inverseMessage(o)
		m.inverseOffers[o.number] = o
		a.inverse, f.inverse = append(a.inverse, o), append(f.inverse, o)
		if m.cfg.OfferTimeout > 0 {
			m.timers.set(timer{offerTimer, o.number}, after(m.now, m.cfg.OfferTimeout))
		}
		questions[f] = append(questions[f], o.message)
	}
	if !again.IsZero() {
		m.askSoon(a, again)
	}
}

// sendQuestions sends each framework its inverse offers, in one event.
func (m *Master) sendQuestions(questions map[*framework][]*mesospb.InverseOffer) {
	order := slices.SortedFunc(maps.Keys(questions), func(a, b *framework) int { return cmp.Compare(a.handle, b.handle) })
	for _, f := range order {
		m.tellFramework(f, inverseOffersEvent(questions[f]))
	}
}

// holders lists the connected frameworks that hold something of an agent, or are
// offered it, and are not being asked; oldest first.
func (m *Master) holders(a *agent) []mesos.FrameworkID {
	found := map[uint32]bool{}
	for row := range m.tasks.walk(a.tasks, byAgent) {
		if t := m.tasks.rows.at(row); t.is(holds) {
			found[t.framework] = true
		}
	}
	for _, x := range a.executors {
		found[x.framework] = true
	}
	for _, o := range a.offers {
		found[o.framework.handle] = true
	}
	for _, o := range a.inverse {
		delete(found, o.framework.handle)
	}
	var ids []mesos.FrameworkID
	for _, handle := range slices.Sorted(maps.Keys(found)) {
		if f := m.frameworkOf[handle]; f.stream != "" {
			ids = append(ids, f.id)
		}
	}
	return ids
}

func (m *Master) inverseMessage(o *inverseOffer) *mesospb.InverseOffer {
	return &mesospb.InverseOffer{
		Id: offerID(m.offerID(o.number)), Url: o.agent.url(), FrameworkId: frameworkID(o.framework.id),
		AgentId: agentID(o.agent.id), Unavailability: m.unavailability(o.agent),
	}
}

// answerInverse takes in what a framework says to inverse offers. Those that are
// unknown are ignored one by one.
func (m *Master) answerInverse(f *framework, ids []*mesospb.OfferID, filters *mesospb.Filters, status allocatorpb.InverseOfferStatus_Status) {
	for _, id := range ids {
		o := m.inverseOffer(id.GetValue())
		if o == nil || o.framework != f {
			m.refuse("inverse offer", id.GetValue(), "it is no longer valid")
			continue
		}
		m.forgetInverse(o)
		m.inverse.Answered(m.now, f.id, o.agent.id, refuseFor(filters))
		o.agent.answer(&allocatorpb.InverseOfferStatus{Status: status.Enum(), FrameworkId: frameworkID(f.id), Timestamp: timeInfo(m.now)})
		m.askSoon(o.agent, m.now)
	}
}

func (m *Master) inverseOffer(id string) *inverseOffer {
	number, ok := m.offerNumber(id)
	if !ok {
		return nil
	}
	return m.inverseOffers[number]
}

// answer replaces what a framework said of an agent. Snapshots keep the former list.
func (a *agent) answer(s *allocatorpb.InverseOfferStatus) {
	a.answers = append(a.answersBut(mesos.FrameworkID(s.GetFrameworkId().GetValue())), s)
}

func (a *agent) answersBut(id mesos.FrameworkID) []*allocatorpb.InverseOfferStatus {
	return slices.DeleteFunc(slices.Clone(a.answers), func(s *allocatorpb.InverseOfferStatus) bool {
		return s.GetFrameworkId().GetValue() == string(id)
	})
}

// forgetAnswers makes what frameworks said of an agent void.
func (m *Master) forgetAnswers(a *agent) {
	a.answers = nil
	m.inverse.ForgetAnswers(a.id)
	m.timers.cancel(timer{inverseTimer, uint64(a.handle)})
}

func (m *Master) forgetInverse(o *inverseOffer) {
	delete(m.inverseOffers, o.number)
	itself := func(x *inverseOffer) bool { return x == o }
	o.agent.inverse = slices.DeleteFunc(o.agent.inverse, itself)
	o.framework.inverse = slices.DeleteFunc(o.framework.inverse, itself)
	m.timers.cancel(timer{offerTimer, o.number})
}

// rescindInverse takes back all inverse offers for an agent.
func (m *Master) rescindInverse(a *agent) {
	for _, o := range slices.Clone(a.inverse) {
		m.withdrawInverse(o)
	}
}

func (m *Master) withdrawInverse(o *inverseOffer) {
	m.forgetInverse(o)
	m.tellFramework(o.framework, rescindInverseEvent(m.offerID(o.number)))
}

// inverseTimedOut takes back a question that was left unanswered; it is asked again.
func (m *Master) inverseTimedOut(o *inverseOffer) {
	m.withdrawInverse(o)
	m.askLater(o.agent)
}

// dropQuestions forgets, without a word, what a framework was asked; its scheduler
// is not there any more, or another one.
func (m *Master) dropQuestions(f *framework) {
	m.inverse.ForgetAnswersOf(f.id)
	for _, o := range slices.Clone(f.inverse) {
		m.forgetInverse(o)
		m.askLater(o.agent)
	}
}

// askAgain has a framework asked that is there again.
func (m *Master) askAgain() {
	if len(m.maintenance.machines) == 0 {
		return
	}
	for _, a := range m.agentOf {
		if a != nil {
			m.askLater(a)
		}
	}
}

// strikeAnswers forgets what a framework that is over has answered.
func (m *Master) strikeAnswers(f *framework) {
	m.dropQuestions(f)
	if len(m.maintenance.machines) == 0 {
		return
	}
	for _, a := range m.agentOf {
		if a != nil {
			a.answers = a.answersBut(f.id)
		}
	}
}

func inverseOffersEvent(list []*mesospb.InverseOffer) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_INVERSE_OFFERS.Enum(), InverseOffers: &schedulerpb.Event_InverseOffers{InverseOffers: list}}
}

func rescindInverseEvent(id mesos.OfferID) *schedulerpb.Event {
	return &schedulerpb.Event{
		Type:                schedulerpb.Event_RESCIND_INVERSE_OFFER.Enum(),
		RescindInverseOffer: &schedulerpb.Event_RescindInverseOffer{InverseOfferId: offerID(id)},
	}
}
