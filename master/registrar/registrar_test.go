package registrar_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/soukproject/souk/internal/metrics"
	"github.com/soukproject/souk/internal/state"
	"github.com/soukproject/souk/internal/state/memstate"
	"github.com/soukproject/souk/master/registrar"
	registrypb "github.com/soukproject/souk/proto/mesos/registry"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	quotapb "github.com/soukproject/souk/proto/mesos/v1/quota"
)

func config(store state.Store) registrar.Config {
	return registrar.Config{
		Store: store, Log: zap.NewNop(), Metrics: metrics.New(),
		FetchTimeout: time.Minute, StoreTimeout: 20 * time.Second,
	}
}

var masterInfo = &mesospb.MasterInfo{Id: new("m1"), Ip: new(uint32(16777343)), Port: new(uint32(5050))}

func agentInfo(id string) *mesospb.AgentInfo {
	return &mesospb.AgentInfo{Id: agentID(id), Hostname: proto.String(id + ".example")}
}

func agentID(id string) *mesospb.AgentID { return &mesospb.AgentID{Value: &id} }

func admit(id string) *registrypb.Operation {
	return &registrypb.Operation{Type: registrypb.Operation_ADMIT_AGENT.Enum(), Agent: &registrypb.Agent{Info: agentInfo(id)}}
}

func reachable(id string) *registrypb.Operation {
	return &registrypb.Operation{Type: registrypb.Operation_MARK_REACHABLE.Enum(), Agent: &registrypb.Agent{Info: agentInfo(id)}}
}

func remove(id string) *registrypb.Operation {
	return &registrypb.Operation{Type: registrypb.Operation_REMOVE_AGENT.Enum(), AgentId: agentID(id)}
}

func unreachable(id string) *registrypb.Operation {
	return &registrypb.Operation{Type: registrypb.Operation_MARK_UNREACHABLE.Enum(),
		Unreachable: &registrypb.Unreachable{Info: agentInfo(id), Since: &mesospb.TimeInfo{Nanoseconds: new(int64(1))}}}
}

func gone(id string) *registrypb.Operation {
	return &registrypb.Operation{Type: registrypb.Operation_MARK_GONE.Enum(),
		Gone: &registrypb.Gone{Id: agentID(id), Since: &mesospb.TimeInfo{Nanoseconds: new(int64(1))}}}
}

func prune(ids ...string) *registrypb.Operation {
	op := &registrypb.Operation{Type: registrypb.Operation_PRUNE.Enum()}
	for _, id := range ids {
		op.AgentIds = append(op.AgentIds, agentID(id))
	}
	return op
}

func weight(role string, w float64) *registrypb.Operation {
	return &registrypb.Operation{Type: registrypb.Operation_SET_WEIGHTS.Enum(), Weights: []*registrypb.Weight{{Role: &role, Weight: &w}}}
}

// quota limits the cpus of a role; 0 removes the limit.
func quota(role string, cpus float64) *registrypb.Operation {
	q := &quotapb.QuotaConfig{Role: &role}
	if cpus > 0 {
		q.Limits = map[string]*mesospb.Value_Scalar{"cpus": {Value: &cpus}}
	}
	return &registrypb.Operation{Type: registrypb.Operation_SET_QUOTAS.Enum(), Quotas: []*quotapb.QuotaConfig{q}}
}

// maintenance schedules one machine, or nothing.
func maintenance(host string) *registrypb.Operation {
	op := &registrypb.Operation{Type: registrypb.Operation_SET_MAINTENANCE.Enum(), Maintenance: &registrypb.Maintenance{}}
	if host != "" {
		op.Maintenance.Windows = []*registrypb.Maintenance_Window{{
			Machines:       []*registrypb.Maintenance_Machine{{Id: &mesospb.MachineID{Hostname: &host}}},
			Unavailability: &mesospb.Unavailability{Start: &mesospb.TimeInfo{Nanoseconds: new(int64(1))}},
		}}
	}
	return op
}

// orphan says that the scheduler of a framework is away, or that it is not.
func orphan(id string, away bool) *registrypb.Operation {
	x := &registrypb.Orphan{Id: &mesospb.FrameworkID{Value: &id}}
	if away {
		x.Since = &mesospb.TimeInfo{Nanoseconds: new(int64(1))}
	}
	return &registrypb.Operation{Type: registrypb.Operation_SET_ORPHANS.Enum(), Orphans: []*registrypb.Orphan{x}}
}

// recovered returns a registrar that leads, and what it found.
func recovered(t testing.TB, store state.Store) (*registrar.Registrar, *registrypb.Registry) {
	t.Helper()
	r := registrar.New(config(store))
	reg, err := r.Recover(context.Background(), masterInfo)
	if err != nil {
		t.Fatalf("Recover = %v", err)
	}
	return r, reg
}

