package chronos

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/internal/daemon"
)

// ParseFlags reads the flags of `souk chronos`, in Chronos' spelling, and the
// environment. The error is daemon.ErrHelp if help was asked for, else one line.
func ParseFlags(args, environ []string) (Config, error) {
	c := DefaultConfig()
	var place placeFlags
	f := flags(&c, &place)
	if err := f.Parse(args, environ); err != nil {
		return c, err
	}
	var err error
	if c.ZK, err = place.url(); err != nil {
		return c, err
	}
	c.Warnings = f.Warnings()
	if c.ZK != nil && c.WorkDir != "" {
		c.Warnings = append(c.Warnings, "--work_dir is not used: with ZooKeeper the jobs are kept there")
	}
	return c, c.complete()
}

// Usage is the help text of `souk chronos`.
func Usage() string {
	c := DefaultConfig()
	return flags(&c, &placeFlags{}).Usage()
}

func flags(c *Config, place *placeFlags) *daemon.FlagSet {
	f := daemon.NewFlags("souk chronos")
	c.processFlags(f)
	c.sharedFlags(f, place)
	c.frameworkFlags(f)
	c.jobFlags(f)
	c.Logging.AddFlags(f)
	refused(f)
	ignored(f)
	return f
}

func (c *Config) processFlags(f *daemon.FlagSet) {
	f.String(&c.Master, "master", "Master as host:port, or several separated by commas, or zk://[user:password@]host1:2181,host2:2181/path to find the one that leads; required")
	f.Path(&c.WorkDir, "work_dir", "Folder for jobs and their history; required without --zk")
	f.IP(&c.HTTPAddress, "http_address", "Address to listen on; default: all")
	f.Port(&c.HTTPPort, "http_port", "Port to listen on")
	f.String(&c.Hostname, "hostname", "Host name that others are told; default: the machine's")
	f.String(&c.Credentials, "http_credentials", "user:password that clients must give")
	f.String(&c.Realm, "http_realm", "Realm named when credentials are asked for")
	f.String(&c.ClusterName, "cluster_name", "Name of the cluster, in what owners of jobs are told")
}

func (c *Config) frameworkFlags(f *daemon.FlagSet) {
	f.String(&c.FrameworkName, "mesos_framework_name", "Name of the framework")
	f.String(&c.Role, "mesos_role", "Role of the framework")
	f.String(&c.User, "user", "User of jobs that do not say; default: who runs this process")
	f.Bool(&c.Checkpoint, "mesos_checkpoint", "Let tasks outlive the restart of their agent")
	f.String(&c.WebUIURL, "webui_url", "Address of the user interface, shown by the master")
	f.String(&c.Principal, "mesos_authentication_principal", "Name to authenticate to the master with")
	f.Func("mesos_authentication_secret_file", "", "File with the secret to authenticate to the master with", func(text string) error {
		secret, err := os.ReadFile(strings.TrimPrefix(text, "file://"))
		c.Secret = strings.TrimSuffix(string(secret), "\n")
		return err
	})
	number(f, &c.FailoverTimeout, time.Second, "failover_timeout", "Time in seconds that the master keeps the tasks of a lost scheduler")
	number(f, &c.DeclineOffers, time.Millisecond, "decline_offer_duration", "Time in milliseconds that a declined offer stays away; 0: the master's default")
	number(f, &c.ReviveInterval, time.Millisecond, "min_revive_offers_interval", "Least time in milliseconds between two revivals of declined offers")
	number(f, &c.ReconcileInterval, time.Second, "reconciliation_interval", "Time in seconds between two reconciliations")
	number(f, &c.UnreachableTimeout, time.Second, "unreachable_timeout", "Time in seconds after which a run on an unreachable agent counts as failed; 0: never, it is waited for")
}

func (c *Config) jobFlags(f *daemon.FlagSet) {
	f.Float(&c.TaskCPUs, "mesos_task_cpu", "CPUs of jobs that do not say")
	f.Float(&c.TaskMem, "mesos_task_mem", "Memory in MB of jobs that do not say")
	f.Float(&c.TaskDisk, "mesos_task_disk", "Disk in MB of jobs that do not say")
	number(f, &c.FailureRetry, time.Millisecond, "failure_retry", "Time in milliseconds between a failure and its retry")
	f.Int(&c.DisableAfterFailures, 0, 1<<30, "disable_after_failures", "A job that fails so often in a row is disabled; 0: never")
	f.Int(&c.HistoryLimit, 0, 200, "job_history_kept", "Ended runs kept per job")
	f.Int(&c.StatRuns, 0, 200, "job_history_limit", "Runs shown by /job/stat")
}

// number adds a flag that Chronos writes as a bare number of units; Mesos'
// durations are taken as well.
func number(f *daemon.FlagSet, p *time.Duration, unit time.Duration, name, usage string) {
	f.Func(name, strconv.FormatInt(int64(*p/unit), 10), usage, func(text string) error {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			if n < 0 || n > int64(100*365*24*time.Hour/unit) {
				return fmt.Errorf("%q is out of range", text)
			}
			*p = time.Duration(n) * unit
			return nil
		}
		d, err := daemon.ParseDuration(text)
		if err != nil || d < 0 {
			return fmt.Errorf("%q is neither a number nor a duration such as 10secs", text)
		}
		*p = d
		return nil
	})
}

// refused are flags of Chronos that would change what happens and cannot yet.
func refused(f *daemon.FlagSet) {
	const (
		tls    = "HTTPS is not supported yet: leave the flag out and put a proxy in front"
		notify = "notifications are not supported yet: leave the flag out and read the log or /v1/scheduler/job/{name}/history"
		stats  = "an outside store for history is not supported: leave the flag out; history is built in"
	)
	for why, names := range map[string][]string{
		tls:    {"https_port", "ssl_keystore_path", "ssl_keystore_password"},
		notify: {"mail_server", "mail_from", "mail_user", "mail_password", "mail_ssl", "slack_url", "mattermost_url", "raven_dsn", "http_notification_url", "http_notification_credentials"},
		stats:  {"cassandra_contact_points", "cassandra_port", "cassandra_keyspace", "cassandra_table", "cassandra_stat_count_table", "cassandra_consistency", "cassandra_ttl", "graphite_host_port", "graphite_reporting_interval", "graphite_group_prefix"},
	} {
		for _, name := range names {
			f.Refuse(name, why)
		}
	}
	f.Refuse("disable_http", "the HTTP API cannot be turned off: leave the flag out")
}

// ignored are flags of Chronos without a meaning here.
func ignored(f *daemon.FlagSet) {
	for _, name := range []string{"leader_max_idle_time", "schedule_horizon", "task_epsilon"} {
		f.Ignore(name)
	}
	for _, name := range []string{"http_compression", "revive_offers_for_new_jobs"} {
		f.IgnoreBool(name)
	}
}
