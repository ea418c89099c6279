package main

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"github.com/soukproject/souk/internal/leader"
)

// An absence is the time without a master: it begins when the leading one is
// killed and ends for each member when the next one has taken it in. Safe for
// concurrent use.
type absence struct {
	mu                 sync.Mutex
	began              time.Time       // zero before
	away               map[string]bool // names of members
	agents, frameworks []time.Duration
	over               chan struct{} // closed when nobody is away
}

func newAbsence() *absence { return &absence{away: map[string]bool{}, over: make(chan struct{})} }

// begins reports whether it has begun.
func (a *absence) begins() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.began.IsZero()
}

// begin says who is away from now on.
func (a *absence) begin(members []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.began = time.Now()
	for _, name := range members {
		a.away[name] = true
	}
}

// back notes the return of a member; its first one counts.
func (a *absence) back(name string, took *[]time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.away[name] {
		return
	}
	delete(a.away, name)
	*took = append(*took, time.Since(a.began))
	if len(a.away) == 0 {
		close(a.over)
	}
}

// failOver kills the leading master and waits until all are back.
func failOver(ctx context.Context, cfg *config) error {
	lead, err := cfg.detector.Detect(ctx, leader.Leader{})
	if err != nil {
		return fmt.Errorf("find the leading master: %w", err)
	}
	var members []string
	for n := range cfg.Agents {
		members = append(members, agentName(n))
	}
	for n := range cfg.Frameworks {
		members = append(members, frameworkName(n))
	}
	cfg.absence.begin(members)
	if out, err := exec.CommandContext(ctx, "sh", "-c", cfg.Failover, "sh", lead.Address).CombinedOutput(); err != nil {
		return fmt.Errorf("flag --failover: %w: %s", err, out)
	}
	select {
	case <-cfg.absence.over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("not all are back after the leader was killed: %w", context.Cause(ctx))
	}
}

// failoverReport counts from the kill, in milliseconds.
type failoverReport struct {
	Agents     latencyReport `json:"agents_back_ms"`
	Frameworks latencyReport `json:"frameworks_back_ms"`
	Away       int           `json:"still_away"`
}

func (a *absence) report() *failoverReport {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &failoverReport{Agents: latency(a.agents), Frameworks: latency(a.frameworks), Away: len(a.away)}
}
