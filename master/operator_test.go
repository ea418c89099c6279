package master_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/master"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	masterpb "github.com/soukproject/souk/proto/mesos/v1/master"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
)

// operate makes a call of the operator API that must succeed.
func operate(t *testing.T, address, body string) string {
	t.Helper()
	code, answer := post(t, "http://"+address+"/api/v1", "application/json", body)
	if code != 200 {
		t.Fatalf("%s = %d %s, want 200", body, code, answer)
	}
	return answer
}

// operateProtobuf is operate in protobuf.
func operateProtobuf(t *testing.T, address string, call *masterpb.Call) {
	t.Helper()
	body, err := proto.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	if code, answer := post(t, "http://"+address+"/api/v1", "application/x-protobuf", string(body)); code != 200 {
		t.Fatalf("%v = %d %s, want 200", call.GetType(), code, answer)
	}
}

// succession runs two masters on one store, one after the other.
func succession(t *testing.T, first, second func(address string)) {
	store := memstate.New()
	on := func(cfg *master.Config) { cfg.Store = store }
	p := launch(t, on)
	awaitLeader(t, p.address)
	first(p.address)
	if err := p.stop(); err != nil {
		t.Fatalf("Run = %v, want nil", err)
	}
	second(start(t, on))
}

func want(t *testing.T, what, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%s = %s, want %s in it", what, got, part)
		}
	}
}

func TestWeightsSurviveTheMaster(t *testing.T) {
	succession(t, func(address string) {
		operate(t, address, `{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"dev","weight":2.5}]}}`)
		operateProtobuf(t, address, &masterpb.Call{Type: masterpb.Call_UPDATE_WEIGHTS.Enum(), UpdateWeights: &masterpb.Call_UpdateWeights{
			WeightInfos: []*mesospb.WeightInfo{{Role: new("ops"), Weight: new(0.5)}},
		}})
	}, func(address string) {
		want(t, "GET_WEIGHTS", operate(t, address, `{"type":"GET_WEIGHTS"}`),
			`"weight_infos":[{"weight":2.5,"role":"dev"},{"weight":0.5,"role":"ops"}]`)
	})
}

func TestQuotaSurvivesTheMaster(t *testing.T) {
	succession(t, func(address string) {
		operateProtobuf(t, address, &masterpb.Call{Type: masterpb.Call_UPDATE_QUOTA.Enum(), UpdateQuota: &masterpb.Call_UpdateQuota{
			QuotaConfigs: []*quotapb.QuotaConfig{{Role: new("dev"), Limits: map[string]*mesospb.Value_Scalar{"cpus": {Value: new(2.5)}}}},
		}})
		operate(t, address, `{"type":"SET_QUOTA","set_quota":{"quota_request":{"force":true,"role":"old","guarantee":[{"name":"mem","type":"SCALAR","scalar":{"value":64}}]}}}`)
		operate(t, address, `{"type":"UPDATE_QUOTA","update_quota":{"force":true,"quota_configs":[{"role":"gone","limits":{"cpus":{"value":1}}}]}}`)
		operate(t, address, `{"type":"REMOVE_QUOTA","remove_quota":{"role":"gone"}}`)
	}, func(address string) {
		want(t, "GET_QUOTA", operate(t, address, `{"type":"GET_QUOTA"}`),
			`{"infos":[{"role":"dev"},{"role":"old","guarantee":[{"name":"mem","type":"SCALAR","scalar":{"value":64.0}}]}],`,
			`"configs":[{"role":"dev","limits":{"cpus":{"value":2.5}}},{"role":"old","guarantees":{"mem":{"value":64.0}},"limits":{"mem":{"value":64.0}}}]}`)
		_, roles := get(t, "http://"+address+"/roles")
		want(t, "/roles", roles, `{"name":"old","weight":1.0,"quota":{"role":"old","guarantee":{"mem":64.0},"limit":{"mem":64.0},"consumed":{}}`)
		_, metrics := get(t, "http://"+address+"/metrics/snapshot")
		want(t, "metrics", metrics, `"allocator/mesos/quota/roles/dev/resources/cpus/limit":2.5`,
			`"allocator/mesos/quota/roles/old/resources/mem/guarantee":64.0`, `"allocator/mesos/quota/roles/old/resources/mem/consumed":0.0`)
	})
}
