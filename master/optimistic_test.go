package master_test

import (
	"strings"
	"testing"

	"github.com/soukproject/souk/master"
	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/hierarchical"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// TestOptimisticOffers: two schedulers are offered the same; one launches, the other hears of it.
func TestOptimisticOffers(t *testing.T) {
	address := start(t, func(cfg *master.Config) { cfg.OptimisticOffers = true })
	first, second := subscribe(t, address, frameworkInfo("first")), subscribe(t, address, frameworkInfo("second"))
	register(t, address, agentInfo(t, "h", 5051))
	mine := first.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0]
	theirs := second.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()[0]
	if mine.GetAgentId().GetValue() != theirs.GetAgentId().GetValue() {
		t.Fatalf("offers are of different agents: %v, %v", mine, theirs)
	}
	task := &mesospb.TaskInfo{
		Name: new("t"), TaskId: &mesospb.TaskID{Value: new("t")}, AgentId: mine.GetAgentId(), Resources: mine.GetResources(),
		Command: &mesospb.CommandInfo{Value: new("true")},
	}
	if err := first.call(&schedulerpb.Call{Type: schedulerpb.Call_ACCEPT.Enum(), Accept: &schedulerpb.Call_Accept{
		OfferIds: []*mesospb.OfferID{mine.GetId()},
		Operations: []*mesospb.Offer_Operation{{
			Type: mesospb.Offer_Operation_LAUNCH.Enum(), Launch: &mesospb.Offer_Operation_Launch{TaskInfos: []*mesospb.TaskInfo{task}},
		}},
	}}); err != nil {
		t.Fatal(err)
	}
	if id := second.await(schedulerpb.Event_RESCIND).GetRescind().GetOfferId(); id.GetValue() != theirs.GetId().GetValue() {
		t.Errorf("RESCIND of %v, want of %v", id, theirs.GetId())
	}
	_, metrics := get(t, "http://"+address+"/metrics/snapshot")
	want(t, "metrics", metrics, `"allocator/optimistic/rescinded_offers":1.0`, `"allocator/optimistic/refused_accepts":0.0`)
	late := &schedulerpb.Call{Type: schedulerpb.Call_ACCEPT.Enum(), Accept: &schedulerpb.Call_Accept{OfferIds: []*mesospb.OfferID{theirs.GetId()}}}
	if err := second.call(late); err != nil {
		t.Fatal(err)
	}
	_, metrics = get(t, "http://"+address+"/metrics/snapshot")
	want(t, "metrics", metrics, `"allocator/optimistic/refused_accepts":1.0`)
}

// plain hides that a policy is more than an Allocator.
type plain struct{ allocator.Allocator }

func TestOptimisticOffersNeedAPolicyThatCan(t *testing.T) {
	p := launch(t, func(cfg *master.Config) {
		cfg.OptimisticOffers, cfg.Allocator = true, "plain"
		cfg.Policies = allocator.Policies{"plain": func(c allocator.Config) allocator.Allocator { return plain{hierarchical.New(c)} }}
	})
	if err := p.wait(); err == nil || !strings.Contains(err.Error(), `the policy "plain" cannot make optimistic offers`) {
		t.Errorf("Run = %v, want that the policy cannot", err)
	}
}
