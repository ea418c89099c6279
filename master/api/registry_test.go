package api_test

import (
	"errors"
	"testing"

	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
)

// TestRegistry: the parts that there are, in the words of Mesos' registry.
func TestRegistry(t *testing.T) {
	id := func(s string) *mesospb.AgentID { return &mesospb.AgentID{Value: &s} }
	since := &mesospb.TimeInfo{Nanoseconds: new(int64(5))}
	agent := func(s string) *mesospb.AgentInfo { return &mesospb.AgentInfo{Hostname: new("h"), Id: id(s)} }
	unavailable := &mesospb.Unavailability{Start: since}
	for _, tt := range []struct {
		name     string
		registry *registrypb.Registry
		want     string
	}{
		{"nothing", &registrypb.Registry{}, `{}`},
		{"the master", &registrypb.Registry{Meta: &registrypb.Meta{Format: new(uint32(1)), Master: info()}},
			`{"master":{"info":{"id":"m1","ip":16777343,"port":5050,"pid":"master@127.0.0.1:5050","hostname":"127.0.0.1","version":"1.11.0",` +
				`"address":{"hostname":"127.0.0.1","ip":"127.0.0.1","port":5050}}}}`},
		{"agents", &registrypb.Registry{
			Agents: []*registrypb.Agent{{Info: agent("S0"), DrainInfo: &mesospb.DrainInfo{
				State: mesospb.DrainState_DRAINING.Enum(), Config: &mesospb.DrainConfig{}}, Deactivated: new(true)}},
			Unreachable: []*registrypb.Unreachable{{Info: agent("S1"), Since: since}},
			Gone:        []*registrypb.Gone{{Id: id("S2"), Since: since}},
		}, `{"slaves":{"slaves":[{"info":{"hostname":"h","id":{"value":"S0"},"port":5051},"drain_info":{"state":"DRAINING","config":{"mark_gone":false}},"deactivated":true}]},` +
			`"unreachable":{"slaves":[{"id":{"value":"S1"},"timestamp":{"nanoseconds":5},"deactivated":false}]},` +
			`"gone":{"slaves":[{"id":{"value":"S2"},"timestamp":{"nanoseconds":5}}]}}`},
		{"maintenance", &registrypb.Registry{Maintenance: &registrypb.Maintenance{Windows: []*registrypb.Maintenance_Window{{
			Machines: []*registrypb.Maintenance_Machine{{Id: &mesospb.MachineID{Hostname: new("a")}}, {Id: &mesospb.MachineID{Hostname: new("b")}, Down: new(true)}}, Unavailability: unavailable,
		}}}}, `{"machines":{"machines":[{"info":{"id":{"hostname":"a"},"mode":"DRAINING","unavailability":{"start":{"nanoseconds":5}}}},` +
			`{"info":{"id":{"hostname":"b"},"mode":"DOWN","unavailability":{"start":{"nanoseconds":5}}}}]},` +
			`"schedules":[{"windows":[{"machine_ids":[{"hostname":"a"},{"hostname":"b"}],"unavailability":{"start":{"nanoseconds":5}}}]}]}`},
		{"shares", &registrypb.Registry{
			Quotas:  []*quotapb.QuotaConfig{{Role: new("dev"), Limits: map[string]*mesospb.Value_Scalar{"cpus": {Value: new(4.0)}}}},
			Weights: []*registrypb.Weight{{Role: new("ops"), Weight: new(1.5)}},
		}, `{"quota_configs":[{"role":"dev","limits":{"cpus":{"value":4.0}}}],"weights":[{"info":{"weight":1.5,"role":"ops"}}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := leading()
			b.registry = tt.registry
			if w := ask(handler(b), "GET", "/registrar(1)/registry", ""); w.Code != 200 || w.Body.String() != tt.want {
				t.Errorf("= %d %s\nwant 200 %s", w.Code, w.Body, tt.want)
			}
		})
	}
	b := leading()
	h := handler(b)
	b.refuse = errors.New("the store is away")
	if w := ask(h, "GET", "/registrar%281%29/registry", ""); w.Code != 503 {
		t.Errorf("when the store is away: %d %s, want 503", w.Code, w.Body)
	}
}
