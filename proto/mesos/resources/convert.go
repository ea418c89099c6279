package resources

import (
	"fmt"

	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// A Conversion is what an operation makes of resources: From becomes To. Neither changes how much there is.
type Conversion struct{ From, To Resources }

// Unallocated is the conversion as the agent sees it.
func (c Conversion) Unallocated() Conversion {
	return Conversion{c.From.Unallocated(), c.To.Unallocated()}
}

// Convert is r with c applied. The error says in Mesos' words that r does not have what is to be converted.
func (r Resources) Convert(c Conversion) (Resources, error) {
	left, ok := r.Sub(c.From)
	if !ok {
		return nil, fmt.Errorf("%s does not contain %s", r, c.From)
	}
	return left.Add(c.To), nil
}

// ConversionOf reads what an operation on resources converts (mesos-api 9.1). It refuses resources that make no sense
// with an *Invalid error, and knows nothing of the rules for operations. Of other operations nothing is converted.
func ConversionOf(op *mesospb.Offer_Operation) (Conversion, error) {
	switch op.GetType() {
	case mesospb.Offer_Operation_RESERVE:
		return reserve(op.GetReserve())
	case mesospb.Offer_Operation_UNRESERVE:
		from, err := FromProto(op.GetUnreserve().GetResources())
		return Conversion{from, from.each(unreserved)}, err
	case mesospb.Offer_Operation_CREATE:
		to, err := FromProto(op.GetCreate().GetVolumes())
		return Conversion{to.each(emptied), to}, err
	case mesospb.Offer_Operation_DESTROY:
		from, err := FromProto(op.GetDestroy().GetVolumes())
		return Conversion{from, from.each(emptied)}, err
	case mesospb.Offer_Operation_GROW_VOLUME:
		return grow(op.GetGrowVolume())
	case mesospb.Offer_Operation_SHRINK_VOLUME:
		return shrink(op.GetShrinkVolume())
	}
	return Conversion{}, nil
}

// reserve adds the last reservation; with a source it replaces those of the source.
func reserve(op *mesospb.Offer_Operation_Reserve) (Conversion, error) {
	to, err := FromProto(op.GetResources())
	if err != nil {
		return Conversion{}, err
	}
	if len(op.GetSource()) == 0 {
		return Conversion{to.each(unreserved), to}, nil
	}
	from, err := FromProto(op.GetSource())
	return Conversion{from, to}, err
}

func grow(op *mesospb.Offer_Operation_GrowVolume) (Conversion, error) {
	volume, err := Read(op.GetVolume())
	if err != nil {
		return Conversion{}, err
	}
	addition, err := Read(op.GetAddition())
	if err != nil {
		return Conversion{}, err
	}
	grown := volume
	grown.Scalar = volume.Scalar.plus(addition.Scalar)
	return Conversion{Of(volume).Add(Of(addition)), Of(grown)}, nil
}

func shrink(op *mesospb.Offer_Operation_ShrinkVolume) (Conversion, error) {
	volume, err := Read(op.GetVolume())
	if err != nil {
		return Conversion{}, err
	}
	subtract, err := ScalarOf(op.GetSubtract().GetValue())
	if err != nil {
		return Conversion{}, &Invalid{Resource: volume.String(), Reason: "Invalid 'ShrinkVolume.subtract': " + err.Error()}
	}
	shrunk, freed := volume, emptied(volume)
	shrunk.Scalar, freed.Scalar = volume.Scalar-subtract, subtract
	return Conversion{Of(volume), Of(shrunk).Add(Of(freed))}, nil
}

// each is r with every resource changed.
func (r Resources) each(change func(Resource) Resource) Resources {
	list := make([]Resource, 0, len(r))
	for _, x := range r {
		list = append(list, change(x))
	}
	return Of(list...)
}

// unreserved is a resource without its innermost reservation.
func unreserved(r Resource) Resource {
	if n := len(r.Reservations); n > 0 {
		r.Reservations = r.Reservations[: n-1 : n-1]
	}
	return r
}

// emptied is the disk space that a volume is made of.
func emptied(r Resource) Resource {
	if r.Disk != nil {
		r.Disk = r.Disk.space()
	}
	r.Shared, r.Count = false, 0
	return r
}

// space is a disk without what makes it a volume.
func (d *Disk) space() *Disk {
	if d.Source == nil {
		return nil
	}
	return &Disk{Source: d.Source}
}

// Between is the conversion that makes to of from.
func Between(from, to Resources) Conversion { return Conversion{from.Minus(to), to.Minus(from)} }

// Upgrade rewrites a valid resource in the post-refinement form, in place.
func Upgrade(p *mesospb.Resource) {
	p.Reservations = protoReservations(readReservations(p))
	p.Role, p.Reservation = nil, nil
}
