package master_test

import (
	"testing"
	"time"

	"github.com/soukproject/souk/internal/callevent"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// onlyReason is what alone keeps all agents from the framework, and "" if nothing does.
func onlyReason(t *testing.T, address string) string {
	t.Helper()
	switch groups := explained(t, address, "").Groups; len(groups) {
	case 0:
		return ""
	case 1:
		return groups[0].Reason
	default:
		t.Fatalf("explanation = %+v, want one reason", groups)
		return ""
	}
}

func (s *scheduler) decline(o *mesospb.Offer) {
	s.t.Helper()
	if err := s.call(&schedulerpb.Call{Type: schedulerpb.Call_DECLINE.Enum(), Decline: &schedulerpb.Call_Decline{
		OfferIds: []*mesospb.OfferID{o.GetId()}, Filters: &mesospb.Filters{RefuseSeconds: new(1000.0)},
	}}); err != nil {
		s.t.Fatal(err)
	}
}

// TestFiltersFollowTheirReason: what was declined stays away when a new scheduler takes over from one that is there, and
// no longer than Mesos keeps it: REVIVE, a role that is no longer suppressed, and a scheduler that went away end it
// (mesos-api 8.9).
func TestFiltersFollowTheirReason(t *testing.T) {
	address := start(t)
	first := subscribe(t, address, frameworkInfo("f"))
	register(t, address, agentInfo(t, "h", 5051))
	offer := func(s *scheduler) *mesospb.Offer {
		return s.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0]
	}
	info := frameworkInfo("f")
	info.Id = first.id

	first.decline(offer(first))
	second := subscribe(t, address, info)
	if got := onlyReason(t, address); got != "declined" {
		t.Fatalf("after a failover: %q keeps the agent away, want declined", got)
	}
	if err := second.call(&schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum(), Revive: &schedulerpb.Call_Revive{Roles: []string{"dev"}}}); err != nil {
		t.Fatal(err)
	}
	second.decline(offer(second))

	subscribeWith(t, address, &schedulerpb.Call_Subscribe{FrameworkInfo: info, SuppressedRoles: []string{"dev"}})
	for _, g := range explained(t, address, "").Groups {
		if g.Reason != "role_suppressed" && g.Reason != "declined" {
			t.Errorf("subscribed with a suppressed role: %s keeps the agent away", g.Reason)
		}
	}
	fourth := subscribe(t, address, info) // the role is suppressed no more, which revives it
	fourth.decline(offer(fourth))

	fourth.close()
	for deadline := time.Now().Add(patience); onlyReason(t, address) != "framework_inactive"; {
		if time.Now().After(deadline) {
			t.Fatal("the scheduler is gone, and the master does not notice")
		}
		time.Sleep(5 * time.Millisecond) // a connection ends
	}
	offer(subscribe(t, address, info))
}

// TestOfferConstraints: they keep agents away by attribute, from SUBSCRIBE on, until UPDATE_FRAMEWORK brings others.
func TestOfferConstraints(t *testing.T) {
	constraints := func(value string) *schedulerpb.OfferConstraints {
		c := &schedulerpb.OfferConstraints{}
		text := `{"role_constraints":{"dev":{"groups":[{"attribute_constraints":[
			{"selector":{"attribute_name":"rack"},"predicate":{"text_matches":{"regex":"` + value + `"}}},
			{"selector":{"pseudoattribute_type":"HOSTNAME"},"predicate":{"text_not_equals":{"value":"other"}}}]}]}}}`
		if err := callevent.Unmarshal(callevent.JSON, []byte(text), c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	address := start(t)
	f := subscribeWith(t, address, &schedulerpb.Call_Subscribe{FrameworkInfo: frameworkInfo("f"), OfferConstraints: constraints("r[2-9]")})
	register(t, address, agentInfo(t, "h", 5051)) // in rack r1
	register(t, address, agentInfo(t, "other", 5052))
	if got := onlyReason(t, address); got != "constraints_exclude" {
		t.Fatalf("%q keeps the agents away, want constraints_exclude", got)
	}
	info := frameworkInfo("f")
	info.Id = f.id
	if err := f.call(&schedulerpb.Call{Type: schedulerpb.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: &schedulerpb.Call_UpdateFramework{
		FrameworkInfo: info, OfferConstraints: constraints("r[1-9]"),
	}}); err != nil {
		t.Fatal(err)
	}
	offers := f.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()
	if len(offers) != 1 || offers[0].GetHostname() != "h" {
		t.Errorf("offers = %v, want one of h", offers)
	}
	if got := explained(t, address, "agent=other").Groups; len(got) != 1 || got[0].Reason != "constraints_exclude" {
		t.Errorf("explanation of the other agent = %+v, want constraints_exclude", got)
	}
}
