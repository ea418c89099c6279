// Package local runs a whole cluster in one process: a master, agents, Marathon
// and Chronos, with embedded storage. It owns the order in which they start and
// what the user is told; the parts are the same as in a cluster of many machines.
//
// Run blocks until its context ends or a part fails for good; then all have
// stopped. Once the cluster is up, a master or framework that ends is started
// again, and the others go on.
// Tasks go on, and the next Run with the same work directory finds them.
package local

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent"
	"github.com/soukproject/souk/frameworks/chronos"
	"github.com/soukproject/souk/frameworks/marathon"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/master"
)

// A cluster is what one Run starts.
type cluster struct {
	cfg      Config
	log      *zap.Logger
	master   net.Listener
	agents   []net.Listener
	marathon net.Listener
	chronos  net.Listener
	up       atomic.Bool // the user was told that the cluster is up
}

// Run is the cluster until ctx ends. Every port is taken before anything starts.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.complete(); err != nil {
		return err
	}
	c := &cluster{cfg: cfg, log: cfg.Log}
	defer c.close()
	if err := c.listen(ctx); err != nil {
		return err
	}
	return c.run(ctx)
}

// listen takes the ports, so that a taken one stops nothing halfway.
func (c *cluster) listen(ctx context.Context) error {
	take := func(flag string, ln *net.Listener, port int) error {
		var err error
		if *ln, err = daemon.Listen(ctx, c.cfg.IP, port); err != nil {
			return fmt.Errorf("flag --%s: %w", flag, err)
		}
		return nil
	}
	if err := take("port", &c.master, c.cfg.Port); err != nil {
		return err
	}
	for i := range c.cfg.Agents {
		port := c.cfg.AgentPort
		if port != 0 {
			port += i
		}
		c.agents = append(c.agents, nil)
		if err := take("agent_port", &c.agents[i], port); err != nil {
			return err
		}
	}
	if err := take("marathon_port", &c.marathon, c.cfg.MarathonPort); err != nil {
		return err
	}
	return take("chronos_port", &c.chronos, c.cfg.ChronosPort)
}

func (c *cluster) close() {
	for _, ln := range append(c.agents, c.master, c.marathon, c.chronos) {
		if ln != nil {
			ln.Close()
		}
	}
}

// run starts the master, and the others once it serves: an agent that meets a
// master still recovering would wait before it tries again.
func (c *cluster) run(ctx context.Context) error {
	started := time.Now()
	g := daemon.NewGroup(ctx)
	g.Go("master", c.supervise("master", c.master, c.runMaster))
	g.Go("cluster", func(ctx context.Context) error {
		if err := c.await(ctx, c.masterServes); err != nil {
			return nil // the group is ending, and says why itself
		}
		for i := range c.agents {
			g.Go(c.agentName(i), c.supervise(c.agentName(i), c.agents[i], func(ctx context.Context, ln net.Listener) error {
				return c.runAgent(ctx, ln, i)
			}))
		}
		g.Go("marathon", c.supervise("marathon", c.marathon, c.runMarathon))
		g.Go("chronos", c.supervise("chronos", c.chronos, c.runChronos))
		if err := c.await(ctx, c.ready); err == nil {
			c.up.Store(true)
			c.log.Info("cluster ready", zap.Duration("duration", time.Since(started)))
			c.welcome(time.Since(started))
		}
		<-ctx.Done()
		return nil
	})
	return g.Wait()
}

func (c *cluster) runMaster(ctx context.Context, ln net.Listener) error {
	cfg := master.DefaultConfig()
	cfg.Listener = ln
	cfg.Hostname = c.cfg.IP
	cfg.Cluster = "local"
	cfg.WorkDir = filepath.Join(c.cfg.WorkDir, "master")
	cfg.Build.Version = c.cfg.Version
	cfg.Flags = c.cfg.Flags
	cfg.Logging = c.cfg.Logging
	cfg.Log, cfg.Level = c.log.Named("master"), c.cfg.Level
	return master.Run(ctx, cfg)
}

func (c *cluster) agentName(i int) string { return fmt.Sprintf("agent-%d", i) }

func (c *cluster) runAgent(ctx context.Context, ln net.Listener, i int) error {
	cfg := agent.DefaultConfig()
	cfg.Master = c.master.Addr().String()
	cfg.Listener = ln
	cfg.Hostname = c.cfg.IP
	cfg.WorkDir = filepath.Join(c.cfg.WorkDir, c.agentName(i))
	cfg.Containerizer = c.cfg.Containerizer
	cfg.ContainerizerPath = c.cfg.ContainerizerPath
	cfg.Backoff = 100 * time.Millisecond // nobody else knocks at this master's door
	cfg.Build.Version = c.cfg.Version
	cfg.Flags = c.cfg.Flags
	cfg.Logging = c.cfg.Logging
	cfg.Log, cfg.Level = c.log.Named(c.agentName(i)), c.cfg.Level
	text, err := c.cfg.resources(i)
	if err != nil {
		return err
	}
	cfg.Resources = text
	return agent.Run(ctx, cfg)
}

func (c *cluster) runMarathon(ctx context.Context, ln net.Listener) error {
	cfg := marathon.DefaultConfig()
	cfg.Master = c.master.Addr().String()
	cfg.Listener = ln
	cfg.Hostname = c.cfg.IP
	cfg.WorkDir = filepath.Join(c.cfg.WorkDir, "marathon")
	cfg.Log = c.log.Named("marathon")
	return marathon.Run(ctx, cfg)
}

func (c *cluster) runChronos(ctx context.Context, ln net.Listener) error {
	cfg := chronos.DefaultConfig()
	cfg.Master = c.master.Addr().String()
	cfg.Listener = ln
	cfg.Hostname = c.cfg.IP
	cfg.WorkDir = filepath.Join(c.cfg.WorkDir, "chronos")
	cfg.Log = c.log.Named("chronos")
	return chronos.Run(ctx, cfg)
}
