package resources

import (
	"cmp"
	"slices"

	"github.com/soukproject/souk/proto/mesos"
)

// Kind says how a resource is counted.
type Kind uint8

// The kinds; their numbers are those of mesospb.Value_Type.
const (
	KindScalar Kind = iota
	KindRanges
	KindSet
)

// Resource is an amount of one name together with everything that keeps it apart from other amounts of that name.
// Build lists of them with Of or FromProto and treat them as read only from then on.
type Resource struct {
	Name      string
	Kind      Kind
	Shared    bool     // may be given to many at a time; only persistent volumes
	Revocable bool     // may be taken back at any time
	Scalar    Scalar   // for KindScalar
	Ranges    Ranges   // for KindRanges
	Set       []string // for KindSet: sorted, without duplicates

	Reservations []Reservation // outermost first; none means unreserved
	Disk         *Disk         // only for the name "disk"
	Count        int           // how many times a shared resource is held here; 0 for all others
	Provider     string        // resource provider id, "" for the agent itself
	Allocation   string        // role it is allocated to, "" if to none
}

// Reservation keeps a resource for a role and the roles below it.
type Reservation struct {
	Dynamic   bool // made by an operation; otherwise static, by the agent's configuration
	Role      string
	Principal string // who reserved; "" if unknown
	Labels    []Label
}

// Equal reports whether both keep a resource for the same role in the same way.
func (r Reservation) Equal(o Reservation) bool {
	return compareReservations([]Reservation{r}, []Reservation{o}) == 0
}

// Label is a key with an optional value. Lists of labels are kept sorted.
type Label struct {
	Key, Value string
	HasValue   bool
}

// Disk tells where disk space comes from and, if it is a persistent volume, which one it is.
type Disk struct {
	Persistence string // volume id, unique per role and agent; "" if not a persistent volume
	Principal   string // who created the volume
	Volume      *Volume
	Source      *Source
}

// Volume is where a disk appears in a container.
type Volume struct {
	ContainerPath, HostPath string
	ReadOnly                bool
}

// SourceKind is the kind of a disk source; the numbers are those of mesospb.Resource_DiskInfo_Source_Type.
type SourceKind uint8

// The kinds of disk source.
const (
	SourceUnknown SourceKind = iota
	SourcePath
	SourceMount
	SourceBlock
	SourceRaw
)

// Source is a disk other than the one of the agent's work directory.
type Source struct {
	Kind                SourceKind
	Root                string // of PATH and MOUNT
	ID, Profile, Vendor string
	Metadata            []Label
}

// Role is the role the resource is reserved for (the innermost reservation), or "*" if it is unreserved.
func (r *Resource) Role() string {
	if n := len(r.Reservations); n > 0 {
		return r.Reservations[n-1].Role
	}
	return mesos.AnyRole
}

// Reserved reports whether the resource is kept for some role.
func (r *Resource) Reserved() bool { return len(r.Reservations) > 0 }

// DynamicallyReserved reports whether the innermost reservation was made by an operation.
func (r *Resource) DynamicallyReserved() bool {
	n := len(r.Reservations)
	return n > 0 && r.Reservations[n-1].Dynamic
}

// Refined reports whether a reservation was made on top of another; only capable frameworks may see those.
func (r *Resource) Refined() bool { return len(r.Reservations) > 1 }

// PersistentVolume reports whether the resource is a volume that outlives its tasks.
func (r *Resource) PersistentVolume() bool { return r.Disk != nil && r.Disk.Persistence != "" }

// AllocatableTo reports whether role may be given the resource: it is unreserved, or reserved for role or a parent of
// it (mesos-api 21.4).
func (r *Resource) AllocatableTo(role string) bool {
	return !r.Reserved() || mesos.Within(role, r.Role())
}

// Divisible reports whether parts of the resource can be given away. Persistent volumes, MOUNT disks and disks with an
// id are whole or not at all, as are shared resources.
func (r *Resource) Divisible() bool {
	if r.Shared || r.PersistentVolume() {
		return false
	}
	if r.Disk == nil || r.Disk.Source == nil {
		return true
	}
	return r.Disk.Source.Kind == SourcePath || r.Disk.Source.Kind == SourceRaw && r.Disk.Source.ID == ""
}

// GrowsBy reports whether a volume can be made larger by the space o: it is of the same disk, reserved and allocated alike.
func (r *Resource) GrowsBy(o Resource) bool {
	space := emptied(*r)
	return compare(&space, &o) == 0
}

// Empty reports whether there is nothing of the resource.
func (r *Resource) Empty() bool {
	switch r.Kind {
	case KindRanges:
		return len(r.Ranges) == 0
	case KindSet:
		return len(r.Set) == 0
	}
	return r.Scalar <= 0
}

// Equal reports whether both are the same amount of the same resource.
func (r *Resource) Equal(o *Resource) bool {
	return compare(r, o) == 0 && sameAmount(r, o) && r.Count == o.Count
}

func sameAmount(a, b *Resource) bool {
	return a.Scalar == b.Scalar && slices.Equal(a.Ranges, b.Ranges) && slices.Equal(a.Set, b.Set)
}

// rank puts the well known names first, in the order people write them.
func rank(name string) int {
	switch name {
	case "cpus":
		return 0
	case "gpus":
		return 1
	case "mem":
		return 2
	case "disk":
		return 3
	case "ports":
		return 4
	}
	return 5
}

func compareNames(a, b string) int {
	if a == b {
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
}

// compare orders resources by everything but their amounts. Zero means that they are of one kind. Of indivisible
// resources the size is part of what they are.
func compare(a, b *Resource) int {
	if c := compareNames(a.Name, b.Name); c != 0 {
		return c
	}
	if c := cmp.Or(
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Allocation, b.Allocation),
		compareBool(a.Revocable, b.Revocable),
		compareBool(a.Shared, b.Shared),
		cmp.Compare(a.Provider, b.Provider),
	); c != 0 {
		return c
	}
	if c := compareReservations(a.Reservations, b.Reservations); c != 0 {
		return c
	}
	if c := compareDisks(a.Disk, b.Disk); c != 0 || a.Divisible() {
		return c
	}
	return cmp.Compare(a.Scalar, b.Scalar)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func compareReservations(a, b []Reservation) int {
	return slices.CompareFunc(a, b, func(x, y Reservation) int {
		return cmp.Or(cmp.Compare(x.Role, y.Role), compareBool(x.Dynamic, y.Dynamic),
			cmp.Compare(x.Principal, y.Principal), compareLabels(x.Labels, y.Labels))
	})
}

func compareLabels(a, b []Label) int {
	return slices.CompareFunc(a, b, func(x, y Label) int {
		return cmp.Or(cmp.Compare(x.Key, y.Key), cmp.Compare(x.Value, y.Value), compareBool(x.HasValue, y.HasValue))
	})
}

// compareDisks leaves Volume out: it says how a task uses the disk, and the next may use it otherwise.
func compareDisks(a, b *Disk) int {
	if a == b || a == nil || b == nil {
		return compareBool(a != nil, b != nil)
	}
	if c := cmp.Or(cmp.Compare(a.Persistence, b.Persistence), cmp.Compare(a.Principal, b.Principal)); c != 0 {
		return c
	}
	return compareSources(a.Source, b.Source)
}

func compareSources(a, b *Source) int {
	if a == nil || b == nil {
		return compareBool(a != nil, b != nil)
	}
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Root, b.Root), cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.Profile, b.Profile), cmp.Compare(a.Vendor, b.Vendor), compareLabels(a.Metadata, b.Metadata))
}
