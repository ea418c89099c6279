package agent

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent/api"
	"github.com/soukproject/souk/agent/containerizer"
	"github.com/soukproject/souk/agent/isolation"
	"github.com/soukproject/souk/agent/link"
	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/static"
	"github.com/soukproject/souk/internal/leader/zkleader"
	"github.com/soukproject/souk/internal/zookeeper"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// Kinds of containerizers (flag --containerizer).
const (
	Auto  = "auto"  // the best that the machine allows
	Posix = "posix" // plain processes
	RunC  = "runc"  // isolated, through the helper program
)

// Config is everything an agent is told. DefaultConfig has the defaults; fields
// named as flags mean what those mean.
type Config struct {
	Master   string          // host:port of the master, or zk://… to find the leading one
	Detector leader.Detector // takes the place of Master if set

	Credential  auth.Credential   // for a master that asks agents for one
	Credentials *auth.Credentials // that are let through where the agent asks for credentials

	AskReaders, AskOperators bool // for credentials

	ensemble  *zookeeper.URL // of a Master that is one
	ZKTimeout time.Duration  // of sessions with it; 0: zookeeper.DefaultTimeout

	IP             string
	Port           int
	Listener       net.Listener // takes the place of IP and Port if set; Run does not close it
	AdvertiseIP    string
	AdvertisePort  int
	Hostname       string
	HostnameLookup bool

	WorkDir    string
	RuntimeDir string // "": the folder run in WorkDir

	Resources   string
	Attributes  string
	Domain      *mesospb.DomainInfo // nil: none
	DefaultRole string
	Additive    bool // resources and attributes may grow while tasks run

	Containerizer     string        // Auto, Posix or RunC
	ContainerizerPath string        // of souk-containerizer; "": beside the running program
	Isolation         isolation.Set // what containers must have; nil: the best that Containerizer gives
	CgroupsRoot       string        // of this agent alone; "": one named after RuntimeDir
	HardCPU           bool
	PIDs              int64
	NoSeccomp         bool

	EffectiveCapabilities []string // without CAP_; nil: see BoundingCapabilities
	BoundingCapabilities  []string // the most a task may ask for; nil: containerizer.DefaultCapabilities
	SeccompDir            string   // of profiles in Docker's JSON
	SeccompProfile        string   // of tasks that name none
	PrivateIPC            bool     // tasks may not share the machine's
	ShmSize               int64    // bytes of /dev/shm; 0: half the memory

	NetworkBridge       string       // name of the bridge's link; "": one of this agent
	NetworkBridgeName   string       // what tasks may call the network of the bridge, besides bridge
	NetworkBridgeSubnet netip.Prefix // zero: one that the machine does not use
	CNIConfigDir        string
	CNIPluginDirs       []string
	DNS                 []string // of containers with a network of their own; none: the machine's

	// Containers takes the place of the containerizer chosen by the fields
	// above if set. Run does not close it.
	Containers containerizer.Containerizer

	ImageDir       string // "": the folder images in RuntimeDir
	DockerRegistry string // of images whose name has none; "": Docker's
	DockerConfig   []byte // credentials

	FetcherCacheDir  string // "": the folder fetch in RuntimeDir
	FetcherCacheSize uint64 // bytes
	FetcherStall     time.Duration
	FrameworksHome   string
	VolumeCreation   []string // folders below which host paths of volumes are made

	SwitchUser     bool
	Environment    map[string]string // of all tasks, before everything else
	ShutdownGrace  time.Duration
	Registration   time.Duration // --executor_registration_timeout
	Reregistration time.Duration // --executor_reregistration_timeout
	Recovery       time.Duration // --recovery_timeout
	Backoff        time.Duration // --registration_backoff_factor

	EnforceDiskQuota           bool          // end containers that keep more on disk than they have
	ContainerDiskWatchInterval time.Duration // between two looks at what they keep

	XFSProjects [2]uint32 // the first and the last that sandboxes may be, with the isolator disk/xfs
	XFSKill     bool      // end containers that reach their limit, instead of refusing what they write

	RotateOutput bool   // of tasks
	OutputSize   uint64 // bytes of a file, beyond which it is rotated
	OutputFiles  int    // older ones that stay

	GCDelay           time.Duration
	GCDiskHeadroom    float64
	DiskWatchInterval time.Duration

	Build   api.Build
	Flags   []daemon.Flag // as /flags shows them
	Logging daemon.Logging
	Log     *zap.Logger     // nil: silent
	Level   zap.AtomicLevel // of Log, for changes at run time
}

// DefaultPort is where agents listen.
const DefaultPort = 5051

// defaultMasterPort completes a --master without one.
const defaultMasterPort = "5050"

