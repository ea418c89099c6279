package marathon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/framework/scheduler"
	"github.com/soukproject/souk/frameworks/marathon/core"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/standby"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/zookeeper"
)

// Config is everything a scheduler is told. DefaultConfig has the defaults.
type Config struct {
	// Master is host:port of the Mesos master, or several separated by commas, or
	// zk://… where masters elect one; see scheduler.Config.
	Master string
	// Detect finds the leading master in place of Master, if set.
	Detect func(ctx context.Context, previous scheduler.Leader) (scheduler.Leader, error)
	HTTP   *http.Client // for the master; nil: one of its own
	// Principal and Secret are the credential for the master; "" sends none.
	Principal, Secret string

	Address  string       // to listen on
	Port     int          // to listen on; 0 lets the system choose
	Listener net.Listener // takes the place of Address and Port; Run does not close it
	Hostname string       // others reach this process at; default: the machine's name
	WebUIURL string       // shown by the master; default: made of Hostname and the port

	WorkDir string      // folder of the store, unless ZK is set
	Store   state.Store // takes the place of WorkDir and ZK; Run does not close it

	// ZK is where schedulers elect their leader and the leader keeps its state;
	// nil: there is one scheduler.
	ZK        *zookeeper.URL
	ZKTimeout time.Duration  // of sessions
	HA        bool           // with ZK: take part in the election
	Proxy     standby.Limits // of requests passed on to the leader

	Contender leader.Contender // nil: as ZK says
	Detector  leader.Detector  // set if and only if Contender is

	FrameworkName   string
	User            string        // tasks run as, unless the app names one; default: this process's user
	FailoverTimeout time.Duration // the master keeps tasks this long without the scheduler
	Checkpoint      bool          // agents keep tasks over their own restart

	Core      core.Config // but for Rand, which Run sets
	MaxEvents int         // waiting per listener of /v2/events
	MaxProbes int         // health checks at the same time

	Credentials string   // user:password of the API, "" for none
	Realm       string   // of Credentials
	Origins     []string // that browsers may read from

	Version  string   // of the build
	Warnings []string // about flags, logged at the start
	Logging  daemon.Logging
	Log      *zap.Logger // nil: silent
}

// DefaultConfig is a scheduler as it runs without flags, but for the master and
// the work directory, which must be chosen.
func DefaultConfig() Config {
	return Config{
		Address:         "0.0.0.0",
		Port:            8080,
		FrameworkName:   "marathon",
		FailoverTimeout: 604800 * time.Second,
		Checkpoint:      true,
		Core:            core.DefaultConfig("*"),
		ZKTimeout:       zookeeper.DefaultTimeout,
		HA:              true,
		Proxy:           standby.DefaultLimits(),
		MaxEvents:       1024,
		MaxProbes:       256,
		Realm:           "Mesosphere",
		Version:         "1.9.0",
		Log:             zap.NewNop(),
	}
}

// check fills in what depends on the machine and refuses what Run cannot work
// with, in one line that says what to do.
func (c *Config) check() error {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("find the name of this machine: %w: give --hostname", err)
		}
		c.Hostname = name
	}
	if zookeeper.IsURL(c.Master) {
		if _, err := zookeeper.ParseURL(c.Master); err != nil {
			return fmt.Errorf("flag --master: %w", err)
		}
	}
	switch {
	case c.Master == "" && c.Detect == nil:
		return errors.New("flag --master is required: give host:port of the master, such as 127.0.0.1:5050")
	case c.Core.ServicePortMin > c.Core.ServicePortMax:
		return fmt.Errorf("flag --local_port_max: %d is below --local_port_min %d", c.Core.ServicePortMax, c.Core.ServicePortMin)
	case (c.Contender == nil) != (c.Detector == nil):
		return errors.New("marathon: Contender and Detector go together")
	case c.ZK != nil && c.Contender != nil:
		return errors.New("marathon: ZK and Contender exclude each other")
	case c.Store == nil && c.ZK == nil && c.WorkDir == "":
		return errors.New("flag --work_dir is required: name a folder that survives a restart, such as /var/lib/souk/marathon, or give --zk")
	}
	return nil
}
