package allocator

import (
	"time"

	"github.com/soukproject/souk/proto/mesos"
)

// DefaultRivals is how many frameworks see the same resources at a time where offers are optimistic. Everybody sees
// everything in a cluster of few frameworks; with thousands of them, offers and rescinds would grow with their product.
const DefaultRivals = 8

// Optimist is a policy that can show the same free resources to several frameworks. It is optional. It does so if
// Config.Rivals is above zero, and then its Allocate means something else:
//
// # Three states
//
// Resources are free, shown or held. What Allocate returns is shown: it stays free, nobody is charged for it, and it
// may be shown to others. A framework in a role is shown something of an agent once at a time, and at most Rivals of
// them are at a time. Those are shown it who would be given it: neediest first, those whose guarantee is not covered
// before all. What is shown respects filters, constraints and quota as if it were given.
//
// What is shown remains shown until the caller says otherwise: Claim turns it into held resources, Refuse and Withdraw
// end it. Whoever claims first wins. What is no longer wholly free after that is Stale, and the caller withdraws it.
// Held resources are dealt with as always, by Recover, Decline and the like.
//
// # Quota
//
// Several shown allocations may together be more than a limit or the headroom for guarantees allow: nobody knows which
// of them will be claimed. So Claim asks once more, and refuses what is too much by then.
type Optimist interface {
	// Claim charges a framework what it was shown of an agent for a role: all, or nothing, and then it reports false.
	// It is no longer shown in either case.
	Claim(now time.Time, id mesos.FrameworkID, role string, agent mesos.AgentID) bool
	// Refuse ends what is shown with a filter, as Decline does with what is held.
	Refuse(now time.Time, id mesos.FrameworkID, role string, agent mesos.AgentID, refuse time.Duration)
	// Withdraw ends what is shown; it may be shown again at once.
	Withdraw(now time.Time, id mesos.FrameworkID, role string, agent mesos.AgentID)
	// Stale lists what is shown and no longer wholly free, as far as it has not been listed before.
	Stale() []Allocation
}
