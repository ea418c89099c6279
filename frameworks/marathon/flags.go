package marathon

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/core/spec"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/proto/mesos"
)

// ParseFlags reads the flags of `souk marathon`, which are Marathon's, and the
// environment, in which MARATHON_* counts beside SOUK_*. The error is
// daemon.ErrHelp if help was asked for, else one line.
func ParseFlags(args, environ []string) (Config, error) {
	c := DefaultConfig()
	if u, err := user.Current(); err == nil {
		c.User = u.Username
	}
	f := flags(&c)
	if err := f.Parse(args, translated(environ)); err != nil {
		return c, err
	}
	c.Warnings = f.Warnings()
	if c.ZK != nil && c.WorkDir != "" {
		c.Warnings = append(c.Warnings, "--work_dir is not used: with --zk the state is kept in ZooKeeper")
	}
	return c, c.check()
}

// Usage is the help text of `souk marathon`.
func Usage() string {
	c := DefaultConfig()
	return flags(&c).Usage()
}

// translated lets MARATHON_HTTP_PORT mean SOUK_HTTP_PORT, unless that is given.
// Variables that tasks of Marathon find in their environment are none of ours:
// the scheduler may itself be one.
func translated(environ []string) []string {
	out := slices.Clone(environ)
	for _, v := range environ {
		name, given := strings.CutPrefix(v, "MARATHON_")
		if given && !strings.HasPrefix(name, "APP_") && !slices.ContainsFunc(environ, func(s string) bool {
			return strings.HasPrefix(s, "SOUK_"+name[:strings.IndexByte(name+"=", '=')]+"=")
		}) {
			out = append(out, "SOUK_"+name)
		}
	}
	return out
}

func flags(c *Config) *daemon.FlagSet {
	f := daemon.NewFlags("souk marathon")
	c.processFlags(f)
	c.sharedFlags(f)
	c.frameworkFlags(f)
	c.timeFlags(f)
	c.limitFlags(f)
	c.appFlags(f)
	c.Logging.AddFlags(f)
	refused(f)
	ignored(f)
	return f
}

func (c *Config) processFlags(f *daemon.FlagSet) {
	f.String(&c.Master, "master", "host:port of the Mesos master, or several separated by commas, or zk://[user:password@]host1:2181,host2:2181/path to find the one that leads")
	f.Path(&c.WorkDir, "work_dir", "Folder for what must survive a restart; required without --zk")
	f.IP(&c.Address, "http_address", "Address to listen on")
	f.Port(&c.Port, "http_port", "Port to listen on")
	f.String(&c.Hostname, "hostname", "Host name others reach this scheduler at; default: that of the machine")
	f.String(&c.WebUIURL, "webui_url", "Address of the web interface as the master shows it")
	f.String(&c.Credentials, "http_credentials", "user:password that requests must carry; default: none")
	f.String(&c.Realm, "http_realm", "Realm of --http_credentials")
	f.Func("access_control_allow_origin", "", "Origins whose pages may read answers, separated by commas", func(text string) error {
		c.Origins = strings.Split(text, ",")
		return nil
	})
	f.Int(&c.MaxEvents, 1, 1<<20, "event_stream_max_outstanding_messages", "Events that wait for a listener before it is cut off")
	f.Int(&c.MaxProbes, 1, 1<<16, "max_concurrent_marathon_health_checks", "Health checks at the same time")
}

// sharedFlags are about several schedulers, of which one leads.
func (c *Config) sharedFlags(f *daemon.FlagSet) {
	f.Func("zk", "", "Where schedulers elect their leader, and the leader keeps the state: zk://[user:password@]host1:2181,host2:2181/path; default: one scheduler", func(text string) error {
		u, err := zookeeper.ParseURL(text)
		c.ZK = &u
		return err
	})
	f.Func("zk_session_timeout", "10000", "Time after which ZooKeeper lets others lead when this scheduler is silent (milliseconds)", func(text string) error {
		if err := milliseconds(text, &c.ZKTimeout); err != nil {
			return err
		}
		if c.ZKTimeout < zookeeper.MinTimeout {
			return fmt.Errorf("%v is less than %v", c.ZKTimeout, zookeeper.MinTimeout)
		}
		return nil
	})
	f.Bool(&c.HA, "ha", "With --zk, take part in the election; --no-ha: keep the state there and be the only scheduler")
	f.BoolFunc("disable_ha", false, "Marathon's spelling of --no-ha", func(off bool) error {
		c.HA = !off
		return nil
	})
	for _, t := range []struct {
		p           *time.Duration
		name, usage string
	}{
		{&c.Proxy.Connect, "leader_proxy_connection_timeout", "Time for the leader to accept a connection"},
		{&c.Proxy.Answer, "leader_proxy_read_timeout", "Time for the leader to begin an answer"},
	} {
		f.Func(t.name, strconv.FormatInt(t.p.Milliseconds(), 10), t.usage+" (milliseconds)", func(text string) error {
			return milliseconds(text, t.p)
		})
	}
	f.Int(&c.Proxy.Connections, 1, 1<<16, "leader_proxy_max_open_connections", "So many requests are passed on to the leader at the same time; more of them wait")
}

