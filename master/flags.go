package master

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/proto/mesos"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	"github.com/soukproject/souk/proto/mesos/resources"
)

// maxRole bounds the length of a role with a weight: it names a registry entry.
const maxRole = 400

// ParseFlags reads the flags of `souk master` (mesos-api 20.1) and the
// environment. The error is daemon.ErrHelp if help was asked for, else one line.
func ParseFlags(args, environ []string) (Config, error) {
	c := DefaultConfig()
	f := flags(&c)
	if err := f.Parse(args, environ); err != nil {
		return c, err
	}
	c.Flags, c.Warnings = f.Flags(), f.Warnings()
	return c, c.check()
}

// Usage is the help text of `souk master`.
func Usage() string {
	c := DefaultConfig()
	return flags(&c).Usage()
}

func flags(c *Config) *daemon.FlagSet {
	f := daemon.NewFlags("souk master")
	c.networkFlags(f)
	c.registryFlags(f)
	c.allocatorFlags(f)
	c.agentFlags(f)
	c.frameworkFlags(f)
	c.accessFlags(f)
	c.Logging.AddFlags(f)
	refused(f)
	ignored(f)
	return f
}

func (c *Config) networkFlags(f *daemon.FlagSet) {
	f.IP(&c.IP, "ip", "Address to listen on")
	f.Port(&c.Port, "port", "Port to listen on")
	f.IP(&c.AdvertiseIP, "advertise_ip", "Address that others reach this master at, if not --ip")
	f.Port(&c.AdvertisePort, "advertise_port", "Port that others reach this master at, if not --port")
	f.String(&c.Hostname, "hostname", "Host name that others are told; default: looked up")
	f.Bool(&c.HostnameLookup, "hostname_lookup", "Look the host name of the address up; otherwise others are told the address")
	f.String(&c.Cluster, "cluster", "Name of the cluster, shown in /state and user interfaces")
}

func (c *Config) registryFlags(f *daemon.FlagSet) {
	f.Func("zk", "", "Where masters elect their leader, and the leader keeps the registry: zk://[user:password@]host1:2181,host2:2181/path; default: one master", func(text string) error {
		u, err := zookeeper.ParseURL(text)
		c.ZK = &u
		return err
	})
	c.ZKTimeout = zookeeper.DefaultTimeout
	f.Duration(&c.ZKTimeout, zookeeper.MinTimeout, "zk_session_timeout", "Time after which ZooKeeper lets others lead when this master is silent")
	f.Path(&c.WorkDir, "work_dir", "Folder for what must survive a restart; required without --zk, unless --registry=in_memory")
	f.Func("registry", c.Registry, "Where admitted agents are kept: local (a file in --work_dir; replicated_log means the same) or in_memory", func(text string) error {
		switch text {
		case Local, "replicated_log":
			c.Registry = Local
		case InMemory:
			c.Registry = InMemory
		default:
			return fmt.Errorf("%q is neither %s nor %s", text, Local, InMemory)
		}
		return nil
	})
	f.Duration(&c.RegistryFetchTimeout, time.Millisecond, "registry_fetch_timeout", "Time for reading the registry after an election; then the master gives up")
	f.Duration(&c.RegistryStoreTimeout, time.Millisecond, "registry_store_timeout", "Time for one write of the registry; then the master gives up")
	f.Duration(&c.RegistryGCInterval, time.Second, "registry_gc_interval", "Time between two searches for unreachable and gone agents to forget")
	f.Duration(&c.RegistryMaxAgentAge, 0, "registry_max_agent_age", "Unreachable and gone agents are forgotten after this time")
	f.Int(&c.RegistryMaxAgentCount, 0, 1<<31-1, "registry_max_agent_count", "So many unreachable and gone agents are remembered at most")
}

