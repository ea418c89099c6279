package master_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/soukproject/souk/internal/daemon"
	"github.com/soukproject/souk/internal/leader"
	"github.com/soukproject/souk/internal/leader/static"
	"github.com/soukproject/souk/master"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	"github.com/soukproject/souk/proto/mesos/resources"
)

func TestParseFlags(t *testing.T) {
	args := strings.Fields(`--ip=10.0.0.1 --port=5060 --work_dir=/var/lib/mesos --cluster=golden --advertise-ip 1.2.3.4
		--allocation_interval=500ms --offer_timeout=10mins --min_allocatable_resources=cpus:0.1;mem:10|disk:5
		--roles=a,b/c --weights=a=2,b/c=0.5 --no-root_submissions --no-filter_gpu_resources
		--max_completed_frameworks=7 --slave_ping_timeout=30secs --registry=replicated_log
		--agent_removal_rate_limit=2/1mins --recovery_agent_removal_limit=25%
		--allocator_agent_recovery_factor=0.5 --allocator_recovery_timeout=3mins
		--no-authenticate_http_readonly --webui_dir=/x --log_auto_initialize --logging_level=WARNING`)
	c, err := master.ParseFlags(args, []string{"MESOS_HOSTNAME=m1", "SOUK_HOSTNAME=m2"})
	if err != nil {
		t.Fatal(err)
	}
	type settings struct {
		IP, AdvertiseIP, WorkDir, Cluster, Hostname, Registry, Level string
		Port, Completed                                              int
		Interval, Offer, Ping, Recovery, Removal                     time.Duration
		Factor, Minimal                                              float64
		Roles                                                        []string
		Root, GPUs                                                   bool
		Minimum                                                      []string
		Weights                                                      []*registrypb.Weight
	}
	got := settings{
		IP: c.IP, AdvertiseIP: c.AdvertiseIP, WorkDir: c.WorkDir, Cluster: c.Cluster, Hostname: c.Hostname, Registry: c.Registry,
		Level: c.Logging.Level, Port: c.Port, Completed: c.MaxCompletedFrameworks,
		Interval: c.AllocationInterval, Offer: c.OfferTimeout, Ping: c.AgentPingTimeout, Recovery: c.AllocatorRecoveryTimeout, Factor: c.AllocatorRecoveryFactor,
		Removal: c.AgentRemovalInterval, Minimal: c.RecoveryAgentMinimum,
		Roles: c.Roles, Root: c.RootSubmissions, GPUs: c.FilterGPUs, Weights: c.Weights,
	}
	for _, q := range c.MinAllocatable {
		got.Minimum = append(got.Minimum, q.String())
	}
	want := settings{
		IP: "10.0.0.1", AdvertiseIP: "1.2.3.4", WorkDir: "/var/lib/mesos", Cluster: "golden", Hostname: "m2", Registry: master.Local,
		Level: "WARNING", Port: 5060, Completed: 7,
		Interval: 500 * time.Millisecond, Offer: 10 * time.Minute, Ping: 30 * time.Second, Recovery: 3 * time.Minute, Factor: 0.5,
		Removal: 30 * time.Second, Minimal: 0.75,
		Roles: []string{"a", "b/c", "*"},
		Minimum: []string{
			resources.QuantitiesOf(resources.Quantity{Name: "cpus", Amount: 100}, resources.Quantity{Name: "mem", Amount: 10000}).String(),
			resources.QuantitiesOf(resources.Quantity{Name: "disk", Amount: 5000}).String(),
		},
		Weights: []*registrypb.Weight{{Role: new("a"), Weight: new(2.0)}, {Role: new("b/c"), Weight: new(0.5)}},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if len(c.Warnings) != 3 {
		t.Errorf("warnings = %q, want one for each of slave_ping_timeout, webui_dir, log_auto_initialize", c.Warnings)
	}
}

func TestOffersTimeOutUnlessToldOtherwise(t *testing.T) {
	c, err := master.ParseFlags([]string{"--work_dir=/x"}, nil)
	if err != nil || c.OfferTimeout != 5*time.Minute {
		t.Errorf("offer timeout = %v, %v, want 5m", c.OfferTimeout, err)
	}
	c, err = master.ParseFlags([]string{"--work_dir=/x", "--offer_timeout=0ns"}, nil)
	if err != nil || c.OfferTimeout != 0 {
		t.Errorf("offer timeout = %v, %v, want never", c.OfferTimeout, err)
	}
}

func TestParseFlagsRefusesWithOneLine(t *testing.T) {
	for args, want := range map[string]string{
		"":                                                     "--work_dir is required",
		"--work_dir=/x --zk=zk://a:2181":                       "flag --zk: it has no path",
		"--work_dir=/x --offer_policy=all":                     `"all" is not an offer policy: use coarse, spread or pack`,
		"--work_dir=/x --allocator=fifo":                       `there is no "fifo": choose one of hierarchical, random`,
		"--work_dir=/x --registry=etcd":                        `"etcd" is neither local nor in_memory`,
		"--work_dir=/x --acls={}":                              "authorization",
		"--work_dir=/x --authenticate_slaves":                  "flag --credentials: nobody could prove who they are",
		"--work_dir=/x --credentials=/nowhere":                 "no such file",
		"--work_dir=/x --http_authenticators=jwt":              `"jwt" is not part of this version: there is basic`,
		"--work_dir=/x --allocator_agent_recovery_factor=0":    `"0" is not a number above 0 and at most 1`,
		"--work_dir=/x --allocator_agent_recovery_factor=2":    `"2" is not a number above 0 and at most 1`,
		"--work_dir=/x --agent_removal_rate_limit=10mins":      `"10mins" is not a rate such as 1/10mins`,
		"--work_dir=/x --recovery_agent_removal_limit=101%":    `"101%" is not a part from 0% to 100%`,
		"--work_dir=/x --weights=a":                            `"a" is not written role=weight`,
		"--work_dir=/x --weights=a=0":                          `weight "0" of role a is not a number above 0`,
		"--work_dir=/x --weights=a=NaN":                        "is not a number above 0",
		"--work_dir=/x --weights=a//b=1":                       "two adjacent slashes",
		"--work_dir=/x --roles=-a":                             "starts with a dash",
		"--work_dir=/x --agent_reregister_timeout=1mins":       "less than 10mins",
		"--work_dir=/x --min_allocatable_resources=cpus:cheap": "min_allocatable_resources",
		"--work_dir=/x --role_sorter=random":                   "use drf",
		"--work_dir=/x --domain={}":                            "there is no fault_domain in it",
		`--work_dir=/x --domain={"fault_domain":{"region":{"name":"r"},"zone":{"name":""}}}`: "'fault_domain.zone.name' must have 1 to 255 characters",
		"--work_dir=/x --require_agent_domain":                                               "give --domain, too",
		"--work_dir=/x --prot=1":                                                             "did you mean --port?",
	} {
		_, err := master.ParseFlags(strings.Fields(args), nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("ParseFlags(%s) = %v, want one line with %q", args, err, want)
		}
	}
	if _, err := master.ParseFlags([]string{"--help"}, nil); !errors.Is(err, daemon.ErrHelp) {
		t.Errorf("ParseFlags(--help) = %v, want ErrHelp", err)
	}
	if u := master.Usage(); !strings.Contains(u, "--offer_timeout (default 5mins)") || strings.Contains(u, "--acls") {
		t.Errorf("Usage = %s", u)
	}
}

func TestRunRefusesWithOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*master.Config)
		want   string
	}{
		"no work directory": {func(c *master.Config) {}, "--work_dir is required"},
		"unwritable":        {func(c *master.Config) { c.WorkDir = "/proc/none" }, "state file"},
		"taken port": {func(c *master.Config) {
			c.Registry, c.IP, c.Port = master.InMemory, "203.0.113.7", 5050
		}, "no such address"},
		"half an election": {func(c *master.Config) { c.WorkDir, c.Detector = "/x", static.New(leader.Leader{}) }, "go together"},
	} {
		cfg := master.DefaultConfig()
		cfg.IP, cfg.Port = "127.0.0.1", 0
		c.change(&cfg)
		err := master.Run(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: Run = %v, want one line with %q", name, err, c.want)
		}
	}
}