func (c *Config) frameworkFlags(f *daemon.FlagSet) {
	f.String(&c.FrameworkName, "framework_name", "Name of the framework")
	f.Func("mesos_role", "*", "Role of the framework, whose resources apps use", func(text string) error {
		c.Core.Rules.Role = text
		return mesos.CheckRole(text)
	})
	f.String(&c.User, "mesos_user", "User that tasks run as, unless the app names one; default: the user of this process")
	f.String(&c.Principal, "mesos_authentication_principal", "Principal for the master; default: none")
	f.String(&c.Secret, "mesos_authentication_secret", "Secret of the principal")
	f.Bool(&c.Checkpoint, "checkpoint", "Tasks outlive a restart of their agent")
	f.Func("failover_timeout", "604800", "Seconds for which the master keeps tasks without the scheduler", func(text string) error {
		return seconds(text, &c.FailoverTimeout)
	})
	f.Bool(&c.Core.SuppressOffers, "suppress_offers", "Stop offers while nothing waits for one")
}

// timeFlags are in milliseconds, as Marathon has them, or durations with a unit.
func (c *Config) timeFlags(f *daemon.FlagSet) {
	k := &c.Core
	for _, t := range []struct {
		p           *time.Duration
		name, usage string
	}{
		{&k.DeclineFor, "decline_offer_duration", "Unused offers are not offered again this long"},
		{&k.MinReviveInterval, "min_revive_offers_interval", "Shortest time between two requests for offers"},
		{&k.LaunchTokenRefresh, "launch_token_refresh_interval", "Time after which --launch_tokens are there again"},
		{&k.LaunchTimeout, "task_launch_timeout", "Tasks that do not run by then are killed and replaced"},
		{&k.LaunchConfirmTimeout, "task_launch_confirm_timeout", "Tasks not heard of by then are killed and replaced"},
		{&k.KillRetry, "kill_retry_timeout", "Unconfirmed kills are repeated after this time"},
		{&k.ReconciliationInterval, "reconciliation_interval", "Time between two comparisons of all tasks with the master"},
	} {
		f.Func(t.name, strconv.FormatInt(t.p.Milliseconds(), 10), t.usage+" (milliseconds)", func(text string) error {
			return milliseconds(text, t.p)
		})
	}
}

func (c *Config) limitFlags(f *daemon.FlagSet) {
	k := &c.Core
	f.Int(&k.MaxApps, 0, 1<<30, "max_apps", "So many apps may exist; 0: any number")
	f.Int(&k.MaxRunningDeployments, 1, 1<<20, "max_running_deployments", "So many deployments may run at the same time")
	f.Int(&k.MaxInstancesPerOffer, 1, 1<<20, "max_instances_per_offer", "So many tasks are launched on one offer")
	f.Int(&k.LaunchTokens, 1, 1<<30, "launch_tokens", "So many tasks are launched per --launch_token_refresh_interval, not counting those that run")
	f.Int(&k.KillChunk, 1, 1<<20, "kill_chunk_size", "So many kills are under way at the same time")
	f.Int(&k.MaxVersions, 1, 1<<20, "zk_max_versions", "So many versions are kept of each app")
	f.Port(&k.ServicePortMin, "local_port_min", "Lowest service port to be assigned")
	f.Port(&k.ServicePortMax, "local_port_max", "Highest service port to be assigned")
}

