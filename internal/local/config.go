package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"

	"github.com/soukproject/souk/agent"
	"github.com/soukproject/souk/agent/hostinfo"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/proto/mesos"
)

// maxAgents bounds --agents: each one gets a share of this machine.
const maxAgents = 100

// Config is everything a one-machine cluster is told. Ports may be 0: the
// system chooses then.
type Config struct {
	WorkDir      string
	IP           string
	Port         int // of the master
	AgentPort    int // of the first agent; the others follow
	MarathonPort int
	ChronosPort  int
	Agents       int

	Resources         string // of each agent; "": its share of this machine
	Containerizer     string
	ContainerizerPath string

	Version string
	Flags   []daemon.Flag // as /flags of the master and the agents shows them
	Logging daemon.Logging
	Log     *zap.Logger // nil: as Logging says
	Level   zap.AtomicLevel
	Out     io.Writer // where the user is told; nil: nowhere
}

// DefaultConfig is a cluster as it runs without flags.
func DefaultConfig() Config {
	return Config{
		WorkDir: ".souk", IP: "127.0.0.1", Port: 5050, AgentPort: 5051, MarathonPort: 8080, ChronosPort: 4400,
		Agents: 1, Containerizer: agent.Auto,
	}
}

// ParseFlags reads the flags of `souk local` and the environment. The error is
// daemon.ErrHelp if help was asked for, else one line.
func ParseFlags(args, environ []string) (Config, error) {
	c := DefaultConfig()
	f := flags(&c)
	if err := f.Parse(args, environ); err != nil {
		return c, err
	}
	c.Flags = f.Flags()
	if err := c.check(); err != nil {
		return c, err
	}
	if err := c.openWorkDir(); err != nil { // before the log in it is opened
		return c, err
	}
	if !f.Given("log_dir") {
		c.Logging.Dir = filepath.Join(c.WorkDir, "log")
	}
	if !f.Given("quiet") {
		c.Logging.Quiet = true // the terminal is for what the user is told
	}
	return c, c.placeLog()
}

// Usage is the help text of `souk local`.
func Usage() string {
	c := DefaultConfig()
	return flags(&c).Usage()
}

func flags(c *Config) *daemon.FlagSet {
	f := daemon.NewFlags("souk local")
	f.Path(&c.WorkDir, "work_dir", "Folder for everything that survives a restart")
	f.IP(&c.IP, "ip", "Address to listen on")
	f.Port(&c.Port, "port", "Port of the master")
	f.Port(&c.AgentPort, "agent_port", "Port of the first agent; the others follow")
	f.Port(&c.MarathonPort, "marathon_port", "Port of Marathon")
	f.Port(&c.ChronosPort, "chronos_port", "Port of Chronos")
	f.Int(&c.Agents, 1, maxAgents, "agents", "How many agents share this machine")
	f.String(&c.Resources, "resources", "Resources of each agent, such as cpus:2;mem:2048; default: its share of this machine")
	f.String(&c.Containerizer, "containerizer", "auto, runc (isolated, needs root) or posix (plain processes)")
	f.Path(&c.ContainerizerPath, "containerizer_path", "The souk-containerizer program; default: beside this one")
	c.Logging.AddFlags(f)
	return f
}

// check refuses what Run cannot work with, in one line that says what to do.
func (c *Config) check() error {
	if c.WorkDir == "" {
		return errors.New("flag --work_dir must not be empty: name a folder, such as .souk")
	}
	if c.AgentPort != 0 && c.AgentPort+c.Agents-1 > 65535 {
		return fmt.Errorf("flag --agent_port: %d leaves no room for %d agents: choose a lower one", c.AgentPort, c.Agents)
	}
	return nil
}

// openWorkDir makes the work directory absolute, and be there.
func (c *Config) openWorkDir() error {
	dir, err := filepath.Abs(c.WorkDir)
	if err != nil {
		return fmt.Errorf("flag --work_dir: %w", err)
	}
	c.WorkDir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("flag --work_dir: %w", err)
	}
	return nil
}

// placeLog makes the log's folder absolute, as the user is told it.
func (c *Config) placeLog() error {
	if c.Logging.Dir == "" {
		return nil
	}
	dir, err := filepath.Abs(c.Logging.Dir)
	if err != nil {
		return fmt.Errorf("flag --log_dir: %w", err)
	}
	c.Logging.Dir = dir
	return nil
}

// complete fills in what depends on the machine.
func (c *Config) complete() error {
	if err := c.check(); err != nil {
		return err
	}
	if err := c.openWorkDir(); err != nil {
		return err
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	return nil
}

// Ports that agents share among them: those Mesos' agents offer.
const (
	firstPort = 31000
	portCount = 1001
)

// resources are those of agent i: the machine's, divided. One agent alone finds
// them out by itself.
func (c *Config) resources(i int) (string, error) {
	if c.Resources != "" || c.Agents == 1 {
		return c.Resources, nil
	}
	m, err := hostinfo.Inspect(c.WorkDir)
	if err != nil {
		return "", err
	}
	whole, err := m.Resources("", mesos.AnyRole)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, name := range []string{"cpus", "mem", "disk"} {
		share := whole.Scalar(name).Float() / float64(c.Agents)
		parts = append(parts, fmt.Sprintf("%s:%.2f", name, share))
	}
	width := portCount / c.Agents
	first := firstPort + i*width
	parts = append(parts, fmt.Sprintf("ports:[%d-%d]", first, first+width-1))
	return strings.Join(parts, ";"), nil
}
