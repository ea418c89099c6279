package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/soukproject/souk/agent/hostinfo"
	"github.com/soukproject/souk/agent/isolation"
	"github.com/soukproject/souk/internal/auth"
	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/proto/mesos"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

func isRoot() bool { return os.Geteuid() == 0 }

// ParseFlags reads the flags of `souk agent` (mesos-api 19.1) and the
// environment. The error is daemon.ErrHelp if help was asked for, else one line.
func ParseFlags(args, environ []string) (Config, error) {
	c := DefaultConfig()
	f := flags(&c)
	if err := f.Parse(args, environ); err != nil {
		return c, err
	}
	c.Flags = f.Flags()
	return c, c.check()
}

// Usage is the help text of `souk agent`.
func Usage() string {
	c := DefaultConfig()
	return flags(&c).Usage()
}

func flags(c *Config) *daemon.FlagSet {
	f := daemon.NewFlags("souk agent")
	c.networkFlags(f)
	c.machineFlags(f)
	c.containerFlags(f)
	c.confinementFlags(f)
	c.containerNetworkFlags(f)
	c.fetcherFlags(f)
	c.imageFlags(f)
	c.sandboxFlags(f)
	c.outputFlags(f)
	c.accessFlags(f)
	c.Logging.AddFlags(f)
	refused(f)
	ignored(f)
	return f
}

func (c *Config) networkFlags(f *daemon.FlagSet) {
	f.String(&c.Master, "master", "The master: HOST:PORT, or zk://[user:password@]HOST1:2181,HOST2:2181/PATH to find the one that leads")
	c.ZKTimeout = zookeeper.DefaultTimeout
	f.Duration(&c.ZKTimeout, zookeeper.MinTimeout, "zk_session_timeout", "Time that ZooKeeper keeps the session in which this agent finds the master")
	f.IP(&c.IP, "ip", "Address to listen on")
	f.Port(&c.Port, "port", "Port to listen on")
	f.IP(&c.AdvertiseIP, "advertise_ip", "Address that others reach this agent at, if not --ip")
	f.Port(&c.AdvertisePort, "advertise_port", "Port that others reach this agent at, if not --port")
	f.String(&c.Hostname, "hostname", "Host name that others are told; default: looked up")
	f.Bool(&c.HostnameLookup, "hostname_lookup", "Look the host name of the address up; otherwise others are told the address")
	f.Duration(&c.Backoff, time.Millisecond, "registration_backoff_factor", "Longest wait before the second attempt to reach the master; it doubles from there to 1mins")
}

func (c *Config) machineFlags(f *daemon.FlagSet) {
	f.Path(&c.WorkDir, "work_dir", "Folder for what must survive a restart: sandboxes and checkpoints")
	f.Path(&c.RuntimeDir, "runtime_dir", "Folder for records of containers; default: run in --work_dir")
	f.Func("resources", "", "What the agent offers, as cpus:4;mem:2048;disk:10240;ports:[31000-32000] or JSON; what is not named is found out", func(text string) error {
		c.Resources = text
		_, err := resources.Parse(text, c.DefaultRole)
		return err
	})
	f.Func("attributes", "", "What the agent is, as rack:r1;ssd:true", func(text string) error {
		c.Attributes = text
		_, err := hostinfo.Attributes(text)
		return err
	})
	f.Domain(&c.Domain, "Region and zone of this machine, as JSON; the master must have a --domain, too")
	f.Func("default_role", c.DefaultRole, "Role that resources without one are reserved for", func(text string) error {
		c.DefaultRole = text
		return mesos.CheckRole(text)
	})
	f.Func("reconfiguration_policy", "equal", "What may change between two starts while tasks run: equal (nothing) or additive (resources and attributes may grow)", func(text string) error {
		if text != "equal" && text != "additive" {
			return fmt.Errorf("%q is neither equal nor additive", text)
		}
		c.Additive = text == "additive"
		return nil
	})
}

