package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/static"
	"github.com/soukproject/souk/internal/leader/zkleader"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// config is what the flags say.
type config struct {
	Master            string
	MasterPID         int
	Agents            int
	AgentResources    string
	Frameworks        int
	Tasks             int // of each framework
	TaskCPUs, TaskMem float64
	Command           string
	User, Role        string
	TaskDuration      time.Duration
	Finish            bool
	Limit             time.Duration
	Principal, Secret string
	JSON              bool
	Failover          string // shell command; "": no master is killed

	detector leader.Detector // of the leading master
	absence  *absence
	agentHas resources.Resources
}

func parseFlags(args, environ []string) (config, error) {
	c := defaults()
	if err := flags(&c).Parse(args, environ); err != nil {
		return c, err
	}
	return c, c.check()
}

func usage() string {
	c := defaults()
	return flags(&c).Usage()
}

func defaults() config {
	return config{
		Agents: 100, AgentResources: "cpus:32;mem:131072;disk:1048576;ports:[31000-32000]",
		Frameworks: 1, Tasks: 1000, TaskCPUs: 0.1, TaskMem: 32,
		Command: "true", User: "root", Role: "*", Finish: true, Limit: 5 * time.Minute,
	}
}

func flags(c *config) *daemon.FlagSet {
	f := daemon.NewFlags("souk-bench")
	f.String(&c.Master, "master", "Address of the master, as host:port, or where masters elect their leader: zk://host1:2181,host2:2181/path")
	f.Require("master", "give the address of the master, as in --master=127.0.0.1:5050")
	f.Int(&c.MasterPID, 0, 1<<22, "master_pid", "Process whose CPU time counts as the master's; 0: not measured")
	f.Int(&c.Agents, 0, 60000, "agents", "Number of simulated agents; 0 uses those that the master has")
	f.String(&c.AgentResources, "agent_resources", "Resources of each simulated agent")
	f.Int(&c.Frameworks, 0, 10000, "frameworks", "Number of frameworks")
	f.Int(&c.Tasks, 1, 10_000_000, "tasks", "Number of tasks that each framework launches")
	f.Float(&c.TaskCPUs, "task_cpus", "CPUs of each task")
	f.Float(&c.TaskMem, "task_mem", "Megabytes of memory of each task")
	f.String(&c.Command, "command", "Shell command of each task; simulated agents do not run it")
	f.String(&c.User, "user", "User of the frameworks")
	f.String(&c.Role, "role", "Role of the frameworks")
	f.Duration(&c.TaskDuration, 0, "task_duration", "How long a task runs on a simulated agent")
	f.Bool(&c.Finish, "finish", "Let tasks on simulated agents finish; otherwise they run until the end")
	f.Duration(&c.Limit, time.Millisecond, "duration", "Time after which the measurement is given up")
	f.String(&c.Principal, "principal", "Principal of the frameworks, for basic authentication")
	f.String(&c.Secret, "secret", "Secret of the principal")
	f.String(&c.Failover, "failover", "Shell command that kills the leading master, given its host:port as $1, when all tasks run; how soon all are back is measured")
	f.Bool(&c.JSON, "json", "Speak JSON with the master instead of protobuf")
	return f
}

func (c *config) check() (err error) {
	if err := c.checkMaster(); err != nil {
		return err
	}
	switch {
	case c.Failover != "" && (c.Finish || !zookeeper.IsURL(c.Master)):
		return errors.New("flag --failover: it needs tasks that stay and masters that elect: give --no-finish and --master=zk://host:2181/path")
	case c.Frameworks == 0 && c.Agents == 0:
		return fmt.Errorf("flags --agents and --frameworks are both 0: there is nothing to measure")
	case !positive(c.TaskCPUs) && !positive(c.TaskMem):
		return fmt.Errorf("flags --task-cpus and --task-mem are both 0: a task needs some resource")
	case !positive(c.TaskCPUs) && c.TaskCPUs != 0:
		return fmt.Errorf("flag --task-cpus: %v is not an amount: give a number above 0, such as 0.1", c.TaskCPUs)
	case !positive(c.TaskMem) && c.TaskMem != 0:
		return fmt.Errorf("flag --task-mem: %v is not an amount: give megabytes, such as 32", c.TaskMem)
	}
	if c.agentHas, err = resources.Parse(c.AgentResources, "*"); err != nil {
		return fmt.Errorf("flag --agent-resources: %w", err)
	}
	return c.checkFit()
}

func (c *config) checkMaster() error {
	if zookeeper.IsURL(c.Master) {
		if _, err := zookeeper.ParseURL(c.Master); err != nil {
			return fmt.Errorf("flag --master: %w", err)
		}
		return nil
	}
	if host, port, err := net.SplitHostPort(c.Master); err != nil || host == "" || port == "" || strings.Contains(c.Master, "/") {
		return fmt.Errorf("flag --master: %q is not host:port: write it as in 127.0.0.1:5050", c.Master)
	}
	return nil
}

// detect makes the detector of the leading master, and what ends it.
func (c *config) detect() (end func()) {
	u, err := zookeeper.ParseURL(c.Master)
	if err != nil { // an address: check has seen it
		c.detector = static.New(leader.Leader{ID: c.Master, Address: c.Master})
		return func() {}
	}
	d := zkleader.NewDetector(zkleader.Config{URL: u, Format: zkleader.Masters()})
	c.detector = d
	return d.Close
}

// positive is true of amounts that are at least one thousandth and finite.
func positive(v float64) bool { return v >= 0.001 && v < 1e12 }

// checkFit refuses a measurement whose tasks would wait for ever.
func (c *config) checkFit() error {
	if c.Agents == 0 || c.Frameworks == 0 {
		return nil
	}
	each := int64(1) << 40
	for name, needs := range map[string]float64{"cpus": c.TaskCPUs, "mem": c.TaskMem} {
		if n := thousandths(needs); n > 0 {
			each = min(each, thousandths(c.agentHas.Scalar(name).Float())/n)
		}
	}
	room, wanted := each*int64(c.Agents), int64(c.Tasks)*int64(c.Frameworks)
	switch {
	case each == 0:
		return fmt.Errorf("flags --task-cpus and --task-mem: a task does not fit an agent of %s", c.AgentResources)
	case !c.Finish && wanted > room:
		return fmt.Errorf("flag --tasks: %d tasks that do not finish are more than the %d that fit: add --agents", wanted, room)
	}
	return nil
}

// thousandths is a resource's amount in the master's own unit.
func thousandths(v float64) int64 { return int64(v*1000 + 0.5) }
