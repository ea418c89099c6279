// Package resources is the arithmetic of what machines have and tasks use: scalars in thousandths, ranges, sets, and
// the attributes that keep two amounts of one name apart (reservations, disks and volumes, shared, revocable,
// provider, allocation). It reads and writes the three wire forms of a resource and the text of --resources and
// --attributes.
//
// It owns no policy: who may have which resource is decided by its callers. Values are immutable once built, so they
// may be kept, compared and handed to other goroutines without copying; nothing here blocks or fails by panicking on
// input of a stranger.
package resources