func (c *Config) containerFlags(f *daemon.FlagSet) {
	f.String(&c.Containerizer, "containerizer", "What runs tasks: runc (isolated, needs root), posix (plain processes) or auto")
	f.Path(&c.ContainerizerPath, "containerizer_path", "The helper program; default: souk-containerizer beside this program")
	f.Func("isolation", "", "Isolators that containers must have, by Mesos' names and separated by commas; the agent does not start where they cannot be had", func(text string) (err error) {
		c.Isolation, err = isolation.Parse(text)
		return err
	})
	f.String(&c.CgroupsRoot, "cgroups_root", "Cgroup that holds those of containers, of this agent alone; default: one named after --runtime_dir")
	f.Bool(&c.HardCPU, "cgroups_enable_cfs", "Make the cpus of a task a quota, not only a weight")
	c.seccompFlag(f)
	f.Bool(&c.SwitchUser, "switch_user", "Run tasks as their own user; needs root")
	f.Func("executor_environment_variables", "", "Environment of all tasks, as a JSON object of strings", func(text string) error {
		if err := json.Unmarshal([]byte(text), &c.Environment); err != nil {
			return fmt.Errorf("it is no JSON object of strings: %w", err)
		}
		return nil
	})
	c.executorFlags(f)
	f.Duration(&c.ShutdownGrace, 0, "executor_shutdown_grace_period", "Time for tasks to end after SIGTERM when their framework ends")
}

// maxReregistration is the most that Mesos allows.
const maxReregistration = 15 * time.Second

func (c *Config) executorFlags(f *daemon.FlagSet) {
	f.Duration(&c.Registration, time.Second, "executor_registration_timeout", "Time for an executor that a framework brings to subscribe after its container began")
	f.Func("executor_reregistration_timeout", daemon.FormatDuration(c.Reregistration), "Time for such an executor to subscribe again after a start of the agent; at most 15secs", func(text string) error {
		d, err := daemon.ParseDuration(text)
		if err == nil && (d <= 0 || d > maxReregistration) {
			err = fmt.Errorf("%s is not between 1ms and 15secs", text)
		}
		c.Reregistration = d
		return err
	})
	f.Duration(&c.Recovery, time.Second, "recovery_timeout", "How long executors of frameworks with checkpoints go on without an agent")
}

func (c *Config) confinementFlags(f *daemon.FlagSet) {
	capabilityFlag(f, &c.EffectiveCapabilities, "effective_capabilities", "Capabilities of tasks that ask for none, if they run as root, in Mesos' JSON or as CHOWN,KILL; default: Docker's without NET_RAW and MKNOD")
	capabilityFlag(f, &c.BoundingCapabilities, "bounding_capabilities", "The most capabilities that a task may have; default: as --effective_capabilities")
	f.Path(&c.SeccompDir, "seccomp_config_dir", "Folder of seccomp profiles in Docker's JSON; tasks name them")
	f.String(&c.SeccompProfile, "seccomp_profile_name", "Profile of tasks that name none; default: Docker's")
	f.Bool(&c.PrivateIPC, "disallow_sharing_agent_ipc_namespace", "Refuse tasks that want the machine's IPC namespace")
	f.IgnoreBool("disallow_sharing_agent_pid_namespace") // no task ever shares it
	var size uint64
	f.Func("default_container_shm_size", "", "Size of /dev/shm of tasks that say none; default: half the memory", func(text string) (err error) {
		size, err = daemon.ParseBytes(text)
		c.ShmSize = int64(size)
		return err
	})
}

func capabilityFlag(f *daemon.FlagSet, p *[]string, name, usage string) {
	f.Func(name, "", usage, func(text string) error {
		info := &mesospb.CapabilityInfo{}
		if strings.HasPrefix(strings.TrimSpace(text), "{") {
			if err := callevent.Unmarshal(callevent.JSON, []byte(text), info); err != nil {
				return err
			}
			*p = capabilityNames(info)
			return nil
		}
		*p = []string{}
		for one := range strings.SplitSeq(text, ",") {
			one = strings.TrimSpace(one)
			if _, ok := mesospb.CapabilityInfo_Capability_value[one]; !ok {
				return fmt.Errorf("there is no capability %q: write them as NET_ADMIN,CHOWN", one)
			}
			*p = append(*p, one)
		}
		return nil
	})
}

func (c *Config) containerNetworkFlags(f *daemon.FlagSet) {
	f.String(&c.NetworkBridge, "network_bridge", "Link of the built-in bridge, made when a container first needs it; default: one named after --runtime_dir")
	f.String(&c.NetworkBridgeName, "network_bridge_name", "What tasks may call the network of the built-in bridge")
	f.Func("network_bridge_subnet", "", "Addresses of the built-in bridge, as 172.29.0.0/20; default: some that the machine does not use", func(text string) error {
		p, err := netip.ParsePrefix(text)
		if err != nil || !p.Addr().Is4() || p.Bits() > 28 || p.Bits() < 8 {
			return fmt.Errorf("%q is no subnet of IPv4 from /8 to /28", text)
		}
		c.NetworkBridgeSubnet = p
		return nil
	})
	f.Path(&c.CNIConfigDir, "network_cni_config_dir", "Folder of CNI network configurations; tasks join networks by name")
	f.Func("network_cni_plugins_dir", "", "Folders of CNI plugins, separated by colons", func(text string) error {
		c.CNIPluginDirs = filepath.SplitList(text)
		return nil
	})
	f.Func("default_container_dns", "", "Name servers of containers with a network of their own, separated by commas, or Mesos' JSON; default: the machine's", func(text string) (err error) {
		c.DNS, err = parseDNS(text)
		return err
	})
}

