package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/core"
)

// maxProbe bounds an attempt that has no timeout of its own.
const maxProbe = time.Hour

// probe makes one attempt of a check or health check, in the namespaces of the task.
func (b *boxes) probe(e core.Probe) {
	b.jobs.put(func(ctx context.Context) {
		timeout := e.Timeout
		if timeout <= 0 {
			timeout = maxProbe
		}
		limited, cancel := context.WithTimeout(ctx, timeout)
		outcome, err := b.attempt(limited, e)
		cancel()
		switch {
		case errors.Is(limited.Err(), context.DeadlineExceeded):
			outcome.Done, outcome.Why = false, fmt.Sprintf("no answer within %v", timeout)
		case err != nil:
			outcome.Why = err.Error()
		}
		b.post(ctx, core.Probed{Container: e.Run.Container, Number: e.Number, Outcome: outcome})
	})
}

func (b *boxes) attempt(ctx context.Context, e core.Probe) (core.Outcome, error) {
	switch t := e.Target; {
	case t.Command != nil:
		return b.attemptCommand(ctx, e)
	case t.Scheme != "":
		return attemptHTTP(ctx, e)
	}
	c, err := dialIn(ctx, e.PID, loopback(e.Target))
	if err != nil {
		return core.Outcome{Done: true, Why: err.Error()}, nil
	}
	c.Close()
	return core.Outcome{Done: true, Connected: true}, nil
}

// attemptCommand runs the command in the task's container. What it prints goes
// where the task's output goes.
func (b *boxes) attemptCommand(ctx context.Context, e core.Probe) (core.Outcome, error) {
	c := e.Target.Command
	cfg := containerizer.Config{
		ID: "check-" + uuid.NewString(), Parent: string(e.Run.Container), Inherit: true,
		Sandbox: b.agent.store.Path(sandboxRun(e.Run)),
		Command: containerizer.Command{Shell: c.GetShell(), Value: c.GetValue(), Args: arguments(c)},
	}
	for _, v := range c.GetEnvironment().GetVariables() {
		cfg.Command.Env = append(cfg.Command.Env, v.GetName()+"="+value(v))
	}
	if b.agent.cfg.SwitchUser {
		cfg.Command.User = c.GetUser()
	}
	defer func() { _ = b.destroyOnce(context.WithoutCancel(ctx), cfg.ID) }() // recovery destroys what is left
	if _, err := b.containers.Launch(ctx, cfg); err != nil {
		return core.Outcome{}, err
	}
	end, err := b.containers.Wait(ctx, cfg.ID)
	if err != nil {
		return core.Outcome{}, err
	}
	code, ok := end.Exited()
	if !ok {
		return core.Outcome{Why: "the command did not come to its end"}, nil
	}
	o := core.Outcome{Done: true, Exit: int32(code)}
	if code != 0 {
		o.Why = fmt.Sprintf("Command exited with status %d", code)
	}
	return o, nil
}

// attemptHTTP asks the task's own loopback; certificates are not looked at, since
// they are of another name.
func attemptHTTP(ctx context.Context, e core.Probe) (core.Outcome, error) {
	target := url.URL{Scheme: e.Target.Scheme, Host: loopback(e.Target)}
	path, err := url.Parse(e.Target.Path) // it may have a query
	if err != nil {
		return core.Outcome{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target.ResolveReference(path).String(), nil)
	if err != nil {
		return core.Outcome{}, err
	}
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, address string) (net.Conn, error) { return dialIn(ctx, e.PID, address) },
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return core.Outcome{}, err
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // servers like to be read
	resp.Body.Close()
	o := core.Outcome{Done: true, Status: uint32(resp.StatusCode)}
	if resp.StatusCode < 200 || resp.StatusCode >= 400 {
		o.Why = "HTTP status " + strconv.Itoa(resp.StatusCode)
	}
	return o, nil
}

func loopback(t core.Target) string {
	host := "127.0.0.1"
	if t.IPv6 {
		host = "::1"
	}
	return net.JoinHostPort(host, strconv.FormatUint(uint64(t.Port), 10))
}

// dial is how probes connect; addresses are numbers.
func dial(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}
