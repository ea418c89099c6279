package resources

import (
	"math"
	"slices"
	"strconv"

	"github.com/soukproject/souk/proto/mesos"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// invalid says what is wrong with a resource on the wire, in Mesos' words where the reference has them (mesos-api
// 1.10, 9.2), or "" if nothing is.
func invalid(p *mesospb.Resource) string {
	if p.GetName() == "" {
		return "Empty resource name"
	}
	for _, check := range []func(*mesospb.Resource) string{
		invalidValue, invalidDisk, invalidReservations, invalidShared,
	} {
		if reason := check(p); reason != "" {
			return reason
		}
	}
	return ""
}

func invalidValue(p *mesospb.Resource) string {
	switch p.GetType() {
	case mesospb.Value_SCALAR:
		return invalidScalar(p)
	case mesospb.Value_RANGES:
		return invalidRanges(p)
	case mesospb.Value_SET:
		return invalidSet(p)
	}
	return "Unsupported resource type"
}

func invalidScalar(p *mesospb.Resource) string {
	if p.Scalar == nil || p.Ranges != nil || p.Set != nil {
		return "Invalid scalar resource"
	}
	if _, err := ScalarOf(p.GetScalar().GetValue()); err != nil {
		return "Invalid scalar resource: " + err.Error()
	}
	return ""
}

func invalidRanges(p *mesospb.Resource) string {
	if p.Ranges == nil || p.Scalar != nil || p.Set != nil {
		return "Invalid ranges resource"
	}
	list := slices.Clone(p.GetRanges().GetRange())
	for _, x := range list {
		if x.GetBegin() > x.GetEnd() {
			return "Invalid ranges resource: begin > end"
		}
	}
	slices.SortFunc(list, func(a, b *mesospb.Value_Range) int {
		return compareUint(a.GetBegin(), b.GetBegin())
	})
	for i := 1; i < len(list); i++ {
		if list[i].GetBegin() <= list[i-1].GetEnd() {
			return "Invalid ranges resource: overlapping ranges"
		}
	}
	return ""
}

func compareUint(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func invalidSet(p *mesospb.Resource) string {
	if p.Set == nil || p.Scalar != nil || p.Ranges != nil {
		return "Invalid set resource"
	}
	items := slices.Sorted(slices.Values(p.GetSet().GetItem()))
	if len(slices.Compact(items)) != len(p.GetSet().GetItem()) {
		return "Invalid set resource: duplicated elements"
	}
	return ""
}

func invalidDisk(p *mesospb.Resource) string {
	if p.Disk == nil {
		return ""
	}
	if p.GetName() != "disk" {
		return "DiskInfo should not be set for " + p.GetName() + " resource"
	}
	if p.GetType() != mesospb.Value_SCALAR {
		return "A disk resource with DiskInfo must be a scalar"
	}
	if s := p.GetDisk().GetSource(); s != nil {
		if reason := invalidSource(s); reason != "" {
			return reason
		}
	}
	if v := p.GetDisk().GetVolume(); v.GetImage() != nil || v.GetSource() != nil {
		return "'disk.volume' with 'image' or 'source' is not supported"
	}
	return ""
}

func invalidSource(s *mesospb.Resource_DiskInfo_Source) string {
	switch s.GetType() {
	case mesospb.Resource_DiskInfo_Source_PATH:
		if s.Mount != nil {
			return "'disk.source.mount' must not be set for a PATH disk"
		}
	case mesospb.Resource_DiskInfo_Source_MOUNT:
		if s.Path != nil {
			return "'disk.source.path' must not be set for a MOUNT disk"
		}
	case mesospb.Resource_DiskInfo_Source_BLOCK, mesospb.Resource_DiskInfo_Source_RAW:
		if s.Path != nil || s.Mount != nil {
			return "'disk.source.path' and 'disk.source.mount' must not be set for a BLOCK or RAW disk"
		}
	default:
		return "Unsupported 'disk.source.type'"
	}
	return ""
}

func invalidReservations(p *mesospb.Resource) string {
	if len(p.GetReservations()) == 0 {
		return invalidOldReservation(p)
	}
	if p.Role != nil && p.GetRole() != p.GetReservations()[len(p.GetReservations())-1].GetRole() {
		return "Invalid resource format: 'Resource.role' contradicts the last of 'Resource.reservations'"
	}
	if p.Reservation != nil && p.Role == nil {
		return "Invalid resource format: 'Resource.reservation' must not be set with 'Resource.reservations'"
	}
	for i, x := range p.GetReservations() {
		if reason := invalidReservation(x, p.GetReservations()[:i]); reason != "" {
			return reason
		}
	}
	return ""
}

func invalidOldReservation(p *mesospb.Resource) string {
	if p.GetRole() != "*" {
		if err := mesos.CheckRole(p.GetRole()); err != nil {
			return "Invalid role: " + err.Error()
		}
	}
	if p.Reservation == nil {
		return ""
	}
	switch {
	case p.GetRole() == "*":
		return `Invalid reservation: role "*" cannot be dynamically reserved`
	case p.GetReservation().Type != nil:
		return "'Resource.ReservationInfo.type' must not be set for the 'Resource.reservation' field"
	case p.GetReservation().Role != nil:
		return "'Resource.ReservationInfo.role' must not be set for the 'Resource.reservation' field"
	}
	return ""
}

// invalidReservation checks one of 'reservations'; outer is what it refines.
func invalidReservation(x *mesospb.Resource_ReservationInfo, outer []*mesospb.Resource_ReservationInfo) string {
	switch {
	case x.GetType() != mesospb.Resource_ReservationInfo_STATIC && x.GetType() != mesospb.Resource_ReservationInfo_DYNAMIC:
		return "Invalid reservation: 'Resource.ReservationInfo.type' field must be set."
	case x.GetRole() == "":
		return "Invalid reservation: 'Resource.ReservationInfo.role' field must be set."
	case x.GetRole() == "*":
		return `Invalid reservation: role "*" cannot be reserved`
	}
	if err := mesos.CheckRole(x.GetRole()); err != nil {
		return "Invalid reservation: " + err.Error()
	}
	if len(outer) == 0 {
		return ""
	}
	if x.GetType() == mesospb.Resource_ReservationInfo_STATIC {
		return "Invalid refined reservation: A refined reservation cannot be STATIC"
	}
	if parent := outer[len(outer)-1].GetRole(); parent == x.GetRole() || !mesos.Within(x.GetRole(), parent) {
		return "Invalid refined reservation: role '" + x.GetRole() + "' is not a refinement of '" + parent + "'"
	}
	return ""
}

func invalidShared(p *mesospb.Resource) string {
	switch {
	case p.Shared == nil:
		return ""
	case p.GetName() != "disk":
		return "Resource " + p.GetName() + " cannot be shared"
	case p.GetDisk().GetPersistence() == nil:
		return "Only persistent volumes can be shared"
	}
	return ""
}

// describe is the text of a resource whose value may be invalid; r has its attributes.
func describe(p *mesospb.Resource, r Resource) string {
	b := r.appendAttributes([]byte(r.Name))
	b = append(b, ':')
	switch r.Kind {
	case KindScalar:
		return string(appendFloat(b, p.GetScalar().GetValue()))
	case KindRanges:
		var list Ranges
		for _, x := range p.GetRanges().GetRange() {
			list = append(list, Range{x.GetBegin(), x.GetEnd()})
		}
		return string(list.append(b))
	case KindSet:
		return string(appendSet(b, r.Set))
	}
	return string(b)
}

// appendFloat prints three decimals where a Scalar could hold the number, and fifteen digits elsewhere.
func appendFloat(b []byte, f float64) []byte {
	if math.Abs(f) <= MaxScalar.Float() {
		return Scalar(math.Round(f * thousand)).append(b)
	}
	return strconv.AppendFloat(b, f, 'g', 15, 64)
}

// WholeGPUs says in Mesos' words that gpus must be whole, or nil.
func (r Resources) WholeGPUs() error {
	for i := range r {
		if r[i].Name == "gpus" && (r[i].Kind != KindScalar || r[i].Scalar%thousand != 0) {
			return errGPUs
		}
	}
	return nil
}
