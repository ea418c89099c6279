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

// The reasons that ExplainAll has in place of AgentInactive and NothingFree, and for what is offered next.
const (
	AgentDisconnected ReasonName = "agent_disconnected"
	AgentDraining     ReasonName = "agent_draining"
	AgentDeactivated  ReasonName = "agent_deactivated"
	AgentNotListed    ReasonName = "agent_not_listed"    // on the master's --whitelist
	HeldByOthers      ReasonName = "held_by_others"      // others use all of the agent that could be had
	HeldByItself      ReasonName = "held_by_itself"      // this framework in this role does, alone
	OfferedToOthers   ReasonName = "offered_to_others"   // as above, but some of it is on offer and not answered yet
	OfferedToItself   ReasonName = "offered_to_itself"   // it has an offer of the agent to answer
	ReservedForOthers ReasonName = "reserved_for_others" // what is free is reserved for other roles
	NotCapable        ReasonName = "not_capable"         // what is free is revocable, shared or refined, and the framework cannot have that
	OthersFirst       ReasonName = "others_first"        // nothing keeps it away but others whose turn it is
)

// Text is the reason in a sentence for people.
func (n ReasonName) Text() string {
	text, ok := map[ReasonName]string{
		UnknownAgent:       "there is no such agent",
		UnknownFramework:   "there is no such framework",
		AgentInactive:      "the agent is disconnected, draining or deactivated",
		AgentDisconnected:  "the agent is disconnected",
		AgentDraining:      "the agent is draining",
		AgentDeactivated:   "an operator deactivated the agent",
		AgentNotListed:     "the agent's host is not on the master's --whitelist",
		FrameworkInactive:  "the scheduler is disconnected",
		NotSubscribed:      "the framework is not subscribed to the role",
		RoleSuppressed:     "the framework suppressed the role and has not revived it",
		GPUsKept:           "the agent has gpus, the framework lacks GPU_RESOURCES",
		RemoteRegion:       "the agent is in another region, the framework lacks REGION_AWARE",
		AgentNotCapable:    "the agent lacks a capability that the framework's roles need",
		ConstraintsExclude: "the framework's offer constraints exclude the agent",
		NothingFree:        "nothing is free that the framework could have",
		QuotaLimit:         "the role has reached its quota limit",
		QuotaHeadroom:      "kept free for the guarantees of other roles",
		BelowMinimum:       "what is free is less than the smallest offer",
		Declined:           "the framework declined it",
		HeldByOthers:       "in use by others",
		HeldByItself:       "in use by the framework itself",
		OfferedToOthers:    "on offer to others who have not answered",
		OfferedToItself:    "on offer to the framework itself: it has not answered",
		ReservedForOthers:  "what is free is reserved for other roles",
		NotCapable:         "what is free is revocable, shared or refined, and the framework lacks the capability",
		OthersFirst:        "nothing keeps it away: others are served first, or it is offered next",
	}[n]
	if !ok {
		return string(n)
	}
	return text
}