// perform runs r until all writes are done, or Run fails.
func perform(r *registrar.Registrar, writes ...[]*registrypb.Operation) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var done sync.WaitGroup
	done.Add(len(writes))
	for _, ops := range writes {
		r.Submit(registrar.Write{Operations: ops, Done: done.Done})
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	go func() { done.Wait(); cancel() }()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// content says what a registry holds, by the ids and roles alone.
func content(reg *registrypb.Registry) map[string][]string {
	c := make(map[string][]string)
	for _, a := range reg.GetAgents() {
		c["agents"] = append(c["agents"], a.GetInfo().GetId().GetValue())
	}
	for _, u := range reg.GetUnreachable() {
		c["unreachable"] = append(c["unreachable"], u.GetInfo().GetId().GetValue())
	}
	for _, g := range reg.GetGone() {
		c["gone"] = append(c["gone"], g.GetId().GetValue())
	}
	for _, q := range reg.GetQuotas() {
		c["quotas"] = append(c["quotas"], fmt.Sprintf("%s=%g", q.GetRole(), q.GetLimits()["cpus"].GetValue()))
	}
	for _, w := range reg.GetWeights() {
		c["weights"] = append(c["weights"], fmt.Sprintf("%s=%g", w.GetRole(), w.GetWeight()))
	}
	for _, o := range reg.GetOrphans() {
		c["orphans"] = append(c["orphans"], o.GetId().GetValue())
	}
	for _, w := range reg.GetMaintenance().GetWindows() {
		for _, machine := range w.GetMachines() {
			c["maintenance"] = append(c["maintenance"], machine.GetId().GetHostname())
		}
	}
	return c
}

func TestOperations(t *testing.T) {
	cases := []struct {
		name string
		ops  []*registrypb.Operation
		want map[string][]string
	}{
		{"admit", ops(admit("a"), admit("b")), map[string][]string{"agents": {"a", "b"}}},
		{"admit again", ops(admit("a"), admit("a")), map[string][]string{"agents": {"a"}}},
		{"remove", ops(admit("a"), admit("b"), remove("a")), map[string][]string{"agents": {"b"}}},
		{"remove one that never was", ops(remove("a")), map[string][]string{}},
		{"unreachable", ops(admit("a"), unreachable("a")), map[string][]string{"unreachable": {"a"}}},
		{"orphans", ops(orphan("f", true), orphan("g", true), orphan("f", false)), map[string][]string{"orphans": {"g"}}},
		{"back again", ops(admit("a"), unreachable("a"), reachable("a")), map[string][]string{"agents": {"a"}}},
		{"remove an unreachable one", ops(admit("a"), unreachable("a"), remove("a")), map[string][]string{}},
		{"gone", ops(admit("a"), gone("a")), map[string][]string{"gone": {"a"}}},
		{"gone while unreachable", ops(admit("a"), unreachable("a"), gone("a")), map[string][]string{"gone": {"a"}}},
		{"prune", ops(admit("a"), gone("a"), admit("b"), unreachable("b"), admit("c"), prune("a", "b", "c", "d")),
			map[string][]string{"agents": {"c"}}},
		{"weights", ops(weight("a/b", 2), weight("*", 1), weight("a/b", 3.5)), map[string][]string{"weights": {"*=1", "a/b=3.5"}}},
		{"quotas", ops(quota("a", 2), quota("*", 1), quota("b", 1), quota("a", 3), quota("b", 0), quota("c", 0)),
			map[string][]string{"quotas": {"*=1", "a=3"}}},
		{"maintenance", ops(maintenance("a"), maintenance("b")), map[string][]string{"maintenance": {"b"}}},
		{"maintenance is over", ops(maintenance("a"), maintenance("")), map[string][]string{}},
	}
	for _, c := range cases {
		for _, together := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, together %v", c.name, together), func(t *testing.T) {
				store := memstate.New()
				r, _ := recovered(t, store)
				writes := [][]*registrypb.Operation{c.ops}
				if !together {
					writes = slices.Collect(slices.Chunk(c.ops, 1))
				}
				if err := perform(r, writes...); err != nil {
					t.Fatal(err)
				}
				_, reg := recovered(t, store)
				if diff := cmp.Diff(c.want, content(reg)); diff != "" {
					t.Errorf("registry (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func ops(all ...*registrypb.Operation) []*registrypb.Operation { return all }

// TestGroupingChangesNothing: however writes fall into groups, the registry is
// what one write after another makes of it.
func TestGroupingChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom([]string{"a", "b", "c"})
		op := rapid.Custom(func(t *rapid.T) *registrypb.Operation {
			make := rapid.SampledFrom([]func(string) *registrypb.Operation{admit, reachable, remove, unreachable, gone,
				func(id string) *registrypb.Operation { return prune(id) }}).Draw(t, "op")
			return make(id.Draw(t, "id"))
		})
		all := rapid.SliceOfN(op, 0, 30).Draw(t, "ops")
		one, many := memstate.New(), memstate.New()
		r, _ := newRecovered(t, one)
		for _, op := range all {
			if err := perform(r, ops(op)); err != nil {
				t.Fatal(err)
			}
		}
		r, _ = newRecovered(t, many)
		if err := perform(r, slices.Collect(slices.Chunk(all, 3))...); err != nil {
			t.Fatal(err)
		}
		_, want := newRecovered(t, one)
		_, got := newRecovered(t, many)
		if diff := cmp.Diff(content(want), content(got)); diff != "" {
			t.Fatalf("grouped differs (-one by one +grouped):\n%s", diff)
		}
	})
}

func newRecovered(t *rapid.T, store state.Store) (*registrar.Registrar, *registrypb.Registry) {
	r := registrar.New(config(store))
	reg, err := r.Recover(context.Background(), masterInfo)
	if err != nil {
		t.Fatal(err)
	}
	return r, reg
}

func TestRecoverReturnsWhatWasWritten(t *testing.T) {
	store := memstate.New()
	r, empty := recovered(t, store)
	if n := len(empty.GetAgents()); n != 0 || empty.GetMeta().GetEpoch() != 1 {
		t.Errorf("new registry = %v", empty)
	}
	if err := perform(r, ops(admit("S0"))); err != nil {
		t.Fatal(err)
	}
	_, got := recovered(t, store)
	want := &registrypb.Registry{
		Meta:   &registrypb.Meta{Format: new(uint32(1)), Epoch: new(uint64(2)), Master: masterInfo},
		Agents: []*registrypb.Agent{{Info: agentInfo("S0")}},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("registry (-want +got):\n%s", diff)
	}
}

func TestSupersededMasterIsRefused(t *testing.T) {
	store := memstate.New()
	old, _ := recovered(t, store)
	if err := perform(old, ops(admit("a"))); err != nil {
		t.Fatal(err)
	}
	recovered(t, store) // another master takes over
	if err := perform(old, ops(admit("b"))); !errors.Is(err, registrar.ErrSuperseded) {
		t.Errorf("write of the old master = %v, want ErrSuperseded", err)
	}
	_, reg := recovered(t, store)
	if diff := cmp.Diff(map[string][]string{"agents": {"a"}}, content(reg)); diff != "" {
		t.Errorf("registry (-want +got):\n%s", diff)
	}
}

func TestFailedWriteEndsRun(t *testing.T) {
	store := memstate.New()
	r, _ := recovered(t, store)
	full := errors.New("no space left on device")
	store.Fail(full)
	if err := perform(r, ops(admit("a"))); !errors.Is(err, full) {
		t.Errorf("Run = %v, want %v", err, full)
	}
}

func TestRecoverRefusesWithOneLine(t *testing.T) {
	newer, err := proto.Marshal(&registrypb.Meta{Format: new(uint32(2))})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name  string
		entry state.Entry
		want  string
	}{
		{"a newer format", state.Entry{Name: "meta", Value: newer}, "format 2, this build reads up to 1"},
		{"a damaged head", state.Entry{Name: "meta", Value: []byte("\xff")}, "entry meta is damaged"},
		{"a damaged agent", state.Entry{Name: "agents/S0", Value: []byte("\xff")}, "entry agents/S0 is damaged"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store := memstate.New()
			if _, err := store.Apply(t.Context(), state.Op{Entry: c.entry}); err != nil {
				t.Fatal(err)
			}
			_, err := registrar.New(config(store)).Recover(t.Context(), masterInfo)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Recover = %v, want one line with %q", err, c.want)
			}
		})
	}
}

