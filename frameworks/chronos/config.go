package chronos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/frameworks/chronos/core"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/zookeeper"
)

// Config is everything an operator decides. Start from DefaultConfig.
type Config struct {
	Master string // host:port of the master, or several separated by commas, or zk://…; see scheduler.Config
	// Detect finds the leading master instead; see scheduler.Config.
	Detect func(ctx context.Context, previous scheduler.Leader) (scheduler.Leader, error)
	HTTP   *http.Client // to reach the master with; nil: one of the SDK's own

	WorkDir string      // folder for what must survive a restart, unless Store or ZK is given
	Store   state.Store // keeps it instead; the caller closes it

	// ZK is where schedulers elect their leader and the leader keeps the jobs;
	// nil: there is one scheduler.
	ZK        *zookeeper.URL
	ZKTimeout time.Duration // of sessions

	Contender leader.Contender // nil: as ZK says
	Detector  leader.Detector  // is given if and only if Contender is

	HTTPAddress string       // to listen on; "" is all
	HTTPPort    int          // 0 lets the system choose
	Listener    net.Listener // is used instead of the two if given
	Hostname    string       // that others are told; "" is the machine's
	Credentials string       // user:password that clients must give; "" asks nobody
	Realm       string

	FrameworkName   string
	Role            string
	User            string // of the framework and of jobs that name none; "" is who runs this process
	Principal       string
	Secret          string
	WebUIURL        string // "" is made of Hostname and port
	FailoverTimeout time.Duration
	Checkpoint      bool // tasks outlive their agent's restart
	ClusterName     string

	TaskCPUs, TaskMem, TaskDisk float64 // of jobs that do not say

	FailureRetry         time.Duration // between a failure and its retry
	DisableAfterFailures int           // in a row; 0: never
	DeclineOffers        time.Duration // how long a declined offer stays away; 0: the master's default
	ReviveInterval       time.Duration // least time between two revivals of declined offers
	ReconcileInterval    time.Duration
	UnreachableTimeout   time.Duration // after which an unreachable run counts as failed; 0: never
	HistoryLimit         int           // ended runs kept per job
	StatRuns             int           // runs shown by /job/stat

	Logging  daemon.Logging
	Log      *zap.Logger // is used instead of Logging if given
	Warnings []string    // from flags, for the log
}

// DefaultConfig is Chronos' defaults, with the port its packages used.
func DefaultConfig() Config {
	return Config{
		ZKTimeout:          zookeeper.DefaultTimeout,
		HTTPPort:           4400,
		Realm:              "Chronos",
		FrameworkName:      "chronos",
		Role:               "*",
		FailoverTimeout:    7 * 24 * time.Hour,
		Checkpoint:         true,
		TaskCPUs:           0.1,
		TaskMem:            128,
		TaskDisk:           256,
		FailureRetry:       time.Minute,
		ReviveInterval:     5 * time.Second,
		ReconcileInterval:  10 * time.Minute,
		UnreachableTimeout: 10 * time.Minute,
		HistoryLimit:       50,
		StatRuns:           5,
	}
}

// complete checks cfg and fills in what the machine decides.
func (c *Config) complete() error {
	switch {
	case c.Master == "" && c.Detect == nil:
		return errors.New("--master is missing: give the master's host:port")
	case (c.Contender == nil) != (c.Detector == nil):
		return errors.New("chronos: Contender and Detector go together")
	case c.ZK != nil && c.Contender != nil:
		return errors.New("chronos: ZK and Contender exclude each other")
	case c.Store == nil && c.ZK == nil && c.WorkDir == "":
		return errors.New("--work_dir is missing: give a folder for the jobs, such as /var/lib/chronos, or --zk")
	case c.ZK != nil && c.ZKTimeout < zookeeper.MinTimeout:
		return fmt.Errorf("--zk_timeout: %v is less than %v", c.ZKTimeout, zookeeper.MinTimeout)
	case c.Credentials != "" && !strings.Contains(c.Credentials, ":"):
		return errors.New("--http_credentials must be of the form user:password")
	}
	if zookeeper.IsURL(c.Master) {
		if _, err := zookeeper.ParseURL(c.Master); err != nil {
			return fmt.Errorf("--master: %w", err)
		}
	}
	if err := c.checkAmounts(); err != nil {
		return err
	}
	if err := c.findUser(); err != nil {
		return err
	}
	return c.findHostname()
}

func (c *Config) checkAmounts() error {
	for _, a := range []struct {
		flag   string
		amount float64
	}{{"mesos_task_cpu", c.TaskCPUs}, {"mesos_task_mem", c.TaskMem}, {"mesos_task_disk", c.TaskDisk}} {
		if !(a.amount > 0) || a.amount > 1e9 {
			return fmt.Errorf("--%s must be above zero", a.flag)
		}
	}
	return nil
}

func (c *Config) findUser() error {
	if c.User != "" {
		return nil
	}
	me, err := user.Current()
	if err != nil {
		return fmt.Errorf("find out who runs this process: %w: give --user", err)
	}
	c.User = me.Username
	return nil
}

func (c *Config) findHostname() error {
	if c.Hostname != "" {
		return nil
	}
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("find out this machine's name: %w: give --hostname", err)
	}
	c.Hostname = name
	return nil
}

func (c *Config) defaults() core.Defaults {
	return core.Defaults{CPUs: c.TaskCPUs, Mem: c.TaskMem, Disk: c.TaskDisk, User: c.User}
}

func (c *Config) core() core.Config {
	return core.Config{
		Zones:                time.LoadLocation,
		Defaults:             c.defaults(),
		FailureRetry:         c.FailureRetry,
		DisableAfterFailures: int64(c.DisableAfterFailures),
		HistoryLimit:         c.HistoryLimit,
		DeclineFor:           c.DeclineOffers,
		ReviveInterval:       c.ReviveInterval,
		ReconcileInterval:    c.ReconcileInterval,
		UnreachableTimeout:   c.UnreachableTimeout,
	}
}

// address is where others reach the scheduler that listens on ln.
func (c *Config) address(ln net.Listener) string {
	port := c.HTTPPort
	if tcp, ok := ln.Addr().(*net.TCPAddr); ok {
		port = tcp.Port
	}
	return net.JoinHostPort(c.Hostname, strconv.Itoa(port))
}