// parseDNS reads --default_container_dns: addresses, or the first that Mesos'
// JSON gives for its own containers.
func parseDNS(text string) ([]string, error) {
	list := strings.Split(text, ",")
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		var given struct {
			Mesos []struct {
				DNS struct{ Nameservers []string }
			}
		}
		if err := json.Unmarshal([]byte(text), &given); err != nil {
			return nil, err
		}
		if len(given.Mesos) == 0 {
			return nil, errors.New("there is no entry in its member mesos")
		}
		list = given.Mesos[0].DNS.Nameservers
	}
	for i, s := range list {
		list[i] = strings.TrimSpace(s)
		if _, err := netip.ParseAddr(list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (c *Config) seccompFlag(f *daemon.FlagSet) {
	f.BoolFunc("seccomp", !c.NoSeccomp, "Filter the system calls of isolated tasks", func(on bool) error {
		c.NoSeccomp = !on
		return nil
	})
}

func (c *Config) imageFlags(f *daemon.FlagSet) {
	f.Path(&c.ImageDir, "docker_store_dir", "Folder for images; default: images in --runtime_dir")
	f.String(&c.DockerRegistry, "docker_registry", "Where images without a registry in their name come from: an address, or a folder of NAME:TAG.tar files and OCI layouts; default: Docker's")
	f.Func("docker_config", "", "Credentials for registries: a docker config as JSON, or the path of one", func(text string) (err error) {
		c.DockerConfig, err = readDockerConfig(text)
		return err
	})
	f.Func("image_providers", "docker", "Accepted for compatibility: docker, which OCI images are, too", func(text string) error {
		if text != "docker" && text != "" {
			return fmt.Errorf("%q is not part of this version: there is docker", text)
		}
		return nil
	})
}

func (c *Config) fetcherFlags(f *daemon.FlagSet) {
	f.Path(&c.FetcherCacheDir, "fetcher_cache_dir", "Folder for fetched files that tasks share, emptied at each start; default: fetch in --runtime_dir")
	f.Bytes(&c.FetcherCacheSize, "fetcher_cache_size", "How much of them is kept")
	f.Duration(&c.FetcherStall, time.Second, "fetcher_stall_timeout", "Time without a byte after which fetching a file fails")
	f.Path(&c.FrameworksHome, "frameworks_home", "Folder that relative paths of files to fetch start from")
	f.Func("host_path_volume_force_creation", "", "Folders, separated by :, below which the host paths of volumes are made if they are missing", func(text string) error {
		c.VolumeCreation = nil
		for dir := range strings.SplitSeq(text, ":") {
			if text != "" && !filepath.IsAbs(dir) {
				return fmt.Errorf("%q is not an absolute path", dir)
			}
			if text != "" {
				c.VolumeCreation = append(c.VolumeCreation, dir)
			}
		}
		return nil
	})
}

func (c *Config) sandboxFlags(f *daemon.FlagSet) {
	f.Bool(&c.EnforceDiskQuota, "enforce_container_disk_quota", "End containers that keep more on disk than they have")
	c.xfsFlags(f)
	f.Duration(&c.ContainerDiskWatchInterval, time.Second, "container_disk_watch_interval", "Time between two looks at what containers keep on disk; where there is much to count, it takes longer")
	f.Duration(&c.GCDelay, 0, "gc_delay", "How long sandboxes of ended tasks are kept while there is room on the disk")
	f.Float(&c.GCDiskHeadroom, "gc_disk_headroom", "Fraction of the disk that removing sandboxes earlier keeps free")
	f.Duration(&c.DiskWatchInterval, time.Second, "disk_watch_interval", "Time between two looks at the disk")
}

// accessFlags say how the agent proves who it is, and who has to prove it to it.
func (c *Config) accessFlags(f *daemon.FlagSet) {
	f.PathFunc("credential", "", "File with a principal and its secret, as JSON or on a line, for a master that asks agents for credentials", func(path string) (err error) {
		c.Credential, err = auth.ReadCredential(path)
		return err
	})
	f.PathFunc("http_credentials", "", "File of who may prove who they are: JSON, or a principal and its secret on each line", func(path string) (err error) {
		c.Credentials, err = auth.ReadCredentials(path)
		return err
	})
	f.Bool(&c.AskReaders, "authenticate_http_readonly", "Ask for credentials where the agent is looked at")
	f.Bool(&c.AskOperators, "authenticate_http_readwrite", "Ask operators for credentials where containers can be run")
	f.Only("authenticatee", "crammd5")
	f.Only("http_authenticators", "basic")
}

func (c *Config) xfsFlags(f *daemon.FlagSet) {
	f.Func("xfs_project_range", fmt.Sprintf("[%d-%d]", c.XFSProjects[0], c.XFSProjects[1]), "Numbers of XFS projects that sandboxes may be, with --isolation=disk/xfs; nobody else must use them", func(text string) error {
		first, last, ok := strings.Cut(strings.Trim(text, "[] "), "-")
		from, err := strconv.ParseUint(first, 10, 32)
		to, err2 := strconv.ParseUint(last, 10, 32)
		if !ok || err != nil || err2 != nil || from < 1 || from > to || to == math.MaxUint32 {
			return fmt.Errorf("%q is not a range such as [5000-10000]", text)
		}
		c.XFSProjects = [2]uint32{uint32(from), uint32(to)}
		return nil
	})
	f.Bool(&c.XFSKill, "xfs_kill_containers", "With --isolation=disk/xfs, end containers that go beyond their disk; otherwise what they write beyond it fails")
}

// refused are flags of Mesos whose promise this version cannot keep.
func refused(f *daemon.FlagSet) {
	for _, name := range []string{"acls", "jwt_secret_key", "authorizer", "firewall_rules"} {
		f.Refuse(name, "authorization is not part of this version: remove the flag; --http_credentials and --authenticate_http_readwrite keep strangers out")
	}
	unless(f, "authenticate_http_executors", "executors are not asked for credentials in this version: remove the flag")
	unless(f, "cgroups_limit_swap", "it is not part of this version: remove the flag")
	for _, name := range []string{"docker", "docker_socket"} {
		f.Refuse(name, "images are run without Docker: remove the flag")
	}
	for _, name := range []string{"modules", "modules_dir", "hooks", "resource_estimator", "qos_controller", "secret_resolver"} {
		f.Refuse(name, "modules of Mesos cannot be loaded: remove the flag")
	}
	for _, name := range []string{"ip_discovery_command", "ip6", "agent_features", "default_container_info", "nvidia_gpu_devices", "zk"} {
		f.Refuse(name, "it is not part of this version: remove the flag")
	}
	f.Func("containerizers", "mesos,docker", "Accepted for compatibility: mesos and docker, which are one here", func(text string) error {
		for name := range strings.SplitSeq(text, ",") {
			if name != "mesos" && name != "docker" {
				return fmt.Errorf("%q is neither mesos nor docker", name)
			}
		}
		return nil
	})
	f.Func("recover", "reconnect", "What to do with tasks of an earlier agent: reconnect", func(text string) error {
		if text != "reconnect" {
			return errors.New("cleanup is not part of this version: let the tasks' frameworks end them")
		}
		return nil
	})
}

// unless adds a boolean flag that may be given as long as it is false.
func unless(f *daemon.FlagSet, name, why string) {
	f.BoolFunc(name, false, "Not part of this version; false is accepted", func(on bool) error {
		if on {
			return errors.New(why)
		}
		return nil
	})
}

// ignored are flags of Mesos that have no meaning here and do no harm.
func ignored(f *daemon.FlagSet) {
	for _, name := range []string{
		"launcher", "launcher_dir", "cgroups_hierarchy", "sandbox_directory", "logbufsecs", "external_log_file",
		"max_completed_executors_per_framework",
		"authentication_backoff_factor", "authentication_timeout_min", "authentication_timeout_max", "http_heartbeat_interval",
		"oversubscribed_resources_interval", "qos_correction_interval_min", "docker_remove_delay", "docker_stop_timeout",
		"appc_store_dir", "systemd_runtime_directory",
	} {
		f.Ignore(name)
	}
	for _, name := range []string{"strict", "http_command_executor", "initialize_driver_logging", "memory_profiling", "systemd_enable_support",
		"docker_kill_orphans", "revocable_cpu_low_priority", "gc_non_executor_container_sandboxes", "network_cni_root_dir_persist"} {
		f.IgnoreBool(name)
	}
}