func (c *Config) appFlags(f *daemon.FlagSet) {
	k := &c.Core
	f.String(&k.EnvVarsPrefix, "env_vars_prefix", "Goes before HOST and the PORT variables of tasks")
	f.String(&k.Rules.NetworkName, "default_network_name", "Name of container networks that have none")
	f.String(&k.Rules.BridgeName, "mesos_bridge_name", "Network name that stands for container/bridge in old definitions")
	f.Func("accepted_resource_roles_default_behavior", "any", "Resources that apps use unless they say: any, unreserved or reserved", func(text string) error {
		k.ResourceRoles = text
		return oneOf(text, "any", "unreserved", "reserved")
	})
	f.Func("default_accepted_resource_roles", "", "Older form of --accepted_resource_roles_default_behavior: \"*\", the framework's role, or both", func(text string) error {
		return c.acceptRoles(text)
	})
	f.Func("gpu_scheduling_behavior", "restricted", "Whether apps without gpus run on agents that have some: restricted or unrestricted", func(text string) error {
		k.ScarceGPUs = text == "restricted"
		return oneOf(text, "restricted", "unrestricted")
	})
	f.Func("enable_features", "", "Optional features, separated by commas: "+strings.Join(spec.Features(), ", "), func(text string) error {
		for name := range strings.SplitSeq(text, ",") {
			name = strings.TrimSpace(name)
			if err := oneOf(name, spec.Features()...); err != nil {
				return err
			}
			k.Rules.Features = append(k.Rules.Features, name)
		}
		return nil
	})
}

// acceptRoles reads the roles that --default_accepted_resource_roles lists.
func (c *Config) acceptRoles(text string) error {
	roles := strings.Split(text, ",")
	any, own := slices.Contains(roles, "*"), slices.Contains(roles, c.Core.Rules.Role)
	switch {
	case any && (own || len(roles) == 1):
		c.Core.ResourceRoles = "unreserved"
		if own && c.Core.Rules.Role != "*" {
			c.Core.ResourceRoles = "any"
		}
	case own:
		c.Core.ResourceRoles = "reserved"
	default:
		return fmt.Errorf("%q names neither \"*\" nor the role %q: give --mesos_role before it", text, c.Core.Rules.Role)
	}
	return nil
}

// refused are flags of Marathon whose promise this version cannot keep.
func refused(f *daemon.FlagSet) {
	f.Refuse("executor", "apps run under the built-in executor")
	f.Refuse("plugin_dir", "there are no plugins")
	f.Refuse("plugin_conf", "there are no plugins")
	f.Refuse("new_group_enforce_role", "apps have the role of the framework")
	f.Refuse("ssl_keystore_path", "the API is served without TLS; put a proxy in front")
	f.Refuse("draining_seconds", "agents are avoided from the start of their maintenance on")
}

// ignored are flags of Marathon that have no meaning here and do no harm.
func ignored(f *daemon.FlagSet) {
	for _, name := range []string{
		"zk_timeout", "zk_connection_timeout", "zk_compression_threshold", "zk_max_node_size", "storage_compaction_interval",
		"group_versions_cache_size",
		"offer_matching_timeout", "on_elected_prepare_timeout", "reconciliation_initial_delay", "scale_apps_initial_delay", "scale_apps_interval",
		"task_lost_expunge_initial_delay", "task_lost_expunge_interval", "task_reservation_timeout", "graceful_shutdown_timeout",
		"mesos_leader_ui_url", "mesos_heartbeat_interval", "mesos_heartbeat_failure_threshold", "deprecated_features", "https_port",
	} {
		f.Ignore(name)
	}
	for _, name := range []string{
		"store_cache", "disable_store_cache", "zk_compression", "disable_zk_compression", "http_compression",
		"disable_http_compression", "leader_proxy_ssl_ignore_hostname", "mesos_authentication", "maintenance_mode",
	} {
		f.IgnoreBool(name)
	}
}

func oneOf(text string, names ...string) error {
	if !slices.Contains(names, text) {
		return fmt.Errorf("%q is none of %s", text, strings.Join(names, ", "))
	}
	return nil
}

func seconds(text string, d *time.Duration) error { return duration(text, time.Second, d) }

func milliseconds(text string, d *time.Duration) error { return duration(text, time.Millisecond, d) }

// duration reads a number of units, or a duration that names its own.
func duration(text string, unit time.Duration, d *time.Duration) error {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n < 0 || n > int64(time.Duration(1<<62)/unit) {
			return fmt.Errorf("%d is out of range", n)
		}
		*d = time.Duration(n) * unit
		return nil
	}
	var err error
	*d, err = daemon.ParseDuration(text)
	return err
}
