// Package agent is the agent's process: its configuration and flags, the one
// loop that feeds events to the core and performs what the core wants done, and
// the wiring of checkpoints, containers, sandboxes, the link to the master and
// HTTP. It decides nothing.
//
// Run blocks until its context ends or the agent cannot go on; then it has
// stopped everything that it started, except tasks: those go on, and the next
// agent with the same work directory takes them up. This holds for tasks of all
// frameworks, whether or not they asked for checkpoints: it costs nothing more.
// Several agents may run in one process.
package agent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/api"
	"github.com/soukproject/souk/agent/checkpoint"
	"github.com/soukproject/souk/agent/core"
	"github.com/soukproject/souk/agent/fetcher"
	"github.com/soukproject/souk/agent/hostinfo"
	"github.com/soukproject/souk/agent/image"
	"github.com/soukproject/souk/agent/link"
	"github.com/soukproject/souk/agent/nested"
	"github.com/soukproject/souk/agent/network"
	"github.com/soukproject/souk/agent/sandbox"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// An agent is one process's parts.
type agent struct {
	cfg         Config
	address     string // host:port that others reach it at
	started     time.Time
	bootID      string
	log         *zap.Logger
	metrics     *metrics.Registry
	store       *sandbox.Store
	fetcher     *fetcher.Fetcher
	images      *image.Store
	files       *sandbox.Files
	collector   *sandbox.Collector
	writer      *writer
	boxes       *boxes
	persistence *persistence
	disks       *disks
	nested      *nested.Registry
	loop        *loop
	recovered   atomic.Bool
}

// Run is the agent until ctx ends. Ports are taken and the work directory is
// opened before it returns an error.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.check(); err != nil {
		return err
	}
	ln := cfg.Listener
	if ln == nil {
		var err error
		if ln, err = daemon.Listen(ctx, cfg.IP, cfg.Port); err != nil {
			return err
		}
		defer ln.Close()
	}
	if err := os.MkdirAll(cfg.WorkDir, 0o755); err != nil {
		return fmt.Errorf("flag --work_dir: %w", err)
	}
	log, err := checkpoint.Open(cfg.WorkDir)
	if err != nil {
		return err
	}
	defer log.Close()
	store, err := sandbox.Open(cfg.WorkDir)
	if err != nil {
		return err
	}
	defer store.Close()
	containers, err := openContainers(cfg)
	if err != nil {
		return err
	}
	networks, err := openNetworks(cfg)
	if err != nil {
		return errors.Join(err, containers.close())
	}
	a, err := newAgent(ctx, cfg, ln.Addr(), log, store, containers, networks)
	if err != nil {
		return errors.Join(err, containers.close())
	}
	return errors.Join(a.run(ctx, ln), a.images.Close(), containers.close())
}

func newAgent(ctx context.Context, cfg Config, listening net.Addr, log *checkpoint.Log, store *sandbox.Store,
	containers chosen, networks *network.Networks) (*agent, error) {
	id, err := identify(ctx, cfg, listening)
	if err != nil {
		return nil, err
	}
	id.info.Attributes = containers.attributes(id.info.Attributes)
	a := &agent{
		cfg: cfg, address: net.JoinHostPort(id.ip, strconv.Itoa(int(id.info.GetPort()))), started: time.Now(),
		bootID: hostinfo.BootID(), log: cfg.Log, metrics: metrics.New(), store: store,
	}
	a.fetcher, err = fetcher.New(fetcher.Config{
		CacheDir: cfg.FetcherCacheDir, CacheBytes: int64(min(cfg.FetcherCacheSize, math.MaxInt64)),
		FrameworksHome: cfg.FrameworksHome, Stall: cfg.FetcherStall,
	})
	if err != nil {
		return nil, err
	}
	a.images, err = image.Open(image.Config{Dir: cfg.ImageDir, Registry: cfg.DockerRegistry, Auth: cfg.DockerConfig})
	if err != nil {
		return nil, err
	}
	a.files = sandbox.NewFiles(store, logFile(cfg.Logging))
	a.collector = sandbox.NewCollector(store, sandbox.CollectorConfig{
		Delay: cfg.GCDelay, Headroom: cfg.GCDiskHeadroom, Interval: cfg.DiskWatchInterval,
		Usage: diskUsage(cfg.WorkDir), Log: cfg.Log.Named("gc"),
	})
	a.loop = newLoop(core.New(core.Config{
		Info: id.info, Version: api.MesosVersion, Boot: uuid.NewString(), IP: id.ip, Reached: id.reached,
		Rand:       rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		Configured: fmt.Sprintf("resources %q, attributes %q, default role %q", cfg.Resources, cfg.Attributes, cfg.DefaultRole),
		Additive:   cfg.Additive, Limited: containers.limited(), Images: containers.isolates(), Groups: true, HardCPU: cfg.HardCPU, PIDs: cfg.PIDs, ShutdownGrace: cfg.ShutdownGrace,
		Registration: cfg.Registration, Reregistration: cfg.Reregistration,
	}), a)
	a.writer = newWriter(log, a.loop.post, a.collector.Clear, cfg.Log.Named("checkpoint"))
	if a.nested, err = nested.Open(nested.Config{Containers: containers, WorkDir: cfg.WorkDir, Environment: cfg.Environment}); err != nil {
		return nil, err
	}
	a.boxes = newBoxes(a, containers, networks)
	a.boxes.isolated = containers.isolates()
	a.persistence = newPersistence(a, id.has)
	if a.disks, err = newDisks(a, containers); err != nil {
		return nil, err
	}
	a.metrics.AddSource(metrics.System)
	a.metrics.AddSource(metrics.Runtime)
	a.metrics.AddSource(a.measure)
	return a, nil
}

