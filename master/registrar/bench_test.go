package registrar_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/boltstate"
	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/internal/state/zkstate"
	"github.com/soukproject/souk/internal/zookeeper"
	"github.com/soukproject/souk/internal/zookeeper/zookeepertest"
	"github.com/soukproject/souk/master/registrar"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
)

// stores are those that masters keep their registry in.
func stores() map[string]func(testing.TB) state.Store {
	return map[string]func(testing.TB) state.Store{
		"memory": func(testing.TB) state.Store { return memstate.New() },
		"bolt": func(t testing.TB) state.Store {
			s, err := boltstate.Open(filepath.Join(t.TempDir(), "registry.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		},
		"zookeeper": func(t testing.TB) state.Store {
			u, err := zookeeper.ParseURL(zookeepertest.Start(t, 1).URL(t))
			if err != nil {
				t.Fatal(err)
			}
			s, err := zkstate.Open(context.Background(), zkstate.Config{URL: u.Below("souk", "registry")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		},
	}
}

// large is the AgentInfo of an agent as they are: with attributes and resources.
func large(n int) *mesospb.AgentInfo {
	info := agentInfo(fmt.Sprintf("0c7cb2a4-3e34-4a5b-9d31-5e0a4f0d1c11-S%d", n))
	info.Attributes = []*mesospb.Attribute{{Name: new("rack"), Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: new("r17")}}}
	for _, name := range []string{"cpus", "mem", "disk"} {
		info.Resources = append(info.Resources, &mesospb.Resource{
			Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: new(64.0)},
		})
	}
	return info
}

// BenchmarkRegistrar is what Mesos' benchmarks of the same name do: every agent is
// admitted, marked unreachable, marked reachable, marked unreachable again and
// forgotten, each as a write of its own. Recovery is that of the next leader.
func BenchmarkRegistrar(b *testing.B) {
	for _, name := range []string{"memory", "bolt", "zookeeper"} {
		for _, agents := range []int{10_000, 50_000} {
			b.Run(fmt.Sprintf("%s/%d", name, agents), func(b *testing.B) {
				for range b.N {
					benchmarkRegistrar(b, stores()[name](b), agents)
				}
			})
		}
	}
}

func benchmarkRegistrar(b *testing.B, store state.Store, agents int) {
	r, _ := recovered(b, store)
	each := func(unit string, op func(n int) *registrypb.Operation) {
		writes := make([][]*registrypb.Operation, agents)
		for n := range writes {
			writes[n] = []*registrypb.Operation{op(n)}
		}
		began := time.Now()
		if err := perform(r, writes...); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), unit)
	}
	lose := func(n int) *registrypb.Operation {
		return &registrypb.Operation{Type: registrypb.Operation_MARK_UNREACHABLE.Enum(),
			Unreachable: &registrypb.Unreachable{Info: large(n), Since: &mesospb.TimeInfo{Nanoseconds: new(int64(1))}}}
	}
	taken := func(kind registrypb.Operation_Type) func(int) *registrypb.Operation {
		return func(n int) *registrypb.Operation {
			return &registrypb.Operation{Type: kind.Enum(), Agent: &registrypb.Agent{Info: large(n)}}
		}
	}
	each("admit-ms", taken(registrypb.Operation_ADMIT_AGENT))
	each("unreachable-ms", lose)
	each("reachable-ms", taken(registrypb.Operation_MARK_REACHABLE))
	each("again-ms", lose)
	forget := &registrypb.Operation{Type: registrypb.Operation_PRUNE.Enum()}
	for n := range agents {
		forget.AgentIds = append(forget.AgentIds, large(n).GetId())
	}
	began := time.Now()
	if err := perform(r, []*registrypb.Operation{forget}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "gc-ms")

	each("admit-again-ms", taken(registrypb.Operation_ADMIT_AGENT))
	began = time.Now()
	reg, err := registrar.New(config(store)).Recover(context.Background(), masterInfo)
	if err != nil || len(reg.GetAgents()) != agents || len(reg.GetUnreachable()) != 0 {
		b.Fatalf("Recover = %d agents, %d unreachable, %v", len(reg.GetAgents()), len(reg.GetUnreachable()), err)
	}
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "recover-ms")
}
