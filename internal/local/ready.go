package local

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// pollInterval is how often a start looks whether the parts are up.
const pollInterval = 20 * time.Millisecond

// await polls until done says so.
func (c *cluster) await(ctx context.Context, done func(context.Context) bool) error {
	for !done(ctx) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollInterval):
		}
	}
	return nil
}

func (c *cluster) url(host fmt.Stringer, path string) string { return "http://" + host.String() + path }

// masterServes reports whether the master has recovered: until then it answers 503.
func (c *cluster) masterServes(ctx context.Context) bool {
	return get(ctx, c.url(c.master.Addr(), "/state-summary"), nil) == nil
}

// ready reports whether all agents and both frameworks are with the master.
func (c *cluster) ready(ctx context.Context) bool {
	var m map[string]float64
	if get(ctx, c.url(c.master.Addr(), "/metrics/snapshot"), &m) != nil {
		return false
	}
	return int(m["master/slaves_active"]) >= len(c.agents) && m["master/frameworks_active"] >= 2
}

// get reads JSON into out, or only looks at the status if out is nil.
func get(ctx context.Context, url string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", url, resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// welcome tells the user where everything is and what to try next.
func (c *cluster) welcome(took time.Duration) {
	marathon, chronos := c.url(c.marathon.Addr(), ""), c.url(c.chronos.Addr(), "")
	var b strings.Builder
	fmt.Fprintf(&b, "\nSouk is up after %.1fs.\n\n", took.Seconds())
	line := func(what, where string) { fmt.Fprintf(&b, "  %-10s %s\n", what, where) }
	line("master", c.url(c.master.Addr(), ""))
	for _, ln := range c.agents {
		line("agent", c.url(ln.Addr(), ""))
	}
	line("marathon", marathon)
	line("chronos", chronos)
	line("state", c.cfg.WorkDir)
	if c.cfg.Logging.Dir != "" {
		line("log", c.cfg.Logging.Dir)
	}
	fmt.Fprintf(&b, `
Try in another terminal:
  curl -X POST -H 'Content-Type: application/json' %s/v2/apps \
    -d '{"id": "hello", "cmd": "while true; do echo hello; sleep 5; done", "cpus": 0.1, "mem": 32}'
  curl %s/v2/apps/hello/tasks
  curl -X POST -H 'Content-Type: application/json' %s/v1/scheduler/iso8601 \
    -d '{"name": "date", "command": "date", "schedule": "R//PT1M"}'
  curl %s/v1/scheduler/job/date
  curl %s/tasks

Ctrl-C stops the cluster. Tasks go on, and the next start finds them.
`, marathon, marathon, chronos, chronos, c.url(c.master.Addr(), ""))
	fmt.Fprint(c.cfg.Out, b.String())
}
