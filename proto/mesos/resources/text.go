package resources

import "strconv"

// String is Mesos' text, as used in its errors: "cpus:4; ports(reservations: [(STATIC,eng)]):[31000-32000]". Nothing
// is "{}".
func (r Resources) String() string {
	if len(r) == 0 {
		return "{}"
	}
	var b []byte
	for i := range r {
		if i > 0 {
			b = append(b, "; "...)
		}
		b = r[i].append(b)
		if r[i].Shared {
			b = append(b, '<')
			b = strconv.AppendInt(b, int64(r[i].Count), 10)
			b = append(b, '>')
		}
	}
	return string(b)
}

// String is Mesos' text of one resource: "disk(allocated: eng)(reservations: [(DYNAMIC,eng,p1)])[v1:data]:100".
func (r Resource) String() string { return string(r.append(nil)) }

func (r *Resource) append(b []byte) []byte {
	b = r.appendAttributes(append(b, r.Name...))
	b = append(b, ':')
	switch r.Kind {
	case KindRanges:
		return r.Ranges.append(b)
	case KindSet:
		return appendSet(b, r.Set)
	}
	return r.Scalar.append(b)
}

func (r *Resource) appendAttributes(b []byte) []byte {
	if r.Allocation != "" {
		b = append(b, "(allocated: "...)
		b = append(append(b, r.Allocation...), ')')
	}
	if len(r.Reservations) > 0 {
		b = appendReservations(b, r.Reservations)
	}
	if r.Disk != nil {
		b = append(r.Disk.append(append(b, '[')), ']')
	}
	if r.Revocable {
		b = append(b, "{REV}"...)
	}
	if r.Shared {
		b = append(b, "<SHARED>"...)
	}
	return b
}

func appendReservations(b []byte, list []Reservation) []byte {
	b = append(b, "(reservations: ["...)
	for i, r := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.append(b)
	}
	return append(b, "])"...)
}

// append writes "(DYNAMIC,role,principal,{key: value})"; principal and labels only if there are any.
func (r *Reservation) append(b []byte) []byte {
	kind := "(STATIC,"
	if r.Dynamic {
		kind = "(DYNAMIC,"
	}
	b = append(append(b, kind...), r.Role...)
	if r.Principal != "" {
		b = append(append(b, ','), r.Principal...)
	}
	if len(r.Labels) > 0 {
		b = appendLabels(append(b, ','), r.Labels)
	}
	return append(b, ')')
}

func appendLabels(b []byte, labels []Label) []byte {
	b = append(b, '{')
	for i, l := range labels {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, l.Key...)
		if l.HasValue {
			b = append(append(b, ": "...), l.Value...)
		}
	}
	return append(b, '}')
}

func (d *Disk) append(b []byte) []byte {
	if d.Source != nil {
		b = d.Source.append(b)
	}
	if d.Persistence == "" {
		return b
	}
	if d.Source != nil {
		b = append(b, ',')
	}
	b = append(b, d.Persistence...)
	if d.Volume == nil {
		return b
	}
	b = append(b, ':')
	if d.Volume.HostPath != "" {
		b = append(append(b, d.Volume.HostPath...), ':')
	}
	return append(b, d.Volume.ContainerPath...)
}

func (s *Source) append(b []byte) []byte {
	b = append(b, s.Kind.String()...)
	switch {
	case s.ID != "" || s.Profile != "":
		b = append(b, '(')
		b = append(append(b, s.Vendor...), ',')
		b = append(append(b, s.ID...), ',')
		b = append(append(b, s.Profile...), ')')
	case s.Root != "":
		b = append(append(b, ':'), s.Root...)
	}
	return b
}

// String is the name on the wire: "MOUNT".
func (k SourceKind) String() string {
	switch k {
	case SourcePath:
		return "PATH"
	case SourceMount:
		return "MOUNT"
	case SourceBlock:
		return "BLOCK"
	case SourceRaw:
		return "RAW"
	}
	return "UNKNOWN"
}

func appendSet(b []byte, set []string) []byte {
	b = append(b, '{')
	for i, s := range set {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, s...)
	}
	return append(b, '}')
}
