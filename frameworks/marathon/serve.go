package marathon

import (
	"net"
	"net/http"
	"time"

	"github.com/soukproject/souk/frameworks/marathon/api"
	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/internal/zookeeper"
)

// handler is the API on top of the loop.
func (c Config) handler(l *loop, hub *api.Hub, address net.Addr, abdicate func()) http.Handler {
	m := metrics.New()
	m.AddSource(api.MetricsOf(l, time.Now()))
	return api.New(api.Config{
		Scheduler: l, Hub: hub, Metrics: m, Abdicate: abdicate, Log: c.Log.Named("api"),
		Credentials: c.Credentials, Realm: c.Realm, Origins: c.Origins,
		Info: api.Info{
			Name: c.FrameworkName, Version: c.Version, BuildRef: "souk",
			Leader: c.hostPort(address), URL: "http://" + c.hostPort(address), HTTPPort: port(address),
			Settings: c.settings(address), ZooKeeper: c.zookeeperSettings(),
		},
	})
}

// zookeeperSettings are the members of zookeeper_config in /v2/info.
func (c Config) zookeeperSettings() map[string]any {
	if c.ZK == nil {
		return map[string]any{}
	}
	return map[string]any{
		"zk": c.ZK.String(), "zk_session_timeout": c.ZKTimeout.Milliseconds(), "zk_max_versions": c.Core.MaxVersions,
	}
}

// settings are the members of marathon_config in /v2/info.
func (c Config) settings(address net.Addr) map[string]any {
	k := c.Core
	features := k.Rules.Features
	if features == nil {
		features = []string{}
	}
	return map[string]any{
		"access_control_allow_origin":        c.Origins,
		"checkpoint":                         c.Checkpoint,
		"decline_offer_duration":             k.DeclineFor.Milliseconds(),
		"default_network_name":               k.Rules.NetworkName,
		"env_vars_prefix":                    k.EnvVarsPrefix,
		"executor":                           "//cmd",
		"failover_timeout":                   int64(c.FailoverTimeout.Seconds()),
		"features":                           features,
		"framework_name":                     c.FrameworkName,
		"ha":                                 c.ZK != nil && c.HA,
		"hostname":                           c.Hostname,
		"launch_token":                       k.LaunchTokens,
		"launch_token_refresh_interval":      k.LaunchTokenRefresh.Milliseconds(),
		"leader_proxy_connection_timeout_ms": c.Proxy.Connect.Milliseconds(),
		"leader_proxy_read_timeout_ms":       c.Proxy.Answer.Milliseconds(),
		"local_port_max":                     k.ServicePortMax,
		"local_port_min":                     k.ServicePortMin,
		"maintenance_mode":                   true,
		"master":                             c.masterName(),
		"max_instances_per_offer":            k.MaxInstancesPerOffer,
		"mesos_bridge_name":                  k.Rules.BridgeName,
		"mesos_leader_ui_url":                c.masterUI(),
		"mesos_role":                         k.Rules.Role,
		"mesos_user":                         c.User,
		"min_revive_offers_interval":         k.MinReviveInterval.Milliseconds(),
		"new_group_enforce_role":             "off",
		"reconciliation_interval":            k.ReconciliationInterval.Milliseconds(),
		"task_launch_confirm_timeout":        k.LaunchConfirmTimeout.Milliseconds(),
		"task_launch_timeout":                k.LaunchTimeout.Milliseconds(),
		"webui_url":                          c.webUI(address),
	}
}

// masterName is Master as others may see it.
func (c Config) masterName() string {
	if u, err := zookeeper.ParseURL(c.Master); err == nil {
		return u.String()
	}
	return c.Master
}

// masterUI is the master's own interface; nil if the leader changes.
func (c Config) masterUI() any {
	if zookeeper.IsURL(c.Master) {
		return nil
	}
	return "http://" + c.Master
}
