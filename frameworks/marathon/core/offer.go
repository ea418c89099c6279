package core

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// An offer is what matching needs of a Mesos offer.
type offer struct {
	proto        *mesospb.Offer
	agentID      string
	host         string
	region, zone string
	role         string // it is allocated to
	left         resources.Resources
}

// newOffer takes only what the scheduler can use: no volumes, nothing shared,
// revocable, or reserved for someone's instance. Unreadable resources are none.
func newOffer(o *mesospb.Offer, role string) *offer {
	all, err := resources.FromProto(o.GetResources())
	if err != nil {
		all = nil
	}
	out := &offer{
		proto:   o,
		agentID: o.GetAgentId().GetValue(),
		host:    o.GetHostname(),
		region:  o.GetDomain().GetFaultDomain().GetRegion().GetName(),
		zone:    o.GetDomain().GetFaultDomain().GetZone().GetName(),
		role:    role,
		left:    all.Filter(usable),
	}
	if r := o.GetAllocationInfo().GetRole(); r != "" {
		out.role = r
	}
	return out
}

func usable(r resources.Resource) bool {
	if r.Shared || r.Revocable || !r.Divisible() || r.Disk != nil {
		return false
	}
	for _, reservation := range r.Reservations {
		if slices.ContainsFunc(reservation.Labels, func(l resources.Label) bool { return l.Key == "marathon_task_id" }) {
			return false
		}
	}
	return true
}

// inMaintenance reports whether the agent is, by its schedule, down now.
func (o *offer) inMaintenance(now time.Time) bool {
	u := o.proto.GetUnavailability()
	if u == nil {
		return false
	}
	start := time.Unix(0, u.GetStart().GetNanoseconds())
	if now.Before(start) {
		return false
	}
	return u.GetDuration() == nil || now.Before(start.Add(time.Duration(u.GetDuration().GetNanoseconds())))
}

// field is the value a constraint's field has on the agent.
func (o *offer) field(name string) (value string, ok bool) {
	switch name {
	case "hostname", "@hostname":
		return o.host, o.host != ""
	case "@region":
		return o.region, o.region != ""
	case "@zone":
		return o.zone, o.zone != ""
	}
	for _, a := range o.proto.GetAttributes() {
		if a.GetName() == name {
			return attributeText(a), true
		}
	}
	return "", false
}

// attributesFor are the attributes the definition's constraints look at, to be
// remembered with the instance.
func (o *offer) attributesFor(def *spec.App) map[string]string {
	var out map[string]string
	for _, c := range def.Constraints {
		if builtinField(c.Field) {
			continue
		}
		if v, ok := o.field(c.Field); ok {
			if out == nil {
				out = map[string]string{}
			}
			out[c.Field] = v
		}
	}
	return out
}

func builtinField(name string) bool {
	return name == "hostname" || strings.HasPrefix(name, "@")
}

// field is the value a constraint's field had on the instance's agent.
func (in *Instance) field(name string) (value string, ok bool) {
	switch name {
	case "hostname", "@hostname":
		return in.Host, in.Host != ""
	case "@region":
		return in.Region, in.Region != ""
	case "@zone":
		return in.Zone, in.Zone != ""
	}
	value, ok = in.Attributes[name]
	return value, ok
}

// attributeText is the form constraints compare: scalars with up to three
// decimals, ranges and sets sorted.
func attributeText(a *mesospb.Attribute) string {
	switch a.GetType() {
	case mesospb.Value_SCALAR:
		return scalarText(a.GetScalar().GetValue())
	case mesospb.Value_RANGES:
		var parts []string
		for _, r := range slices.SortedFunc(slices.Values(a.GetRanges().GetRange()), compareRanges) {
			parts = append(parts, strconv.FormatUint(r.GetBegin(), 10)+"-"+strconv.FormatUint(r.GetEnd(), 10))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case mesospb.Value_SET:
		return "{" + strings.Join(slices.Sorted(slices.Values(a.GetSet().GetItem())), ",") + "}"
	}
	return a.GetText().GetValue()
}

func compareRanges(a, b *mesospb.Value_Range) int {
	switch {
	case a.GetBegin() < b.GetBegin():
		return -1
	case a.GetBegin() > b.GetBegin():
		return 1
	}
	return 0
}

func scalarText(f float64) string {
	s := strconv.FormatFloat(f, 'f', 3, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
