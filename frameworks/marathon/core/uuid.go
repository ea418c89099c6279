package core

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// uuids makes the ids of instances and deployments from the time of the step
// and the caller's randomness.
type uuids struct {
	last uint64 // latest time given out, in 100 ns since 1582
	node uint64 // of this process, chosen at the first use
}

// gregorian is 1970 in 100 ns since 15 October 1582, the epoch of version 1.
const gregorian = 0x01B21DD213814000

// timeBased is a UUID of version 1. Its clock never stands still, so two are
// never equal; its node is random, so neither are those of two processes.
func (u *uuids) timeBased(now time.Time, r *rand.Rand) string {
	if u.node == 0 {
		u.node = r.Uint64()&0x3fff_ffff_ffff_ffff | 0x0100_0000_0000 // multicast: not a real card
	}
	u.last = max(u.last+1, uint64(now.UnixNano()/100)+gregorian)
	t := u.last
	return fmt.Sprintf("%08x-%04x-1%03x-%04x-%012x",
		t&0xffff_ffff, t>>32&0xffff, t>>48&0xfff, 0x8000|u.node>>48&0x3fff, u.node&0xffff_ffff_ffff)
}

// random is a UUID of version 4.
func randomUUID(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffff_ffff_ffff)
}