// DefaultConfig is an agent as it runs without flags, but for the master and
// the work directory, which must be named.
func DefaultConfig() Config {
	return Config{
		IP:             "0.0.0.0",
		Port:           DefaultPort,
		HostnameLookup: true,
		DefaultRole:    "*",
		Containerizer:  Auto,
		SwitchUser:     isRoot(),

		NetworkBridgeName: "mesos-bridge",

		FetcherCacheSize: 2 << 30,
		FetcherStall:     time.Minute,

		ShutdownGrace:  5 * time.Second,
		Registration:   time.Minute,
		Reregistration: 2 * time.Second,
		Recovery:       15 * time.Minute,
		Backoff:        time.Second,

		ContainerDiskWatchInterval: 15 * time.Second,

		XFSProjects: [2]uint32{5000, 10000},
		OutputSize:  10 << 20,
		OutputFiles: 9,

		GCDelay:           7 * 24 * time.Hour,
		GCDiskHeadroom:    0.1,
		DiskWatchInterval: time.Minute,

		Build: api.Build{Version: "0.1.0"},
		Log:   zap.NewNop(),
	}
}

// number tells agents on one machine apart: each has a runtime folder of its own.
func (c Config) number() uint32 {
	h := fnv.New32a()
	h.Write([]byte(c.RuntimeDir)) // never fails
	return h.Sum32()
}

// gate asks for credentials where it is wanted.
func (c *Config) gate() auth.Gate {
	g := auth.Gate{Known: c.Credentials}
	g.Ask(c.AskReaders, api.ReadOnly)
	g.Ask(c.AskOperators, api.ReadWrite)
	return g
}

// check refuses what Run cannot work with, in one line that says what to do.
func (c *Config) check() error {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.Detector == nil && zookeeper.IsURL(c.Master) {
		u, err := zookeeper.ParseURL(c.Master)
		if err != nil {
			return fmt.Errorf("flag --master: %w", err)
		}
		c.ensemble = &u
	} else if c.Detector == nil {
		address, err := masterAddress(c.Master)
		if err != nil {
			return fmt.Errorf("flag --master: %w", err)
		}
		c.Master = address
		c.Detector = static.New(leader.Leader{ID: address, Address: address})
	}
	if len(c.gate().Realms) > 0 && c.Credentials == nil {
		return errors.New("flag --http_credentials: nobody could prove who they are, which other flags ask for: name the file of credentials")
	}
	if c.WorkDir == "" {
		return errors.New("flag --work_dir is required: name a folder that survives a restart, such as /var/lib/souk/agent")
	}
	if !slices.Contains([]string{Auto, Posix, RunC}, c.Containerizer) {
		return fmt.Errorf("flag --containerizer: %q is none of %s, %s and %s", c.Containerizer, Auto, Posix, RunC)
	}
	if c.Backoff > link.MaxBackoff {
		return fmt.Errorf("flag --registration_backoff_factor: %v is more than %v, the longest wait there is", c.Backoff, link.MaxBackoff)
	}
	dir, err := filepath.Abs(c.WorkDir)
	if err != nil {
		return fmt.Errorf("flag --work_dir: %w", err)
	}
	c.WorkDir = dir
	if c.RuntimeDir == "" {
		c.RuntimeDir = filepath.Join(dir, "run")
	}
	if c.ImageDir == "" {
		c.ImageDir = filepath.Join(c.RuntimeDir, "images")
	}
	if c.FetcherCacheDir == "" {
		c.FetcherCacheDir = filepath.Join(c.RuntimeDir, "fetch")
	}
	return nil
}

// masterAddress reads --master: host:port, or host alone.
func masterAddress(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("it is required: write --master=HOST:PORT or --master=zk://HOST1:2181,HOST2:2181/PATH")
	case strings.Contains(text, "/"):
		return "", fmt.Errorf("%q is not an address: write --master=HOST:PORT", text)
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil && !strings.Contains(text, ":") {
		host, port, err = text, defaultMasterPort, nil
	}
	if err != nil || host == "" || port == "" {
		return "", fmt.Errorf("%q is not an address: write --master=HOST:PORT", text)
	}
	return net.JoinHostPort(host, port), nil
}

// detector is what finds the master, and what closes it.
func (c Config) detector() (leader.Detector, func()) {
	if c.ensemble == nil {
		return c.Detector, func() {}
	}
	d := zkleader.NewDetector(zkleader.Config{URL: *c.ensemble, Timeout: c.ZKTimeout, Format: zkleader.Masters(), Log: c.Log.Named("detector")})
	return d, d.Close
}

// peer is the host:port in whose direction others are found.
func (c Config) peer() string {
	if c.ensemble != nil {
		return c.ensemble.Servers[0]
	}
	return c.Master
}