func (c *Config) allocatorFlags(f *daemon.FlagSet) {
	f.String(&c.Allocator, "allocator", "Policy that decides who is offered what: hierarchical, or random (lots drawn by weight)")
	f.Func("offer_policy", c.OfferPolicy.String(), "How what is free becomes offers: coarse (whole agents), spread (small first slices) or pack (agents in use first)", func(text string) (err error) {
		c.OfferPolicy, err = allocator.ParseOffering(text)
		return err
	})
	f.Func("offers", "exclusive", "Who sees what is free: exclusive (one framework at a time) or optimistic (several; the first to accept it has it)", func(text string) error {
		if text != "exclusive" && text != "optimistic" {
			return fmt.Errorf("%q is neither exclusive nor optimistic", text)
		}
		c.OptimisticOffers = text == "optimistic"
		return nil
	})
	f.Duration(&c.AllocationInterval, time.Millisecond, "allocation_interval", "Shortest time a declined resource stays away from who declined it")
	f.Duration(&c.OfferTimeout, 0, "offer_timeout", "An offer nobody answers is rescinded after this time; 0ns: never")
	f.Func("min_allocatable_resources", "cpus:0.01|mem:32", "An offer holds at least one of these alternatives, written cpus:0.01|mem:32", func(text string) (err error) {
		c.MinAllocatable, err = parseAlternatives(text)
		return err
	})
	f.Func("fair_sharing_excluded_resource_names", "", "Resources that do not count for fair shares, separated by commas", func(text string) error {
		c.NotShared = split(text)
		return nil
	})
	f.Bool(&c.FilterGPUs, "filter_gpu_resources", "Keep agents that have gpus for frameworks that can use them")
	f.Path(&c.Whitelist, "whitelist", "File with the host names of agents that may be offered, one a line, read again every 5 s; *: all")
	f.Func("roles", "", "Roles that frameworks may have, separated by commas; default: any", func(text string) (err error) {
		c.Roles, err = parseRoles(text)
		return err
	})
	f.Func("weights", "", "Shares of roles, as role=weight,…; used until the registry holds any", func(text string) (err error) {
		c.Weights, err = parseWeights(text)
		return err
	})
	f.Func("preempt_for", "", "Roles for whose guarantees tasks of others may be asked to leave, separated by commas; default: none", func(text string) (err error) {
		if c.PreemptFor, err = parseRoles(text); err != nil {
			return err
		}
		for _, r := range c.PreemptFor {
			if strings.Contains(r, "/") {
				return fmt.Errorf("%q lies below another role: only roles at the top have guarantees", r)
			}
		}
		return nil
	})
	f.Duration(&c.PreemptAfter, 0, "preempt_after", "Nobody is asked to leave before a guarantee has not been met for so long")
	f.Duration(&c.PreemptGrace, 0, "preempt_grace", "Who is asked to leave gets its own grace period to end, and at least this")
	f.Func("allocator_agent_recovery_factor", "0.8", "With quota, a new leader offers nothing before this part of the agents is back", func(text string) error {
		factor, err := strconv.ParseFloat(text, 64)
		if err != nil || !(factor > 0 && factor <= 1) {
			return fmt.Errorf("%q is not a number above 0 and at most 1", text)
		}
		c.AllocatorRecoveryFactor = factor
		return nil
	})
	f.Duration(&c.AllocatorRecoveryTimeout, time.Millisecond, "allocator_recovery_timeout", "With quota, a new leader waits no longer than this for agents before it makes offers")
	for _, name := range []string{"role_sorter", "framework_sorter"} {
		f.Func(name, "drf", "Order in which roles and frameworks are served: drf", func(text string) error {
			if text != "drf" {
				return fmt.Errorf("%q is not part of this version: use drf", text)
			}
			return nil
		})
	}
}

func (c *Config) agentFlags(f *daemon.FlagSet) {
	f.Duration(&c.AgentPingTimeout, time.Second, "agent_ping_timeout", "Time for an agent to answer a ping")
	f.Int(&c.MaxAgentPingTimeouts, 1, 1000, "max_agent_ping_timeouts", "An agent that misses so many pings in a row is unreachable")
	f.Duration(&c.AgentReregisterTimeout, 10*time.Minute, "agent_reregister_timeout", "Time for agents to come back to a new leader; then they are unreachable")
	f.Func("agent_removal_rate_limit", "", "At most so many agents are marked unreachable in a time, evenly spaced: 1/10mins. Default: no limit", func(text string) (err error) {
		c.AgentRemovalInterval, err = parseRate(text)
		return err
	})
	f.Func("recovery_agent_removal_limit", "100%", "A new leader ends if a larger part of the agents does not come back within agent_reregister_timeout", func(text string) error {
		part, err := parsePercent(text)
		c.RecoveryAgentMinimum = 1 - part
		return err
	})
	f.Domain(&c.Domain, "Region and zone of this master, as JSON; agents of other regions go to frameworks that are REGION_AWARE")
	f.Bool(&c.RequireAgentDomain, "require_agent_domain", "Refuse agents without --domain")
	f.Alias("slave_removal_rate_limit", "agent_removal_rate_limit")
	f.Alias("recovery_slave_removal_limit", "recovery_agent_removal_limit")
	f.Alias("slave_ping_timeout", "agent_ping_timeout")
	f.Alias("max_slave_ping_timeouts", "max_agent_ping_timeouts")
	f.Alias("slave_reregister_timeout", "agent_reregister_timeout")
}

func (c *Config) frameworkFlags(f *daemon.FlagSet) {
	f.Bool(&c.RootSubmissions, "root_submissions", "Let root run frameworks")
	f.Bool(&c.FrameworkMetrics, "publish_per_framework_metrics", "Publish metrics of each framework; many frameworks make many of them")
	f.Int(&c.MaxCompletedFrameworks, 0, 1<<20, "max_completed_frameworks", "So many frameworks that ended are remembered")
	f.Int(&c.MaxCompletedTasks, 0, 1<<20, "max_completed_tasks_per_framework", "So many tasks that ended are remembered per framework")
	f.Int(&c.MaxUnreachableTasks, 0, 1<<20, "max_unreachable_tasks_per_framework", "So many tasks of unreachable agents are remembered per framework")
	f.Int(&c.MaxOperatorSubscribers, 1, 1<<20, "max_operator_event_stream_subscribers", "So many operator event streams at a time; the oldest makes room")
}

