package marathon_test

import (
	"strings"
	"testing"
	"time"

	"github.com/soukproject/souk/frameworks/marathon"
)

func TestFlags(t *testing.T) {
	c, err := marathon.ParseFlags([]string{
		"--master", "m:5050", "--work_dir=/w", "--http_port", "0", "--http-address=127.0.0.1", "--framework_name", "mom", "--mesos_role", "prod",
		"--failover_timeout", "60", "--task_launch_timeout", "1000", "--decline_offer_duration", "5secs", "--enable_features", "vips,task_killing",
		"--default_accepted_resource_roles", "prod,*", "--no-checkpoint", "--disable_ha", "--zk_timeout", "10000",
		"--zk=zk://a:1,b/mom", "--zk_session_timeout=4000", "--leader_proxy_read_timeout=2000",
	}, []string{"MARATHON_HOSTNAME=h1", "MARATHON_APP_ID=/mom", "MARATHON_LOCAL_PORT_MIN=20000", "SOUK_LOCAL_PORT_MIN=15000"})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) != 2 {
		t.Errorf("warnings = %q, want one for work_dir and one for zk_timeout", c.Warnings)
	}
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"master", c.Master, "m:5050"}, {"http_port", c.Port, 0}, {"http_address", c.Address, "127.0.0.1"}, {"framework_name", c.FrameworkName, "mom"},
		{"mesos_role", c.Core.Rules.Role, "prod"}, {"failover_timeout", c.FailoverTimeout, time.Minute}, {"task_launch_timeout", c.Core.LaunchTimeout, time.Second},
		{"decline_offer_duration", c.Core.DeclineFor, 5 * time.Second}, {"features", strings.Join(c.Core.Rules.Features, " "), "vips task_killing"},
		{"roles", c.Core.ResourceRoles, "any"}, {"checkpoint", c.Checkpoint, false}, {"hostname", c.Hostname, "h1"}, {"local_port_min", c.Core.ServicePortMin, 15000},
		{"zk", c.ZK.String(), "zk://a:1,b:2181/mom"}, {"zk_session_timeout", c.ZKTimeout, 4 * time.Second}, {"ha", c.HA, false}, {"read timeout", c.Proxy.Answer, 2 * time.Second},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestFlagErrorsSayWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		args, want string
	}{
		{"--work_dir=/w", "flag --master is required"},
		{"--master=m:1", "flag --work_dir is required"},
		{"--master=zk://a:2181 --work_dir=/w", "no path"},
		{"--master=m:1 --zk=zk://a", "no path"},
		{"--master=m:1 --zk=zk://a/b --zk_session_timeout=5", "zk_session_timeout"},
		{"--master=m:1 --work_dir=/w --enable_features=x", "vips"},
		{"--master=m:1 --work_dir=/w --task_launch_timeout=soon", "task_launch_timeout"},
		{"--master=m:1 --work_dir=/w --mesos_role=a/-b", "mesos_role"},
		{"--master=m:1 --work_dir=/w --local_port_min=200 --local_port_max=100", "local_port_max"},
	} {
		_, err := marathon.ParseFlags(strings.Fields(tt.args), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", tt.args, err, tt.want)
		}
	}
}
