package master_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/soukproject/souk/internal/callevent"
	"github.com/soukproject/souk/master"
	linkpb "github.com/soukproject/souk/proto/mesos/link"
	"github.com/soukproject/souk/proto/mesos/resources"
	mesospb "github.com/soukproject/souk/proto/mesos/v1"
	schedulerpb "github.com/soukproject/souk/proto/mesos/v1/scheduler"
)

// flagged makes a master run with what the flags say.
func flagged(t *testing.T, flags ...string) func(*master.Config) {
	t.Helper()
	given, err := master.ParseFlags(append([]string{"--registry=in_memory"}, flags...), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(cfg *master.Config) {
		given.Listener, given.Log, given.HostnameLookup = cfg.Listener, cfg.Log, cfg.HostnameLookup
		*cfg = given
	}
}

// capable adds a capability to a framework, or some.
func capable(names ...string) func(*mesospb.FrameworkInfo) {
	return func(f *mesospb.FrameworkInfo) {
		for _, name := range names {
			c := mesospb.FrameworkInfo_Capability_Type(mesospb.FrameworkInfo_Capability_Type_value[name])
			f.Capabilities = append(f.Capabilities, &mesospb.FrameworkInfo_Capability{Type: c.Enum()})
		}
	}
}

// domainIn is the fault domain of a machine in a region.
func domainIn(region string) string {
	return `{"fault_domain":{"region":{"name":"` + region + `"},"zone":{"name":"z"}}}`
}

// Resources in the form that the agent's flag takes.
const (
	revocable = `[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},{"name":"mem","type":"SCALAR","scalar":{"value":64}},
		{"name":"cpus","type":"SCALAR","scalar":{"value":3},"revocable":{}}]`
	volume = `{"name":"disk","type":"SCALAR","scalar":{"value":100},"reservations":[{"type":"DYNAMIC","role":"dev"}],
		"disk":{"persistence":{"id":"v"},"volume":{"container_path":"v","mode":"RW"}}`
	refined = `[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},{"name":"cpus","type":"SCALAR","scalar":{"value":2},
		"reservations":[{"type":"STATIC","role":"dev"},{"type":"DYNAMIC","role":"dev/test"}]}]`
	dynamic = `[{"name":"cpus","type":"SCALAR","scalar":{"value":2},"reservations":[{"type":"DYNAMIC","role":"ROLE"}]}]`
)

// TestWhatIsOffered: from the flags of a master and what agents and frameworks say of themselves to the offer, or to
// the reason why there is none.
func TestWhatIsOffered(t *testing.T) {
	role := func(name string) func(*mesospb.FrameworkInfo) {
		return func(f *mesospb.FrameworkInfo) { f.Roles = []string{name} }
	}
	for _, x := range []struct {
		name      string
		flags     []string
		resources string // of the agent
		region    string // of the agent
		framework func(*mesospb.FrameworkInfo)
		want      string // what is offered
		reason    string // why nothing is
	}{
		{name: "less than the default minimum", resources: "cpus:0.005;mem:31", reason: "below_minimum"},
		{name: "one of the default alternatives", resources: "cpus:0.005;mem:32", want: "cpus:0.005; mem:32"},
		{name: "less than the minimum", flags: []string{"--min_allocatable_resources=cpus:2;mem:64|disk:10"}, resources: "cpus:2;mem:63;disk:9", reason: "below_minimum"},
		{name: "the minimum", flags: []string{"--min_allocatable_resources=cpus:2;mem:64|disk:10"}, resources: "cpus:0.1;disk:10", want: "cpus:0.1; disk:10"},
		{name: "no minimum", flags: []string{"--min_allocatable_resources="}, resources: "cpus:0.001;mem:0", want: "cpus:0.001"},
		{name: "the minimum of the framework", resources: "cpus:1;mem:64", reason: "below_minimum", framework: func(f *mesospb.FrameworkInfo) {
			f.OfferFilters = map[string]*mesospb.OfferFilters{"dev": {MinAllocatableResources: &mesospb.OfferFilters_MinAllocatableResources{
				Quantities: []*mesospb.OfferFilters_ResourceQuantities{{Quantities: map[string]*mesospb.Value_Scalar{"cpus": {Value: new(2.0)}}}},
			}}}
		}},

		{name: "gpus are kept", resources: "cpus:1;mem:64;gpus:2", reason: "gpus_kept"},
		{name: "gpus for who asks", resources: "cpus:1;mem:64;gpus:2", framework: capable("GPU_RESOURCES"), want: "cpus:1; gpus:2; mem:64"},
		{name: "gpus are not kept", flags: []string{"--no-filter_gpu_resources"}, resources: "cpus:1;mem:64;gpus:2", want: "cpus:1; gpus:2; mem:64"},

		{name: "revocable resources are kept", resources: revocable, want: "cpus:1; mem:64"},
		{name: "revocable resources for who asks", resources: revocable, framework: capable("REVOCABLE_RESOURCES"), want: "cpus:1; cpus{REV}:3; mem:64"},
		{name: "a volume", resources: `[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},` + volume + "}]", want: "cpus:1; disk(reservations: [(DYNAMIC,dev)])[v:v]:100"},
		{name: "a shared volume is kept", resources: `[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},` + volume + `,"shared":{}}]`, want: "cpus:1"},
		{name: "a shared volume for who asks", resources: `[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},` + volume + `,"shared":{}}]`, framework: capable("SHARED_RESOURCES"), want: "cpus:1; disk(reservations: [(DYNAMIC,dev)])[v:v]<SHARED>:100<1>"},

		{name: "refined reservations", resources: refined, framework: role("dev/test"), want: "cpus:1; cpus(reservations: [(STATIC,dev),(DYNAMIC,dev/test)]):2"},
		{name: "refined reservations are kept", resources: refined, want: "cpus:1", framework: func(f *mesospb.FrameworkInfo) {
			role("dev/test")(f)
			f.Capabilities = f.Capabilities[:1]
		}},
		{name: "refined reservations of a role below", resources: refined, want: "cpus:1"},
		{name: "a static reservation", resources: "cpus(dev):2;mem:64", want: "cpus(reservations: [(STATIC,dev)]):2; mem:64"},
		{name: "a static reservation of others", resources: "cpus(ops):2;mem:64", want: "mem:64"},
		{name: "a reservation of the role above", resources: "cpus(dev):2", framework: role("dev/test"), want: "cpus(reservations: [(STATIC,dev)]):2"},
		{name: "a dynamic reservation", resources: strings.ReplaceAll(dynamic, "ROLE", "dev"), want: "cpus(reservations: [(DYNAMIC,dev)]):2"},
		{name: "a dynamic reservation of others", resources: strings.ReplaceAll(dynamic, "ROLE", "ops"), reason: "reserved_for_others"},

		{name: "an agent of the region", flags: []string{"--domain=" + domainIn("east")}, resources: "cpus:1", region: "east", want: "cpus:1"},
		{name: "an agent without a domain", flags: []string{"--domain=" + domainIn("east")}, resources: "cpus:1", want: "cpus:1"},
		{name: "an agent of another region", flags: []string{"--domain=" + domainIn("east")}, resources: "cpus:1", region: "west", reason: "remote_region"},
		{name: "an agent of another region for who asks", flags: []string{"--domain=" + domainIn("east")}, resources: "cpus:1", region: "west", framework: capable("REGION_AWARE"), want: "cpus:1"},
	} {
		t.Run(x.name, func(t *testing.T) {
			address := start(t, flagged(t, x.flags...))
			info := frameworkInfo("f")
			if x.framework != nil {
				x.framework(info)
			}
			f := subscribe(t, address, info)
			machine := agentWith(t, x.resources)
			if x.region != "" {
				machine.Domain = domainOf(t, x.region)
			}
			register(t, address, machine)
			if x.reason != "" {
				if got := explained(t, address, "").Groups; len(got) != 1 || got[0].Reason != x.reason {
					t.Errorf("explanation = %+v, want %s", got, x.reason)
				}
				return
			}
			offers := f.await(schedulerpb.Event_OFFERS).GetOffers().GetOffers()
			if got := offeredText(t, offers[0]); len(offers) != 1 || got != x.want {
				t.Errorf("%d offers, the first of %s; want one of %s", len(offers), got, x.want)
			}
			if got := offers[0].GetDomain().GetFaultDomain().GetRegion().GetName(); got != x.region {
				t.Errorf("offer from region %q, want %q", got, x.region)
			}
			if got := len(offers[0].GetAttributes()); got != 3 {
				t.Errorf("offer with %d attributes, want the three of the agent", got)
			}
		})
	}
}

func agentWith(t *testing.T, text string) *mesospb.AgentInfo {
	t.Helper()
	r, err := resources.Parse(text, "*")
	if err != nil {
		t.Fatal(err)
	}
	info := agentInfo(t, "h", 5051)
	info.Resources = r.Proto(resources.PostRefinement)
	return info
}

func domainOf(t *testing.T, region string) *mesospb.DomainInfo {
	t.Helper()
	d := &mesospb.DomainInfo{}
	if err := callevent.Unmarshal(callevent.JSON, []byte(domainIn(region)), d); err != nil {
		t.Fatal(err)
	}
	return d
}

func offeredText(t *testing.T, o *mesospb.Offer) string {
	t.Helper()
	r, err := resources.FromProto(o.GetResources())
	if err != nil {
		t.Fatal(err)
	}
	return r.Unallocated().String()
}

// TestDomainIsAskedOfAgents: an agent that may not register with its domain, or without one, is turned away with the
// reason, and not told to end.
func TestDomainIsAskedOfAgents(t *testing.T) {
	file := filepath.Join(t.TempDir(), "domain")
	if err := os.WriteFile(file, []byte(domainIn("east")), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := func(address, region string) bool {
		machine := agentWith(t, "cpus:1")
		if region != "" {
			machine.Domain = domainOf(t, region)
		}
		client := callevent.NewClient[*linkpb.Call](callevent.ClientConfig[*linkpb.Event]{
			URL: "http://" + address + "/api/v1/link", Codec: callevent.Protobuf,
			New: func() *linkpb.Event { return &linkpb.Event{} },
		})
		stream, err := client.Subscribe(t.Context(), &linkpb.Call{
			Type:      linkpb.Call_SUBSCRIBE.Enum(),
			Subscribe: &linkpb.Subscribe{Agent: machine, Total: machine.GetResources(), Version: new("1.11.0"), Boot: new("b"), Capabilities: agentCapabilities()},
		})
		if err != nil {
			return true
		}
		defer stream.Close()
		e, err := stream.Next()
		if err == nil && e.GetType() == linkpb.Event_SHUTDOWN {
			t.Error("the agent is told to end")
		}
		return err != nil
	}
	without := start(t)
	strict := start(t, flagged(t, "--domain=file://"+file, "--require_agent_domain"))
	for _, x := range []struct {
		name, address, region string
		want                  bool
	}{
		{"a domain, and the master has none", without, "east", true},
		{"no domain, and the master wants one", strict, "", true},
		{"a domain", strict, "west", false},
		{"a name that is too long", strict, strings.Repeat("x", 256), true},
	} {
		if got := refused(x.address, x.region); got != x.want {
			t.Errorf("%s: refused = %t, want %t", x.name, got, x.want)
		}
	}
	if _, body := get(t, "http://"+strict+"/state"); strings.Count(body, `"domain":`+domainIn("east")) < 2 {
		t.Errorf("/state = %s, want the domain of the master twice", body)
	}
	info := subscribe(t, strict, frameworkInfo("f"))
	if got := info.master.GetDomain().GetFaultDomain().GetRegion().GetName(); got != "east" {
		t.Errorf("schedulers are told the region %q, want east", got)
	}
}