func TestBadOperationsEndRun(t *testing.T) {
	for name, op := range map[string]*registrypb.Operation{
		"no type":     {},
		"no agent":    {Type: registrypb.Operation_ADMIT_AGENT.Enum()},
		"no agent id": {Type: registrypb.Operation_REMOVE_AGENT.Enum()},
		"no role":     {Type: registrypb.Operation_SET_WEIGHTS.Enum(), Weights: []*registrypb.Weight{{}}},
	} {
		r, _ := recovered(t, memstate.New())
		if err := perform(r, ops(op)); err == nil {
			t.Errorf("%s: Run = nil, want an error", name)
		}
	}
}

// counting counts transactions.
type counting struct {
	state.Store
	applied int
}

func (c *counting) Apply(ctx context.Context, ops ...state.Op) ([]state.Entry, error) {
	c.applied++
	return c.Store.Apply(ctx, ops...)
}

func TestWaitingWritesShareTransactions(t *testing.T) {
	store := &counting{Store: memstate.New()}
	r, _ := recovered(t, store)
	store.applied = 0
	var writes [][]*registrypb.Operation
	for i := range 5000 {
		writes = append(writes, ops(admit(fmt.Sprint("S", i))))
	}
	if err := perform(r, writes...); err != nil {
		t.Fatal(err)
	}
	// About 1.5 MB of entries, in groups that ZooKeeper takes at once.
	if store.applied > 10 {
		t.Errorf("5000 waiting writes took %d transactions, want at most 10", store.applied)
	}
	var ids []string
	for i := range 5000 {
		ids = append(ids, fmt.Sprint("S", i))
	}
	for i := range ids {
		writes[i] = ops(unreachable(ids[i]))
	}
	if err := perform(r, append(writes, ops(prune(ids...)))...); err != nil {
		t.Fatal(err)
	}
	_, reg := recovered(t, store)
	if c := content(reg); len(c) != 0 {
		t.Errorf("after pruning all: %v", slices.Collect(maps.Keys(c)))
	}
}
