package resources

import (
	"cmp"
	"slices"
	"strings"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// FromProto reads resources in the pre- or the post-refinement form (mesos-api 9.2), also mixed. It refuses the first
// invalid one with an *Invalid error, whose text is Mesos'.
func FromProto(list []*mesospb.Resource) (Resources, error) {
	out := make([]Resource, 0, len(list))
	for _, p := range list {
		r, err := Read(p)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return Of(out...), nil
}

// Invalid is an error of somebody who sent a resource that makes no sense.
type Invalid struct {
	Resource string // the resource in Mesos' text
	Reason   string // what is wrong with it
}

// Error is Mesos' text.
func (e *Invalid) Error() string { return "Resource '" + e.Resource + "' is invalid: " + e.Reason }

// Read reads one resource as FromProto does; one of nothing is not left out.
func Read(p *mesospb.Resource) (Resource, error) {
	r := Resource{
		Name:         p.GetName(),
		Kind:         Kind(p.GetType()),
		Set:          slices.Clone(p.GetSet().GetItem()),
		Reservations: readReservations(p),
		Shared:       p.GetShared() != nil,
		Revocable:    p.GetRevocable() != nil,
		Provider:     p.GetProviderId().GetValue(),
		Allocation:   p.GetAllocationInfo().GetRole(),
		Disk:         readDisk(p.GetDisk()),
	}
	if reason := invalid(p); reason != "" {
		return Resource{}, &Invalid{Resource: describe(p, r), Reason: reason}
	}
	r.Scalar, _ = ScalarOf(p.GetScalar().GetValue())
	r.Ranges = readRanges(p.GetRanges())
	slices.Sort(r.Set)
	if r.Shared {
		r.Count = 1
	}
	return r, nil
}

func readRanges(p *mesospb.Value_Ranges) Ranges {
	list := make([]Range, 0, len(p.GetRange()))
	for _, x := range p.GetRange() {
		list = append(list, Range{x.GetBegin(), x.GetEnd()})
	}
	return RangesOf(list...)
}

// readReservations understands both forms. In the old one, a role other than "*" is a static reservation unless
// there is a ReservationInfo.
func readReservations(p *mesospb.Resource) []Reservation {
	if len(p.GetReservations()) > 0 {
		out := make([]Reservation, 0, len(p.GetReservations()))
		for _, x := range p.GetReservations() {
			out = append(out, Reservation{
				Dynamic:   x.GetType() != mesospb.Resource_ReservationInfo_STATIC,
				Role:      x.GetRole(),
				Principal: x.GetPrincipal(),
				Labels:    readLabels(x.GetLabels()),
			})
		}
		return out
	}
	if p.GetRole() == "*" {
		return nil
	}
	return []Reservation{{
		Dynamic:   p.GetReservation() != nil,
		Role:      p.GetRole(),
		Principal: p.GetReservation().GetPrincipal(),
		Labels:    readLabels(p.GetReservation().GetLabels()),
	}}
}

func readLabels(p *mesospb.Labels) []Label {
	var out []Label
	for _, x := range p.GetLabels() {
		out = append(out, Label{Key: x.GetKey(), Value: x.GetValue(), HasValue: x.Value != nil})
	}
	slices.SortFunc(out, func(a, b Label) int { return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Value, b.Value)) })
	return out
}

func readDisk(p *mesospb.Resource_DiskInfo) *Disk {
	if p == nil {
		return nil
	}
	return &Disk{
		Persistence: p.GetPersistence().GetId(),
		Principal:   p.GetPersistence().GetPrincipal(),
		Volume:      readVolume(p.GetVolume()),
		Source:      readSource(p.GetSource()),
	}
}

func readVolume(p *mesospb.Volume) *Volume {
	if p == nil {
		return nil
	}
	return &Volume{
		ContainerPath: p.GetContainerPath(),
		HostPath:      p.GetHostPath(),
		ReadOnly:      p.GetMode() == mesospb.Volume_RO,
	}
}

func readSource(p *mesospb.Resource_DiskInfo_Source) *Source {
	if p == nil {
		return nil
	}
	return &Source{
		Kind:     SourceKind(p.GetType()),
		Root:     cmp.Or(p.GetPath().GetRoot(), p.GetMount().GetRoot()),
		ID:       p.GetId(),
		Profile:  p.GetProfile(),
		Vendor:   p.GetVendor(),
		Metadata: readLabels(p.GetMetadata()),
	}
}
