package marathon

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/frameworks/marathon/core/spec"
)

// probesQueued bounds the health checks that wait for their turn.
const probesQueued = 1 << 16

// A prober runs health checks, a bounded number at a time.
type prober struct {
	workers int
	queue   chan core.Probe
	http    *http.Client
}

func newProber(workers int) *prober {
	return &prober{
		workers: workers,
		queue:   make(chan core.Probe, probesQueued),
		http: &http.Client{
			// A redirect is an answer of the app; where it leads is not checked.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DisableKeepAlives: true, // what is checked is whether the app takes connections
				// Tasks have certificates of their own making; the check is of life, not of identity.
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			},
		},
	}
}

// start queues a check and never blocks. With the queue full the check is left
// out; the core asks for the next one in any case.
func (p *prober) start(e core.Probe) {
	select {
	case p.queue <- e:
	default:
	}
}

func (p *prober) run(ctx context.Context, l *loop) error {
	var workers sync.WaitGroup
	for range p.workers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case e := <-p.queue:
					if l.send(ctx, input{event: core.Probed{TaskID: e.TaskID, Index: e.Index, Result: p.probe(ctx, e)}}) != nil {
						return
					}
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// probe runs one check.
func (p *prober) probe(ctx context.Context, e core.Probe) core.ProbeResult {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(e.Check.TimeoutSeconds)*time.Second)
	defer cancel()
	if e.Check.Protocol == "TCP" {
		return dial(ctx, e.Address)
	}
	return p.get(ctx, e)
}

func dial(ctx context.Context, address string) core.ProbeResult {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return core.ProbeResult{Cause: err.Error()}
	}
	_ = conn.Close() // the connection is all that was asked for
	return core.ProbeResult{Healthy: true}
}

// get: 200 to 399 is healthy.
func (p *prober) get(ctx context.Context, e core.Probe) core.ProbeResult {
	url := strings.ToLower(e.Check.Protocol) + "://" + e.Address + "/" + strings.TrimPrefix(e.Check.Path, "/")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return core.ProbeResult{Cause: err.Error()}
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return core.ProbeResult{Cause: err.Error()}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 1<<10) // the status is what counts
	return judge(e.Check, resp.StatusCode)
}

func judge(h spec.HealthCheck, status int) core.ProbeResult {
	switch {
	case status < 200 && h.IgnoreHTTP1xx:
		return core.ProbeResult{Ignored: true}
	case status >= 200 && status < 400:
		return core.ProbeResult{Healthy: true}
	}
	return core.ProbeResult{Cause: fmt.Sprintf("%d %s", status, http.StatusText(status))}
}