// accessFlags say who has to prove who they are. Schedulers speak HTTP only, so
// that Mesos' two flags about frameworks are one here.
func (c *Config) accessFlags(f *daemon.FlagSet) {
	f.PathFunc("credentials", "", "File of who may prove who they are: JSON, or a principal and its secret on each line", func(path string) (err error) {
		c.Credentials, err = auth.ReadCredentials(path)
		return err
	})
	f.Bool(&c.AskReaders, "authenticate_http_readonly", "Ask for credentials where the cluster is looked at")
	f.Bool(&c.AskOperators, "authenticate_http_readwrite", "Ask operators for credentials where the cluster can be changed")
	f.Bool(&c.AskSchedulers, "authenticate_http_frameworks", "Ask schedulers for credentials")
	f.Bool(&c.AskAgents, "authenticate_agents", "Ask agents for credentials")
	f.Alias("authenticate_frameworks", "authenticate_http_frameworks")
	f.Alias("authenticate_slaves", "authenticate_agents")
	f.Only("authenticators", "crammd5")
	f.Only("http_authenticators", "basic")
	f.Only("http_framework_authenticators", "basic")
}

// refused are flags of Mesos whose promise this version cannot keep.
func refused(f *daemon.FlagSet) {
	for _, name := range []string{"acls", "rate_limits", "firewall_rules", "authorizers"} {
		f.Refuse(name, "authorization and rate limits are not part of this version: remove the flag; --credentials and --authenticate_http_readwrite keep strangers out")
	}
	f.Refuse("max_executors_per_agent", "it is not part of this version: remove the flag")
	f.Refuse("modules", "modules of Mesos cannot be loaded: remove the flag")
	f.Refuse("modules_dir", "modules of Mesos cannot be loaded: remove the flag")
	f.Refuse("hooks", "modules of Mesos cannot be loaded: remove the flag")
	f.Refuse("ip_discovery_command", "it is not part of this version: give --ip")
	f.Refuse("ip6", "it is not part of this version: give --ip")
}

// ignored are flags of Mesos that have no meaning here and do no harm.
func ignored(f *daemon.FlagSet) {
	for _, name := range []string{"webui_dir", "logbufsecs", "external_log_file", "quorum", "authentication_v0_timeout",
		"offer_constraints_re2_max_mem", "offer_constraints_re2_max_program_size"} {
		f.Ignore(name)
	}
	for _, name := range []string{"log_auto_initialize", "initialize_driver_logging", "registry_strict", "memory_profiling"} {
		f.IgnoreBool(name)
	}
}

// parseAlternatives reads cpus:0.01|mem:32;disk:10: bars between alternatives,
// semicolons inside one.
func parseAlternatives(text string) ([]resources.Quantities, error) {
	var all []resources.Quantities
	for alternative := range strings.SplitSeq(text, "|") {
		if strings.TrimSpace(alternative) == "" {
			continue
		}
		r, err := resources.Parse(alternative, mesos.AnyRole)
		if err != nil {
			return nil, err
		}
		all = append(all, r.Quantities())
	}
	return all, nil
}

func parseRoles(text string) ([]string, error) {
	roles := split(text)
	for _, role := range roles {
		if err := mesos.CheckRole(role); err != nil {
			return nil, err
		}
	}
	if len(roles) > 0 && !slices.Contains(roles, mesos.AnyRole) {
		roles = append(roles, mesos.AnyRole) // always allowed, as in Mesos
	}
	return roles, nil
}

func parseWeights(text string) (all []*registrypb.Weight, err error) {
	for _, pair := range split(text) {
		role, number, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not written role=weight", pair)
		}
		if err := mesos.CheckRole(role); err != nil {
			return nil, err
		}
		if len(role) > maxRole {
			return nil, fmt.Errorf("role %.20q… has %d bytes, at most %d may have a weight", role, len(role), maxRole)
		}
		weight, err := strconv.ParseFloat(number, 64)
		if err != nil || !(weight > 0) || weight > 1e12 {
			return nil, fmt.Errorf("weight %q of role %s is not a number above 0", number, role)
		}
		all = append(all, &registrypb.Weight{Role: &role, Weight: &weight})
	}
	return all, nil
}

// split reads a list separated by commas.
func split(text string) []string {
	var all []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			all = append(all, item)
		}
	}
	return all
}

// parseRate reads a number per time, 1/10mins, as the time from one to the next.
func parseRate(text string) (time.Duration, error) {
	number, per, _ := strings.Cut(text, "/")
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a rate such as 1/10mins", text)
	}
	d, err := daemon.ParseDuration(per)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a rate such as 1/10mins", text)
	}
	return d / time.Duration(n), nil
}

// parsePercent reads 50% as 0.5.
func parsePercent(text string) (float64, error) {
	number, found := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !found || !(n >= 0 && n <= 100) {
		return 0, fmt.Errorf("%q is not a part from 0%% to 100%%", text)
	}
	return n / 100, nil
}