// LogName is the name of an agent's log, and of its file when --log_dir is given.
const LogName = "souk-agent"

// logFile gives the log file, if there is one, its virtual path.
func logFile(l daemon.Logging) map[string]string {
	if l.Dir == "" {
		return nil
	}
	return map[string]string{"/slave/log": filepath.Join(l.Dir, LogName+".log")}
}

func diskUsage(dir string) func() (float64, error) {
	return func() (float64, error) {
		size, used, err := hostinfo.Disk(dir)
		if err != nil || size == 0 {
			return 0, err
		}
		return float64(used) / float64(size), nil
	}
}

// identity is what the agent is for others.
type identity struct {
	ip      string
	reached string // ip, if the operator chose it; else the master sees it better
	info    *mesospb.AgentInfo
	has     resources.Resources // those of info
}

// identify finds out who this agent is and what it has.
func identify(ctx context.Context, cfg Config, listening net.Addr) (identity, error) {
	ip, port, told := advertised(cfg, listening)
	reached := ""
	if told {
		reached = ip
	}
	hostname := cfg.Hostname
	if hostname == "" {
		var err error
		if hostname, err = hostinfo.Hostname(ctx, ip, cfg.HostnameLookup); err != nil {
			return identity{}, fmt.Errorf("find out the host name (or give --hostname): %w", err)
		}
	}
	machine, err := hostinfo.Inspect(cfg.WorkDir)
	if err != nil {
		return identity{}, err
	}
	has, err := machine.Resources(cfg.Resources, cfg.DefaultRole)
	if err != nil {
		return identity{}, fmt.Errorf("flag --resources: %w", err)
	}
	attributes, err := hostinfo.Attributes(cfg.Attributes)
	if err != nil {
		return identity{}, fmt.Errorf("flag --attributes: %w", err)
	}
	return identity{ip: ip, reached: reached, has: has, info: &mesospb.AgentInfo{
		Hostname: &hostname, Port: new(int32(port)), Resources: has.Proto(resources.PostRefinement), Attributes: attributes,
		Domain: cfg.Domain,
	}}, nil
}

// advertised is the address that others reach this agent at, and whether the
// operator chose it.
func advertised(cfg Config, listening net.Addr) (ip string, port int, told bool) {
	host, portText, err := net.SplitHostPort(listening.String())
	if err == nil {
		port, _ = strconv.Atoi(portText) // a listener's port is a number
	}
	ip, told = host, true
	if addr := net.ParseIP(host); addr == nil || addr.IsUnspecified() {
		ip, told = hostinfo.Address(cfg.peer()), false
	}
	if cfg.AdvertiseIP != "" {
		ip, told = cfg.AdvertiseIP, true
	}
	if cfg.AdvertisePort != 0 {
		port = cfg.AdvertisePort
	}
	return ip, port, told
}

// run serves, recovers and works until ctx ends or a part fails.
func (a *agent) run(ctx context.Context, ln net.Listener) error {
	a.log.Info("agent started", zap.String("address", a.address), zap.String("work_dir", a.cfg.WorkDir), zap.String("version", a.cfg.Build.Version))
	if !a.cfg.SwitchUser {
		a.log.Info("tasks run as the agent's user, whatever user they name", zap.Int("uid", os.Getuid()))
	}
	if n := a.writer.log.Dropped(); n > 0 {
		a.log.Warn("end of checkpoint log cut off: it was not written to its end", zap.Int64("bytes", n))
	}
	g := daemon.NewGroup(ctx)
	g.Go("serve", func(ctx context.Context) error {
		return daemon.Server{Handler: a.handler(), Log: a.log}.Serve(ctx, ln)
	})
	g.Go("agent", a.work)
	err := g.Wait()
	a.log.Info("agent stopped", zap.String("address", a.address), zap.Error(err))
	return err
}

func (a *agent) handler() http.Handler {
	return api.New(api.Config{
		Agent: a, Files: a.files, Store: a.store, Nested: a.nested, Metrics: a.metrics, Address: a.address, Started: a.started,
		LogDir: a.cfg.Logging.Dir, Flags: a.cfg.Flags, Build: a.cfg.Build, Log: a.log.Named("api"), Level: a.cfg.Level, Prune: a.images.Prune,
		Gate: a.cfg.gate(),
	})
}

// work recovers and then runs the loop and what it needs.
func (a *agent) work(ctx context.Context) error {
	var recovered core.Recovered
	began := time.Now()
	err := a.writer.persist(ctx, func() (err error) {
		recovered, err = a.recover(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	a.metrics.Gauge("slave/recovery_time_secs").Set(time.Since(began).Seconds())
	detector, closeDetector := a.cfg.detector()
	defer closeDetector()
	g := daemon.NewGroup(ctx)
	g.Go("loop", func(ctx context.Context) error { return a.loop.run(ctx, recovered) })
	g.Go("checkpoint", a.writer.run)
	g.Go("containers", a.boxes.run)
	g.Go("volumes", a.persistence.run)
	g.Go("sandboxes", a.collector.Run)
	g.Go("disks", a.disks.run)
	g.Go("outputs", a.outputs)
	g.Go("link", func(ctx context.Context) error {
		return link.Run(ctx, link.Config{Detector: detector, Header: a.cfg.Credential.Header(), Backoff: a.cfg.Backoff, Log: a.log.Named("link")}, a.loop)
	})
	return g.Wait()
}
