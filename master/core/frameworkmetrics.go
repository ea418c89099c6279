package core

import (
	"net/url"
	"slices"
	"strings"

	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// A tally counts by the number of an enum's value. It is small and has no
// pointers, because there is one of each kind in every framework of a snapshot.
type tally [32]uint32

// add leaves out values that a later version of the API may bring.
func (t *tally) add(number int32) {
	if number >= 0 && int(number) < len(t) {
		t[number]++
	}
}

// tallies are what a framework's own metrics count: they only grow.
type tallies struct {
	calls, events, operations, ended tally

	offersSent, offersAccepted, offersDeclined, offersRescinded uint32
}

// frameworkTallies are the metrics of one framework (mesos-api 25). Heartbeats are
// left out: they are sent without the core.
func (s *Snapshot) frameworkTallies(f *Framework, out map[string]float64) {
	prefix := frameworkPrefix(f)
	all := func(what string, t tally, names map[int32]string, leave ...int32) {
		for number, name := range names {
			if number != 0 && int(number) < len(t) && !slices.Contains(leave, number) {
				out[prefix+what+"/"+strings.ToLower(name)] = float64(t[number])
				out[prefix+what] += float64(t[number])
			}
		}
	}
	c := &f.count
	all("calls", c.calls, schedulerpb.Call_Type_name)
	all("events", c.events, schedulerpb.Event_Type_name, int32(schedulerpb.Event_HEARTBEAT))
	all("operations", c.operations, mesospb.Offer_Operation_Type_name)
	for name, n := range map[string]uint32{
		"sent": c.offersSent, "accepted": c.offersAccepted, "declined": c.offersDeclined, "rescinded": c.offersRescinded,
	} {
		out[prefix+"offers/"+name] = float64(n)
	}
	for number, name := range mesospb.TaskState_name {
		if mesos.Terminal(mesospb.TaskState(number)) {
			out[prefix+"tasks/terminal/"+strings.ToLower(name)] = float64(c.ended[number])
		} else {
			out[prefix+"tasks/active/"+strings.ToLower(name)] = 0
		}
	}
	for state, n := range s.TaskCounts(f) {
		if !mesos.Terminal(state) {
			out[prefix+"tasks/active/"+strings.ToLower(state.String())] = float64(n)
		}
	}
	if principal := f.Info.GetPrincipal(); principal != "" { // messages of schedulers without HTTP, of which there are none
		out["frameworks/"+url.PathEscape(principal)+"/messages_received"] = 0
		out["frameworks/"+url.PathEscape(principal)+"/messages_processed"] = 0
	}
}

func frameworkPrefix(f *Framework) string {
	return "master/frameworks/" + url.PathEscape(f.Info.GetName()) + "/" + string(f.ID) + "/"
}

// allocatorMetrics are what is there, and what of it is held or on offer.
func (s *Snapshot) allocatorMetrics(out map[string]float64) {
	var total, claimed resources.Quantities
	for i := range s.Agents {
		a := &s.Agents[i]
		total = total.Add(a.Total.NonRevocable().Quantities())
		claimed = claimed.Add(a.Used.NonRevocable().Quantities()).Add(a.Offered.NonRevocable().Quantities())
	}
	for _, name := range []string{"cpus", "mem", "disk"} {
		out["allocator/mesos/resources/"+name+"/total"] = total.Get(name).Float()
		out["allocator/mesos/resources/"+name+"/offered_or_allocated"] = claimed.Get(name).Float()
	}
}

// Shares are the dominant shares by which roles with frameworks are ordered, by
// the names of their metrics. It is called between two steps.
func (m *Master) Shares() map[string]float64 {
	shares := map[string]float64{}
	for _, r := range m.cfg.Allocator.Roles() {
		if r.Frameworks == 0 {
			continue
		}
		share := 0.0 // of a role that holds nothing that counts
		if r.Weight > 0 {
			share = r.Share / r.Weight
		}
		shares["allocator/mesos/roles/"+metricPart(r.Name)+"/shares/dominant"] = share
	}
	return shares
}

// Allocations counts the times that the allocator was asked to give out.
func (m *Master) Allocations() int { return m.count.allocations }
