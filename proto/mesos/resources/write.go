package resources

import (
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Form is one of the ways in which Mesos writes reservations (mesos-api 9.2).
type Form uint8

const (
	// PostRefinement has 'reservations', outermost first, and neither 'role' nor 'reservation'.
	PostRefinement Form = iota
	// PreRefinement has 'role' and, if dynamic, 'reservation'; for frameworks without RESERVATION_REFINEMENT. It
	// cannot express a refined reservation: those are written post-refinement, and callers leave them out before.
	PreRefinement
	// Endpoint has both; for the legacy JSON endpoints.
	Endpoint
)

// Proto writes r as messages that the caller owns. A shared resource appears as often as it is held.
func (r Resources) Proto(f Form) []*mesospb.Resource {
	if len(r) == 0 {
		return nil
	}
	out := make([]*mesospb.Resource, 0, len(r))
	for i := range r {
		for range max(r[i].Count, 1) {
			out = append(out, r[i].Proto(f))
		}
	}
	return out
}

// Proto writes one resource as a message that the caller owns.
func (r *Resource) Proto(f Form) *mesospb.Resource {
	p := &mesospb.Resource{
		Name: new(r.Name),
		Type: mesospb.Value_Type(r.Kind).Enum(),
		Disk: r.Disk.proto(),
	}
	r.writeValue(p)
	r.writeReservations(p, f)
	if r.Shared {
		p.Shared = &mesospb.Resource_SharedInfo{}
	}
	if r.Revocable {
		p.Revocable = &mesospb.Resource_RevocableInfo{}
	}
	if r.Provider != "" {
		p.ProviderId = &mesospb.ResourceProviderID{Value: new(r.Provider)}
	}
	if r.Allocation != "" {
		p.AllocationInfo = &mesospb.Resource_AllocationInfo{Role: new(r.Allocation)}
	}
	return p
}

func (r *Resource) writeValue(p *mesospb.Resource) {
	switch r.Kind {
	case KindScalar:
		p.Scalar = &mesospb.Value_Scalar{Value: new(r.Scalar.Float())}
	case KindRanges:
		p.Ranges = &mesospb.Value_Ranges{}
		for _, x := range r.Ranges {
			p.Ranges.Range = append(p.Ranges.Range, &mesospb.Value_Range{Begin: new(x.Begin), End: new(x.End)})
		}
	case KindSet:
		p.Set = &mesospb.Value_Set{Item: append([]string(nil), r.Set...)}
	}
}

func (r *Resource) writeReservations(p *mesospb.Resource, f Form) {
	if f == PostRefinement || f == Endpoint || r.Refined() {
		p.Reservations = protoReservations(r.Reservations)
	}
	if f == PostRefinement || f == PreRefinement && r.Refined() {
		return
	}
	p.Role = new(r.Role())
	if r.DynamicallyReserved() {
		last := r.Reservations[len(r.Reservations)-1]
		p.Reservation = &mesospb.Resource_ReservationInfo{Principal: optional(last.Principal), Labels: protoLabels(last.Labels)}
	}
}

func protoReservations(list []Reservation) []*mesospb.Resource_ReservationInfo {
	var out []*mesospb.Resource_ReservationInfo
	for _, x := range list {
		kind := mesospb.Resource_ReservationInfo_STATIC
		if x.Dynamic {
			kind = mesospb.Resource_ReservationInfo_DYNAMIC
		}
		out = append(out, &mesospb.Resource_ReservationInfo{
			Type: kind.Enum(), Role: new(x.Role), Principal: optional(x.Principal), Labels: protoLabels(x.Labels),
		})
	}
	return out
}

func protoLabels(list []Label) *mesospb.Labels {
	if len(list) == 0 {
		return nil
	}
	out := &mesospb.Labels{}
	for _, x := range list {
		p := &mesospb.Label{Key: new(x.Key)}
		if x.HasValue {
			p.Value = new(x.Value)
		}
		out.Labels = append(out.Labels, p)
	}
	return out
}

func (d *Disk) proto() *mesospb.Resource_DiskInfo {
	if d == nil {
		return nil
	}
	p := &mesospb.Resource_DiskInfo{Volume: d.Volume.proto(), Source: d.Source.proto()}
	if d.Persistence != "" {
		p.Persistence = &mesospb.Resource_DiskInfo_Persistence{Id: new(d.Persistence), Principal: optional(d.Principal)}
	}
	return p
}

func (v *Volume) proto() *mesospb.Volume {
	if v == nil {
		return nil
	}
	mode := mesospb.Volume_RW
	if v.ReadOnly {
		mode = mesospb.Volume_RO
	}
	return &mesospb.Volume{ContainerPath: new(v.ContainerPath), HostPath: optional(v.HostPath), Mode: mode.Enum()}
}

func (s *Source) proto() *mesospb.Resource_DiskInfo_Source {
	if s == nil {
		return nil
	}
	p := &mesospb.Resource_DiskInfo_Source{
		Type: mesospb.Resource_DiskInfo_Source_Type(s.Kind).Enum(),
		Id:   optional(s.ID), Profile: optional(s.Profile), Vendor: optional(s.Vendor),
		Metadata: protoLabels(s.Metadata),
	}
	switch {
	case s.Kind == SourcePath && s.Root != "":
		p.Path = &mesospb.Resource_DiskInfo_Source_Path{Root: new(s.Root)}
	case s.Kind == SourceMount && s.Root != "":
		p.Mount = &mesospb.Resource_DiskInfo_Source_Mount{Root: new(s.Root)}
	}
	return p
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
