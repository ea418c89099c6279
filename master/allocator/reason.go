package allocator

import "time"

// Reason is something that keeps resources from a framework.
type Reason struct {
	Name  ReasonName
	Until time.Time // when it ends by itself; zero if it does not
}

// ReasonName names a reason, in answers to operators and in metrics.
type ReasonName string

// The reasons.
const (
	UnknownAgent       ReasonName = "unknown_agent"
	UnknownFramework   ReasonName = "unknown_framework"
	AgentInactive      ReasonName = "agent_inactive"      // disconnected, draining or deactivated
	FrameworkInactive  ReasonName = "framework_inactive"  // disconnected
	NotSubscribed      ReasonName = "role_not_subscribed" // the framework has no such role
	RoleSuppressed     ReasonName = "role_suppressed"     // until the framework revives it
	GPUsKept           ReasonName = "gpus_kept"           // the agent has gpus, the framework lacks GPU_RESOURCES
	RemoteRegion       ReasonName = "remote_region"       // the framework lacks REGION_AWARE
	AgentNotCapable    ReasonName = "agent_not_capable"   // of the framework's roles
	ConstraintsExclude ReasonName = "constraints_exclude" // the framework's offer constraints
	NothingFree        ReasonName = "nothing_free"        // all is held, reserved for others, or needs a capability
	QuotaLimit         ReasonName = "quota_limit"         // the role may not have more
	QuotaHeadroom      ReasonName = "quota_headroom"      // kept for the guarantees of others
	BelowMinimum       ReasonName = "below_minimum"       // too little to be worth an offer
	Declined           ReasonName = "declined"            // the framework refused it
)

// The reasons that ExplainAll has in place of NothingFree, and for what is offered next.
const (
	HeldByOthers      ReasonName = "held_by_others"      // all of the agent is in use or on offer
	HeldByItself      ReasonName = "held_by_itself"      // by this framework in this role, alone
	ReservedForOthers ReasonName = "reserved_for_others" // what is free is reserved for other roles
	NotCapable        ReasonName = "not_capable"         // what is free is revocable, shared or refined, and the framework cannot have that
	OthersFirst       ReasonName = "others_first"        // nothing keeps it away but others whose turn it is
)
