package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/soukproject/souk/agent/link"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// idleCalls is how many connections for calls the agents keep between them;
// each has its stream besides.
const idleCalls = 256

// startAgents joins all simulated agents, which stay until ctx ends, and
// returns once the last has registered.
func startAgents(ctx context.Context, cfg *config, members *sync.WaitGroup, failed func(error)) error {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConnsPerHost: idleCalls,
	}
	total := cfg.agentHas.Proto(resources.PostRefinement)
	boot := uuid.NewString()

	var missing sync.WaitGroup
	missing.Add(cfg.Agents)
	for n := range cfg.Agents {
		a := newAgent(cfg, n, boot, total)
		a.registered = missing.Done
		a.back = func() { cfg.absence.back(agentName(n), &cfg.absence.agents) }
		a.failed = func(err error) {
			if ctx.Err() == nil && !cfg.absence.begins() {
				failed(err)
			}
		}
		members.Go(func() {
			_ = link.Run(ctx, link.Config{Detector: cfg.detector, HTTP: &http.Client{Transport: transport}}, a)
		})
	}
	all := make(chan struct{})
	go func() {
		missing.Wait()
		close(all)
	}()
	select {
	case <-all:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("not all of %d agents registered: %w", cfg.Agents, context.Cause(ctx))
	}
}
