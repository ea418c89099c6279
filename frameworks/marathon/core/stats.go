package core

import (
	"cmp"
	"slices"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// maxUnused bounds the offers remembered per app, one for each agent.
const maxUnused = 100

// offerStats remembers which offers an app was shown while it waits, and why
// it did not use them.
type offerStats struct {
	processed, unusedCount   int
	lastUnusedAt, lastUsedAt spec.Timestamp
	attempt                  map[Reason]int         // all since it waits
	last                     map[string]UnusedOffer // the latest of each agent
}

// An UnusedOffer is an offer and why it was not used.
type UnusedOffer struct {
	Offer     *mesospb.Offer
	Reason    Reason
	Timestamp spec.Timestamp
}

// OfferSummary tells how offers fared, as a funnel.
type OfferSummary struct {
	ProcessedOffersCount       int             `json:"processedOffersCount"`
	UnusedOffersCount          int             `json:"unusedOffersCount"`
	LastUnusedOfferAt          spec.Timestamp  `json:"lastUnusedOfferAt,omitzero"`
	LastUsedOfferAt            spec.Timestamp  `json:"lastUsedOfferAt,omitzero"`
	RejectSummaryLastOffers    []RejectSummary `json:"rejectSummaryLastOffers"`
	RejectSummaryLaunchAttempt []RejectSummary `json:"rejectSummaryLaunchAttempt"`
}

// A RejectSummary is one stage of the funnel.
type RejectSummary struct {
	Reason    Reason `json:"reason"`
	Declined  int    `json:"declined"`
	Processed int    `json:"processed"`
}

func (s *offerStats) used(now time.Time) {
	s.processed++
	s.lastUsedAt = spec.TimestampOf(now)
}

func (s *offerStats) refused(now time.Time, o *offer, reason Reason) {
	s.processed++
	s.unusedCount++
	s.lastUnusedAt = spec.TimestampOf(now)
	if s.attempt == nil {
		s.attempt, s.last = map[Reason]int{}, map[string]UnusedOffer{}
	}
	s.attempt[reason]++
	if _, known := s.last[o.agentID]; known || len(s.last) < maxUnused {
		s.last[o.agentID] = UnusedOffer{o.proto, reason, s.lastUnusedAt}
	}
}

func (s *offerStats) summary() OfferSummary {
	last := map[Reason]int{}
	for _, u := range s.last {
		last[u.Reason]++
	}
	return OfferSummary{
		ProcessedOffersCount: s.processed, UnusedOffersCount: s.unusedCount,
		LastUnusedOfferAt: s.lastUnusedAt, LastUsedOfferAt: s.lastUsedAt,
		RejectSummaryLastOffers:    funnel(last, len(s.last)),
		RejectSummaryLaunchAttempt: funnel(s.attempt, s.processed),
	}
}

// funnel: what a stage processes is what the stages before let through.
func funnel(declined map[Reason]int, processed int) []RejectSummary {
	var out []RejectSummary
	for _, r := range Reasons() {
		out = append(out, RejectSummary{r, declined[r], processed})
		processed -= declined[r]
	}
	return out
}

// unused are the latest unused offers, by agent.
func (s *offerStats) unused() []UnusedOffer {
	out := make([]UnusedOffer, 0, len(s.last))
	for _, u := range s.last {
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b UnusedOffer) int {
		return cmp.Compare(a.Offer.GetAgentId().GetValue(), b.Offer.GetAgentId().GetValue())
	})
	return out
}

func (n *Counters) countState(s mesospb.TaskState) {
	if n.States == nil {
		n.States = map[string]int{}
	}
	n.States[s.String()]++
}

// noteFailure stores an app's latest failure.
func (c *Core) noteFailure(a *app, in *Instance, state, message string) {
	if !a.exists() {
		return
	}
	a.failure = &TaskFailure{
		AppID: a.id, Host: in.Host, Message: cut(message), State: state, TaskID: in.TaskID,
		Timestamp: spec.TimestampOf(c.now), Version: in.Version, AgentID: in.AgentID,
	}
	c.out.persist(Op{Name: failureRecord(a.id), Value: encode(a.failure)})
}
