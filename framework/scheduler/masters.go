package scheduler

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/soukproject/souk/internal/leader/zkleader"
	"github.com/soukproject/souk/internal/zookeeper"
)

// masters says which master to try. Addresses are URLs without a path.
type masters interface {
	// next blocks until there is one to try.
	next(ctx context.Context) (string, error)
	// changed blocks until another than master should be tried; false: ctx ended first.
	changed(ctx context.Context, master string) bool
	// close ends what finds them.
	close()
}

// listed goes through a fixed list, one further with each attempt. Those that
// do not lead redirect, so that any will do that is alive.
type listed struct {
	urls  []string
	tried int
}

func (l *listed) next(context.Context) (string, error) {
	u := l.urls[l.tried%len(l.urls)]
	l.tried++
	return u, nil
}

func (l *listed) close() {}

func (l *listed) changed(ctx context.Context, _ string) bool {
	<-ctx.Done()
	return false
}

// detected asks a detector. leader is the one found last: next and changed
// take turns, never at one time.
type detected struct {
	detect func(context.Context, Leader) (Leader, error)
	stop   func()
	leader Leader
}

// elected finds the master that won an election in ZooKeeper.
func elected(cfg Config) (*detected, error) {
	u, err := zookeeper.ParseURL(cfg.Master)
	if err != nil {
		return nil, fmt.Errorf("scheduler: Config.Master: %w", err)
	}
	d := zkleader.NewDetector(zkleader.Config{URL: u, Format: zkleader.Masters(), Log: cfg.Log})
	return &detected{detect: d.Detect, stop: d.Close}, nil
}

func (d *detected) close() { d.stop() }

func (d *detected) next(ctx context.Context) (string, error) {
	for d.leader.None() {
		l, err := d.detect(ctx, d.leader)
		if err != nil {
			return "", fmt.Errorf("detect master: %w", err)
		}
		d.leader = l
	}
	base, err := baseURL(d.leader.Address)
	if err != nil {
		return "", fmt.Errorf("detect master: %w", err)
	}
	return base, nil
}

func (d *detected) changed(ctx context.Context, _ string) bool {
	l, err := d.detect(ctx, d.leader)
	if err != nil {
		<-ctx.Done() // a detector that fails says so to next
		return false
	}
	d.leader = l
	return true
}

// baseURL makes host:port, with or without a scheme, into the URL of a master.
func baseURL(address string) (string, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("'%s' is not host:port", address)
	}
	host, port, err := net.SplitHostPort(u.Host)
	switch {
	case err != nil || host == "" || port == "":
		return "", fmt.Errorf("'%s' is not host:port", strings.TrimPrefix(address, "http://"))
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("'%s' has scheme %s; use http or https", address, u.Scheme)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return "", fmt.Errorf("'%s' has a path; give host:port alone", address)
	}
	return u.Scheme + "://" + u.Host, nil
}
